"""Standing of an account: agents, builders, signers, modes, names, and what it may ask for."""

from __future__ import annotations

import re

import msgspec

from hlfast.sim import actions as act
from hlfast.sim.account_kinds import MultiSig
from hlfast.sim.accounts import Account, counted
from hlfast.sim.blocks import Block
from hlfast.sim.entry import Origin, RefusedError
from hlfast.sim.modes import CHOICES, PORTFOLIO, STANDARD, UNIFIED, Modes
from hlfast.sim.numbers import SCALE, try_parse, usd
from hlfast.sim.purse import HYPE, Purse
from hlfast.sim.universe import USDC
from hlfast.sim.venue import Venue
from hlfast.sim.verdicts import Handlers

MAX_NAMED_AGENTS = 3
MAX_AGENT_LIFE_MS = 180 * 86_400_000
MAX_BUILDERS = 10
BUILDER_BALANCE = 100 * SCALE
MAX_BUILDER_RATE = 1_000  # tenths of a basis point: 1 % on spot, and a tenth of that on perps
MAX_SIGNERS = 10
SCHEDULE_VOLUME = 1_000_000 * SCALE
SCHEDULE_AHEAD_MS = 5_000
SCHEDULES_A_DAY = 10  # that fire, until midnight UTC
REQUEST_PRICE = SCALE // 2_000  # 0.0005 USDC
LETTERS = {"i": STANDARD, "u": UNIFIED, "p": PORTFOLIO}


