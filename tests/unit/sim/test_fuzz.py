"""The fuzzer in short, and the bugs that it must find."""

from __future__ import annotations

from typing import Any

import pytest
from bench.sim.fuzz import FoundError, fuzz

from hlfast.sim.control import Control
from hlfast.sim.doors import Doors, Reply
from hlfast.sim.entry import Entry
from hlfast.sim.hub import Hub
from hlfast.sim.info import Info


@pytest.mark.parametrize("seed", [8, 9])  # 8 is a venue whose operator's door is fuzzed
def test_hostile_clients_find_nothing(seed: int) -> None:
    seen = fuzz(seed, 1_500)
    assert seen["executions"] >= 1_500
    assert all(int(status) < 500 for status in seen["statuses"])


def crash(*_arguments: Any, **_named: Any) -> Any:
    raise KeyError("planted")


@pytest.mark.parametrize(
    ("owner", "name", "seed", "found"),
    [
        (Info, "answer", 9, "KeyError"),
        (Entry, "cancel_all", 9, "KeyError|without an answer"),
        (Control, "_set_book", 8, "KeyError"),
    ],
)
def test_a_planted_crash_is_found(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, seed: int, found: str
) -> None:
    monkeypatch.setattr(owner, name, crash)
    with pytest.raises(FoundError, match=found):
        fuzz(seed, 4_000)


def test_a_planted_server_error_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_self: Doors, _address: str, _sent: bytes) -> Reply:
        return Reply(500, b"oops")

    monkeypatch.setattr(Doors, "_info", broken)
    with pytest.raises(FoundError, match="answered 500"):
        fuzz(9, 1_000)


def test_a_planted_leak_between_accounts_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def leaky(hub: Hub, kind: str, _name: str) -> list[Any]:
        return [topic for (known, _), topics in hub._topics.items() if known == kind for topic in topics.values()]

    monkeypatch.setattr(Hub, "_of", leaky)
    with pytest.raises(FoundError, match="reached a socket of"):
        fuzz(9, 2_000)


def test_a_planted_action_on_anothers_account_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.sim.hostile import ACCOUNTS

    from hlfast.sim.authority import Authority

    def careless(self: Authority, _owner: Any, _vault: str, _action: Any) -> Any:
        return self._venue.account(ACCOUNTS[0])

    monkeypatch.setattr(Authority, "_acted_for", careless)
    with pytest.raises(FoundError, match="bystander"):
        fuzz(9, 4_000)
