"""What the judge reads: fills as injected, the simulator's ledger, and the engine's receipts, as plain records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from hlfast.config.model import Config
    from hlfast.demo.policy import Span


@dataclass(frozen=True, slots=True)
class LeaderFill:
    """One fill of a leader as the simulator published it. `event` numbers the injection it was part of."""

    event: int
    leader: str  # Leader.name
    coin: str
    tid: int
    time_ms: int
    price: Decimal
    start: Decimal  # signed position before
    end: Decimal  # signed position after


@dataclass(frozen=True, slots=True)
class Receipt:
    """The engine's one terminal record for a leader fill and a follow edge."""

    leader: str  # Leader.name
    follower: str  # Follower.name
    coin: str
    tid: int
    outcome: str  # filled, partly_filled, merged_into, carried, skipped, blocked, expired, rejected
    reason: str = ""
    time_ms: int = 0  # when it became terminal
    decision: int = 0  # fills decided together share it
    merged_into: int | None = None  # the decision whose receipt carries the numbers


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill of a follower's account in the simulator's ledger. `size` is signed: buys are positive."""

    follower: str  # Follower.name
    coin: str
    size: Decimal
    price: Decimal
    time_ms: int
    oid: int
    cloid: str


@dataclass(frozen=True, slots=True)
class VenueAction:
    """One action that reached the simulator. `unfilled`: it was refused, or an order in it did not fill."""

    follower: str  # Follower.name, or "" for a signer that belongs to none
    nonce: int
    digest: str
    kind: str  # order, noop, updateLeverage, …
    accepted: bool
    time_ms: int
    unfilled: bool = False


@dataclass(frozen=True, slots=True)
class VenueLedger:
    """Everything the simulator knows about the followers. Positions are signed and keyed by (follower, coin)."""

    executions: tuple[Execution, ...]
    actions: tuple[VenueAction, ...]
    positions: dict[tuple[str, str], Decimal]
    counters: dict[str, int]


@dataclass(frozen=True, slots=True)
class Holding:
    """A position that a leader has when the engine starts, and the coin's price then."""

    position: Decimal
    entry_price: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Evidence:
    """One whole run."""

    config: Config
    fills: tuple[LeaderFill, ...]  # in the order of injection
    holdings: dict[tuple[str, str], Holding]  # by (leader, coin)
    lots: dict[str, Decimal]  # smallest size step of each coin
    ledger: VenueLedger
    receipts: tuple[Receipt, ...]
    equity_ratios: dict[tuple[str, str], Span] = field(default_factory=dict)  # follower ÷ leader, by (leader, follower)
    delisted: frozenset[str] = frozenset()
    interrupted: bool = False  # the engine was killed and restarted: any entry may have become too old meanwhile
