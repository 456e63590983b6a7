"""The interface of a database, and the only module that chooses between SQLite and PostgreSQL.

Code for SQLite alone is in ``sqlite``, code for PostgreSQL alone in ``postgres``.
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
        url: its SQLAlchemy URL; ``repr`` and ``str`` of it hide the password.
        engine: its SQLAlchemy engine.
        name: its name in messages, without a password.
        folder: the folder on this host that holds its file; None for a database server.
        statements: runs single statements on a database server; None for a file.
    """

    url: URL
    engine: Engine
    name: str
    folder: Path | None
    statements: Statements | None

    def read(self) -> AbstractContextManager[Connection]:
        """Open a read transaction; everything read in it is as of one moment."""

    def write(self, *paths: str) -> AbstractContextManager[Connection]:
        """Open a write transaction, which is durable when the block has ended.

        Two writes to one home run one after the other, and the second sees all of the first.

        Args:
            paths: the paths of the collections or objects that are written to, with or without
                slashes at their ends; without any, everything may be written to.

        Raises:
            StoreFullError: the disk is full; nothing was stored.
            StoreUnavailableError: earlier writes took too long, or the database is unavailable.
        """

    def exists(self) -> bool:
        """Return True if the database exists, with or without tables; do not create it."""

    def close(self) -> None:
        """Close the connections that are not in use."""


def open_database(raw: str) -> Database:
    """Return the database at an SQLAlchemy URL, without connecting to it yet.

    Args:
        raw: ``sqlite:////path`` or ``postgresql+psycopg://…``.

    Raises:
        ConfigurationError: the URL cannot be used, or the folder of the database does not exist.
    """
    try:
        url = make_url(raw)
    except ArgumentError:
        # The text is not shown: it may contain a password.
        raise ConfigurationError(
            "[storage] database", f"is not a database URL; use {_EXAMPLES}"
        ) from None
    # A URL has two places for a password, so only the hosts are shown of its options.
    hosts = {"host": url.query["host"]} if "host" in url.query else {}
    shown = url.set(query=hosts).render_as_string(hide_password=True)
    backend = url.get_backend_name()
    if backend not in ("sqlite", _POSTGRESQL):
        raise ConfigurationError(shown, f"is not supported; use {_EXAMPLES}")
    try:
        url.get_dialect()
    except NoSuchModuleError:
        raise ConfigurationError(shown, f"has an unknown driver; use {_EXAMPLES}") from None
    if backend == "sqlite":
        return sqlite.SqliteDatabase(url)
    if url.get_driver_name() != "psycopg":
        raise ConfigurationError(shown, f"has an unsupported driver; use {_EXAMPLES}")
    # Loaded only where it is needed: it takes a tenth of a second and some megabytes.
    from kalends.store import postgres

    return postgres.PostgresDatabase(url, shown)


def lock_homes(connection: Connection) -> None:
    """Keep other writes from creating or deleting homes until this transaction ends.

    The collections above the homes belong to no home, so a write that locks one home does not lock
    them. SQLite needs no such lock, since it has one write at a time.
    """
    if connection.dialect.name == _POSTGRESQL:
        from kalends.store import postgres

        postgres.lock_homes(connection)


def check_database(connection: Connection) -> Iterator[str]:
    """Yield the problems that the database itself reports, one line each."""
    if connection.dialect.name == _POSTGRESQL:
        from kalends.store import postgres

        return postgres.check_database(connection)
    return sqlite.check_database(connection)
