"""Objects as answers list them: their names and what is asked of each, row by row.

Every function works on a connection that ``engine.Database`` opened, inside its transaction, and
its rows come as they are read: none of them holds a whole collection in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    LargeBinary,
    Select,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)

from kalends.store.batching import batched
from kalends.store.compiled import CompiledStatement
from kalends.store.schema import calendar_object, collection, tombstone


class ListedObject(NamedTuple):
    """An object in an answer.

    Attributes:
        etag: its strong entity tag, quoted.
        kind: ``VCALENDAR`` or ``VCARD``.
        component: ``VEVENT``, ``VTODO``, ``VCARD``…
        changed: the time of its last change, microseconds since 1970.
        size: its length in octets.
        data: the client's octets; empty where they were not asked for.
    """

    href: str
    etag: str
    kind: str
    component: str
    changed: int
    size: int
    data: bytes


def columns(data: Any) -> tuple[Any, ...]:
    """What is selected for `ListedObject`, with the octets or what stands for them."""
    table = calendar_object.c
    size = func.length(table.data).label("size")
    return (table.href, table.etag, table.kind, table.component, table.changed, size, data)


_IN = calendar_object.c.collection_id == bindparam("where")
# The octets are the largest part of a row, and stay unread where nobody asks for them.
_ROWS: dict[bool, Select[Any]] = {
    False: select(*columns(cast(literal_column("''"), LargeBinary))).where(_IN),
    True: select(*columns(calendar_object.c.data)).where(_IN),
}
_SINCE = calendar_object.c.modseq > bindparam("since")
_NAMED = calendar_object.c.href.in_(bindparam("hrefs", expanding=True))
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
_AT_ONCE = 500
_BY_NAME = {data: rows.where(_NAMED) for data, rows in _ROWS.items()}
_AT = CompiledStatement(
    select(*columns(calendar_object.c.data)).where(
        calendar_object.c.href == bindparam("href"),
        calendar_object.c.collection_id == collection.c.id,
        collection.c.path == bindparam("path"),
        collection.c.tag != "",
    )
)
_GONE = CompiledStatement(
    select(tombstone.c.href)
    .where(tombstone.c.collection_id == bindparam("where"), tombstone.c.modseq > bindparam("since"))
    .order_by(tombstone.c.modseq)
)


def every(
    connection: Connection, collection_id: int, *, data: bool, component: str | None = None
) -> Iterator[ListedObject]:
    """All objects of a collection, in the order of their last change.

    Args:
        data: whether their octets are wanted; so for the functions below.
        component: only objects of this type, if given.
    """
    if component is None:
        return changed_since(connection, collection_id, 0, data=data)
    query = _CHANGED[data].where(calendar_object.c.component == component)
    return map(ListedObject._make, connection.execute(query, {"where": collection_id, "since": 0}))


def etags(connection: Connection, collection_id: int) -> Iterator[list[Any]]:
    """The name and the etag of all objects of a collection, some hundreds at a time."""
    cursor = _ETAGS.run(connection, {"where": collection_id, "since": 0})
    return iter(lambda: list(cursor.fetchmany(_AT_ONCE)), [])


def named(
    connection: Connection, collection_id: int, hrefs: Iterable[str], *, data: bool
) -> Iterator[ListedObject]:
    """Those of the named objects that exist, in no particular order."""
    for batch in batched(dict.fromkeys(hrefs)):
        where = {"where": collection_id, "hrefs": batch}
        yield from map(ListedObject._make, connection.execute(_BY_NAME[data], where))


def at(connection: Connection, path: str, href: str) -> ListedObject | None:
    """The object called ``href`` in the calendar or address book at ``path``, with its octets."""
    row = _AT.run(connection, {"path": path, "href": href}).fetchone()
    return ListedObject._make(row) if row else None


def changed_since(
    connection: Connection, collection_id: int, modseq: int, *, data: bool
) -> Iterator[ListedObject]:
    """The objects that came or changed after a change number, in that order."""
    where = {"where": collection_id, "since": modseq}
    cursor = _CHANGED_PREPARED[data].run(connection, where)
    return map(ListedObject._make, iter(cursor.fetchone, None))


def gone_since(connection: Connection, collection_id: int, modseq: int) -> Iterator[str]:
    """The names whose object went after a change number; another may have the name by now."""
    where = {"where": collection_id, "since": modseq}
    return iter(dict.fromkeys(name for (name,) in _GONE.run(connection, where).fetchall()))
