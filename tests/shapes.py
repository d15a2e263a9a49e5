"""Shapes of the venue's JSON: keys and types of recorded answers, without their values.

`python -m tests.shapes ../shared/data` writes `tests/vectors/shapes.json` from the recordings anew.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "vectors/shapes.json"
# Strings are told apart by what they spell: a price that turns into text is a difference.
_SPELLINGS = (
    ("address", re.compile(r"0x[0-9a-f]{40}")),
    ("hash", re.compile(r"0x[0-9a-f]{64}")),
    ("cloid", re.compile(r"0x[0-9a-f]{32}")),
    ("decimal", re.compile(r"-?[0-9]+(\.[0-9]+)?")),
)
# Objects whose keys are data.
_MAPS = {("info allMids", ""), ("ws allMids", ".mids")}


@dataclass
class Shape:
    """What may stand in one place: scalars by name, an object, an array, or several of these."""

    scalars: set[str] = field(default_factory=set)
    keys: dict[str, Shape] | None = None
    optional: set[str] = field(default_factory=set)
    items: Shape | None = None

    def add(self, value: Any, subject: str = "", path: str = "") -> None:
        """Take in one value."""
        if isinstance(value, dict):
            if (subject, path) in _MAPS:
                value = {"*": next(iter(value.values()))} if value else {}
            self._add_object(value, subject, path)
        elif isinstance(value, list):
            self.items = self.items or Shape()
            for one in value:
                self.items.add(one, subject, path + "[]")
        else:
            self.scalars.add(_scalar(value))

    def _add_object(self, value: dict[str, Any], subject: str, path: str) -> None:
        known = self.keys
        if known is None:
            known = self.keys = {}
        else:
            self.optional |= set(known) ^ set(value)
        for key, one in value.items():
            known.setdefault(key, Shape()).add(one, subject, f"{path}.{key}")

    def is_empty(self) -> bool:
        """Tell whether nothing was ever taken in."""
        return not self.scalars and self.keys is None and self.items is None

    def dump(self) -> Any:
        """Return the shape as JSON."""
        parts: list[Any] = ["|".join(sorted(self.scalars))] if self.scalars else []
        if self.keys is not None:
            parts.append({key + "?" * (key in self.optional): one.dump() for key, one in sorted(self.keys.items())})
        if self.items is not None:
            parts.append([] if self.items.is_empty() else [self.items.dump()])
        return parts[0] if len(parts) == 1 else {"|": parts}

    @classmethod
    def load(cls, dumped: Any) -> Shape:
        """Read what `dump` wrote."""
        shape = cls()
        for part in dumped["|"] if isinstance(dumped, dict) and "|" in dumped else [dumped]:
            if isinstance(part, str):
                shape.scalars = set(part.split("|"))
            elif isinstance(part, list):
                shape.items = cls.load(part[0]) if part else cls()
            else:
                shape.keys = {key.removesuffix("?"): cls.load(one) for key, one in part.items()}
                shape.optional = {key.removesuffix("?") for key in part if key.endswith("?")}
        return shape


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return next((name for name, pattern in _SPELLINGS if pattern.fullmatch(value)), "text")
    return {bool: "bool", int: "int", float: "float"}[type(value)]


def differences(recorded: Shape, found: Shape, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, difference) of what a recorded shape and the simulator's own have not in common."""
    ours, theirs = found.scalars - {"null"}, recorded.scalars - {"null"}
    if theirs and ours and not theirs & ours:
        yield path, f"{'|'.join(sorted(theirs))} recorded, {'|'.join(sorted(ours))} simulated"
    is_shared = bool(theirs & ours) or "null" in recorded.scalars | found.scalars
    if (recorded.keys is None) != (found.keys is None) and not is_shared:
        yield path, f"object only {'recorded' if found.keys is None else 'simulated'}"
    if recorded.keys is not None and found.keys is not None:
        yield from _object_differences(recorded, found, path)
    if (recorded.items is None) != (found.items is None) and not is_shared:
        yield path, f"array only {'recorded' if found.items is None else 'simulated'}"
    if recorded.items is not None and found.items is not None and not recorded.items.is_empty():
        if found.items.is_empty():
            yield path, "empty where rows are recorded"
        else:
            yield from differences(recorded.items, found.items, path + "[]")


def _object_differences(recorded: Shape, found: Shape, path: str) -> Iterator[tuple[str, str]]:
    theirs, ours = recorded.keys or {}, found.keys or {}
    for key in theirs:
        if key in ours:
            yield from differences(theirs[key], ours[key], f"{path}.{key}")
        else:
            yield f"{path}.{key}", "only recorded"
    for key in ours:
        if key not in theirs and key not in found.optional:
            yield f"{path}.{key}", "only simulated"


