"""The store in a file: SQLite in WAL mode, one write at a time, readers who never wait."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from kalends.errors import ConfigurationError, StoreBusyError, StoreFullError
from kalends.store.hosts import Statements
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


class SqliteDatabase:
    """See ``engine.Database``.

    Args:
        url: ``sqlite:////absolute/path.db``.

    Raises:
        ConfigurationError: it names no file, or the folder of the file does not exist.
    """

    def __init__(self, url: URL) -> None:
        if not url.database or url.database == ":memory:":
            raise ConfigurationError(str(url), "names no file; use sqlite:////path/to/kalends.db")
        self.url = url
        self.name: str = url.database
        self.folder: Path | None = Path(url.database).parent
        if not self.folder.is_dir():
            raise ConfigurationError(
                str(self.folder), "no such folder; make it and let Kalends write there"
            )
        self.statements: Statements | None = None
        self.engine: Engine = create_engine(url, pool_size=16, max_overflow=-1)
        event.listen(self.engine, "connect", _prepare)
        event.listen(self.engine, "begin", _begin)
        self._turns = Turns(Path(f"{self.name}-turns"), BUSY_SECONDS)
        self._writing_engine = self.engine.execution_options(**{_WRITE: True})

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot."""
        with (
            _translated(self.name),
            self.engine.connect() as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def write(self, *_paths: str) -> Iterator[Connection]:
        """The one write transaction of this moment, whatever it is about."""
        with (
            self._turns.taken(),
            _translated(self.name),
            self._writing_engine.connect() as connection,
            connection.begin(),
        ):
            yield connection

    def exists(self) -> bool:
        """Whether the file is there."""
        return Path(self.name).exists()

    def close(self) -> None:
        """Close the connections that are not in use."""
        self.engine.dispose()


def damage(connection: Connection) -> Iterator[str]:
    """What SQLite finds wrong with the file, one line each."""
    for (finding,) in connection.exec_driver_sql("PRAGMA integrity_check"):
        if finding != "ok":
            yield f"database: {finding}"
    for orphan in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield f"database: row {orphan[1]} of {orphan[0]} belongs to nothing"


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own transactions begin late and without a mode; ours begin as we say.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    # FULL: a commit is on the disk before it is acknowledged, also through a loss of power.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
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
