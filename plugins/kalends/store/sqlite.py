"""The store in a file: SQLite in WAL mode, one write at a time, readers who never wait."""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from kalends.errors import ConfigurationError, StoreBusyError, StoreFullError, StoreGoneError
from kalends.store.cluster_state import Statements
from kalends.store.write_queue import WriteQueue

BUSY_SECONDS = 60
"""How long a write waits for the one before it."""

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
        event.listen(self.engine, "do_connect", self._make)
        event.listen(self.engine, "connect", self._opened)
        self._write_queue = WriteQueue(Path(f"{self.name}-turns"), BUSY_SECONDS)
        self._kept: deque[Connection] = deque()
        self._file: tuple[int, int] | None = None  # what we have open, by device and inode

    def read(self) -> AbstractContextManager[Connection]:
        """One snapshot."""
        return _Transaction(self, "BEGIN")

    @contextmanager
    def write(self, *_paths: str) -> Iterator[Connection]:
        """The one write transaction of this moment, whatever it is about."""
        # A write that began as a read could meet another's commit and fail: it locks first.
        with self._write_queue.acquire(), _Transaction(self, "BEGIN IMMEDIATE") as connection:
            self._require_file()
            yield connection

    def _make(self, *_: object) -> None:
        """Make the file, before SQLite would: calendars are nobody else's business."""
        if self._file is not None:
            self._require_file()
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with suppress(OSError):  # it is there, or SQLite will say why it cannot be
            os.close(os.open(self.name, flags, 0o600))

    def _opened(self, connection: sqlite3.Connection, _record: object) -> None:
        _prepare(connection)
        status = os.stat(self.name)  # noqa: PTH116 - as in `_require_file`
        self._file = self._file or (status.st_dev, status.st_ino)

    def _require_file(self) -> None:
        """See to it that the file is still in its place: elsewhere, a write would be lost.

        Raises:
            StoreGoneError: it is not.
        """
        try:
            status = os.stat(self.name)  # noqa: PTH116 - at each write
        except OSError as error:
            raise StoreGoneError(self.name, error.strerror or str(error)) from None
        if self._file != (status.st_dev, status.st_ino):
            raise StoreGoneError(self.name, "another file has taken its place; start again")

    def exists(self) -> bool:
        """Whether the file is there."""
        return Path(self.name).exists()

    def take(self) -> Connection:
        """A connection that nobody uses."""
        try:
            return self._kept.pop()
        except IndexError:
            return self.engine.connect()

    def keep(self, connection: Connection) -> None:
        """Let the next transaction have a connection: to check one out takes long."""
        self._kept.append(connection)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._kept:
            self._kept.pop().close()
        self.engine.dispose()


class _Transaction:
    """A transaction that the driver begins and ends; SQLAlchemy works within it."""

    __slots__ = ("_begin", "_connection", "_database")

    def __init__(self, database: SqliteDatabase, begin: str) -> None:
        self._database = database
        self._begin = begin

    def __enter__(self) -> Connection:
        try:
            self._connection = self._database.take()
            _driver(self._connection).execute(self._begin)
        except (DBAPIError, sqlite3.Error) as error:
            raise _translated(error, self._database.name) from error
        return self._connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        connection = self._connection
        try:
            self._end(connection, failed=error is not None)
        except (DBAPIError, sqlite3.Error) as failure:
            connection.invalidate()
            connection.close()
            raise _translated(failure, self._database.name) from failure
        self._database.keep(connection)
        if isinstance(error, DBAPIError | sqlite3.Error):
            raise _translated(error, self._database.name) from error

    def _end(self, connection: Connection, *, failed: bool) -> None:
        # Where SQLAlchemy was asked, it thinks of the transaction as its own, and must be told.
        whole = connection if connection.in_transaction() else _driver(connection)
        if failed:
            whole.rollback()
        else:
            whole.commit()


def _driver(connection: Connection) -> sqlite3.Connection:
    driver: Any = connection.connection.dbapi_connection
    found: sqlite3.Connection = driver
    return found


def check_database(connection: Connection) -> Iterator[str]:
    """What SQLite finds wrong with the file, one line each."""
    for (finding,) in connection.exec_driver_sql("PRAGMA integrity_check"):
        if finding != "ok":
            yield f"database: {finding}"
    for orphan in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield f"database: row {orphan[1]} of {orphan[0]} belongs to nothing"


def _prepare(connection: sqlite3.Connection) -> None:
    # The driver's own transactions begin late and without a mode; ours begin as we say.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    # FULL: a commit is on the disk before it is acknowledged, also through a loss of power.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _translated(error: DBAPIError | sqlite3.Error, path: str) -> Exception:
    """What to raise instead of an error of the driver's: the error itself if it is our bug."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(origin, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StoreFullError()
    if code == sqlite3.SQLITE_BUSY:
        return StoreBusyError()
    if code in _UNUSABLE:
        return ConfigurationError(path, _UNUSABLE[code])
    return error
