"""The store in a file: SQLite in WAL mode, with one write at a time and reads that never wait."""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from kalends.common import private
from kalends.errors import ConfigurationError, StoreBusyError, StoreFullError, StoreGoneError
from kalends.store.cluster_state import Statements
from kalends.store.write_queue import WriteQueue

BUSY_SECONDS = 60
"""The time for which a write waits for earlier writes."""

_UNUSABLE = {
    sqlite3.SQLITE_NOTADB: "is not a SQLite database",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore a backup",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check the permissions of the file and its folder",
    sqlite3.SQLITE_READONLY: "cannot be written; check the permissions of the file and its folder",
}


class SqliteDatabase:
    """A database in a SQLite file; see ``engine.Database``.

    Args:
        url: ``sqlite:////absolute/path.db``.

    Raises:
        ConfigurationError: the URL does not name a file, or the folder of the file is missing.
    """

    def __init__(self, url: URL) -> None:
        if not url.database or url.database == ":memory:":
            raise ConfigurationError(
                str(url), "does not name a file; use sqlite:////path/to/kalends.db"
            )
        self.url = url
        self.name: str = url.database
        self.folder: Path | None = Path(url.database).parent
        if not self.folder.is_dir():
            raise ConfigurationError(
                str(self.folder), "does not exist; create the folder and give Kalends write access"
            )
        self.statements: Statements | None = None
        self.engine: Engine = create_engine(url, pool_size=16, max_overflow=-1)
        event.listen(self.engine, "do_connect", self._create_file)
        event.listen(self.engine, "connect", self._configure)
        self.write_queue = WriteQueue(Path(f"{self.name}-turns"), Path(self.name), BUSY_SECONDS)
        self._idle: deque[Connection] = deque()
        self._file: tuple[int, int] | None = None  # the open file, by device and inode

    def read(self) -> AbstractContextManager[Connection]:
        """Open a read transaction on one snapshot."""
        return _Transaction(self, "BEGIN")

    @contextmanager
    def write(self, *_paths: str) -> Iterator[Connection]:
        """Open the only write transaction, on everything."""
        # A write that began as a read would fail after a commit of another: so it locks first.
        with self.write_queue.acquire(), _Transaction(self, "BEGIN IMMEDIATE") as connection:
            self._require_file()
            yield connection

    def _create_file(self, *_: object) -> None:
        """Create the file before SQLite does, readable for its owner only."""
        if self._file is not None:
            self._require_file()
            return
        private.create_if_missing(Path(self.name))

    def _configure(self, connection: sqlite3.Connection, _record: object) -> None:
        _prepare(connection)
        status = os.stat(self.name)  # noqa: PTH116 - as in `_require_file`
        self._file = self._file or (status.st_dev, status.st_ino)

    def _require_file(self) -> None:
        """Check that the open file is still at its path; otherwise a write would be lost.

        Raises:
            StoreGoneError: it was moved, deleted or replaced.
        """
        try:
            status = os.stat(self.name)  # noqa: PTH116 - faster, for each write
        except OSError as error:
            raise StoreGoneError(self.name, error.strerror or str(error)) from None
        if self._file != (status.st_dev, status.st_ino):
            raise StoreGoneError(self.name, "the file was replaced by another; restart Kalends")

    def exists(self) -> bool:
        """Return True if the file exists."""
        return Path(self.name).exists()

    def check_out(self) -> Connection:
        """Return an idle connection, or a new one."""
        try:
            return self._idle.pop()
        except IndexError:
            return self.engine.connect()

    def check_in(self, connection: Connection) -> None:
        """Keep a connection for the next transaction, since SQLAlchemy's checkout is slow."""
        self._idle.append(connection)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()
        self.engine.dispose()


class _Transaction:
    """A transaction that the driver begins and ends, and that SQLAlchemy works in."""

    __slots__ = ("_begin", "_connection", "_database")

    def __init__(self, database: SqliteDatabase, begin: str) -> None:
        self._database = database
        self._begin = begin

    def __enter__(self) -> Connection:
        try:
            self._connection = self._database.check_out()
            _driver(self._connection).execute(self._begin)
        except (DBAPIError, sqlite3.Error) as error:
            raise _translate(error, self._database.name) from error
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
            raise _translate(failure, self._database.name) from failure
        self._database.check_in(connection)
        if isinstance(error, DBAPIError | sqlite3.Error):
            raise _translate(error, self._database.name) from error

    def _end(self, connection: Connection, *, failed: bool) -> None:
        # If SQLAlchemy ran a statement, it takes the transaction for its own, and must end it.
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
    """Yield the problems that SQLite finds in the file, one line each."""
    for (finding,) in connection.exec_driver_sql("PRAGMA integrity_check"):
        if finding != "ok":
            yield f"database: {finding}"
    for orphan in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield f"database: row {orphan[1]} of {orphan[0]} refers to a missing row"


def _prepare(connection: sqlite3.Connection) -> None:
    # The driver would begin transactions late and in the default mode; `_Transaction` begins them.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    # FULL: a commit is on the disk before it is acknowledged, and survives a loss of power.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _translate(error: DBAPIError | sqlite3.Error, path: str) -> Exception:
    """Return the error to raise for an error of the driver; the same one if it is our bug."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(origin, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StoreFullError()
    if code == sqlite3.SQLITE_BUSY:
        return StoreBusyError()
    if code in _UNUSABLE:
        return ConfigurationError(path, _UNUSABLE[code])
    return error
