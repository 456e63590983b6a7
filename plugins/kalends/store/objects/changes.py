"""The changes of a collection in their order, from any point on: for answers that are cut off."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, bindparam, or_, select

from kalends.store.compiled import CompiledStatement
from kalends.store.objects import read
from kalends.store.objects.read import NO_DATA, ObjectRow, object_columns
from kalends.store.schema import calendar_object, tombstone

STORED, REMOVED = 0, 1
"""The kinds of changes, in the order in which changes of one number are told."""


class SyncPoint(NamedTuple):
    """A place in the changes of a collection; everything before it, and it, is known.

    Attributes:
        modseq: the change number.
        kind: `STORED` or `REMOVED` for a place among the changes of one number, which may be many;
            greater than both behind all of them.
        id: the number of the object, or of the record of its removal.
    """

    modseq: int
    kind: int = REMOVED + 1
    id: int = 0

    @property
    def complete(self) -> int:
        """The change number up to which every change is known."""
        return self.modseq if self.kind > REMOVED else self.modseq - 1


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """A change.

    Attributes:
        point: its place.
        href: the name of the object.
        row: the object; None if it was removed.
    """

    point: SyncPoint
    href: str
    row: ObjectRow | None


def _behind(modseq: ColumnElement[int], number: ColumnElement[int]) -> ColumnElement[bool]:
    since = bindparam("since", type_=BigInteger)
    behind = bindparam("behind", type_=BigInteger)
    return or_(modseq > since, and_(modseq == since, number > behind))


_STORED = {
    with_data: CompiledStatement(
        select(calendar_object.c.modseq, *object_columns(data))
        .where(
            calendar_object.c.collection_id == bindparam("where"),
            _behind(calendar_object.c.modseq, calendar_object.c.id),
        )
        .order_by(calendar_object.c.modseq, calendar_object.c.id)
        .limit(bindparam("most"))
    )
    for with_data, data in ((False, NO_DATA), (True, calendar_object.c.data))
}
_REMOVED = CompiledStatement(
    select(tombstone.c.modseq, tombstone.c.id, tombstone.c.href)
    .where(
        tombstone.c.collection_id == bindparam("where"),
        _behind(tombstone.c.modseq, tombstone.c.id),
    )
    .order_by(tombstone.c.modseq, tombstone.c.id)
    .limit(bindparam("most"))
)
_ALL_OF_ONE = (1 << 63) - 1


def changes_after(
    connection: Connection, collection_id: int, since: SyncPoint, most: int, *, data: bool
) -> list[ObjectChange]:
    """Return the next changes of a collection.

    Args:
        connection: the transaction to read in.
        collection_id: the number of the collection.
        since: the place behind which they are.
        most: the largest number of changes that are looked at.
        data: True if the objects are wanted with their octets.
    """
    # What is behind the place, of the changes of its number, depends on the kind of its change.
    behind = {
        kind: since.id if kind == since.kind else _ALL_OF_ONE if kind < since.kind else 0
        for kind in (STORED, REMOVED)
    }
    where = {"where": collection_id, "since": since.modseq, "most": most}
    stored = _STORED[data].run(connection, where | {"behind": behind[STORED]})
    removed = _REMOVED.run(connection, where | {"behind": behind[REMOVED]})
    merged = heapq.merge(
        map(_stored, iter(stored.fetchone, None)),
        map(_removed, removed.fetchall()),
        key=lambda change: change.point,
    )
    return list(islice(merged, most))


def without_replaced(
    connection: Connection, collection_id: int, changes: list[ObjectChange]
) -> Iterator[ObjectChange]:
    """Yield changes without the removals of objects that are there again."""
    names = [change.href for change in changes if change.row is None]
    there = {row.href for row in read.objects_named(connection, collection_id, names, data=False)}
    told = set()
    for change in changes:
        if change.row is None and (change.href in there or change.href in told):
            continue
        told.add(change.href)
        yield change


def _stored(row: Any) -> ObjectChange:
    modseq, *columns = row
    found = ObjectRow._make(columns)
    return ObjectChange(SyncPoint(modseq, STORED, found.id), found.href, found)


def _removed(row: Any) -> ObjectChange:
    modseq, number, href = row
    return ObjectChange(SyncPoint(modseq, REMOVED, number), href, None)
