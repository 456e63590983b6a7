"""Collections (homes, calendars and address books) and their change numbers.

Every function works on a connection that ``engine.Database`` opened, inside its transaction.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from kalends.common.bounded_cache import BoundedCache
from kalends.common.names import GROUPS, folded_group
from kalends.common.xml_text import writable
from kalends.errors import HomeFullError, StoreRefusedError
from kalends.limit_names import Limit
from kalends.store.aliases import add_alias
from kalends.store.compiled import CompiledStatement
from kalends.store.engine import lock_homes
from kalends.store.group_names import first_names
from kalends.store.schema import alias, collection, tombstone

MAX_PROPERTIES = 1000
"""Properties of a collection; programs set some twenty."""

MAX_PROPERTIES_LENGTH = 100_000
"""Characters of all of them, which every worker keeps in memory for every calendar.

The largest in use are a time zone of 20 kB and the texts of two alarms.
"""


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """A collection as of the moment it was read.

    Attributes:
        id: its number, which is never used again.
        path: without a slash at either end; the root's is the empty string. Where the collection
            was asked for by an alias, it is that: answers name what the client knows.
        tag: ``VCALENDAR``, ``VADDRESSBOOK``, ``VSUBSCRIBED``, or empty for a home or folder.
        props: its WebDAV properties under Radicale's short names, ``tag`` among them.
        incarnation: a random name, new after each creation and each restore.
        modseq: its change number, which grows with each change of its objects and properties.
        forgotten: the change number up to which removals are no longer known.
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
        """The component types that a calendar accepts (RFC 4791 section 5.2.3); None for all."""
        stated = self.props.get("C:supported-calendar-component-set")
        return frozenset(part.strip().upper() for part in stated.split(",")) if stated else None


# Octets in one worker, of some ten thousand usual collections.
_rows: BoundedCache[tuple[Any, ...], CollectionRow] = BoundedCache(8 << 20)

UNWRITTEN_ROOT = CollectionRow(0, "", "", MappingProxyType({}), "", 0, 0, 0)
"""The root collection before the first write: it always exists."""

COLUMNS = (
    collection.c.id,
    collection.c.path,
    collection.c.tag,
    collection.c.props,
    collection.c.incarnation,
    collection.c.modseq,
    collection.c.forgotten,
    collection.c.changed,
)
"""The columns of a `CollectionRow`, in the order that `collection_row` reads."""

_BY_PATH = CompiledStatement(select(*COLUMNS).where(collection.c.path == bindparam("path")))
_BY_ID = CompiledStatement(select(*COLUMNS).where(collection.c.id == bindparam("id")))
_BY_PARENT = CompiledStatement(
    select(*COLUMNS).where(collection.c.parent == bindparam("parent")).order_by(collection.c.path)
)
_COUNT = CompiledStatement(
    select(func.count()).select_from(collection).where(collection.c.parent == bindparam("parent"))
)
_BY_TAG = select(*COLUMNS).where(collection.c.tag == bindparam("tag")).order_by(collection.c.path)
_ALL = select(*COLUMNS).order_by(collection.c.path)
_BY_ALIAS = CompiledStatement(
    select(*COLUMNS).where(
        alias.c.path == bindparam("path"),
        alias.c.collection_id == collection.c.id,
        collection.c.parent == bindparam("home"),
    )
)
_TOUCH = CompiledStatement(
    update(collection)
    .where(collection.c.id == bindparam("which"))
    .values(modseq=collection.c.modseq + 1, changed=bindparam("now"))
    .returning(collection.c.modseq)
)


def now_microseconds() -> int:
    """Return the current time in microseconds since 1970."""
    return time.time_ns() // 1000


def find_collection(connection: Connection, path: str) -> CollectionRow | None:
    """Return the collection at ``path``, which may be an alias, or None."""
    row = _BY_PATH.run(connection, {"path": path}).fetchone()
    return collection_row(row) if row else find_by_alias(connection, path)


