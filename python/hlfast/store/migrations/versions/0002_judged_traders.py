"""What discovery and recommendations keep beside a grade.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the table of automatic follows."""
    with op.batch_alter_table("traders") as table:
        table.add_column(sa.Column("why", sa.Text(), nullable=True))
        table.add_column(sa.Column("refreshed_ms", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("dismissed", sa.Text(), nullable=True))
        table.add_column(sa.Column("judgement", sa.JSON(), nullable=True))
    with op.batch_alter_table("recommendations") as table:
        table.add_column(sa.Column("details", sa.JSON(), nullable=True))
    op.create_table(
        "auto_follows",
        sa.Column("address", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("follower", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("leader", sa.Text(), nullable=False),
        sa.Column("planned_ms", sa.BigInteger(), nullable=False),
        sa.Column("applied_ms", sa.BigInteger(), nullable=True),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("address", "follower", name="pk_auto_follows"),
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("auto_follows")
    with op.batch_alter_table("recommendations") as table:
        table.drop_column("details")
    with op.batch_alter_table("traders") as table:
        for name in ("judgement", "dismissed", "refreshed_ms", "why"):
            table.drop_column(name)
