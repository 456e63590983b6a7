"""Integrity checks of the store, for ``kalends check`` and Radicale's ``verify``."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from sqlalchemy import Connection, func, select

from kalends.ical.validate import FILE
from kalends.store import collections, engine
from kalends.store.objects import read
from kalends.store.schema import tombstone


def check_store(connection: Connection) -> Iterator[str]:
    """Yield the problems of a store, one line each."""
    yield from engine.check_database(connection)
    rows = collections.list_collections(connection)
    paths = {row.path for row in rows}
    for row in rows:
        parent = row.path.rpartition("/")[0]
        if row.path and parent not in paths:
            yield f"/{row.path}/: the collection above it is missing"
        if row.tag != row.props.get("tag", ""):
            yield f"/{row.path}/: its tag {row.tag!r} contradicts its properties"
        yield from _object_problems(connection, row)


def _object_problems(connection: Connection, row: collections.CollectionRow) -> Iterator[str]:
    later = read.objects_changed_since(connection, row.id, row.modseq, data=False)
    ahead = {item.href for item in later}
    for item in read.all_objects_by_href(connection, row.id):
        place = f"/{row.path}/{item.href}"
        if item.etag != f'"{sha256(item.data).hexdigest()}"':
            yield f"{place}: its data has changed since it was stored"
        if not row.tag and item.kind != FILE:
            yield f"{place}: is an object, and not in a calendar or address book"
        if item.href in ahead:
            yield f"{place}: its change number is above that of its collection"
    newest = connection.execute(
        select(func.max(tombstone.c.modseq)).where(tombstone.c.collection_id == row.id)
    ).scalar()
    if newest is not None and newest > row.modseq:
        yield f"/{row.path}/: the change number of a removal is above that of the collection"
