"""Pages are well-formed, load nothing, and draw what they are given."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from tests.fakes.traders import NOW_MS, address, trips

import hlfast.demo
from hlfast.demo.recordings import PACKAGED
from hlfast.research import plots
from hlfast.research.analysis import analyse
from hlfast.research.candidates import Candidate
from hlfast.research.copyable import copyable_of
from hlfast.research.discovery import judge
from hlfast.research.figures import Analysis
from hlfast.research.files import history_from_file
from hlfast.research.grade import grade
from hlfast.research.history import history_from_rows
from hlfast.research.pages import tone
from hlfast.research.trader_page import render
from hlfast.research.traders_page import render_compared, render_judged

DATA = Path(hlfast.demo.__file__).parent / "data"


def parsed(page: str) -> ET.Element:
    """The page as XML: what is not closed or not escaped is an error here."""
    text = re.sub(r"<(meta[^>]*)>", r"<\1/>", page.removeprefix("<!doctype html>"))
    return ET.fromstring(text)


def recorded(name: str) -> Analysis:
    return analyse(history_from_file(DATA / PACKAGED[name]))


@pytest.mark.parametrize("name", sorted(PACKAGED))
def test_page_of_every_recorded_trader_is_whole_and_loads_nothing(name: str) -> None:
    from decimal import Decimal

    one = recorded(name)
    page = render(one, grade(one, copyable_of(one, Decimal(1_000)), one.last_ms))
    tree = parsed(page)
    assert tree.find("head/title") is not None
    assert not re.search(r"(?i)<script|https?://|url\(|@import|src=", page)
    for number in re.findall(r' (?:x|y|width|height|x1|x2|y1|y2)="([^"]+)"', page):
        assert re.fullmatch(r"-?\d+(\.\d+)?", number), number
    assert not re.search(r'(?:width|height)="-', page)
    assert page == render(one, grade(one, copyable_of(one, Decimal(1_000)), one.last_ms))


def test_names_are_escaped() -> None:
    from msgspec.structs import replace

    one = replace(recorded(next(iter(PACKAGED))), name="<q>&\"'")
    assert "<q>" not in render(one)
    assert (title := parsed(render(one)).find("body/h1")) is not None
    assert title.text == "<q>&\"'"


def rects(svg: str) -> list[dict[str, str]]:
    return [rect.attrib for rect in ET.fromstring(svg).iter("rect")]


def test_columns_stand_on_zero_and_are_as_high_as_their_values() -> None:
    drawn = rects(plots.columns([("a", 10.0), ("b", -5.0), ("c", 0.0)], title="t"))
    heights = [float(rect["height"]) for rect in drawn]
    assert heights[0] == pytest.approx(2 * heights[1], rel=0.01)
    assert heights[2] == 0.0
    assert [rect["class"] for rect in drawn] == ["good", "bad", "good"]
    assert float(drawn[0]["y"]) + heights[0] == pytest.approx(float(drawn[1]["y"]), abs=0.11)
    assert plots.columns([], title="t") == ""


def test_signed_bars_part_at_zero() -> None:
    drawn = rects(plots.signed_bars([("a", 3.0, "3"), ("b", -1.0, "-1")], title="t"))
    assert float(drawn[0]["width"]) == pytest.approx(3 * float(drawn[1]["width"]), rel=0.01)
    assert float(drawn[1]["x"]) + float(drawn[1]["width"]) == pytest.approx(float(drawn[0]["x"]), abs=0.11)


def test_heat_is_strongest_at_the_largest_and_empty_at_zero() -> None:
    drawn = rects(plots.heat([[4.0, 0.0], [-1.0, 2.0]], ("d0", "d1"), ("00", "01"), title="t"))
    assert [rect["class"] for rect in drawn] == ["good", "empty", "bad", "good"]
    assert drawn[0]["fill-opacity"] == "1.00"
    assert "fill-opacity" not in drawn[1]
    assert float(drawn[2]["fill-opacity"]) < float(drawn[3]["fill-opacity"])


@pytest.mark.parametrize(("usd", "kind"), [("0.004", ""), ("-0.004", ""), ("0.005", "good"), ("-3", "bad")])
def test_tone_of_what_shows_as_zero_is_neither_good_nor_bad(usd: str, kind: str) -> None:
    assert tone(Decimal(usd)) == kind


def test_page_of_several_traders_compares_them() -> None:
    named = ("leader_acc6.jsonl.gz", "leader_acc2.jsonl.gz")
    both = [analyse(history_from_file(DATA / name)) for name in named]
    page = render_compared([*both, msgspec.structs.replace(both[0], name="<b>0x" + "ab" * 20)])
    parsed(page)
    assert "3 traders" in page
    assert "Realised profit over capital" in page
    assert "46.7 %" in page
    assert "<b>0x" not in page
    assert not re.search(r"(?i)<script|https?://|url\(|src=", page)


def test_page_of_judged_traders_says_why_and_how_they_were_found() -> None:
    made = [
        judge(
            Candidate(address=address(number), source="tape", why="took", last_seen_ms=1),
            analyse(history_from_rows(address(number), trips(count, gain))),
            Decimal(1_000),
            NOW_MS,
        )
        for number, count, gain in ((1, 100, 4), (2, 10, 4))
    ]
    page = render_judged(made, ["tape         5 trades"])
    parsed(page)
    assert page.index(made[0].address) < page.index(made[1].address), "best score first"
    for words in (*made[0].graded.reasons, "tape         5 trades", "for a follower of 1,000.00 USD"):
        assert words in page, words
    parsed(render_judged([]))
