"""Every switch of the simulated venue. Those that the control door may change at run time are mutable fields here."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0, le=10**9)]


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Prices of behaviour are whole numbers: milliseconds, basis points, USD.

    Switches marked "unconfirmed" stand for questions that the venue's documents leave open.
    """

    network: Literal["mainnet", "testnet"] = "testnet"  # the official SDK signs as testnet for any foreign URL
    verify: bool = True  # off, in process only: a request's `r` names its signer, its hash is a stand-in
    limits: Literal["venue", "off"] = "off"
    auto_fund_usd: Count = 0  # 0: an unknown signer is refused
    block_ms: Count = 20  # the venue's blocks take about 70 ms; 0: each action is a block of its own, at once
    latency_ms: Count = 0  # age that an action must reach before a block takes it
    taker_delay_ms: Count = 0  # how much longer takers wait than cancels and post-only orders (some blocks, live)
    spread_bps: Count = 2  # of the synthetic maker, best bid to best ask
    depth_usd: Count = 20_000_000  # of the synthetic maker, on each side
    levels: Annotated[int, Meta(ge=1, le=20)] = 8
    asset_suffix: bool = True  # item errors end in " asset=N", as live ones do
    repeated_cloid: Literal["accept", "refuse", "refuse_resting"] = "accept"  # unconfirmed
    partial_gtc: Literal["resting", "filled"] = "resting"  # unconfirmed
    agents_move_funds: bool = False  # unconfirmed: agent-signed transfers
    order_status_lag_ms: Count = 0  # orderStatus knows an order only after so long (about 200 ms at the venue's edge)
    unchosen_mode: Literal["disabled", "default"] = "disabled"  # userAbstraction of an account that never chose a mode
    unified_total: Literal["equity", "cash"] = "equity"  # unconfirmed: a unified total holds open profit, or doesn't
    unified_transfers: Literal["refuse", "accept"] = "refuse"  # unconfirmed: usdClassTransfer of unified accounts
    stale_cloid: bool = False  # unconfirmed: by cloid, orderStatus shows the first order that had it, not the last
    high_s: Literal["accept", "refuse"] = "accept"  # unconfirmed: signatures whose s is above half of the order
    too_many_body: Annotated[str, Meta(max_length=200)] = "null"  # unconfirmed: body of HTTP 429
    too_many_post: Annotated[str, Meta(max_length=200)] = "429 Too Many Requests"  # unconfirmed: the same in a post
    trades_frame: Literal["block", "taker"] = "block"  # unconfirmed: whether takers of a block share a trades frame
    web_data2: Literal["refuse", "serve"] = "refuse"  # the live server refuses the channel, the official SDK offers it
    agent_grace_s: Count = 0  # unconfirmed: how long an expired agent still acts (one test saw 15 minutes)
    agent_removal_ms: Count = 5_000  # after removing an agent, no new one is approved for so long
    prune_nonces: bool = True  # an agent's nonces go with it, so that its old requests pass again if it comes back
    prune_broke: bool = True  # agents of an account without funds are deregistered when they next act
    multi_sig_agents: bool = False  # unconfirmed: agents of a multi-sig account act without its signers
    vault_lock_s: Count = 86_400  # a vault's deposits stay in for a day
    delegation_lock_s: Count = 86_400  # a delegation stays with its validator for a day
    unstake_s: Count = 604_800  # staked HYPE is back in spot after a week
    reply_first: bool = False  # post replies before (True) or after (False) the feeds of their block
    volume_gates: bool = False  # scheduleCancel and sub-accounts need $1M and $100k of volume
    dex_collateral: bool = True  # builder dexs draw collateral from the main balance when an order needs it
    idle_close_s: Annotated[int, Meta(ge=1, le=3600)] = 60
    max_users: Count = 10  # unique users in subscriptions of one source address, with limits "venue"
    halted: bool = False  # every order is refused with "Trading is halted."
    halted_coins: tuple[str, ...] = ()  # orders of these coins are
    post_only: bool = False  # only post-only orders are taken, as after an upgrade of the network


MUTABLE = frozenset(Settings.__struct_fields__) - {"network", "verify"}


def check(changes: dict[str, object]) -> None:
    """Check run-time changes by themselves.

    Raises:
        ValueError: an unknown switch, one that is fixed at start, or a value outside its range.
    """
    for name in changes:
        if name not in MUTABLE:
            raise ValueError(f"{name!r} is no switch that can change at run time; known: {', '.join(sorted(MUTABLE))}")
    try:
        msgspec.convert(changes, Settings)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


def change(settings: Settings, changes: dict[str, object]) -> None:
    """Apply run-time changes, all or none.

    Raises:
        ValueError: an unknown switch, one that is fixed at start, or a value outside its range.
    """
    check(changes)
    fresh = msgspec.convert(changes, Settings)
    for name in changes:
        setattr(settings, name, getattr(fresh, name))
