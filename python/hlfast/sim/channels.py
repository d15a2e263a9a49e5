"""Subscriptions: what a client may ask for, how the venue spells it back, and the first frame of each channel."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from typing import Any

import orjson

from hlfast.sim.accounts import Account
from hlfast.sim.info import Info
from hlfast.sim.info.market import INTERVAL_MS
from hlfast.sim.info.request import BadRequestError, read_text, read_user
from hlfast.sim.venue import Venue

Data = Any
FAST_LEVELS = 5


class UnknownCoinError(Exception):
    """The venue says nothing and closes the socket."""


class UnreadableError(Exception):
    """The venue answers on the error channel that it couldn't parse the request."""


class InvalidError(Exception):
    """The venue answers `Invalid subscription` with the subscription as it was sent."""


def read_subscription(sent: Any, venue: Venue) -> dict[str, Any]:
    """Return a subscription in the venue's own spelling, defaults filled in.

    Raises:
        UnreadableError: unknown type or misfit fields.
        InvalidError: a subscription that isn't offered.
        UnknownCoinError: a coin that isn't listed, or a book precision that isn't offered.
    """
    if not isinstance(sent, dict) or not isinstance(sent.get("type"), str):
        raise UnreadableError
    reader = _READERS.get(sent["type"])
    if reader is None:
        raise UnreadableError
    try:
        fields: dict[str, Any] = reader(sent, venue)
    except BadRequestError:
        raise UnreadableError from None
    return {"type": sent["type"], **fields}


def _coin(sent: dict[str, Any], venue: Venue) -> dict[str, Any]:
    coin = read_text(sent, "coin")
    if coin not in venue.universe.by_coin:
        raise UnknownCoinError
    return {"coin": coin}


def _l2_book(sent: dict[str, Any], venue: Venue) -> dict[str, Any]:
    fields = _coin(sent, venue)
    figures, mantissa = sent.get("nSigFigs"), sent.get("mantissa")
    if not all(value is None or type(value) is int for value in (figures, mantissa)):
        raise UnreadableError
    if figures not in (None, 2, 3, 4, 5) or mantissa not in (None, 2, 5) or (mantissa and figures != 5):
        raise UnknownCoinError
    return fields | {"nSigFigs": figures, "mantissa": mantissa, "fast": bool(sent.get("fast", False))}


def _candle(sent: dict[str, Any], venue: Venue) -> dict[str, Any]:
    interval = read_text(sent, "interval")
    if interval not in INTERVAL_MS:
        raise UnknownCoinError
    return _coin(sent, venue) | {"interval": interval}


def _user(sent: dict[str, Any], _venue: Venue) -> dict[str, Any]:
    return {"user": read_user(sent)}


def _user_fills(sent: dict[str, Any], _venue: Venue) -> dict[str, Any]:
    return {"user": read_user(sent), "aggregateByTime": bool(sent.get("aggregateByTime", False))}


def _user_coin(sent: dict[str, Any], venue: Venue) -> dict[str, Any]:
    return {"user": read_user(sent)} | _coin(sent, venue)


def _dex(sent: dict[str, Any], venue: Venue) -> dict[str, Any]:
    dex = read_text(sent, "dex", "")
    if dex not in venue.universe.meta:
        raise UnknownCoinError
    return {"dex": dex} if dex else {}


def _user_dex(sent: dict[str, Any], venue: Venue) -> dict[str, Any]:
    return {"user": read_user(sent), "dex": _dex(sent, venue).get("dex", "")}


def _user_perp(sent: dict[str, Any], venue: Venue) -> dict[str, Any]:
    fields = _user_coin(sent, venue)
    if venue.universe.by_coin[fields["coin"]].is_spot:
        raise InvalidError
    return fields


def _spot_state(sent: dict[str, Any], _venue: Venue) -> dict[str, Any]:
    return {"user": read_user(sent), "ignorePortfolioMargin": bool(sent.get("ignorePortfolioMargin", False))}


def _web_data_2(sent: dict[str, Any], venue: Venue) -> dict[str, Any]:
    if venue.settings.web_data2 == "refuse":
        raise UnreadableError
    return {"user": read_user(sent)}


def packed(contexts: dict[str, dict[str, str]]) -> str:
    """Return contexts as `fastAssetCtxs` carries them: base64 of raw DEFLATE of JSON."""
    deflate = zlib.compressobj(wbits=-15)
    return base64.b64encode(deflate.compress(orjson.dumps(contexts)) + deflate.flush()).decode()


def _nothing(_sent: dict[str, Any], _venue: Venue) -> dict[str, Any]:
    return {}


_READERS: dict[str, Callable[[dict[str, Any], Venue], dict[str, Any]]] = {
    "trades": _coin,
    "bbo": _coin,
    "l2Book": _l2_book,
    "activeAssetCtx": _coin,
    "candle": _candle,
    "allMids": _dex,
    "userFills": _user_fills,
    "userEvents": _user,
    "orderUpdates": _user,
    "userFundings": _user,
    "userNonFundingLedgerUpdates": _user,
    "userHistoricalOrders": _user,
    "userTwapSliceFills": _user,
    "userTwapHistory": _user,
    "notification": _user,
    "webData3": _user,
    "spotState": _spot_state,
    "activeAssetData": _user_perp,
    "webData2": _web_data_2,
    "assetCtxs": _dex,
    "spotAssetCtxs": _nothing,
    "allDexsAssetCtxs": _nothing,
    "fastAssetCtxs": _nothing,
    "clearinghouseState": _user_dex,
    "openOrders": _user_dex,
    "allDexsClearinghouseState": _user,
    "twapStates": _user_dex,
    "outcomeMetaUpdates": _nothing,
}


