"""Which traders suit a user, why in words with numbers, and how to spread money over them: see docs/discovery.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from hlfast.research.copyable import Copyable, copyable_of
from hlfast.research.figures import Analysis, Figures
from hlfast.research.grade import RISKS, Graded, grade
from hlfast.research.returns import Together, together

# Of compatibility: what a risk one and two levels above the profile leaves, another style, and a trader who rests.
_RISK_ABOVE = (1.0, 0.6, 0.2)
_OTHER_STYLE = 0.6
_ROLES = {"taker": 1.0, "mixed": 0.8, "maker": 0.5, "unknown": 0.7}
# From here on two traders are one bet, and one coin or one trip is the whole of a trader.
_ALIKE = 0.7
_ONE_COIN = 0.8
_ONE_TRIP = 0.5
_TOO_SMALL = 0.2


class Profile(Figures, frozen=True):
    """What a user wants. `most_share` bounds one trader's part of the money."""

    risk: Literal["low", "medium", "high"] = "medium"
    styles: tuple[str, ...] = ()  # empty: any
    capital_usd: Decimal = Decimal(10_000)
    most_traders: int = 5
    most_share: float = 0.4


class Compatibility(Figures, frozen=True):
    """How a trader fits a profile: the product of its parts, each 0 to 1."""

    total: float
    risk: float
    style: float
    role: float
    size: float  # share of his value in orders large enough at the user's size


class Recommendation(Figures, frozen=True):
    """One trader for one profile."""

    address: str
    grade: str
    score: float  # the grade's points at the user's size, times compatibility
    compatibility: Compatibility
    share: float  # suggested part of the money
    amount_usd: Decimal
    kept: Copyable  # at that amount
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


class Recommended(Figures, frozen=True):
    """The choice, best first, and what is to be said of it as a whole."""

    chosen: tuple[Recommendation, ...]
    insights: tuple[str, ...]


class _Suited(msgspec.Struct, frozen=True):
    one: Analysis
    graded: Graded
    fits: Compatibility
    score: float


def recommend(traders: Mapping[str, Analysis], profile: Profile, now_ms: int) -> Recommended:
    """Choose and weigh traders: nobody of grade D or F at the user's size, nobody inactive.

    Args:
        traders: figures by address.
        profile: the user's.
        now_ms: Unix milliseconds.
    """
    each_usd = profile.capital_usd * Decimal(str(min(profile.most_share, 1 / profile.most_traders)))
    judged = {address: _suited(one, profile, each_usd, now_ms) for address, one in traders.items()}
    fit = {address: found for address, found in judged.items() if found.graded.grade in "ABC" and found.graded.active}
    best = sorted(fit, key=lambda address: (-fit[address].score, address))[: profile.most_traders]
    moves = together({address: fit[address].one for address in best})
    shares = allocate(moves, profile.most_share)
    chosen = tuple(
        _recommendation(address, fit[address], share, profile, moves)
        for address, share in zip(best, shares, strict=True)
    )
    return Recommended(chosen=chosen, insights=_insights(chosen, len(traders), len(fit), moves))


def _suited(one: Analysis, profile: Profile, each_usd: Decimal, now_ms: int) -> _Suited:
    kept = copyable_of(one, each_usd)
    graded = grade(one, kept, now_ms)
    fits = compatibility(graded, kept, profile)
    return _Suited(one, graded, fits, round(graded.score * fits.total, 1))


def compatibility(graded: Graded, kept: Copyable, profile: Profile) -> Compatibility:
    """Weigh risk, style, role and size against a profile."""
    above = max(0, RISKS.index(graded.risk) - RISKS.index(profile.risk))
    parts = {
        "risk": _RISK_ABOVE[above],
        "style": 1.0 if not profile.styles or graded.style in profile.styles else _OTHER_STYLE,
        "role": _ROLES[graded.role],
        "size": round(1 - kept.not_copied, 4),
    }
    return Compatibility(total=round(float(np.prod(list(parts.values()))), 4), **parts)


def _recommendation(address: str, found: _Suited, share: float, profile: Profile, moves: Together) -> Recommendation:
    amount = (profile.capital_usd * Decimal(str(share))).quantize(Decimal("0.01"), rounding=ROUND_DOWN)
    kept = copyable_of(found.one, max(amount, Decimal("0.01")))
    graded = found.graded
    points = f"grade {graded.grade}: {graded.score:g} points, {found.fits.total:.0%} compatible"
    return Recommendation(
        address=address,
        grade=graded.grade,
        score=found.score,
        compatibility=found.fits,
        share=share,
        amount_usd=amount,
        kept=kept,
        reasons=(points, *graded.reasons, *_merits(found.one)),
        warnings=(*_mismatches(found, profile, kept, share), *_dangers(found.one), *_doubles(address, moves)),
    )


def _merits(one: Analysis) -> list[str]:
    said = []
    if one.trades.profit_factor is not None and one.trades.profit_factor > 1:
        rate = f", {one.trades.win_rate:.0%} of {one.trades.closed:,} trips won" if one.trades.win_rate else ""
        said.append(f"earned {one.trades.profit_factor:.2f} USD for each lost{rate}")
    if one.risk.sharpe is not None and one.risk.max_drawdown is not None:
        said.append(f"Sharpe ratio {one.risk.sharpe:.2f}, largest fall {-one.risk.max_drawdown:.1%}")
    return said


