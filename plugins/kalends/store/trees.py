"""Copies and moves of collections with all that is in them.

Every function works on a connection that ``engine.Database`` opened for writing.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    String,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from kalends.errors import StoreRefusedError
from kalends.limit_names import Limit
from kalends.store import collections
from kalends.store.collections import COLUMNS, CollectionRow, collection_row, now_microseconds
from kalends.store.schema import calendar_object, collection, occurrence

MAX_COPIED_OBJECTS = 20_000
"""The most objects that one request copies: some seconds, in which nobody else writes."""

MAX_COPIED_COLLECTIONS = 500
"""The most collections that one request copies."""

MAX_COPIED_OCTETS = 200_000_000
"""The most octets of objects that one request copies; calendars of 10,000 events have some five."""

_AT, _NOW = bindparam("at", type_=BigInteger), bindparam("now", type_=BigInteger)
# What is not listed here is copied as it is, with the columns that later versions add.
_OWN = ("id", "collection_id", "changed")
_KEPT = [column for column in calendar_object.c if column.name not in _OWN]
_COPY_OBJECTS = insert(calendar_object).from_select(
    ["collection_id", "changed", *(column.name for column in _KEPT)],
    select(_AT, _NOW, *_KEPT)
    .where(calendar_object.c.collection_id == bindparam("where"))
    .order_by(calendar_object.c.modseq),
)
_old, _new = calendar_object.alias("old"), calendar_object.alias("new")
_SPANS = [c for c in occurrence.c if c.name not in ("object_id", "collection_id")]
_COPY_OCCURRENCES = insert(occurrence).from_select(
    ["object_id", "collection_id", *(column.name for column in _SPANS)],
    select(_new.c.id, _new.c.collection_id, *_SPANS)
    .select_from(_old)
    .join(_new, and_(_new.c.collection_id == bindparam("to"), _new.c.href == _old.c.href))
    .join(occurrence, occurrence.c.object_id == _old.c.id)
    .where(_old.c.collection_id == bindparam("where")),
)


def list_tree(connection: Connection, path: str) -> list[CollectionRow]:
    """Return the collection at a path and all below it, each after the one that it is in."""
    query = select(*COLUMNS).where(_within(path)).order_by(collection.c.path)
    return [collection_row(row) for row in connection.execute(query)]


def copy_tree(
    connection: Connection, source: CollectionRow, path: str, *, members: bool
) -> list[str]:
    """Copy a collection with its properties to a path at which nothing is.

    Sync-tokens of the source are none of the copy, in which everything is new.

    Args:
        connection: a write transaction.
        source: the collection.
        path: of the copy, below a collection that exists, and not below the source.
        members: True to copy all that is in it as well.

    Returns:
        the paths of all collections that were made.

    Raises:
        StoreRefusedError: it is more than one request may copy.
    """
    source = _at_its_path(connection, source)
    rows = list_tree(connection, source.path) if members else [source]
    if members:
        _require_few(connection, source.path, len(rows))
    made_paths = []
    for row in rows:
        made = collections.create_collection(
            connection, path + row.path[len(source.path) :], row.props
        )
        made_paths.append(made.path)
        if not members:
            break
        values = {"where": row.id, "at": made.id, "now": now_microseconds()}
        connection.execute(_COPY_OBJECTS, values)
        connection.execute(_COPY_OCCURRENCES, {"where": row.id, "to": made.id})
        connection.execute(
            update(collection).where(collection.c.id == made.id).values(modseq=row.modseq + 1)
        )
    return made_paths


def move_tree(connection: Connection, source: CollectionRow, path: str) -> list[str]:
    """Give a collection another path at which nothing is, and with it all that is below.

    Args:
        connection: a write transaction.
        source: the collection.
        path: its new path, below a collection that exists, and not below the source.

    Returns:
        the former paths of all that was moved.
    """
    source = _at_its_path(connection, source)
    former = [row.path for row in list_tree(connection, source.path)]
    parent = path.rpartition("/")[0]
    begin = len(source.path) + 1
    connection.execute(
        update(collection)
        .where(_within(source.path))
        .values(
            path=_text(path) + func.substr(collection.c.path, begin, type_=String),
            parent=case(
                (collection.c.path == source.path, _text(parent)),
                else_=_text(path) + func.substr(collection.c.parent, begin, type_=String),
            ),
            modseq=collection.c.modseq + 1,
            changed=now_microseconds(),
        )
    )
    left = collections.find_collection(connection, source.path.rpartition("/")[0])
    if left is not None:
        collections.record_removal(connection, left.id, source, source.modseq + 1)
    entered = collections.find_collection(connection, parent)
    if entered is not None and (left is None or entered.id != left.id):
        collections.record_change(connection, entered.id)
    return former


def _at_its_path(connection: Connection, source: CollectionRow) -> CollectionRow:
    """Return a collection with its own path, where it was found by an alias."""
    return collections.find_by_id(connection, source.id) or source


def _text(value: str) -> ColumnElement[str]:
    return literal(value, String)


def _within(path: str) -> ColumnElement[bool]:
    # "0" is the character after "/".
    below = and_(collection.c.path > f"{path}/", collection.c.path < f"{path}0")
    return or_(collection.c.path == path, below)


def _require_few(connection: Connection, path: str, rows: int) -> None:
    count, octets = connection.execute(
        select(func.count(), func.sum(func.length(calendar_object.c.data)))
        .select_from(calendar_object)
        .join(collection, collection.c.id == calendar_object.c.collection_id)
        .where(_within(path))
    ).one()
    if (
        count > MAX_COPIED_OBJECTS
        or rows > MAX_COPIED_COLLECTIONS
        or (octets or 0) > MAX_COPIED_OCTETS
    ):
        why = (
            f"one request copies {MAX_COPIED_OBJECTS} objects, {MAX_COPIED_COLLECTIONS} "
            f"collections and {MAX_COPIED_OCTETS} octets at most"
        )
        raise StoreRefusedError(why, limit=Limit.COPIED)
