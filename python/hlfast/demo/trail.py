"""Reads what the demo's processes wrote: the engine's journal and metrics page, the simulator's ledger and meta."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from hlfast._core import read_journal
from hlfast.config.model import Config
from hlfast.demo.evidence import Execution, Receipt, VenueAction, VenueLedger

CHUNK = 20_000
# The engine's reasons, as the rule of the copying policy each of them names.
RULES = {
    "none": "",
    "coin_filtered": "coin",
    "delisted": "delisted",
    "existing_position": "existing",
    "below_min_value": "value",
    "above_max_value": "value",
    "add_ignored": "adds",
    "nothing_held": "nothing",
    "cap": "cap",
    "below_minimum": "minimum",
    "price_beyond_band": "price",
    "no_match": "price",
    "price_too_far": "price",
    "too_old": "age",
    "venue_busy": "venue",
}


class Trail:
    """Follows a journal that is being written, and keeps the receipts."""

    def __init__(self, directory: Path, config: Config) -> None:
        self._directory = str(directory)
        self._leaders = [leader.name for leader in config.leaders]
        self._followers = [follower.name for follower in config.followers]
        self._after = 0
        self.receipts: list[Receipt] = []
        self.outcomes: Counter[tuple[str, str]] = Counter()  # by (outcome, the engine's reason)
        self.actions = 0  # attempts written down

    def read_on(self) -> None:
        """Take in the records written since the last call; nothing if there is no journal yet."""
        if not Path(self._directory).exists():
            return
        while True:
            records = read_journal(self._directory, self._after, CHUNK)
            for raw in records:
                self._take(json.loads(raw))
            if len(records) < CHUNK:
                return

    def _take(self, record: dict[str, Any]) -> None:
        self._after = max(self._after, int(record["sequence"]))
        if record["kind"] == "attempt":
            self.actions += 1
        elif record["kind"] == "receipt":
            outcome, reason = str(record["outcome"]), str(record.get("reason") or "none")
            self.outcomes[outcome, "" if reason == "none" else reason] += 1
            self.receipts.append(
                Receipt(
                    leader=_name(record["leader"], self._leaders),
                    follower=_name(record["follower"], self._followers),
                    coin=str(record["coin"]),
                    tid=int(record["tid"]),
                    outcome=outcome,
                    reason=RULES.get(reason, reason),
                    time_ms=int(record["settled_ms"]),
                    decision=int(record["decision"]),
                    merged_into=record["merged_into"],
                )
            )


def _name(value: Any, names: list[str]) -> str:
    return names[value] if isinstance(value, int) else str(value)


def read_ledger(ledger: Mapping[str, Any], config: Config) -> VenueLedger:
    """Take the followers' part of the simulator's ledger."""
    accounts = {follower.account: follower.name for follower in config.followers}
    agents = {follower.agent: follower.name for follower in config.followers}
    executions = [
        Execution(
            follower=accounts[row["user"]],
            coin=row["coin"],
            size=Decimal(row["sz"]) * (1 if row["side"] == "B" else -1),
            price=Decimal(row["px"]),
            time_ms=row["time"],
            oid=row["oid"],
            cloid=row.get("cloid") or f"none of {row['oid']}",
        )
        for row in ledger["fills"]
        if row["user"] in accounts
    ]
    actions = [
        VenueAction(
            follower=agents.get(row["signer"] or "", ""),
            nonce=row["nonce"],
            digest=row["digest"],
            kind=row["kind"],
            accepted=row["ok"],
            time_ms=row["time"],
            unfilled=not row["ok"] or _has_error(row["response"]),
        )
        for row in ledger["actions"]
    ]
    positions = {
        (accounts[address], coin): Decimal(held["szi"])
        for address, coins in ledger["positions"].items()
        if address in accounts
        for coin, held in coins.items()
    }
    return VenueLedger(tuple(executions), tuple(actions), positions, dict(ledger["counters"]))


def _has_error(response: Any) -> bool:
    return '"error"' in json.dumps(response)


def lots_of(*universes: Mapping[str, Any]) -> dict[str, Decimal]:
    """The smallest size step of each coin, from `/info` meta answers."""
    return {asset["name"]: Decimal(1).scaleb(-asset["szDecimals"]) for meta in universes for asset in meta["universe"]}


def delisted_of(*universes: Mapping[str, Any]) -> frozenset[str]:
    """The coins that may only be closed, from `/info` meta answers."""
    return frozenset(asset["name"] for meta in universes for asset in meta["universe"] if asset.get("isDelisted"))
