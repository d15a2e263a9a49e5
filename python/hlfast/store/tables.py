"""The tables. Times are Unix milliseconds (`*_ms`), money and sizes exact decimals, addresses lower case.

PostgreSQL splits the tables of events by month of their time column; SQLite keeps each in one piece.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

metadata = sa.MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"},
)


class Money(sa.types.TypeDecorator[Decimal]):
    """An exact decimal: NUMERIC, or text in SQLite, whose own numbers are floats. Takes Decimal or its text."""

    impl = sa.Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """Choose the column's type."""
        return dialect.type_descriptor(sa.Text() if dialect.name == "sqlite" else sa.Numeric())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Send text to SQLite and Decimal to PostgreSQL."""
        if value is None:
            return None
        return str(value) if dialect.name == "sqlite" else Decimal(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Give back a Decimal."""
        del dialect
        return None if value is None else Decimal(value)


# Tables of events and their time column; a retention and, in PostgreSQL, partitions go by it.
EVENTS: Final = {
    "receipts": "settled_ms",
    "fills": "time_ms",
    "attempts": "at_ms",
    "equity": "time_ms",
    "funding": "time_ms",
}


def _events(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    return sa.Table(name, metadata, *columns, postgresql_partition_by=f"RANGE ({EVENTS[name]})")


def _key(name: str, kind: Any = sa.BigInteger) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _col(name: str, kind: Any, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=null)


_MS = sa.BigInteger

# How far each journal is projected. Written in the transaction that writes what it counts.
cursors = sa.Table(
    "cursors",
    metadata,
    _key("journal", sa.Text),
    _col("sequence", _MS),
    _col("updated_ms", _MS),
    sa.Column("roster", sa.JSON, nullable=True),
)

leaders = sa.Table("leaders", metadata, _key("name", sa.Text), _col("address", sa.Text))
followers = sa.Table(
    "followers",
    metadata,
    _key("name", sa.Text),
    _col("account", sa.Text),
    _col("agent", sa.Text),
    _col("policy", sa.JSON, null=True),
)
follows = sa.Table(
    "follows",
    metadata,
    _key("leader", sa.Text),
    _key("follower", sa.Text),
    _col("mode", sa.Text),
    _col("policy", sa.JSON),
)

fills = _events(
    "fills",
    _key("account", sa.Text),
    _key("coin", sa.Text),
    _key("time_ms"),
    _key("tid"),
    _key("side", sa.Text),
    _col("price", Money),
    _col("size", Money),
    _col("start_position", Money),
    _col("closed_pnl", Money),
    _col("fee", Money),
    _col("fee_token", sa.Text, null=True),
    _col("oid", _MS, null=True),
    _col("crossed", sa.Boolean, null=True),
    _col("cloid", sa.Text, null=True),
    _col("sequence", _MS),
    _col("twap_id", _MS, null=True),  # of a slice of the venue's own TWAP, which has no client id
)

attempts = _events(
    "attempts",
    _key("journal", sa.Text),
    _key("sequence"),
    _key("place", sa.Integer),
    _key("at_ms"),
    _col("follower", sa.Text),
    _col("does", sa.Text),
    _col("road", sa.Text),
    _col("lane", sa.Integer),
    _col("post_id", _MS),
    _col("nonce", _MS),
    _col("expires_ms", _MS),
    _col("digest", sa.Text),
)
orders = sa.Table(
    "orders",
    metadata,
    _key("cloid", sa.Text),
    _key("sequence"),
    _col("journal", sa.Text),
    _col("follower", sa.Text),
    _col("nonce", _MS),
)

# The best prices that the orders of a record were planned by; zero: that side was empty.
quotes = sa.Table(
    "quotes",
    metadata,
    _key("journal", sa.Text),
    _key("sequence"),
    _key("coin_id", sa.Integer),
    _col("bid", Money),
    _col("ask", Money),
    _col("time_ms", _MS),
)

# What the venue executed of a follower's TWAP that it runs itself, as the engine came to know it.
twap_slices = sa.Table(
    "twap_slices",
    metadata,
    _key("journal", sa.Text),
    _key("sequence"),
    _key("place", sa.Integer),
    _col("at_ms", _MS),  # when the engine knew
    _col("follower", sa.Text),
    _col("coin", sa.Text),
    _col("coin_id", sa.Integer),
    _col("nonce", _MS),  # of the action that began the TWAP
    _col("twap_id", _MS, null=True),  # null: the venue told none
    _col("time_ms", _MS, null=True),  # null: told as a sum when the TWAP was over
    _col("size", Money),
    _col("price", Money),
    _col("bid", Money, null=True),  # best prices when the engine knew; null: no fresh ones
    _col("ask", Money, null=True),
    _col("quoted_ms", _MS, null=True),
)

receipts = _events(
    "receipts",
    _key("journal", sa.Text),
    _key("number"),
    _key("settled_ms"),
    _col("sequence", _MS),
    _col("leader", sa.Text),
    _col("follower", sa.Text),
    _col("coin", sa.Text),
    _col("coin_id", sa.Integer, null=True),
    _col("time_ms", _MS),
    _col("tid", _MS),
    _col("decision", _MS),
    _col("merged_into", _MS, null=True),
    _col("outcome", sa.Text),
    _col("reason", sa.Text),
    _col("was_unknown", sa.Boolean),
    _col("leader_before", Money),
    _col("leader_after", Money),
    _col("leader_price", Money),
    _col("entitled_before", Money),
    _col("entitled_after", Money),
    _col("ordered", Money),
    _col("limit_price", Money),
    _col("filled", Money),
    _col("average_price", Money),
    _col("nonce", _MS),
    _col("decided_ms", _MS),
    _col("planned_ms", _MS),
)
sa.Index(None, receipts.c.follower, receipts.c.time_ms)
sa.Index(None, receipts.c.leader, receipts.c.coin, receipts.c.time_ms)
sa.Index(None, attempts.c.follower, attempts.c.nonce)

alerts = sa.Table(
    "alerts",
    metadata,
    _key("journal", sa.Text),
    _key("sequence"),
    _key("place", sa.Integer),
    _col("at_ms", _MS),
    _col("level", sa.Text),
    _col("code", sa.Text),
    _col("leader", sa.Text, null=True),
    _col("follower", sa.Text, null=True),
    _col("text", sa.Text),
)

# What each follower is entitled to through each leader, as the last receipt says.
positions = sa.Table(
    "positions",
    metadata,
    _key("follower", sa.Text),
    _key("leader", sa.Text),
    _key("coin", sa.Text),
    _col("entitled", Money),
    _col("leader_position", Money),
    _col("receipt", _MS),
    _col("settled_ms", _MS),
)

funding = _events("funding", _key("account", sa.Text), _key("coin", sa.Text), _key("time_ms"), _col("usd", Money))
equity = _events("equity", _key("account", sa.Text), _key("time_ms"), _col("usd", Money), _col("pnl_usd", Money))

traders = sa.Table(
    "traders",
    metadata,
    _key("address", sa.Text),
    _col("source", sa.Text),  # tape, leaderboard, asked
    _col("first_seen_ms", _MS),
    _col("last_seen_ms", _MS),
    _col("grade", sa.Text, null=True),
    _col("score", sa.Float, null=True),
    _col("why", sa.Text, null=True),  # what made him a candidate
    _col("refreshed_ms", _MS, null=True),  # of the judgement or the dismissal
    _col("dismissed", sa.Text, null=True),  # why he was not analysed, or not kept
    _col("judgement", sa.JSON, null=True),
)
analytics = sa.Table("analytics", metadata, _key("address", sa.Text), _key("made_ms"), _col("figures", sa.JSON))
recommendations = sa.Table(
    "recommendations",
    metadata,
    _key("profile", sa.Text),
    _key("address", sa.Text),
    _key("made_ms"),
    _col("score", sa.Float),
    _col("reasons", sa.JSON),
    _col("share", sa.Float, null=True),
    _col("viewed_ms", _MS, null=True),
    _col("accepted_ms", _MS, null=True),
    _col("details", sa.JSON, null=True),  # grade, compatibility, warnings
)
# Discovered traders that are to be followed without being asked, and what became of it.
auto_follows = sa.Table(
    "auto_follows",
    metadata,
    _key("address", sa.Text),
    _key("follower", sa.Text),
    _col("leader", sa.Text),
    _col("planned_ms", _MS),
    _col("applied_ms", _MS, null=True),
    _col("refused", sa.Text, null=True),
    _col("policy", sa.JSON),
)

strategies = sa.Table(
    "strategies",
    metadata,
    _key("name", sa.Text),
    _col("kind", sa.Text),
    _col("settings", sa.JSON),
    _col("since_ms", _MS),
)
# Openings in portions: one for each receipt that entered, of an account that opens in portions.
smart_orders = sa.Table(
    "smart_orders",
    metadata,
    _key("id", sa.Text),  # journal#number of the receipt
    _col("style", sa.Text),  # twap, smart, native_twap
    _col("follower", sa.Text),
    _col("coin", sa.Text),
    _col("size", Money),  # what it added to the target
    _col("state", sa.Text),  # the receipt's outcome
    _col("since_ms", _MS),
)
# What was executed of them, order by order, and the best prices by which each was planned. Of the venue's own TWAP:
# slice by slice, and the best prices when the engine read of it, about two seconds later.
smart_order_executions = sa.Table(
    "smart_order_executions",
    metadata,
    _key("id", sa.Text),
    _key("slice", sa.Integer),
    _col("cloid", sa.Text, null=True),  # null: a slice of a TWAP
    _col("filled", Money),
    _col("average_price", Money),
    _col("bid", Money, null=True),
    _col("ask", Money, null=True),
    _col("settled_ms", _MS, null=True),  # null: a slice of which only the sum was told
    _col("twap_id", _MS, null=True),
)
