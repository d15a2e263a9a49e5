"""Reading fields of `/info` bodies; whatever doesn't fit is refused as the venue refuses it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Handler = Callable[[dict[str, Any]], Any]
_ADDRESS = re.compile("0x[0-9a-fA-F]{40}")


class BadRequestError(Exception):
    """The venue answers HTTP 422 with this text."""

    def __str__(self) -> str:
        return "Failed to deserialize the JSON body into the target type"


def constant(answer: Any) -> Handler:
    """Return a handler whose answer nothing in the request changes."""
    return lambda _body: answer


def for_user(answer: Any) -> Handler:
    """Return a handler with one answer for every address, which must still be one."""

    def handle(body: dict[str, Any]) -> Any:
        read_user(body)
        return answer

    return handle


def read_user(body: dict[str, Any], field: str = "user") -> str:
    """Return an address in lower case.

    Raises:
        BadRequestError: absent or no address.
    """
    value = body.get(field)
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise BadRequestError
    return value.lower()


def read_int(body: dict[str, Any], field: str, default: int | None = None) -> int:
    """Return a non-negative whole number; null and absent take the default.

    Raises:
        BadRequestError: absent without a default, or no such number.
    """
    value = body.get(field)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadRequestError
    return value


def read_text(body: dict[str, Any], field: str, default: str | None = None) -> str:
    """Return a string; null and absent take the default.

    Raises:
        BadRequestError: absent without a default, or no string.
    """
    value = body.get(field)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise BadRequestError
    return value
