"""The shell against a small venue over real sockets, with a double of the core."""

from __future__ import annotations

import asyncio
import io
import json
import time
from contextlib import asynccontextmanager

import msgspec
import pytest
import uvloop
from tests.fakes.core import FakeCore
from tests.fakes.venue import FakeVenue, until

from hlfast.config.model import Config, EngineSettings, Journal, Leader, Venue
from hlfast.engine import runtime as runtime_module
from hlfast.engine.runtime import Runtime
from hlfast.errors import JournalError
from hlfast.telemetry.logs import EventLog

LEADERS = tuple(Leader(name=f"l{n}", address=f"0x{n:040x}") for n in range(1, 4))
META = {"universe": [{"name": "BTC"}, {"name": "ETH"}, {"name": "OLD", "isDelisted": True}]}


class Road:
    """The HTTP side, in memory."""

    def __init__(self) -> None:
        self.asked: list[dict] = []
        self.posted: list[bytes] = []
        self.away = 0

    async def info(self, body: dict) -> tuple[int, bytes]:
        self.asked.append(body)
        if self.away > 0:
            self.away -= 1
            return 0, b"ClientError"
        answers = {
            "meta": META,
            "spotMeta": {"universe": [], "tokens": []},
            "clearinghouseState": {"time": 1},
            "exchangeStatus": {"time": time.time_ns() // 1_000_000},
        }
        return 200, json.dumps(answers.get(body["type"], {})).encode()

    async def exchange(self, body: bytes) -> tuple[int, bytes]:
        self.posted.append(body)
        return 200, b'{"status":"ok"}'


class World:
    def __init__(
        self, venue: FakeVenue, core: FakeCore, road: Road, runtime: Runtime, log: EventLog, said: io.BytesIO
    ) -> None:
        self.venue = venue
        self.core = core
        self.road = road
        self.runtime = runtime
        self.log = log
        self._said = said

    def events(self) -> list[str]:
        self.log.drain()
        return [json.loads(line)["event"] for line in self._said.getvalue().splitlines()]

    def publish_fill(self, user: str = LEADERS[0].address) -> None:
        self.venue.publish({"channel": "userFills", "data": {"user": user, "fills": [{"tid": 1}]}})

    def all_confirmed(self) -> bool:
        """Every subscription of every feed is acknowledged; `coverage` is content with one feed of several."""
        whole = all(feed.up_ns and not feed._pending for feed in self.runtime.ways.feeds)
        return whole and self.runtime.ways.coverage() == (0, 0)


@asynccontextmanager
async def world(core: FakeCore | None = None, settings: EngineSettings | None = None, limits: str = "off", **switches):
    core, road, said = core or FakeCore(followers=5), Road(), io.BytesIO()
    core.leaders = [leader.address for leader in LEADERS]
    log = EventLog(said)
    async with FakeVenue() as venue:
        for name, value in switches.items():
            setattr(venue, name, value)
        config = Config(
            network="testnet",
            venue=Venue(base_url=venue.url, ws_url=venue.url.replace("http", "ws"), limits=limits),
            journal=Journal(directory="unused"),
            leaders=LEADERS,
            followers=(),
            follows=(),
            engine=settings or EngineSettings(),
        )
        runtime = Runtime(config, core, road, log)
        try:
            yield World(venue, core, road, runtime, log, said)
        finally:
            runtime.stopping.set()
            await runtime.close()


LOOPS = pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])


def on(loop, main) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


@LOOPS
def test_runtime_turns_a_leaders_fill_into_posts_on_the_lanes(loop) -> None:
    async def main() -> None:
        async with world() as w:
            await w.runtime.open()
            assert await w.runtime.until_ready()
            await until(w.all_confirmed)
            w.publish_fill()  # one socket of two user feeds carries it to the core twice: the double does not dedupe
            await until(lambda: len(w.venue.posts) == 10)
            await until(lambda: w.core.unresolved == 0)
            assert sorted(post["id"] for post in w.venue.posts) == list(range(1, 11))
            assert sorted(w.core.posts_answered) == list(range(1, 11))

    on(loop, main)


def test_runtime_asks_when_the_agents_of_its_settings_end_also_of_new_ones() -> None:
    async def main() -> None:
        async with world() as w:
            follower = {"name": "main", "account": "0x" + "ac" * 20, "agent": "0x" + "a9" * 20}
            w.core.settings = lambda: (json.dumps({"followers": [follower]}).encode(), 0)
            await w.runtime.open()
            await until(lambda: {"type": "extraAgents", "user": follower["account"]} in w.road.asked)
            follower |= {"account": "0x" + "ad" * 20, "agent": "0x" + "b9" * 20}
            settings = json.loads(msgspec.json.encode(w.runtime.config))
            await w.runtime.operate(json.dumps({"do": "configure", "config": settings}).encode())
            await w.runtime.agents.look()
            assert {"type": "extraAgents", "user": follower["account"]} in w.road.asked

    on(uvloop.new_event_loop, main)


