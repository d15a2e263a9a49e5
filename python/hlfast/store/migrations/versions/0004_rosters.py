"""Who is meant by the places in a journal, beside the cursor: settings may change while the engine runs.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("cursors") as table:
        table.add_column(sa.Column("roster", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Take it away again."""
    with op.batch_alter_table("cursors") as table:
        table.drop_column("roster")
