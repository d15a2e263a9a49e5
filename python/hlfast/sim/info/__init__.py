"""`/info`: one handler a request type; unknown types and misfit fields are the venue's HTTP 422."""

from __future__ import annotations

from typing import Any

from hlfast.sim.info.account import AccountInfo
from hlfast.sim.info.history import HistoryInfo
from hlfast.sim.info.market import MarketInfo
from hlfast.sim.info.request import BadRequestError, Handler
from hlfast.sim.info.standing import StandingInfo
from hlfast.sim.info.ventures import VenturesInfo
from hlfast.sim.info.whole import WholeInfo
from hlfast.sim.trading import Trading
from hlfast.sim.venue import Venue


class Info:
    """All of `/info`. Answers are plain structures that encode to the venue's JSON."""

    def __init__(self, venue: Venue, trading: Trading) -> None:
        self.market = MarketInfo(venue, trading)
        self.account = AccountInfo(venue, trading)
        self.history = HistoryInfo(venue)
        self.ventures = VenturesInfo(venue, self.account, self.history)
        self.whole = WholeInfo(venue, self.market, self.account, self.ventures)
        self._handlers: dict[str, Handler] = {}
        standing = StandingInfo(venue, self.account)
        for room in (self.market, self.account, self.history, standing, self.ventures, self.whole):
            self._handlers |= room.handlers()

    @property
    def types(self) -> frozenset[str]:
        """Request types that are answered."""
        return frozenset(self._handlers)

    def answer(self, body: Any) -> Any:
        """Answer one request.

        Raises:
            BadRequestError: not an object, an unknown type, or fields that don't fit; the venue answers 422.
        """
        if not isinstance(body, dict):
            raise BadRequestError
        kind = body.get("type")
        handler = self._handlers.get(kind) if isinstance(kind, str) else None
        if handler is None:
            raise BadRequestError
        return handler(body)


__all__ = ["BadRequestError", "Info"]
