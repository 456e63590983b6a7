"""Reads of the objects of a collection: one by name or UID, several, all, and changes.

Every function works on a connection that ``engine.Database`` opened, inside its transaction. Rows
are yielded as they are read: no function holds a whole collection in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    Select,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    or_,
    select,
)

from kalends.store.compiled import CompiledLookup, CompiledStatement
from kalends.store.schema import calendar_object, tombstone


class ObjectRow(NamedTuple):
    """An object as of the moment it was read.

    Attributes:
        id: its number, which is never used again.
        collection_id: the number of its collection.
        href: its name in the collection.
        uid: its UID, which no other object of the collection has.
        etag: its strong entity tag, quoted.
        kind: ``VCALENDAR`` or ``VCARD``.
        component: ``VEVENT``, ``VTODO``, ``VCARD``…
        changed: the time of its last change, microseconds since 1970.
        size: its length in octets.
        data: the octets as the client sent them; empty if they were not requested.
    """

    id: int
    collection_id: int
    href: str
    uid: str
    etag: str
    kind: str
    component: str
    changed: int
    size: int
    data: bytes


def object_columns(data: Any = calendar_object.c.data) -> tuple[Any, ...]:
    """Return the columns of an `ObjectRow`, with ``data`` as the last one."""
    table = calendar_object.c
    return (
        *(table.id, table.collection_id, table.href, table.uid, table.etag, table.kind),
        *(table.component, table.changed),
        func.length(table.data).label("size"),
        data,
    )


# ``ObjectRow._make`` without a Python call for each row: answers can be long.
_row: Callable[[Iterable[Any]], ObjectRow] = partial(tuple.__new__, ObjectRow)

_IN = calendar_object.c.collection_id == bindparam("where")
_SINCE = calendar_object.c.modseq > bindparam("since")
NO_DATA = cast(literal_column("''"), LargeBinary)
"""The last of `object_columns` without the octets, which are the largest part of a row."""

_ROWS: dict[bool, Select[Any]] = {
    False: select(*object_columns(NO_DATA)).where(_IN),
    True: select(*object_columns()).where(_IN),
}


def _named(rows: Select[Any], hrefs: Sequence[Any]) -> Select[Any]:
    return rows.where(calendar_object.c.href.in_(hrefs))


_BY_NAME = {data: CompiledLookup(partial(_named, rows)) for data, rows in _ROWS.items()}
# In the order of an index: another order would need a sort, and scattered reads of the rows.
_CHANGED = {
    data: rows.where(_SINCE).order_by(calendar_object.c.modseq) for data, rows in _ROWS.items()
}
_CHANGED_COMPILED = {data: CompiledStatement(query) for data, query in _CHANGED.items()}
_ETAGS = CompiledStatement(
    select(calendar_object.c.href, calendar_object.c.etag)
    .where(_IN, _SINCE)
    .order_by(calendar_object.c.modseq)
)
_ETAG_BATCH = 500
_ONE = CompiledStatement(_ROWS[True].where(calendar_object.c.href == bindparam("href")))
_BY_UID = select(calendar_object.c.href).where(_IN, calendar_object.c.uid == bindparam("uid"))
_HREFS = select(calendar_object.c.href).where(_IN)
_CHANGED_HREFS = _HREFS.where(_SINCE)
_REMOVED = CompiledStatement(
    select(tombstone.c.href)
    .where(tombstone.c.collection_id == bindparam("where"), tombstone.c.modseq > bindparam("since"))
    .order_by(tombstone.c.modseq)
)


def get_object(connection: Connection, collection_id: int, href: str) -> ObjectRow | None:
    """Return the object called ``href`` with its octets, or None."""
    row = _ONE.run(connection, {"where": collection_id, "href": href}).fetchone()
    return _row(row) if row else None


def find_href_by_uid(connection: Connection, collection_id: int, uid: str) -> str | None:
    """Return the name of the object that has this UID, or None."""
    return connection.execute(_BY_UID, {"where": collection_id, "uid": uid}).scalar()


def count_members(connection: Connection, collection_id: int) -> int:
    """Return how many objects a collection holds."""
    query = select(func.count()).where(_IN)
    return connection.execute(query, {"where": collection_id}).scalar_one()


def objects_named(
    connection: Connection, collection_id: int, hrefs: Iterable[str], *, data: bool
) -> Iterator[ObjectRow]:
    """Yield those of the named objects that exist, in no particular order.

    Args:
        connection: the transaction to read in.
        collection_id: the number of the collection.
        hrefs: the names.
        data: read their octets, too.
    """
    rows = _BY_NAME[data].rows(connection, dict.fromkeys(hrefs), {"where": collection_id})
    return map(_row, rows)


def all_objects(
    connection: Connection, collection_id: int, *, data: bool, component: str | None = None
) -> Iterator[ObjectRow]:
    """Yield all objects of a collection, in the order of their last change.

    Args:
        connection: the transaction to read in.
        collection_id: the number of the collection.
        data: read their octets, too.
        component: the only type of objects to yield, or None for all.
    """
    if component is None:
        return objects_changed_since(connection, collection_id, 0, data=data)
    query = _CHANGED[data].where(calendar_object.c.component == component)
    return map(_row, connection.execute(query, {"where": collection_id, "since": 0}))


def all_objects_by_href(connection: Connection, collection_id: int) -> Iterator[ObjectRow]:
    """Yield all objects of a collection with their octets, by href."""
    query = _ROWS[True].order_by(calendar_object.c.href)
    return map(_row, connection.execute(query, {"where": collection_id}))


def etag_batches(connection: Connection, collection_id: int) -> Iterator[list[Any]]:
    """Yield batches of the name and the etag of each object of a collection."""
    cursor = _ETAGS.run(connection, {"where": collection_id, "since": 0})
    return iter(lambda: list(cursor.fetchmany(_ETAG_BATCH)), [])


def objects_between(
    connection: Connection,
    collection_id: int,
    component: str | None,
    start: int | None,
    end: int | None,
) -> Iterator[tuple[ObjectRow, bool]]:
    """Yield the objects that can happen in ``[start, end)``, by href.

    Each comes with True if all times at which it can happen are within the range.

    Args:
        connection: the transaction to read in.
        collection_id: the number of the collection.
        component: the only type of objects to yield, or None for all.
        start: seconds since 1970; None for a range without a beginning.
        end: seconds since 1970; None for a range without an end.
    """
    table = calendar_object.c
    conditions = []
    inside: list[ColumnElement[bool]] = [
        table.first_start.is_not(None),
        table.last_end.is_not(None),
    ]
    if component is not None:
        conditions.append(table.component == component)
    if start is not None:
        # An event without a duration is in the range if it is exactly at the beginning.
        instant = and_(
            table.last_end == start, or_(table.first_start == start, table.recurring.is_(True))
        )
        conditions.append(or_(table.last_end.is_(None), table.last_end > start, instant))
        inside.append(table.first_start >= start)
    if end is not None:
        conditions.append(or_(table.first_start.is_(None), table.first_start < end))
        inside.append(table.last_end <= end)
    query = _ROWS[True].add_columns(and_(*inside)).where(*conditions).order_by(table.href)
    for *row, is_inside in connection.execute(query, {"where": collection_id}):
        yield _row(row), bool(is_inside)


def objects_changed_since(
    connection: Connection, collection_id: int, modseq: int, *, data: bool
) -> Iterator[ObjectRow]:
    """Yield the objects added or changed after a change number, in the order of the changes."""
    where = {"where": collection_id, "since": modseq}
    cursor = _CHANGED_COMPILED[data].run(connection, where)
    return map(_row, iter(cursor.fetchone, None))


def hrefs_removed_since(connection: Connection, collection_id: int, modseq: int) -> Iterator[str]:
    """Yield the names of objects removed after a change number; some may be in use again."""
    where = {"where": collection_id, "since": modseq}
    return iter(dict.fromkeys(name for (name,) in _REMOVED.run(connection, where).fetchall()))


def hrefs_changed_since(connection: Connection, collection_id: int, since: int) -> Sequence[str]:
    """Return the names of the objects added, changed or removed after a change number.

    Args:
        connection: the transaction to read in.
        collection_id: the number of the collection.
        since: the change number; 0 for all existing objects and no removed ones.
    """
    where = {"where": collection_id}
    if since == 0:
        return list(connection.execute(_HREFS, where).scalars())
    names = dict.fromkeys(connection.execute(_CHANGED_HREFS, where | {"since": since}).scalars())
    names.update(dict.fromkeys(hrefs_removed_since(connection, collection_id, since)))
    return list(names)
