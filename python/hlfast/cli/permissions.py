"""What an account must have allowed for its orders to go as the settings say. Reads only."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hlfast.cli.finding import Finding, ok, warning, wrong
from hlfast.config.model import Config, Follower
from hlfast.venue.info import Info


class _Stake(msgspec.Struct):
    undelegated: Decimal


async def check_permissions(config: Config, info: Info, follower: Follower) -> list[Finding]:
    """Ask about what the settings use of an account: its builder's fee, its stake. Nothing to ask, nothing found."""
    return [*await _builder_findings(config, info, follower), *await _stake_findings(info, follower)]


async def _builder_findings(config: Config, info: Info, follower: Follower) -> list[Finding]:
    builder = config.builder
    own = follower.builder_fee_tenths_bps
    fee = own if own is not None else builder.fee_tenths_bps if builder is not None else 0
    if builder is None or fee == 0:
        return []
    about = f"builder {follower.name}"
    allowed = await info.max_builder_fee(follower.account, builder.address)
    if allowed >= fee:
        return [ok(about, f"{fee} tenths of a basis point, {allowed} approved")]
    text = f"the account has approved {allowed} tenths of a basis point for {builder.address}, not {fee}"
    fix = f"sign approveBuilderFee with maxFeeRate {fee / 1000:g}% by its master; until then orders go without"
    return [wrong(about, text, fix)]


async def _stake_findings(info: Info, follower: Follower) -> list[Finding]:
    if follower.max_priority_bps is None:
        return []
    about = f"priority {follower.name}"
    stake = await info.ask(_Stake, "delegatorSummary", user=follower.account)
    if stake.undelegated > 0:
        return [ok(about, f"{stake.undelegated.normalize():f} HYPE staked and not delegated")]
    fix = "stake some HYPE and leave it undelegated; until then entries go without a bid"
    return [warning(about, "has no undelegated stake to bid with", fix)]
