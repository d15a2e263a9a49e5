"""Random money on the move between accounts of every kind: nothing appears, nothing is lost, nobody owes silently."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import chain
from typing import Any

import pytest

from sim.desk import Desk, Wallet
from sim.test_account_actions import HYPE, user_signed

ACTIONS = 1_500
VALIDATORS = ["0x" + "5c" * 20, "0x" + "5d" * 20]


class Crowd:
    """Three users with sub-accounts, vaults and stakes, who do something legal or not, by seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.desk = Desk(vault_lock_s=60, delegation_lock_s=60, unstake_s=600)
        self.users = [self.desk.wallet(number, usdc="20000") for number in (1, 2, 3)]
        for user in self.users:
            self.desk.control(op="fund", address=user.address, usdc="5000", spot=True)
            self.desk.control(op="fund", address=user.address, token="HYPE", amount="500")
            self.desk.control(op="fund", address=user.address, token="USDH", amount="1000")
        self.addresses = [user.address for user in self.users]
        self.subs: dict[str, list[str]] = {address: [] for address in self.addresses}
        self.vaults: list[str] = []
        self.moves: list[Callable[[Wallet], dict[str, Any]]] = [
            lambda _: user_signed(self.desk, "usdSend", destination=self.anybody(), amount=self.amount()),
            lambda _: user_signed(
                self.desk, "spotSend", destination=self.anybody(), token=self.token(), amount=self.amount()
            ),
            lambda _: user_signed(self.desk, "usdClassTransfer", amount=self.amount(), toPerp=self.flip()),
            lambda _: user_signed(self.desk, "withdraw3", destination=self.anybody(), amount=self.amount()),
            self.send_asset,
            self.stake,
            lambda user: self.l1("subAccountTransfer", subAccountUser=self.sub(user), **self.micro()),
            self.sub_spot,
            lambda _: self.l1("vaultTransfer", vaultAddress=self.vault(), **self.micro()),
            lambda _: {"type": "vaultDistribute", "vaultAddress": self.vault(), "usd": self.rng.randrange(10**9)},
            self.lend,
            lambda _: {"type": "reserveRequestWeight", "weight": self.rng.randrange(1, 5_000)},
            lambda _: {"type": "gossipPriorityBid", "slotId": self.rng.randrange(3), "ip": "1.1.1.1", "maxGas": 10**9},
            self.trade,
        ]

    def flip(self) -> bool:
        return self.rng.random() < 0.5

    def amount(self) -> str:
        return str(round(self.rng.uniform(-1, self.rng.choice([20, 2_000])), self.rng.randrange(9)))

    def token(self) -> str:
        return self.rng.choice(["USDC", "HYPE", "USDH", "NONE"])

    def anybody(self) -> str:
        return self.rng.choice([*self.addresses, *chain.from_iterable(self.subs.values()), *self.vaults])

    def sub(self, user: Wallet) -> str:
        return self.rng.choice(self.subs[user.address] or self.addresses)

    def vault(self) -> str:
        return self.rng.choice(self.vaults or self.addresses)

    def micro(self) -> dict[str, Any]:
        return {"isDeposit": self.flip(), "usd": self.rng.randrange(3 * 10**9)}

    @staticmethod
    def l1(kind: str, **fields: Any) -> dict[str, Any]:
        return {"type": kind} | fields

    def send_asset(self, user: Wallet) -> dict[str, Any]:
        return user_signed(
            self.desk,
            "sendAsset",
            destination=self.anybody(),
            sourceDex=self.rng.choice(["", "spot", "xyz", "flx"]),
            destinationDex=self.rng.choice(["", "spot", "xyz", "flx"]),
            token=self.token(),
            amount=self.amount(),
            fromSubAccount=self.rng.choice(["", self.sub(user)]),
        )

    def stake(self, _user: Wallet) -> dict[str, Any]:
        wei = self.rng.randrange(200 * 10**8)
        kind = self.rng.choice(["cDeposit", "cWithdraw", "tokenDelegate"])
        extra = {"validator": self.rng.choice(VALIDATORS), "isUndelegate": self.flip()} if kind[0] == "t" else {}
        return user_signed(self.desk, kind, **extra, wei=wei)

    def sub_spot(self, user: Wallet) -> dict[str, Any]:
        move = {"isDeposit": self.flip(), "token": self.token(), "amount": self.amount()}
        return {"type": "subAccountSpotTransfer", "subAccountUser": self.sub(user), **move}

    def lend(self, _user: Wallet) -> dict[str, Any]:
        amount = self.rng.choice([None, self.amount()])
        operation = self.rng.choice(["supply", "withdraw", "borrow", "repay"])
        return {
            "type": "borrowLend",
            "operation": operation,
            "token": self.rng.choice([0, HYPE, 360]),
            "amount": amount,
        }

    def trade(self, _user: Wallet) -> dict[str, Any]:
        is_buy = self.flip()
        row = self.desk.row("ETH", "B" if is_buy else "A", "2500" if is_buy else "1700", "0.05")
        return {"type": "order", "orders": [row], "grouping": "na"}

    def found(self) -> None:
        """Open a sub-account and a vault for each user."""
        for user in self.users:
            made = self.desk.act(user, {"type": "createSubAccount", "name": "desk"})
            self.subs[user.address].append(made["response"]["data"])
            vault = {"type": "createVault", "name": "Basket", "description": "A basket of things.", "nonce": 1}
            self.vaults.append(self.desk.act(user, vault | {"initialUsd": 10**9})["response"]["data"])

    def act(self) -> str:
        """Let somebody do something; whether it was done."""
        user = self.rng.choice(self.users)
        action = self.rng.choice(self.moves)(user)
        targets = [None, None, *self.subs[user.address], *self.vaults]
        acts_for = None if "signatureChainId" in action else self.rng.choice(targets)
        outer = {"vaultAddress": acts_for} if acts_for else {}
        answer = self.desk.act(user, action, **outer)
        self.desk.now_ms += self.rng.randrange(20_000)
        self.desk.nonce = max(self.desk.nonce, self.desk.now_ms)
        self.desk.server.run_block(self.desk.server.exchange.run_due)
        return f"{action['type']} {answer['status']}"


