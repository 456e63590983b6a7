"""A store for feeds in memory, with the real schema, and feeds composed from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, create_engine, update

from kalends.feeds.cache import FeedCache
from kalends.feeds.definitions.model import Feed, Rules
from kalends.feeds.definitions.parse import parse_definitions
from kalends.feeds.state import OWNER_ONLY
from kalends.ical.validate import CalendarObject
from kalends.store import collections
from kalends.store.engine import Database
from kalends.store.feed_queries import CalendarCache, FeedSnapshot, FeedSource
from kalends.store.objects import read, write
from kalends.store.objects.read import ObjectRow
from kalends.store.schema import calendar_object, collection, metadata

CHANGED = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z in microseconds: the time of the last change of everything."""

TODAY = datetime(2026, 1, 10, 12, tzinfo=UTC)


class MemoryDatabase:
    """A database in memory with the newest schema and one connection, for one thread."""

    def __init__(self) -> None:
        self._connection = create_engine("sqlite://").connect()
        driver = _driver(self._connection)
        driver.isolation_level = None
        driver.deserialize(_empty())

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield the connection."""
        yield self._connection

    write = read


@cache
def _empty() -> bytes:
    """Return a database file with the tables, and nothing in them."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        metadata.create_all(connection)
        connection.commit()
        return _driver(connection).serialize()


def _driver(connection: Connection) -> sqlite3.Connection:
    driver: Any = connection.connection.dbapi_connection
    found: sqlite3.Connection = driver
    return found


class _RecordingSnapshot(FeedSnapshot):
    """A snapshot that records the calendars of which all objects are read."""

    def __init__(self, connection: Connection, calendars: CalendarCache, reads: list[int]) -> None:
        super().__init__(connection, calendars)
        self._reads = reads

    def objects(self, calendar: int) -> Iterator[ObjectRow]:
        self._reads.append(calendar)
        return super().objects(calendar)

    def uids(self, calendar: int) -> Iterator[str]:
        self._reads.append(calendar)
        return super().uids(calendar)


class Store(FeedSource):
    """A store in memory in which everything changed at the same time.

    Args:
        paths: the paths of the calendars, which are numbered 1, 2, 3…

    Attributes:
        paths: the paths of the calendars, by number.
    """

    def __init__(self, *paths: str) -> None:
        self._memory = MemoryDatabase()
        super().__init__(cast("Database", self._memory))
        self.paths = dict(enumerate(paths or ("alice/1", "alice/2", "alice/3"), 1))
        self._hidden: frozenset[int] = frozenset()
        self._read: list[int] = []
        with self._writing() as connection:
            self._ids = {
                number: collections.create_collection(connection, path, {"tag": "VCALENDAR"}).id
                for number, path in self.paths.items()
            }

    @contextmanager
    def snapshot(self) -> Iterator[FeedSnapshot]:
        with self._memory.read() as connection:
            yield _RecordingSnapshot(connection, self._calendars, self._read)

    def put(self, calendar: int, uid: str, data: bytes) -> None:
        """Write an object."""
        content = CalendarObject(data, "VCALENDAR", uid, "VEVENT", None, None, recurring=False)
        with self._writing() as connection:
            place = write.find_place(connection, self._ids[calendar], content, None)
            write.upsert_object(connection, self._ids[calendar], place, content)

    def remove(self, calendar: int, uid: str) -> None:
        """Remove an object, if it exists."""
        with self._writing() as connection:
            href = read.find_href_by_uid(connection, self._ids[calendar], uid)
            if href is not None:
                write.remove_object(connection, self._ids[calendar], href)

    def rename(self, calendar: int, path: str) -> None:
        """Give a calendar another path."""
        self.paths[calendar] = path
        with self._writing() as connection:
            connection.execute(
                update(collection).where(collection.c.id == self._ids[calendar]).values(path=path)
            )
            collections.record_change(connection, self._ids[calendar])

    @property
    def hidden(self) -> frozenset[int]:
        """The numbers of the calendars that their owners keep out of feeds."""
        return self._hidden

    @hidden.setter
    def hidden(self, numbers: AbstractSet[int]) -> None:
        for number in self._hidden ^ numbers:
            props = {"tag": "VCALENDAR"} | ({OWNER_ONLY: "owner"} if number in numbers else {})
            with self._writing() as connection:
                collections.set_props(connection, self._ids[number], props)
        self._hidden = frozenset(numbers)

    def take_reads(self) -> set[int]:
        """Return the calendars of which all objects were read since the last call."""
        numbers = {key: number for number, key in self._ids.items()}
        found = {numbers[key] for key in self._read}
        self._read.clear()
        return found

    def shown_uids(self) -> set[str]:
        """Return the UIDs in the calendars that are not kept out of feeds."""
        with self.snapshot() as snapshot:
            shown = [key for number, key in self._ids.items() if number not in self.hidden]
            return {uid for key in shown for uid in FeedSnapshot.uids(snapshot, key)}

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._memory.write() as connection:
            yield connection
            for table in (collection, calendar_object):
                connection.execute(update(table).values(changed=CHANGED))


class Everyone:
    """The accounts that have homes in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def names(self) -> frozenset[str]:
        return frozenset(path.partition("/")[0] for path in self._store.paths.values())

    def has(self, name: str) -> bool:
        return name in self.names()

    def members(self, group: str) -> frozenset[str]:
        return frozenset()


def cache_in(folder: Path, store: Store, today: datetime = TODAY) -> FeedCache:
    """Return a cache of feeds of the store, at a point in time."""
    return FeedCache(folder, store, Everyone(store), lambda: today, on_composed=None)


def compose(folder: Path, store: Store, feed: Feed, today: datetime = TODAY) -> bytes:
    """Return the octets of the newest version of a feed."""
    _, file = cache_in(folder, store, today).open(feed)
    with file:
        return file.read()


def feed_with(rules: Rules) -> Feed:
    """Return a feed of all calendars."""
    text = '[feed.all]\ncalendars = ["*/*"]\naccess = "login"\n'
    return replace(parse_definitions(text, "feeds.toml").named["all"], rules=rules)