def _mismatches(found: _Suited, profile: Profile, kept: Copyable, share: float) -> list[str]:
    graded, said = found.graded, []
    if found.fits.risk < 1:
        said.append(f"risk is {graded.risk}, above the profile's {profile.risk}")
    if found.fits.style < 1:
        said.append(f"style is {graded.style}, not {' or '.join(profile.styles)}")
    if graded.bot_like:
        said.append("trades like a program: many orders at all hours")
    if not share:
        said.append("no money suggested: his returns are too few or never moved, so his risk is not known")
    elif kept.not_copied > _TOO_SMALL:
        said.append(f"{kept.not_copied:.0%} of his value can not be copied with this part of the money")
    return said


def _dangers(one: Analysis) -> list[str]:
    said = []
    if one.trades.liquidations:
        said.append(f"was liquidated in {one.trades.liquidations} positions")
    if one.exposure.largest_leverage is not None and one.exposure.largest_leverage > 10:
        said.append(f"held up to {one.exposure.largest_leverage:.0f} times his equity")
    if one.coins and one.coins[0].share > _ONE_COIN:
        said.append(f"{one.coins[0].share:.0%} of his volume is in {one.coins[0].coin}")
    largest, net = one.trades.largest_win_usd, one.money.net_usd
    if largest is not None and net > 0 and largest > net * Decimal(str(_ONE_TRIP)):
        said.append(f"one trip made {largest:,.0f} of his {net:,.0f} USD")
    if one.cut:
        said.append(f"the venue shows only his last {one.days:.0f} days")
    return said


def _doubles(address: str, moves: Together) -> list[str]:
    pairs = moves.alike.get(address, {})
    return [
        f"moves with {other[:10]}: correlation {value:.2f} over {moves.days} days"
        for other, value in pairs.items()
        if value > _ALIKE
    ]


def _insights(chosen: Sequence[Recommendation], known: int, fit: int, moves: Together) -> tuple[str, ...]:
    if not chosen:
        return (f"none of {known} judged traders is of grade A to C at this size and active",)
    said = [f"{len(chosen)} of {fit} fit ones chosen, out of {known} judged"]
    spread = sum(one.share for one in chosen)
    if spread < 0.995:
        said.append(
            f"{1 - spread:.0%} of the money stays where it is: the largest part of one trader bounds the others"
        )
    values = [value for row in moves.alike.values() for value in row.values()]
    if values:
        said.append(f"mean correlation {sum(values) / len(values):.2f} over {moves.days} days of realised profit")
    elif len(chosen) > 1:
        said.append("too few common days to compare their profits: they are taken to move together")
    gross = sum((one.kept.gross_usd for one in chosen if one.share), Decimal(0))
    kept = sum((one.kept.kept_usd for one in chosen if one.share), Decimal(0))
    if gross > 0:
        said.append(f"with these parts {kept:,.0f} of {gross:,.0f} USD of their records would have been kept")
    return tuple(said)


def allocate(moves: Together, most_share: float) -> tuple[float, ...]:
    """Spread money so that no trader, and no pair that moves together, carries the whole risk.

    Weights are in inverse proportion to deviation times (1 + mean positive correlation with the others), capped at
    `most_share`; what the cap leaves goes to the others, and stays unallocated when all are capped. A trader whose
    deviation is not known or zero gets nothing.

    Returns:
        Parts of the money, in the order of `moves`; their sum is 1 or less.
    """
    addresses = list(moves.deviation)
    known = [at for at, address in enumerate(addresses) if moves.deviation[address]]
    shares = np.zeros(len(addresses))
    if known:
        weights = np.array(
            [1 / ((moves.deviation[addresses[at]] or 1) * (1 + _likeness(addresses[at], moves))) for at in known]
        )
        shares[known] = _capped(weights / weights.sum(), most_share)
    # Down, so that the parts are never more than the whole.
    return tuple(float(np.floor(share * 10_000 + 1e-6) / 10_000) for share in shares)


def _likeness(address: str, moves: Together) -> float:
    """Mean positive correlation with the others; 1 where it is not known."""
    others = [other for other in moves.deviation if other != address]
    if not others:
        return 0.0
    pairs = moves.alike.get(address, {})
    return sum(max(0.0, pairs.get(other, 1.0)) for other in others) / len(others)


def _capped(weights: npt.NDArray[np.float64], most: float) -> npt.NDArray[np.float64]:
    """Give what exceeds the cap to those below it, until none is above."""
    shares = weights.copy()
    for _ in range(len(weights)):
        over = shares > most + 1e-12
        if not over.any():
            break
        spare = float((shares[over] - most).sum())
        shares[over] = most
        below = shares < most - 1e-12
        if not below.any():
            break
        shares[below] += spare * shares[below] / shares[below].sum()
    return np.minimum(shares, most)
