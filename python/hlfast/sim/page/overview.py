"""What the page shows of the venue, in one small answer that many accounts don't make large."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from hlfast.sim.numbers import wire

if TYPE_CHECKING:
    from hlfast.sim.accounts import Account
    from hlfast.sim.record import FillRow
    from hlfast.sim.server import Server

ROWS = 40
SEARCHED = 2_000  # rows looked through for the page's fills: strangers' fills, which it leaves out, may be many
POSITIONS = 8


class Overview:
    """Answers the control op `overview`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return clock, counters, settings, faults, plays, accounts, latest fills and requests, and the book of `coin`.

        Accounts that life brought are counted in `strangers` and left out.

        Raises:
            ValueError: an unlisted coin.
        """
        server, venue = self._server, self._server.venue
        strangers = server.control.plays.strangers
        known = [
            account for account in venue.accounts.values() if account.deposited and account.address not in strangers
        ]
        return {
            "time": venue.time_ms(),
            "network": server.settings.network,
            "settings": msgspec.to_builtins(server.settings),
            "counters": dict(venue.record.counters),
            "faults": [row for row in server.faults.rows() if row["state"] != "over"],
            "plays": server.control.plays.listed({})["plays"],
            "accounts": [self._account(account) for account in known[:ROWS]],
            "accounts_total": len(known),
            "strangers": len(strangers),
            "fills": list(islice(self._fills(strangers), ROWS)),
            "actions": list(islice(reversed(venue.record.actions), ROWS)),
            "book": self._book(request.get("coin")),
        }

    def _fills(self, strangers: frozenset[str]) -> Iterable[FillRow]:
        newest = islice(reversed(self._server.venue.record.fills), SEARCHED)
        return (row for row in newest if row.user not in strangers)

    def _account(self, account: Account) -> dict[str, Any]:
        server = self._server
        by_id = server.venue.universe.by_id
        return {
            "address": account.address,
            "role": account.role,
            "equity": server.info.account.state(account, "")["marginSummary"]["accountValue"],
            "orders": len(account.orders),
            "fills": len(account.fills),
            "positions": [
                (by_id[asset_id].coin, wire(held.size))
                for asset_id, held in islice(account.positions.items(), POSITIONS)
            ],
        }

    def _book(self, coin: Any) -> dict[str, Any] | None:
        if coin is None:
            return None
        asset = self._server.venue.universe.by_coin.get(str(coin))
        if asset is None:
            raise ValueError(f"coin {coin!r} is not listed here; see /info meta and spotMeta")
        shown = self._server.info.market.l2(asset, self._server.venue.time_ms())
        return shown | {"mid": wire(self._server.venue.mark(asset))}
