"""What feeds read of the store: calendars with their change numbers, and what changed since one.

The shapes are those that ``icsfeed.source`` asks for; neither imports the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, exists, func, select

from kalends.ical.recurrence.index import Interval
from kalends.store import collections
from kalends.store.batching import AT_ONCE, batched
from kalends.store.compiled import CompiledStatement
from kalends.store.engine import Database
from kalends.store.objects import time_range
from kalends.store.objects.time_range import TimeRange
from kalends.store.schema import calendar_object, collection, tombstone


@dataclass(frozen=True, slots=True)
class CalendarState:
    """A calendar: its path without slashes at the ends, its change number and properties.

    Attributes:
        life: names the life in which its change numbers count.
        changed: the time of its last change, microseconds since 1970.
    """

    id: int
    path: str
    life: str
    modseq: int
    changed: int
    props: Mapping[str, str]


class StoredObject(NamedTuple):
    """A calendar object: whose it is, what it is called, when it changed, and its bytes.

    Attributes:
        calendar: the id of its calendar.
        changed: the time of its last change, microseconds since 1970.
    """

    id: int
    calendar: int
    uid: str
    component: str
    modseq: int
    changed: int
    data: bytes


_OBJECT = select(
    calendar_object.c.id,
    calendar_object.c.collection_id,
    calendar_object.c.uid,
    calendar_object.c.component,
    calendar_object.c.modseq,
    calendar_object.c.changed,
    calendar_object.c.data,
)
_OF_CALENDAR = _OBJECT.where(calendar_object.c.collection_id == bindparam("where")).order_by(
    calendar_object.c.uid
)
_SINCE = _OF_CALENDAR.where(calendar_object.c.modseq > bindparam("since"))
_IDS = [f"id{number}" for number in range(AT_ONCE)]
_AMONG_IDS = calendar_object.c.id.in_([bindparam(name) for name in _IDS])
_ONE = CompiledStatement(_OBJECT.where(calendar_object.c.id == bindparam("id")))
_BY_ID = CompiledStatement(_OBJECT.where(_AMONG_IDS))
_other = calendar_object.alias("other")
_REPEATED = CompiledStatement(
    select(calendar_object.c.id, calendar_object.c.uid).where(
        _AMONG_IDS,
        exists().where(_other.c.uid == calendar_object.c.uid, _other.c.id != calendar_object.c.id),
    )
)
_COPIES = _OBJECT.where(
    calendar_object.c.uid.in_(bindparam("uids", expanding=True)),
    calendar_object.c.collection_id.in_(bindparam("calendars", expanding=True)),
)
_REMOVED = (
    select(tombstone.c.object_id, tombstone.c.uid)
    .where(tombstone.c.collection_id == bindparam("where"), tombstone.c.modseq > bindparam("since"))
    .order_by(tombstone.c.id)
)
# Equal as long as no collection has changed, come or gone: change numbers only grow, and numbers of
# collections that are gone are not given again.
_FINGERPRINT = CompiledStatement(
    select(
        func.count(),
        func.sum(collection.c.id),
        func.sum(collection.c.modseq),
        func.max(collection.c.changed),
    ).select_from(collection)
)


class Calendars:
    """All calendars: read again when any of them has changed, and else the very same."""

    def __init__(self) -> None:
        self._last: tuple[object, tuple[CalendarState, ...]] = (None, ())

    def of(self, connection: Connection) -> tuple[CalendarState, ...]:
        """All calendars, by path, as a transaction sees them."""
        (fingerprint,) = map(tuple, _FINGERPRINT.run(connection, {}).fetchall())
        known, calendars = self._last
        if fingerprint != known:
            calendars = tuple(
                CalendarState(row.id, row.path, row.incarnation, row.modseq, row.changed, row.props)
                for row in collections.with_tag(connection, "VCALENDAR")
            )
            self._last = fingerprint, calendars
        return calendars


class Snapshot:
    """One moment of the store, for as long as its transaction is open."""

    def __init__(self, connection: Connection, calendars: Calendars) -> None:
        self._connection = connection
        self._calendars = calendars

    def calendars(self) -> tuple[CalendarState, ...]:
        """All calendars, by path; the very same if none has changed since the last snapshot."""
        return self._calendars.of(self._connection)

    def objects(self, calendar: int) -> Iterator[StoredObject]:
        """All objects of a calendar, by UID in code point order."""
        return self._objects(_OF_CALENDAR, where=calendar)

    def changed_since(self, calendar: int, modseq: int) -> Iterator[StoredObject]:
        """The objects that came or changed after change number ``modseq``, by UID."""
        return self._objects(_SINCE, where=calendar, since=modseq)

    def removed_since(self, calendar: int, modseq: int) -> list[tuple[int, str]]:
        """The ids and UIDs of objects that went after change number ``modseq``."""
        rows = self._connection.execute(_REMOVED, {"where": calendar, "since": modseq})
        return [(row.object_id, row.uid) for row in rows]

    def shared_uids(self, calendars: Collection[int]) -> set[str]:
        """The UIDs that more than one of these calendars has."""
        query = (
            select(calendar_object.c.uid)
            .where(calendar_object.c.collection_id.in_(calendars))
            .group_by(calendar_object.c.uid)
            .having(func.count() > 1)
        )
        return set(self._connection.execute(query).scalars())

    def oldest_change(self, calendar: int) -> int:
        """The change number from which on removals are known."""
        found = self._connection.execute(
            select(collection.c.forgotten).where(collection.c.id == calendar)
        ).scalar()
        return found or 0

    def copies(self, calendars: Collection[int], uids: Collection[str]) -> Iterator[StoredObject]:
        """The objects of these calendars that have one of these UIDs, in no particular order."""
        for some in batched(uids):
            for others in batched(calendars):
                yield from self._objects(_COPIES, uids=some, calendars=others)

    def meeting(
        self, calendar: int, within: tuple[int, int, int, int]
    ) -> Iterator[tuple[int, Interval]]:
        """When objects of a calendar happen, or may happen, in a ``TimeRange``, by their ids."""
        return time_range.meeting(self._connection, calendar, TimeRange(*within))

    def objects_at(self, ids: Collection[int]) -> Iterator[StoredObject]:
        """The objects with these ids, in no particular order."""
        return map(StoredObject._make, self._of_ids(_BY_ID, ids))

    def object_at(self, number: int) -> StoredObject | None:
        """The object with this id."""
        row = _ONE.run(self._connection, {"id": number}).fetchone()
        return StoredObject._make(row) if row else None

    def repeated(self, ids: Collection[int]) -> Iterator[tuple[int, str]]:
        """Those of the objects whose UID another calendar has too, whichever, and the UID."""
        return ((number, uid) for number, uid in self._of_ids(_REPEATED, ids))

    def _of_ids(self, query: CompiledStatement, ids: Iterable[int]) -> Iterator[Any]:
        for some in batched(ids):
            # Parameters without an id have one that is asked for already.
            values = dict(zip(_IDS, some + some[-1:] * (AT_ONCE - len(some)), strict=True))
            yield from query.run(self._connection, values).fetchall()

    def _objects(self, query: object, **values: object) -> Iterator[StoredObject]:
        rows = self._connection.execute(query, values)  # type: ignore[call-overload]
        yield from map(StoredObject._make, rows)


class FeedSource:
    """The store as feeds see it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._calendars = Calendars()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """One consistent moment."""
        with self._database.read() as connection:
            yield Snapshot(connection, self._calendars)
