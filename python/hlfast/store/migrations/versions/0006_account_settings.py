"""What an account's own settings allow, beside its name: `explain` holds receipts to it.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; the next change of the settings, or a new database, fills it."""
    with op.batch_alter_table("followers") as table:
        table.add_column(sa.Column("policy", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Take it away again."""
    with op.batch_alter_table("followers") as table:
        table.drop_column("policy")
