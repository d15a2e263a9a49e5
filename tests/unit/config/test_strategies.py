from __future__ import annotations

from pathlib import Path

import pytest

from hlfast.config.load import SettingsRefusedError, load
from hlfast.config.model import Config, for_core

BASE = """
network = "testnet"
[venue]
base_url = "http://127.0.0.1:1"
[journal]
directory = "journal"
[keys]
credentials_directory = "keys"
[[leaders]]
name = "a"
address = "0x00000000000000000000000000000000000000a1"
[[leaders]]
name = "b"
address = "0x00000000000000000000000000000000000000b1"
[[followers]]
name = "f"
account = "0x00000000000000000000000000000000000000f1"
agent = "0x00000000000000000000000000000000000000f2"
max_gross_usd = "9000"
"""
PARTS = """
[[strategies.parts]]
leader = "a"
allocation = "0.6"
[[strategies.parts]]
leader = "b"
allocation = "0.25"
"""


def made(tmp_path: Path, strategy: str, more: str = "") -> Config:
    path = tmp_path / "hlfast.toml"
    path.write_text(BASE + "[[strategies]]\nname = 's'\nfollower = 'f'\n" + strategy + more)
    return load(path)


def refused(tmp_path: Path, strategy: str, more: str = "") -> list[str]:
    with pytest.raises(SettingsRefusedError) as refusal:
        made(tmp_path, strategy, more)
    return [problem.setting for problem in refusal.value.problems]


def test_mirror_takes_a_share_of_each_leaders_size(tmp_path: Path) -> None:
    config = made(tmp_path, 'kind = "mirror"' + PARTS)
    assert [(one.leader, one.mode, one.ratio) for one in config.follows] == [
        ("a", "ratio", "0.6"),
        ("b", "ratio", "0.25"),
    ]


def test_proportional_gives_each_leader_its_part_of_the_equity(tmp_path: Path) -> None:
    config = made(tmp_path, 'kind = "proportional"' + PARTS)
    assert [(one.mode, one.weight) for one in config.follows] == [("equity", "0.6"), ("equity", "0.25")]


def test_risk_adjusted_shares_risk_and_leverage_out_toward_zero(tmp_path: Path) -> None:
    kind = 'kind = "risk_adjusted"\nrisk_bps = 250\nvolatility_days = 14\nrisk_max_leverage = "2"\nscale_adds = true'
    config = made(tmp_path, kind + PARTS)
    assert [(one.mode, one.risk_bps, one.risk_max_leverage) for one in config.follows] == [
        ("risk", 150, "1.20000000"),
        ("risk", 62, "0.50000000"),
    ]
    assert all(one.volatility_days == 14 and one.scale_adds for one in config.follows)


def test_a_policy_holds_for_every_follow_of_its_strategy_and_for_no_other(tmp_path: Path) -> None:
    policy = '[strategies.policy]\ncoins_block = ["kPEPE"]\nmax_age_ms = 900\n'
    alone = '[[followers]]\nname = "g"\naccount = "0x00000000000000000000000000000000000000e1"\n'
    alone += 'agent = "0x00000000000000000000000000000000000000e2"\n'
    alone += '[[follows]]\nleader = "a"\nfollower = "g"\nmode = "ratio"\nratio = "1"\n'
    config = made(tmp_path, 'kind = "mirror"\n' + policy + PARTS, alone)
    assert [(one.follower, one.max_age_ms, one.coins_block) for one in config.follows] == [
        ("g", 2_000, ()),
        ("f", 900, ("kPEPE",)),
        ("f", 900, ("kPEPE",)),
    ]


@pytest.mark.parametrize(("cap", "gross"), [("4000", "4000"), ("20000", "9000")])
def test_the_lower_cap_of_all_positions_holds(tmp_path: Path, cap: str, gross: str) -> None:
    config = made(tmp_path, f'kind = "mirror"\nmax_risk_usd = "{cap}"' + PARTS)
    assert config.followers[0].max_gross_usd == gross


def test_the_core_is_told_follows_alone(tmp_path: Path) -> None:
    settings = for_core(made(tmp_path, 'kind = "mirror"' + PARTS))
    assert b"strategies" not in settings
    assert settings.count(b'"ratio":"0.') == 2


REBALANCE = '[strategies.rebalance]\nevery_hours = 168\ndrift_percent = "12.5"\n'


