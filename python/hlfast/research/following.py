"""Which discovered traders are followed without being asked, within the settings' caps. Does nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from hlfast.config.model import AutoFollow, Config, Follow
from hlfast.research.discovery import Judged
from hlfast.research.figures import Figures
from hlfast.research.grade import RISKS

# Of an address in a leader's name: tells apart what a person would look up anyway.
_NAMED_DIGITS = 10
_GRADES = ("A", "B", "C", "D", "F")


class PlannedFollow(Figures, frozen=True):
    """One follow that the caps allow, as the settings would write it, and what speaks for it."""

    address: str
    follow: Follow
    why: str
    refused: str | None = None  # why it was not begun, once it was tried


class FollowPlan(Figures, frozen=True):
    """The plan. `passed_over` are (address, the first reason against it)."""

    follows: tuple[PlannedFollow, ...]
    passed_over: tuple[tuple[str, str], ...]


def leader_name(address: str) -> str:
    """Return what a discovered leader is called in settings and receipts."""
    return f"auto-{address[2 : 2 + _NAMED_DIGITS]}"


def plan_follows(
    judged: Iterable[Judged],
    config: Config,
    held: Iterable[tuple[str, str]],
    now_ms: int,
    *,
    ended: Iterable[str] = (),
    refused: Iterable[str] = (),
) -> FollowPlan:
    """Choose from judged traders, best score first.

    A trader followed already takes no second place; whoever of the followers does not follow him yet is planned too.

    Args:
        judged: from the store.
        config: its `discovery.auto_follow` has the caps; its leaders and accounts are never chosen.
        held: (address, follower) followed this way now; their addresses count against the cap.
        now_ms: judgements older than `discovery.refresh_s` are not acted upon.
        ended: addresses that were followed this way until an operator ended it: they are not followed again.
        refused: addresses that could be followed for nobody just now: the next one has their place.
    """
    auto = config.discovery.auto_follow
    edges = set(held)
    taken, over, hopeless = {address for address, _ in edges}, set(ended), set(refused)
    room = auto.most_leaders - len(taken)
    own = {leader.address.lower() for leader in config.leaders} - taken
    own |= {address.lower() for one in config.followers for address in (one.account, one.agent)}
    chosen: list[PlannedFollow] = []
    passed: list[tuple[str, str]] = []
    for one in sorted(judged, key=lambda one: (-one.graded.score, one.address)):
        missing = [follower for follower in auto.followers if (one.address, follower) not in edges]
        if not missing:
            continue
        against = "was followed this way until it was ended" if one.address in over else None
        against = against or ("could be followed for nobody" if one.address in hopeless else None)
        against = against or next(_against(one, config, own, now_ms), None)
        is_new = one.address not in taken
        if against is None and is_new and room <= 0:
            against = f"{auto.most_leaders} leaders are followed this way already"
        if against is not None:
            passed.append((one.address, against))
            continue
        room -= is_new
        chosen += [_planned(one, auto, follower) for follower in missing]
    return FollowPlan(follows=tuple(chosen), passed_over=tuple(passed))


def _against(one: Judged, config: Config, own: set[str], now_ms: int) -> Iterator[str]:
    auto = config.discovery.auto_follow
    if one.address in own:
        yield "is a leader, an account or an agent of the settings"
    if now_ms - one.made_ms > config.discovery.refresh_s * 1000:
        yield "the judgement is too old"
    if not one.graded.active:
        yield "did not trade for a week"
    if _GRADES.index(one.graded.grade) > _GRADES.index(auto.least_grade):
        yield f"grade {one.graded.grade} is below {auto.least_grade}"
    if RISKS.index(one.graded.risk) > RISKS.index(auto.most_risk):
        yield f"risk is {one.graded.risk}, above {auto.most_risk}"


def _planned(one: Judged, auto: AutoFollow, follower: str) -> PlannedFollow:
    follow = Follow(
        leader=leader_name(one.address),
        follower=follower,
        mode="notional",
        notional_usd=auto.notional_usd,
        max_position_usd=auto.max_position_usd,
    )
    why = f"grade {one.graded.grade} with {one.graded.score:g} points; {one.graded.reasons[0]}"
    return PlannedFollow(address=one.address, follow=follow, why=why)


def judged_of(judgement: object) -> Judged | None:
    """Read a judgement of the store; None for one of another version, which the next search makes anew."""
    try:
        return msgspec.convert(judgement, Judged)
    except msgspec.ValidationError:
        return None
