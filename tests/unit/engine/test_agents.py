"""The clock of agents' ends in virtual time, beside a double of the core that keeps pauses as the core does."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise

import pytest

from hlfast.engine.agents import LOOK_MS, STOP_MS, WHY, AgentWatch
from hlfast.engine.clock import VenueClock

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_800_000_000_000
ACCOUNT = "0x" + "ac" * 20
AGENT = "0x" + "a9" * 20
OWNER = "0x" + "0e" * 20


class Core:
    def __init__(self, *, vault: bool) -> None:
        self.followers = [{"name": "main", "account": ACCOUNT, "agent": AGENT, "vault": vault}]
        self.pauses: dict[str, dict] = {}
        self.has_budget = True
        self.reserved: list[int] = []
        self.looks = 0

    def settings(self) -> tuple[bytes, int]:
        return json.dumps({"followers": self.followers}).encode(), 0

    def status(self) -> bytes:
        self.looks += 1
        rows = [{"name": each["name"], "pause": self.pauses.get(each["name"])} for each in self.followers]
        return json.dumps({"ready": True, "followers": rows}).encode()

    def reserve_weight(self, weight: int, now_ms: int) -> bool:
        assert now_ms >= START_MS
        self.reserved.append(weight)
        return self.has_budget

    def operate(self, request: bytes) -> bytes:
        asked = json.loads(request)
        name = next((each["name"] for each in self.followers if asked.get("follower") in each.values()), None)
        if name is None:
            return b'{"ok":false}'
        if asked["do"] == "resume":
            return json.dumps({"ok": self.pauses.pop(name, None) is not None}).encode()
        kind = asked.get("kind", "close_only")
        if self.pauses.get(name, {}).get("kind") != kind:
            self.pauses[name] = {"kind": kind, "since_ms": 0, "why": asked.get("why", "")}
        return b'{"ok":true}'


class World:
    """One follower; the venue's answers by the question's type; time passes in looks."""

    def __init__(self, *, vault: bool = False) -> None:
        self.now_ms = 0
        self.core = Core(vault=vault)
        self.answers: dict[str, object] = {"extraAgents": [], "webData2": {}}
        self.asked: list[tuple[int, dict]] = []
        self.told: list[tuple[str, str, str]] = []
        self.start()

    def start(self) -> None:
        """As a process does: the pauses are in the journal, everything else is forgotten."""
        self.clock = VenueClock(self.monotonic_ns, lambda: 0)
        self.clock.observe(self.monotonic_ns(), self.monotonic_ns(), START_MS + self.now_ms)
        self.watch = AgentWatch(
            self.core,
            self.clock,
            self.read,
            self.core.operate,
            lambda *alert: self.told.append(alert),
            self.monotonic_ns,
        )
        self.watch.adopt()

    def monotonic_ns(self) -> int:
        return self.now_ms * 1_000_000

    async def read(self, body: dict) -> tuple[int, bytes]:
        self.asked.append((self.now_ms, body))
        answer = self.answers[body["type"]]
        return (answer, b"") if isinstance(answer, int) else (200, json.dumps(answer).encode())

    def approve(self, left_ms: int | None, agent: str = AGENT) -> None:
        end = None if left_ms is None else START_MS + self.now_ms + left_ms
        self.answers["extraAgents"] = [{"address": agent, "name": "hl", "validUntil": end}]

    def pass_ms(self, ms: int, step_ms: int = LOOK_MS) -> None:
        end_ms = self.now_ms + ms
        asyncio.run(self.watch.look())
        while self.now_ms < end_ms:
            self.now_ms = min(self.now_ms + step_ms, end_ms)
            asyncio.run(self.watch.look())

    def operator(self, do: str, **fields: object) -> dict:
        return json.loads(self.watch.operate(json.dumps({"do": do, "follower": "main", **fields}).encode()))

    def why(self) -> str | None:
        return self.core.pauses["main"]["why"] if self.core.pauses else None

    def is_stopped(self) -> bool:
        return (self.why() or "").startswith(WHY)


def test_agents_are_warned_of_once_per_threshold_and_stopped_before_the_end() -> None:
    world = World()
    world.approve(20 * DAY_MS)
    seen = []
    for _ in range(20 * 24 - 12):
        world.pass_ms(HOUR_MS, HOUR_MS)
        seen += [(world.now_ms, level) for level, _, _ in world.told[len(seen) :]]
        assert not world.is_stopped() or world.now_ms == 20 * DAY_MS - STOP_MS
    assert seen == [(6 * DAY_MS, "warning"), (17 * DAY_MS, "warning"), (19 * DAY_MS, "critical")]
    assert {code for _, code, _ in world.told} == {"agent_ends"}
    assert "main ends in 14 days, 2027-02-04 08:00 UTC: approve a new one" in world.told[0][2]
    world.pass_ms(LOOK_MS)
    assert world.core.pauses == {
        "main": {"kind": "close_only", "since_ms": 0, "why": "hlfast: the agent ends 2027-02-04 08:00 UTC"}
    }
    world.pass_ms(2 * DAY_MS, HOUR_MS)
    assert world.is_stopped(), "after its end too"
    assert len(world.told) == 3


def test_agents_that_end_soon_are_warned_of_once_at_the_start() -> None:
    world = World()
    world.approve(2 * DAY_MS)
    world.pass_ms(10 * HOUR_MS)
    assert [(level, text.partition(",")[0]) for level, _, text in world.told] == [
        ("warning", "The agent of main ends in 2 days")
    ]


def test_agents_approved_again_lift_the_stop_and_silence_the_warnings() -> None:
    world = World()
    world.approve(STOP_MS - HOUR_MS)
    world.pass_ms(LOOK_MS)
    assert world.is_stopped()
    assert len(world.told) == 1
    world.approve(90 * DAY_MS)
    world.pass_ms(40_000)
    assert world.why() is None
    world.pass_ms(70 * DAY_MS, HOUR_MS)
    assert len(world.told) == 1
    assert world.watch.left_s()["main"] == pytest.approx(20 * 86_400, abs=60)
    world.pass_ms(7 * DAY_MS, HOUR_MS)
    assert len(world.told) == 2, "the new end is warned of by itself"


def test_agents_approved_again_before_the_stop_are_never_stopped() -> None:
    world = World()
    world.approve(STOP_MS + 7 * HOUR_MS)
    world.pass_ms(6 * HOUR_MS + LOOK_MS)
    world.approve(90 * DAY_MS)
    world.pass_ms(60_000)
    assert world.watch.left_s()["main"] > 89 * 86_400, "asked again before it stops anything"
    world.pass_ms(2 * HOUR_MS)
    assert world.why() is None


@pytest.mark.parametrize("end_ms", [-(10**18), 0, 10**18])
def test_agents_with_an_absurd_end_are_judged_by_it(end_ms: int) -> None:
    world = World()
    world.approve(end_ms - START_MS)
    world.pass_ms(LOOK_MS)
    assert world.is_stopped() is (end_ms <= 0)
    assert world.watch.left_s().keys() == {"main"}


def test_agents_without_an_end_are_not_warned_of() -> None:
    world = World()
    world.approve(HOUR_MS)
    world.pass_ms(LOOK_MS)
    world.approve(None)
    world.pass_ms(DAY_MS)
    assert (world.why(), world.watch.left_s(), len(world.told)) == (None, {}, 1)


@pytest.mark.parametrize("answer", [0, 429, 500, "nonsense", {"agents": []}, [{"address": AGENT}], [{"name": 1}]])
def test_agents_that_can_not_be_read_change_nothing(answer: object) -> None:
    world = World()
    world.approve(STOP_MS + 30_000)
    world.pass_ms(LOOK_MS)
    world.answers["extraAgents"] = answer
    world.answers["webData2"] = 0
    world.pass_ms(DAY_MS, 30_000)
    assert world.is_stopped(), "by what was known"
    world.start()
    world.pass_ms(DAY_MS, 30_000)
    assert world.is_stopped(), "over a restart: nothing is known, nothing is lifted"
    assert len(world.told) == 1
    world.approve(90 * DAY_MS)
    world.pass_ms(40_000)
    assert world.why() is None


def test_agents_are_asked_about_rarely_and_within_the_budget() -> None:
    world = World()
    world.core.followers = [{"name": f"f{n}", "account": f"0x{n:040x}", "agent": f"0x{n:040d}"} for n in range(1, 51)]
    world.answers["extraAgents"] = [
        {"address": each["agent"], "name": "hl", "validUntil": START_MS + 90 * DAY_MS} for each in world.core.followers
    ]
    world.watch.adopt()
    world.core.has_budget = False
    world.pass_ms(60_000)
    assert world.asked == []
    world.core.has_budget = True
    world.core.reserved.clear()
    world.pass_ms(DAY_MS - HOUR_MS)
    assert {body["type"] for _, body in world.asked} == {"extraAgents"}
    assert len(world.asked) == 4 * 50, "every six hours"
    assert all(later - at >= LOOK_MS for (at, _), (later, _) in pairwise(world.asked))
    assert world.core.reserved == [20] * len(world.asked)
    assert world.watch.left_s().keys() == {f"f{n}" for n in range(1, 51)}
    assert world.core.looks < 100, "the status of thousands of accounts takes milliseconds"


def test_agents_without_a_name_are_found_by_their_account() -> None:
    world = World()
    world.answers["webData2"] = {"agentAddress": AGENT, "agentValidUntil": START_MS + HOUR_MS, "meta": {}}
    world.pass_ms(LOOK_MS)
    assert world.is_stopped()


@pytest.mark.parametrize("unnamed", [{}, {"agentAddress": None}, {"agentAddress": OWNER, "agentValidUntil": 1}, 422])
def test_agents_whose_end_is_not_known_are_told_of_once(unnamed: object) -> None:
    world = World()
    world.answers["webData2"] = unnamed
    world.pass_ms(2 * DAY_MS, HOUR_MS)
    assert [(level, code) for level, code, _ in world.told] == [("warning", "agent_end_unknown")]
    assert AGENT in world.told[0][2]
    assert (world.why(), world.watch.left_s()) == (None, {})


def test_agents_that_are_gone_keep_their_end() -> None:
    world = World()
    world.approve(STOP_MS + HOUR_MS)
    world.pass_ms(LOOK_MS)
    world.answers["extraAgents"] = []
    world.core.looks = 0
    world.pass_ms(2 * HOUR_MS)
    assert world.is_stopped()
    assert [code for _, code, _ in world.told] == ["agent_ends"]
    assert world.core.looks <= 62, "the status of thousands of accounts takes milliseconds: one a minute"


@pytest.mark.parametrize(
    ("role", "owner"),
    [
        ({"role": "subAccount", "data": {"master": OWNER}}, OWNER),
        ({"role": "vault"}, OWNER),
        ({"role": "user"}, None),
    ],
)
def test_agents_of_sub_accounts_and_vaults_are_their_owners(role: dict, owner: str | None) -> None:
    world = World(vault=True)
    world.answers |= {"userRole": role, "vaultDetails": {"name": "v", "leader": OWNER}}
    world.approve(HOUR_MS)
    world.pass_ms(DAY_MS // 2)
    asked = [body for _, body in world.asked]
    assert world.is_stopped() is (owner is not None)
    assert {body["user"] for body in asked if body["type"] == "extraAgents"} == ({owner} if owner else set())
    if owner:
        assert sum(body["type"] == "userRole" for body in asked) == 1, "an owner does not change"


def test_agents_of_new_settings_are_asked_about_next() -> None:
    world = World()
    world.approve(HOUR_MS)
    world.pass_ms(LOOK_MS)
    assert world.is_stopped()
    other = "0x" + "b0" * 20
    world.core.followers[0]["agent"] = other
    world.approve(90 * DAY_MS, other)
    world.watch.adopt()
    assert world.watch.left_s() == {}
    world.pass_ms(LOOK_MS)
    assert world.why() is None
    assert world.watch.left_s()["main"] > 89 * 86_400


@pytest.mark.parametrize("kind", ["close_only", "flatten", "freeze"])
def test_agents_never_touch_a_pause_that_was_there(kind: str) -> None:
    world = World()
    world.operator("pause", kind=kind, why="on holiday")
    world.approve(HOUR_MS)
    world.pass_ms(LOOK_MS)
    assert world.core.pauses["main"] == {"kind": kind, "since_ms": 0, "why": "on holiday"}
    world.approve(90 * DAY_MS)
    world.pass_ms(HOUR_MS)
    assert world.why() == "on holiday"
    world.approve(HOUR_MS)
    world.pass_ms(7 * HOUR_MS)
    assert world.why() == "on holiday"
    world.operator("resume")
    assert world.is_stopped(), "at once"


@pytest.mark.parametrize("kind", ["close_only", "flatten", "freeze"])
@pytest.mark.parametrize("name", ["main", "MAIN", ACCOUNT])
def test_agents_do_not_lift_a_stop_that_an_operator_made_theirs(kind: str, name: str) -> None:
    world = World()
    world.core.followers[0]["also"] = "MAIN"
    world.approve(HOUR_MS)
    world.pass_ms(LOOK_MS)
    assert world.operator("pause", follower=name, kind=kind, why="on holiday")["ok"]
    world.approve(90 * DAY_MS)
    world.pass_ms(HOUR_MS)
    world.start()
    world.pass_ms(HOUR_MS)
    assert world.core.pauses["main"] == {"kind": kind, "since_ms": 0, "why": "on holiday"}


def test_agents_keep_a_stop_when_the_operators_pause_is_refused() -> None:
    world = World()
    world.approve(HOUR_MS)
    world.pass_ms(LOOK_MS)
    carry_out = world.core.operate
    world.core.operate = lambda request: b'{"ok":false}' if b"two" in request else carry_out(request)
    world.watch._operate = world.core.operate
    assert not world.operator("pause", why="two\nlines")["ok"]
    assert world.is_stopped()


def test_agents_leave_a_stop_lifted_that_an_operator_lifted() -> None:
    world = World()
    world.approve(STOP_MS - HOUR_MS)
    world.pass_ms(LOOK_MS)
    assert world.operator("resume")["ok"]
    world.pass_ms(HOUR_MS)
    assert world.why() is None
    world.approve(STOP_MS - 2 * HOUR_MS)
    world.pass_ms(40_000)
    assert world.is_stopped(), "another end, another stop"


def test_agents_do_not_lift_the_pause_of_an_account_that_the_venue_liquidated() -> None:
    world = World()
    world.approve(HOUR_MS)
    world.pass_ms(LOOK_MS)
    world.watch.on_alert("follower_liquidated", 0)
    world.watch.on_alert("follower_liquidated", 7)
    world.watch.on_alert("lane_down", None)
    world.approve(90 * DAY_MS)
    world.pass_ms(HOUR_MS)
    assert world.why() == "the venue liquidated this account"


def test_agents_are_not_judged_before_the_venue_told_its_time() -> None:
    world = World()
    world.clock.known = False
    world.approve(HOUR_MS)
    world.pass_ms(HOUR_MS)
    assert (world.why(), world.told) == (None, [])


@pytest.mark.parametrize("request_", [b"[]", b'{"do":"pause"}', b'{"do":"resume","follower":"main","leader":"l"}'])
def test_agents_hand_on_what_is_not_about_one_follower(request_: bytes) -> None:
    world = World()
    world.approve(HOUR_MS)
    world.pass_ms(LOOK_MS)
    heard: list[bytes] = []
    world.watch._operate = lambda request: heard.append(request) or b"{}"
    assert world.watch.operate(request_) == b"{}"
    assert heard == [request_]
