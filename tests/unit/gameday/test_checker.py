"""The checker must see what is wrong: each case bends the evidence of a sound run in one place."""

from __future__ import annotations

import base64
import copy
from dataclasses import replace
from pathlib import Path

import msgspec
import orjson
import pytest

from hlfast.gameday.checker import Evidence, check, is_settlement
from hlfast.gameday.outgoing import bodies_of
from hlfast.gameday.world import Options, World


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    world = World(
        Options(seed=2, seconds=150, only=frozenset({"crash"}), leaders=1, followers=3), tmp_path_factory.mktemp("seed")
    )
    result = world.run()
    assert result.violations == []
    assert result.executions > 10
    return world.last_evidence


def bent(evidence: Evidence) -> Evidence:
    return replace(
        evidence,
        ledger=copy.deepcopy(evidence.ledger),
        journal=copy.deepcopy(evidence.journal),
        status=copy.deepcopy(evidence.status),
        beside=list(evidence.beside),
    )


def invariants(evidence: Evidence) -> set[str]:
    return {violation.invariant for violation in check(evidence)}


def executions(evidence: Evidence) -> list[dict]:
    accounts = {follower.account for follower in evidence.config.followers}
    return [row for row in evidence.ledger["fills"] if row["user"] in accounts]


def test_checker_finds_nothing_in_a_sound_run(sound: Evidence) -> None:
    assert check(sound) == []


def test_checker_sees_an_execution_that_came_twice(sound: Evidence) -> None:
    evidence = bent(sound)
    twin = dict(executions(evidence)[0], oid=1)
    evidence.ledger["fills"].append(twin)
    assert {"I2", "I16"} <= invariants(evidence)


def test_checker_sees_an_order_that_no_record_explains(sound: Evidence) -> None:
    evidence = bent(sound)
    arrived = {action["digest"] for action in evidence.ledger["actions"]}
    gone = next(row for row in evidence.journal if row["kind"] == "attempt" and row["digest"] in arrived)
    evidence.journal.remove(gone)
    assert "I3" in invariants(evidence)


def test_checker_tells_two_signers_actions_of_one_content_apart(sound: Evidence) -> None:
    rows = {row["signer"]: row for row in sound.objects("attempt") if row["does"] in ("open", "reduce")}
    agents = [follower.agent for follower in sound.config.followers]
    (first, mine), (second, theirs) = list(rows.items())[:2]
    taken = next(row for row in sound.ledger["actions"] if row["digest"] == mine["digest"])
    late = {"signer": agents[first], "nonce": mine["nonce"], "ok": False, "response": "Action already expired"}

    def beside(digest: str) -> list[str]:
        evidence = bent(sound)
        evidence.ledger["actions"].append(taken | late | {"digest": digest})
        return [each.text for each in check(evidence) if each.invariant == "I4" and "at the venue" in each.text]

    # A copy of the engine had it under this nonce; this engine has it for another account.
    assert not beside(theirs["digest"])
    other = next(row for row in sound.objects("attempt") if row["signer"] == first and row["digest"] != mine["digest"])
    assert beside(other["digest"])
    assert second != first


def test_checker_sees_a_nonce_that_passed_twice(sound: Evidence) -> None:
    evidence = bent(sound)
    twice = dict(next(row for row in evidence.ledger["actions"] if row["ok"]), digest="0x00")
    evidence.ledger["actions"].append(twice)
    assert {"I3", "I8"} <= invariants(evidence)


def test_checker_sees_a_lost_receipt_and_a_second_one(sound: Evidence) -> None:
    evidence = bent(sound)
    receipts = [row for row in evidence.journal if row["kind"] == "receipt"]
    evidence.journal.remove(receipts[-1])
    assert "I7" in invariants(evidence)
    evidence = bent(sound)
    evidence.journal.append(receipts[-1])
    assert "I9" in invariants(evidence)


def test_checker_sees_a_late_execution_and_one_that_grows_by_reducing(sound: Evidence) -> None:
    evidence = bent(sound)
    executions(evidence)[-1]["time"] += 60_000
    assert "I11" in invariants(evidence)
    evidence = bent(sound)
    opening = next(row for row in evidence.journal if row["kind"] == "attempt" and row["does"] == "open")
    opening["does"] = "reduce"
    assert "I10" in invariants(evidence)


