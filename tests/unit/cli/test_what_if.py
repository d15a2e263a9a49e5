from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from tests.fakes import journal  # noqa: F401 - makes the tests' package known
from typer.testing import CliRunner, Result

import hlfast.demo
from hlfast.cli.line import app

DATA = Path(hlfast.demo.__file__).parent / "data"
DAY, XYZ = str(DATA / "leader_acc2.jsonl.gz"), str(DATA / "leader_acc5.jsonl.gz")


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["what-if", *words])


def test_what_if_tells_net_edge_and_what_is_assumed() -> None:
    done = run(DAY, "--equity", "5000")
    assert done.exit_code == 0, done.output
    for line in ("net ", "edge ", "copied ", "tracking ", "latency ", "least ", "measured ", "assumed "):
        assert f"\n  {line}" in done.output


def test_what_if_as_json_holds_every_figure_and_is_the_same_each_time() -> None:
    one, other = (run(DAY, "--json", "--quick").stdout for _ in range(2))
    assert one == other
    found = json.loads(one)
    money = found["money"]
    costs = sum(Decimal(money[f"{name}_usd"]) for name in ("missed", "drift", "spread", "impact", "fees"))
    assert Decimal(money["edge_usd"]) - costs + Decimal(money["funding_usd"]) == Decimal(money["net_usd"])
    assert (found["latencies"], found["least"]) == ([], None)


def test_what_if_writes_a_page_that_loads_nothing_and_is_the_same_each_time(tmp_path: Path) -> None:
    pages = []
    for name in ("a.html", "b.html"):
        assert run(DAY, "--html", str(tmp_path / name)).exit_code == 0
        pages.append((tmp_path / name).read_text())
    page = pages[0]
    assert page == pages[1]
    assert page.count("<svg") >= 5
    assert not re.search(r"https?://|src=|<script|<link|@import|url\(", page)
    assert "Measured" in page
    assert "Assumed" in page


def test_what_if_takes_fills_beside_an_address_and_any_setting_of_a_follow(tmp_path: Path) -> None:
    address = "0x" + "ab" * 20
    done = run(
        address,
        "--fills",
        DAY,
        "--json",
        "--quick",
        "--notional",
        "300",
        "--set",
        "coins_allow=HYPE,WLD",
        "--set",
        "scale_adds=true",
    )
    found = json.loads(done.stdout)
    assert found["name"] == address
    assert found["policy"] == {
        "mode": "notional",
        "notional_usd": "300",
        "scale_adds": True,
        "coins_allow": ["HYPE", "WLD"],
    }
    assert "skipped: coin_filtered" in found["copied"]["endings"]
    del tmp_path


def test_what_if_takes_a_follow_of_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "hlfast.toml"
    head = 'network = "testnet"\n[venue]\nbase_url = "http://127.0.0.1:1"\n[journal]\ndirectory = "j"\n[keys]\ncredentials_directory = "c"\n'
    people = '[[leaders]]\nname = "whale"\naddress = "0x5a1e000000000000000000000000000000000002"\n'
    people += '[[followers]]\nname = "main"\naccount = "0xf000000000000000000000000000000000000001"\nagent = "0xa9e0000000000000000000000000000000000001"\nmax_position_usd = "50"\n'
    people += '[[followers]]\nname = "other"\naccount = "0xf000000000000000000000000000000000000002"\nagent = "0xa9e0000000000000000000000000000000000002"\n'
    edges = '[[follows]]\nleader = "whale"\nfollower = "main"\nmode = "ratio"\nratio = "0.5"\n'
    path.write_text(head + people + edges)
    found = json.loads(run(DAY, "--follow-config", str(path), "--json", "--quick").stdout)
    assert found["policy"] == {"mode": "ratio", "ratio": "0.5"}
    assert {cause["cause"] for cause in found["error"]["causes"] if Decimal(cause["usd_hours"])} >= {"caps"}
    path.write_text(head + people + edges + edges.replace("main", "other"))
    refused = run(DAY, "--follow-config", str(path))
    assert refused.exit_code == 2
    assert "--edge whale/main | whale/other" in refused.output
    assert run(DAY, "--follow-config", str(path), "--edge", "whale/other", "--quick").exit_code == 0


@pytest.mark.parametrize(
    "settings",
    [
        ["inverse=true", "round_up=true", "round_up_max_usd=8", "side=long"],
        ["hours=08:00-20:00", "hours_zone=America/New_York", "delay_ms=3000"],
        ["min_day_volume_usd=1000", "min_listed_days=5", "quality_window=week", "only_profitable=true"],
        ["max_leader_leverage=0.5", "existing=adopt_within", "adopt_band_bps=50"],
        ["mode=risk", "risk_bps=100", "volatility_days=7"],
        ['follower.execution={"style": "twap", "seconds": 60, "slices": 5}', "follower.disaster_stop_bps=800"],
        ['follower.execution={"style": "smart", "seconds": 60, "depth_percent": 50, "passive_ms": 5000}'],
        ["follower.max_gross_usd=900", "follower.max_order_usd=200", "max_order_usd=300"],
    ],
)
def test_what_if_obeys_every_kind_of_setting(settings: list[str]) -> None:
    plain = json.loads(run(DAY, "--quick", "--json").stdout)
    words = [word for setting in settings for word in ("--set", setting)]
    done = run(DAY, "--quick", "--json", *words)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["copied"] != plain["copied"] or found["money"] != plain["money"]


def test_what_if_rebalances_between_the_leaders_trades_and_no_fill_has_a_receipt_for_it() -> None:
    # A third of the equity moves less than the leader's: their ratio drifts. A whole one would move with it.
    words = (str(DATA / "leader_acc6.jsonl.gz"), "--quick", "--json", "--equity", "200000", "--set", "weight=0.3")
    kept = json.loads(run(*words).stdout)["copied"]
    moved = json.loads(run(*words, "--set", "rebalance_hours=1").stdout)["copied"]
    assert moved["orders"] > kept["orders"] + 10
    assert moved["endings"] == kept["endings"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "ratoi=1"], "write NAME=VALUE with one of"),
        (["--set", "max_age_ms=soon"], "max_age_ms"),
        (["--set", "max_position_usd=0"], "max_position_usd"),
        (["--mode", "ratio"], "ratio: is missing"),
        (["--set", "follower.max_order_usd=0"], "followers[0].max_order_usd"),
        (["--set", "follower.execution={"], "write a table as JSON"),
        (["--equity", "lots"], '--equity is "lots"'),
        (["--latency", "-5"], "latency_ms is -5"),
        (["--fee-tier", "9"], "fee_tier is 9: write 0 to 6"),
        (["--edge", "a/b"], "--follow-config"),
        (["--html", "/nowhere/page.html"], "/nowhere/page.html"),
    ],
)
def test_what_if_names_what_is_wrong_and_what_to_write(words: list[str], said: str) -> None:
    done = run(DAY, "--quick", *words)
    assert done.exit_code == 2, done.output
    assert said in done.output


def test_what_if_refuses_files_that_hold_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "none.jsonl"
    empty.write_text("{}\n")
    assert "none.jsonl: no fills" in run(str(empty)).output
    assert run(str(empty)).exit_code == 1
    done = run(DAY, "--market", str(empty))
    assert done.exit_code == 1
    assert "none.jsonl: nothing in it says anything about a market" in done.output


def test_what_if_names_positions_from_before_and_takes_them_when_told() -> None:
    ignored, adopted = run(XYZ, "--quick"), run(XYZ, "--quick", "--set", "existing=adopt")
    assert "existing = adopt takes them" in ignored.output
    assert "existing = adopt takes them" not in adopted.output
