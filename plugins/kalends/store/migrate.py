"""Migration of a database to the current schema, after taking a copy of it."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from kalends.common.atomicfile import move_into_place
from kalends.errors import ConfigurationError, SchemaVersionError, StoreFullError
from kalends.store import schema_version, snapshot_copy
from kalends.store.engine import Database
from kalends.store.schema import HEAD

_log = logging.getLogger("kalends.store")


def migrate(database: Database, copies_folder: Path | None = None) -> None:
    """Create or upgrade the tables in one transaction; only read a database that is up to date.

    Before an upgrade the database is copied to a file that ``kalends backup --restore`` accepts,
    both of this version and of the previous one.

    Args:
        database: the database.
        copies_folder: the folder for the copy of a database that is not a file on this host.

    Raises:
        SchemaVersionError: a newer Kalends wrote this database; nothing was changed.
        ConfigurationError: the copy could not be taken; nothing was changed.
    """
    with database.read() as connection:
        if schema_version.current_version(connection) == HEAD:
            return
    with database.write() as connection:
        found = schema_version.current_version(
            connection
        )  # another process may have been here meanwhile
        if found is not None and found not in schema_version.known_versions():
            raise SchemaVersionError(database.name, found, HEAD)
        if found is not None and found != HEAD:
            # No other process can write now, so the copy is the same as the upgraded database.
            _copy_first(database, found, copies_folder)
        schema_version.upgrade(connection, "head")


def _copy_first(database: Database, found: str, folder: Path | None) -> None:
    if database.folder is not None:
        copy = Path(f"{database.name}-before-{HEAD}")
    elif folder is not None and folder.is_dir():
        copy = folder / f"kalends.db-before-{HEAD}"
    else:
        why = "its schema must be upgraded, and there is no folder for the copy that is taken first"
        raise ConfigurationError(database.name, f"{why}: set [auth] nonce_folder")
    made = copy.with_name(f".{copy.name}.tmp")
    try:
        made.unlink(missing_ok=True)
        snapshot_copy.write_copy(database, made)
        move_into_place(made, copy)
    except (OSError, StoreFullError) as error:
        with suppress(OSError):
            made.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else error
        why = f"no copy could be taken before the upgrade of the schema: {reason}"
        raise ConfigurationError(str(copy), why) from None
    _log.warning("upgrading the schema from %s to %s; a copy of before is %s", found, HEAD, copy)