def test_checker_sees_a_position_that_no_policy_explains(sound: Evidence) -> None:
    evidence = bent(sound)
    account = evidence.config.followers[0].account
    held = evidence.ledger["positions"][account]
    coin = evidence.cast.coins[0]
    held[coin] = {"szi": "777", "entryPx": "1"}
    assert {"I1", "I16", "I20"} <= invariants(evidence)


def test_checker_sees_what_the_core_calls_somebody_elses(sound: Evidence) -> None:
    evidence = bent(sound)
    lots = next(follower["positions"] for follower in evidence.status["followers"] if follower["positions"])
    next(iter(lots.values()))["manual"] = "1"
    assert "I20" in invariants(evidence)


def test_checker_sees_a_cap_that_was_passed(sound: Evidence, tmp_path: Path) -> None:
    followers = tuple(
        type(each)(**({name: getattr(each, name) for name in each.__struct_fields__} | {"max_order_usd": "12"}))
        for each in sound.config.followers
    )
    fields = {name: getattr(sound.config, name) for name in sound.config.__struct_fields__}
    assert "I6" in invariants(replace(sound, config=type(sound.config)(**(fields | {"followers": followers}))))


def test_checker_sees_one_r_under_two_contents(sound: Evidence) -> None:
    at_ms, payload = sound.sent[-1]
    body = orjson.loads(payload)
    content = body["request"]["payload"] if "request" in body else body
    content["nonce"] += 1
    assert "I5" in invariants(replace(sound, sent=[*sound.sent, (at_ms, orjson.dumps(body))]))


@pytest.mark.parametrize("spelling", [bytes.hex, lambda key: key.hex().upper(), base64.b64encode, bytes])
def test_checker_sees_a_key_in_any_output(sound: Evidence, spelling) -> None:
    text = spelling(sound.cast.agents[0][0])
    text = text.encode() if isinstance(text, str) else text
    assert "I17" in invariants(replace(sound, outputs=[("the log", b"so it is " + text + b"!")]))


def test_checker_sees_what_a_replay_found(sound: Evidence) -> None:
    assert "I19" in invariants(replace(sound, replayed="record 7 differs"))


def test_checker_sees_an_order_that_may_pass_a_cap_though_it_never_arrives(sound: Evidence) -> None:
    opening = next(row for row in sound.journal if row["kind"] == "attempt" and row["does"] == "open")
    at_ms, payload = next(each for each in sound.sent if opening["cloids"][0].encode() in each[1])
    body = orjson.loads(payload)
    content = body["request"]["payload"] if "request" in body else body
    content["nonce"] += 1
    content["signature"]["r"] = "0x1"
    followers = tuple(msgspec.structs.replace(each, max_position_usd="100000000") for each in sound.config.followers)
    config = msgspec.structs.replace(sound.config, followers=followers)
    assert invariants(replace(sound, config=config)) == set()
    content["action"]["orders"][0]["s"] = "1000000000000"
    sent = sorted([*sound.sent, (at_ms, orjson.dumps(body))], key=lambda each: each[0])
    assert "I6" in invariants(replace(sound, config=config, sent=sent))


def test_checker_sees_an_opening_beyond_what_leaders_moves_entitle_to(sound: Evidence) -> None:
    evidence = bent(sound)
    opening = next(row for row in executions(evidence) if row["side"] == "B")
    opening["sz"] = str(float(opening["sz"]) * 100)
    assert "I2" in invariants(evidence)


def test_checker_believes_a_receipt_that_says_filled(sound: Evidence) -> None:
    evidence = bent(sound)
    account = evidence.config.followers[0].account
    coin, held = next(iter(evidence.ledger["positions"][account].items()))
    held["szi"] = "0"
    mine = [row for row in evidence.ledger["fills"] if (row["user"], row["coin"]) == (account, coin)]
    for row in mine:
        evidence.ledger["fills"].remove(row)
    assert "I1" in invariants(evidence)


def test_checker_sees_a_stop_that_is_missing(sound: Evidence) -> None:
    followers = tuple(msgspec.structs.replace(each, disaster_stop_bps=1_000) for each in sound.config.followers)
    config = msgspec.structs.replace(sound.config, followers=followers)
    assert "D4" in invariants(replace(sound, config=config, resting={}))