def subject_of_frame(frame: dict[str, Any]) -> str:
    """Name what a WebSocket frame shows; the `user` channel has one subject for each of its events."""
    if frame["channel"] == "user":
        return "ws user." + "".join(frame["data"])
    return f"ws {frame['channel']}"


def _lines(file: Path) -> Iterator[Any]:
    for line in file.read_text().splitlines():
        yield json.loads(line)


def _frames(data: Path) -> Iterator[tuple[str, str, Any]]:
    for file in sorted((data / "ws").glob("*.jsonl")):
        for row in _lines(file):
            if "push" in row:
                anonymous = json.loads(json.dumps(row).replace('"mtiz"', f'"0x{"0" * 40}"'))
                yield file.name, f"ack {row['send']['subscription']['type']}", anonymous["ack"]["data"]
                yield file.name, subject_of_frame(row["push"]), anonymous["push"]["data"]
            elif row["channel"] == "subscriptionResponse":
                yield file.name, f"ack {row['data']['subscription']['type']}", row["data"]
            else:
                yield file.name, subject_of_frame(row), row.get("data")
    file = data / "meta/allDexsAssetCtxs_mainnet_2026-05.json"
    yield file.name, "ws allDexsAssetCtxs", json.loads(file.read_text())["data"]


_UNNAMED = {
    "GetAccountInfo": "clearinghouseState",
    "GetFundingHistory": "userFunding",
    "GetAccountLedger": "userNonFundingLedgerUpdates",
    "GetBalances": "spotClearinghouseState",
    "GetSubAccounts": "subAccounts",
    "GetSubAccounts2": "subAccounts2",
    "GetOrderBook": "l2Book",
}


def _answers(data: Path) -> Iterator[tuple[str, str, Any]]:
    folder = data / "request_response"
    for row in _lines(folder / "info_sdk_cassettes.jsonl"):
        yield "info_sdk_cassettes.jsonl", f"info {row['request']['type']}", row["response"]
    for row in _lines(folder / "http_jkorf.jsonl"):
        stem = Path(row["name"]).stem
        kind = _UNNAMED.get(stem)
        yield "http_jkorf.jsonl", f"info {kind}" if kind else exchange_subject(row["response"]), row["response"]
    for row in _lines(folder / "exchange_responses_ccxt.jsonl"):
        yield "exchange_responses_ccxt.jsonl", exchange_subject(row["response"]), row["response"]
    for row in _lines(folder / "exchange_requests_ccxt.jsonl"):
        action = row["request"]["action"]
        yield "exchange_requests_ccxt.jsonl", f"action {action['type']}", action
    for row in _lines(folder / "docs_examples.jsonl"):
        yield from _documented(row)
    file = data / "meta/metaAndAssetCtxs_mainnet_2026-03-10.json"
    yield file.name, "info metaAndAssetCtxs", json.loads(file.read_text())
    for file in sorted((data / "market").glob("fundingHistory_*.json")):
        yield file.name, "info fundingHistory", json.loads(file.read_text())


def exchange_subject(answer: dict[str, Any]) -> str:
    """Name an answer of `/exchange` by its type."""
    return f"exchange {answer['response']['type']}"


def _documented(row: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    example = row["example"]
    if isinstance(example, dict) and "method" in example:
        return  # requests with placeholders for their addresses
    if isinstance(example, dict) and example.get("channel") == "post":
        yield "docs_examples.jsonl", "ws post.action", example["data"]
    elif isinstance(example, dict) and "status" in example and "response" in example:
        yield "docs_examples.jsonl", exchange_subject(example), example
    else:
        yield "docs_examples.jsonl", f"info {row['requestType'] or 'userFillsByTime'}", example


def recorded(data: Path) -> list[dict[str, Any]]:
    """Return each distinct recorded shape once, with where it was first seen and how often."""
    rows: dict[str, dict[str, Any]] = {}
    for source, subject, value in (*_frames(data), *_answers(data)):
        shape = Shape()
        shape.add(value, subject)
        row = {"subject": subject, "source": source, "shape": shape.dump()}
        key = json.dumps([subject, row["shape"]])
        rows.setdefault(key, row | {"records": 0})["records"] += 1
    return sorted(rows.values(), key=lambda row: (row["subject"], row["source"], json.dumps(row["shape"])))


def main() -> None:
    """Write the file: one shape a line."""
    rows = recorded(Path(sys.argv[1]))
    FILE.write_text("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")
    sys.stdout.write(f"{sum(row['records'] for row in rows)} records, {len(rows)} shapes\n")


if __name__ == "__main__":
    main()
