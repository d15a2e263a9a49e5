"""What some accounts have beside balances and positions: signers, a vault's book, a stake, loans."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, frozen=True)
class MultiSig:
    """Who signs for a multi-sig account, sorted, and how many of them it takes."""

    users: tuple[str, ...]
    threshold: int


@dataclass(slots=True)
class VaultShare:
    """A depositor's part of a vault: `units` of its equity, bought for `basis`, locked for a while."""

    units: int = 0
    basis: int = 0
    entered_ms: int = 0
    locked_until_ms: int = 0


@dataclass(slots=True)
class VaultBook:
    """Terms and depositors of a vault, the leader among them."""

    description: str = ""
    created_ms: int = 0
    allow_deposits: bool = True
    always_close_on_withdraw: bool = False
    shares: dict[str, VaultShare] = field(default_factory=dict)

    @property
    def units(self) -> int:
        """All units that depositors hold."""
        return sum(share.units for share in self.shares.values())

    def equity(self, address: str, value: int) -> int:
        """Return a depositor's part of the vault's value."""
        share = self.shares.get(address)
        units = self.units
        return value * share.units // units if share is not None and units else 0


@dataclass(slots=True)
class Delegation:
    """HYPE at one validator, locked for a while after each delegation."""

    amount: int = 0
    locked_until_ms: int = 0


@dataclass(slots=True)
class Stake:
    """HYPE in staking, in counts of 1e-8: free, delegated, and on its way back to spot."""

    undelegated: int = 0
    delegations: dict[str, Delegation] = field(default_factory=dict)
    pending: list[tuple[int, int]] = field(default_factory=list)  # (amount, due ms)
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def delegated(self) -> int:
        """What all validators hold."""
        total = 0
        for delegation in self.delegations.values():
            total += delegation.amount
        return total

    @property
    def total(self) -> int:
        """All HYPE of this stake."""
        total = self.undelegated + self.delegated
        for amount, _ in self.pending:
            total += amount
        return total


@dataclass(slots=True)
class Loans:
    """Tokens supplied to the venue's pool and borrowed from it; supplied ones stay part of the spot balance."""

    supplied: dict[int, int] = field(default_factory=dict)
    borrowed: dict[int, int] = field(default_factory=dict)
