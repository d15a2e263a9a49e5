from __future__ import annotations

import json

import msgspec
from tests.fakes import journal

from hlfast.control.roster import Roster
from hlfast.control.rows import Translator


def people(*names: str, key: str) -> list[dict]:
    return [
        {"name": name, key: "0x" + address * 40, "agent": "0x" + address.upper() * 40}
        for name, _, address in (n.partition("@") for n in names)
    ]


def settings(leaders: list[str], followers: list[str], follows: list[str]) -> dict:
    edges = [
        {"leader": leader, "follower": follower, "mode": "ratio"}
        for leader, _, follower in (f.partition(">") for f in follows)
    ]
    return {
        "leaders": people(*leaders, key="address"),
        "followers": people(*followers, key="account"),
        "follows": edges,
    }


def test_places_are_kept_and_names_follow_their_addresses() -> None:
    roster = Roster()
    roster.take(settings(["a@1", "b@2"], ["f@5"], ["a>f", "b>f"]))
    roster.take(settings(["b@2", "a@3", "c@1"], ["g@6", "f@5"], ["b>f", "a>g"]))
    assert [name for name, _ in roster.leaders] == ["c", "b", "a"]
    assert [name for name, _ in roster.followers] == ["f", "g"]
    roster.take(settings(["c@4", "b@2"], ["g@6"], ["b>g"]))
    assert [name for name, _ in roster.leaders] == ["c~0", "b", "a", "c"]
    assert [name for name, _ in roster.followers] == ["f", "g"]
    assert roster.changed == ["a", "b", "c"]


def test_policies_and_names_alone_change_no_follow() -> None:
    roster = Roster()
    roster.take(settings(["a@1"], ["f@5"], ["a>f"]))
    roster.take(settings(["z@1"], ["g@5"], ["z>g"]))
    assert roster.changed == []
    assert msgspec.convert(msgspec.to_builtins(roster), Roster) == roster


def receipt(sequence: int, leader: int, follower: int) -> dict:
    base = next(item for item in journal.record(sequence) if item["kind"] == "receipt")
    return {**base, "sequence": sequence, "leader": leader, "follower": follower}


def test_translator_goes_by_the_journals_own_settings_and_their_changes() -> None:
    first = settings(["a@1"], ["f@5"], ["a>f"])
    second = settings(["a@1", "b@2"], ["f@5", "g@6"], ["a>f", "b>g"])
    request = json.dumps({"do": "configure", "config": second, "revision": 0})
    objects = [
        {"kind": "start", "sequence": 1, "epoch": 1, "now_ms": 5, "version": "1", "config": first},
        receipt(2, 0, 0),
        {"kind": "input", "sequence": 3, "now_ms": 6, "event": "operate", "request": request},
        receipt(4, 1, 1),
    ]
    raw = [json.dumps(item).encode() for item in objects]
    whole = Translator("j", journal.config()).batch(raw, 0)
    names = receipt_names(whole)
    assert names == [("a", "f"), ("b", "g")]
    assert {row["name"] for row in whole.people["leaders"]} == {"a", "b"}
    assert whole.roster is not None
    # Another run goes on in the middle with what was kept.
    later = Translator("j", journal.config(), msgspec.convert(whole.roster, Roster))
    rest = later.batch([json.dumps(receipt(5, 1, 0)).encode()], 4)
    assert receipt_names(rest) == [("b", "f")]
    assert rest.roster is None
    assert not rest.people


def receipt_names(batch) -> list[tuple[str, str]]:
    return [(row[4], row[5]) for row in batch.rows["receipts"]]