@pytest.fixture(scope="module")
def sliced(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """One of the seeds whose followers open in portions."""
    world = World(Options(seed=7, seconds=200, only=frozenset({"crash"})), tmp_path_factory.mktemp("seed"))
    result = world.run()
    assert result.violations == []
    assert any(row.get("twap_id") for row in executions(world.last_evidence))
    return world.last_evidence


def test_checker_sees_a_slice_whose_twap_nobody_began(sliced: Evidence) -> None:
    evidence = bent(sliced)
    row = next(row for row in executions(evidence) if row.get("twap_id"))
    evidence.ledger["twaps"] = [each for each in evidence.ledger["twaps"] if each["twap_id"] != row["twap_id"]]
    assert "I11" in invariants(evidence)


def test_checker_sees_a_twap_that_began_after_its_expiry_and_a_slice_after_its_end(sliced: Evidence) -> None:
    evidence = bent(sliced)
    evidence.ledger["twaps"][0]["time"] += 60_000
    assert "I11" in invariants(evidence)
    evidence = bent(sliced)
    next(row for row in executions(evidence) if row.get("twap_id"))["time"] += 400_000
    assert "I11" in invariants(evidence)


def test_checker_sees_a_twap_that_begins_before_the_former_one_is_over(sliced: Evidence) -> None:
    evidence = bent(sliced)
    twaps = evidence.ledger["twaps"]
    place = next((row["user"], row["coin"]) for row in twaps if row["ended"])
    first, second, *_ = [row for row in twaps if (row["user"], row["coin"]) == place]
    first["ended"] = second["time"] + 1
    assert "I2" in invariants(evidence)


def test_checker_counts_what_is_left_of_a_twap_against_the_caps(sliced: Evidence) -> None:
    # Orders of others that left while it ran would pass a cap of all coins, had the TWAP been so large.
    evidence = bent(sliced)
    natives = {row["user"] for row in evidence.ledger["twaps"]}
    followers = tuple(
        msgspec.structs.replace(each, max_gross_usd="10000000") if each.account in natives else each
        for each in evidence.config.followers
    )
    evidence = replace(evidence, config=msgspec.structs.replace(evidence.config, followers=followers))
    assert "I6" not in invariants(evidence)
    for row in evidence.ledger["twaps"]:
        row["sz"] = str(float(row["sz"]) * 1_000_000)
    assert "I6" in invariants(evidence)


def test_checker_lets_a_late_copy_of_a_twaps_action_begin_nothing(sliced: Evidence) -> None:
    evidence = bent(sliced)
    twap = next(row for row in evidence.ledger["twaps"] if row["ended"])
    begun = next(
        row for row in evidence.ledger["actions"] if (row["nonce"], row["signer"]) == (twap["nonce"], twap["signer"])
    )
    twap["sz"] = str(float(twap["sz"]) * 1_000_000)
    twap["ended"] = twap["time"] + 1
    evidence.ledger["actions"].append(begun | {"ok": False, "time": twap["time"] + 1_000})
    evidence.ledger["actions"].sort(key=lambda row: row["time"])
    followers = tuple(msgspec.structs.replace(each, max_gross_usd="10000000") for each in evidence.config.followers)
    config = msgspec.structs.replace(evidence.config, followers=followers)
    assert "I6" not in invariants(replace(evidence, config=config))


@pytest.mark.parametrize(("status", "found"), [({"error": "Trading is halted."}, False), ({"filled": {}}, True)])
def test_checker_knows_when_a_used_nonce_is_no_reason_to_stop(sound: Evidence, status: dict, found: bool) -> None:
    """A copy sent the same action: only if the venue knows no order of it, nobody can tell whose it was."""
    evidence = bent(sound)
    taken = next(row for row in evidence.ledger["actions"] if row["ok"] and row["kind"] == "order")
    taken["response"] = {"type": "order", "data": {"statuses": [status]}}
    evidence.ledger["actions"].append(taken | {"ok": False, "response": "Invalid nonce: duplicate nonce"})
    evidence.beside.extend(row for row in evidence.objects("attempt") if row["digest"] == taken["digest"])
    agents = [follower.agent for follower in evidence.config.followers]
    evidence.status["followers"][agents.index(taken["signer"])]["stopped"] = "signer_stopped"
    assert ("I20" in invariants(evidence)) == found


@pytest.fixture(scope="module")
def delisted(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """The venue takes off a coin that followers hold."""
    world = World(Options(seed=5, seconds=200, only=frozenset({"delisting"})), tmp_path_factory.mktemp("seed"))
    result = world.run()
    assert result.violations == []
    assert len(world.last_evidence.delisted) == 1
    assert len(settlements(world.last_evidence)) > 1
    return world.last_evidence


def settlements(evidence: Evidence) -> list[dict]:
    return [row for row in executions(evidence) if is_settlement(evidence, row)]


def test_checker_takes_no_trade_of_the_venues_for_a_settlement_unless_it_delisted(delisted: Evidence) -> None:
    assert "I11" in invariants(replace(delisted, delisted={}))
    evidence = bent(delisted)
    settlements(evidence)[0]["time"] += 1
    assert "I11" in invariants(evidence)
    for what, value in (("nonce", 1), ("cloid", "0x01"), ("twap_id", 1)):
        evidence = bent(delisted)
        settlements(evidence)[0][what] = value
        assert "I11" in invariants(evidence)


def test_checker_sees_an_execution_after_the_delisting(delisted: Evidence) -> None:
    evidence = bent(delisted)
    ((coin, at_ms),) = evidence.delisted.items()
    row = next(row for row in executions(evidence) if row["coin"] == coin and not is_settlement(evidence, row))
    row["time"] = at_ms + 1
    assert any("after the coin was delisted" in violation.text for violation in check(evidence))


def test_checker_sees_what_a_settlement_left(delisted: Evidence) -> None:
    ((coin, _),) = delisted.delisted.items()
    account = settlements(delisted)[0]["user"]
    evidence = bent(delisted)
    evidence.ledger["positions"][account][coin] = {"szi": "1", "entryPx": "1"}
    assert {"I1", "I16", "I20"} <= invariants(evidence)
    evidence = bent(delisted)
    settlements(evidence)[0]["sz"] = "0.00001"
    assert "I16" in invariants(evidence)
    assert "I16" in invariants(replace(delisted, resting={account: {coin: 1}}))


def test_checker_lets_a_settlement_explain_no_volume_and_counts_it_for_none(delisted: Evidence) -> None:
    evidence = bent(delisted)
    ((coin, _),) = evidence.delisted.items()
    ordered = [row for row in evidence.ledger["fills"] if row["coin"] == coin and not is_settlement(evidence, row)]
    least = min((row for row in executions(evidence) if row in ordered), key=lambda row: float(row["sz"]))
    for row in ordered:
        if row is not least:
            evidence.ledger["fills"].remove(row)
    assert any(f"{coin}: traded" in each.text and "explain 0.0000" in each.text for each in check(evidence))
    evidence = bent(evidence)
    evidence.ledger["fills"].remove(least)
    assert not any(f"{coin}: traded" in each.text for each in check(evidence))


def test_checker_sees_an_opening_that_leaves_long_after_the_delisting(delisted: Evidence) -> None:
    ((coin, at_ms),) = delisted.delisted.items()
    number = next(number for number, name in delisted.cast.assets.items() if name == coin)

    def opened(late_ms: int) -> Evidence:
        evidence = bent(delisted)
        place, payload = next(
            (place, payload)
            for place, (_, payload) in enumerate(evidence.sent)
            if any(row["a"] == number and not row["r"] for row in orders_of(payload))
        )
        attempt = next(
            row for row in evidence.objects("attempt") if set(row["cloids"]) & {row["c"] for row in orders_of(payload)}
        )
        body = orjson.loads(payload)
        content = body["request"]["payload"] if "request" in body else body
        content["expiresAfter"] = attempt["expires_after"] = at_ms + late_ms + 1_000
        sent = [*evidence.sent]
        sent[place] = at_ms + late_ms, orjson.dumps(body)
        return replace(evidence, sent=sent)

    assert not late_openings(opened(2_000))
    late = opened(9_000)
    assert late_openings(late)
    # What a leader's exit uncovered has no age; beside anything that adds it does.
    told = [row for row in late.objects("receipt") if row["coin"] == coin and row["nonce"] in nonces_of(late)]
    assert told
    for row in told:
        row["entitled_before"], row["entitled_after"] = "2", "1"
    assert not late_openings(late)
    told[0]["entitled_after"] = "3"
    assert late_openings(late)


def orders_of(payload: bytes) -> list[dict]:
    body = orjson.loads(payload)
    return (body["request"]["payload"] if "request" in body else body)["action"].get("orders", [])


def nonces_of(evidence: Evidence) -> set[int]:
    return {body["nonce"] for _, body in bodies_of(evidence.sent)}


def late_openings(evidence: Evidence) -> list[str]:
    return [each.text for each in check(evidence) if each.invariant == "I2" and "after the delisting" in each.text]
