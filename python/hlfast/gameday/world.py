"""One seed: a venue, leaders that trade, followers with policies, an engine, and the faults between them."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson
from msgspec.structs import asdict, replace

from hlfast._core import read_journal, verify_journal
from hlfast.config.model import Config
from hlfast.errors import JournalError
from hlfast.gameday.cast import Cast, draw_cast
from hlfast.gameday.checker import Evidence, Violation, check
from hlfast.gameday.expectation import least_usd, receipts_complete
from hlfast.gameday.faults import Faults, Struck
from hlfast.gameday.host import Host
from hlfast.gameday.leader import LeaderBot
from hlfast.gameday.loop import HostLoop
from hlfast.gameday.network import Network
from hlfast.gameday.outgoing import bodies_of
from hlfast.gameday.trouble import Trouble
from hlfast.sim.inprocess import InProcess
from hlfast.sim.settings import Settings

SOURCE: Final = "127.0.0.1"
_OPENING_S: Final = 20.0
# Reads every 30 s, back-offs of 5 s, lookups of 5 s: what is unknown when the faults end is settled well within this.
QUIET_S: Final = 150.0
_EPILOGUE_S: Final = 6.0
# A stop follows its position after 0.5 s, at most every 5 s a coin.
_STOPS_S: Final = 12.0
# Of the venue's minute: the reserve for exits, what stops leave to entries and reads, and their own actions.
_STOPS_WEIGHT: Final = 540
_REPLAYS_EVERY: Final = 10  # seeds: every signature is verified once more
# Of an action that can trade.
_LONGEST_LIFE_S: Final = 15.0
# Between two looks at whether all receipts of slow openings are there.
_LOOK_S: Final = 10.0
# How far the wall clock of a machine is off when an engine starts there.
_WALLS_OFF_MS: Final = (0, 0, 900, -900, -20_000, 3_600_000, -259_200_000)
# About what settling and the epilogue take.
_AFTER_S: Final = 105.0


class _Head(msgspec.Struct):
    sequence: int
    kind: str
    now_ms: int = 0
    event: str = ""


_HEAD: Final = msgspec.json.Decoder(_Head)


@dataclass(frozen=True, slots=True)
class Options:
    """What to run.

    Attributes:
        seed: of everything.
        seconds: simulated time in all.
        without, spared, only: see `Faults`.
        leaders, followers: how many; None draws them.
    """

    seed: int
    seconds: float = 576.0
    without: frozenset[str] = frozenset()
    spared: frozenset[tuple[str, int]] = frozenset()
    only: frozenset[str] | None = None
    leaders: int | None = None
    followers: int | None = None


@dataclass(slots=True)
class Result:
    """What a seed came to."""

    seed: int
    violations: list[Violation]
    struck: list[Struck]
    kinds: list[str]
    simulated_s: float
    orders: int
    executions: int
    receipts: int
    lives: int
    digest: str
    refused_starts: int = 0


class World:
    """One seed's world. Everything happens on its own loop, in its own time.

    Args:
        options: what to run.
        directory: an empty one, for journal and keys; on a memory disk if speed matters.
    """

    def __init__(self, options: Options, directory: Path) -> None:
        self.options = options
        self.directory = directory
        self.loop = HostLoop(options.seed)
        self.rng = random.Random(f"{options.seed}/world")  # noqa: S311 - to be repeated
        self.faults = Faults(options.seed, options.without, options.spared, options.only)
        self.settings = Settings(limits="venue", block_ms=self.rng.choice((20, 70)))
        self.violations: list[Violation] = []
        self.host: Host | None = None
        # A busy machine ticks late; each tick costs as much as anything else in a quiet world.
        self.tick_ms = random.Random(f"{options.seed}/tick").choice((20, 50, 100, 100))  # noqa: S311 - to be repeated
        self.lives = 0
        self.refused_starts = 0
        self.lines: list[bytes] = []
        self.copied_at = 0
        self._objects: list[dict[str, Any]] = []
        self._journal_hash = hashlib.sha256()
        self.healed_ms = 0
        # Between quiet and the checks: the next regular read, 30 s after the one before, finds what a lost frame held.
        self.rest_s = 35.0
        self.epilogue_s = _EPILOGUE_S
        self.stops_s = _STOPS_S

    def run(self) -> Result:
        """Play the seed to its end and check it."""
        asyncio.set_event_loop(self.loop)
        self.loop.set_exception_handler(self._unhandled)
        try:
            return self.loop.run_until_complete(self._run())
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    # parts

    def control(self, **request: Any) -> dict[str, Any]:
        """Use the venue's control door."""
        return self.venue.server.control.run(request)

    def now_ms(self) -> int:
        """Venue time."""
        return self.loop.now_ms()

    async def _run(self) -> Result:
        self.venue = InProcess(self.settings, loop=self.loop, now_ms=self.loop.now_ms)
        self.network = Network(self.venue, self.loop, self.faults, self.loop.now_ms)
        self.cast: Cast = draw_cast(self.rng, self.venue.server.venue.universe, self.options)
        if self.cast.longest_opening_s:
            # Fates of TWAPs are read at 20 weight each: what is exact must not be what the venue's minute held back.
            self.epilogue_s = self.stops_s = 65.0
        self.config = self._prepare()
        self.bots = [LeaderBot(self, index) for index in range(len(self.cast.leaders))]
        for bot in self.bots:
            bot.begin()
        self.start_host()
        await asyncio.sleep(_OPENING_S)
        self.trouble = Trouble(self)
        self.playing = [asyncio.create_task(bot.play()) for bot in self.bots]
        await self._chaos()
        self.stop_leaders()
        await asyncio.gather(*self.playing, return_exceptions=True)
        await self.trouble.heal()
        self.healed_ms = self.now_ms()
        await self._quiesce("after the faults", self.rest_s)
        self._check(final=False)
        await self._epilogue()
        self._check(final=True)
        if self.host is not None:
            self.lines.append(self.host.log_lines())
            self.host.kill()
        if self.options.seed % _REPLAYS_EVERY == 0:
            await self._send_all_again()
        await self.venue.stop()
        return self._result()

    async def _chaos(self) -> None:
        """The time in which things go wrong."""
        self.faults.active = True
        await self.trouble.run(max(30.0, self.options.seconds - _OPENING_S - _AFTER_S))
        self.faults.active = False

    async def _send_all_again(self) -> None:
        """A venue that forgot every nonce gets all recorded bytes once more: each of them must be too old."""
        await asyncio.sleep(_LONGEST_LIFE_S)
        venue = self.venue.server.venue
        self.settings.limits = "off"
        venue.nonces.clear()
        fills = len(venue.record.fills)
        bodies = [orjson.dumps(body) for _, body in bodies_of(self.network.sent)]
        await asyncio.gather(*(self.venue.request("10.0.0.9", "POST", "/exchange", body) for body in bodies))
        if len(venue.record.fills) > fills:
            self.fail("I8", f"{len(venue.record.fills) - fills} executions of actions that were sent again")

    def stop_leaders(self) -> None:
        """No leader trades by itself any more."""
        for task in self.playing:
            task.cancel()

    def _prepare(self) -> Config:
        keys = self.directory / "keys"
        keys.mkdir(mode=0o700)
        for key, address in self.cast.agents:
            path = keys / address
            path.write_text(key.hex())
            path.chmod(0o400)
        for op in self.cast.opening():
            self.control(**op)
        over_http = random.Random(f"{self.options.seed}/over http").random() < 0.15  # noqa: S311 - to be repeated
        config = self.cast.config(str(self.directory / "journal"), str(keys), self.rng, over_http=over_http)
        self.journals = [config.journal.directory]
        return config

    # the engine's process

    def start_host(self) -> bool:
        """Start the engine, as a supervisor does; False when it refused."""
        host = self.host_of(self.config, SOURCE)
        try:
            host.start()
        except JournalError as error:
            self.refused_starts += 1
            self.fail("I19", f"the engine does not start again: {error}")
            return False
        self.host = host
        return True

    def host_of(self, config: Config, source: str) -> Host:
        """A machine with clocks of its own."""
        skew = self.faults.dice("crash")
        self.lives += 1
        return Host(
            self.network,
            config,
            source,
            self.options.seed * 1_000 + self.lives,
            wall_offset_ns=skew.choice(_WALLS_OFF_MS) * 1_000_000,
            drift_ppm=skew.choice((0, 0, 50, -50, 200)),
            tick_ms=self.tick_ms,
            on_send=self._on_send,
        )

    def copy_journal(self) -> Config:
        """Settings that name a copy of the journal as it is now."""
        if not self.copied_at:
            rows = read_journal(self.config.journal.directory, 0, 1_000_000)
            self.copied_at = _HEAD.decode(rows[-1]).sequence
        directory = self.directory / f"journal-{len(self.journals)}"
        shutil.copytree(self.config.journal.directory, directory)
        self.journals.append(str(directory))
        return replace(self.config, journal=replace(self.config.journal, directory=str(directory)))

    def move_to(self, config: Config) -> None:
        """From now on the engine on this journal is the one that counts."""
        self.config = config
        self.start_host()

    def _on_send(self, host: Host) -> bool:
        if not self.faults.strikes("crash_at_send", self.now_ms()):
            return True
        dice = self.faults.dice("crash_at_send")
        before, power = dice.random() < 0.5, dice.random() < 0.5
        self.kill_host(host, dice.getrandbits(32) if power else None)
        return not before

    def kill_host(self, host: Host, power_fails: int | None) -> None:
        """Kill the engine and have its supervisor start it again soon."""
        self.lines.append(host.log_lines())
        # Relaxed durability promises to survive a kill, not a power loss.
        host.kill(power_fails if self.config.journal.durability == "durable" else None)
        delay_s = self.faults.dice("crash").uniform(0.5, 15.0)
        self.network.at(self.loop.time() + delay_s, self.restart)

    def restart(self) -> None:
        """Start the engine if it does not run."""
        host = self.host
        if host is None or host.life.state == "dead" or host.ended:
            if host is not None and host.ended:
                self.note_end(host)
            self.start_host()

    def note_end(self, host: Host) -> None:
        """An engine that ended by itself had a reason; only a disk that failed is a good one."""
        text = str(host.failure)
        if host.failure is not None and not self.trouble.excuses(text):
            self.fail("I13", f"the engine ended by itself: {type(host.failure).__name__}: {text}")
        self.lines.append(host.log_lines())
        host.kill()

    def fail(self, invariant: str, text: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(invariant, self.now_ms(), text))

    def _unhandled(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception that nobody took is a defect, except that killed processes leave tasks behind."""
        if "destroyed but it is pending" not in context["message"]:
            self.fail("loop", f"{context['message']}: {context.get('exception')!r}")

    # the end

    async def _quiesce(self, when: str, rest_s: float) -> None:
        """Wait until nothing is unknown or under way, and `rest_s` more; beyond `QUIET_S` and slow openings: I13."""
        quiet_s = QUIET_S + self.cast.longest_opening_s
        deadline = self.loop.time() + quiet_s
        while self.loop.time() < deadline:
            await asyncio.sleep(1.0)
            if self.host is None or self.host.ended or self.host.life.state == "dead":
                self.restart()
                continue
            if self.is_quiet() and not self._is_told():
                await asyncio.sleep(_LOOK_S)
            elif self.is_quiet():
                await asyncio.sleep(rest_s)
                if self.is_quiet():
                    return
        self.fail("I13", f"{when}: not quiet after {quiet_s:.0f} s: {self._unrest()}")

    def is_quiet(self) -> bool:
        """Whether the engine is ready, nothing is on its way, and every position is its target."""
        status = self.host.status() if self.host is not None else {}
        if not status.get("ready") or status["in_flight"] or status["events_pending"]:
            return False
        if any(leader["dirty"] or leader["fills_owed"] for leader in status["leaders"]):
            return False
        return not self._far(status)

    def _is_told(self) -> bool:
        """Whether every fill has its receipt. What is too small for a TWAP waits for the end of the opening's time."""
        return not self.cast.longest_opening_s or not any(receipts_complete(self.evidence(final=False)))

    def _far(self, status: dict[str, Any]) -> list[str]:
        """Coins whose position is further from its target than a lot and the least order."""
        far = []
        least = {each.name: max(11.0, float(least_usd(each))) for each in self.cast.followers}
        for follower in status["followers"]:
            if follower["stopped"]:
                continue
            for coin, lot in follower["positions"].items():
                missing = abs(float(lot["own"]) - float(lot["target"])) - self.cast.lots.get(coin, 0) / 1e8
                gap = missing * self.cast.price_of(self.venue, coin)
                closes = float(lot["target"]) == 0 and float(lot["own"]) != 0
                # Beside what is somebody else's (an engine on a copied journal) a part may be out of reach.
                alone = float(lot["manual"]) == 0
                # A TWAP is no action in flight, but it is not over.
                moves = lot["in_flight"] or "twap" in lot
                if moves or (alone and (gap > least[follower["name"]] or closes)):
                    far.append(f"{follower['name']} {coin} own {lot['own']} target {lot['target']}")
        return far

    def _unrest(self) -> str:
        status = self.host.status() if self.host is not None else {}
        keys = ("ready", "recovering_followers", "in_flight", "unresolved", "waiting", "events_pending", "asks_pending")
        dirty = [leader["name"] for leader in status.get("leaders", []) if leader["dirty"] or leader["fills_owed"]]
        return f"{ {key: status.get(key) for key in keys} } dirty {dirty} far {self._far(status) if status else []}"

    async def _epilogue(self) -> None:
        """With nothing wrong any more, each leader halves, closes, opens, flips and closes: followers must be exact."""
        for act in ("halve", "flat", "open", "add", "flip", "third"):
            for bot in self.bots:
                bot.act(act)
                await asyncio.sleep(0.3)
            await asyncio.sleep(self.epilogue_s)
            self._check_exact(act)
        await self._quiesce("at the end", 2.0)
        await self._until_stops_may_move()
        await asyncio.sleep(self.stops_s)

    async def _until_stops_may_move(self) -> None:
        """They are last in line: a minute in which much was read has nothing left for them."""
        for _ in range(60):
            if self.host is None or self.host.status().get("weight_left", _STOPS_WEIGHT) >= _STOPS_WEIGHT:
                return
            await asyncio.sleep(1.0)

    def _check_exact(self, act: str) -> None:
        exact = {"flat", "open", "add", "flip", "third"}
        if act in exact:
            self.violations += self.cast.check_exact(self, act)

    def evidence(self, *, final: bool) -> Evidence:
        """What the checker reads."""
        ledger = msgspec.json.decode(msgspec.json.encode(self.control(op="ledger")))
        return Evidence(
            config=self.config,
            ledger=ledger,
            journal=self.journal(),
            status=self.host.status() if self.host is not None else {},
            cast=self.cast,
            revoked=frozenset(self.trouble.revoked),
            delisted=dict(self.trouble.delisted),
            healed_ms=self.healed_ms,
            now_ms=self.now_ms(),
            nominal=not self.faults.struck,
            final=final,
            sent=self.network.sent,
            beside=self._attempts_beside(),
            copied_at=self.copied_at,
            resting=self._resting(),
            outputs=list(self._outputs()) if final else [],
            replayed=self._decide_again() if final else None,
        )

    def journal(self) -> list[dict[str, Any]]:
        """Every object of the journal; of inputs only what they are. What was read before is not read again."""
        objects = self._objects
        after = objects[-1]["sequence"] if objects else 0
        while rows := read_journal(self.config.journal.directory, after, 20_000):
            for row in rows:
                self._journal_hash.update(row)
                head = _HEAD.decode(row)
                objects.append(asdict(head) if head.kind == "input" else msgspec.json.decode(row))
            after = objects[-1]["sequence"]
        return objects

    def _resting(self) -> dict[str, dict[str, int]]:
        """What followers' orders in the book would trade, by the venue's own accounts."""
        found: dict[str, dict[str, int]] = {}
        for follower in self.cast.followers:
            account = self.venue.server.venue.account(follower.account)
            coins = found.setdefault(follower.account, {})
            for order in account.orders.values():
                coin = order.asset.coin
                coins[coin] = coins.get(coin, 0) + (order.remaining if order.is_buy else -order.remaining)
        return found

    def _attempts_beside(self) -> list[dict[str, Any]]:
        """The attempts in journals of engines that ran beside the one that counts."""
        others = [each for each in self.journals if each != self.config.journal.directory]
        rows = (row for each in others for row in read_journal(each, 0, 1_000_000) if b'"kind":"attempt"' in row[:64])
        return [msgspec.json.decode(row) for row in rows]

    def _outputs(self) -> Iterator[tuple[str, bytes]]:
        """All that the engine wrote beside its actions."""
        for directory in self.journals:
            for path in sorted(Path(directory).iterdir()):
                # The reserve for a full disk is 4 MiB of zeros, which would be looked through for every key.
                if not _is_blank(path):
                    yield path.name, path.read_bytes()
        yield "the log", b"".join(self.lines)
        if self.host is not None:
            yield "the log of the last life", self.host.log_lines()
            yield "the status", msgspec.json.encode(self.host.status())

    def _decide_again(self) -> str | None:
        try:
            verify_journal(self.config.journal.directory)
        except JournalError as error:
            return str(error)
        return None

    def _check(self, *, final: bool) -> None:
        self.last_evidence = self.evidence(final=final)
        self.violations += check(self.last_evidence)

    def _result(self) -> Result:
        evidence = self.last_evidence
        hashed = self._journal_hash
        for rows in (evidence.ledger["actions"], evidence.ledger["fills"]):
            hashed.update(msgspec.json.encode(rows))
        return Result(
            seed=self.options.seed,
            violations=_distinct(self.violations),
            struck=self.faults.struck,
            kinds=self.faults.enabled,
            simulated_s=self.loop.time(),
            orders=sum(row["kind"] == "order" for row in evidence.ledger["actions"]),
            executions=sum(not row.get("leader") for row in evidence.ledger["fills"]),
            receipts=sum(row["kind"] == "receipt" for row in evidence.journal),
            lives=self.lives,
            digest=hashed.hexdigest(),
            refused_starts=self.refused_starts,
        )


def _is_blank(path: Path) -> bool:
    """Whether a file holds zeros alone."""
    zeros = bytes(1 << 16)
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(len(zeros)):
            if chunk != zeros[: len(chunk)]:
                return False
    return True


def _distinct(violations: list[Violation]) -> list[Violation]:
    seen: dict[tuple[str, str], Violation] = {}
    for violation in violations:
        seen.setdefault((violation.invariant, violation.text), violation)
    return list(seen.values())
