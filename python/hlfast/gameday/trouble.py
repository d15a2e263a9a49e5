"""Faults that come by the clock: to the process, the network, the disk, the venue and the accounts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from hlfast.errors import JournalError
from hlfast.gameday.faults import PER_HOUR
from hlfast.gameday.host import Host

if TYPE_CHECKING:
    from hlfast.gameday.world import World

# Ends that a failing disk justifies.
_EXCUSES: Final = ("the journal stopped", "storage full", "no storage space", "No space left", "write ", "reserve")


class Trouble:
    """Makes a seed's timed faults happen, and everything well again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._faults = world.faults
        self.revoked: set[str] = set()
        self.delisted: dict[str, int] = {}  # coin → when, in venue time
        self.filled_disk = False
        self.copies: list[Host] = []  # engines beside the one that counts
        self._endings: list[asyncio.Task[None]] = []

    async def run(self, seconds: float) -> None:
        """The time of chaos."""
        start_s = self._world.loop.time()
        plan = sorted((at, kind) for kind in PER_HOUR for at in self._faults.times(kind, seconds))
        watcher = asyncio.create_task(self._supervise())
        for at, kind in plan:
            await asyncio.sleep(max(0.0, start_s + at - self._world.loop.time()))
            if self._faults.note(kind, self._world.now_ms()):
                getattr(self, f"_{kind}")()
        await asyncio.sleep(max(0.0, start_s + seconds - self._world.loop.time()))
        watcher.cancel()

    async def heal(self) -> None:
        """End every fault that lasts."""
        for task in self._endings:
            task.cancel()
        await asyncio.gather(*self._endings, return_exceptions=True)
        world = self._world
        world.network.latency_s = 0.004
        world.network.outage_executes = None
        world.control(op="config", halted=False, halted_coins=[])
        for coin in world.cast.coins:
            self._thicken(coin)
        for link in world.network.links:
            link.silent_until_s = 0.0
        for copy in self.copies:
            self._end(copy)
        host = world.host
        if host is not None:
            if host.engine is not None and host.life.state != "dead":
                host.engine.set_disk_full(False)
            world.loop.continue_life(host.life)

    def excuses(self, text: str) -> bool:
        """Whether a failed disk explains that the engine ended."""
        return self.filled_disk and any(each in text for each in _EXCUSES)

    async def _supervise(self) -> None:
        """Start an engine again that ended by itself."""
        while True:
            await asyncio.sleep(5.0)
            host = self._world.host
            if host is not None and host.ended and host.life.state != "dead":
                self._world.restart()

    def _later(self, seconds: float, work: object) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            work()  # type: ignore[operator]  # a callable; mypy would want a Protocol for one line

        self._endings.append(asyncio.create_task(wait()))

    # one method a kind of PER_HOUR

    def _cut(self) -> None:
        links = list(self._world.network.links)
        if links:
            self._faults.dice("cut").choice(links).cut()

    def _silence(self) -> None:
        links, dice = list(self._world.network.links), self._faults.dice("silence")
        if links:
            dice.choice(links).silent_until_s = self._world.loop.time() + dice.uniform(3, 40)

    def _crash(self) -> None:
        host = self._world.host
        if host is not None and host.life.state != "dead":
            self._world.kill_host(host, None)

    def _power(self) -> None:
        host = self._world.host
        if host is not None and host.life.state != "dead":
            self._world.kill_host(host, self._faults.dice("power").getrandbits(32))

    def _pause(self) -> None:
        host = self._world.host
        if host is not None and host.life.state == "running":
            self._world.loop.stop_life(host.life)
            life = host.life
            self._later(self._faults.dice("pause").uniform(0.5, 25), lambda: self._world.loop.continue_life(life))

    def _slow_network(self) -> None:
        dice, network = self._faults.dice("slow_network"), self._world.network
        network.latency_s = dice.uniform(0.1, 2.5)
        self._later(dice.uniform(3, 30), lambda: setattr(network, "latency_s", 0.004))

    def _halt(self) -> None:
        self._world.control(op="config", halted=True)
        self._later(self._faults.dice("halt").uniform(3, 60), lambda: self._world.control(op="config", halted=False))

    def _coin_halt(self) -> None:
        dice, world = self._faults.dice("coin_halt"), self._world
        world.control(op="config", halted_coins=[dice.choice(world.cast.coins)])
        self._later(dice.uniform(3, 60), lambda: world.control(op="config", halted_coins=[]))

    def _delisting(self) -> None:
        world, venue = self._world, self._world.venue.server.venue
        accounts = [venue.account(follower.account) for follower in world.cast.followers]
        assets = [venue.universe.by_coin[coin] for coin in world.cast.coins]
        held = [asset.coin for asset in assets if any(account.position(asset) for account in accounts)]
        if not held:
            self._later(1.0, self._delisting)
            return
        coin = self._faults.dice("delisting").choice(held)
        world.control(op="delist", coin=coin)
        self.delisted[coin] = venue.time_ms()
        for bot in world.bots:
            bot.leave(coin)

    def _thin_book(self) -> None:
        dice, world = self._faults.dice("thin_book"), self._world
        coin = dice.choice(world.cast.coins)
        world.control(op="set_book", coin=coin, mid=self._mid(coin), depth_usd=dice.choice((0, 50, 300)))
        self._later(dice.uniform(2, 30), lambda: self._thicken(coin))

    def _thicken(self, coin: str) -> None:
        self._world.control(op="set_book", coin=coin, mid=self._mid(coin), depth_usd=20_000_000, spread_bps=2)

    def _price_jump(self) -> None:
        dice, world = self._faults.dice("price_jump"), self._world
        coin = dice.choice(world.cast.coins)
        price = float(self._mid(coin)) * (1 + dice.uniform(-0.02, 0.02))
        world.control(op="set_book", coin=coin, mid=f"{price:.6f}")

    def _mid(self, coin: str) -> str:
        return f"{self._world.cast.price_of(self._world.venue, coin):.6f}"

    def _disk_full(self) -> None:
        host = self._world.host
        if host is None or host.engine is None or host.life.state == "dead":
            return
        self.filled_disk = True
        engine, life = host.engine, host.life
        engine.set_disk_full(True)

        def make_room() -> None:
            if life.state != "dead":
                engine.set_disk_full(False)

        self._later(self._faults.dice("disk_full").uniform(5, 60), make_room)

    def _second_engine(self) -> None:
        """Another engine on the same journal must be refused."""
        world, host = self._world, self._world.host
        if host is None or host.life.state == "dead" or host.ended:
            return
        second = Host(world.network, world.config, "127.0.0.2", 1)
        try:
            second.start()
        except JournalError:
            return
        world.fail("I15", "a second engine was let onto the journal of a running one")
        second.kill()

    def _clone(self) -> None:
        """A copy of the journal on another machine, where no lock and no lease can see the other engine."""
        world, old, dice = self._world, self._world.host, self._faults.dice("clone")
        if old is None or old.life.state != "running" or old.ended:
            return
        copy = world.copy_journal()
        if dice.random() < 0.5:
            clone = world.host_of(copy, "127.0.0.3")
            self._let_live(clone)
            self._later(dice.uniform(0.5, 20), lambda: self._end(clone))
            return
        # The copy takes over while this one sleeps; then it wakes up, and knows nothing of it.
        world.loop.stop_life(old.life)
        self.copies.append(old)
        world.move_to(copy)
        wakes_s = dice.uniform(0.5, 20)
        self._later(wakes_s, lambda: world.loop.continue_life(old.life))
        self._later(wakes_s + dice.uniform(0.5, 10), lambda: self._end(old))

    def _let_live(self, clone: Host) -> None:
        self.copies.append(clone)
        try:
            clone.start()
        except JournalError as error:
            self._world.fail("I19", f"a copy of the journal can't be opened: {error}")

    def _end(self, clone: Host) -> None:
        if clone.failure is not None and not self.excuses(str(clone.failure)):
            self._world.fail("I13", f"a copy ended by itself: {clone.failure}")
        clone.kill()

    def _agent_revoked(self) -> None:
        world = self._world
        followers = world.cast.followers
        if len(followers) < 3:
            return
        follower = self._faults.dice("agent_revoked").choice(followers[1:])
        self.revoked.add(follower.name)
        world.control(op="revoke_agent", agent=follower.agent)

    def _outage(self) -> None:
        network, dice = self._world.network, self._faults.dice("outage")
        network.outage_executes = 0.6
        self._later(dice.uniform(30, 240), lambda: setattr(network, "outage_executes", None))
