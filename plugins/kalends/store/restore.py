"""Restore of a store from a copy; a previous database file is kept.

Clients have sync-tokens, and disks have published feeds, of a later time than the copy. So every
collection gets a new incarnation, and none of them is mistaken for the restored state.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from collections.abc import Collection
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, create_engine, delete, func, insert, select, text, update
from sqlalchemy.engine import URL

from kalends.common import private
from kalends.common.atomicfile import move_into_place
from kalends.errors import SchemaVersionError
from kalends.store import schema_version
from kalends.store.engine import Database
from kalends.store.schema import HEAD, calendar_object, collection, delivery, metadata, publication
from kalends.store.serving_lock import ServingLock, StoreInUseError
from kalends.store.snapshot_copy import CopyError, require_intact

_ROWS = 500


@dataclass(frozen=True, slots=True)
class RestoredStore:
    """The result of a restore.

    Attributes:
        collections: the number of collections in the store now.
        objects: the number of objects in the store now.
        kept: the file with the previous database; None if there was none.
    """

    collections: int
    objects: int
    kept: Path | None


def restore(database: Database, copy: Path) -> RestoredStore:
    """Replace the contents of a store by those of a copy.

    Args:
        database: the store.
        copy: a copy with this or an older schema; it is changed and consumed.

    Raises:
        CopyError: the copy is damaged.
        SchemaVersionError: a newer Kalends wrote it.
        StoreInUseError: a server runs on the store.
        OSError: a file cannot be written.
    """
    require_intact(copy)
    if database.folder is None:
        return _restore_to_server(database, copy)
    lock = ServingLock(database.name)
    lock.acquire_exclusive()
    try:
        return _restore_to_file(Path(database.name), copy)
    finally:
        lock.release()


def _restore_to_file(place: Path, copy: Path) -> RestoredStore:
    kept = _keep_previous(place) if place.exists() else None
    collections, objects = _prepare(copy, _published(kept) if kept else ())
    like = place if kept else place.parent
    status = like.stat()
    with suppress(PermissionError):
        os.chown(copy, status.st_uid, status.st_gid)
    if kept:
        copy.chmod(status.st_mode & 0o777)
    move_into_place(copy, place)
    return RestoredStore(collections, objects, kept)


def _keep_previous(place: Path) -> Path:
    """Give the present database a second name, complete in one file and unused; return it."""
    kept = place.with_name(f"{place.name}-before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    beside = [Path(f"{place}{suffix}") for suffix in ("-wal", "-shm")]
    try:
        with closing(sqlite3.connect(place, timeout=1)) as old:
            # Leaving WAL mode requires that no other program has the file open.
            (mode,) = old.execute("PRAGMA journal_mode = DELETE").fetchone()
            if mode != "delete":
                raise StoreInUseError(f"{place}: another program has it open; stop that first")
    except sqlite3.OperationalError as error:
        why = f"another program has it open, or it cannot be written: {error}"
        raise StoreInUseError(f"{place}: {why}") from None
    except sqlite3.DatabaseError:  # a damaged database is a reason for a restore
        for path in beside:
            with suppress(FileNotFoundError):
                path.rename(path.with_name(path.name.replace(place.name, kept.name, 1)))
    try:
        kept.hardlink_to(place)
    except OSError:  # a file system without links
        private.create_if_missing(kept)
        shutil.copy2(place, kept)
    return kept


def _published(kept: Path) -> list[str]:
    """Return the recorded published files, so that superfluous ones can be removed."""
    try:
        with closing(sqlite3.connect(f"file:{kept}?mode=ro", uri=True)) as old:
            return [target for (target,) in old.execute("SELECT target FROM publication")]
    except sqlite3.DatabaseError:
        return []


def _prepare(copy: Path, published: Collection[str]) -> tuple[int, int]:
    """Upgrade a copy, reset its history, and return its numbers of collections and objects."""
    engine = create_engine(URL.create("sqlite", database=str(copy)))
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = DELETE")
        with engine.begin() as connection:
            found = schema_version.current_version(connection)
            if found is None:
                raise CopyError(f"{copy}: is not a database of Kalends")
            if found not in schema_version.known_versions():
                raise SchemaVersionError(str(copy), found, HEAD)
            schema_version.upgrade(connection, "head")
        with engine.begin() as connection:
            _reset_history(connection, published)
            counted = [
                connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (collection, calendar_object)
            ]
    finally:
        engine.dispose()
    descriptor = os.open(copy, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return counted[0], counted[1]


def _reset_history(connection: Connection, published: Collection[str]) -> None:
    for number in connection.execute(select(collection.c.id)).scalars().all():
        one = update(collection).where(collection.c.id == number)
        connection.execute(one.values(incarnation=secrets.token_hex(6)))
    # The published versions are unknown, so all files are published again or removed.
    known = {*connection.execute(select(publication.c.target)).scalars(), *published}
    connection.execute(delete(publication))
    if known:
        rows = [{"target": target, "key": ""} for target in sorted(known)]
        connection.execute(insert(publication), rows)
    fresh = {"key": "", "etag": "", "failures": 0, "why": "", "due": 0}
    connection.execute(update(delivery).values(fresh | {"claimant": "", "claimed_until": 0}))


def _restore_to_server(database: Database, copy: Path) -> RestoredStore:
    """Replace all rows on a server, in one transaction."""
    with database.read() as connection:
        others = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = 'kalends' AND pid <> pg_backend_pid()"
        ).scalar_one()
        published = connection.execute(select(publication.c.target)).scalars().all()
    if others:
        raise StoreInUseError(f"{database.name}: a server runs on it; stop that first")
    collections, objects = _prepare(copy, published)
    engine = create_engine(URL.create("sqlite", database=str(copy)))
    try:
        with database.write() as connection, engine.connect() as source:
            for table in reversed(metadata.sorted_tables):
                connection.execute(delete(table))
            for table in metadata.sorted_tables:
                rows = source.execution_options(yield_per=_ROWS).execute(select(table))
                for some in rows.mappings().partitions():
                    connection.execute(insert(table), [dict(row) for row in some])
                _continue_numbers(connection, table.name, "id" in table.c)
    finally:
        engine.dispose()
    copy.unlink()
    return RestoredStore(collections, objects, None)


def _continue_numbers(connection: Connection, table: str, numbered: bool) -> None:
    """Make the next row continue after the highest id."""
    if numbered:
        newest = f'SELECT coalesce(max(id), 0) + 1 FROM "{table}"'  # noqa: S608 - our own tables
        where = f"pg_get_serial_sequence('{table}', 'id')"
        connection.execute(text(f"SELECT setval({where}, ({newest}), false)"))
