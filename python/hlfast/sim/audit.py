"""Conservation: what an account holds is weighed again after each block that touched it, and nothing may be missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hlfast.sim.accounts import Account
from hlfast.sim.blocks import Block
from hlfast.sim.universe import Universe

HYPE = "HYPE"
# Money by token index, positions by coin; both in counts of 1e-8.
Weights = dict[int | str, int]


class ConservationError(Exception):
    """Money or positions appeared or vanished in a block. The venue takes no further block."""

    def __init__(self, what: str, amount: int, block: int) -> None:
        super().__init__(f"block {block}: {what} changed by {amount} (counts of 1e-8) that nothing accounts for")
        self.what = what
        self.amount = amount
        self.block = block


class Audit:
    """Running sums over all accounts; each block costs as much as the accounts that it touched.

    For each token, accounts and fees together must hold what came from outside; for each perp, all positions must sum
    to zero.
    """

    def __init__(self, universe: Universe, fees: dict[int, int]) -> None:
        self._universe = universe
        self._fees = fees
        self._hype = next((index for index, row in universe.tokens.items() if row["name"] == HYPE), -1)
        self._collateral = {dex: meta["collateralToken"] for dex, meta in universe.meta.items()}
        self._known: dict[str, Weights] = {}
        self._sums: Weights = {}
        self.touched: list[Account] = []
        self.outside: dict[int, int] = {}
        # As they were when the sums were last found to balance.
        self._held_fees: dict[int, int] = {}
        self._held_outside: dict[int, int] = {}
        self.holders: dict[str, dict[str, Account]] = {}
        self.long: dict[str, int] = {}

    def bring(self, token: int, amount: int) -> None:
        """Declare money that comes from outside (above zero) or leaves the venue (below)."""
        self.outside[token] = self.outside.get(token, 0) + amount

    def weigh(self, account: Account) -> Weights:
        """Return all that an account holds."""
        held: Weights = {}
        for token, amount in account.spot.items():
            held[token] = held.get(token, 0) + amount
        for dex, amount in account.raw.items():
            token = self._collateral[dex]
            held[token] = held.get(token, 0) + amount
        if account.stake.history:
            held[self._hype] = held.get(self._hype, 0) + account.stake.total
        for asset_id, position in account.positions.items():
            asset = self._universe.by_id[asset_id]
            held[asset.coin] = position.size
            if position.isolated:
                held[asset.quote_token] = held.get(asset.quote_token, 0) + position.isolated
        return held

    def check(self, block: Block) -> None:
        """Weigh the accounts that the block touched.

        Raises:
            ConservationError: a token or the positions of a coin no longer add up.
        """
        if not self.touched and self._fees == self._held_fees and self.outside == self._held_outside:
            return  # nothing that can be out of balance has moved since all of it was balanced
        changed: dict[int | str, None] = dict.fromkeys(self._fees)
        changed.update(dict.fromkeys(self.outside))
        for account in self.touched:
            account.is_touched = False
            for key in self._take(account, self.weigh(account)):
                changed[key] = None
        self.touched.clear()
        self._balance(changed, block.number)
        self._held_fees, self._held_outside = dict(self._fees), dict(self.outside)

    def recount(self, accounts: Iterable[Account], block: Block) -> None:
        """Weigh everybody from scratch; finds what changed an account without touching its balances.

        Raises:
            ConservationError: an account holds something else than when it was last weighed.
        """
        self.check(block)
        for account in accounts:
            known, held = self._known.get(account.address, {}), self.weigh(account)
            for key in known | held:
                if known.get(key, 0) != held.get(key, 0):
                    raise ConservationError(
                        f"{self._name(key)} of {account.address}", held.get(key, 0) - known.get(key, 0), block.number
                    )

    def _take(self, account: Account, held: Weights) -> Iterator[int | str]:
        known = self._known.get(account.address, {})
        self._known[account.address] = held
        for key in known | held:
            before, after = known.get(key, 0), held.get(key, 0)
            if before == after:
                continue
            self._sums[key] = self._sums.get(key, 0) + after - before
            if isinstance(key, str):
                self._hold(key, account, before, after)
            yield key

    def _hold(self, coin: str, account: Account, before: int, after: int) -> None:
        self.long[coin] = self.long.get(coin, 0) + max(after, 0) - max(before, 0)
        holders = self.holders.setdefault(coin, {})
        if after:
            holders[account.address] = account
        else:
            holders.pop(account.address, None)

    def _balance(self, keys: Iterable[int | str], number: int) -> None:
        for key in keys:
            amount = self._sums.get(key, 0)
            if isinstance(key, int):
                amount += self._fees.get(key, 0) - self.outside.get(key, 0)
            if amount:
                raise ConservationError(self._name(key), amount, number)

    def _name(self, key: int | str) -> str:
        return f"the positions in {key}" if isinstance(key, str) else f"token {self._universe.tokens[key]['name']}"
