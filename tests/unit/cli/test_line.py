"""The command line as a user meets it: help, wrong words, wrong files, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from hlfast.cli import line
from hlfast.cli.line import EXIT_CANNOT, EXIT_OK, EXIT_WRONG, app
from hlfast.signing import Signer

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs" / "hlfast.example.toml"
runner = CliRunner()


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_help_names_each_command_and_the_exit_codes() -> None:
    shown = runner.invoke(app, ["--help"])
    assert shown.exit_code == EXIT_OK
    for word in ("demo", "run", "check", "sim", "keys", "HLFAST_SECTION__FIELD", "Exit codes"):
        assert word in shown.output
    assert set(line._PLACES) == {command.name for command in app.registered_commands}


def test_help_keeps_the_names_of_settings_tables() -> None:
    """Rich takes [name] in a text for a style, and leaves it out."""
    assert "its [discovery] gives" in runner.invoke(app, ["discover", "--help"], env={"COLUMNS": "200"}).output


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from hlfast.cli import main\n"
        "sys.argv = ['hlfast', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'pydantic', 'aiohttp', 'uvloop', 'picows', 'hlfast._core', 'hlfast.app'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {sorted(heavy)}' if heavy else 0)\n"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr


def test_module_and_no_arguments_show_the_help() -> None:
    done = python("-m", "hlfast")
    assert done.returncode == EXIT_CANNOT
    assert "First steps" in done.stdout + done.stderr


def test_a_wrong_command_is_refused_with_the_right_one() -> None:
    shown = runner.invoke(app, ["rnu"])
    assert shown.exit_code == EXIT_CANNOT
    assert "Did you mean 'run'?" in shown.output


def test_version_is_printed() -> None:
    shown = runner.invoke(app, ["--version"])
    assert shown.exit_code == EXIT_OK
    assert shown.output.startswith("hlfast")


BOTH = pytest.mark.parametrize(("command", "code"), [("run", EXIT_CANNOT), ("check", EXIT_WRONG)])


@BOTH
def test_a_missing_file_is_named(command: str, code: int, tmp_path: Path) -> None:
    shown = runner.invoke(app, [command, "--config", str(tmp_path / "absent.toml")])
    assert shown.exit_code == code
    assert "cannot be read" in shown.output
    assert "--config" in shown.output


@BOTH
def test_wrong_settings_are_listed_one_a_line(command: str, code: int, tmp_path: Path) -> None:
    path = tmp_path / "hlfast.toml"
    path.write_text(EXAMPLE.read_text().replace('ratio = "0.1"', "ratio = 0.1").replace("[journal]", "[jurnal]"))
    shown = runner.invoke(app, [command, "-c", str(path)])
    assert shown.exit_code == code
    lines = shown.output.splitlines()
    assert len(lines) == 3
    assert any("2 settings are wrong" in one or "2 wrong" in one for one in lines)
    assert any("jurnal" in one and 'did you mean "journal"?' in one for one in lines)
    assert any("follows[0].ratio" in one and "quotes" in one for one in lines)


def test_check_says_it_in_json(tmp_path: Path) -> None:
    shown = runner.invoke(app, ["check", "-c", str(tmp_path / "absent.toml"), "--json"])
    assert shown.exit_code == EXIT_WRONG
    body = json.loads(shown.output)
    assert body["ok"] is False
    assert [finding["level"] for finding in body["findings"]] == ["wrong"]


def test_run_hands_the_settings_to_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[int, bool]] = []

    def launch(config: object, *, json: bool) -> None:
        called.append((len(config.follows), json))  # type: ignore[attr-defined]

    monkeypatch.setitem(sys.modules, "hlfast.app", SimpleNamespace(launch=launch))
    shown = runner.invoke(app, ["run", "-c", str(EXAMPLE), "--json"])
    assert shown.exit_code == EXIT_OK, shown.output
    assert called == [(3, True)]


def test_a_command_that_cannot_be_imported_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(line._PLACES, "sim", "hlfast.absent:sim")
    shown = runner.invoke(app, ["sim"])
    assert shown.exit_code == EXIT_CANNOT
    assert "hlfast sim cannot start" in shown.output


def test_keys_new_makes_private_files_and_never_shows_a_key(tmp_path: Path) -> None:
    directory = tmp_path / "credentials"
    shown = runner.invoke(app, ["keys", "new", "-d", str(directory), "--count", "2", "--json"])
    assert shown.exit_code == EXIT_OK, shown.output
    agents = json.loads(shown.stdout)["agents"]
    assert {path.name for path in directory.iterdir()} == set(agents)
    for agent in agents:
        path = directory / agent
        assert path.stat().st_mode & 0o777 == 0o400
        key = path.read_text().strip()
        assert key not in shown.output
        assert Signer.from_key(key).address == agent
    plain = runner.invoke(app, ["keys", "new", "-d", str(directory)])
    assert "hlfast check" in plain.output
    assert len(list(directory.iterdir())) == 3


def test_keys_new_names_a_directory_it_cannot_use(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    shown = runner.invoke(app, ["keys", "new", "-d", str(tmp_path / "file")])
    assert shown.exit_code == EXIT_CANNOT
    assert "--directory" in shown.output