class Snapshots:
    """First frames and full re-pushes of channels that carry state."""

    def __init__(self, venue: Venue, info: Info) -> None:
        self._venue = venue
        self._info = info

    def state(self, sub: dict[str, Any]) -> tuple[str, Data] | None:
        """Return (channel, data) of a channel whose every frame is the whole state; None for the others."""
        kind = sub["type"]
        if "user" in sub:
            return self._user_state(kind, sub, self._info.account.find(sub["user"]))
        if "coin" in sub:
            return self._coin_state(kind, sub)
        market, dex = self._info.market, sub.get("dex", "")
        named: dict[str, Any] = {"dex": dex} if dex else {}
        makers: dict[str, Callable[[], Data]] = {
            "allMids": lambda: named | {"mids": market.mids(dex)},
            "assetCtxs": lambda: {
                "dex": dex,
                "ctxs": [market.context(asset) for asset in self._venue.universe.by_dex[dex]],
            },
            "spotAssetCtxs": lambda: [market.spot_context(asset) for asset in self._venue.universe.by_dex["spot"]],
            "allDexsAssetCtxs": lambda: {"ctxs": market.all_contexts()},
            "fastAssetCtxs": lambda: packed(market.fast_contexts()),
        }
        make = makers.get(kind)
        return None if make is None else (kind, make())

    def _coin_state(self, kind: str, sub: dict[str, Any]) -> tuple[str, Data] | None:
        asset = self._venue.universe.by_coin[sub["coin"]]
        now = self._venue.time_ms()
        market = self._info.market
        if kind == "activeAssetCtx" and asset.is_spot:
            return "activeSpotAssetCtx", {"coin": asset.coin, "ctx": market.spot_context(asset)}
        makers: dict[str, Callable[[], Data]] = {
            "bbo": lambda: market.bbo(asset, now),
            "l2Book": lambda: self.l2(sub, now),
            "activeAssetCtx": lambda: {"coin": asset.coin, "ctx": market.context(asset)},
            "candle": lambda: market.candle(asset, sub["interval"], market.candle_start(now, sub["interval"])),
        }
        make = makers.get(kind)
        return None if make is None else (kind, make())

    def l2(self, sub: dict[str, Any], time_ms: int) -> dict[str, Any]:
        """Return a book frame's data for one subscription."""
        asset = self._venue.universe.by_coin[sub["coin"]]
        if not sub["fast"]:
            figures, mantissa = sub["nSigFigs"], sub["mantissa"] or 1
            return self._info.market.l2(asset, time_ms, figures=figures, mantissa=mantissa)
        return self._info.market.l2(asset, time_ms, levels=FAST_LEVELS) | {"fast": True}

    def _user_state(self, kind: str, sub: dict[str, Any], account: Account) -> tuple[str, Data] | None:
        reader = self._info.account
        user, dex = account.address, sub.get("dex", "")
        universe = self._venue.universe
        makers: dict[str, Callable[[], Data]] = {
            "webData3": lambda: reader.web_data(account),
            "clearinghouseState": lambda: {
                "dex": dex,
                "user": user,
                "clearinghouseState": reader.state(account, dex),
            },
            "openOrders": lambda: {"dex": dex, "user": user, "orders": reader.frontend_orders(account, dex)},
            "twapStates": lambda: {"dex": dex, "user": user, "states": reader.twap_states(account, dex)},
            "webData2": lambda: self._info.whole.page(account),
            "spotState": lambda: {"user": user, "spotState": reader.spot_state(account)},
            "activeAssetData": lambda: reader.active_asset(account, universe.by_coin[sub["coin"]]),
            "allDexsClearinghouseState": lambda: {
                "user": user,
                "clearinghouseStates": [[name, reader.state(account, name)] for name in universe.dex_names],
            },
        }
        make = makers.get(kind)
        return None if make is None else (kind, make())

    def first(self, sub: dict[str, Any]) -> tuple[str, Data] | None:
        """Return (channel, data) of the frame after the acknowledgement, None where the channel has none."""
        state = self.state(sub)
        if state is not None:
            return state
        kind = sub["type"]
        if kind == "trades":
            return kind, list(self._venue.recent_trades.get(sub["coin"], ()))
        rows = self._rows(kind, sub)
        if rows is None:
            return None
        name, values = rows
        return kind, {"isSnapshot": True, "user": sub["user"], name: values}

    def _rows(self, kind: str, sub: dict[str, Any]) -> tuple[str, Data] | None:
        if "user" not in sub:
            return None
        history = self._info.history
        account = self._info.account.find(sub["user"])
        makers: dict[str, tuple[str, Callable[[], Data]]] = {
            "userFills": ("fills", lambda: history.latest_fills(account, aggregate=sub["aggregateByTime"])),
            "userFundings": (
                "fundings",
                lambda: [{"time": row["time"], **row["delta"]} for row in account.fundings],
            ),
            "userNonFundingLedgerUpdates": ("nonFundingLedgerUpdates", lambda: account.ledger),
            "userHistoricalOrders": ("orderHistory", lambda: history.order_history(account)),
            "userTwapSliceFills": ("twapSliceFills", lambda: list(reversed(account.twap_slices))),
            "userTwapHistory": ("history", lambda: list(reversed(account.twap_history))),
        }
        named = makers.get(kind)
        return None if named is None else (named[0], named[1]())
