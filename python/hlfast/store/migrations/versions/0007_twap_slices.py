"""Slices of the venue's own TWAPs, and which of an account's fills are such.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hlfast.store.tables import Money

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Told of a portion of the engine's own, and not of every slice.
_OWN = (("cloid", sa.Text()), ("settled_ms", sa.BigInteger()))


def upgrade() -> None:
    """Make the table, and room for slices among the portions."""
    op.create_table(
        "twap_slices",
        *(
            sa.Column(name, kind, primary_key=True, autoincrement=False)
            for name, kind in (("journal", sa.Text()), ("sequence", sa.BigInteger()), ("place", sa.Integer()))
        ),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("follower", sa.Text(), nullable=False),
        sa.Column("coin", sa.Text(), nullable=False),
        sa.Column("coin_id", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("twap_id", sa.BigInteger(), nullable=True),
        sa.Column("time_ms", sa.BigInteger(), nullable=True),
        sa.Column("size", Money(), nullable=False),
        sa.Column("price", Money(), nullable=False),
        sa.Column("bid", Money(), nullable=True),
        sa.Column("ask", Money(), nullable=True),
        sa.Column("quoted_ms", sa.BigInteger(), nullable=True),
    )
    op.add_column("fills", sa.Column("twap_id", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("smart_order_executions") as table:
        table.add_column(sa.Column("twap_id", sa.BigInteger(), nullable=True))
        for name, kind in _OWN:
            table.alter_column(name, existing_type=kind, nullable=True)


def downgrade() -> None:
    """Back to portions of the engine's own alone."""
    op.execute("DELETE FROM smart_order_executions WHERE cloid IS NULL OR settled_ms IS NULL")
    with op.batch_alter_table("smart_order_executions") as table:
        table.drop_column("twap_id")
        for name, kind in _OWN:
            table.alter_column(name, existing_type=kind, nullable=False)
    op.drop_column("fills", "twap_id")
    op.drop_table("twap_slices")
