"""The schema version of a database, and upgrades from one version to another by Alembic."""

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
"""The table with the schema version of a database."""


def current_version(connection: Connection) -> str | None:
    """Return the schema version of a database; None if it has no tables yet."""
    return MigrationContext.configure(connection).get_current_revision()


def known_versions() -> frozenset[str]:
    """Return the schema versions that this code can upgrade, and the newest."""
    scripts = ScriptDirectory.from_config(_config())
    return frozenset(script.revision for script in scripts.walk_revisions())


def upgrade(connection: Connection, to: str) -> None:
    """Upgrade a database to a schema version, in the transaction of the connection."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
