"""The search for traders worth copying: candidates, a cheap look, an analysis, a grade, a row in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import chain, islice

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from hlfast.config.model import Discovery
from hlfast.errors import HlfastError, NoAnswerError, RateLimitedError
from hlfast.research import leaderboard, listening
from hlfast.research.analysis import analyse
from hlfast.research.candidates import Candidate, Source, from_leaderboard, from_tape, in_turns
from hlfast.research.copyable import Copyable, capital_of, copyable_of
from hlfast.research.figures import Analysis, Figures
from hlfast.research.from_venue import fetch
from hlfast.research.grade import Graded, grade
from hlfast.research.listening import Heard, listen
from hlfast.research.tape import Tape
from hlfast.research.whatif.markets import markets_now
from hlfast.research.whatif.model import Market
from hlfast.research.whatif.sizes import copies_of
from hlfast.store.traders import Trader, builtins_of, known_traders, save_trader
from hlfast.venue.accounts import PortfolioWindow
from hlfast.venue.info import Info

# Of the kept addresses, as many are looked at as could pass the cheap filter for a whole search.
_HITTERS = 5_000
# So many questions without an answer in a row: the venue is away, and asking on only spends time.
_MOST_SILENCE = 3
# Judged well before, so somebody may follow him: he comes before new ones when his time is up.
_WATCHED_GRADES = ("A", "B", "C")


class Judged(Figures, frozen=True):
    """One trader, looked at now."""

    address: str
    source: Source
    why: str
    made_ms: int
    graded: Graded
    kept: Copyable
    follower_usd: Decimal
    trips: int
    days: float
    net_usd: Decimal
    max_drawdown: float | None
    maker_share: float | None


class Searched(Figures, frozen=True):
    """What a search did. `failed` and `dismissed` are (address, why)."""

    heard: Heard | None
    leaderboard_rows: int
    leaderboard_bad: int
    fresh: int  # known addresses whose results are not old yet
    judged: tuple[Judged, ...]
    dismissed: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]  # sources that could not be used


class Search:
    """Searches again and again over one store.

    Args:
        info: the venue, within a budget of its own.
        database: of `store.opened`.
        settings: what to look for.
        base_url: the venue's, for its leaderboard.
        ws_url: the venue's WebSocket, for its public trades.
        clock_ms: Unix milliseconds.
        tell: gets one line for each step that takes long.
    """

    def __init__(
        self,
        info: Info,
        database: AsyncEngine,
        settings: Discovery,
        *,
        base_url: str,
        ws_url: str,
        clock_ms: Callable[[], int],
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._info = info
        self._database = database
        self._settings = settings
        self._board_at = leaderboard.place_of(settings.leaderboard, base_url)
        self._ws_url = ws_url
        self._clock_ms = clock_ms
        self._tell = tell
        self._markets: dict[str, Market] | None = None  # of this process's first judgement

    async def run(self) -> Searched:
        """Search once. Each trader is in the store as soon as he is judged, so nothing is lost when it ends early.

        Raises:
            NoAnswerError: the venue answered nothing for three traders in a row.
            StoreError, and what the database raises.
        """
        notes: list[str] = []
        heard, hitters = await self._hear(notes)
        board = await self._read_board(notes)
        async with self._database.connect() as connection:
            known = await known_traders(connection)
        oldest = self._clock_ms() - self._settings.refresh_s * 1000
        fresh = [trader.address for trader in known.values() if (trader.refreshed_ms or 0) > oldest]
        found = in_turns(hitters, from_leaderboard(board.rows, self._least_equity(), self._clock_ms()), without=fresh)
        queue = in_turns(chain(_watched_again(known.values(), oldest), found))
        judged, dismissed, failed = await self._judge_all(islice(queue, self._settings.most))
        return Searched(
            heard=heard,
            leaderboard_rows=len(board.rows),
            leaderboard_bad=board.bad,
            fresh=len(fresh),
            judged=tuple(sorted(judged, key=lambda one: (-one.graded.score, one.address))),
            dismissed=tuple(dismissed),
            failed=tuple(failed),
            notes=tuple(notes),
        )

    def _least_equity(self) -> Decimal:
        return Decimal(self._settings.least_equity_usd)

    async def _hear(self, notes: list[str]) -> tuple[Heard | None, Iterator[Candidate]]:
        if not self._settings.tape_s:
            return None, iter(())
        coins = self._settings.coins or await listening.busiest(self._info)
        self._tell(f"listening to the trades of {len(coins)} coins for {self._settings.tape_s} s")
        tape = Tape()
        heard = await listen(self._ws_url, coins, self._settings.tape_s, tape)
        if not heard.connected:
            notes.append(f"the tape at {self._ws_url} could not be opened")
        elif heard.interruptions:
            notes.append(f"the tape was interrupted {heard.interruptions} times: trades in between are missing")
        return heard, from_tape(tape.heaviest(_HITTERS))

    async def _read_board(self, notes: list[str]) -> leaderboard.Leaderboard:
        if self._board_at is None:
            return leaderboard.Leaderboard(rows=())
        self._tell(f"reading the leaderboard at {self._board_at}")
        try:
            return await leaderboard.read(self._board_at)
        except leaderboard.LeaderboardError as error:
            notes.append(str(error))
            return leaderboard.Leaderboard(rows=())

    async def _judge_all(
        self, queue: Iterator[Candidate]
    ) -> tuple[list[Judged], list[tuple[str, str]], list[tuple[str, str]]]:
        judged: list[Judged] = []
        dismissed: list[tuple[str, str]] = []
        failed: list[tuple[str, str]] = []
        silence = 0
        for candidate in queue:
            self._tell(f"{candidate.address}: {candidate.why}")
            try:
                found = await self._judge(candidate)
            except (NoAnswerError, RateLimitedError) as error:
                failed.append((candidate.address, str(error)))
                silence += 1
                if silence == _MOST_SILENCE:
                    raise NoAnswerError(f"the venue left {silence} traders in a row unanswered: {error}") from error
                continue
            except HlfastError as error:
                failed.append((candidate.address, str(error)))
                continue
            silence = 0
            if isinstance(found, Judged):
                judged.append(found)
            else:
                dismissed.append((candidate.address, found))
        return judged, dismissed, failed

    async def _judge(self, candidate: Candidate) -> Judged | str:
        """Return the judgement, or why there is none; either is in the store then."""
        windows = await self._info.portfolio(candidate.address)
        why_not = cheap_look(windows, self._least_equity())
        if why_not is not None:
            return await self._dismiss(candidate, why_not)
        history, beside = await fetch(self._info, candidate.address, windows)
        if not history.fills.height:
            return await self._dismiss(candidate, "the venue knows no fills of him")
        if self._markets is None:
            self._markets = await markets_now(self._info)
        one, follower_usd = analyse(history, beside), Decimal(self._settings.capital_usd)
        copies = copies_of(history, capital_of(one), [follower_usd], self._markets)
        one = msgspec.structs.replace(one, copies=copies)
        made = judge(candidate, one, follower_usd, self._clock_ms())
        await self._save(candidate, made, one)
        return made

    async def _dismiss(self, candidate: Candidate, why_not: str) -> str:
        trader = _trader(candidate, self._clock_ms(), dismissed=why_not)
        async with self._database.begin() as connection:
            await save_trader(connection, trader, None)
        return why_not

    async def _save(self, candidate: Candidate, made: Judged, one: Analysis) -> None:
        trader = _trader(candidate, made.made_ms)
        trader = msgspec.structs.replace(
            trader, grade=made.graded.grade, score=made.graded.score, judgement=builtins_of(made)
        )
        async with self._database.begin() as connection:
            await save_trader(connection, trader, builtins_of(one))


def _trader(candidate: Candidate, now_ms: int, dismissed: str | None = None) -> Trader:
    return Trader(
        address=candidate.address,
        source=candidate.source,
        why=candidate.why,
        first_seen_ms=now_ms,
        last_seen_ms=candidate.last_seen_ms,
        refreshed_ms=now_ms,
        dismissed=dismissed,
    )


def _watched_again(known: Iterable[Trader], oldest_ms: int) -> Iterator[Candidate]:
    """Traders whom somebody may follow and whose results are too old, the oldest first."""
    due = [trader for trader in known if trader.grade in _WATCHED_GRADES and (trader.refreshed_ms or 0) <= oldest_ms]
    for trader in sorted(due, key=lambda trader: (trader.refreshed_ms or 0, trader.address)):
        yield Candidate(
            address=trader.address,
            source=msgspec.convert(trader.source, Source),
            why=trader.why,
            last_seen_ms=trader.last_seen_ms,
        )


def cheap_look(windows: Mapping[str, PortfolioWindow], least_equity: Decimal) -> str | None:
    """Say why a trader is not worth an analysis, from his portfolio alone (20 weight instead of up to 800)."""
    month, ever = windows.get("month"), windows.get("allTime")
    if month is None or ever is None or not month.account_value_history:
        return "the venue shows no portfolio of him"
    equity = month.account_value_history[-1][1]
    if equity < least_equity:
        return f"equity of {equity:,.0f} USD is below {least_equity:,} USD"
    for window, name in ((month, "this month"), (ever, "in all")):
        profit = window.pnl_history[-1][1] if window.pnl_history else Decimal(0)
        if profit <= 0:
            return f"made {profit:,.0f} USD {name}"
    return None


def judge(candidate: Candidate, one: Analysis, follower_usd: Decimal, now_ms: int) -> Judged:
    """Grade a trader for a follower of this size."""
    kept = copyable_of(one, follower_usd)
    return Judged(
        address=candidate.address,
        source=candidate.source,
        why=candidate.why,
        made_ms=now_ms,
        graded=grade(one, kept, now_ms),
        kept=kept,
        follower_usd=follower_usd,
        trips=one.trades.closed,
        days=one.days,
        net_usd=one.money.net_usd,
        max_drawdown=one.risk.max_drawdown,
        maker_share=one.maker_share,
    )
