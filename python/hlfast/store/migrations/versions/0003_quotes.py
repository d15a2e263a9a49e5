"""The quotes that orders were planned by, and the coin's number that they go by.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hlfast.store.tables import Money

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; receipts from before have no number."""
    op.create_table(
        "quotes",
        sa.Column("journal", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("coin_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bid", Money, nullable=False),
        sa.Column("ask", Money, nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal", "sequence", "coin_id", name="pk_quotes"),
    )
    op.add_column("receipts", sa.Column("coin_id", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Take them away again."""
    op.drop_column("receipts", "coin_id")
    op.drop_table("quotes")
