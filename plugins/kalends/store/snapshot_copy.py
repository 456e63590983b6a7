"""Snapshot copies of a store, always as a SQLite file.

A store in a file is copied page by page with SQLite's online backup, a store on PostgreSQL row by
row into the same tables. Neither blocks writers.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, MetaData, create_engine, func, select
from sqlalchemy.engine import URL

from kalends.errors import KalendsError
from kalends.store import schema_version
from kalends.store.engine import Database

_PAGES = 1024
_ROWS = 500
_MAGIC = b"SQLite format 3\0"

CopyProgress = Callable[[int, int], None]
"""Called with the amount that is done and the total amount."""


class CopyError(KalendsError):
    """A copy is damaged, or not a copy of a store."""


def write_copy(
    database: Database, target: Path, progress: CopyProgress = lambda _done, _of: None
) -> None:
    """Write a copy of a store and verify it.

    Args:
        database: the store.
        target: a file that does not exist yet; only its owner may read it.
        progress: called as the copy grows.

    Raises:
        CopyError: the copy is damaged.
        StoreFullError: there is no space for it.
        OSError: the file cannot be created.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with database.read() as connection:
            if connection.dialect.name == "sqlite":
                _copy_pages(connection, target, progress)
            else:
                _copy_rows(connection, target, progress)
        require_intact(target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def is_sqlite_file(path: Path) -> bool:
    """Return True if a file is a SQLite database.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def require_intact(path: Path) -> None:
    """Check that a copy is intact, without writing to it or beside it.

    Raises:
        CopyError: it is damaged.
    """
    address = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as copy:
            findings = [text for (text,) in copy.execute("PRAGMA integrity_check")]
            orphans = copy.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.DatabaseError as error:
        raise CopyError(f"{path}: is damaged: {error}") from None
    if findings != ["ok"] or orphans:
        first = findings[0] if findings != ["ok"] else "a row refers to a missing row"
        raise CopyError(f"{path}: is damaged: {first}")


def _copy_pages(connection: Connection, target: Path, progress: CopyProgress) -> None:
    # The snapshot begins with the first read. While it is open, writes do not restart the backup.
    connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema").all()
    source = connection.connection.driver_connection
    assert isinstance(source, sqlite3.Connection)
    with closing(sqlite3.connect(target)) as made:
        source.backup(
            made, pages=_PAGES, sleep=0, progress=lambda _, left, of: progress(of - left, of)
        )


def _copy_rows(connection: Connection, target: Path, progress: CopyProgress) -> None:
    engine = create_engine(URL.create("sqlite", database=str(target)))
    try:
        with engine.begin() as made:
            schema_version.upgrade(
                made, schema_version.current_version(connection) or schema_version.NEWEST
            )
        theirs, ours = MetaData(), MetaData()
        theirs.reflect(connection)
        ours.reflect(engine)
        # Tables that only PostgreSQL has (such as nonce counts) are transient state.
        names = [
            name for name in ours.tables if name in theirs.tables and name != schema_version.TABLE
        ]
        total = sum(
            connection.execute(select(func.count()).select_from(theirs.tables[name])).scalar_one()
            for name in names
        )
        done = 0
        with closing(sqlite3.connect(target)) as made_file:
            for name in names:
                columns = [column.name for column in ours.tables[name].columns]
                quoted = ", ".join(f'"{column}"' for column in columns)
                marks = ", ".join("?" * len(columns))
                rows = connection.execution_options(yield_per=_ROWS).exec_driver_sql(
                    f'SELECT {quoted} FROM "{name}"'  # noqa: S608 - names of our own tables
                )
                insert = f'INSERT INTO "{name}" ({quoted}) VALUES ({marks})'  # noqa: S608
                for some in rows.partitions():
                    made_file.executemany(insert, [tuple(row) for row in some])
                    done += len(some)
                    progress(done, total)
            made_file.commit()
    finally:
        engine.dispose()
