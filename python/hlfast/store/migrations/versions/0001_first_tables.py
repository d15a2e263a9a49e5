"""The first shape of the tables.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hlfast.store.partitions import hypertables, is_timescale
from hlfast.store.tables import Money

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def by_month(column: str) -> str | None:
    """TimescaleDB splits a table by itself, and only one that is whole."""
    return None if is_timescale(op.get_bind()) else f"RANGE ({column})"


def upgrade() -> None:
    """Make all tables."""
    _records()
    _attempts()
    _people()
    _accounts()
    _research()
    _strategies()
    if is_timescale(op.get_bind()):
        hypertables(op.get_bind())


def downgrade() -> None:
    """Drop all tables; partitions go with theirs."""
    for table in _ALL:
        op.drop_table(table)


_ALL = (
    "receipts",
    "fills",
    "attempts",
    "orders",
    "alerts",
    "positions",
    "cursors",
    "leaders",
    "followers",
    "follows",
    "equity",
    "funding",
    "traders",
    "analytics",
    "recommendations",
    "strategies",
    "smart_orders",
    "smart_order_executions",
)


def _records() -> None:
    op.create_table(
        "receipts",
        sa.Column("journal", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("settled_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("leader", sa.Text(), nullable=False),
        sa.Column("follower", sa.Text(), nullable=False),
        sa.Column("coin", sa.Text(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("tid", sa.BigInteger(), nullable=False),
        sa.Column("decision", sa.BigInteger(), nullable=False),
        sa.Column("merged_into", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("was_unknown", sa.Boolean(), nullable=False),
        sa.Column("leader_before", Money, nullable=False),
        sa.Column("leader_after", Money, nullable=False),
        sa.Column("leader_price", Money, nullable=False),
        sa.Column("entitled_before", Money, nullable=False),
        sa.Column("entitled_after", Money, nullable=False),
        sa.Column("ordered", Money, nullable=False),
        sa.Column("limit_price", Money, nullable=False),
        sa.Column("filled", Money, nullable=False),
        sa.Column("average_price", Money, nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("decided_ms", sa.BigInteger(), nullable=False),
        sa.Column("planned_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal", "number", "settled_ms", name="pk_receipts"),
        postgresql_partition_by=by_month("settled_ms"),
    )
    op.create_index("ix_receipts_follower_time_ms", "receipts", ["follower", "time_ms"], unique=False)
    op.create_index("ix_receipts_leader_coin_time_ms", "receipts", ["leader", "coin", "time_ms"], unique=False)
    op.create_table(
        "fills",
        sa.Column("account", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("coin", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("time_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tid", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("side", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("price", Money, nullable=False),
        sa.Column("size", Money, nullable=False),
        sa.Column("start_position", Money, nullable=False),
        sa.Column("closed_pnl", Money, nullable=False),
        sa.Column("fee", Money, nullable=False),
        sa.Column("fee_token", sa.Text(), nullable=True),
        sa.Column("oid", sa.BigInteger(), nullable=True),
        sa.Column("crossed", sa.Boolean(), nullable=True),
        sa.Column("cloid", sa.Text(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "coin", "time_ms", "tid", "side", name="pk_fills"),
        postgresql_partition_by=by_month("time_ms"),
    )
    op.create_table(
        "cursors",
        sa.Column("journal", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal", name="pk_cursors"),
    )
    op.create_table(
        "positions",
        sa.Column("follower", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("leader", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("coin", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("entitled", Money, nullable=False),
        sa.Column("leader_position", Money, nullable=False),
        sa.Column("receipt", sa.BigInteger(), nullable=False),
        sa.Column("settled_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("follower", "leader", "coin", name="pk_positions"),
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("journal", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("follower", sa.Text(), nullable=False),
        sa.Column("does", sa.Text(), nullable=False),
        sa.Column("road", sa.Text(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("journal", "sequence", "place", "at_ms", name="pk_attempts"),
        postgresql_partition_by=by_month("at_ms"),
    )
    op.create_index("ix_attempts_follower_nonce", "attempts", ["follower", "nonce"], unique=False)
    op.create_table(
        "orders",
        sa.Column("cloid", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("journal", sa.Text(), nullable=False),
        sa.Column("follower", sa.Text(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cloid", "sequence", name="pk_orders"),
    )
    op.create_table(
        "alerts",
        sa.Column("journal", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("leader", sa.Text(), nullable=True),
        sa.Column("follower", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("journal", "sequence", "place", name="pk_alerts"),
    )


def _people() -> None:
    op.create_table(
        "leaders",
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leaders"),
    )
    op.create_table(
        "followers",
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_followers"),
    )
    op.create_table(
        "follows",
        sa.Column("leader", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("follower", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("leader", "follower", name="pk_follows"),
    )


def _accounts() -> None:
    op.create_table(
        "equity",
        sa.Column("account", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("time_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("usd", Money, nullable=False),
        sa.Column("pnl_usd", Money, nullable=False),
        sa.PrimaryKeyConstraint("account", "time_ms", name="pk_equity"),
        postgresql_partition_by=by_month("time_ms"),
    )
    op.create_table(
        "funding",
        sa.Column("account", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("coin", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("time_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("usd", Money, nullable=False),
        sa.PrimaryKeyConstraint("account", "coin", "time_ms", name="pk_funding"),
        postgresql_partition_by=by_month("time_ms"),
    )


def _research() -> None:
    op.create_table(
        "traders",
        sa.Column("address", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("grade", sa.Text(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("address", name="pk_traders"),
    )
    op.create_table(
        "analytics",
        sa.Column("address", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("made_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("address", "made_ms", name="pk_analytics"),
    )
    op.create_table(
        "recommendations",
        sa.Column("profile", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("address", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("made_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("share", sa.Float(), nullable=True),
        sa.Column("viewed_ms", sa.BigInteger(), nullable=True),
        sa.Column("accepted_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("profile", "address", "made_ms", name="pk_recommendations"),
    )


def _strategies() -> None:
    op.create_table(
        "strategies",
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_strategies"),
    )
    op.create_table(
        "smart_orders",
        sa.Column("id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("follower", sa.Text(), nullable=False),
        sa.Column("coin", sa.Text(), nullable=False),
        sa.Column("size", Money, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_smart_orders"),
    )
    op.create_table(
        "smart_order_executions",
        sa.Column("id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("slice", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cloid", sa.Text(), nullable=False),
        sa.Column("size", Money, nullable=False),
        sa.Column("filled", Money, nullable=False),
        sa.Column("average_price", Money, nullable=True),
        sa.Column("settled_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", "slice", name="pk_smart_order_executions"),
    )
