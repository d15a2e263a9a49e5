"""The control door: what tests and the demo do to the venue from outside its protocol."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from hlfast.sim.accounts import Account
from hlfast.sim.book import round_price
from hlfast.sim.faults import Faults
from hlfast.sim.faults.requests import FaultRequests
from hlfast.sim.leaders import LeaderTape
from hlfast.sim.life.play import CallLater, RunBlock
from hlfast.sim.life.plays import Plays
from hlfast.sim.listing import Listing
from hlfast.sim.modes import CHOICES, Modes
from hlfast.sim.numbers import parse, usd, wire
from hlfast.sim.settings import change
from hlfast.sim.trading import Trading
from hlfast.sim.universe import Asset
from hlfast.sim.venue import Venue

_ADDRESS = re.compile("0x[0-9a-fA-F]{40}")


class ControlError(ValueError):
    """A control request that doesn't fit; HTTP 400 with this text."""


class Control:
    """One method an op; each answers `{"ok": true, …}`."""

    def __init__(
        self, venue: Venue, trading: Trading, run_block: RunBlock, call_later: CallLater, faults: Faults
    ) -> None:
        self._venue = venue
        self._trading = trading
        self._run_block = run_block
        self._tape = LeaderTape(venue, trading)
        self._listing = Listing(venue, trading)
        self._modes = Modes(venue)
        self.plays = Plays(venue, trading, self._tape, run_block, call_later)
        self._ops: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "fund": self._fund,
            "account_mode": self._account_mode,
            "approve_agent": self._approve_agent,
            "revoke_agent": self._revoke_agent,
            "create_vault": self._create_vault,
            "set_position": self._set_position,
            "set_book": self._set_book,
            "set_market": self._set_market,
            "delist": self._delist,
            "leader_fills": self._leader_fills,
            "ledger": self._ledger,
            "config": self._config,
            "play": self.plays.start,
            "plays": self.plays.listed,
            "stop_play": self.plays.stop,
            **FaultRequests(faults).ops(),
        }

    def add(self, op: str, handler: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Add an op of another part of the venue; ValueErrors of its handler become refusals."""
        self._ops[op] = handler

    @property
    def ops(self) -> tuple[str, ...]:
        """Names of the ops."""
        return tuple(self._ops)

    def run(self, request: Any) -> dict[str, Any]:
        """Carry out one op.

        Raises:
            ControlError: unknown op, unknown coin, or fields that don't fit.
        """
        op = request.get("op") if isinstance(request, dict) else None
        handler = self._ops.get(op) if isinstance(op, str) else None
        if handler is None:
            raise ControlError(f"Unknown op {op!r}; known: {', '.join(self._ops)}.")
        try:
            return {"ok": True} | handler(request)
        except ValueError as error:  # a ControlError, or what a part of the venue says of its own fields
            raise ControlError(f"{op}: {error}") from None

    def run_all(self, requests: Any) -> None:
        """Carry out a scenario: a list of ops.

        Raises:
            ControlError: not a list, or the first op that doesn't fit, named by its place.
        """
        if not isinstance(requests, list):
            raise ControlError("A scenario is a JSON list of ops.")
        for index, request in enumerate(requests):
            try:
                self.run(request)
            except ControlError as error:
                raise ControlError(f"scenario[{index}]: {error}") from None

    def _address(self, request: dict[str, Any], field: str) -> str:
        value = request.get(field)
        if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
            raise ControlError(f"{field} must be 0x and 40 hex digits, not {value!r}")
        return value.lower()

    def _amount(self, request: dict[str, Any], field: str) -> int:
        value = request.get(field)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ControlError(f"{field} must be a decimal string or number, not {value!r}")
        try:
            return parse(str(value))
        except ValueError as error:
            raise ControlError(f"{field}: {error}") from None

    def _asset(self, request: dict[str, Any]) -> Asset:
        asset = self._venue.universe.by_coin.get(str(request.get("coin")))
        if asset is None:
            raise ControlError(f"coin {request.get('coin')!r} is not listed here; see /info meta and spotMeta")
        return asset

    def _fund(self, request: dict[str, Any]) -> dict[str, Any]:
        if "token" in request:
            return self._fund_token(request)
        account = self._venue.account(self._address(request, "address"))
        amount = self._amount(request, "usdc")
        if amount <= 0:
            raise ControlError("usdc must be above zero")
        if request.get("spot"):
            account.spot[0] = account.spot.get(0, 0) + amount
            self._venue.audit.bring(0, amount)
            account.deposited = True
        else:
            self._run_block(lambda block: self._venue.deposit(account, amount, block))
        return {}

    def _fund_token(self, request: dict[str, Any]) -> dict[str, Any]:
        """Give an account spot tokens from outside."""
        account = self._venue.account(self._address(request, "address"))
        amount = self._amount(request, "amount")
        rows = self._venue.universe.tokens.items()
        token = next((index for index, row in rows if row["name"] == request["token"]), None)
        if token is None or amount <= 0:
            raise ControlError(f"token {request['token']!r} must be listed, and amount above zero")
        account.spot[token] = account.spot.get(token, 0) + amount
        self._venue.audit.bring(token, amount)
        account.deposited = True
        return {}

    def _account_mode(self, request: dict[str, Any]) -> dict[str, Any]:
        """Put an account into a mode, as its own `userSetAbstraction` would."""
        account, mode = self._venue.account(self._address(request, "address")), request.get("mode")
        if mode not in CHOICES:
            raise ControlError(f"mode must be one of {', '.join(CHOICES)}, not {mode!r}")
        refusal = self._run_block(lambda _block: self._modes.choose(account, mode))
        if refusal is not None:
            raise ControlError(refusal)
        return {}

    def _approve_agent(self, request: dict[str, Any]) -> dict[str, Any]:
        master, agent = self._address(request, "master"), self._address(request, "agent")
        owner = self._venue.agents.get(agent)
        if agent == master or agent in self._venue.accounts:
            raise ControlError(f"agent {agent} is an account of its own")
        if owner is not None and owner[0].address != master:
            raise ControlError(f"agent {agent} already serves {owner[0].address}")
        name = request.get("name") or ""
        until = request.get("valid_until_ms")
        self._venue.approve(self._venue.account(master), agent, str(name), until if isinstance(until, int) else None)
        return {}

    def _revoke_agent(self, request: dict[str, Any]) -> dict[str, Any]:
        agent = self._address(request, "agent")
        if not self._venue.revoke(agent):
            raise ControlError(f"agent {agent} is not registered")
        return {}

    def _create_vault(self, request: dict[str, Any]) -> dict[str, Any]:
        vault = self._venue.account(self._address(request, "address"))
        vault.role, vault.master, vault.deposited = "vault", self._address(request, "leader"), True
        return {}

    def _set_position(self, request: dict[str, Any]) -> dict[str, Any]:
        asset = self._asset(request)
        account: Account = self._venue.account(self._address(request, "address"))
        size, price = self._amount(request, "size"), self._amount(request, "entry_px")
        if price <= 0:
            raise ControlError("entry_px must be above zero")
        self._run_block(lambda block: self._tape.set_position(account, asset, size, price, block))
        return {}

    def _set_book(self, request: dict[str, Any]) -> dict[str, Any]:
        asset = self._asset(request)
        mid = round_price(asset, self._amount(request, "mid"), up=False)
        if mid <= 0:
            raise ControlError("mid must be above zero")
        spread = self._count(request, "spread_bps", 5_000)
        depth = self._count(request, "depth_usd", 10**9)
        self._run_block(lambda block: self._trading.move(asset, mid, block, spread_bps=spread, depth_usd=depth))
        return {}

    def _set_market(self, request: dict[str, Any]) -> dict[str, Any]:
        """Set a perp's oracle apart from its mark, and what its open interest may be and grow by in a minute."""
        asset = self._asset(request)
        if asset.is_spot:
            raise ControlError(f"{asset.coin} is no perp")
        if "oracle" in request:
            text = request["oracle"]
            oracle = None if text is None else self._amount(request, "oracle")
            if oracle is not None and oracle <= 0:
                raise ControlError("oracle must be above zero, or null to follow the mark")
            self._venue.book(asset).oracle = oracle
        if "oi_cap_usd" in request:
            asset.cap_usd = self._count(request, "oi_cap_usd", 10**12)
        if "oi_step_usd" in request:
            asset.step_usd = self._count(request, "oi_step_usd", 10**12)
        return {}

    def _delist(self, request: dict[str, Any]) -> dict[str, Any]:
        asset = self._asset(request)
        price = self._amount(request, "px") if "px" in request else None
        try:
            self._run_block(lambda block: self._listing.delist(asset, block, price))
        except ValueError as error:
            raise ControlError(str(error)) from None
        return {}

    @staticmethod
    def _count(request: dict[str, Any], field: str, most: int) -> int | None:
        value = request.get(field)
        if value is None:
            return None
        if isinstance(value, str) and value.isdigit():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise ControlError(f"{field} must be a whole number from 0 to {most}, not {value!r}")
        return value

    def _leader_fills(self, request: dict[str, Any]) -> dict[str, Any]:
        account = self._venue.account(self._address(request, "address"))
        rows = request.get("rows")
        if not isinstance(rows, list):
            raise ControlError("rows must be a list of fill rows")
        try:
            made = self._run_block(lambda block: self._tape.replay(account, rows, block))
        except ValueError as error:
            raise ControlError(str(error)) from None
        return {"fills": made}

    def _ledger(self, request: dict[str, Any]) -> dict[str, Any]:
        since = self._count(request, "since", 2**53) or 0
        answer = self._venue.record.since(since)
        answer["counters"]["event_log_hash"] = self._venue.event_log.hexdigest()
        answer["time"] = self._venue.time_ms()
        answer["positions"] = {
            account.address: {
                self._venue.universe.by_id[asset_id].coin: {"szi": wire(held.size), "entryPx": wire(held.entry_price)}
                for asset_id, held in account.positions.items()
            }
            | self._spot_balances(account)
            for account in self._venue.accounts.values()
        }
        answer["accounts"] = {
            account.address: {"role": account.role, "agents": list(account.agents), "volume": usd(account.volume)}
            for account in self._venue.accounts.values()
        }
        return answer

    def _spot_balances(self, account: Account) -> dict[str, Any]:
        shown = {}
        for asset in self._venue.universe.by_dex["spot"]:
            if account.spot.get(asset.base_token):
                shown[asset.coin] = {"szi": wire(account.spot[asset.base_token]), "entryPx": "0.0"}
        return shown

    def _config(self, request: dict[str, Any]) -> dict[str, Any]:
        changes = {key: value for key, value in request.items() if key != "op"}
        try:
            change(self._venue.settings, changes)
        except ValueError as error:
            raise ControlError(str(error)) from None
        return {"settings": msgspec.to_builtins(self._venue.settings)}
