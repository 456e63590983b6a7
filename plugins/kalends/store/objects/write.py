"""Writes of objects: each change takes the next change number of its collection.

Every function works on a connection that ``engine.Database`` opened for writing.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, or_, select, update

from kalends.common import progress
from kalends.ical.validate import CalendarObject
from kalends.store.collections import record_change
from kalends.store.compiled import CompiledStatement
from kalends.store.objects import time_range
from kalends.store.schema import calendar_object, collection, tombstone

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,99}")


_IN = calendar_object.c.collection_id == bindparam("where")
_EXISTING = (
    calendar_object.c.id,
    calendar_object.c.href,
    calendar_object.c.uid,
    calendar_object.c.etag,
)
_BY_NAME_OR_UID = CompiledStatement(
    select(*_EXISTING).where(
        _IN,
        or_(calendar_object.c.href == bindparam("href"), calendar_object.c.uid == bindparam("uid")),
    )
)
_NAMED = CompiledStatement(
    select(calendar_object.c.id).where(_IN, calendar_object.c.href == bindparam("href"))
)
_ALL = select(*_EXISTING).where(_IN)
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
_ADD_TOMBSTONE = CompiledStatement(
    insert(tombstone), ["collection_id", "href", "object_id", "uid", "modseq", "changed"]
)
_OLDEST_TOMBSTONE = CompiledStatement(
    select(tombstone.c.changed)
    .where(tombstone.c.collection_id == bindparam("where"))
    .order_by(tombstone.c.modseq)
    .limit(1)
)


class ExistingObject(NamedTuple):
    """An object in the store that a write may replace or remove."""

    id: int
    href: str
    uid: str
    etag: str


class Place(NamedTuple):
    """The place of an object in its collection, and the objects that it replaces.

    Attributes:
        href: the name for the object.
        existing: the object that has this name, or None.
        holder: the object that has its UID, under this or another name, or None.
    """

    href: str
    existing: ExistingObject | None = None
    holder: ExistingObject | None = None


class Outcome(Enum):
    """The effect of a write on its collection."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


def find_existing(connection: Connection, collection_id: int, href: str) -> ExistingObject | None:
    """Return the object called ``href``, or None."""
    return _by_name_or_uid(connection, collection_id, href, "")[0]


def find_place(
    connection: Connection, collection_id: int, content: CalendarObject, href: str | None
) -> Place:
    """Return the place of an object in a collection.

    Args:
        connection: the transaction to read in.
        collection_id: the number of the collection.
        content: the object.
        href: its name; None for the name that its UID already has, or else a free name.
    """
    existing, holder = _by_name_or_uid(connection, collection_id, href or "", content.uid)
    if href is not None:
        return Place(href, existing, holder)
    if holder is not None:
        return Place(holder.href, holder, holder)
    return Place(free_href(connection, collection_id, content))


def free_href(connection: Connection, collection_id: int, content: CalendarObject) -> str:
    """Return a free name for an object, made from its UID and safe for every client."""
    suffix = ".vcf" if content.kind == "VCARD" else ".ics"
    names = [content.uid] if _PLAIN.fullmatch(content.uid) else []
    names.append(sha256(content.uid.encode()).hexdigest()[:40])
    for name in names:
        where = {"where": collection_id, "href": name + suffix}
        if _NAMED.run(connection, where).fetchone() is None:
            return name + suffix
    return secrets.token_hex(20) + suffix


def put_object(
    connection: Connection, collection_id: int, href: str, content: CalendarObject
) -> None:
    """Store an object under ``href``, in place of an existing one.

    The caller must make sure that the collection does not have its UID under another href.
    """
    place = find_place(connection, collection_id, content, href)
    upsert_object(connection, collection_id, place, content)


def upsert_object(
    connection: Connection,
    collection_id: int,
    place: Place,
    content: CalendarObject,
    *,
    skip_equal: bool = False,
) -> Outcome:
    """Store an object at its place; every write of an object goes through here.

    Objects that have its name or its UID are replaced.

    Args:
        connection: a write transaction.
        collection_id: the number of the collection.
        place: the result of `find_place` in the same transaction.
        content: the object.
        skip_equal: do nothing if the same octets are already there under this name and UID;
            otherwise that is a change, too.

    Returns:
        the effect.
    """
    existing, holder = place.existing, place.holder
    is_same = existing is not None and existing.uid == content.uid
    if skip_equal and is_same and existing and existing.etag == content.etag:
        return Outcome.UNCHANGED
    if holder and holder.href != place.href:
        remove_existing(connection, collection_id, holder)
    modseq, moment = record_change(connection, collection_id)
    values = _values(content) | {"modseq": modseq, "changed": moment}
    if existing and is_same:
        _UPDATE.run(connection, values | {"which": existing.id})
        time_range.replace_intervals(connection, collection_id, existing.id, content.intervals)
        return Outcome.CHANGED
    if existing:  # another UID is another object, whose removal feeds must see
        _remove(connection, collection_id, existing, modseq, moment)
    values |= {"collection_id": collection_id, "href": place.href}
    (made,) = _INSERT.run(connection, values).fetchall()[0]
    time_range.add_intervals(connection, collection_id, made, content.intervals)
    return Outcome.CHANGED if existing or holder else Outcome.ADDED


@dataclass(frozen=True, slots=True)
class MergeResult:
    """The numbers of objects that a merge added, changed, removed and left unchanged."""

    added: int
    changed: int
    removed: int
    unchanged: int

    @property
    def is_change(self) -> bool:
        """Return True if it changed anything."""
        return bool(self.added or self.changed or self.removed)


def merge_objects(
    connection: Connection,
    collection_id: int,
    contents: Iterable[CalendarObject],
    *,
    replace: bool = False,
) -> MergeResult:
    """Store many objects in a collection, each under the name that its UID already has.

    Equal objects are left alone, so that a second merge of the same objects changes nothing.

    Args:
        connection: a write transaction.
        collection_id: the number of the collection.
        contents: the objects, each UID once.
        replace: also remove the other objects of the collection.
    """
    rows = connection.execute(_ALL, {"where": collection_id})
    there = {row.uid: row for row in map(ExistingObject._make, rows)}
    outcomes: Counter[Outcome] = Counter()
    for content in contents:
        progress.report()
        if existing := there.pop(content.uid, None):
            place = Place(existing.href, existing, existing)
        else:
            place = Place(free_href(connection, collection_id, content))
        outcomes[upsert_object(connection, collection_id, place, content, skip_equal=True)] += 1
    gone = list(there.values()) if replace else []
    for existing in gone:
        remove_existing(connection, collection_id, existing)
    return MergeResult(
        outcomes[Outcome.ADDED], outcomes[Outcome.CHANGED], len(gone), outcomes[Outcome.UNCHANGED]
    )


def remove_object(connection: Connection, collection_id: int, href: str) -> bool:
    """Delete the object called ``href``.

    Returns:
        True if there was one.
    """
    existing = find_existing(connection, collection_id, href)
    if existing is None:
        return False
    remove_existing(connection, collection_id, existing)
    return True


def remove_existing(connection: Connection, collection_id: int, existing: ExistingObject) -> None:
    """Delete an existing object, and record its removal for sync-tokens and feeds."""
    modseq, moment = record_change(connection, collection_id)
    _remove(connection, collection_id, existing, modseq, moment)


def prune_tombstones(connection: Connection, collection_id: int, before: int) -> None:
    """Delete the records of removals before ``before`` (microseconds since 1970).

    Sync-tokens from before the newest deleted record become invalid.
    """
    oldest = _OLDEST_TOMBSTONE.run(connection, {"where": collection_id}).fetchone()
    if oldest is None or oldest[0] >= before:
        return
    where = and_(tombstone.c.collection_id == collection_id, tombstone.c.changed < before)
    newest = connection.execute(select(func.max(tombstone.c.modseq)).where(where)).scalar_one()
    connection.execute(delete(tombstone).where(where))
    connection.execute(
        update(collection).where(collection.c.id == collection_id).values(forgotten=newest)
    )


def _by_name_or_uid(
    connection: Connection, collection_id: int, href: str, uid: str
) -> tuple[ExistingObject | None, ExistingObject | None]:
    """Return the object called ``href`` and the object with the UID, which can be the same."""
    where = {"where": collection_id, "href": href, "uid": uid}
    rows = [ExistingObject(*row) for row in _BY_NAME_OR_UID.run(connection, where).fetchall()]
    return (
        next((row for row in rows if row.href == href), None),
        next((row for row in rows if row.uid == uid), None),
    )


def _remove(
    connection: Connection, collection_id: int, existing: ExistingObject, modseq: int, moment: int
) -> None:
    _DELETE.run(connection, {"which": existing.id})
    _ADD_TOMBSTONE.run(
        connection,
        {
            "collection_id": collection_id,
            "href": existing.href,
            "object_id": existing.id,
            "uid": existing.uid,
            "modseq": modseq,
            "changed": moment,
        },
    )


def _values(content: CalendarObject) -> dict[str, Any]:
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
