"""A signer has one engine: leases exclude each other and end with their process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hlfast.errors import ConfigError, KeyFileError
from hlfast.keys.lease import SignerLease

VENUE = "http://127.0.0.1:1"
AGENTS = [f"0x{number:040x}" for number in range(1, 1_001)]
HOLDER = """
import sys
from pathlib import Path
from hlfast.keys.lease import SignerLease
lease = SignerLease(sys.argv[1], [sys.argv[2]], Path(sys.argv[3]))
print("held", flush=True)
sys.stdin.read()
"""


def test_lease_refuses_a_second_engine_by_the_agents_name_and_takes_none(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = SignerLease(VENUE, AGENTS[500:], path)
    with pytest.raises(ConfigError, match=AGENTS[500]):
        SignerLease(VENUE, [AGENTS[0], AGENTS[500]], path)
    SignerLease(VENUE, AGENTS[:500], path).release()
    first.release()
    SignerLease(VENUE, AGENTS, path).release()


def test_lease_is_of_one_venue(tmp_path: Path) -> None:
    first = SignerLease(VENUE, AGENTS[:1], tmp_path / "lock")
    SignerLease("http://127.0.0.1:2", AGENTS[:1], tmp_path / "lock").release()
    with pytest.raises(ConfigError):
        SignerLease(VENUE + "/", [AGENTS[0].upper().replace("X", "x")], tmp_path / "lock")
    first.release()


def test_lease_ends_with_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    arguments = [sys.executable, "-c", HOLDER, VENUE, AGENTS[0], str(path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigError):
            SignerLease(VENUE, AGENTS[:1], path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    SignerLease(VENUE, AGENTS[:1], path).release()


def test_lease_does_not_follow_a_planted_link(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "lock").symlink_to(target)
    with pytest.raises(KeyFileError):
        SignerLease(VENUE, AGENTS[:1], tmp_path / "lock")
    assert not target.exists()


def test_lease_file_is_its_owners_alone(tmp_path: Path) -> None:
    lease = SignerLease(VENUE, AGENTS[:1], tmp_path / "lock")
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    lease.release()