def find_by_alias(connection: Connection, path: str) -> CollectionRow | None:
    """Return the collection with an alias, which is its path there; None if there is none."""
    if not path.startswith(f"{GROUPS}/"):  # only collections of groups were ever renamed
        return None
    home = path.rpartition("/")[0]
    row = _BY_ALIAS.run(connection, {"path": path, "home": home}).fetchone()
    return replace(collection_row(row), path=path) if row else None


def find_by_id(connection: Connection, number: int) -> CollectionRow | None:
    """Return the collection with this number, or None."""
    row = _BY_ID.run(connection, {"id": number}).fetchone()
    return collection_row(row) if row else None


def list_children(connection: Connection, path: str) -> list[CollectionRow]:
    """Return the collections directly below ``path``, in the order of their paths."""
    return [collection_row(row) for row in _BY_PARENT.run(connection, {"parent": path}).fetchall()]


def list_by_tag(connection: Connection, tag: str) -> list[CollectionRow]:
    """Return all collections with a tag, in the order of their paths."""
    return [collection_row(row) for row in connection.execute(_BY_TAG, {"tag": tag})]


def list_collections(connection: Connection) -> list[CollectionRow]:
    """Return all collections, in the order of their paths."""
    return [collection_row(row) for row in connection.execute(_ALL)]


def create_collection(connection: Connection, path: str, props: Mapping[str, str]) -> CollectionRow:
    """Create the collection at ``path``, and the plain folders above it that are missing.

    Args:
        connection: a write transaction.
        path: a path at which nothing exists.
        props: its properties; ``tag`` says what kind of collection it is.
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


def require_room(connection: Connection, path: str, most: int) -> None:
    """Refuse another collection in a home that has the most that it may have.

    Args:
        connection: a write transaction that locks the home.
        path: the path of the new collection.
        most: how many the home may have.

    Raises:
        HomeFullError: it has them already.
    """
    (count,) = _COUNT.run(connection, {"parent": path.rpartition("/")[0]}).fetchall()[0]
    if count >= most:
        raise HomeFullError(most)


def ensure_home(connection: Connection, name: str, first: Mapping[str, Mapping[str, str]]) -> None:
    """Create the home of an account, with its first collections, unless it has a home."""
    if find_collection(connection, name) is None:
        create_collection(connection, name, {})
        for child, props in first.items():
            create_collection(connection, f"{name}/{child}", props)


def ensure_group(connection: Connection, name: str, first: Mapping[str, Mapping[str, str]]) -> str:
    """Create the home of a group, with its first collections, unless it has a home.

    The first calendar is called after the group, and so is a collection without a display name.
    The names that the settings give are aliases.

    Returns:
        the last segment of the home's path.
    """
    segment = group_segment(connection, name)
    if segment is None:
        home, names = f"{GROUPS}/{name}", first_names(connection, name, first)
        create_collection(connection, home, {})
        for given, props in first.items():
            named = {"D:displayname": name, **props}
            made = create_collection(connection, f"{home}/{names[given]}", named)
            if names[given] != given:
                add_alias(connection, f"{home}/{given}", made.id)
    return segment or name


def group_segment(connection: Connection, name: str) -> str | None:
    """Return the last segment of the path of a group's home; None if it has none."""
    wanted = folded_group(name)
    segments = (row.path.partition("/")[2] for row in list_children(connection, GROUPS))
    return next((segment for segment in segments if folded_group(segment) == wanted), None)


def remove_collection(connection: Connection, path: str) -> None:
    """Delete the collection at ``path``, its objects, its aliases and the collections below it."""
    for child in list_children(connection, path):
        remove_collection(connection, child.path)
    found = find_collection(connection, path)
    removed = find_by_id(connection, found.id) if found else None
    if removed:
        connection.execute(delete(collection).where(collection.c.id == removed.id))
    above = find_collection(connection, path.rpartition("/")[0]) if path else None
    if above and removed:
        record_removal(connection, above.id, removed)


