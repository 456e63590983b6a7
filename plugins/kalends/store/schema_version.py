"""Which schema a database has, and the way from one to the next (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from kalends.store.schema import HEAD

NEWEST = HEAD
TABLE = "alembic_version"
"""Where a database says which schema it has."""


def current_version(connection: Connection) -> str | None:
    """The schema of a database; None if it has none yet."""
    return MigrationContext.configure(connection).get_current_revision()


def known_versions() -> frozenset[str]:
    """The schemas that this code can bring to the newest."""
    scripts = ScriptDirectory.from_config(_config())
    return frozenset(script.revision for script in scripts.walk_revisions())


def upgrade(connection: Connection, to: str) -> None:
    """Bring a database to a schema, in the transaction of the connection."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
