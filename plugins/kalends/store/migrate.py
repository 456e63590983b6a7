"""Bringing a database to the schema that this code needs (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from kalends.errors import SchemaVersionError
from kalends.store.engine import Database
from kalends.store.schema import HEAD


def migrate(database: Database) -> None:
    """Create or upgrade the tables, in one transaction; a database that is up to date is only read.

    Raises:
        SchemaVersionError: a newer Kalends wrote this database; nothing was changed.
    """
    with database.read() as connection:
        if _version(connection) == HEAD:
            return
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with database.write() as connection:
        found = _version(connection)  # another process may have been here meanwhile
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if found is not None and found not in known:
            raise SchemaVersionError(database.name, found, HEAD)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
