"""All plays of a venue, started, listed and stopped through the control door."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any

import msgspec

from hlfast.sim.leaders import LeaderTape
from hlfast.sim.life.candles import read_candles
from hlfast.sim.life.capture import read_capture
from hlfast.sim.life.cues import Cue, Cues, SourceError
from hlfast.sim.life.fills import read_fills
from hlfast.sim.life.packaged import packaged_capture, packaged_fills
from hlfast.sim.life.play import FULL_SPEED, CallLater, Play, RunBlock
from hlfast.sim.life.stage import Stage
from hlfast.sim.life.walk import Walk, walk
from hlfast.sim.numbers import SCALE, try_parse
from hlfast.sim.trading import Trading
from hlfast.sim.universe import Asset
from hlfast.sim.venue import Venue

MOST_PLAYS = 64
MOST_SPEED = 10_000  # times as fast as recorded
DEFAULT_COINS = ("BTC", "ETH", "SOL", "HYPE", "xyz:CL")


class Plays:
    """Plays by name; ended ones stay listed until as many newer ones came."""

    def __init__(
        self,
        venue: Venue,
        trading: Trading,
        tape: LeaderTape,
        run_block: RunBlock,
        call_later: CallLater,
    ) -> None:
        self._venue = venue
        self._tape = tape
        self._run_block = run_block
        self._call_later = call_later
        self._stage = Stage(venue, trading, tape)
        self._plays: dict[str, tuple[Play, str]] = {}
        self._numbers = 0
        self._sources: dict[str, Callable[[dict[str, Any]], tuple[Iterator[Cues], str]]] = {
            "walk": self._walk,
            "capture": self._capture,
            "candles": self._candles,
            "fills": self._fills,
        }

    @property
    def strangers(self) -> frozenset[str]:
        """Addresses that trade here because a play brought them."""
        return frozenset(self._stage.strangers)

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        """Start a play; answers its name.

        Raises:
            SourceError: an unknown source, or fields that don't fit it.
        """
        terms = {key: value for key, value in request.items() if key != "op"}
        what, speed = terms.pop("what", None), _speed(terms.pop("speed", 1))
        source = self._sources.get(what) if isinstance(what, str) else None
        if source is None:
            raise SourceError(f"what must be one of {', '.join(self._sources)}, not {what!r}")
        if sum(not play.is_done for play, _ in self._plays.values()) >= MOST_PLAYS:
            raise SourceError(f"{MOST_PLAYS} plays are on already; stop one first")
        rounds, about = source(terms)
        if terms:
            raise SourceError(f"{what} knows no {', '.join(map(repr, terms))}")
        self._numbers += 1
        name = f"{what}-{self._numbers}"
        play = Play(self._stage, self._run_block, self._venue.now_ms, self._call_later, rounds, speed=speed)
        self._plays[name] = (play, about)
        for old in list(self._plays)[:-MOST_PLAYS]:
            if self._plays[old][0].is_done:
                del self._plays[old]
        return {"play": name}

    def stop(self, request: dict[str, Any]) -> dict[str, Any]:
        """Stop one play by name, or all of them without one.

        Raises:
            SourceError: no play of this name.
        """
        name = request.get("play")
        if name is not None and name not in self._plays:
            raise SourceError(f"no play {name!r}; known: {', '.join(self._plays) or 'none'}")
        for known, (play, _) in self._plays.items():
            if name in (None, known):
                play.stop()
        return {}

    def listed(self, _request: dict[str, Any]) -> dict[str, Any]:
        """Answer all plays with what happened in them so far."""
        return {
            "plays": [
                {"play": name, "about": about, "done": play.is_done, "counts": dict(play.counts)}
                for name, (play, about) in self._plays.items()
            ]
        }

    def _walk(self, terms: dict[str, Any]) -> tuple[Iterator[Cues], str]:
        assets = self._assets(terms.pop("coins", list(DEFAULT_COINS)))
        known = {name: terms.pop(name) for name in Walk.__struct_fields__ if name in terms}
        try:
            chosen = msgspec.convert(known, Walk)
        except msgspec.ValidationError as error:
            raise SourceError(str(error)) from None
        return iter([walk(chosen, assets)]), f"seed {chosen.seed}, {', '.join(asset.coin for asset in assets)}"

    def _assets(self, coins: Any) -> list[Asset]:
        if not isinstance(coins, list) or not coins:
            raise SourceError(f"coins must be a list of coins, not {coins!r}")
        by_coin = self._venue.universe.by_coin
        for coin in coins:
            if not isinstance(coin, str) or coin not in by_coin:
                raise SourceError(f"coin {coin!r} is not listed here; see /info meta and spotMeta")
        return [by_coin[coin] for coin in coins]

    def _capture(self, terms: dict[str, Any]) -> tuple[Iterator[Cues], str]:
        coins = frozenset(asset.coin for asset in self._assets(terms.pop("coins"))) if "coins" in terms else None
        frames = _rows(terms, "frames", packaged_capture)
        return _rounds(terms, read_capture(frames, self._venue.universe, coins))

    def _candles(self, terms: dict[str, Any]) -> tuple[Iterator[Cues], str]:
        return _rounds(terms, read_candles(_rows(terms, "rows"), self._venue.universe))

    def _fills(self, terms: dict[str, Any]) -> tuple[Iterator[Cues], str]:
        address = str(terms.pop("address", None))
        name, money = terms.pop("recording", None), terms.pop("usdc", None)
        rows = _rows(terms, "rows") if name is None else packaged_fills(str(name))
        cues = read_fills(address, rows, self._tape)
        if money is not None:
            amount = try_parse(str(money))
            if amount is None or amount <= 0:
                raise SourceError(f"usdc must be an amount above zero, not {money!r}")
            account = self._venue.account(address.lower())
            self._run_block(lambda block: self._venue.deposit(account, amount, block))
        rounds, about = _rounds(terms, cues)
        return rounds, f"{address} {about}"


def _rows(terms: dict[str, Any], field: str, default: Callable[[], Sequence[Any]] | None = None) -> Sequence[Any]:
    rows = terms.pop(field, None)
    if rows is None and default is not None:
        return default()
    if not isinstance(rows, list):
        raise SourceError(f"{field} must be a list, not {type(rows).__name__}")
    return rows


def _rounds(terms: dict[str, Any], cues: Sequence[Cue]) -> tuple[Iterator[Cues], str]:
    loop = terms.pop("loop", False)
    if not isinstance(loop, bool):
        raise SourceError(f"loop must be true or false, not {loop!r}")
    about = f"{len(cues)} cues, {cues[-1].at_ms // 1_000} s{', round and round' if loop else ''}"
    rounds = repeat(cues) if loop else iter([cues])
    return (iter(cues_once) for cues_once in rounds), about


def _speed(value: Any) -> int:
    speed = try_parse(str(value)) if not isinstance(value, bool) else None
    thousandths = (speed or 0) * FULL_SPEED // SCALE
    if not 0 < thousandths <= MOST_SPEED * FULL_SPEED:
        raise SourceError(f"speed must be between 0.001 and {MOST_SPEED} times the recorded pace, not {value!r}")
    return thousandths
