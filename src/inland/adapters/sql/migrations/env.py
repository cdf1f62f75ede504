"""What Alembic runs for each migration: our tables, over the connection it was given."""

from alembic import context

from inland.adapters.sql.schema_base import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
