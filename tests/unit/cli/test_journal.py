"""`hlfast journal` on a real journal of an earlier format version."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hlfast.cli.line import app

FROZEN = Path(__file__).parents[3] / "rust" / "host" / "tests" / "fixtures" / "journal-1.hlj"
runner = CliRunner()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A directory that holds it, last written two minutes ago."""
    directory = tmp_path / "journal"
    directory.mkdir()
    shutil.copy(FROZEN, directory / "00000001.hlj")
    return directory


def damage(directory: Path) -> None:
    """Flip a bit of a record that had been on stable storage."""
    path = directory / "00000001.hlj"
    content = bytearray(path.read_bytes())
    content[4_000] ^= 4
    path.write_bytes(content)
    os.utime(path, (time.time() - 120, time.time() - 120))


def test_verify_prints_range_link_and_replay(journal: Path) -> None:
    shown = runner.invoke(app, ["journal", "verify", str(journal), "--json"])
    found = json.loads(shown.stdout)
    # Of version 1: it has no links. Whether it is decided equally again depends on the build, and is tested in Rust.
    if found["verdict"] == "ok":
        assert (found["first"], found["last"], found["link"], shown.exit_code) == (1, found["records"], None, 0)
    else:
        assert "replay of record" in found["difference"]
        assert shown.exit_code == 1


def test_verify_names_file_and_offset_and_fails(journal: Path) -> None:
    damage(journal)
    shown = runner.invoke(app, ["journal", "verify", str(journal)])
    assert shown.exit_code == 1
    assert "00000001.hlj" in shown.stdout
    assert "at byte" in shown.stdout


def test_repair_says_what_it_drops_and_changes_nothing_without_yes(journal: Path) -> None:
    damage(journal)
    before = (journal / "00000001.hlj").read_bytes()
    shown = runner.invoke(app, ["journal", "repair", str(journal)])
    assert shown.exit_code == 1
    assert "would drop: it and everything after it" in shown.stdout
    assert "repeat with --yes" in shown.stdout
    assert [path.name for path in journal.iterdir()] == ["00000001.hlj"]
    assert (journal / "00000001.hlj").read_bytes() == before


def test_repair_with_yes_keeps_the_original(journal: Path) -> None:
    damage(journal)
    before = (journal / "00000001.hlj").read_bytes()
    shown = runner.invoke(app, ["journal", "repair", str(journal), "--yes", "--json"])
    assert shown.exit_code == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert found["repaired"]
    assert (Path(found["kept_in"]) / "00000001.hlj").read_bytes() == before
    again = runner.invoke(app, ["journal", "repair", str(journal), "--yes", "--json"])
    assert json.loads(again.stdout) == {"damaged": False, "repaired": False}


def test_archive_refuses_without_snapshots(journal: Path, tmp_path: Path) -> None:
    shown = runner.invoke(app, ["journal", "archive", str(journal), "--to", str(tmp_path / "old"), "--read", "10"])
    assert shown.exit_code == 2
    assert "two readable snapshots" in shown.stderr
