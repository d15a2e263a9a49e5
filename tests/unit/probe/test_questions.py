"""What a probe asks, of a venue that answers as hlfast assumes and of others that don't."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.probe import World, in_world

from hlfast.config.model import Follower
from hlfast.probe import nonces, orders
from hlfast.probe.catalogue import QUESTIONS
from hlfast.sim.settings import Settings

ROOT = Path(__file__).parents[3]
NAMES = [question.name for question in QUESTIONS]


async def everything(world: World) -> None:
    conclusion = await world.ask()
    assert conclusion.left == ()
    assert conclusion.ending == "all asked"


def test_every_question_is_asked_and_the_simulator_answers_as_assumed() -> None:
    world = in_world(everything)
    assert world.verdicts() == dict.fromkeys(NAMES, "as assumed")
    assert all(finding.answers and not finding.change for finding in world.findings)
    assert "Invalid nonce: duplicate nonce" in world.answers("fence-before")
    assert "Order must have minimum value of $10." in world.answers("minimum")
    assert world.is_clean()
    # What executed is what --trade said: five buys of 12 to 24 USD at most, and their sales.
    bought = [float(row.sz) * float(row.px) for row in world.fills() if row.side == "B"]
    assert bought
    assert all(value < 26 for value in bought)
    assert sum(bought) < 100


def test_only_questions_that_say_so_trade() -> None:
    async def talk(world: World) -> None:
        await world.ask(*(question.name for question in QUESTIONS if not question.trades))

    world = in_world(talk)
    assert not world.fills()
    assert world.is_clean()


@pytest.mark.parametrize(
    ("switches", "differ", "unasked"),
    [
        ({"repeated_cloid": "refuse_resting"}, {"cloid-resting"}, set()),
        ({"repeated_cloid": "refuse"}, {"cloid-resting", "cloid-filled"}, {"cloid-lookup"}),
        ({"stale_cloid": True}, {"cloid-lookup"}, set()),
        ({"order_status_lag_ms": 400}, set(), set()),
        ({"order_status_lag_ms": 7_000}, {"status-lag"}, set()),
        ({"asset_suffix": False, "block_ms": 200, "latency_ms": 300}, set(), set()),
    ],
    ids=["resting ids refused", "ids refused", "older order shown", "short lag", "long lag", "slow blocks"],
)
def test_a_venue_that_answers_otherwise_is_told_with_what_to_change(
    switches: dict[str, Any], differ: set[str], unasked: set[str]
) -> None:
    world = in_world(everything, **switches)
    verdicts = world.verdicts()
    assert {name for name, verdict in verdicts.items() if verdict == "differs"} == differ
    assert {name for name, verdict in verdicts.items() if verdict == "not asked"} == unasked
    assert list(verdicts) == NAMES
    for finding in world.findings:
        assert bool(finding.change) == (finding.verdict == "differs")
    told = [finding.change for finding in world.findings if finding.verdict == "differs"]
    assert all(next(iter(switches)) in change for change in told)
    assert world.is_clean()


def test_a_venue_that_forgets_nonces_is_found_by_every_question_about_them() -> None:
    async def talk(world: World) -> None:
        world.on_post = lambda: world.control("add_faults", faults=[{"kind": "prune_nonces"}])
        await world.ask("fence-before", "fence-after", "resend", "nonce-again")

    world = in_world(talk)
    assert set(world.verdicts().values()) == {"differs"}
    assert "2 resting" in world.answers("resend")
    assert world.is_clean()


# Words and figures that the simulator has no switch for: (question, what it says, what is heard instead).
REWORDED = [
    ("fence-before", "duplicate nonce", "nonce seen"),
    ("fence-after", "duplicate nonce", "nonce seen"),
    ("fence-race", "duplicate nonce", "nonce seen"),
    ("resend", "duplicate nonce", "nonce seen"),
    ("resend-race", "duplicate nonce", "nonce seen"),
    ("nonce-again", "duplicate nonce", "nonce seen"),
    ("nonce-old", "nonce too low", "nonce too old"),
    ("nonce-ahead", "nonce too high", "nonce from the future"),
    ("expiry", "Action already expired", "Too late"),
    ("expiry", r'"timestamp":1', '"timestamp":2'),
    ("expired-nonce", "Action already expired", "Too late"),
    ("unknown-signer", r"0x[0-9a-f]{40}", "0x" + "00" * 20),
    ("status-unknown", "unknownOid", "noSuchOrder"),
    ("clock", r'"timestamp":1', '"timestamp":2'),
    ("no-match", "Order could not immediately match", "Nothing matched"),
    ("reduce-only", "Reduce only order would increase", "Would increase"),
    ("minimum", "Order must have minimum value", "Order is too small"),
    ("minimum-price", "Order must have minimum value", "Order is too small"),
    ("far-price", "Order price cannot be more than", "Price is off by more than"),
    ("leverage-again", r'{"status":"ok","response":{"type":"default"}}', '{"status":"err","response":"Not twice"}'),
    ("builder", "Builder fee has not been approved", "Who is that builder?"),
    ("priority", "Insufficient delegatable balance", "No stake"),
    ("reduce-only-shrinks", r'"totalSz":"0', '"totalSz":"1'),
    ("small-close", "Order must have minimum value", "Order is too small"),
    ("far-trigger", '"waitingForTrigger"', '{"error":"Invalid TP/SL price."}'),
]


@pytest.mark.parametrize(("name", "said", "heard"), REWORDED, ids=str)
def test_other_words_or_figures_differ(name: str, said: str, heard: str) -> None:
    # The greeting is answered as ever; one question sends nothing after it, one buys before it sells.
    unheard = {"status-unknown": 0, "reduce-only-shrinks": 2}.get(name, 1)

    async def talk(world: World) -> None:
        def reword(answer: bytes) -> bytes:
            begun = len(world.posts) > unheard
            return re.sub(said, heard, answer.decode()).encode() if begun else answer

        for road in world.roads.values():
            road.reword = reword
        await world.ask(name)

    world = in_world(talk)
    assert world.verdicts() == {name: "differs"}
    assert world.findings[0].change
    assert world.is_clean()


def test_every_question_is_answered_otherwise_by_some_test() -> None:
    by_switches = {"cloid-resting", "cloid-filled", "cloid-lookup", "status-lag"}
    assert {name for name, *_ in REWORDED} | by_switches | {"nonce-order"} == set(NAMES)


def test_a_venue_that_keeps_fewer_nonces_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hlfast.sim.nonces.KEPT", 20)

    async def talk(world: World) -> None:
        await world.ask("nonce-order")

    world = in_world(talk)
    assert world.verdicts() == {"nonce-order": "differs"}
    assert "nonce too low" in world.answers("nonce-order")


def test_a_venue_that_takes_nothing_now_is_not_mistaken_for_another_answer() -> None:
    async def talk(world: World) -> None:
        await world.ask("cloid-resting", "reduce-only", "resend", "nonce-old")

    verdicts = in_world(talk, halted=True).verdicts()
    assert verdicts.pop("nonce-old") == "as assumed"
    assert set(verdicts.values()) == {"not asked"}


def test_questions_are_unique_and_say_all_that_a_reader_needs() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for question in QUESTIONS:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", question.name)
        assert question.asks
        assert question.assumes
        assert question.otherwise


def test_every_text_that_is_expected_is_one_that_the_core_knows() -> None:
    table = (ROOT / "rust/core/src/order/text.rs").read_text()
    expected = [*nonces.NONCE_USED, nonces.TOO_LOW, nonces.TOO_HIGH, nonces.EXPIRED, *nonces.NO_SUCH_SIGNER]
    expected += [
        orders.MINIMUM,
        orders.NO_MATCH,
        orders.REDUCE_ONLY,
        *orders.TOO_FAR,
        orders.NO_BUILDER,
        orders.NO_STAKE,
    ]
    assert not [text for text in expected if f'"{text}"' not in table]


def test_settings_and_files_that_a_change_names_exist() -> None:
    switches = set(Settings.__struct_fields__)
    for question in QUESTIONS:
        change = question.otherwise
        assert all((ROOT / path).exists() for path in re.findall(r"rust/[a-z_/]+\.rs", change)), change
        for path, name in re.findall(r"([A-Z]+(?:_[A-Z]+)+) in (rust/[a-z_/]+\.rs)", change):
            assert f"const {path}:" in (ROOT / name).read_text(), change
        assert set(re.findall(r"for the simulator: (\w+)", change)) <= switches, change
        assert set(re.findall(r"followers\[\]\.(\w+)", change)) <= set(Follower.__struct_fields__), change


def test_the_documents_list_every_question() -> None:
    text = (ROOT / "docs/testnet.md").read_text()
    table = text.partition("## Asked by the probe")[2].partition("## Not asked")[0]
    firsts = re.findall(r"^\| (`[^|]+) \|", table, flags=re.MULTILINE)
    assert sorted(re.findall(r"`([a-z-]+)`", " ".join(firsts))) == sorted(NAMES)


def test_the_documents_name_switches_that_exist() -> None:
    text = (ROOT / "docs/testnet.md").read_text()
    table = text.partition("## Not asked")[2]
    named = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", table))
    beside = {"leaders_uncovered", "max_priority_bps"}  # a gauge, and a setting
    assert named - beside <= set(Settings.__struct_fields__)
