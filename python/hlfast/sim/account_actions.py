"""Every action but orders and their cancels, each with the desk that carries it out."""

from __future__ import annotations

from hlfast.sim import actions as act
from hlfast.sim.blocks import Block
from hlfast.sim.entry import Origin, RefusedError
from hlfast.sim.lending import Lending
from hlfast.sim.leverage import LeverageDesk
from hlfast.sim.purse import Purse
from hlfast.sim.staking import Staking
from hlfast.sim.standing import Standing
from hlfast.sim.transfers import Transfers
from hlfast.sim.vaults import Vaults
from hlfast.sim.venue import Venue
from hlfast.sim.verdicts import Handlers, Response

# The venue's documents are split on these when an agent signs them; see `agents_move_funds`.
_FUND_MOVING = (
    act.VaultTransferAction,
    act.CreateVaultAction,
    act.VaultDistributeAction,
    act.CreateSubAccountAction,
    act.SubAccountTransferAction,
    act.SubAccountSpotTransferAction,
    act.ReserveRequestWeightAction,
    act.GossipPriorityBidAction,
    act.BorrowLendAction,
)


class AccountActions:
    """Finds the desk of an action."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.purse = purse = Purse(venue)
        self.staking = Staking(venue, purse)
        self._handlers: Handlers = {}
        desks = (
            LeverageDesk(venue),
            Standing(venue, purse),
            Transfers(venue, purse),
            Vaults(venue, purse),
            Lending(venue, purse),
            self.staking,
        )
        for desk in desks:
            self._handlers |= desk.handlers()

    def add(self, handlers: Handlers) -> None:
        """Take in the actions of one more desk."""
        self._handlers |= handlers

    def carry_out(self, action: act.PlainAction, origin: Origin, block: Block) -> Response | None:
        """Let an action happen; None stands for the plain `default` response.

        Raises:
            RefusedError: in the venue's words, or by name when this venue doesn't support the action.
        """
        if isinstance(action, _FUND_MOVING) and self._is_agents(origin) and not self._venue.settings.agents_move_funds:
            raise RefusedError(f"Must deposit before performing actions. User: {origin.signer}")
        handler = self._handlers.get(type(action))
        if handler is None:
            raise RefusedError(f"{act.tag_of(action)} is not supported by this simulator.")
        return handler(action, origin, block)

    def _is_agents(self, origin: Origin) -> bool:
        """Tell whether an agent signed for its master, or for a sub-account or vault of its master."""
        found = self._venue.agents.get(origin.signer)
        return found is not None and found[0].address in (origin.account.address, origin.account.master)
