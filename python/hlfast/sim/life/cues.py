"""What may happen on the stage, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hlfast.sim.book import Quote

CROWD = "0x" + "cc" * 20  # who trades where nobody's address was recorded


class SourceError(ValueError):
    """A source that can't be played: names the row or field and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Drift:
    """The maker's mid moves by so many parts in 1e9, from wherever it is then."""

    coin: str
    parts: int


@dataclass(frozen=True, slots=True)
class Shape:
    """The maker's quotes are these from now on, best first on each side."""

    coin: str
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class Best:
    """The maker's best bid and ask (price, size) become these; None empties the side."""

    coin: str
    bid: tuple[int, int] | None
    ask: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Deal:
    """A stranger takes `size`; with a price the tape shows exactly that, without one it is whatever the book offers."""

    coin: str
    is_buy: bool
    size: int
    price: int | None = None
    trader: str = CROWD


@dataclass(frozen=True, slots=True)
class Mid:
    """The maker's ladder is around this price."""

    coin: str
    price: int


@dataclass(frozen=True, slots=True)
class Fills:
    """Recorded fill rows of one account happen again."""

    address: str
    rows: tuple[dict[str, Any], ...]


Act = Drift | Shape | Best | Deal | Mid | Fills


@dataclass(frozen=True, slots=True)
class Cue:
    """Acts of one block, `at_ms` after the play's start."""

    at_ms: int
    acts: tuple[Act, ...]


Cues = Iterator[Cue]
