"""The venue's state and its block clock: one owner of accounts, books, nonces and records."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable

from hlfast.sim.accounts import Account, Agent, Maker
from hlfast.sim.auction import GossipAuction
from hlfast.sim.audit import Audit, ConservationError
from hlfast.sim.bars import Bars
from hlfast.sim.blocks import Block
from hlfast.sim.book import Book
from hlfast.sim.eventlog import EventLog
from hlfast.sim.fees import Fees
from hlfast.sim.funding import FundingRecord
from hlfast.sim.margin import Margin
from hlfast.sim.nonces import NonceSet
from hlfast.sim.numbers import usd
from hlfast.sim.record import Record
from hlfast.sim.settings import Settings
from hlfast.sim.universe import USDC, Asset, Universe

MAKER = "0x" + "aa" * 20
BACKSTOP = "0x" + "bb" * 20  # takes over what the book cannot liquidate; its losses are the venue's
RECOUNT_BLOCKS = 10_000
AGENT_LIFE_MS = 90 * 86_400_000  # of an agent without `valid_until`, as measured on testnet in 2026
FIRST_OID = 412_345_000_000


class Venue:
    """Everything that a block may change. One thread; the clock is injected, in Unix ms."""

    def __init__(self, settings: Settings, now_ms: Callable[[], int]) -> None:
        self.settings = settings
        self.now_ms = now_ms
        self.universe = Universe()
        self.accounts: dict[str, Account] = {}
        self.agents: dict[str, tuple[Account, Agent]] = {}
        self.former_agents: set[str] = set()
        self.books: dict[int, Book] = {}
        self.nonces: dict[str, NonceSet] = {}
        self.record = Record()
        self.event_log = EventLog()
        self.margin = Margin(self.universe, self.mark)
        self.fees: dict[int, int] = {}
        self.schedule = Fees()
        self.funding = FundingRecord()
        self.audit = Audit(self.universe, self.fees)
        self.broken: ConservationError | None = None
        self.gossip = GossipAuction()
        self.bars = Bars()
        self.recent_trades: dict[str, deque[dict[str, object]]] = {}
        self.maker = Maker(MAKER, deposited=True, touched=self.audit.touched)
        self.backstop = Account(BACKSTOP, deposited=True, touched=self.audit.touched)
        self._oid = FIRST_OID
        self._block_number = 900_000_000
        self._last_ms = 0
        self._identities = 0

    def begin_block(self) -> Block:
        """Open the next block; block time never runs backwards.

        Raises:
            ConservationError: an earlier block lost or made money; there is no next one.
        """
        if self.broken is not None:
            raise self.broken
        self._last_ms = max(self._last_ms, self.now_ms())
        self._block_number += 1
        return Block(self._block_number, self._last_ms)

    def close_block(self, block: Block) -> None:
        """Hold the books: every block must leave the sums of money and positions as they were.

        Raises:
            ConservationError: it didn't; the venue is broken from now on.
        """
        try:
            if block.number % RECOUNT_BLOCKS:
                self.audit.check(block)
            else:
                self.audit.recount(self.everybody(), block)
        except ConservationError as error:
            self.broken = error
            raise

    def everybody(self) -> list[Account]:
        """Return all accounts, the backstop and the synthetic maker last."""
        return [*self.accounts.values(), self.backstop, self.maker]

    def time_ms(self) -> int:
        """Return the venue's clock as `/info` shows it."""
        return max(self._last_ms, self.now_ms())

    def next_oid(self) -> int:
        """Return the next order id."""
        self._oid += 1
        return self._oid

    def system_hash(self) -> str:
        """Return a fresh transaction hash for what no client signed."""
        self._identities += 1
        return "0x" + hashlib.sha256(b"%d %d" % (self._identities, self._last_ms)).hexdigest()

    def book(self, asset: Asset) -> Book:
        """Return an asset's book; empty when nobody has touched it yet."""
        book = self.books.get(asset.asset_id)
        if book is None:
            book = self.books[asset.asset_id] = Book(asset)
        return book

    def mark(self, asset: Asset) -> int:
        """Return the mark price, which is the synthetic maker's mid."""
        book = self.books.get(asset.asset_id)
        return book.mid if book is not None else asset.mid

    def oracle(self, asset: Asset) -> int:
        """Return the oracle price: the mark's own unless it was set apart."""
        book = self.books.get(asset.asset_id)
        return asset.mid if book is None else book.mid if book.oracle is None else book.oracle

    def account(self, address: str) -> Account:
        """Return an account, made on first sight (unfunded)."""
        account = self.accounts.get(address)
        if account is None:
            account = Account(address, opened_ms=self._last_ms, touched=self.audit.touched)
            self.accounts[address] = account
        return account

    def deposit(self, account: Account, amount: int, block: Block) -> None:
        """Credit USDC from outside and say so in the account's ledger."""
        account.settle("", USDC, amount)
        self.audit.bring(USDC, amount)
        account.deposits += amount
        account.deposited = True
        self.log_ledger(account, {"type": "deposit", "usdc": usd(amount)}, block)

    def log_ledger(self, account: Account, delta: dict[str, object], block: Block) -> None:
        """Add a non-funding ledger row to an account and to the block's feed."""
        row = {"time": block.time_ms, "hash": self.system_hash(), "delta": delta}
        account.ledger.append(row)
        block.ledger_updates.setdefault(account.address, []).append(row)

    def approve(self, master: Account, agent: str, name: str, valid_until_ms: int | None) -> None:
        """Register an agent; one of the same name is replaced at once, the zero address only removes."""
        for address, known in list(master.agents.items()):
            if known.name == name:
                self.revoke(address)
        if int(agent, 16) == 0:
            return
        entry = Agent(agent, name, valid_until_ms or self.time_ms() + AGENT_LIFE_MS)
        master.agents[agent] = entry
        self.agents[agent] = (master, entry)

    def revoke(self, agent: str) -> bool:
        """Take an agent and its nonces out; False when there is no such agent."""
        found = self.agents.pop(agent, None)
        if found is None:
            return False
        del found[0].agents[agent]
        if self.settings.prune_nonces:
            self.nonces.pop(agent, None)
        self.former_agents.add(agent)
        return True

    def nonce_set(self, signer: str) -> NonceSet:
        """Return the signer's nonces."""
        used = self.nonces.get(signer)
        if used is None:
            used = self.nonces[signer] = NonceSet()
        return used

    def total(self, token: int = USDC) -> int:
        """Return all money of one token: balances, pots and fees. Trades must not change it."""
        total = self.fees.get(token, 0)
        for account in self.everybody():
            total += account.spot.get(token, 0)
            if self.universe.tokens[token]["name"] == "HYPE":
                total += account.stake.total
            for dex, raw in account.raw.items():
                if self.universe.meta[dex]["collateralToken"] == token:
                    total += raw
            for asset_id, held in account.positions.items():
                if held.isolated is not None and self.universe.by_id[asset_id].quote_token == token:
                    total += held.isolated
        return total