def totals(desk: Desk) -> dict[int, int]:
    return {token: desk.venue.total(token) for token in desk.venue.universe.tokens}


def left_the_venue(desk: Desk) -> int:
    """Return what withdrawals took out, fee excluded, by the accounts' own ledgers."""
    rows = [row["delta"] for account in desk.venue.accounts.values() for row in account.ledger]
    return sum(round(float(delta["usdc"]) * 10**6) - 10**6 for delta in rows if delta["type"] == "withdraw")


@pytest.mark.parametrize("seed", range(3))
def test_no_cent_is_lost_on_the_way(seed: int) -> None:
    crowd = Crowd(seed)
    crowd.found()
    before = totals(crowd.desk)
    done: Counter[str] = Counter()
    for _ in range(ACTIONS):
        done[crowd.act()] += 1
    after = totals(crowd.desk)
    # Ledgers print six decimals: each withdrawal may hide less than a millionth.
    gone = before.pop(0) - after.pop(0)
    withdrawals = done["withdraw3 ok"]
    assert 0 <= gone - left_the_venue(crowd.desk) * 100 <= 100 * withdrawals
    assert after == before
    kinds = {name.split()[0] for name in done}
    assert {name.split()[0] for name in done if name.endswith(" ok")} == kinds
    assert len(kinds) >= 16


@pytest.mark.parametrize("seed", range(3))
def test_nobody_spends_what_isnt_there(seed: int) -> None:
    crowd = Crowd(seed + 100)
    crowd.found()
    for _ in range(ACTIONS):
        crowd.act()
    for account in crowd.desk.venue.accounts.values():
        assert all(balance >= 0 for balance in account.spot.values())
        assert account.stake.undelegated >= 0
        assert all(account.loans.supplied[token] <= account.spot[token] for token in account.loans.supplied)
        if account.vault is not None:
            value = crowd.desk.venue.margin.total_value(account)
            parts = sum(account.vault.equity(address, value) for address in account.vault.shares)
            assert parts <= value
            assert all(share.units > 0 and share.basis >= 0 for share in account.vault.shares.values())
