"""Smart orders by receipt, executions with the best prices that each was planned by; nobody wrote them before.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hlfast.store.tables import Money

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Name the style, and keep what was executed instead of what was asked."""
    with op.batch_alter_table("smart_orders") as table:
        table.alter_column("strategy", new_column_name="style")
    with op.batch_alter_table("smart_order_executions") as table:
        table.drop_column("size")
        table.add_column(sa.Column("bid", Money, nullable=True))
        table.add_column(sa.Column("ask", Money, nullable=True))
        table.alter_column("average_price", existing_type=Money, nullable=False)
        table.alter_column("settled_ms", existing_type=sa.BigInteger(), nullable=False)


def downgrade() -> None:
    """Back to what was never written."""
    op.execute("DELETE FROM smart_order_executions")
    with op.batch_alter_table("smart_order_executions") as table:
        table.drop_column("ask")
        table.drop_column("bid")
        table.add_column(sa.Column("size", Money, nullable=False))
        table.alter_column("average_price", existing_type=Money, nullable=True)
        table.alter_column("settled_ms", existing_type=sa.BigInteger(), nullable=True)
    with op.batch_alter_table("smart_orders") as table:
        table.alter_column("style", new_column_name="strategy")
