"""Every dashboard query and alert expression against a real Prometheus that scrapes a running engine.

The engine copies a leader of the simulated exchange for as long as the scrapes take. Every dashboard query must return data; every
alert must read series that exist, and stay quiet.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import coincurve
import pytest
from eth_hash.auto import keccak

from .files import DEPLOY, RULES, alerts, names, needs_prometheus, queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, needs_prometheus]
LEADER = "0x" + "1e" * 20
ACCOUNTS = ("0x" + "f1" * 20, "0x" + "f2" * 20)
# Each alert compares with a limit: on a healthy engine its expression is empty by design, and its left side must not be.
COMPARISONS = (" == ", " > ", " < ")
INTERVAL = "10s"


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def post(url: str, body: Any) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


@contextmanager
def process(*argv: str, log: Path, ready: bool = True) -> Iterator[dict[str, Any]]:
    """A child that says in one JSON line that it is ready, stopped at the end."""
    with log.open("wb") as errors, subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=errors) as child:
        try:
            assert child.stdout is not None
            line = child.stdout.readline() if ready else b"{}"
            assert line, f"{argv} ended: {log.read_text()[-2_000:]}"
            yield json.loads(line)
            assert child.poll() is None, f"{argv} ended: {log.read_text()[-2_000:]}"
        finally:
            child.terminate()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()


def agent(number: int) -> tuple[str, str]:
    key = bytes([number]) * 32
    point = coincurve.PrivateKey(key).public_key.format(compressed=False)
    return "0x" + keccak(point[1:])[-20:].hex(), key.hex()


def settings(place: Path, base_url: str) -> Path:
    credentials = place / "credentials"
    credentials.mkdir(mode=0o700)
    text = [
        'network = "testnet"',
        f'[venue]\nbase_url = "{base_url}"',
        f'[journal]\ndirectory = "{place / "journal"}"',
        f'[keys]\ncredentials_directory = "{credentials}"',
        "[metrics]\nport = 0",
        f'[[leaders]]\nname = "leader"\naddress = "{LEADER}"',
    ]
    for number, account in enumerate(ACCOUNTS, 1):
        address, key = agent(number)
        (credentials / address).write_text(key)
        (credentials / address).chmod(0o400)
        # The second follower copies nothing: its receipts say skipped, with a reason.
        filtered = 'coins_block = ["ETH"]' if number == 2 else ""
        text.append(
            f'[[followers]]\nname = "f{number}"\naccount = "{account}"\nagent = "{address}"\n'
            f'[[follows]]\nleader = "leader"\nfollower = "f{number}"\nmode = "ratio"\nratio = "1"\n{filtered}'
        )
    path = place / "hlfast.toml"
    path.write_text("\n".join(text))
    return path


def scenario(place: Path) -> Path:
    ops: list[dict[str, Any]] = [{"op": "fund", "address": LEADER, "usdc": "1000000"}]
    for number, account in enumerate(ACCOUNTS, 1):
        ops.append({"op": "fund", "address": account, "usdc": "1000000"})
        ops.append({"op": "approve_agent", "master": account, "agent": agent(number)[0]})
    path = place / "scenario.json"
    path.write_text(json.dumps(ops))
    return path


class Trader(threading.Thread):
    """The leader: opens and closes a position a few times a second, until told to stop."""

    def __init__(self, base_url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.over, self.fault = f"{base_url}/control", threading.Event(), None

    def run(self) -> None:
        number = 0
        try:
            while not self.over.wait(0.2):
                side, start = ("B", "0.0") if number % 2 == 0 else ("A", "1.0")
                row = {"coin": "ETH", "px": "3000", "sz": "1.0", "side": side, "startPosition": start, "oid": number}
                post(self.url, {"op": "leader_fills", "address": LEADER, "rows": [row]})
                number += 1
        except OSError as error:
            self.fault = error

    def stop(self) -> None:
        self.over.set()
        self.join()
        assert self.fault is None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prometheus(place: Path, metrics_url: str) -> tuple[list[str], str]:
    """Prometheus on a short interval, with the deployed rules, and its address."""
    target = urllib.parse.urlsplit(metrics_url)
    config = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    config = config.replace("5s", "1s").replace("hlfast:9464", target.netloc)
    (place / "prometheus.yml").write_text(config)
    (place / RULES.name).write_text(RULES.read_text())
    port = free_port()
    argv = ["prometheus", f"--config.file={place / 'prometheus.yml'}", f"--storage.tsdb.path={place / 'tsdb'}"]
    return [*argv, f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"], f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def ask(tmp_path_factory) -> Iterator[Callable[[str], list[Any]]]:
    """Ask Prometheus for the value of an expression after a quarter of a minute of trading."""
    place = tmp_path_factory.mktemp("monitoring")
    hlfast = (sys.executable, "-m", "hlfast")
    with ExitStack() as stack:
        sim = stack.enter_context(
            process(*hlfast, "sim", "--port", "0", "--json", "--scenario", str(scenario(place)), log=place / "sim.log")
        )
        config = settings(place, sim["base_url"])
        run = stack.enter_context(process(*hlfast, "run", "--config", str(config), "--json", log=place / "run.log"))
        argv, url = prometheus(place, run["metrics_url"])
        stack.enter_context(process(*argv, log=place / "prometheus.log", ready=False))
        trader = Trader(sim["base_url"])
        trader.start()
        stack.callback(trader.stop)

        def query(expression: str) -> list[Any]:
            answer = get(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
            assert answer["status"] == "success", answer
            return answer["data"]["result"]

        wait_for_scrapes(query, 12)
        yield query


def wait_for_scrapes(query: Callable[[str], list[Any]], wanted: int) -> None:
    """Until Prometheus holds so many scrapes of the engine."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            seen = query('count_over_time(up{job="hlfast"}[5m])')
        except OSError:
            seen = []
        if seen and float(seen[0]["value"][1]) >= wanted:
            return
        time.sleep(0.5)
    raise AssertionError("Prometheus did not scrape the engine")


@pytest.mark.parametrize("panel", list(queries(INTERVAL)))
def test_dashboard_query_returns_data(ask, panel: str) -> None:
    assert ask(queries(INTERVAL)[panel]), f"no data for {queries(INTERVAL)[panel]}"


@pytest.mark.parametrize("alert", list(alerts()))
def test_alert_reads_data_and_stays_quiet(ask, alert: str) -> None:
    expression = alerts()[alert].strip()
    ask(expression)
    # A slow machine may cross a latency's limit for a moment; what an operator is told must stay quiet.
    assert ask(f'ALERTS{{alertname="{alert}", alertstate="firing"}}') == []
    left = next(expression.rpartition(sign)[0] for sign in COMPARISONS if sign in expression)
    for name in names(left):
        assert ask(f'{{__name__=~"{name}(_bucket)?"}}'), f"{alert} reads {name}, which the engine does not export"
    if "rate(" not in left and "increase(" not in left:
        assert ask(left), f"no data for {left}"


def test_every_series_of_the_engine_is_watched(ask) -> None:
    """A metric that neither the dashboard nor an alert reads is not worth its line."""
    watched = set().union(*(names(text) for text in [*queries(INTERVAL).values(), *alerts().values()]))
    exported = {row["metric"]["__name__"] for row in ask('{job="hlfast", __name__=~"hlfast_.+"}')}
    families = {name for exported_name in exported for name in names(exported_name)}
    assert families - watched <= {"hlfast_build_info"}
