"""Queries of feeds: calendars with their change numbers, and objects across calendars.

Queries within one collection are in ``objects.read`` and ``objects.time_range``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, func, select

from kalends.ical.recurrence.index import Interval
from kalends.store import collections
from kalends.store.aliases import aliases_of_all
from kalends.store.batching import batched
from kalends.store.collections import CollectionRow, load_props
from kalends.store.compiled import CompiledLookup, CompiledStatement
from kalends.store.engine import Database
from kalends.store.objects import read, time_range
from kalends.store.objects.read import ObjectRow, object_columns
from kalends.store.objects.time_range import TimeRange
from kalends.store.schema import calendar_object, collection, tombstone


@dataclass(frozen=True, slots=True)
class CalendarState:
    """A calendar as of one moment.

    Attributes:
        id: its number, which is never used again.
        path: its path, without a slash at either end.
        incarnation: names the incarnation of the collection; change numbers of two incarnations
            cannot be compared.
        modseq: its change number.
        changed: the time of its last change, microseconds since 1970.
        props: its WebDAV properties.
        aliases: its former paths, which definitions may name.
    """

    id: int
    path: str
    incarnation: str
    modseq: int
    changed: int
    props: Mapping[str, str]
    aliases: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[int, str, str, int, int]:
        """Everything but the properties: these are the same if it is."""
        return self.id, self.path, self.incarnation, self.modseq, self.changed


_OBJECT = select(*object_columns())
_OF_CALENDAR = _OBJECT.where(calendar_object.c.collection_id == bindparam("where")).order_by(
    calendar_object.c.uid
)
_ONE = CompiledStatement(_OBJECT.where(calendar_object.c.id == bindparam("id")))
_BY_ID = CompiledLookup(lambda ids: _OBJECT.where(calendar_object.c.id.in_(ids)))
_other = calendar_object.alias("other")
_REPEATED = CompiledLookup(
    lambda ids: select(calendar_object.c.id, calendar_object.c.uid).where(
        calendar_object.c.id.in_(ids),
        exists().where(_other.c.uid == calendar_object.c.uid, _other.c.id != calendar_object.c.id),
    )
)
_COPIES = _OBJECT.where(
    calendar_object.c.uid.in_(bindparam("uids", expanding=True)),
    calendar_object.c.collection_id.in_(bindparam("calendars", expanding=True)),
)
_REMOVED = (
    select(tombstone.c.uid)
    .where(tombstone.c.collection_id == bindparam("where"), tombstone.c.modseq > bindparam("since"))
    .order_by(tombstone.c.id)
)
# Equal as long as no collection was changed, created or deleted: change numbers only grow, and the
# ids of deleted collections are never used again.
_FINGERPRINT = CompiledStatement(
    select(
        func.count(),
        func.sum(collection.c.id),
        func.sum(collection.c.modseq),
        func.max(collection.c.changed),
    ).select_from(collection)
)


_STATES = CompiledStatement(
    select(
        collection.c.id,
        collection.c.path,
        collection.c.incarnation,
        collection.c.modseq,
        collection.c.changed,
    )
    .where(collection.c.tag == bindparam("tag"))
    .order_by(collection.c.path)
)
_PROPS = CompiledLookup(
    lambda ids: select(collection.c.id, collection.c.props).where(collection.c.id.in_(ids))
)


def state_of(row: CollectionRow) -> CalendarState:
    """Return the state of a collection by its row."""
    return CalendarState(row.id, row.path, row.incarnation, row.modseq, row.changed, row.props)


class CalendarCache:
    """A cache of all calendars, which is read again only after a collection has changed.

    Then the properties of the changed ones are read alone, since a calendar may have many: what
    others store costs a writer nothing.
    """

    def __init__(self) -> None:
        self._last: tuple[object, tuple[CalendarState, ...]] = (None, ())

    def load(self, connection: Connection) -> tuple[CalendarState, ...]:
        """Return all calendars as of a transaction, in the order of their paths."""
        (fingerprint,) = map(tuple, _FINGERPRINT.run(connection, {}).fetchall())
        known, calendars = self._last
        if fingerprint != known:
            calendars = _read_again(connection, calendars)
            self._last = fingerprint, calendars
        return calendars


def _read_again(
    connection: Connection, before: tuple[CalendarState, ...]
) -> tuple[CalendarState, ...]:
    """Return all calendars, of which those that have not changed are as before."""
    known = {calendar.key: calendar for calendar in before}
    rows = list(map(tuple, _STATES.run(connection, {"tag": "VCALENDAR"}).fetchall()))
    changed = [number for number, *rest in rows if (number, *rest) not in known]
    aliases = aliases_of_all(connection)  # they change with the path of a calendar
    props = {number: load_props(text) for number, text in _PROPS.rows(connection, changed)}
    return tuple(
        known.get((number, path, incarnation, modseq, at))
        or CalendarState(
            number, path, incarnation, modseq, at, props[number], aliases.get(number, ())
        )
        for number, path, incarnation, modseq, at in rows
    )


class FeedSnapshot:
    """A snapshot of the store, valid while its transaction is open."""

    def __init__(self, connection: Connection, calendars: CalendarCache) -> None:
        self._connection = connection
        self._calendars = calendars

    def calendars(self) -> tuple[CalendarState, ...]:
        """Return all calendars by path; the same tuple as before if no collection has changed."""
        return self._calendars.load(self._connection)

    def collection(self, number: int) -> CalendarState | None:
        """Return the state of a collection of any kind by its number, or None."""
        row = collections.find_by_id(self._connection, number)
        return state_of(row) if row else None

    def collection_ids(self) -> set[int]:
        """Return the numbers of all collections."""
        return set(self._connection.execute(select(collection.c.id)).scalars())

    def objects(self, calendar: int) -> Iterator[ObjectRow]:
        """Yield all objects of a calendar, sorted by UID in code point order."""
        return self._rows(_OF_CALENDAR, where=calendar)

    def uids(self, calendar: int) -> Iterator[str]:
        """Yield the UIDs of all objects of a calendar."""
        return self.uids_changed_since(calendar, 0)

    def uids_changed_since(self, calendar: int, modseq: int) -> Iterator[str]:
        """Yield the UIDs of the objects that were added or changed after ``modseq``."""
        rows = read.objects_changed_since(self._connection, calendar, modseq, data=False)
        return (row.uid for row in rows)

    def uids_removed_since(self, calendar: int, modseq: int) -> Iterator[str]:
        """Yield the UIDs that were removed after ``modseq``, also by an object with another UID."""
        where = {"where": calendar, "since": modseq}
        return iter(self._connection.execute(_REMOVED, where).scalars())

    def shared_uids(self, calendars: Collection[int]) -> set[str]:
        """Return the UIDs that are in more than one of these calendars."""
        query = (
            select(calendar_object.c.uid)
            .where(calendar_object.c.collection_id.in_(calendars))
            .group_by(calendar_object.c.uid)
            .having(func.count() > 1)
        )
        return set(self._connection.execute(query).scalars())

    def oldest_change(self, calendar: int) -> int:
        """Return the change number after which all removals are known."""
        found = self._connection.execute(
            select(collection.c.forgotten).where(collection.c.id == calendar)
        ).scalar()
        return found or 0

    def objects_with_uids(
        self, calendars: Collection[int], uids: Collection[str]
    ) -> Iterator[ObjectRow]:
        """Yield the objects of these calendars that have one of these UIDs, in any order."""
        for some in batched(uids):
            for others in batched(calendars):
                yield from self._rows(_COPIES, uids=some, calendars=others)

    def intervals_in_range(
        self, calendar: int, within: TimeRange
    ) -> Iterator[tuple[int, Interval]]:
        """Yield the intervals of a calendar that meet a time range, each with its object's id."""
        return time_range.intervals_in_range(self._connection, calendar, within)

    def objects_by_id(self, ids: Collection[int]) -> Iterator[ObjectRow]:
        """Yield the objects with these ids, in no particular order."""
        return map(ObjectRow._make, _BY_ID.rows(self._connection, ids))

    def object_by_id(self, number: int) -> ObjectRow | None:
        """Return the object with this id, or None."""
        row = _ONE.run(self._connection, {"id": number}).fetchone()
        return ObjectRow._make(row) if row else None

    def with_shared_uid(self, ids: Collection[int]) -> Iterator[tuple[int, str]]:
        """Yield the ids, each with its UID, of those objects whose UID another object has too."""
        return ((number, uid) for number, uid in _REPEATED.rows(self._connection, ids))

    def _rows(self, query: Select[Any], **values: object) -> Iterator[ObjectRow]:
        return map(ObjectRow._make, self._connection.execute(query, values))


class FeedSource:
    """Snapshots of the store for feeds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._calendars = CalendarCache()

    @contextmanager
    def snapshot(self) -> Iterator[FeedSnapshot]:
        """Open a snapshot for as long as the block."""
        with self._database.read() as connection:
            yield FeedSnapshot(connection, self._calendars)
