"""The database as a source of transactions: read snapshots, and one write at a time.

This is the only module that knows which database it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from kalends.errors import ConfigurationError, StoreBusyError, StoreFullError
from kalends.store.turns import Turns

BUSY_SECONDS = 60
"""How long a write waits for the one before it."""

_WRITE = "kalends_write"

_UNUSABLE = {
    sqlite3.SQLITE_NOTADB: "is no SQLite database",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore a backup",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; look at its permissions and its folder's",
    sqlite3.SQLITE_READONLY: "cannot be written; look at its permissions and its folder's",
}


class Database:
    """Transactions on one database.

    Args:
        url: an SQLAlchemy URL, ``sqlite:////absolute/path.db``.

    Raises:
        ConfigurationError: the URL cannot be used, or the folder of the database does not exist.
    """

    def __init__(self, url: str) -> None:
        self.url = _checked(url)
        self.engine: Engine = create_engine(self.url, pool_size=16, max_overflow=-1)
        event.listen(self.engine, "connect", _prepare_sqlite)
        event.listen(self.engine, "begin", _begin_sqlite)
        self._turns = Turns(Path(f"{self.url.database}-turns"), BUSY_SECONDS)
        self._writing_engine = self.engine.execution_options(**{_WRITE: True})

    @property
    def folder(self) -> Path:
        """The folder on this host that holds the database."""
        return Path(self.url.database or "").parent

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot: whatever is read through the connection is of one moment."""
        with (
            _translated(str(self.url.database)),
            self.engine.connect() as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """The one write transaction of this moment; durable when the block has ended.

        Raises:
            StoreFullError: there was no room; nothing was stored.
            StoreBusyError: the writes before it took too long; nothing was stored.
        """
        with (
            self._turns.taken(),
            _translated(str(self.url.database)),
            self._writing_engine.connect() as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        """Close the connections that are not in use."""
        self.engine.dispose()


def _checked(raw: str) -> URL:
    try:
        url = make_url(raw)
    except ArgumentError:
        raise ConfigurationError(
            raw, "not a database URL; use sqlite:////path/to/kalends.db"
        ) from None
    if url.get_backend_name() != "sqlite":
        raise ConfigurationError(
            url.render_as_string(hide_password=True),
            "only sqlite:////path/to/kalends.db is supported by this version",
        )
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(raw, "names no file; use sqlite:////path/to/kalends.db")
    if not Path(url.database).parent.is_dir():
        raise ConfigurationError(
            str(Path(url.database).parent), "no such folder; make it and let Kalends write there"
        )
    try:
        url.get_dialect()
    except NoSuchModuleError:
        raise ConfigurationError(raw, "no driver of that name") from None
    return url


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own transactions begin late and without a mode; ours begin as we say.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    # FULL: a commit is on the disk before it is acknowledged, also through a loss of power.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get(_WRITE, False):
        # A write that began as a read could meet another's commit and fail: it locks first.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        # This waits for nobody and cannot fail; without SQLAlchemy it costs a tenth.
        connection.connection.cursor().execute("BEGIN")


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        origin = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(origin, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise StoreFullError from error
        if code == sqlite3.SQLITE_BUSY:
            raise StoreBusyError from error
        if code in _UNUSABLE:
            raise ConfigurationError(path, _UNUSABLE[code]) from error
        raise
