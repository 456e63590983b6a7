"""Numbers about the whole store, for health, metrics and ``kalends check``."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, func, select, text

from kalends.store.engine import Database
from kalends.store.schema import calendar_object, collection


def count_collections(connection: Connection) -> int:
    """Return how many collections there are, homes among them."""
    return connection.execute(select(func.count()).select_from(collection)).scalar_one()


def count_objects(connection: Connection) -> int:
    """Return how many calendar objects, cards and files there are."""
    return connection.execute(select(func.count()).select_from(calendar_object)).scalar_one()


def newest_change(connection: Connection) -> int:
    """Return the time of the last change, microseconds since 1970; 0 if nothing was written yet."""
    return connection.execute(select(func.max(collection.c.changed))).scalar() or 0


def store_octets(database: Database) -> int:
    """Return the size of a store in octets, with the write-ahead log of a file.

    Raises:
        StoreUnavailableError: the server of the database does not answer.
    """
    if database.folder is not None:
        return file_octets(database)
    with database.read() as connection:
        size = text("SELECT pg_database_size(current_database())")
        return int(connection.execute(size).scalar_one())


def file_octets(database: Database) -> int:
    """Return the size of a store's files on this host in octets; 0 for a database server."""
    if database.folder is None:
        return 0
    files = [Path(f"{database.name}{suffix}") for suffix in ("", "-wal")]
    return sum(file.stat().st_size for file in files if file.exists())