@pytest.mark.parametrize("kind", ['kind = "proportional"\n', 'kind = "risk_adjusted"\nrisk_bps = 100\n'])
def test_each_follow_of_a_strategy_is_rebalanced_as_it_says(tmp_path: Path, kind: str) -> None:
    config = made(tmp_path, kind + REBALANCE + PARTS)
    assert [(one.rebalance_hours, one.rebalance_drift_percent) for one in config.follows] == [(168, "12.5")] * 2
    assert for_core(config).count(b'"rebalance_hours":168,"rebalance_drift_percent":"12.5"') == 2
    config = made(tmp_path, kind + PARTS)
    assert [(one.rebalance_hours, one.rebalance_drift_percent) for one in config.follows] == [(None, None)] * 2


def test_a_follow_that_stands_alone_may_be_rebalanced_too(tmp_path: Path) -> None:
    one = '[[strategies.parts]]\nleader = "a"\nallocation = "0.6"\n'
    alone = '[[follows]]\nleader = "b"\nfollower = "f"\nmode = "equity"\nweight = "1"\nrebalance_hours = 24\n'
    assert made(tmp_path, 'kind = "mirror"\n' + one, alone).follows[0].rebalance_hours == 24
    alone = alone.replace('equity"\nweight', 'ratio"\nratio')
    assert refused(tmp_path, 'kind = "mirror"\n' + one, alone) == ["follows[0].rebalance_hours"]


@pytest.mark.parametrize(
    ("strategy", "settings"),
    [
        ('kind = "copy"' + PARTS, ["strategies[0].kind"]),
        ('kind = "mirror"\nrisk_bps = 5' + PARTS, ["strategies[0].risk_bps"]),
        ('kind = "mirror"\nrebalance = 5' + PARTS, ["strategies[0].rebalance"]),
        ('kind = "mirror"\n' + REBALANCE + PARTS, ["strategies[0].rebalance"]),
        ('kind = "proportional"\nrebalance = {}' + PARTS, ["strategies[0].rebalance"]),
        ('kind = "proportional"\nrebalance = {every_days = 7}' + PARTS, ["strategies[0].rebalance.every_days"]),
        ('kind = "proportional"\nrebalance = {every_hours = 0}' + PARTS, ["strategies[0].rebalance.every_hours"]),
        ('kind = "proportional"\nrebalance = {every_hours = 8761}' + PARTS, ["strategies[0].rebalance.every_hours"]),
        *(
            (
                f'kind = "proportional"\nrebalance = {{drift_percent = "{drift}"}}' + PARTS,
                ["strategies[0].rebalance.drift_percent"],
            )
            for drift in ("0", "0.9", "91", "-5", "ten")
        ),
        ('kind = "risk_adjusted"' + PARTS, ["strategies[0].risk_bps"]),
        ('kind = "risk_adjusted"\nrisk_bps = 3' + PARTS, ["strategies[0].parts[1].allocation"]),
        ('kind = "proportional"' + PARTS.replace("0.25", "0.45"), ["strategies[0].parts"]),
        ('kind = "proportional"' + PARTS.replace("0.25", "x"), ["strategies[0].parts[1].allocation"]),
        ('kind = "mirror"' + PARTS.replace("0.25", "0"), ["strategies[0].parts[1].allocation"]),
        ('kind = "mirror"' + PARTS.replace('"b"', '"c"'), ["strategies[0].parts[1].leader"]),
        ('kind = "mirror"' + PARTS.replace('"b"', '"a"'), ["strategies[0].parts[1]"]),
        ('kind = "mirror"\nmax_risk_usd = "1"' + PARTS, ["strategies[0].max_risk_usd"]),
        ('kind = "mirror"\nparts = []', ["strategies[0].parts", "follows"]),
        # Told once, though it holds for both parts.
        ('kind = "mirror"\npolicy = {max_age_ms = 0}' + PARTS, ["strategies[0].policy.max_age_ms"]),
        ('kind = "mirror"\npolicy = {ratio = "1"}' + PARTS, ["strategies[0].policy.ratio"]),
    ],
)
def test_what_is_wrong_is_refused_by_its_name(tmp_path: Path, strategy: str, settings: list[str]) -> None:
    assert set(refused(tmp_path, strategy)) == set(settings)


def test_a_cap_of_the_account_is_refused_where_others_are_copied_into_it(tmp_path: Path) -> None:
    alone = '[[follows]]\nleader = "b"\nfollower = "f"\nmode = "ratio"\nratio = "1"\n'
    one = '[[strategies.parts]]\nleader = "a"\nallocation = "0.6"\n'
    assert refused(tmp_path, 'kind = "mirror"\nmax_risk_usd = "4000"\n' + one, alone) == ["strategies[0].max_risk_usd"]
    assert len(made(tmp_path, 'kind = "mirror"\n' + one, alone).follows) == 2
