"""What `check` makes of the venue's answers, one fault at a time."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from hlfast.cli import findings
from hlfast.cli.findings import Finding, examine
from hlfast.config.model import Builder, Config, EngineSettings, Follow, Follower, Journal, Keys, Leader, Venue
from hlfast.signing import Signer
from hlfast.venue.http import HttpRoad
from hlfast.venue.info import Info

pytestmark = pytest.mark.asyncio
KEY = "5a" * 32
AGENT = Signer.from_key(KEY).address
LEADER, ACCOUNT, OTHER = "0x" + "a1" * 20, "0x" + "f1" * 20, "0x" + "99" * 20
SUMMARY = {"accountValue": "1000.5", "totalNtlPos": "0", "totalRawUsd": "0", "totalMarginUsed": "0"}
STATE = {"marginSummary": SUMMARY, "crossMarginSummary": SUMMARY, "withdrawable": "0", "assetPositions": [], "time": 1}
EMPTY = {**STATE, "marginSummary": {**SUMMARY, "accountValue": "0.0"}}
DAY_MS = 86_400_000


class FakeVenue(HttpRoad):
    """Answers each read by its type, or by type and user."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")
        self.answers: dict[str, Any] = {
            "exchangeStatus": lambda: {"time": int(time.time() * 1000)},
            "meta": {
                "universe": [
                    {"name": "BTC", "szDecimals": 5, "maxLeverage": 40},
                    {"name": "OLDX", "szDecimals": 1, "maxLeverage": 3, "isDelisted": True},
                ]
            },
            "spotMeta": {"universe": [], "tokens": []},
            "perpDexs": [None],
            "clearinghouseState": STATE,
            "spotClearinghouseState": {"balances": []},
            "extraAgents": [{"address": AGENT, "name": "copy", "validUntil": int(time.time() * 1000) + 90 * DAY_MS}],
            "userRole": {"role": "user"},
            "userRateLimit": {"cumVlm": "1", "nRequestsUsed": 10, "nRequestsCap": 10_010},
        }
        self.status = 200

    async def post(self, path: str, body: bytes, *, deadline_ms: int | None = None) -> tuple[int, bytes]:
        asked = orjson.loads(body)
        answer = self.answers.get(f"{asked['type']}:{asked.get('user')}", self.answers.get(asked["type"]))
        return self.status, orjson.dumps(answer() if callable(answer) else answer)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    directory = tmp_path / "credentials"
    directory.mkdir(mode=0o700)
    (directory / AGENT).write_text(KEY)
    (directory / AGENT).chmod(0o400)
    return Config(
        network="testnet",
        venue=Venue(base_url="http://127.0.0.1:1"),
        journal=Journal(directory=str(tmp_path / "journal")),
        leaders=(Leader(name="alice", address=LEADER),),
        followers=(Follower(name="main", account=ACCOUNT, agent=AGENT),),
        follows=(Follow(leader="alice", follower="main", mode="ratio", ratio="1"),),
        keys=Keys(credentials_directory=str(directory)),
    )


async def look(config: Config, venue: FakeVenue) -> list[Finding]:
    found: list[Finding] = []
    await examine(config, Info(venue), found.append)
    assert all(KEY not in str(finding) for finding in found)
    return found


def change(config: Config, **fields: Any) -> Config:
    return msgspec.structs.replace(config, **fields)


async def test_nothing_is_wrong_with_a_right_configuration(config: Config) -> None:
    found = await look(config, FakeVenue())
    assert {finding.level for finding in found} == {"ok"}, found
    assert [finding.about for finding in found] == [
        "journal", "keys", "clock", "coins", "limits", "leader alice", "follower main",
    ]  # fmt: skip


def answering(name: str, answer: Any) -> Callable[[FakeVenue], None]:
    return lambda venue: venue.answers.__setitem__(name, answer)


def agents(valid_ms: int) -> list[dict[str, Any]]:
    return [
        {"address": AGENT.upper().replace("0X", "0x"), "name": "copy", "validUntil": int(time.time() * 1000) + valid_ms}
    ]


