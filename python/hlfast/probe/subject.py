"""Whom a probe works for, and what refuses it before anything is signed."""

from __future__ import annotations

from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

import msgspec

from hlfast.config.problems import Problem
from hlfast.config.values import url as check_url
from hlfast.config.values import venue_network
from hlfast.errors import HlfastError
from hlfast.venue.accounts import OpenOrder
from hlfast.venue.info import Info
from hlfast.venue.metadata import Asset, Assets, UnknownCoinError

# Five resting orders of 11 USD need less than this even without leverage.
LEAST_USD: Final = Decimal(100)
# An address without requests is answered one action in 10 s; a whole probe sends fewer than these.
LEAST_REQUESTS: Final = 500
# "hlprobe" and a version: a probe finds its own orders by it, those of an earlier one that was killed too.
CLOID_PREFIX: Final = "0x686c70726f626501"


class RefusedError(HlfastError):
    """A probe that does not begin: what is wrong, and what to do."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


class Subject(msgspec.Struct, frozen=True, gc=False):
    """One account with its agent, and the coin that is asked with."""

    account: str
    agent: str
    equity: Decimal  # USD
    asset: Asset
    mid: Decimal  # when the probe began
    strays: int  # resting orders of an earlier probe


def require_testnet(url: str) -> None:
    """Refuse mainnet by name, and what is no URL.

    Another host than the testnet's passes: signatures are made for the testnet, so mainnet takes none of them behind
    any name.

    Raises:
        RefusedError: it names what to write instead.
    """
    # A name may end in a dot and is the same host.
    if venue_network(urlsplit(url).hostname) == "mainnet":
        fix = "leave --url out for the testnet, or name a simulator's (hlfast sim)"
        raise RefusedError(f"{url} is mainnet: a probe sends orders to see what is refused, and never there", fix)
    problems: list[Problem] = []
    check_url(problems, "--url", url, ("http", "https"))
    if problems:
        raise RefusedError(f"--url {problems[0].what}", problems[0].fix)


async def examine(info: Info, agent: str, coin: str) -> Subject:
    """Find the agent's account and see whether it is fit for a probe. Reads only.

    Raises:
        RefusedError: the agent isn't approved, the account holds too little, or something of its own on the coin.
    """
    account = await _master_of(info, agent)
    equity = await _equity_of(info, account)
    if equity < LEAST_USD:
        fix = "deposit on the testnet (its faucet gives test dollars)"
        raise RefusedError(f"account {account} holds {equity:.2f} USD; a probe needs {LEAST_USD}", fix)
    limit = await info.user_rate_limit(account)
    left = limit.n_requests_cap + limit.n_requests_surplus - limit.n_requests_used
    if left < LEAST_REQUESTS:
        raise RefusedError(
            f"account {account} has {left} requests left at the venue", "trade some volume, or take another account"
        )
    asset = await _coin(info, coin)
    strays = await _require_untouched(info, account, asset.coin)
    mid = (await info.all_mids()).get(asset.coin)
    if mid is None:
        raise RefusedError(f"{coin} has no price now", "choose another with --coin")
    return Subject(account, agent, equity, asset, mid, strays)


async def _master_of(info: Info, agent: str) -> str:
    role = await info.user_role(agent)
    if role.role == "agent" and role.data is not None and role.data.user:
        return role.data.user.lower()
    if role.role == "missing":
        fix = "approve it as an API wallet of a testnet account, with that account's own wallet"
        raise RefusedError(f"agent {agent} is not approved there", fix)
    what = f"{agent} is an account of its own there ({role.role}), not an agent"
    raise RefusedError(what, "make an agent (hlfast keys new) and approve it; an account's own key must not be here")


async def _equity_of(info: Info, account: str) -> Decimal:
    equity = (await info.clearinghouse_state(account)).margin_summary.account_value
    if equity:
        return equity
    # Unified accounts keep their equity in spot.
    spot = await info.spot_state(account)
    return sum((balance.total for balance in spot.balances if balance.coin == "USDC"), start=Decimal(0))


async def _coin(info: Info, coin: str) -> Asset:
    try:
        asset = (await Assets.load(info))[coin]
    except UnknownCoinError as error:
        raise RefusedError(str(error), "correct --coin") from None
    if asset.is_spot or asset.is_delisted:
        raise RefusedError(f"{coin} is {'spot' if asset.is_spot else 'delisted'}", "choose a live perp with --coin")
    return asset


async def _require_untouched(info: Info, account: str, coin: str) -> int:
    """Return how many orders of an earlier probe rest there.

    Raises:
        RefusedError: the account has a position there, or other orders: what a probe opens must be told from them.
    """
    fix = "close it by hand, or choose another coin with --coin"
    for row in (await info.clearinghouse_state(account)).asset_positions:
        if row.position.coin == coin and row.position.szi:
            raise RefusedError(f"account {account} holds {row.position.szi} {coin}", fix)
    ours, others = [], 0
    for order in await info.frontend_open_orders(account):
        if is_ours(order):
            ours.append(order.coin)
        else:
            others += order.coin == coin
    if others:
        raise RefusedError(f"account {account} has {others} orders of its own on {coin}", fix)
    elsewhere = next((each for each in ours if each != coin), None)
    if elsewhere is not None:
        raise RefusedError(f"an earlier probe left orders on {elsewhere}", f"cancel them with --coin {elsewhere}")
    return len(ours)


def is_ours(order: OpenOrder) -> bool:
    """Tell whether a probe placed this order."""
    return order.cloid is not None and order.cloid.startswith(CLOID_PREFIX)
