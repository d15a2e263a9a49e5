"""The venue's leaderboard: one JSON of about 39 MB and 47,000 rows (2026), from a URL or a file."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec

from hlfast.errors import HlfastError

MAINNET_URL = "https://stats-data.hyperliquid.xyz/Mainnet/leaderboard"
MOST_BYTES = 256 * 1024 * 1024
_DEADLINE_S = 120.0
_GZIP = b"\x1f\x8b"


class LeaderboardError(HlfastError):
    """The leaderboard can't be read. The message names the place and what is wrong with it."""


class Window(msgspec.Struct, frozen=True, gc=False):
    """Profit and volume over one window, USD."""

    pnl: Decimal
    volume: Decimal = msgspec.field(name="vlm")


class Row(msgspec.Struct, frozen=True, gc=False):
    """One trader."""

    address: str
    account_value: Decimal
    month: Window
    all_time: Window


class Leaderboard(msgspec.Struct, frozen=True):
    """What could be read; `bad` rows were none of a trader."""

    rows: tuple[Row, ...]
    bad: int = 0


class _Row(msgspec.Struct, gc=False):
    address: str = msgspec.field(name="ethAddress")
    account_value: Decimal = msgspec.field(name="accountValue")
    windows: tuple[tuple[str, Window], ...] = msgspec.field(name="windowPerformances")


class _Board(msgspec.Struct):
    rows: list[msgspec.Raw] = msgspec.field(name="leaderboardRows")


_boards = msgspec.json.Decoder(_Board)
_rows = msgspec.json.Decoder(_Row)
_LONGEST_ADDRESS = 42


def place_of(setting: str, base_url: str) -> str | None:
    """Return where the leaderboard is, for the setting: the venue has one for its mainnet only."""
    if setting == "off":
        return None
    if setting != "venue":
        return setting
    host = urlsplit(base_url).hostname or ""
    return MAINNET_URL if host.endswith("hyperliquid.xyz") else None


async def read(place: str) -> Leaderboard:
    """Read a URL or a file (gzip too).

    Raises:
        LeaderboardError: it can't be reached or opened, is larger than 256 MiB, or is no leaderboard.
    """
    try:
        text = await (_get(place) if place.startswith(("http://", "https://")) else asyncio.to_thread(_open, place))
    except (aiohttp.ClientError, TimeoutError, OSError, EOFError, zlib.error) as error:
        raise LeaderboardError(f"the leaderboard at {place} can't be read: {error or type(error).__name__}") from error
    return parse_leaderboard(text, place)


async def _get(url: str) -> bytes:
    timeout = aiohttp.ClientTimeout(total=_DEADLINE_S)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session, session.get(url) as answer:
        if answer.status != 200:
            raise LeaderboardError(f"the leaderboard at {url} answers with HTTP {answer.status}")
        text = bytearray()
        async for chunk in answer.content.iter_any():
            text += chunk
            if len(text) > MOST_BYTES:
                raise _too_large(url)
        return bytes(text)


def _open(path: str) -> bytes:
    with Path(path).open("rb") as plain:
        magic = plain.read(2)
    with gzip.open(path, "rb") if magic == _GZIP else Path(path).open("rb") as file:
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise _too_large(path)
    return bytes(text)


def _too_large(place: str) -> LeaderboardError:
    return LeaderboardError(
        f"the leaderboard at {place} is larger than {MOST_BYTES >> 20} MiB, which none is known to be"
    )


def parse_leaderboard(text: bytes, place: str) -> Leaderboard:
    """Decode a leaderboard; rows that are none of a trader are counted and left out.

    Raises:
        LeaderboardError: it is no leaderboard at all.
    """
    try:
        board = _boards.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LeaderboardError(f"{place} is no leaderboard ({error})") from None
    rows = [row for raw in board.rows if (row := _row(raw)) is not None]
    return Leaderboard(rows=tuple(rows), bad=len(board.rows) - len(rows))


def _row(raw: msgspec.Raw) -> Row | None:
    try:
        row = _rows.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    windows = dict(row.windows)
    month, all_time = windows.get("month"), windows.get("allTime")
    if month is None or all_time is None or not _is_address(row.address):
        return None
    amounts = (row.account_value, month.pnl, month.volume, all_time.pnl, all_time.volume)
    if not all(amount.is_finite() for amount in amounts):
        return None
    return Row(address=row.address.lower(), account_value=row.account_value, month=month, all_time=all_time)


def _is_address(text: str) -> bool:
    if len(text) != _LONGEST_ADDRESS or text[:2] != "0x":
        return False
    try:
        bytes.fromhex(text[2:])
    except ValueError:
        return False
    return True
