"""What the venue does by itself when its clock moves: funding, TWAP slices, liquidation."""

from __future__ import annotations

from hlfast.sim.blocks import Block
from hlfast.sim.funding import Funding
from hlfast.sim.liquidation import Liquidation
from hlfast.sim.listing import Listing
from hlfast.sim.trading import Trading
from hlfast.sim.twaps import Twaps
from hlfast.sim.venue import Venue


class Market:
    """The parts of the market that act without being asked, in the order in which they act."""

    def __init__(self, venue: Venue, trading: Trading) -> None:
        self.twaps = Twaps(venue, trading)
        self.funding = Funding(venue, trading)
        self.liquidation = Liquidation(venue, trading)
        self.listing = Listing(venue, trading)

    def run_due(self, block: Block) -> None:
        """Let happen what is due at the block's time."""
        # Funding first: the audit knows who held what at the last block.
        self.funding.run_due(block)
        self.twaps.run_due(block)
        self.liquidation.run_due(block)
