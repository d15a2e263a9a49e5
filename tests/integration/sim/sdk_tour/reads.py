"""Steps that read: what was traded and moved before is what must be seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hyperliquid.info import Info
from hyperliquid.utils.types import Cloid
from tour import Tour, step

Read = Callable[[Info, str], Any]


def hour_ago() -> int:
    """Return the time an hour ago, in ms."""
    return int(time.time() * 1000) - 3_600_000


def newest_first(rows: list[Any]) -> bool:
    """Tell whether there are rows, and each is no younger than the one before."""
    return bool(rows) and all(a["time"] >= b["time"] for a, b in pairwise(rows))


def paired(answer: Any) -> bool:
    """Tell whether each asset has its context."""
    return len(answer[0]["universe"]) == len(answer[1])


def third_dex(info: Info) -> bool:
    """Teach the client a dex that it wasn't started with."""
    info.set_perp_meta(info.meta("flx"), 120_000)
    return bool(info.name_to_asset("flx:CRCL") == 120_000)


def paid(rows: list[Any]) -> bool:
    """Tell whether all rows are payments; a tour sees one only when an hour ends meanwhile."""
    return all(row["delta"]["type"] == "funding" for row in rows)


def rated(rows: list[Any]) -> bool:
    """Tell whether all rows are rates, as `paid` does."""
    return all(row["coin"] == "BTC" and float(row["fundingRate"]) < 1 for row in rows)


def candles(info: Info) -> int:
    """Return how many trades the last hour's candles count."""
    return sum(row["n"] for row in info.candles_snapshot("ETH", "1m", hour_ago(), hour_ago() + 3_600_000))


READS: dict[str, tuple[str, Read]] = {
    "user_state": ("positions", lambda info, user: info.user_state(user)["assetPositions"]),
    "spot_user_state": ("balances", lambda info, user: info.spot_user_state(user)["balances"]),
    "open_orders": ("rows", lambda info, user: info.open_orders(user)),
    "frontend_open_orders": ("rows", lambda info, user: info.frontend_open_orders(user)),
    "all_mids": ("mids of BTC and @107", lambda info, _: info.all_mids()["BTC"] and info.all_mids()["@107"]),
    "user_fills": ("rows, newest first", lambda info, user: newest_first(info.user_fills(user))),
    "user_fills_by_time": (
        "rows, oldest first",
        lambda info, user: newest_first(info.user_fills_by_time(user, hour_ago())[::-1]),
    ),
    "meta": ("universe", lambda info, _: info.meta()["universe"]),
    "meta_and_asset_ctxs": ("one context an asset", lambda info, _: paired(info.meta_and_asset_ctxs())),
    "perp_dexs": ("null, then the dexs", lambda info, _: info.perp_dexs()[0] is None and info.perp_dexs()[1]["name"]),
    "spot_meta": ("universe", lambda info, _: info.spot_meta()["universe"]),
    "spot_meta_and_asset_ctxs": ("contexts", lambda info, _: info.spot_meta_and_asset_ctxs()[1]),
    "funding_history": (
        "rows of hours that ended since",
        lambda info, _: rated(info.funding_history("BTC", hour_ago())),
    ),
    "user_funding_history": (
        "rows of hours that ended since",
        lambda info, u: paid(info.user_funding_history(u, hour_ago())),
    ),
    "l2_snapshot": ("both sides", lambda info, _: all(info.l2_snapshot("BTC")["levels"])),
    "candles_snapshot": ("trades counted", lambda info, _: candles(info)),
    "user_fees": ("rates", lambda info, user: info.user_fees(user)["userCrossRate"]),
    "user_staking_summary": ("delegated", lambda info, user: float(info.user_staking_summary(user)["delegated"])),
    "user_staking_delegations": ("rows", lambda info, user: info.user_staking_delegations(user)),
    "user_staking_rewards": ("none accrue here", lambda info, user: info.user_staking_rewards(user) == []),
    "delegator_history": ("rows", lambda info, user: info.delegator_history(user)),
    "query_referral_state": ("volume", lambda info, user: float(info.query_referral_state(user)["cumVlm"])),
    "query_sub_accounts": ("rows", lambda info, user: info.query_sub_accounts(user)),
    "query_user_to_multi_sig_signers": ("null", lambda info, u: info.query_user_to_multi_sig_signers(u) is None),
    "query_perp_deploy_auction_status": ("an auction", lambda info, _: info.query_perp_deploy_auction_status()),
    "query_spot_deploy_auction_status": ("an auction", lambda info, u: info.query_spot_deploy_auction_status(u)),
    "query_user_dex_abstraction_state": ("true", lambda info, user: info.query_user_dex_abstraction_state(user)),
    "query_user_abstraction_state": ("the mode", lambda info, user: info.query_user_abstraction_state(user)),
    "historical_orders": ("rows", lambda info, user: info.historical_orders(user)),
    "user_non_funding_ledger_updates": ("rows", lambda info, u: info.user_non_funding_ledger_updates(u, hour_ago())),
    "portfolio": ("eight periods", lambda info, user: len(info.portfolio(user)) == 8),
    "user_vault_equities": ("rows", lambda info, user: info.user_vault_equities(user)),
    "user_role": ("user", lambda info, user: info.user_role(user) == {"role": "user"}),
    "user_rate_limit": ("requests used", lambda info, user: info.user_rate_limit(user)["nRequestsUsed"]),
    "extra_agents": ("rows", lambda info, user: info.extra_agents(user)),
    "query_order_by_oid": (
        "the first open order",
        lambda info, user: info.query_order_by_oid(user, info.open_orders(user)[0]["oid"])["order"],
    ),
    "query_order_by_cloid": ("an order", lambda info, u: info.query_order_by_cloid(u, Cloid.from_int(8))["order"]),
    "name_to_asset": (
        "ids",
        lambda info, _: [info.name_to_asset(name) for name in ("ETH", "HYPE/USDC")] == [1, 10_107],
    ),
    "set_perp_meta": ("an id of another dex", lambda info, _: third_dex(info)),
    "post": ("exchangeStatus", lambda info, _: info.post("/info", {"type": "exchangeStatus"})["time"]),
}


def read(name: str, seen: str, look: Read) -> None:
    """Make the step of one read."""

    @step(f"Info.{name}", seen)
    def sees(tour: Tour) -> None:
        assert look(tour.info, tour.user)


@step("Info.user_twap_slice_fills", "the first slice of a TWAP")
def user_twap_slice_fills(tour: Tour) -> None:
    wire = {"a": 1, "b": True, "s": "1", "r": False, "m": 5, "t": False}
    placed = tour.send(tour.wallet, {"type": "twapOrder", "twap": wire})
    number = placed["response"]["data"]["status"]["running"]["twapId"]
    deadline = time.monotonic() + 5
    while not tour.info.user_twap_slice_fills(tour.user) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert {row["twapId"] for row in tour.info.user_twap_slice_fills(tour.user)} == {number}


@step("Exchange.post", "exchangeStatus")
def post(tour: Tour) -> None:
    tour.rest(1_000)
    assert tour.exchange.post("/info", {"type": "exchangeStatus"})["time"] > 0


for method, (what, makes) in READS.items():
    read(method, what, makes)