class Signers(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The JSON inside `convertToMultiSigUser`."""

    authorized_users: list[act.Address]
    threshold: int


class Standing:
    """One method an action; each raises `RefusedError` with the venue's words."""

    def __init__(self, venue: Venue, purse: Purse) -> None:
        self._venue = venue
        self._purse = purse
        self._modes = Modes(venue)

    def handlers(self) -> Handlers:
        """Return the method of each action."""
        return {
            act.ScheduleCancelAction: self._schedule_cancel,
            act.ApproveAgentAction: self._approve_agent,
            act.ApproveBuilderFeeAction: self._approve_builder,
            act.ConvertToMultiSigUserAction: self._convert,
            act.UserSetAbstractionAction: self._set_abstraction,
            act.UserPortfolioMarginAction: self._portfolio_margin,
            act.UserDexAbstractionAction: self._dex_abstraction,
            act.AgentSetAbstractionAction: self._agent_abstraction,
            act.AgentEnableDexAbstractionAction: self._agent_dex_abstraction,
            act.SetReferrerAction: self._set_referrer,
            act.EvmUserModifyAction: self._big_blocks,
            act.SetDisplayNameAction: self._display_name,
            act.SpotUserAction: self._spot_dusting,
            act.ReserveRequestWeightAction: self._reserve,
            act.GossipPriorityBidAction: self._gossip_bid,
            act.ClaimRewardsAction: self._claim,
        }

    def _schedule_cancel(self, action: act.ScheduleCancelAction, origin: Origin, block: Block) -> None:
        account = origin.account
        if self._venue.settings.volume_gates and account.volume < SCHEDULE_VOLUME:
            raise RefusedError(
                "Cannot set scheduled cancel time until enough volume traded. "
                f"Required: $1000000. Traded: ${usd(account.volume)}"
            )
        if action.time is not None and action.time < block.time_ms + SCHEDULE_AHEAD_MS:
            raise RefusedError("Scheduled cancel time too early, must be at least 5 seconds from now.")
        fired = counted(account.cancel_alls_of_day, block.time_ms)[1] - 1
        if action.time is not None and self._venue.settings.limits == "venue" and fired >= SCHEDULES_A_DAY:
            raise RefusedError(f"Too many scheduled cancels triggered today ({SCHEDULES_A_DAY}).")  # own words
        account.cancel_all_ms = action.time

    def _approve_agent(self, action: act.ApproveAgentAction, origin: Origin, block: Block) -> None:
        account, venue = origin.account, self._venue
        agent = action.agent_address.lower()
        name, _, suffix = (action.agent_name or "").partition(" valid_until ")
        valid_until = int(suffix) if re.fullmatch("[0-9]{1,15}", suffix) else None
        if valid_until is not None and valid_until <= block.time_ms:
            raise RefusedError("Agent valid_until already expired.")
        if len(name) > 16 or (valid_until or 0) > block.time_ms + MAX_AGENT_LIFE_MS:
            raise RefusedError("Invalid agent name or valid_until.")
        removed = account.agent_removed_ms
        if removed is not None and block.time_ms < removed + venue.settings.agent_removal_ms:
            raise RefusedError("User has pending agent removal")
        if not int(agent, 16):
            account.agent_removed_ms = block.time_ms
        else:
            self._check_new_agent(account, agent, name)
        venue.approve(account, agent, name, valid_until)

    def _check_new_agent(self, account: Account, agent: str, name: str) -> None:
        owner = self._venue.agents.get(agent)
        if (owner is not None and owner[0] is not account) or agent in self._venue.accounts:
            raise RefusedError("Extra agent already used.")
        others = sum(1 for known in account.agents.values() if known.name and known.name != name)
        limit = MAX_NAMED_AGENTS + 2 * len(account.sub_accounts)
        if name and others >= limit:
            raise RefusedError(f"Too many extra agents for cumulative volume traded. Current limit is {limit}")

    def _approve_builder(self, action: act.ApproveBuilderFeeAction, origin: Origin, _block: Block) -> None:
        percent = try_parse(action.max_fee_rate.removesuffix("%"))
        # One tenth of a basis point is 0.001 %.
        tenths = -1 if percent is None else percent * 1_000 // SCALE
        if not action.max_fee_rate.endswith("%") or not 0 <= tenths <= MAX_BUILDER_RATE:
            raise RefusedError("Invalid builder fee rate.")
        builder = action.builder.lower()
        known = self._venue.accounts.get(builder)
        # Builders keep a standard account.
        is_unfit = known is None or known.is_unified or self._venue.margin.cross_value(known, "") < BUILDER_BALANCE
        if tenths and is_unfit:
            raise RefusedError("Builder has insufficient balance to be approved.")
        fees = origin.account.builder_fees
        if tenths and sum(1 for one, fee in fees.items() if fee and one != builder) >= MAX_BUILDERS:
            raise RefusedError(f"Too many approved builders. Current limit is {MAX_BUILDERS}")
        fees[builder] = tenths

    def _convert(self, action: act.ConvertToMultiSigUserAction, origin: Origin, _block: Block) -> None:
        try:
            signers = msgspec.json.decode(action.signers, type=Signers | None)
        except msgspec.MsgspecError:
            raise RefusedError("Invalid multi-sig signers.") from None
        if signers is None:
            origin.account.multi_sig = None
            return
        users = tuple(sorted({user.lower() for user in signers.authorized_users}))
        if len(users) != len(signers.authorized_users) or not 1 <= signers.threshold <= len(users) <= MAX_SIGNERS:
            raise RefusedError("Invalid multi-sig signers.")
        origin.account.multi_sig = MultiSig(users, signers.threshold)

    def _user_of(self, address: str, account: Account) -> Account:
        """Return the account that a setting is for: oneself or a sub-account."""
        lowered = address.lower()
        if lowered != account.address and lowered not in account.sub_accounts:
            raise RefusedError(f"Must deposit before performing actions. User: {lowered}")
        return self._venue.account(lowered)

    def _set_abstraction(self, action: act.UserSetAbstractionAction, origin: Origin, _block: Block) -> None:
        mode = LETTERS.get(action.abstraction, action.abstraction)
        self._choose(self._user_of(action.user, origin.account), mode)

    def _choose(self, account: Account, mode: str | None) -> None:
        if mode not in CHOICES:
            raise RefusedError("Invalid abstraction.")
        refusal = self._modes.choose(account, mode)
        if refusal is not None:
            raise RefusedError(refusal)

    def _portfolio_margin(self, action: act.UserPortfolioMarginAction, origin: Origin, _block: Block) -> None:
        self._choose(self._user_of(action.user, origin.account), PORTFOLIO if action.enabled else STANDARD)

    def _dex_abstraction(self, action: act.UserDexAbstractionAction, origin: Origin, _block: Block) -> None:
        self._user_of(action.user, origin.account).dex_abstraction = action.enabled

    def _agent_dex_abstraction(
        self, _action: act.AgentEnableDexAbstractionAction, origin: Origin, _block: Block
    ) -> None:
        origin.account.dex_abstraction = True

    def _agent_abstraction(self, action: act.AgentSetAbstractionAction, origin: Origin, _block: Block) -> None:
        self._choose(origin.account, LETTERS.get(action.abstraction))

    def _set_referrer(self, action: act.SetReferrerAction, origin: Origin, _block: Block) -> None:
        if origin.account.referrer is not None:
            raise RefusedError("Referrer already set.")
        origin.account.referrer = action.code

    def _big_blocks(self, action: act.EvmUserModifyAction, origin: Origin, _block: Block) -> None:
        origin.account.uses_big_blocks = action.using_big_blocks

    def _display_name(self, action: act.SetDisplayNameAction, origin: Origin, _block: Block) -> None:
        origin.account.display_name = action.display_name or None

    def _spot_dusting(self, action: act.SpotUserAction, origin: Origin, _block: Block) -> None:
        origin.account.keeps_spot_dust = action.toggle_spot_dusting.opt_out

    def _reserve(self, action: act.ReserveRequestWeightAction, origin: Origin, _block: Block) -> None:
        price = action.weight * REQUEST_PRICE
        self._purse.take_perp(origin.account, price)
        self._purse.burn(USDC, price)
        target = self._venue.account(action.destination.lower()) if action.destination else origin.account
        target.requests_bought += action.weight

    def _gossip_bid(self, action: act.GossipPriorityBidAction, origin: Origin, block: Block) -> None:
        price = self._venue.gossip.price(action.slot_id, block.time_ms)
        if price is None:
            raise RefusedError("Slot is not for sale.")
        if action.max_gas < price:
            raise RefusedError("Bid is below the current price.")
        token = self._purse.token(HYPE)
        self._purse.take_spot(origin.account, token, price)
        self._purse.burn(token, price)
        self._venue.gossip.sell(action.slot_id, action.ip, price, block.time_ms)

    def _claim(self, _action: act.ClaimRewardsAction, _origin: Origin, _block: Block) -> None:
        """Nothing accrues here, so there is nothing to pay."""
