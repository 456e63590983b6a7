"""The database as a source of transactions, and the only module that chooses which one it is.

What is particular to SQLite is in ``sqlite``, what is to PostgreSQL in ``postgres``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from kalends.errors import ConfigurationError
from kalends.store import sqlite
from kalends.store.cluster_state import Statements

_POSTGRESQL = "postgresql"
_EXAMPLES = "sqlite:////path/to/kalends.db or postgresql+psycopg://USER@HOST/DATABASE"


class Database(Protocol):
    """Transactions on one database.

    Attributes:
        url: an SQLAlchemy URL; ``repr`` and ``str`` of it hide the password.
        engine: SQLAlchemy's way to it.
        name: what the administrator knows it by, without its password.
        folder: the folder on this host that holds it; None where a server does.
        statements: runs statements on a server by themselves; None where all is on this host.
    """

    url: URL
    engine: Engine
    name: str
    folder: Path | None
    statements: Statements | None

    def read(self) -> AbstractContextManager[Connection]:
        """One snapshot: whatever is read through the connection is of one moment."""

    def write(self, *paths: str) -> AbstractContextManager[Connection]:
        """A write transaction; durable when the block has ended.

        Two writes to one home come one after the other, and each sees all of the one before.

        Args:
            paths: of what is written to, collections or objects, with or without slashes at their
                ends; anything may be written to if there is none.

        Raises:
            StoreFullError: there was no room; nothing was stored.
            StoreUnavailableError: the writes before it took too long, or the database is gone.
        """

    def exists(self) -> bool:
        """Whether it is there, with or without tables; nothing is made by asking."""

    def close(self) -> None:
        """Close the connections that are not in use."""


def open_database(raw: str) -> Database:
    """The database at an SQLAlchemy URL: ``sqlite:////path`` or ``postgresql+psycopg://…``.

    Nothing is connected to yet.

    Raises:
        ConfigurationError: the URL cannot be used, or the folder of the database does not exist.
    """
    try:
        url = make_url(raw)
    except ArgumentError:
        # What was given is not shown: a password may be in it.
        raise ConfigurationError(
            "[storage] database", f"is not a database URL; use {_EXAMPLES}"
        ) from None
    # Passwords can stand in two places of a URL; of its options the hosts alone are shown.
    hosts = {"host": url.query["host"]} if "host" in url.query else {}
    shown = url.set(query=hosts).render_as_string(hide_password=True)
    backend = url.get_backend_name()
    if backend not in ("sqlite", _POSTGRESQL):
        raise ConfigurationError(shown, f"is not supported; use {_EXAMPLES}")
    try:
        url.get_dialect()
    except NoSuchModuleError:
        raise ConfigurationError(shown, "no driver of that name") from None
    if backend == "sqlite":
        return sqlite.SqliteDatabase(url)
    if url.get_driver_name() != "psycopg":
        raise ConfigurationError(shown, f"that driver is not supported; use {_EXAMPLES}")
    # Not loaded where nobody needs it: it takes a tenth of a second and some megabytes.
    from kalends.store import postgres

    return postgres.PostgresDatabase(url, shown)


def lock_homes(connection: Connection) -> None:
    """Keep other writes from making or removing homes, until this one ends.

    What is above the homes belongs to none of them. Where there is one write at a time nothing is
    to be done.
    """
    if connection.dialect.name == _POSTGRESQL:
        from kalends.store import postgres

        postgres.lock_homes(connection)


def check_database(connection: Connection) -> Iterator[str]:
    """What the database finds wrong with itself, one line each."""
    if connection.dialect.name == _POSTGRESQL:
        from kalends.store import postgres

        return postgres.check_database(connection)
    return sqlite.check_database(connection)
