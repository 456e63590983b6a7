"""Reads of the objects of a collection: one by name or UID, some, all, and what changed.

Every function works on a connection that ``engine.Database`` opened, inside its transaction. Rows
come as they are read: no function holds a whole collection in memory.
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
from kalends.store.schema import calendar_object, collection, tombstone


class ObjectRow(NamedTuple):
    """An object as it stood when it was read.

    Attributes:
        id: its number, which no other object ever had or gets.
        collection_id: the number of its collection.
        href: its name in the collection.
        uid: its UID, which no other object of the collection has.
        etag: its strong entity tag, quoted.
        kind: ``VCALENDAR`` or ``VCARD``.
        component: ``VEVENT``, ``VTODO``, ``VCARD``…
        changed: the time of its last change, microseconds since 1970.
        size: its length in octets.
        data: the client's octets; empty where they were not asked for.
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
    """Return what is selected for an `ObjectRow`, with the octets or what is read instead."""
    table = calendar_object.c
    return (
        *(table.id, table.collection_id, table.href, table.uid, table.etag, table.kind),
        *(table.component, table.changed),
        func.length(table.data).label("size"),
        data,
    )


# ``ObjectRow._make`` without a call of Python's, for each row of long answers.
_row: Callable[[Iterable[Any]], ObjectRow] = partial(tuple.__new__, ObjectRow)

_IN = calendar_object.c.collection_id == bindparam("where")
_SINCE = calendar_object.c.modseq > bindparam("since")
# The octets are the largest part of a row, and stay unread where nobody asks for them.
_ROWS: dict[bool, Select[Any]] = {
    False: select(*object_columns(cast(literal_column("''"), LargeBinary))).where(_IN),
    True: select(*object_columns()).where(_IN),
}


def _named(rows: Select[Any], hrefs: Sequence[Any]) -> Select[Any]:
    return rows.where(calendar_object.c.href.in_(hrefs))


_BY_NAME = {data: CompiledLookup(partial(_named, rows)) for data, rows in _ROWS.items()}
# In the order of an index: another order would be sorted, and the rows be read here and there.
_CHANGED = {
    data: rows.where(_SINCE).order_by(calendar_object.c.modseq) for data, rows in _ROWS.items()
}
_CHANGED_PREPARED = {data: CompiledStatement(query) for data, query in _CHANGED.items()}
_ETAGS = CompiledStatement(
    select(calendar_object.c.href, calendar_object.c.etag)
    .where(_IN, _SINCE)
    .order_by(calendar_object.c.modseq)
)
_ETAGS_AT_ONCE = 500
_ONE = CompiledStatement(_ROWS[True].where(calendar_object.c.href == bindparam("href")))
_AT = CompiledStatement(
    select(*object_columns()).where(
        calendar_object.c.href == bindparam("href"),
        calendar_object.c.collection_id == collection.c.id,
        collection.c.path == bindparam("path"),
        collection.c.tag != "",
    )
)
_OCTETS = select(calendar_object.c.data).where(_IN).order_by(calendar_object.c.href)
_OCTETS_AT_ONCE = 10  # objects may be large
_BY_UID = select(calendar_object.c.href).where(_IN, calendar_object.c.uid == bindparam("uid"))
_HREFS = select(calendar_object.c.href).where(_IN)
_CHANGED_HREFS = _HREFS.where(_SINCE)
_GONE = CompiledStatement(
    select(tombstone.c.href)
    .where(tombstone.c.collection_id == bindparam("where"), tombstone.c.modseq > bindparam("since"))
    .order_by(tombstone.c.modseq)
)


def get_object(connection: Connection, collection_id: int, href: str) -> ObjectRow | None:
    """Return the object called ``href`` with its octets, or None."""
    row = _ONE.run(connection, {"where": collection_id, "href": href}).fetchone()
    return _row(row) if row else None


def get_object_at(connection: Connection, path: str, href: str) -> ObjectRow | None:
    """Return the object ``href`` of the calendar or address book at ``path`` with its octets."""
    row = _AT.run(connection, {"path": path, "href": href}).fetchone()
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
        data: read their octets; so for the functions below.
    """
    rows = _BY_NAME[data].rows(connection, dict.fromkeys(hrefs), {"where": collection_id})
    return map(_row, rows)


def all_objects(
    connection: Connection, collection_id: int, *, data: bool, component: str | None = None
) -> Iterator[ObjectRow]:
    """Yield all objects of a collection, in the order of their last change.

    Args:
        component: only objects of this type, if given.
    """
    if component is None:
        return objects_changed_since(connection, collection_id, 0, data=data)
    query = _CHANGED[data].where(calendar_object.c.component == component)
    return map(_row, connection.execute(query, {"where": collection_id, "since": 0}))


def all_objects_by_href(connection: Connection, collection_id: int) -> Iterator[ObjectRow]:
    """Yield all objects of a collection with their octets, by href."""
    query = _ROWS[True].order_by(calendar_object.c.href)
    return map(_row, connection.execute(query, {"where": collection_id}))


def object_data(connection: Connection, collection_id: int) -> Iterator[bytes]:
    """Yield the octets of all objects of a collection, by href; a few are in memory at a time."""
    some = {"yield_per": _OCTETS_AT_ONCE}
    found = connection.execute(_OCTETS, {"where": collection_id}, execution_options=some)
    yield from found.scalars()


def etag_batches(connection: Connection, collection_id: int) -> Iterator[list[Any]]:
    """Yield the name and the etag of all objects of a collection, some hundreds at a time."""
    cursor = _ETAGS.run(connection, {"where": collection_id, "since": 0})
    return iter(lambda: list(cursor.fetchmany(_ETAGS_AT_ONCE)), [])


def objects_between(
    connection: Connection,
    collection_id: int,
    component: str | None,
    start: int | None,
    end: int | None,
) -> Iterator[tuple[ObjectRow, bool]]:
    """Yield the objects that can happen in ``[start, end)``, seconds since 1970, by href.

    Each comes with True if all times at which it can happen are within the range.

    Args:
        component: only those of this kind, if given.
        start: None for a range without a beginning.
        end: None for a range without an end.
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
        # An instant without a length counts when it is at the very beginning of the range.
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
    """Yield the objects that came or changed after a change number, in that order."""
    where = {"where": collection_id, "since": modseq}
    cursor = _CHANGED_PREPARED[data].run(connection, where)
    return map(_row, iter(cursor.fetchone, None))


def hrefs_removed_since(connection: Connection, collection_id: int, modseq: int) -> Iterator[str]:
    """Yield the names whose object went after a change number; another may have the name by now."""
    where = {"where": collection_id, "since": modseq}
    return iter(dict.fromkeys(name for (name,) in _GONE.run(connection, where).fetchall()))


def hrefs_changed_since(connection: Connection, collection_id: int, since: int) -> Sequence[str]:
    """Return the names whose object came, changed or went after change number ``since``.

    Args:
        since: 0 names all that are there, and none that went.
    """
    where = {"where": collection_id}
    if since == 0:
        return list(connection.execute(_HREFS, where).scalars())
    names = dict.fromkeys(connection.execute(_CHANGED_HREFS, where | {"since": since}).scalars())
    names.update(dict.fromkeys(hrefs_removed_since(connection, collection_id, since)))
    return list(names)
