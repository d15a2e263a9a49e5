"""What happened to accounts: fills with paging, orders, funding, ledger."""

from __future__ import annotations

from itertools import islice
from typing import Any

from hlfast.sim.accounts import Account
from hlfast.sim.info.request import BadRequestError, Handler, read_int, read_user
from hlfast.sim.numbers import parse, times, usd, wire
from hlfast.sim.orders import Order
from hlfast.sim.venue import Venue

FILLS_PER_ANSWER = 2_000
ROWS_PER_ANSWER = 500
FAR_FUTURE_MS = 2**53
DAY_MS = 86_400_000
PERIODS_MS = {"day": DAY_MS, "week": 7 * DAY_MS, "month": 30 * DAY_MS, "allTime": FAR_FUTURE_MS}


class HistoryInfo:
    """Reads that page through the past of an account."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def handlers(self) -> dict[str, Handler]:
        """Return the handler of each request type."""
        return {
            "userFills": lambda body: self.latest_fills(
                self._account(body), aggregate=bool(body.get("aggregateByTime"))
            ),
            "userFillsByTime": self._fills_by_time,
            "orderStatus": self._order_status,
            "historicalOrders": lambda body: self.order_history(self._account(body)),
            "userFunding": lambda body: self._by_time(self._account(body).fundings, body),
            "userNonFundingLedgerUpdates": lambda body: self._by_time(self._account(body).ledger, body),
            "userTwapSliceFills": lambda body: list(reversed(self._account(body).twap_slices)),
            "userTwapSliceFillsByTime": self._slices_by_time,
            "twapHistory": lambda body: list(reversed(self._account(body).twap_history)),
            "portfolio": lambda body: self.portfolio(self._account(body)),
        }

    def _account(self, body: dict[str, Any]) -> Account:
        address = read_user(body)
        return self._venue.accounts.get(address) or Account(address)

    def latest_fills(self, account: Account, *, aggregate: bool = False) -> list[dict[str, Any]]:
        """Return the newest fills first; rows of one time keep reverse execution order."""
        rows = list(islice(reversed(account.fills), FILLS_PER_ANSWER))
        return list(reversed(aggregated(list(reversed(rows))))) if aggregate else rows

    def _fills_by_time(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        account = self._account(body)
        start = read_int(body, "startTime")
        end = read_int(body, "endTime", FAR_FUTURE_MS)
        rows = [row for row in account.fills if start <= row["time"] <= end]
        if body.get("reversed"):
            rows.reverse()
        if body.get("aggregateByTime"):
            rows = aggregated(rows)
        return rows[:FILLS_PER_ANSWER]

    @staticmethod
    def _by_time(rows: list[dict[str, Any]], body: dict[str, Any]) -> list[dict[str, Any]]:
        start, end = read_int(body, "startTime", 0), read_int(body, "endTime", FAR_FUTURE_MS)
        return [row for row in rows if start <= row["time"] <= end][:ROWS_PER_ANSWER]

    def _slices_by_time(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        start, end = read_int(body, "startTime"), read_int(body, "endTime", FAR_FUTURE_MS)
        rows = [row for row in self._account(body).twap_slices if start <= row["fill"]["time"] <= end]
        return rows[:FILLS_PER_ANSWER]

    def _order_status(self, body: dict[str, Any]) -> dict[str, Any]:
        account = self._account(body)
        oid = body.get("oid")
        order: Order | None
        if isinstance(oid, str):
            order = self._by_cloid(account, oid.lower())
        elif isinstance(oid, int) and not isinstance(oid, bool):
            order = account.by_oid.get(oid)
        else:
            raise BadRequestError
        lag = self._venue.settings.order_status_lag_ms
        if order is None or order.time_ms + lag > self._venue.time_ms():
            return {"status": "unknownOid"}
        return {"status": "order", "order": history_row(order)}

    def _by_cloid(self, account: Account, cloid: str) -> Order | None:
        if self._venue.settings.stale_cloid:
            return next((order for order in account.history if order.cloid == cloid), None)
        return account.by_cloid.get(cloid)

    def order_history(self, account: Account) -> list[dict[str, Any]]:
        """Return the newest orders first."""
        return [history_row(order) for order in reversed(account.history)]

    def order_rows(self, user: str, updates: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return `historicalOrders` rows of what `orderUpdates` says: each status with what was left then."""
        account = self._venue.accounts.get(user) or Account(user)
        rows = []
        for update in updates:
            order = account.by_oid.get(update["order"]["oid"])
            if order is not None:
                row = history_row(order)
                row["order"]["sz"] = update["order"]["sz"]
                rows.append(row | {"status": update["status"], "statusTimestamp": update["statusTimestamp"]})
        return rows

    def portfolio(self, account: Account) -> list[Any]:
        """Return equity, profit and volume of each period: its start, or the account's, and now."""
        margin, now = self._venue.margin, self._venue.time_ms()
        value = margin.total_value(account)
        periods = []
        for prefix in ("", "perp"):
            for name, length_ms in PERIODS_MS.items():
                start = max(account.opened_ms, now - length_ms)
                begun = account.deposits if start == account.opened_ms else value
                traded = sum(times(parse(row["px"]), parse(row["sz"])) for row in account.fills if row["time"] >= start)
                shown = {
                    "accountValueHistory": [[start, usd(begun)], [now, usd(value)]],
                    "pnlHistory": [[start, "0.0"], [now, usd(value - account.deposits)]],
                    "vlm": usd(account.volume if name == "allTime" else traded),
                }
                periods.append([prefix + name[:1].upper() + name[1:] if prefix else name, shown])
        return periods


def history_row(order: Order) -> dict[str, Any]:
    """Return the row of `historicalOrders` and `orderStatus`."""
    return {
        "order": order.frontend_row(),
        "status": order.status,
        "statusTimestamp": order.status_ms or order.time_ms,
    }


def aggregated(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Merge partial fills of one crossing order in one block; the first tid survives, the price is the average."""
    merged: dict[Any, dict[str, Any]] = {}
    values: dict[Any, int] = {}
    for row in rows:
        key = (row["time"], row["oid"], row["coin"]) if row["crossed"] else object()
        size = parse(row["sz"])
        known = merged.get(key)
        if known is None:
            merged[key] = dict(row)
            values[key] = parse(row["px"]) * size
            continue
        values[key] += parse(row["px"]) * size
        total = parse(known["sz"]) + size
        known["sz"] = wire(total)
        known["px"] = wire(values[key] // total)
        known["fee"] = wire(parse(known["fee"]) + parse(row["fee"]))
        known["closedPnl"] = wire(parse(known["closedPnl"]) + parse(row["closedPnl"]))
    return list(merged.values())
