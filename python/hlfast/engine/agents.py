"""When agents end: asks the venue now and then, warns ahead, and stops entries before an agent could not close them.

An agent lives for 90 days or what its approval says, at most 180 (venue, 2026-09). One that has ended closes nothing,
so its follower takes no entries from `STOP_MS` before; exits go as long as the venue takes them. The stop is an
ordinary close-only pause of the follower, journalled like an operator's and known by the first words of its reason.
What an operator says counts: a pause of theirs is never lifted here, and a stop that they lift by name stays lifted
for that end, as long as this process lives.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeVar

import msgspec

from hlfast.engine.clock import VenueClock
from hlfast.engine.port import EnginePort
from hlfast.telemetry.logs import minute
from hlfast.venue.accounts import ExtraAgent, Role
from hlfast.venue.shapes import Answer

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_WARN_DAYS: Final = (1, 3, 14)
# The last warning comes a day before: half of it is left to act, half of it for exits.
STOP_MS: Final = 12 * _HOUR_MS
# At most one agent is asked about in so long: 120 weight a minute of 1,200, twice that where agents have no name. A
# round over 1,000 accounts takes less than three hours.
LOOK_MS: Final = 10_000
_RARELY_MS: Final = 6 * _HOUR_MS
# From an hour before the stop on a new approval is found this soon, and where nothing could be read.
_SOON_MS: Final = 30_000
# An agent that ended so long ago is not waited for.
_GIVEN_UP_MS: Final = _DAY_MS
# The status of thousands of accounts takes milliseconds of the loop's time.
_RECHECK_MS: Final = 60_000
_WEIGHT: Final = 20
_ROLE_WEIGHT: Final = 60
_NO_SUCH_QUESTION: Final = 422
WHY: Final = "hlfast: the agent ends "
_LIQUIDATED: Final = "the venue liquidated this account"

T = TypeVar("T")
Read = Callable[[dict[str, Any]], Awaitable[tuple[int, bytes]]]


class _Follower(msgspec.Struct, frozen=True, gc=False):
    name: str
    account: str
    agent: str
    vault: bool = False


class _Settings(msgspec.Struct):
    followers: tuple[_Follower, ...] = ()


class _Pause(msgspec.Struct):
    why: str


class _Row(msgspec.Struct):
    name: str
    removed: bool = False
    pause: _Pause | None = None

    def is_ours(self) -> bool:
        return self.pause is not None and self.pause.why.startswith(WHY)


class _Status(msgspec.Struct):
    followers: tuple[_Row, ...] = ()  # in the places that alerts name


class _Asked(msgspec.Struct):
    do: Literal["pause", "resume"]
    follower: str | None = None
    leader: str | None = None


class _Said(msgspec.Struct):
    ok: bool


class _Unnamed(Answer, frozen=True, kw_only=True):
    """What `webData2` tells of an account's unnamed agent."""

    agent_address: str | None = None
    agent_valid_until: int | None = None


class _Vault(msgspec.Struct):
    leader: str


class _UnreadError(Exception):
    """No answer, no budget for the question, or an answer that can't be understood: nothing was learned."""

    def __init__(self, status: int = 0) -> None:
        super().__init__(status)
        self.status = status


