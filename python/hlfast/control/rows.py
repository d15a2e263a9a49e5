"""From objects of the journal to rows of the database. Pure: same objects, same rows.

Rows are tuples in the order of their table's columns, and the structs here have their fields in that order: decoding,
naming and storing a receipt then costs a few microseconds. `read_journal` gives one object a receipt, attempt, slice or
alert.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec.structs import astuple

from hlfast.config.model import Config
from hlfast.control.roster import Roster
from hlfast.errors import JournalError
from hlfast.store.writes import Batch, Row

# The kinds of userFills rows kept: those of accounts that the settings name.
_USER_FILLS = '"userFills"'
# An operator's new settings; only requests that were carried out are in the journal.
_CONFIGURE = '"configure"'
_Amount = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,30}(\.[0-9]{1,30})?$")]


class _Object(msgspec.Struct, kw_only=True, gc=False, tag_field="kind"):
    """An object of the journal; what is not in it but in its row is filled in afterwards."""

    journal: str = ""


class ReceiptRow(_Object, kw_only=True, gc=False, tag="receipt"):
    """A receipt; leader and follower come as places in the settings."""

    number: int
    settled_ms: int
    sequence: int
    leader: int | str
    follower: int | str
    coin: str
    coin_id: int | None = None
    time_ms: int
    tid: int
    decision: int
    merged_into: int | None
    outcome: str
    reason: str
    was_unknown: bool
    leader_before: str
    leader_after: str
    leader_price: str
    entitled_before: str
    entitled_after: str
    ordered: str
    limit_price: str
    filled: str
    average_price: str
    nonce: int
    decided_ms: int
    planned_ms: int


class AttemptRow(_Object, kw_only=True, gc=False, tag="attempt"):
    """An attempt; `cloids` are rows of their own."""

    sequence: int
    place: int = 0
    at_ms: int = 0
    follower: int | str
    does: str
    road: str
    lane: int
    post_id: int
    nonce: int
    expires_ms: int = msgspec.field(name="expires_after")
    digest: str
    cloids: tuple[str, ...]


class QuoteRow(_Object, kw_only=True, gc=False, tag="quote"):
    """Best prices of a coin when a record's orders were planned."""

    sequence: int
    coin_id: int
    bid: str
    ask: str
    time_ms: int


class SliceRow(_Object, kw_only=True, gc=False, tag="twap_slice"):
    """A slice of a TWAP that the venue runs."""

    sequence: int
    place: int = 0
    at_ms: int = 0
    follower: int | str
    coin: str
    coin_id: int
    nonce: int
    twap_id: int | None
    time_ms: int | None
    size: str
    price: str
    bid: str | None
    ask: str | None
    quoted_ms: int | None


class AlertRow(_Object, kw_only=True, gc=False, tag="alert"):
    """An alert."""

    sequence: int
    place: int = 0
    at_ms: int = 0
    level: str
    code: str
    leader: int | str | None
    follower: int | str | None
    text: str


class _Input(_Object, kw_only=True, gc=False, tag="input"):
    sequence: int
    now_ms: int
    body: str = ""
    request: str = ""


class _Start(_Object, kw_only=True, gc=False, tag="start"):
    sequence: int
    now_ms: int
    config: dict[str, Any] | None = None


class _Fill(msgspec.Struct, gc=False, rename="camel"):
    coin: str
    time: int
    side: str
    px: _Amount
    sz: _Amount
    start_position: _Amount
    closed_pnl: _Amount
    fee: _Amount
    tid: int | None = None
    fee_token: str | None = None
    oid: int | None = None
    crossed: bool | None = None
    cloid: str | None = None


class _UserFills(msgspec.Struct, gc=False):
    user: str
    fills: tuple[_Fill, ...]


class _Frame(msgspec.Struct, gc=False):
    data: _UserFills


_Known = ReceiptRow | AttemptRow | QuoteRow | SliceRow | AlertRow | _Input | _Start
_objects: msgspec.json.Decoder[_Known] = msgspec.json.Decoder(_Known)
_frames = msgspec.json.Decoder(_Frame)


def strategies_of(config: Config, since_ms: int) -> list[dict[str, Any]]:
    """Rows of strategies, as the settings have them."""
    return [
        {"name": one.name, "kind": one.kind, "settings": msgspec.to_builtins(one), "since_ms": since_ms}
        for one in config.strategies
    ]


