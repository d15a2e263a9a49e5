"""What Alembic runs a step in: the connection that `database` opened."""

from __future__ import annotations

from alembic import context

from hlfast.store.tables import metadata

connection = context.config.attributes["connection"]
# SQLite can't change a column in place: a step rewrites the table.
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
with context.begin_transaction():
    context.run_migrations()