def test_runtime_opens_in_order_and_subscribes_what_leaders_need() -> None:
    async def main() -> None:
        async with world() as w:
            await w.runtime.open()
            await until(w.all_confirmed)
            kinds = w.core.kinds()
            assert kinds.index("meta") < kinds.index("start")
            feeds_up = [n for n, each in enumerate(w.core.heard) if each[0] == "up" and each[2] != "lane"]
            assert min(feeds_up) > kinds.index("start")
            wanted = [m["subscription"] for m in w.venue.messages if m["method"] == "subscribe"]
            per_type = {
                kind: sum(each["type"] == kind for each in wanted) for kind in ("userFills", "trades", "userEvents")
            }
            assert per_type == {"userFills": 6, "trades": 2, "userEvents": 2}
            assert {each["coin"] for each in wanted if each["type"] == "trades"} == {"BTC", "ETH"}
            assert {"type": "exchangeStatus"} in w.road.asked

    on(uvloop.new_event_loop, main)


def test_runtime_waits_for_a_venue_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_module, "_RETRY_S", 0.01)

    async def main() -> None:
        async with world() as w:
            w.road.away = 3
            await w.runtime.open()
            assert w.core.kinds().count("meta") == 2
            assert w.events().count("no metadata") >= 1

    on(uvloop.new_event_loop, main)


@pytest.mark.parametrize("answer", [{"universe": []}, {"nonsense": 1}, None])
def test_runtime_starts_nothing_on_metadata_that_it_does_not_understand(
    monkeypatch: pytest.MonkeyPatch, answer
) -> None:
    monkeypatch.setattr(runtime_module, "_RETRY_S", 0.01)
    monkeypatch.setitem(globals(), "META", answer)

    async def main() -> None:
        async with world() as w:
            opening = asyncio.create_task(w.runtime.open())
            await until(lambda: w.events().count("no metadata") > 2)
            w.runtime.stopping.set()
            await opening
            assert "start" not in w.core.kinds()

    on(uvloop.new_event_loop, main)


def test_runtime_counts_its_own_reads_against_the_venues_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_module, "_RETRY_S", 0.01)

    async def main() -> None:
        async with world() as w:
            w.core.budget = 25  # one page of metadata and a look at the clock, no more
            opening = asyncio.create_task(w.runtime.open())
            await until(lambda: w.core.budget < -100)
            assert [each["type"] for each in w.road.asked].count("spotMeta") == 0
            w.core.budget = 1_000
            await opening
            assert w.core.kinds().count("meta") == 2

    on(uvloop.new_event_loop, main)


def test_runtime_ends_while_it_waits_for_a_venue_that_is_away() -> None:
    async def main() -> None:
        async with world() as w:
            w.road.away = 1_000_000
            opening = asyncio.create_task(w.runtime.open())
            await until(lambda: len(w.road.asked) > 1)
            w.runtime.stopping.set()
            await opening
            assert not await w.runtime.until_ready()
            assert "start" not in w.core.kinds()

    on(uvloop.new_event_loop, main)


@LOOPS
def test_runtime_comes_back_after_every_connection_was_cut(loop) -> None:
    async def main() -> None:
        async with world() as w:
            await w.runtime.open()
            await until(w.all_confirmed)
            before = {each[1] for each in w.core.heard if each[0] == "up"}
            w.venue.drop()
            await until(lambda: {each[1] for each in w.core.heard if each[0] == "down"} == before)
            await until(lambda: w.all_confirmed() and len(w.core.lanes) == 2)
            w.publish_fill()
            await until(lambda: len(w.venue.posts) == 10)
            assert w.runtime.ways.downs == len(before)

    on(loop, main)


@pytest.mark.parametrize("switch", ["deaf", "dataless"])
def test_runtime_finds_a_feed_that_is_open_but_silent(switch: str) -> None:
    """`dataless`: pongs and acknowledgements still come. `deaf`: nothing does."""

    async def main() -> None:
        async with world(settings=EngineSettings(stall_ms=100)) as w:
            await w.runtime.open()
            await until(w.all_confirmed)
            setattr(w.venue, switch, True)
            feeds = {feed.number for feed in w.runtime.ways.feeds}
            await until(lambda: feeds <= {each[1] for each in w.core.heard if each[0] == "down"})
            setattr(w.venue, switch, False)
            await until(w.all_confirmed)
            assert w.runtime.watchdog.stalls >= len(feeds)

    on(uvloop.new_event_loop, main)


def test_runtime_keeps_feeds_of_a_quiet_market() -> None:
    async def main() -> None:
        async with world(settings=EngineSettings(stall_ms=100)) as w:
            await w.runtime.open()
            await until(w.all_confirmed)
            await until(lambda: w.core.kinds().count("tick") > 50)
            assert w.runtime.watchdog.stalls == 0
            assert w.runtime.ways.downs == 0

    on(uvloop.new_event_loop, main)


