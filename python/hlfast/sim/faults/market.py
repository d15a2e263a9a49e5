"""Faults of the venue's own state: halts, post-only periods, thin books, delistings, lost agents and nonces."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from hlfast.sim.blocks import Block
from hlfast.sim.faults.kinds import Address, Fault, Scene
from hlfast.sim.listing import Listing
from hlfast.sim.settings import check
from hlfast.sim.universe import Asset

Coins = tuple[str, ...]


class Switches(Fault, frozen=True, kw_only=True, tag="switches"):
    """Switches of the venue stand differently for a while: whatever the `config` request may set.

    Unconfirmed behaviours are tried this way: `repeated_cloid`, `partial_gtc`, `reply_first`, `max_users` …
    """

    to: dict[str, Any]

    def __post_init__(self) -> None:
        check(self.to)

    def begin(self, scene: Scene) -> None:
        """Set the switches."""
        scene.hit()
        scene.server.faults.override(scene, self.to)

    def end(self, scene: Scene) -> None:
        """Set them back."""
        scene.server.faults.restore(scene)


class Halt(Fault, frozen=True, kw_only=True, tag="halt"):
    """Orders are refused with "Trading is halted.": of some coins, or of all when none is named."""

    coins: Coins = ()

    def begin(self, scene: Scene) -> None:
        """Halt trading."""
        scene.hit()
        scene.server.faults.override(scene, {"halted_coins": self.coins} if self.coins else {"halted": True})

    def end(self, scene: Scene) -> None:
        """Let trading go on."""
        scene.server.faults.restore(scene)


class PostOnly(Fault, frozen=True, kw_only=True, tag="post_only"):
    """Only post-only orders are taken, as after an upgrade of the network."""

    def begin(self, scene: Scene) -> None:
        """Keep takers out."""
        scene.hit()
        scene.server.faults.override(scene, {"post_only": True})

    def end(self, scene: Scene) -> None:
        """Let takers in."""
        scene.server.faults.restore(scene)


class ThinBooks(Fault, frozen=True, kw_only=True, tag="thin_books"):
    """The synthetic maker's depth shrinks, so that larger takers fill in part only; at 0 the books are empty.

    Attributes:
        coins: whose books; all that have been traded or read when none is named.
        depth_usd: notional on each side.
    """

    coins: Coins = ()
    depth_usd: Annotated[int, Meta(ge=0, le=10**9)] = 0

    def begin(self, scene: Scene) -> None:
        """Thin the books out."""
        venue = scene.server.venue
        assets = [venue.universe.by_coin[coin] for coin in self.coins if coin in venue.universe.by_coin]
        if not self.coins:
            assets = [book.asset for book in venue.books.values()]
        for asset in assets:
            scene.hit()
            scene.kept[asset.coin] = venue.book(asset).depth_usd
            _requote(scene, asset, self.depth_usd)

    def end(self, scene: Scene) -> None:
        """Give the books their depth back."""
        for coin, depth_usd in scene.kept.items():
            _requote(scene, scene.server.venue.universe.by_coin[coin], depth_usd)


def _requote(scene: Scene, asset: Asset, depth_usd: object) -> None:
    server = scene.server

    def work(block: Block) -> None:
        book = server.venue.book(asset)
        book.depth_usd = depth_usd if isinstance(depth_usd, int) else None
        server.trading.move(asset, book.mid, block)

    server.run_block(work)


class RevokeAgent(Fault, frozen=True, kw_only=True, tag="revoke_agent"):
    """An agent is deregistered, its nonces pruned with it: the named one, or one drawn from all."""

    agent: Address | None = None

    def begin(self, scene: Scene) -> None:
        """Take the agent out."""
        agents = sorted(scene.server.venue.agents)
        chosen = self.agent.lower() if self.agent else (scene.rng.choice(agents) if agents else None)
        if chosen is not None and scene.server.venue.revoke(chosen):
            scene.hit()


class PruneNonces(Fault, frozen=True, kw_only=True, tag="prune_nonces"):
    """The venue forgets the nonces of one signer, or of all: what was signed and kept can be replayed."""

    signer: Address | None = None

    def begin(self, scene: Scene) -> None:
        """Forget nonces."""
        nonces = scene.server.venue.nonces
        for signer in [self.signer.lower()] if self.signer else list(nonces):
            if nonces.pop(signer, None) is not None:
                scene.hit()


class Delist(Fault, frozen=True, kw_only=True, tag="delist"):
    """A perp is delisted: orders go, positions settle at the oracle's price. Nothing brings it back."""

    coin: str

    def begin(self, scene: Scene) -> None:
        """Take the coin off the venue."""
        venue = scene.server.venue
        asset = venue.universe.by_coin.get(self.coin)
        if asset is None or asset.is_spot or asset.is_delisted:
            return
        listing = Listing(venue, scene.server.trading)
        scene.server.run_block(lambda block: listing.delist(asset, block))
        scene.hit()


KINDS = Delist | Switches | Halt | PostOnly | ThinBooks | RevokeAgent | PruneNonces
