"""`hlfast discover` as a process, against the simulated exchange as another: tape, portfolio, fills and store."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.service import ENVIRONMENT, Sim

_ORDERS = count(1)
WINNER, LOSER = "0x" + "d1" * 20, "0x" + "d2" * 20


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[Sim]:
    with Sim(tmp_path) as running:
        for address in (WINNER, LOSER):
            running.control("fund", address=address, usdc="50000")
        yield running


def trip(sim: Sim, address: str, begin: str, end: str) -> None:
    """One ETH bought and sold, in two orders."""
    made = int(end) - int(begin)
    for price, side, start, profit in ((begin, "B", "0.0", 0), (end, "A", "1.0", made)):
        row = {"coin": "ETH", "px": price, "sz": "1.0", "side": side, "startPosition": start, "time": 1, "tid": 1}
        row |= {"oid": next(_ORDERS), "dir": "", "closedPnl": f"{profit}.0", "hash": "0x" + "0" * 64}
        row |= {"crossed": True, "fee": "0.5", "feeToken": "USDC"}
        sim.control("leader_fills", address=address, rows=[row])


class Trading:
    """Both traders go round and round while a search listens."""

    def __init__(self, sim: Sim) -> None:
        self._sim, self._over = sim, threading.Event()
        self._thread = threading.Thread(target=self._trade)

    def _trade(self) -> None:
        while not self._over.is_set():
            trip(self._sim, WINNER, "3000", "3010")
            trip(self._sim, LOSER, "3010", "3000")
            time.sleep(0.05)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()


def discover(sim: Sim, directory: Path, *options: str) -> tuple[int, dict[str, Any], str]:
    command = [sys.executable, "-m", "hlfast", "discover", "--venue", sim.base_url, "--json", *options]
    done = subprocess.run(
        command, cwd=directory, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def test_discover_finds_who_trades_now_and_judges_the_winner_alone(tmp_path: Path, sim: Sim) -> None:
    database = ("-d", f"sqlite:///{tmp_path}/found.db")
    with Trading(sim):
        code, found, said = discover(sim, tmp_path, "--tape", "2", "--coins", "ETH,BTC", *database)
    assert code == 0, said
    assert found["heard"]["connected"]
    assert found["heard"]["trades"] >= 20, found
    judged = {one["address"]: one for one in found["judged"]}
    assert WINNER in judged, (found, said)
    assert LOSER not in judged
    assert dict(found["dismissed"])[LOSER].startswith("made -")
    one = judged[WINNER]
    assert one["source"] == "tape"
    assert "(100% of what he traded)" in one["why"]
    assert one["graded"]["grade"] == "F", "no record of two seconds says anything"
    assert "fewer than 20 trips or 14 days" in one["graded"]["reasons"][0]
    with sqlite3.connect(tmp_path / "found.db") as connection:
        stored = dict(connection.execute("SELECT address, dismissed IS NULL FROM traders").fetchall())
        figures = json.loads(connection.execute("SELECT figures FROM analytics").fetchone()[0])
    connection.close()
    assert (stored[WINNER], stored[LOSER]) == (1, 0)
    assert figures["trades"]["won"] == figures["trades"]["closed"] == one["trips"]

    listed = [sys.executable, "-m", "hlfast", "traders", *database]
    shown = subprocess.run(listed, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=True).stdout
    assert WINNER in shown

    again, later, _ = discover(sim, tmp_path, "--tape", "1", "--coins", "ETH", *database)
    assert (again, later["judged"]) == (0, [])
    assert later["fresh"] >= 2


def test_discover_reads_a_leaderboard_over_http_and_from_a_file(tmp_path: Path, sim: Sim) -> None:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    for _ in range(3):
        trip(sim, WINNER, "3000", "3010")
    windows = [[name, {"pnl": "30.0", "roi": "0.1", "vlm": "9000.0"}] for name in ("day", "week", "month", "allTime")]
    board = {"leaderboardRows": [{"ethAddress": WINNER, "accountValue": "50030", "windowPerformances": windows}, 5]}
    text = json.dumps(board).encode()

    class Stats(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/leaderboard" else 404)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Stats)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        code, found, said = discover(sim, tmp_path, "--tape", "0", "--leaderboard", f"{url}/leaderboard")
        assert code == 0, said
        assert (found["leaderboard_rows"], found["leaderboard_bad"]) == (1, 1)
        assert [one["trips"] for one in found["judged"]] == [3]
        _, away, _ = discover(sim, tmp_path, "--tape", "0", "--leaderboard", f"{url}/none")
        assert "HTTP 404" in away["notes"][0]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    path = tmp_path / "board.json"
    path.write_bytes(text)
    _, found, _ = discover(
        sim, tmp_path, "--tape", "0", "--leaderboard", str(path), "-d", f"sqlite:///{tmp_path}/other.db"
    )
    assert [one["trips"] for one in found["judged"]] == [3]


def test_discover_without_any_source_that_works_is_no_success(tmp_path: Path, sim: Sim) -> None:
    (tmp_path / "board.json").write_text("{}")
    database = ("-d", f"sqlite:///{tmp_path}/found.db")
    code, found, said = discover(sim, tmp_path, "--tape", "0", "--leaderboard", "board.json", *database)
    assert code == 1
    assert "board.json is no leaderboard" in found["notes"][0]
    assert "no source could be used" in said


def test_discover_says_that_the_venue_is_away(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hlfast", "discover", "--venue", "http://127.0.0.1:1", "--tape", "1"]
    done = subprocess.run(
        command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "the search ended early" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--capital", "0"), "discovery.capital_usd"),
        (("--tape", "0", "--leaderboard", "off"), "discovery.leaderboard"),
        (("-d", "mysql://x"), "store.url"),
        (("--most", "0"), "discovery.most"),
    ],
)
def test_discover_refuses_by_name(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    command = [sys.executable, "-m", "hlfast", "discover", *options]
    done = subprocess.run(
        command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr
