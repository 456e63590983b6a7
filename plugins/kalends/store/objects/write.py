"""Writing objects: each change takes the next change number of its collection.

Every function works on a connection that ``engine.Database`` opened for writing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, or_, select, update

from kalends.ical.recurrence.index import Interval
from kalends.store.collections import touch
from kalends.store.compiled import CompiledStatement
from kalends.store.objects import time_range
from kalends.store.objects.read import ObjectRow
from kalends.store.schema import calendar_object, collection, tombstone

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,99}")


class Content(Protocol):
    """What is stored of an object; ``calobject.CalendarObject`` has this shape."""

    @property
    def data(self) -> bytes:
        """The client's bytes."""

    @property
    def kind(self) -> str:
        """``VCALENDAR`` or ``VCARD``."""

    @property
    def uid(self) -> str:
        """Its UID, unique in its collection."""

    @property
    def component(self) -> str:
        """``VEVENT``, ``VTODO``, ``VCARD``…"""

    @property
    def first_start(self) -> int | None:
        """Seconds since 1970 before which it never happens, or None."""

    @property
    def last_end(self) -> int | None:
        """Seconds since 1970 from which on it never happens, or None."""

    @property
    def recurring(self) -> bool:
        """Whether it happens more than once."""

    @property
    def etag(self) -> str:
        """Its strong entity tag, quoted."""

    @property
    def intervals(self) -> Sequence[Interval]:
        """When it happens, and when it may happen besides."""


_IN = calendar_object.c.collection_id == bindparam("where")
_STANDING = CompiledStatement(
    select(
        calendar_object.c.id, calendar_object.c.href, calendar_object.c.uid, calendar_object.c.etag
    ).where(
        _IN,
        or_(calendar_object.c.href == bindparam("href"), calendar_object.c.uid == bindparam("uid")),
    )
)
_NAMED = CompiledStatement(
    select(calendar_object.c.id).where(_IN, calendar_object.c.href == bindparam("href"))
)
_PLACES = select(calendar_object.c.uid, calendar_object.c.href, calendar_object.c.etag).where(_IN)
_WRITTEN = (
    *("uid", "etag", "kind", "component", "first_start", "last_end", "recurring", "data"),
    *("modseq", "changed"),
)
_INSERT = CompiledStatement(
    insert(calendar_object).returning(calendar_object.c.id), [*_WRITTEN, "collection_id", "href"]
)
_UPDATE = CompiledStatement(
    update(calendar_object).where(calendar_object.c.id == bindparam("which")), _WRITTEN
)
_DELETE = CompiledStatement(
    delete(calendar_object).where(calendar_object.c.id == bindparam("which"))
)
_BURY = CompiledStatement(
    insert(tombstone), ["collection_id", "href", "object_id", "uid", "modseq", "changed"]
)
_OLDEST_GRAVE = CompiledStatement(
    select(tombstone.c.changed)
    .where(tombstone.c.collection_id == bindparam("where"))
    .order_by(tombstone.c.modseq)
    .limit(1)
)


class ConflictingObject(NamedTuple):
    """An object that stands in the way of another, or is replaced by it."""

    id: int
    href: str
    uid: str
    etag: str


def standing(
    connection: Connection, collection_id: int, href: str, uid: str
) -> tuple[ConflictingObject | None, ConflictingObject | None]:
    """What is called ``href``, and what has the UID; both can be the same."""
    where = {"where": collection_id, "href": href, "uid": uid}
    rows = [ConflictingObject(*row) for row in _STANDING.run(connection, where).fetchall()]
    return (
        next((row for row in rows if row.href == href), None),
        next((row for row in rows if row.uid == uid), None),
    )


def free_href(connection: Connection, collection_id: int, content: Content) -> str:
    """A name for an object that comes without one: from its UID, plain in every client's eyes."""
    suffix = ".vcf" if content.kind == "VCARD" else ".ics"
    if _PLAIN.fullmatch(content.uid):
        where = {"where": collection_id, "href": content.uid + suffix}
        if _NAMED.run(connection, where).fetchone() is None:
            return content.uid + suffix
    return sha256(content.uid.encode()).hexdigest()[:40] + suffix


def put(connection: Connection, collection_id: int, href: str, content: Content) -> None:
    """Store an object under ``href``, in place of what stands there.

    The caller has seen to it that no other href of the collection has the same UID.
    """
    there, _ = standing(connection, collection_id, href, content.uid)
    store(connection, collection_id, href, content, there)