def test_runtime_surfaces_leaders_that_the_venue_refuses_to_follow() -> None:
    async def main() -> None:
        async with world(settings=EngineSettings(tape=False), most_users=2) as w:
            await w.runtime.open()
            await until(lambda: w.events().count("subscription refused") >= 2)
            await until(lambda: w.runtime.ways.coverage() == (1, 1))
            assert json.loads(w.runtime.health())["shell"]["leaders_uncovered"] == 1
            assert w.runtime.gauges()["hlfast_shell_leaders_uncovered"][2] == 1

    on(uvloop.new_event_loop, main)


def test_runtime_covers_a_refused_leader_by_the_tape() -> None:
    async def main() -> None:
        async with world(most_users=2) as w:
            await w.runtime.open()
            await until(lambda: w.runtime.ways.coverage() == (1, 0))

    on(uvloop.new_event_loop, main)


def test_runtime_posts_over_http_when_no_lane_is_up() -> None:
    async def main() -> None:
        async with world() as w:
            await w.runtime.open()
            await until(w.all_confirmed)
            w.core.lanes.clear()
            w.publish_fill()
            await until(lambda: w.core.kinds().count("http") == 10)
            assert len(w.road.posted) == 10

    on(uvloop.new_event_loop, main)


def test_runtime_executes_the_cores_reads_and_subscriptions() -> None:
    async def main() -> None:
        async with world() as w:
            await w.runtime.open()
            read = {"token": 5, "weight": 2, "request": {"type": "clearinghouseState", "user": "0x1"}}
            w.core.requests.append(json.dumps(read).encode())
            w.core.requests.append(b'{"subscribe":{"type":"bbo","coin":"ETH"}}')
            await until(lambda: ("info", 5, 200, b'{"time": 1}') in w.core.heard)
            await until(lambda: any(m.get("subscription") == {"type": "bbo", "coin": "ETH"} for m in w.venue.messages))

    on(uvloop.new_event_loop, main)


def test_runtime_logs_alerts_and_observes_lag() -> None:
    async def main() -> None:
        async with world() as w:
            w.core.alerts.append(b'{"level":"critical","code":"breaker","text":"wrong bytes"}')
            await w.runtime.open()
            await until(lambda: len(w.core.lags) > 3)
            assert "alert" in w.events()

    on(uvloop.new_event_loop, main)


def test_runtime_waits_for_posts_in_flight_before_it_ends() -> None:
    async def main() -> None:
        async with world(answers_posts=False) as w:
            await w.runtime.open()
            await until(w.all_confirmed)
            w.publish_fill()
            await until(lambda: len(w.venue.posts) == 10)
            w.runtime.stopping.set()
            closing = asyncio.create_task(w.runtime.close())
            await until(lambda: sum(each[0] == "down" for each in w.core.heard) == len(w.runtime.ways.feeds))
            await asyncio.sleep(0.1)  # time in which a close that does not wait would have ended
            assert not closing.done()
            w.core.unresolved = 0
            await closing
            assert w.core.flushed == 1

    on(uvloop.new_event_loop, main)


def test_runtime_gives_up_on_silence_within_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_module, "DRAIN_S", 0.1)

    async def main() -> None:
        async with world(answers_posts=False) as w:
            await w.runtime.open()
            await until(w.all_confirmed)
            w.publish_fill()
            await until(lambda: len(w.venue.posts) == 10)
            async with asyncio.timeout(2):
                await w.runtime.close()
            assert w.core.flushed == 1

    on(uvloop.new_event_loop, main)


def test_runtime_stops_on_a_fatal_error_of_the_core_and_keeps_it() -> None:
    async def main() -> None:
        async with world() as w:
            await w.runtime.open()
            await until(w.all_confirmed)
            error = JournalError("no space left on device")
            w.core.broken = error
            await w.runtime.stopping.wait()
            assert w.runtime.fatal is error
            assert "fatal" in w.events()
            posts = len(w.venue.posts)
            w.publish_fill()
            async with asyncio.timeout(2):
                await w.runtime.close()
            assert len(w.venue.posts) == posts

    on(uvloop.new_event_loop, main)


def test_runtime_serves_under_busy_poll() -> None:
    async def main() -> None:
        async with world(settings=EngineSettings(busy_poll=True)) as w:
            await w.runtime.open()
            await until(w.all_confirmed)
            w.publish_fill()
            await until(lambda: len(w.core.posts_answered) == 10)
            await until(lambda: "tick" in w.core.kinds())

    on(uvloop.new_event_loop, main)


def test_runtime_covers_a_thousand_leaders_at_once_when_limits_are_off() -> None:
    async def main() -> None:
        async with world() as w:
            many = tuple(Leader(name=f"m{n}", address=f"0x{n:040x}") for n in range(1_000))
            runtime = Runtime(msgspec.structs.replace(w.runtime.config, leaders=many), FakeCore(), w.road, w.log)
            await runtime.open()
            await until(lambda: runtime.ways.coverage() == (0, 0), 20)
            runtime.stopping.set()
            await runtime.close()

    on(uvloop.new_event_loop, main)
