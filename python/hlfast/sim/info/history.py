"""What happened to accounts: fills with paging, orders, funding, ledger."""

from __future__ import annotations

from itertools import islice
from typing import Any

from hlfast.sim.accounts import Account
from hlfast.sim.info.request import BadRequestError, Handler, for_user, read_int, read_user
from hlfast.sim.numbers import parse, usd, wire
from hlfast.sim.orders import Order
from hlfast.sim.venue import Venue

FILLS_PER_ANSWER = 2_000
ROWS_PER_ANSWER = 500
FAR_FUTURE_MS = 2**53


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
            "userTwapSliceFills": for_user([]),
            "userTwapSliceFillsByTime": for_user([]),
            "twapHistory": for_user([]),
            "portfolio": self._portfolio,
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

    def _order_status(self, body: dict[str, Any]) -> dict[str, Any]:
        account = self._account(body)
        oid = body.get("oid")
        order: Order | None
        if isinstance(oid, str):
            order = account.by_cloid.get(oid.lower())
        elif isinstance(oid, int) and not isinstance(oid, bool):
            order = account.by_oid.get(oid)
        else:
            raise BadRequestError
        if order is None:
            return {"status": "unknownOid"}
        return {"status": "order", "order": history_row(order)}

    def order_history(self, account: Account) -> list[dict[str, Any]]:
        """Return the newest orders first."""
        return [history_row(order) for order in reversed(account.history)]

    def _portfolio(self, body: dict[str, Any]) -> list[Any]:
        account = self._account(body)
        value = self._venue.margin.cross_value(account, "") + self._venue.margin.isolated_value(account, "")
        now = self._venue.time_ms()
        period = {
            "accountValueHistory": [[now, usd(value)]],
            "pnlHistory": [[now, usd(value - account.deposits)]],
            "vlm": usd(account.volume),
        }
        names = ("day", "week", "month", "allTime", "perpDay", "perpWeek", "perpMonth", "perpAllTime")
        return [[name, period] for name in names]


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
