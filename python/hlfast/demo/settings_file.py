"""Writes a configuration as the TOML file that an operator would write."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from hlfast.config.model import Config


def toml_text(config: Config) -> str:
    """Render every setting that is not absent; reading it back gives an equal `Config`."""
    values: dict[str, Any] = msgspec.to_builtins(config)
    lines = [f"{name} = {_value(value)}" for name, value in values.items() if isinstance(value, str)]
    for name, value in values.items():
        if isinstance(value, dict):
            lines += _table(name, value)
        elif isinstance(value, (list, tuple)):
            for item in value:
                lines += ["", f"[[{name}]]", *_pairs(item)]
    return "\n".join(lines) + "\n"


def _table(name: str, table: dict[str, Any]) -> list[str]:
    inner = {key: value for key, value in table.items() if isinstance(value, dict)}
    lines = ["", f"[{name}]", *_pairs({key: value for key, value in table.items() if key not in inner})]
    for key, value in inner.items():
        lines += _table(f"{name}.{key}", value)
    return lines


def _pairs(table: dict[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in table.items() if value is not None]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(_pairs(value)) + "}"
    # JSON spells strings, whole numbers, booleans and flat arrays of them as TOML does.
    return json.dumps(value)
