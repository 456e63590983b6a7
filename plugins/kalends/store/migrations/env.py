"""Alembic's entry point: it runs on the connection that ``store.schema_version`` passes."""

from alembic import context

from kalends.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
