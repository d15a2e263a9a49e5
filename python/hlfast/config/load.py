"""Reads `hlfast.toml` and `HLFAST_SECTION__FIELD` variables into the frozen structs of `config.model`.

Order of sources: environment over file; nothing else. Every wrong or unknown setting is refused by name, all of them at
once. Only `cli` and `app` import this module; it runs once, before the loop.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from hlfast.config.checks import check
from hlfast.config.model import Config
from hlfast.config.problems import ENV_PREFIX, NESTED, SKELETON, Problem, SettingsRefusedError, nearest

__all__ = ["SettingsRefusedError", "load"]


def load(path: Path) -> Config:
    """Read, merge, check and freeze the settings.

    Args:
        path: the TOML file. Variables named `HLFAST_SECTION__FIELD` in the environment win over it.

    Raises:
        SettingsRefusedError: the file cannot be read, or a setting is wrong, missing or unknown.
    """
    data = _read(path)
    unknown = list(_unknown_variables(os.environ))
    if unknown:
        raise SettingsRefusedError(unknown)
    config, problems = check(_plain(data) or import_module("hlfast.config.careful").merged(data))
    if problems:
        raise SettingsRefusedError(problems)
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        fix = f"name the file with --config; {SKELETON}"
        raise SettingsRefusedError([Problem(str(path), f"cannot be read ({error.strerror})", fix)]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsRefusedError([Problem(str(path), f"is not TOML ({error})", "correct that line")]) from None


def _plain(data: dict[str, Any]) -> Config | None:
    """The settings, where the file alone says them and nothing in it has to be interpreted or explained."""
    if any(variable.upper().startswith(ENV_PREFIX) for variable in os.environ):
        return None
    try:
        return msgspec.convert(data, Config)
    except msgspec.ValidationError:
        return None


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[Problem]:
    """Find HLFAST_ variables that no section takes; they would be passed over in silence."""
    sections = {field.name for field in msgspec.structs.fields(Config)}
    for variable in sorted(environ):
        if not variable.upper().startswith(ENV_PREFIX):
            continue
        section, _, rest = variable[len(ENV_PREFIX) :].lower().partition(NESTED)
        if section in sections:
            continue
        close = nearest(section, sections)
        if close is not None:
            tail = f"{NESTED}{rest.upper()}" if rest else ""
            fix = f'did you mean "{ENV_PREFIX}{close.upper()}{tail}"?'
        else:
            fix = f"unset it; sections are: {', '.join(sorted(sections))}"
        yield Problem(variable, "is no setting", fix)
