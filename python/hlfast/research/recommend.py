"""Which traders suit a user, why in words, and how to spread money over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from hlfast.research.figures import Figures
from hlfast.research.grade import RISKS, Graded


class Profile(Figures, frozen=True):
    """What a user wants. `most_share` bounds one trader's part of the money."""

    risk: Literal["low", "medium", "high"] = "medium"
    styles: tuple[str, ...] = ()  # empty: any
    most_traders: int = 5
    most_share: float = 0.4


class Recommendation(Figures, frozen=True):
    """One trader for one profile."""

    address: str
    score: float  # the grade's score, less what does not suit
    share: float  # suggested part of the money
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


def recommend(
    graded: Mapping[str, Graded], returns: Mapping[str, Sequence[float]], profile: Profile
) -> tuple[Recommendation, ...]:
    """Choose and weigh traders, best first; nobody of grade D or F, nobody inactive.

    Args:
        graded: by address.
        returns: daily returns by address, all over the same days (see `allocate`).
        profile: the user's.
    """
    scored = {address: _suited(one, profile) for address, one in graded.items() if one.grade in "ABC" and one.active}
    best = sorted(scored, key=lambda address: (-scored[address][0], address))[: profile.most_traders]
    shares = allocate([returns.get(address, ()) for address in best], profile.most_share)
    return tuple(
        Recommendation(
            address=address,
            score=round(scored[address][0], 1),
            share=share,
            reasons=(f"grade {graded[address].grade}, {graded[address].score} points", *graded[address].reasons),
            warnings=scored[address][1],
        )
        for address, share in zip(best, shares, strict=True)
    )


def _suited(one: Graded, profile: Profile) -> tuple[float, tuple[str, ...]]:
    score, warnings = one.score, []
    above = RISKS.index(one.risk) - RISKS.index(profile.risk)
    if above > 0:
        score -= 15 * above
        warnings.append(f"risk is {one.risk}, above the profile's {profile.risk}")
    if profile.styles and one.style not in profile.styles:
        score -= 10
        warnings.append(f"style is {one.style}, not {' or '.join(profile.styles)}")
    if one.bot_like:
        warnings.append("trades like a program: many orders at all hours")
    return score, tuple(warnings)


def allocate(returns: Sequence[Sequence[float]], most_share: float) -> tuple[float, ...]:
    """Spread money so that no trader, and no pair that moves together, carries the whole risk.

    Weights are in inverse proportion to deviation times (1 + mean positive correlation with the others), capped at
    `most_share`; what the cap leaves goes to the others, and stays unallocated when all are capped. A trader with fewer
    than five returns, or none that moved, gets nothing: his risk is not known.

    Returns:
        Parts of the money, in the order given; their sum is 1 or less.
    """
    length = min((len(row) for row in returns if len(row) >= 5), default=0)
    known = [at for at, row in enumerate(returns) if length and len(row) >= length and np.std(row[-length:]) > 0]
    if not known:
        return (0.0,) * len(returns)
    table = np.array([list(returns[at])[-length:] for at in known], dtype=np.float64)
    alike = np.clip(np.corrcoef(table), 0.0, 1.0) if len(known) > 1 else np.ones((1, 1))
    others = (alike.sum(axis=1) - 1.0) / max(1, len(known) - 1)
    weights = 1.0 / (table.std(axis=1, ddof=1) * (1.0 + others))
    shares = np.zeros(len(returns))
    shares[known] = _capped(weights / weights.sum(), most_share)
    return tuple(round(float(share), 4) for share in shares)


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
