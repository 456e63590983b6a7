"""Copies and moves of single objects, with all that is stored of them.

Every function works on a connection that ``engine.Database`` opened for writing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from kalends.ical.recurrence.index import Interval
from kalends.ical.validate import FILE
from kalends.store.collections import record_change
from kalends.store.objects import time_range, write
from kalends.store.objects.write import ExistingObject
from kalends.store.schema import calendar_object

_ROW = select(calendar_object).where(
    calendar_object.c.collection_id == bindparam("where"),
    calendar_object.c.href == bindparam("href"),
)


def move_object(
    connection: Connection, collection_id: int, href: str, to_collection: int, to_href: str
) -> None:
    """Move the object called ``href`` to another place, over an existing object.

    The caller must make sure that it exists, and that the target collection does not have its UID
    under another href.
    """
    values, intervals = _read(connection, collection_id, href)
    source = ExistingObject(values.pop("id"), href, values["uid"], values["etag"])
    write.remove_existing(connection, collection_id, source)
    _store(connection, to_collection, to_href, values, intervals)


def copy_object(
    connection: Connection, collection_id: int, href: str, to_collection: int, to_href: str
) -> None:
    """Copy the object called ``href`` to another place, over an existing object.

    The caller must make sure that it exists, and that the target collection does not have its UID
    under another href.
    """
    values, intervals = _read(connection, collection_id, href)
    del values["id"]
    _store(connection, to_collection, to_href, values, intervals)


def _read(
    connection: Connection, collection_id: int, href: str
) -> tuple[dict[str, Any], list[Interval]]:
    row = connection.execute(_ROW, {"where": collection_id, "href": href}).one()
    return dict(row._mapping), time_range.read_intervals(connection, row.id)


def _store(
    connection: Connection,
    collection_id: int,
    href: str,
    values: dict[str, Any],
    intervals: list[Interval],
) -> None:
    write.remove_object(connection, collection_id, href)
    modseq, moment = record_change(connection, collection_id)
    if values["kind"] == FILE:
        values["uid"] = href
    values |= {"collection_id": collection_id, "href": href, "modseq": modseq, "changed": moment}
    made = connection.execute(insert(calendar_object).values(values)).inserted_primary_key
    assert made is not None
    time_range.add_intervals(connection, collection_id, made[0], intervals)