class AgentWatch:
    """Keeps the time of every follower's agent.

    Args:
        engine: for settings, status and the venue budget.
        clock: venue time; nothing is warned of or stopped before the venue has told it.
        read: posts a body to /info; status 0 when no answer came.
        operate: carries out an operator's request and journals it.
        tell: takes (level, code, text) of an alert.
        monotonic_ns: for the pace of questions.
    """

    def __init__(
        self,
        engine: EnginePort,
        clock: VenueClock,
        read: Read,
        operate: Callable[[bytes], bytes],
        tell: Callable[[str, str, str], None],
        monotonic_ns: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._read = read
        self._operate = operate
        self._tell = tell
        self._monotonic_ns = monotonic_ns
        self._followers: tuple[_Follower, ...] = ()
        self._owners: dict[str, str] = {}  # of sub-accounts and vaults; they don't change
        self._ends: dict[str, int | None] = {}  # of agents, venue time; None: never
        self._asked: dict[str, tuple[int, bool]] = {}  # of agents: when, monotonic, and whether it was answered
        self._warned: dict[str, tuple[int, int]] = {}  # of agents: the end, and the days before it
        self._unknown: set[str] = set()  # agents whose end was said to be unknown
        self._overruled: dict[str, int | None] = {}  # of agents: the end that an operator lets pass
        self._near: frozenset[str] = frozenset()
        self._recheck_ms = 0
        self._asking = False

    def adopt(self) -> None:
        """Take the followers from the settings in force; agents that are new among them are asked about next."""
        self._followers = msgspec.json.decode(self._engine.settings()[0], type=_Settings).followers
        agents = {each.agent for each in self._followers}
        for known in (self._ends, self._asked, self._warned, self._overruled):
            for gone in known.keys() - agents:
                del known[gone]
        self._recheck_ms = 0

    def left_s(self) -> dict[str, float]:
        """Seconds until each follower's agent ends, where that is known; below zero when it has ended."""
        now_ms = self._clock.now_ms()
        ends = ((each.name, self._ends.get(each.agent)) for each in self._followers)
        return {name: (end - now_ms) / 1000 for name, end in ends if end is not None}

    async def look(self) -> None:
        """Ask about the one agent whose turn it is, then do what the time asks for. Called every `LOOK_MS`."""
        if self._asking:
            return
        self._asking = True
        try:
            await self._ask_next()
        finally:
            self._asking = False
        self._judge()

    def operate(self, request: bytes) -> bytes:
        """Carry out an operator's pause or resume, and keep whose the pause is from then on.

        Raises:
            HlfastError: as from the core.
        """
        before = self._ours_of(request)
        answer = self._operate(request)
        if before is None:
            self._recheck_ms = 0
            self._judge()  # what was resumed may have an agent that ends
            return answer
        asked, follower = before
        if asked.do == "resume":
            if self._row_of(follower.name) is None:
                self._overruled[follower.agent] = self._ends.get(follower.agent)
        elif msgspec.json.decode(answer, type=_Said).ok and self._row_of(follower.name) is not None:
            # The core had nothing to change. Without this the pause would still be ours to lift.
            self._resume(follower.name)
            answer = self._operate(request)
        return answer

    def on_alert(self, code: object, follower: object) -> None:
        """Take note of what the core paused itself: it does not replace a pause, and ours would be lifted some day."""
        if code == "follower_liquidated" and isinstance(follower, int):
            for row in self._rows()[follower : follower + 1]:
                if row.is_ours():
                    self._resume(row.name)
                    self._pause(row.name, _LIQUIDATED)

    async def _ask_next(self) -> None:
        now_ms = self._monotonic_ns() // 1_000_000
        waiting = ((self._due_ms(each.agent), at) for at, each in enumerate(self._followers))
        due_ms, at = min(waiting, default=(now_ms + 1, 0))
        if due_ms > now_ms:
            return
        follower = self._followers[at]
        try:
            await self._learn(follower)
            self._asked[follower.agent] = (now_ms, True)
        except _UnreadError:
            self._asked[follower.agent] = (now_ms, False)

    def _due_ms(self, agent: str) -> int:
        """When the agent is to be asked about, monotonic."""
        if agent not in self._asked:
            return 0
        asked_ms, was_answered = self._asked[agent]
        end = self._ends.get(agent)
        is_awaited = end is not None and -_GIVEN_UP_MS < end - self._clock.now_ms() < STOP_MS + _HOUR_MS
        return asked_ms + (_SOON_MS if is_awaited or not was_answered else _RARELY_MS)

    async def _learn(self, follower: _Follower) -> None:
        owner = await self._owner(follower) if follower.vault else follower.account
        agent = follower.agent
        named = await self._ask(tuple[ExtraAgent, ...], _WEIGHT, type="extraAgents", user=owner)
        found = [each.valid_until for each in named if each.address.lower() == agent.lower()]
        if found or (found := await self._unnamed(owner, agent)):
            self._unknown.discard(agent)
            if agent not in self._ends or self._ends[agent] != found[0]:
                self._ends[agent] = found[0]
                self._recheck_ms = 0
        elif agent not in self._ends and agent not in self._unknown:
            # One that was there once keeps its end: it was removed or has ended, and no entry is the better for it.
            self._unknown.add(agent)
            text = (
                f"When the agent of {follower.name} ends is not known: {agent} is no named agent of {owner}. "
                "Nothing will warn of its end: see hlfast check, or approve an agent with a name."
            )
            self._tell("warning", "agent_end_unknown", text)

    async def _unnamed(self, owner: str, agent: str) -> list[int | None]:
        """The end of an agent that was approved without a name, if it is that."""
        try:
            unnamed = await self._ask(_Unnamed, _WEIGHT, type="webData2", user=owner)
        except _UnreadError as error:
            if error.status != _NO_SUCH_QUESTION:
                raise
            return []
        return [unnamed.agent_valid_until] if (unnamed.agent_address or "").lower() == agent.lower() else []

    async def _owner(self, follower: _Follower) -> str:
        """Who approves the agents of a sub-account or a vault."""
        account = follower.account
        if account not in self._owners:
            role = await self._ask(Role, _ROLE_WEIGHT, type="userRole", user=account)
            if role.role == "vault":
                vault = await self._ask(_Vault, _WEIGHT, type="vaultDetails", vaultAddress=account)
                self._owners[account] = vault.leader.lower()
            elif role.data is not None and role.data.master is not None:
                self._owners[account] = role.data.master.lower()
            else:
                raise _UnreadError
        return self._owners[account]

    async def _ask(self, shape: type[T], weight: int, **body: str) -> T:
        if not self._engine.reserve_weight(weight, self._clock.now_ms()):
            raise _UnreadError
        status, answer = await self._read(body)
        if status != 200:
            raise _UnreadError(status)
        try:
            return msgspec.json.decode(answer, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _UnreadError from error

    def _judge(self) -> None:
        if not self._clock.known:
            return
        now_ms = self._clock.now_ms()
        near = set()
        for each in self._followers:
            end = self._ends.get(each.agent)
            if end is not None:
                self._warn(each, end, now_ms)
                if end - now_ms < STOP_MS:
                    near.add(each.name)
        monotonic_ms = self._monotonic_ns() // 1_000_000
        if near != self._near or self._recheck_ms == 0 or (near and monotonic_ms >= self._recheck_ms):
            self._near, self._recheck_ms = frozenset(near), monotonic_ms + _RECHECK_MS
            self._hold(near)

    def _hold(self, near: set[str]) -> None:
        """Pause whom the end is near, and lift what was paused here where it is not any more."""
        rows = {row.name: row for row in self._rows() if not row.removed}
        for each in self._followers:
            row = rows.get(each.name)
            if row is None or each.agent not in self._ends:
                continue
            end = self._ends[each.agent]
            if each.name not in near:
                if row.is_ours():
                    self._resume(each.name)
            elif row.pause is None and end is not None and self._overruled.get(each.agent) != end:
                self._pause(each.name, WHY + minute(end))

    def _warn(self, follower: _Follower, end: int, now_ms: int) -> None:
        left_ms = end - now_ms
        days = next((days for days in _WARN_DAYS if left_ms <= days * _DAY_MS), None)
        if days is None or self._warned.get(follower.agent) == (end, days):
            return
        self._warned[follower.agent] = (end, days)
        hours = left_ms // _HOUR_MS
        left = "has ended" if hours < 0 else f"ends in {hours // 24} days" if hours >= 48 else f"ends in {hours} hours"
        text = (
            f"The agent of {follower.name} {left}, {minute(end)}: approve a new one. "
            f"Entries stop {STOP_MS // _HOUR_MS} hours before its end, and nothing can be closed after it."
        )
        self._tell("critical" if days == 1 else "warning", "agent_ends", text)

    def _ours_of(self, request: bytes) -> tuple[_Asked, _Follower] | None:
        """Whom a request names, if its pause is ours."""
        try:
            asked = msgspec.json.decode(request, type=_Asked)
        except msgspec.DecodeError:
            return None  # the core says what is wrong
        if asked.follower is None or asked.leader is not None:
            return None
        name = asked.follower.lower()
        found = [each for each in self._followers if name in {each.name.lower(), each.account}]
        return (asked, found[0]) if found and self._row_of(found[0].name) is not None else None

    def _row_of(self, name: str) -> _Row | None:
        """The follower in the core's status, if its pause is ours."""
        return next((row for row in self._rows() if row.name == name and not row.removed and row.is_ours()), None)

    def _rows(self) -> tuple[_Row, ...]:
        return msgspec.json.decode(self._engine.status(), type=_Status).followers

    def _pause(self, name: str, why: str) -> None:
        self._operate(msgspec.json.encode({"do": "pause", "follower": name, "kind": "close_only", "why": why}))

    def _resume(self, name: str) -> None:
        self._operate(msgspec.json.encode({"do": "resume", "follower": name}))
