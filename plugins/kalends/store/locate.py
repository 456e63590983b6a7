"""The look-up of a path: a collection, an object, or what a new resource there would lie in."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, or_, select

from kalends.store.collections import (
    COLUMNS,
    CollectionRow,
    collection_row,
    find_by_alias,
    find_collection,
)
from kalends.store.compiled import CompiledStatement
from kalends.store.objects.read import NO_DATA, ObjectRow, object_columns, objects_named
from kalends.store.schema import calendar_object, collection


class Located(NamedTuple):
    """The rows at a path and above it.

    Attributes:
        collection: the collection at the path, or None.
        parent: the collection above the path, or None.
        object: the object at the path, or None.
    """

    collection: CollectionRow | None
    parent: CollectionRow | None
    object: ObjectRow | None


_HERE = collection.outerjoin(
    calendar_object,
    and_(
        collection.c.path == bindparam("parent"),
        calendar_object.c.collection_id == collection.c.id,
        calendar_object.c.href == bindparam("name"),
    ),
)
_LOCATE = {
    with_data: CompiledStatement(
        select(*COLUMNS, *object_columns(data))
        .select_from(_HERE)
        .where(
            or_(collection.c.path == bindparam("parent"), collection.c.path == bindparam("path"))
        )
    )
    for with_data, data in ((False, NO_DATA), (True, calendar_object.c.data))
}


_BELOW = {
    with_data: CompiledStatement(
        select(*COLUMNS, *object_columns(data))
        .select_from(_HERE)
        .where(collection.c.path == bindparam("parent"))
    )
    for with_data, data in ((False, NO_DATA), (True, calendar_object.c.data))
}


def locate(connection: Connection, path: str, *, data: bool = False) -> Located:
    """Return the rows at a path, in one query.

    Args:
        connection: the transaction to read in.
        path: without a slash at either end.
        data: True if an object is wanted with its octets.
    """
    parent, _, name = path.rpartition("/")
    values = {"parent": parent, "path": path, "name": name}
    above = here = found = None
    for row in _LOCATE[data].run(connection, values).fetchall():
        read = collection_row(row[: len(COLUMNS)])
        if read.path == path:
            here = read
        else:
            above = read
            if row[len(COLUMNS)] is not None:
                found = ObjectRow._make(row[len(COLUMNS) :])
    if here is None and (above is None or not above.tag):
        here = find_by_alias(connection, path)
    if above is None and here is None:
        return _locate_below_alias(connection, parent, name, data)
    return Located(here, above, found)


def locate_to_read(
    connection: Connection, path: str, *, data: bool = False, collection_first: bool
) -> Located:
    """Return the rows at a path like `locate`, but no parent of an existing collection.

    Args:
        connection: the transaction to read in.
        path: without a slash at either end.
        data: True if an object is wanted with its octets.
        collection_first: True if a collection is the likelier; one query answers if it is one.
    """
    if collection_first:
        here = find_collection(connection, path)
        return Located(here, None, None) if here else _locate_below(connection, path, data)
    below = _locate_below(connection, path, data)
    here = None if below.object else find_collection(connection, path)
    return below._replace(collection=here)


def _locate_below(connection: Connection, path: str, data: bool) -> Located:
    parent, _, name = path.rpartition("/")
    row = _BELOW[data].run(connection, {"parent": parent, "name": name}).fetchone()
    if row is None:
        return _locate_below_alias(connection, parent, name, data)
    found = None if row[len(COLUMNS)] is None else ObjectRow._make(row[len(COLUMNS) :])
    return Located(None, collection_row(row[: len(COLUMNS)]), found)


def _locate_below_alias(connection: Connection, parent: str, name: str, data: bool) -> Located:
    above = find_by_alias(connection, parent)
    objects = objects_named(connection, above.id, [name], data=data) if above else ()
    return Located(None, above, next(iter(objects), None))
