"""The live table shows what was counted, and stays the same height however many reasons there are."""

from __future__ import annotations

import io
from collections import Counter

from rich.console import Console

from hlfast.demo.board import Progress, limits_note, render


def drawn(progress: Progress) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(render(progress))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def progress(**more: object) -> Progress:
    made = Progress(leaders=["ann", "bob"], followers=3, edges=4, fills_total=10, receipts_due=30, seconds=30)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_render_shows_fills_actions_receipts_and_latency() -> None:
    text = drawn(
        progress(
            fills=Counter(ann=4, bob=1),
            actions=1_234,
            receipts=Counter({("filled", ""): 7, ("skipped", "coin_filtered"): 2}),
            latency_us={"decide": {"p50": 1.5, "p99": 9.0, "max": 20.0}},
            stage="copying",
        )
    )
    for said in (
        "5 of 10 fills in",
        "1,234 actions out",
        "9 of 30 receipts",
        "skipped (coin_filtered)",
        "decide",
        "copying",
    ):
        assert said in text


def test_render_keeps_its_height_with_many_reasons() -> None:
    few = drawn(progress(receipts=Counter({("skipped", f"r{n}"): 1 for n in range(9)})))
    many = drawn(progress(receipts=Counter({("skipped", f"r{n}"): 1 for n in range(40)})))
    assert few.count("\n") == many.count("\n")
    assert "others" in many


def test_share_counts_fills_and_receipts_and_never_exceeds_one() -> None:
    assert progress().share == 0
    assert progress(fills=Counter(ann=10), receipts=Counter({("filled", ""): 10})).share == 0.5
    assert progress(fills=Counter(ann=99), receipts=Counter({("filled", ""): 99})).share == 1


def test_limits_note_says_what_one_address_may_do() -> None:
    assert limits_note(6_000, 20, "off") == (
        "6,000 actions in 20.0 s (18,000/min); the simulator's limits are off;"
        " the venue allows one address 1,200 actions/min"
    )
    assert "the venue's limits are on" in limits_note(1, 0, "venue")
