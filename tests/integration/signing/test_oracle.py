"""hlfast beside the official SDK and eth-keyfile, which live in an environment of their own (`make oracle`)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hlfast.errors import KeyFileError
from hlfast.signing import Signer

ROOT = Path(__file__).parents[3]
ORACLE = ROOT / ".venv-oracle" / "bin" / "python"
HERE = Path(__file__).parent


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_accelerated_sdk_posts_the_same_bytes_and_can_be_undone() -> None:
    report = json.loads(run(str(ORACLE), str(HERE / "sdk_calls.py"), str(ROOT / "python")))
    assert report == {"replaced": True, "twice": True, "posts": 13, "equal": True, "undone": True}


def test_random_actions_hash_as_the_sdk_hashes_them() -> None:
    compare = str(ROOT / "bench" / "oracle" / "compare.py")
    report = json.loads(run(sys.executable, compare, "--count", "2000", "--first-seed", "77", "--workers", "1"))
    assert (report["equal"], report["different"]) == (2000, 0)


def test_presigned_signatures_recover_by_coincurve() -> None:
    script = str(ROOT / "bench" / "oracle" / "presignatures.py")
    report = json.loads(run(sys.executable, script, "--count", "2000", "--workers", "1"))
    assert (report["recovered"], report["r_twice"]) == (2000, 0)
    assert report["presigned"] > 1900


def test_keystores_of_eth_keyfile_open(tmp_path: Path) -> None:
    lines = run(str(ORACLE), str(HERE / "keystores.py")).splitlines()
    assert len(lines) == 4
    for number, line in enumerate(lines):
        address, passphrase, store = json.loads(line)
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(store))
        path.chmod(0o600)
        assert Signer.from_keystore(path, passphrase).address == address
        with pytest.raises(KeyFileError, match="wrong passphrase"):
            Signer.from_keystore(path, passphrase + "x")