def record_removal(
    connection: Connection, above: int, removed: CollectionRow, moved_at: int | None = None
) -> None:
    """Record that a collection has left the one above it, for the sync-tokens of that one.

    Args:
        connection: a write transaction.
        above: the number of the one above it.
        removed: the collection, as it was there.
        moved_at: its change number since it has another path; None if it was deleted.
    """
    modseq, moment = record_change(connection, above)
    connection.execute(
        insert(tombstone).values(
            collection_id=above,
            href=f"{removed.path.rpartition('/')[2]}/",
            object_id=removed.id,
            uid="" if moved_at is None else str(moved_at),
            modseq=modseq,
            changed=moment,
        )
    )


def find_removed(connection: Connection, above: Collection[int], number: int) -> str | None:
    """Return the path of a collection that has left one of some others; None if none has it.

    Args:
        connection: the transaction to read in.
        above: the numbers of the collections that it may have left.
        number: its own number.
    """
    query = (
        select(collection.c.path, tombstone.c.href)
        .join(collection, collection.c.id == tombstone.c.collection_id)
        .where(tombstone.c.collection_id.in_(above), tombstone.c.object_id == number)
        .order_by(tombstone.c.modseq.desc())
        .limit(1)
    )
    found = connection.execute(query).first()
    return None if found is None else f"{found.path}/{found.href.rstrip('/')}"


def find_former_paths(
    connection: Connection, above: Collection[int], known: Mapping[int, int]
) -> dict[int, list[str]]:
    """Return the paths that collections have been moved from, by their numbers.

    A path at which there is something again is left out.

    Args:
        connection: the transaction to read in.
        above: the numbers of the collections that they were in.
        known: change numbers of collections, by their numbers: only later moves are wanted.
    """
    query = (
        select(collection.c.path, tombstone.c.href, tombstone.c.object_id, tombstone.c.uid)
        .join(collection, collection.c.id == tombstone.c.collection_id)
        .where(
            tombstone.c.collection_id.in_(above),
            tombstone.c.object_id.in_(known),
            tombstone.c.uid != "",
        )
    )
    found: dict[int, list[str]] = {}
    for row in connection.execute(query):
        if int(row.uid) > known[row.object_id]:
            path = f"{row.path}/{row.href.rstrip('/')}"
            there = [] if find_collection(connection, path) else [path]
            found.setdefault(row.object_id, []).extend(there)
    return found


def set_props(connection: Connection, collection_id: int, props: Mapping[str, str]) -> None:
    """Replace the properties of a collection, which counts as a change."""
    connection.execute(
        update(collection)
        .where(collection.c.id == collection_id)
        .values(props=_dump(props), tag=props.get("tag", ""))
    )
    record_change(connection, collection_id)


def record_change(connection: Connection, collection_id: int) -> tuple[int, int]:
    """Give a collection its next change number.

    Returns:
        its new modseq, and the time recorded for it in microseconds since 1970.
    """
    moment = now_microseconds()
    (modseq,) = _TOUCH.run(connection, {"which": collection_id, "now": moment}).fetchall()[0]
    return modseq, moment


def collection_row(row: Any) -> CollectionRow:
    """Return a row of `COLUMNS` with its properties parsed; the same are read again and again."""
    key = tuple(row)
    found = _rows.get(key)
    if found is None:
        number, path, tag, props, *rest = key
        found = CollectionRow(number, path, tag, load_props(props), *rest)
        _rows.put(key, found, 8 * len(props) + len(path))
    return found


def load_props(text: str) -> Mapping[str, str]:
    """Return stored properties, of an older version too, as XML can write them."""
    return MappingProxyType({name: writable(value) for name, value in json.loads(text).items()})


def _dump(props: Mapping[str, str]) -> str:
    text = json.dumps(dict(props), sort_keys=True, ensure_ascii=False)
    if len(props) > MAX_PROPERTIES or len(text) > MAX_PROPERTIES_LENGTH:
        raise StoreRefusedError(
            f"a collection has {MAX_PROPERTIES} properties at most, "
            f"of {MAX_PROPERTIES_LENGTH} characters in all",
            limit=Limit.STORED_PROPERTIES,
        )
    return text
