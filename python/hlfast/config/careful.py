"""Reads settings that are not simply right: variables of the environment over the file, and every fault by its name.

Needs pydantic, whose import takes longer than everything else about the settings: `load` comes here only when it must.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from pydantic import ConfigDict, Field, ValidationError, create_model
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from hlfast.config.model import Config
from hlfast.config.problems import (
    ENV_PREFIX,
    NESTED,
    SKELETON,
    Problem,
    SettingsRefusedError,
    nearest,
    redact,
    suggestion,
)


def merged(data: dict[str, Any]) -> Config:
    """Lay the environment over what the file says.

    Raises:
        SettingsRefusedError: a setting is wrong, missing or unknown.
    """
    try:
        whole = create_model("Settings", __base__=_FromFile, **_fields(Config))(**data).model_dump()
    except ValidationError as error:
        raise SettingsRefusedError(_explain(error)) from None
    except SettingsError as error:
        raise SettingsRefusedError([_not_json(error)]) from None
    return msgspec.convert(whole, Config)


# the pydantic twin of each struct, made from the struct so that there is one list of settings


class _FromFile(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_nested_delimiter=NESTED, extra="forbid", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the caller's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


def _fields(struct: type[msgspec.Struct]) -> dict[str, Any]:
    hints = get_type_hints(struct)
    made: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        twin = _twin(hints[field.name])
        if field.default is msgspec.NODEFAULT:
            made[field.name] = (twin, ...)
        elif isinstance(field.default, msgspec.Struct):
            made[field.name] = (twin, Field(default_factory=twin))
        else:
            made[field.name] = (twin, field.default)
    return made


def _twin(hint: Any) -> Any:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return create_model(hint.__name__, __config__=ConfigDict(extra="forbid", frozen=True), **_fields(hint))
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {types.UnionType, Union}:
        return Union[tuple(_twin(part) for part in arguments)]  # noqa: UP007 - built at run time
    if origin is tuple:
        return tuple[_twin(arguments[0]), ...]  # type: ignore[misc] # built at run time
    return hint


# naming what is wrong


def _explain(error: ValidationError) -> list[Problem]:
    found = error.errors(include_url=False)
    missing = {tuple(item["loc"]) for item in found if item["type"] == "missing"}
    problems: list[Problem] = []
    meant: set[tuple[int | str, ...]] = set()
    for item in found:
        if item["type"] != "extra_forbidden":
            continue
        loc = _setting_at(item["loc"])
        known = _names_at(loc[:-1])
        word = str(loc[-1])
        close = nearest(word, known)
        if close is not None and (*loc[:-1], close) in missing:
            meant.add((*loc[:-1], close))
        problems.append(Problem(_dotted(loc), "is no setting", suggestion(word, known)))
    told: set[tuple[int | str, ...]] = set()
    for item in found:
        loc = _setting_at(item["loc"])
        if item["type"] != "extra_forbidden" and loc not in meant | told:
            told.add(loc)  # a setting of two kinds is wrong twice, and told once
            problems.append(_wrong_value(loc, item["type"], item.get("input"), item.get("ctx", {})))
    return problems


def _setting_at(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Leave out which kind of a setting's several kinds an error speaks of."""
    *way, last = loc
    is_kind = last in {"str", "int"} and len(_flat(_hint_at(tuple(way)))) > 1
    return tuple(way) if is_kind else tuple(loc)


def _wrong_value(loc: tuple[int | str, ...], kind: str, given: Any, context: Mapping[str, Any]) -> Problem:
    name = _dotted(loc)
    shown = redact(repr(given))[:80]
    if kind == "missing":
        return Problem(name, "is missing", _how_to_set(loc))
    if kind == "literal_error":
        return Problem(name, f"cannot be {shown}", suggestion(str(given), _literals_at(loc)))
    for prefixes, should, fix in (
        (("string_",), "text", f'write it in quotes: "{given}"' if _is_number(given) else "write a text in quotes"),
        (("int_",), "a whole number", "write it without quotes and decimals"),
        (("bool_",), "true or false", "write true or false without quotes"),
        (("tuple_", "list_"), "a list", "write it in [ ], or as [[tables]] of their own"),
        (("model_", "dict_"), "a table", f"write [{name}] and its settings below"),
    ):
        if kind.startswith(prefixes):
            return Problem(name, f"must be {should}, not {shown}", fix)
    return Problem(name, f"is wrong ({kind}): {shown}", str(context.get("error", SKELETON)))


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _how_to_set(loc: tuple[int | str, ...]) -> str:
    """Say how a missing setting is written: a table with what it needs, rows of a list, or one value."""
    hint = _hint_at(loc)
    if get_origin(hint) is tuple:
        rows = _required(get_args(hint)[0])
        return f"write one or more [[{_dotted(loc)}]] with {rows}"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return f"write [{_dotted(loc)}] with {_required(hint)}"
    return f"set it in the file or as {_variable(loc)}" if isinstance(loc[0], str) and len(loc) < 3 else "set it there"


def _required(struct: type[msgspec.Struct]) -> str:
    return ", ".join(field.name for field in msgspec.structs.fields(struct) if field.required)


def _not_json(error: SettingsError) -> Problem:
    # pydantic-settings names the field it could not decode in quotes: 'error parsing value for field "leaders" …'.
    field = str(error).partition('field "')[2].partition('"')[0]
    name = f"{ENV_PREFIX}{field.upper()}"
    return Problem(name, "is not JSON", "lists and tables in a variable are written as JSON, or move it to the file")


def _dotted(loc: tuple[int | str, ...]) -> str:
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _variable(loc: tuple[int | str, ...]) -> str:
    names: list[str] = []
    for part in loc:
        if isinstance(part, int):  # one row of a list: only the whole list has a variable
            break
        names.append(part.upper())
    return ENV_PREFIX + NESTED.join(names)


def _hint_at(loc: tuple[int | str, ...]) -> Any:
    hint: Any = Config
    for part in loc:
        if isinstance(part, int):
            hint = next(inner for inner in _flat(hint) if get_origin(inner) is tuple)
            hint = get_args(hint)[0]
        else:
            hints = get_type_hints(hint) if isinstance(hint, type) and issubclass(hint, msgspec.Struct) else {}
            if part not in hints:
                return None
            hint = hints[part]
    return hint


def _flat(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in {types.UnionType, Union} else (hint,)


def _names_at(loc: tuple[int | str, ...]) -> list[str]:
    hint = _hint_at(loc)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return [field.name for field in msgspec.structs.fields(hint)]
    return []


def _literals_at(loc: tuple[int | str, ...]) -> list[str]:
    return [str(value) for part in _flat(_hint_at(loc)) if get_origin(part) is Literal for value in get_args(part)]
