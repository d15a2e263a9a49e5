"""`hlfast run` under test: its configuration, its command line, and when it has settled."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.exposition import Exposition
from e2e.identity import LEADER, write_credentials
from e2e.sink_process import BenchError

if TYPE_CHECKING:
    from e2e.identity import Follower

SETTLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """What varies between rows; everything else is the default of `hlfast run`."""

    durability: str = "relaxed"
    busy_poll: bool = False
    metrics: bool = True
    pool_depth: int = 16
    leaders: int = 1
    tape: bool = False
    min_value_usd: str | None = None
    user_connections: int = 1
    # Accounts are not read back during a round: a read would only add noise to what is measured.
    reconcile_ms: int = 600_000
    snapshot_every: int = 100_000


def leader_addresses(count: int) -> list[str]:
    """The scheduled leader first, then leaders that never trade."""
    return [LEADER, *(f"0x{number:040x}" for number in range(0xA000, 0xA000 + count - 1))]


def configuration(base_url: str, accounts: list[Follower], work: Path, options: Options) -> str:
    """The TOML of one run: every follower copies its leader at ratio 1."""
    leaders = leader_addresses(options.leaders)
    text = [
        'network = "testnet"',
        f'[venue]\nbase_url = "{base_url}"\nlimits = "off"',
        (
            f'[journal]\ndirectory = "{work / "journal"}"\ndurability = "{options.durability}"\n'
            f"snapshot_every = {options.snapshot_every}"
        ),
        (
            f"[engine]\nuser_connections = {options.user_connections}\ntape = {str(options.tape).lower()}\n"
            f"reconcile_ms = {options.reconcile_ms}\nbusy_poll = {str(options.busy_poll).lower()}\npool_depth = {options.pool_depth}"
        ),
        f'[keys]\ncredentials_directory = "{work / "credentials"}"',
        f"[metrics]\nenabled = {str(options.metrics).lower()}\nport = 0",
    ]
    text += [f'[[leaders]]\nname = "l{number}"\naddress = "{address}"' for number, address in enumerate(leaders)]
    limit = f'\nmin_value_usd = "{options.min_value_usd}"' if options.min_value_usd else ""
    for number, account in enumerate(accounts):
        text.append(
            f'[[followers]]\nname = "f{number}"\naccount = "{account.account}"\nagent = "{account.agent}"\n'
            f'[[follows]]\nleader = "l{number % len(leaders)}"\nfollower = "f{number}"\nmode = "ratio"\nratio = "1"{limit}'
        )
    return "\n".join(text) + "\n"


def command(base_url: str, accounts: list[Follower], work: Path, options: Options) -> list[str]:
    """Write configuration and keys under `work`; return the command line."""
    write_credentials(work / "credentials", accounts)
    path = work / "hlfast.toml"
    path.write_text(configuration(base_url, accounts, work, options), encoding="utf-8")
    return [sys.executable, "-m", "hlfast", "run", "--config", str(path), "--json"]


def metrics_url(work: Path) -> str:
    """Where the started service serves its metrics."""
    url: str = json.loads((work / "ready.json").read_text())["metrics_url"]
    return url


def scrape(url: str) -> Exposition:
    """Read the metrics once."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return Exposition.parse(answer.read().decode())


def is_ready(work: Path) -> bool:
    """Whether the core has read every account and resolved what a former run left."""
    with urllib.request.urlopen(json.loads((work / "ready.json").read_text())["health_url"], timeout=10) as answer:
        return bool(json.load(answer)["core"]["ready"])


def merged(work: Path) -> int:
    """Fills since the start that wait in a later order: while an answer is in flight the next fills are decided as one."""
    now = scrape(metrics_url(work))
    outcomes = ("merged_into", "carried")
    return int(sum(now.value(f'hlfast_copy_receipts_total{{outcome="{outcome}"}}') for outcome in outcomes))


def settle(work: Path, presignatures: int) -> None:
    """Wait until the pools hold that many presignatures and the core says that it is ready."""
    url, deadline = metrics_url(work), time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        filled = scrape(url).value("hlfast_presign_ready_presignatures") >= presignatures
        if filled and is_ready(work):
            return
        time.sleep(0.1)
    raise BenchError("hlfast did not settle: the pools are not full, or accounts are unread")