def store(
    connection: Connection,
    collection_id: int,
    href: str,
    content: Content,
    existing: ConflictingObject | None,
) -> None:
    """Store an object under ``href``, in place of ``existing``, which stands there."""
    modseq, moment = touch(connection, collection_id)
    values = _values(content) | {"modseq": modseq, "changed": moment}
    if existing and existing.uid == content.uid:
        _UPDATE.run(connection, values | {"which": existing.id})
        time_range.replace(connection, collection_id, existing.id, content.intervals)
        return
    if existing:  # another UID is another object, which feeds must see go
        _bury(connection, collection_id, existing.id, href, existing.uid, modseq, moment)
    place = {"collection_id": collection_id, "href": href}
    (made,) = _INSERT.run(connection, values | place).fetchall()[0]
    time_range.add(connection, collection_id, made, content.intervals)


@dataclass(frozen=True, slots=True)
class Merged:
    """How many objects a merge added, changed, removed, and found as they were."""

    added: int
    changed: int
    removed: int
    unchanged: int

    @property
    def is_change(self) -> bool:
        """Return True if it changed anything."""
        return bool(self.added or self.changed or self.removed)


def merge(
    connection: Connection,
    collection_id: int,
    contents: Iterable[Content],
    *,
    replace: bool = False,
) -> Merged:
    """Bring many objects into a collection; each finds its place by its UID.

    What is there already with the same bytes is left alone, so that a second time changes nothing.

    Args:
        contents: objects, each UID once.
        replace: whether objects that are not among them are removed.
    """
    there = {row.uid: row for row in connection.execute(_PLACES, {"where": collection_id})}
    added = changed = unchanged = 0
    for content in contents:
        place = there.pop(content.uid, None)
        if place is None:
            put(connection, collection_id, free_href(connection, collection_id, content), content)
            added += 1
        elif place.etag == content.etag:
            unchanged += 1
        else:
            put(connection, collection_id, place.href, content)
            changed += 1
    gone = list(there.values()) if replace else []
    for place in gone:
        remove(connection, collection_id, place.href)
    return Merged(added, changed, len(gone), unchanged)


def remove(connection: Connection, collection_id: int, href: str) -> bool:
    """Delete the object called ``href``.

    Returns:
        whether there was one.
    """
    there, _ = standing(connection, collection_id, href, "")
    if there is None:
        return False
    bury(connection, collection_id, there)
    return True


def bury(connection: Connection, collection_id: int, existing: ConflictingObject) -> None:
    """Delete an object that is there."""
    modseq, moment = touch(connection, collection_id)
    _bury(connection, collection_id, existing.id, existing.href, existing.uid, modseq, moment)


def move(connection: Connection, row: ObjectRow, to_collection: int, to_href: str) -> None:
    """Bring an object to another place, over whatever stands there.

    The caller has seen to it that no other href of the target has the same UID.
    """
    intervals = time_range.of(connection, row.id)
    remove(connection, row.collection_id, row.href)
    put(connection, to_collection, to_href, replace(row, intervals=tuple(intervals)))


def forget_removals(connection: Connection, collection_id: int, before: int) -> None:
    """Forget removals older than ``before`` (microseconds since 1970); older tokens end with it."""
    oldest = _OLDEST_GRAVE.run(connection, {"where": collection_id}).fetchone()
    if oldest is None or oldest[0] >= before:
        return
    where = and_(tombstone.c.collection_id == collection_id, tombstone.c.changed < before)
    newest = connection.execute(select(func.max(tombstone.c.modseq)).where(where)).scalar_one()
    connection.execute(delete(tombstone).where(where))
    connection.execute(
        update(collection).where(collection.c.id == collection_id).values(forgotten=newest)
    )


def _bury(
    connection: Connection,
    collection_id: int,
    object_id: int,
    href: str,
    uid: str,
    modseq: int,
    moment: int,
) -> None:
    _DELETE.run(connection, {"which": object_id})
    _BURY.run(
        connection,
        {
            "collection_id": collection_id,
            "href": href,
            "object_id": object_id,
            "uid": uid,
            "modseq": modseq,
            "changed": moment,
        },
    )


def _values(content: Content) -> dict[str, Any]:
    return {
        "uid": content.uid,
        "etag": content.etag,
        "kind": content.kind,
        "component": content.component,
        "first_start": content.first_start,
        "last_end": content.last_end,
        "recurring": content.recurring,
        "data": content.data,
    }