class Translator:
    """Turns indices into names and objects into rows.

    Args:
        journal: the name that rows carry.
        config: the settings, for a journal that does not tell its own.
        roster: who is meant by places where translating goes on; None: at the journal's beginning, or never kept.
    """

    def __init__(self, journal: str, config: Config, roster: Roster | None = None) -> None:
        self._journal = journal
        self._roster = roster or Roster()
        self._leaders: list[str] = []
        self._followers: list[str] = []
        self._accounts: set[str] = set()
        self._settings = msgspec.to_builtins(config)
        if not self._roster.leaders:
            self._roster.take(self._settings)
        self._name_places()
        self.now_ms = 0  # of the newest record translated
        self._is_new = False
        self._sequence = 0
        self._place = 0

    def people(self) -> dict[str, list[dict[str, Any]]]:
        """Rows of leaders, followers and follows, as the settings have them."""
        settings = self._settings
        keyed = ("leader", "follower", "mode")
        return {
            "leaders": [{"name": one["name"], "address": one["address"].lower()} for one in settings["leaders"]],
            "followers": [
                {"name": one["name"], "account": one["account"].lower(), "agent": one["agent"].lower(), "policy": one}
                for one in settings["followers"]
            ],
            "follows": [{**{name: policy[name] for name in keyed}, "policy": policy} for policy in settings["follows"]],
        }

    def _name_places(self) -> None:
        # In place: whoever translates holds these lists.
        self._leaders[:] = [name for name, _ in self._roster.leaders]
        self._followers[:] = [name for name, _ in self._roster.followers]
        self._accounts |= {address for _, address in (*self._roster.leaders, *self._roster.followers)}

    def _take_settings(self, settings: dict[str, Any], *, anew: bool) -> None:
        if anew:
            self._roster = Roster()
        self._settings = settings
        self._roster.take(settings)
        self._name_places()
        self._is_new = True

    def batch(self, objects: Iterable[bytes], after: int) -> Batch:
        """Translate whole records, in order."""
        rows: dict[str, list[Row]] = {
            name: []
            for name in ("receipts", "attempts", "orders", "quotes", "twap_slices", "fills", "alerts", "positions")
        }
        sequence = after
        receipts, journal, leaders, followers = rows["receipts"], self._journal, self._leaders, self._followers
        held: dict[tuple[int | str, int | str, str], ReceiptRow] = {}
        for raw in objects:
            item = _decoded(raw, sequence)
            sequence = item.sequence
            if sequence != self._sequence:
                self._sequence, self._place = sequence, 0
            self._place += 1
            if type(item) is ReceiptRow:
                item.journal = journal
                item.leader, item.follower = leaders[item.leader], followers[item.follower]  # type: ignore[index] # places
                receipts.append(astuple(item))
                held[item.follower, item.leader, item.coin] = item
            else:
                self._other(item, rows)
        # A key must stand once in a statement that replaces.
        rows["positions"] = [_position(row) for row in held.values()]
        batch = Batch(sequence=sequence, rows=rows)
        if self._is_new:
            batch.people, batch.roster = self.people(), msgspec.to_builtins(self._roster)
            self._is_new = False
        return batch

    def _other(self, item: _Object, rows: dict[str, list[Row]]) -> None:
        if isinstance(item, _Start):
            self.now_ms = item.now_ms
            if item.sequence == 1 and item.config is not None:
                self._take_settings(item.config, anew=True)
        elif isinstance(item, _Input):
            self._take_input(item, rows)
        elif isinstance(item, AttemptRow):
            self._place_in(item)
            item.follower = self._followers[item.follower]  # type: ignore[index] # a place until now
            rows["attempts"].append(astuple(item)[:-1])
            owner = (item.sequence, item.journal, item.follower, item.nonce)
            rows["orders"] += [(cloid, *owner) for cloid in item.cloids]
        elif isinstance(item, QuoteRow):
            item.journal = self._journal
            rows["quotes"].append(astuple(item))
        elif isinstance(item, SliceRow):
            self._place_in(item)
            item.follower = self._followers[item.follower]  # type: ignore[index] # a place until now
            rows["twap_slices"].append(astuple(item))
        elif isinstance(item, AlertRow):
            self._place_in(item)
            if item.leader is not None:
                item.leader = self._leaders[item.leader]  # type: ignore[index] # a place until now
            if item.follower is not None:
                item.follower = self._followers[item.follower]  # type: ignore[index] # a place until now
            rows["alerts"].append(astuple(item))

    def _take_input(self, item: _Input, rows: dict[str, list[Row]]) -> None:
        self.now_ms = item.now_ms
        if _USER_FILLS in item.body:
            rows["fills"] += self._fills(item)
        elif _CONFIGURE in item.request:
            self._take_settings(msgspec.json.decode(item.request)["config"], anew=False)

    def _place_in(self, item: AttemptRow | SliceRow | AlertRow) -> None:
        item.journal, item.place, item.at_ms = self._journal, self._place, self.now_ms

    def _fills(self, item: _Input) -> list[Row]:
        """Fills of named accounts in a userFills frame. The core has judged the frame; what is odd here is no row."""
        try:
            data = _frames.decode(item.body).data
        except (msgspec.DecodeError, UnicodeEncodeError):
            return []
        account = data.user.lower()
        if account not in self._accounts:
            return []
        return [_fill(account, fill, item.sequence) for fill in data.fills if fill.tid]


def _decoded(raw: bytes, after: int) -> _Known:
    try:
        return _objects.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JournalError(f"behind record {after} is an object that this release does not know: {error}") from None


def _fill(account: str, fill: _Fill, sequence: int) -> Row:
    return (
        *(account, fill.coin, fill.time, fill.tid, fill.side, fill.px, fill.sz, fill.start_position, fill.closed_pnl),
        *(fill.fee, fill.fee_token, fill.oid, fill.crossed, fill.cloid, sequence, None),
    )


def _position(receipt: ReceiptRow) -> Row:
    return (
        *(receipt.follower, receipt.leader, receipt.coin, receipt.entitled_after, receipt.leader_after),
        *(receipt.number, receipt.settled_ms),
    )
