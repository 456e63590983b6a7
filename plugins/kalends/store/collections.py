"""Collections: homes, calendars and address books, and the change number of each.

Every function works on a connection that ``engine.Database`` opened, inside its transaction.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from kalends.common.names import GROUPS, folded_group
from kalends.store.compiled import CompiledStatement
from kalends.store.engine import lock_homes
from kalends.store.schema import collection


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """A collection as it stood when it was read.

    Attributes:
        path: without a slash at either end; the root's is the empty string.
        tag: ``VCALENDAR``, ``VADDRESSBOOK``, ``VSUBSCRIBED``, or empty for a home or folder.
        props: its WebDAV properties under Radicale's short names, ``tag`` among them.
        incarnation: a random name for this life of the collection.
        modseq: its change number; grows with each change of its objects and properties.
        forgotten: removals up to this change number are no longer known.
        changed: the time of the last change, microseconds since 1970.
    """

    id: int
    path: str
    tag: str
    props: Mapping[str, str]
    incarnation: str
    modseq: int
    forgotten: int
    changed: int

    @property
    def components(self) -> frozenset[str] | None:
        """The component types that a calendar takes (RFC 4791 section 5.2.3); None for all."""
        stated = self.props.get("C:supported-calendar-component-set")
        return frozenset(part.strip().upper() for part in stated.split(",")) if stated else None


UNWRITTEN_ROOT = CollectionRow(0, "", "", MappingProxyType({}), "", 0, 0, 0)
"""The root before anything was written: it always exists."""

_COLUMNS = (
    collection.c.id,
    collection.c.path,
    collection.c.tag,
    collection.c.props,
    collection.c.incarnation,
    collection.c.modseq,
    collection.c.forgotten,
    collection.c.changed,
)
_BY_PATH = CompiledStatement(select(*_COLUMNS).where(collection.c.path == bindparam("path")))
_PAIR = CompiledStatement(
    select(*_COLUMNS).where(
        or_(collection.c.path == bindparam("one"), collection.c.path == bindparam("other"))
    )
)
_BY_PARENT = CompiledStatement(
    select(*_COLUMNS).where(collection.c.parent == bindparam("parent")).order_by(collection.c.path)
)
_BY_TAG = select(*_COLUMNS).where(collection.c.tag == bindparam("tag")).order_by(collection.c.path)
_ALL = select(*_COLUMNS).order_by(collection.c.path)
_TOUCH = CompiledStatement(
    update(collection)
    .where(collection.c.id == bindparam("which"))
    .values(modseq=collection.c.modseq + 1, changed=bindparam("now"))
    .returning(collection.c.modseq)
)


def now_microseconds() -> int:
    """This moment in microseconds since 1970."""
    return time.time_ns() // 1000


def find_collection(connection: Connection, path: str) -> CollectionRow | None:
    """The collection at ``path``, or None."""
    row = _BY_PATH.run(connection, {"path": path}).fetchone()
    return _row(row) if row else None


def find_pair(
    connection: Connection, one: str, other: str
) -> tuple[CollectionRow | None, CollectionRow | None]:
    """The collections at two paths, each None if it is not there."""
    rows = _PAIR.run(connection, {"one": one, "other": other}).fetchall()
    found = {row.path: row for row in map(_row, rows)}
    return found.get(one), found.get(other)


def list_children(connection: Connection, path: str) -> list[CollectionRow]:
    """The collections directly below ``path``, by path."""
    return [_row(row) for row in _BY_PARENT.run(connection, {"parent": path}).fetchall()]


def list_by_tag(connection: Connection, tag: str) -> list[CollectionRow]:
    """All collections of one kind, by path."""
    return [_row(row) for row in connection.execute(_BY_TAG, {"tag": tag})]


def list_collections(connection: Connection) -> list[CollectionRow]:
    """All collections, by path."""
    return [_row(row) for row in connection.execute(_ALL)]


def create_collection(connection: Connection, path: str, props: Mapping[str, str]) -> CollectionRow:
    """Make the collection at ``path``, and the plain folders above it that are missing.

    Args:
        path: an address at which nothing stands.
        props: its properties; ``tag`` says of which kind it is.
    """
    parent = path.rpartition("/")[0] if path else None
    if parent in ("", GROUPS):
        lock_homes(connection)
    if parent is not None:
        above = find_collection(connection, parent) or create_collection(connection, parent, {})
        record_change(connection, above.id)
    connection.execute(
        insert(collection).values(
            path=path,
            parent=parent,
            tag=props.get("tag", ""),
            props=_dump(props),
            incarnation=secrets.token_hex(6),
            modseq=1,
            forgotten=0,
            changed=now_microseconds(),
        )
    )
    made = find_collection(connection, path)
    assert made is not None
    return made


def ensure_home(connection: Connection, name: str, first: Mapping[str, Mapping[str, str]]) -> None:
    """Make the home of an account, with the collections it begins with, if it has none."""
    _ensure(connection, name, first)


def ensure_group(connection: Connection, name: str, first: Mapping[str, Mapping[str, str]]) -> str:
    """Make the place of a group, with the collections it begins with, if it has none.

    A collection without a display name is called as the group is.

    Returns:
        the last segment of its place.
    """
    place = group_segment(connection, name)
    if place is None:
        named = {child: {"D:displayname": name, **props} for child, props in first.items()}
        _ensure(connection, f"{GROUPS}/{name}", named)
    return place or name


def group_segment(connection: Connection, name: str) -> str | None:
    """The last segment of the place of a group; None if it has none."""
    wanted = folded_group(name)
    places = (row.path.partition("/")[2] for row in list_children(connection, GROUPS))
    return next((place for place in places if folded_group(place) == wanted), None)


def _ensure(connection: Connection, path: str, first: Mapping[str, Mapping[str, str]]) -> None:
    if find_collection(connection, path) is None:
        create_collection(connection, path, {})
        for child, props in first.items():
            create_collection(connection, f"{path}/{child}", props)


def remove_collection(connection: Connection, path: str) -> None:
    """Delete the collection at ``path``, what is in it and what is below it."""
    for child in list_children(connection, path):
        remove_collection(connection, child.path)
    connection.execute(delete(collection).where(collection.c.path == path))
    above = find_collection(connection, path.rpartition("/")[0]) if path else None
    if above:
        record_change(connection, above.id)


def set_props(connection: Connection, collection_id: int, props: Mapping[str, str]) -> None:
    """Replace the properties of a collection; that is a change of it."""
    connection.execute(
        update(collection)
        .where(collection.c.id == collection_id)
        .values(props=_dump(props), tag=props.get("tag", ""))
    )
    record_change(connection, collection_id)


def record_change(connection: Connection, collection_id: int) -> tuple[int, int]:
    """Count one more change of a collection.

    Returns:
        its new modseq, and the time that was noted for it in microseconds since 1970.
    """
    moment = now_microseconds()
    (modseq,) = _TOUCH.run(connection, {"which": collection_id, "now": moment}).fetchall()[0]
    return modseq, moment


def _row(row: Any) -> CollectionRow:
    return _made(*row)


@lru_cache(maxsize=4096)
def _made(where: int, path: str, tag: str, props: str, *rest: Any) -> CollectionRow:
    """A row as what it means; the same row is asked for again and again."""
    return CollectionRow(where, path, tag, MappingProxyType(json.loads(props)), *rest)


def _dump(props: Mapping[str, str]) -> str:
    return json.dumps(dict(props), sort_keys=True, ensure_ascii=False)
