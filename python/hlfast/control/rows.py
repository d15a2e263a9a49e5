"""From objects of the journal to rows of the database. Pure: same objects, same rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import orjson

from hlfast.config.model import Config
from hlfast.store.writes import Batch, Row

# The kinds of userFills rows kept: those of accounts that the settings name.
_USER_FILLS = '"userFills"'


class Translator:
    """Turns indices into names and objects into rows.

    Args:
        journal: the name that rows carry.
        config: the settings that the journal was written under.
    """

    def __init__(self, journal: str, config: Config) -> None:
        self._journal = journal
        self._config = config
        self._leaders = [leader.name for leader in config.leaders]
        self._followers = [follower.name for follower in config.followers]
        self._accounts = {leader.address.lower() for leader in config.leaders}
        self._accounts |= {follower.account.lower() for follower in config.followers}
        self.now_ms = 0  # of the newest record translated
        self._sequence = 0
        self._place = 0

    def people(self) -> dict[str, list[Row]]:
        """Rows of leaders, followers and follows, as the settings have them."""
        config = self._config
        keyed = ("leader", "follower", "mode")
        return {
            "leaders": [{"name": leader.name, "address": leader.address.lower()} for leader in config.leaders],
            "followers": [
                {"name": one.name, "account": one.account.lower(), "agent": one.agent.lower()}
                for one in config.followers
            ],
            "follows": [
                {**{name: policy[name] for name in keyed}, "policy": policy}
                for policy in (msgspec.to_builtins(follow) for follow in config.follows)
            ],
        }

    def batch(self, objects: Iterable[bytes], after: int) -> Batch:
        """Translate whole records, in order."""
        batch = Batch(
            sequence=after,
            rows={name: [] for name in ("receipts", "attempts", "orders", "fills", "alerts", "positions")},
        )
        held: dict[tuple[str, str, str], Row] = {}
        for raw in objects:
            item = orjson.loads(raw)
            batch.sequence = item["sequence"]
            if item["sequence"] != self._sequence:
                self._sequence, self._place = item["sequence"], 0
            self._place += 1
            if item["kind"] == "receipt":
                row = self._receipt(item)
                batch.rows["receipts"].append(row)
                held[row["follower"], row["leader"], row["coin"]] = row
            else:
                self._other(item, batch.rows)
        # A key must stand once in a statement that replaces.
        batch.rows["positions"] = [_position(row) for row in held.values()]
        return batch

    def _other(self, item: dict[str, Any], rows: dict[str, list[Row]]) -> None:
        kind = item["kind"]
        if kind in ("input", "start"):
            self.now_ms = item["now_ms"]
            if _USER_FILLS in item.get("body", ""):
                rows["fills"] += self._fills(item)
        elif kind == "attempt":
            attempt = self._attempt(item)
            rows["attempts"].append(attempt)
            rows["orders"] += [
                {"cloid": cloid, **{key: attempt[key] for key in ("sequence", "journal", "follower", "nonce")}}
                for cloid in item["cloids"]
            ]
        elif kind == "alert":
            rows["alerts"].append(self._alert(item))

    def _receipt(self, item: dict[str, Any]) -> dict[str, Any]:
        del item["kind"], item["follow"]
        item["journal"] = self._journal
        item["leader"] = self._leaders[item["leader"]]
        item["follower"] = self._followers[item["follower"]]
        return item

    def _attempt(self, item: dict[str, Any]) -> dict[str, Any]:
        return {
            "journal": self._journal,
            "sequence": item["sequence"],
            "place": self._place,
            "at_ms": self.now_ms,
            "follower": self._followers[item["follower"]],
            "does": item["does"],
            "road": item["road"],
            "lane": item["lane"],
            "post_id": item["post_id"],
            "nonce": item["nonce"],
            "expires_ms": item["expires_after"],
            "digest": item["digest"],
        }

    def _alert(self, item: dict[str, Any]) -> dict[str, Any]:
        leader, follower = item["leader"], item["follower"]
        return {
            "journal": self._journal,
            "sequence": item["sequence"],
            "place": self._place,
            "at_ms": self.now_ms,
            "level": item["level"],
            "code": item["code"],
            "leader": None if leader is None else self._leaders[leader],
            "follower": None if follower is None else self._followers[follower],
            "text": item["text"],
        }

    def _fills(self, item: dict[str, Any]) -> list[Row]:
        """Fills of named accounts in a userFills frame. The core has judged the frame; what is odd here is no row."""
        try:
            data = orjson.loads(item["body"])["data"]
            account, fills = str(data["user"]).lower(), data["fills"]
            if account not in self._accounts:
                return []
            return [_fill(account, fill, item["sequence"]) for fill in fills if fill.get("tid")]
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return []


def _fill(account: str, fill: dict[str, Any], sequence: int) -> Row:
    return {
        "account": account,
        "coin": fill["coin"],
        "time_ms": fill["time"],
        "tid": fill["tid"],
        "side": fill["side"],
        "price": fill["px"],
        "size": fill["sz"],
        "start_position": fill["startPosition"],
        "closed_pnl": fill["closedPnl"],
        "fee": fill["fee"],
        "fee_token": fill.get("feeToken"),
        "oid": fill.get("oid"),
        "crossed": fill.get("crossed"),
        "cloid": fill.get("cloid"),
        "sequence": sequence,
    }


def _position(receipt: Row) -> Row:
    return {
        "follower": receipt["follower"],
        "leader": receipt["leader"],
        "coin": receipt["coin"],
        "entitled": receipt["entitled_after"],
        "leader_position": receipt["leader_after"],
        "receipt": receipt["number"],
        "settled_ms": receipt["settled_ms"],
    }
