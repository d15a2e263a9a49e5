"""A follower small enough to be seen correct, with switches that break it one way at a time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal

from hlfast.config.model import Config, Follow, Follower, Journal, Leader, Venue
from hlfast.demo.evidence import Evidence, Execution, Holding, LeaderFill, Receipt, VenueAction, VenueLedger
from hlfast.demo.policy import ZERO, Span

D = Decimal
LOT = D("0.01")
LEAST_USD = D(10)
START_MS = 1_790_000_000_000


def config(follows: list[Follow], **account: str) -> Config:
    """Leaders and followers as the follows name them; `account` holds caps for every follower."""
    leaders = sorted({follow.leader for follow in follows})
    followers = sorted({follow.follower for follow in follows})
    return Config(
        network="testnet",
        venue=Venue(base_url="http://127.0.0.1:1"),
        journal=Journal(directory="unused"),
        leaders=tuple(Leader(name=name, address=f"0x{i:040x}") for i, name in enumerate(leaders, 1)),
        followers=tuple(
            Follower(name=name, account=f"0x{i + 100:040x}", agent=f"0x{i + 200:040x}", **account)  # type: ignore[arg-type]
            for i, name in enumerate(followers, 1)
        ),
        follows=tuple(follows),
    )


@dataclass
class _Part:
    held: Decimal = ZERO
    ratio: Decimal = ZERO
    ignoring: bool = False


@dataclass
class Toy:
    """Feed it `leader_event`s; `evidence()` is what the judge would read after the run."""

    config: Config
    bug: str = ""
    equity_ratio: Decimal = Decimal("0.1")
    price_of: dict[str, Decimal] = field(default_factory=dict)
    fills: list[LeaderFill] = field(default_factory=list)
    holdings: dict[tuple[str, str], Holding] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    actions: list[VenueAction] = field(default_factory=list)
    unknown_signers: int = 0

    def __post_init__(self) -> None:
        self.parts: dict[tuple[str, str, str], _Part] = defaultdict(_Part)
        self.positions: dict[tuple[str, str], Decimal] = defaultdict(lambda: D(0))
        self.leader: dict[tuple[str, str], Decimal] = defaultdict(lambda: D(0))
        self.now = START_MS
        self.events = self.tids = self.orders = 0

    def start_with(self, leader: str, coin: str, position: str, price: str) -> None:
        """The leader holds a position when following starts."""
        size, at = D(position), D(price)
        self.leader[leader, coin], self.price_of[coin] = size, at
        self.holdings[leader, coin] = Holding(size, at, at)
        for follow in self.config.follows:
            if follow.leader != leader:
                continue
            part = self.parts[leader, follow.follower, coin]
            part.ratio = self._ratio(follow, at, size)
            if self.bug == "snapshot_traded" or (
                follow.existing != "ignore" and self._gate(follow, coin, size, at) is None
            ):
                part.held = part.ratio * size
                self._trade(follow.follower, coin)
            else:
                part.ignoring = True

    def leader_event(self, leader: str, coin: str, sizes: list[str], price: str, *, expire: bool = False) -> None:
        """One frame of fills; `sizes` are signed. `expire`: every entry it causes runs out of time."""
        self.events += 1
        self.now += 100
        at = D(price)
        self.price_of[coin] = at
        first = self.leader[leader, coin]
        tids = []
        for size in map(D, sizes):
            start = self.leader[leader, coin]
            self.leader[leader, coin] = start + size
            self.tids += 1
            tids.append(self.tids)
            self.fills.append(LeaderFill(self.events, leader, coin, self.tids, self.now, at, start, start + size))
        for follow in self.config.follows:
            if follow.leader == leader:
                outcome, reason = self._decide(follow, coin, first, self.leader[leader, coin], at, expire)
                self._receipt(follow, coin, tids, outcome, reason)

    def _receipt(self, follow: Follow, coin: str, tids: list[int], outcome: str, reason: str) -> None:
        late = self.now + (2_500 if outcome == "expired" and self.bug != "false_expiry" else 1)
        if self.bug == "receipt_lost":
            tids = tids[1:]
        if self.bug == "receipt_twice":
            tids = [*tids, tids[-1]]
        for index, tid in enumerate(tids):
            merged = index > 0
            self.receipts.append(
                Receipt(
                    follow.leader,
                    follow.follower,
                    coin,
                    tid,
                    "merged_into" if merged else outcome,
                    "" if merged else reason,
                    time_ms=late,
                    decision=self.events,
                    merged_into=self.events if merged else None,
                )
            )

    def _gate(self, follow: Follow, coin: str, after: Decimal, price: Decimal) -> str | None:
        if self.bug == "filters_off":
            return None
        if (follow.coins_allow is not None and coin not in follow.coins_allow) or coin in follow.coins_block:
            return "coin"
        value = abs(after) * price
        if follow.min_value_usd and value < D(follow.min_value_usd):
            return "value"
        if follow.max_value_usd and value > D(follow.max_value_usd):
            return "value"
        return None

    def _ratio(self, follow: Follow, price: Decimal, size: Decimal) -> Decimal:
        if follow.mode == "ratio":
            return D(follow.ratio or 0)
        if follow.mode == "equity":
            return self.equity_ratio * D(follow.weight or 1)
        return D(follow.notional_usd or 0) / (price * abs(size))

    def _decide(
        self, follow: Follow, coin: str, before: Decimal, after: Decimal, price: Decimal, expire: bool
    ) -> tuple[str, str]:
        part = self.parts[follow.leader, follow.follower, coin]
        gate = self._gate(follow, coin, after, price)
        if self.bug == "dropped_fill" and self.events % 4 == 0:
            return "filled", ""
        if self.bug == "claims_filter" and self.events == 2:
            return "skipped", "coin"
        if self.bug == "filter_blocks_exit" and gate is not None:
            return "blocked", gate
        flip = before * after < 0
        closing = flip and part.held != 0
        if flip or after == 0:
            if self.bug == "wrong_side_on_close":
                self._order(follow.follower, coin, self.positions[follow.follower, coin])
            part.held, part.ratio, part.ignoring = D(0), D(0), False
            if self.bug == "flip_only_closes" or after == 0:
                return self._trade(follow.follower, coin, exiting=True), ""
            before = D(0)
        elif abs(after) < abs(before):
            if self.bug == "reduce_by_amount":
                part.held += (after - before) * D("0.5")
            elif self.bug != "exit_ignored":
                part.held = part.held * after / before
            return self._trade(follow.follower, coin, exiting=True), ""
        entered = self._enter(follow, coin, before, after, price, gate, expire)
        return ("filled", "") if closing else entered

    def _enter(
        self,
        follow: Follow,
        coin: str,
        before: Decimal,
        after: Decimal,
        price: Decimal,
        gate: str | None,
        expire: bool,
    ) -> tuple[str, str]:
        part = self.parts[follow.leader, follow.follower, coin]
        if before == 0 or self.bug == "ratio_refreshed":
            part.ratio = self._ratio(follow, price, after)
        elif follow.mode == "notional" and not follow.scale_adds and self.bug != "notional_adds":
            self._trade(follow.follower, coin)
            return "carried", ""
        if part.ignoring and self.bug != "existing_followed":
            return "skipped", "existing"
        if gate is not None:
            self._trade(follow.follower, coin)
            return "skipped", gate
        added = part.ratio * (after - before)
        if self.bug == "doubled_fill" and self.events % 3 == 0:
            added *= 2
        if self.bug == "sign_lost":
            added = abs(added)
        added = self._capped(follow, part.held, added, price)
        if added == 0:
            return "skipped", "cap"
        if (
            expire
            or (self.bug == "false_expiry" and self.events > 1)
            or (self.bug == "expires_all" and self.events % 2)
        ):
            if self.bug == "expiry_keeps_e":
                part.held += added
                self._trade(follow.follower, coin)
            return "expired", "age"
        part.held += added
        return self._trade(follow.follower, coin), ""

    def _capped(self, follow: Follow, held: Decimal, added: Decimal, price: Decimal) -> Decimal:
        if follow.max_order_usd and self.bug != "order_cap_ignored":
            most = D(follow.max_order_usd) / price
            added = max(-most, min(most, added))
        if follow.max_position_usd and self.bug != "position_cap_ignored":
            most = max(D(follow.max_position_usd) / price, abs(held))
            added = max(-most, min(most, held + added)) - held
        return added

    def _trade(self, follower: str, coin: str, *, exiting: bool = False) -> str:
        """Send the target minus what is held, if the venue's least order lets it."""
        total = sum((part.held for (_, name, of), part in self.parts.items() if (name, of) == (follower, coin)), D(0))
        account = next(f for f in self.config.followers if f.name == follower)
        price = self.price_of[coin]
        if account.max_position_usd and self.bug != "account_cap_ignored":
            most = D(account.max_position_usd) / price
            total = max(-most, min(most, total))
        held = self.positions[follower, coin]
        target = (total / LOT).quantize(D(1), rounding=ROUND_DOWN) * LOT
        if held * target < 0:
            self._order(follower, coin, -held)
            held = D(0)
            if self.bug == "net_flip_dropped" and exiting:
                return "filled"
        change = target - held
        if change == 0:
            return "carried"
        closes = target == 0
        if abs(change) * price < LEAST_USD and not closes:
            if self.bug == "residual_lost":
                share = held / total
                for (_, name, of), part in self.parts.items():
                    if (name, of) == (follower, coin):
                        part.held *= share
            return "carried"
        self._order(follower, coin, change)
        return "filled"

    def _order(self, follower: str, coin: str, size: Decimal) -> None:
        self.orders += 1
        self.now += 1
        cloid = f"0x{self.orders:032x}"
        if self.bug == "cloid_reused":
            cloid = f"0x{self.orders // 2:032x}"
        digest = f"{self.orders:064x}"
        nonce = START_MS if self.bug == "nonce_reused" else self.now
        if self.bug == "exit_too_big" and abs(self.positions[follower, coin] + size) < abs(
            self.positions[follower, coin]
        ):
            size = -2 * self.positions[follower, coin]
        for _ in range(2 if self.bug == "order_sent_twice" and self.orders == 3 else 1):
            self.positions[follower, coin] += size
            self.executions.append(Execution(follower, coin, size, self.price_of[coin], self.now, self.orders, cloid))
            self.actions.append(VenueAction(follower, nonce, digest, "order", True, self.now))
        if self.bug == "healed_double" and self.orders == 3:
            for again in (size, -size):
                self.orders += 1
                self.executions.append(
                    Execution(
                        follower, coin, again, self.price_of[coin], self.now, self.orders, f"0xdd{self.orders:030x}"
                    )
                )

    def evidence(self) -> Evidence:
        """Everything the judge may read."""
        ledger = VenueLedger(
            tuple(self.executions), tuple(self.actions), dict(self.positions), {"unknown_signers": self.unknown_signers}
        )
        ratios = {(f.leader, f.follower): Span.exactly(self.equity_ratio) for f in self.config.follows}
        lots = dict.fromkeys(self.price_of, LOT)
        return Evidence(self.config, tuple(self.fills), self.holdings, lots, ledger, tuple(self.receipts), ratios)