FAULTS: list[tuple[str, list[Callable[[FakeVenue], None]], str, str, str]] = [
    ("clock", [answering("exchangeStatus", lambda: {"time": int(time.time() * 1000) - 5_000})], "wrong", "clock", "behind"),
    ("clock a little", [answering("exchangeStatus", lambda: {"time": int(time.time() * 1000) + 600})], "warning", "clock", "ahead"),
    ("expired", [answering("extraAgents", agents(-1))], "wrong", "follower main", "expired"),
    ("soon", [answering("extraAgents", agents(3 * DAY_MS))], "warning", "follower main", "for 2 days"),
    ("not approved", [answering("extraAgents", []), answering("userRole", {"role": "missing"})], "wrong", "follower main", "is not approved"),
    (
        "another's agent",
        [answering("extraAgents", []), answering("userRole", {"role": "agent", "data": {"user": OTHER}})],
        "wrong", "follower main", f"belongs to {OTHER}",
    ),
    ("a master's key", [answering("extraAgents", []), answering("userRole", {"role": "user"})], "wrong", "follower main", "its key must not be here"),
    ("no money", [answering(f"clearinghouseState:{ACCOUNT}", EMPTY)], "wrong", "follower main", "holds no money"),
    ("no requests", [answering("userRateLimit", {"cumVlm": "1", "nRequestsUsed": 10, "nRequestsCap": 10})], "wrong", "follower main", "no requests left"),
    ("few requests", [answering("userRateLimit", {"cumVlm": "1", "nRequestsUsed": 10, "nRequestsCap": 99})], "warning", "follower main", "89 requests left"),
    (
        "leader is an agent",
        [answering(f"clearinghouseState:{LEADER}", EMPTY), answering(f"userRole:{LEADER}", {"role": "agent", "data": {"user": OTHER}})],
        "wrong", "leader alice", "is an agent",
    ),
    ("leader unknown", [answering(f"clearinghouseState:{LEADER}", EMPTY), answering(f"userRole:{LEADER}", {"role": "missing"})], "wrong", "leader alice", "never seen"),
    ("leader idle", [answering(f"clearinghouseState:{LEADER}", EMPTY)], "warning", "leader alice", "holds nothing"),
    ("odd answer", [answering("userRateLimit", [])], "wrong", "follower main", "could not be asked"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "level", "about", "said"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
async def test_each_fault_is_one_line(
    changes: list[Callable[[FakeVenue], None]], level: str, about: str, said: str, config: Config
) -> None:
    venue = FakeVenue()
    for one in changes:
        one(venue)
    found = [finding for finding in await look(config, venue) if finding.level != "ok"]
    assert [(finding.level, finding.about) for finding in found] == [(level, about)], found
    assert said in found[0].text
    assert found[0].fix


async def test_unnamed_agents_and_unified_accounts_are_right_too(config: Config) -> None:
    venue = FakeVenue()
    venue.answers["extraAgents"] = []
    venue.answers[f"userRole:{AGENT}"] = {"role": "agent", "data": {"user": ACCOUNT}}
    venue.answers[f"clearinghouseState:{ACCOUNT}"] = EMPTY
    balance = {"coin": "USDC", "token": 0, "total": "55.5", "hold": "0", "entryNtl": "0"}
    venue.answers["spotClearinghouseState"] = {"balances": [balance]}
    found = await look(config, venue)
    assert {finding.level for finding in found} == {"ok"}, found
    assert "55.50 USD" in found[-1].text


@pytest.mark.parametrize(
    ("role", "details", "level"),
    [
        ({"role": "subAccount", "data": {"master": OTHER}}, None, "ok"),
        ({"role": "vault"}, {"leader": OTHER}, "ok"),
        ({"role": "user"}, None, "wrong"),
    ],
)
async def test_sub_accounts_and_vaults_ask_about_their_master(
    role: Any, details: Any, level: str, config: Config
) -> None:
    venue = FakeVenue()
    venue.answers[f"userRole:{ACCOUNT}"] = role
    venue.answers["vaultDetails"] = details
    venue.answers[f"extraAgents:{ACCOUNT}"] = []
    follower = msgspec.structs.replace(config.followers[0], vault=True)
    found = await look(change(config, followers=(follower,)), venue)
    assert found[-1].level == level, found


async def test_an_unreachable_venue_is_said_once(config: Config) -> None:
    venue = FakeVenue()
    venue.status = 0
    found = await look(config, venue)
    assert [finding.about for finding in found if finding.level == "wrong"] == ["venue"]


async def test_keys_are_named_when_missing_or_open_to_others(config: Config) -> None:
    path = Path(config.keys.credentials_directory or "") / AGENT
    path.chmod(0o644)
    wrong = [finding for finding in await look(config, FakeVenue()) if finding.level == "wrong"]
    assert [finding.about for finding in wrong] == ["keys"]
    assert AGENT in wrong[0].text
    path.unlink()
    wrong = [finding for finding in await look(config, FakeVenue()) if finding.level == "wrong"]
    assert [finding.about for finding in wrong] == ["key main"]
    assert AGENT in wrong[0].text


@pytest.mark.parametrize("readable", [True, False])
async def test_the_scratch_journal_is_quiet_before_it_is_removed(
    config: Config, readable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    if not readable:
        (Path(config.keys.credentials_directory or "") / AGENT).chmod(0o644)
    for _ in range(20):
        findings.check_keys(config)
        assert list(scratch.iterdir()) == []


async def test_coins_are_looked_up(config: Config) -> None:
    follow = msgspec.structs.replace(config.follows[0], coins_allow=("btc", "OLDX", "xyz:CL"), coins_block=("BTC",))
    found = [one for one in await look(change(config, follows=(follow,)), FakeVenue()) if one.level != "ok"]
    assert {one.about for one in found} == {"follows[0].coins_allow"}
    assert [one.level for one in found] == ["wrong", "warning", "wrong"]
    assert "did you mean 'BTC'" in found[0].text
    assert found[2].fix == 'add "xyz" to venue.dexs'


async def test_limits_count_watched_users_and_subscriptions(config: Config) -> None:
    many = tuple(Leader(name=f"l{at}", address=f"0x{at:040x}") for at in range(1, 13))
    assert findings.check_limits(change(config, leaders=many), 200).level == "warning"
    blind = change(config, leaders=many, engine=EngineSettings(tape=False))
    assert "seen nowhere" in findings.check_limits(blind, 200).text
    assert findings.check_limits(config, 2_000).level == "warning"
    off = change(config, venue=Venue(base_url="http://127.0.0.1:1", limits="off"))
    assert findings.check_limits(off, 2_000).level == "warning"


async def test_a_journal_that_cannot_be_written_is_named(config: Config, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    journal = Journal(directory=str(blocked / "journal"))
    assert findings.check_journal(change(config, journal=journal)).level == "wrong"
    if os.geteuid() != 0:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o500)
        assert findings.check_journal(change(config, journal=Journal(directory=str(closed)))).level == "wrong"


@pytest.mark.parametrize(
    ("own", "allowed", "level", "told"),
    [
        (None, 25, "ok", "25 tenths of a basis point, 25 approved"),
        (None, 24, "wrong", "has approved 24 tenths"),
        (7, 7, "ok", "7 tenths"),
        (0, 0, None, ""),
    ],
)
async def test_the_builders_fee_must_be_approved(
    config: Config, own: int | None, allowed: int, level: str | None, told: str
) -> None:
    follower = msgspec.structs.replace(config.followers[0], builder_fee_tenths_bps=own)
    builder = Builder(address=OTHER, fee_tenths_bps=25)
    venue = FakeVenue()
    venue.answers["maxBuilderFee"] = allowed
    found = await look(change(config, builder=builder, followers=(follower,)), venue)
    mine = [finding for finding in found if finding.about == "builder main"]
    assert [finding.level for finding in mine] == ([level] if level else [])
    assert all(told in finding.text for finding in mine)
    if level == "wrong":
        assert "maxFeeRate 0.025%" in mine[0].fix


@pytest.mark.parametrize(("undelegated", "level"), [("12.50", "ok"), ("0.0", "warning")])
async def test_a_bid_needs_a_stake(config: Config, undelegated: str, level: str) -> None:
    follower = msgspec.structs.replace(config.followers[0], max_priority_bps=4)
    venue = FakeVenue()
    venue.answers["delegatorSummary"] = {"delegated": "1.0", "undelegated": undelegated, "nDelegations": 0}
    found = await look(change(config, followers=(follower,)), venue)
    assert [finding.level for finding in found if finding.about == "priority main"] == [level]
