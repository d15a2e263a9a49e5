"""One record replayed for followers of many sizes: what grades and recommendations rest on."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from hlfast.research.figures import CopyAt
from hlfast.research.history import History
from hlfast.research.whatif.model import MICRO, Markets, Model, check
from hlfast.research.whatif.record import prepare
from hlfast.research.whatif.run import Bench, Policy, Run
from hlfast.research.whatif.summary import net_usd

# Half a decade apart. Below the smallest no order of anybody reaches the venue's minimum.
LADDER: Final = tuple(Decimal(usd) for usd in (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 10**6))
_COSTS: Final = ("drift", "spread", "impact", "fees")
_CENT: Final = Decimal("0.01")
_MICRODOLLAR: Final = Decimal("0.000001")


def copies_of(
    history: History, leader_usd: Decimal, sizes: Iterable[Decimal] = (), markets: Markets | None = None
) -> tuple[CopyAt, ...]:
    """Replay a record in proportion to the equities, once for each size of a follower.

    The ideal copy is worked out for the middle size and scaled to the others.

    Args:
        history: the leader's fills.
        leader_usd: what he works with; above zero.
        sizes: USD, beside those of `LADDER`.
        markets: what is known of coins.

    Returns:
        The smallest first; nothing when no perpetual is among the fills.

    Raises:
        ValueError: an equity that makes no sense.
    """
    models = [_model(usd, leader_usd) for usd in sorted({*LADDER, *sizes})]
    for model in models:
        check(model)
    try:
        prepared = prepare(history, markets)
    except ValueError:
        return ()
    middle, policy = models[len(models) // 2], Policy()
    bench = Bench(prepared, policy, middle)
    base = bench.judge(bench.run(policy, middle, keep=True))
    edge, ideal = base.edge_usd / middle.equity_usd, base.ideal_volume_usd / middle.equity_usd
    return tuple(_copy(bench.run(policy, model), model, edge, ideal) for model in models)


def _model(follower_usd: Decimal, leader_usd: Decimal) -> Model:
    return Model(equity_usd=follower_usd, leader_equity_usd=max(leader_usd.quantize(_CENT), _CENT))


def _copy(run: Run, model: Model, edge: Decimal, ideal: Decimal) -> CopyAt:
    coins: list[dict[str, Any]] = run.outcome["coins"]
    cost = Decimal(sum(coin[name] for coin in coins for name in _COSTS)) / MICRO
    return CopyAt(
        follower_usd=model.equity_usd,
        edge_usd=(edge * model.equity_usd).quantize(_MICRODOLLAR),
        cost_usd=cost.quantize(_MICRODOLLAR),
        net_usd=net_usd(run.outcome, model).quantize(_MICRODOLLAR),
        ideal_usd=(ideal * model.equity_usd).quantize(_MICRODOLLAR),
        volume_usd=run.volume_usd.quantize(_MICRODOLLAR),
    )
