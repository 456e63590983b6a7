"""The objects of a collection: one row each, with the client's bytes and what queries need.

Every function works on a connection that ``engine.Database`` opened, inside its transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, or_, select

from kalends.ical.recurrence.index import Interval
from kalends.store.batching import batched
from kalends.store.schema import calendar_object, tombstone


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """An object as it stood when it was read; the fields are those of ``Content`` and its place.

    When it happens is read only where it is needed.
    """

    id: int
    collection_id: int
    href: str
    uid: str
    etag: str
    kind: str
    component: str
    first_start: int | None
    last_end: int | None
    recurring: bool
    modseq: int
    changed: int
    data: bytes
    intervals: tuple[Interval, ...] = ()


_COLUMNS = (
    calendar_object.c.id,
    calendar_object.c.collection_id,
    calendar_object.c.href,
    calendar_object.c.uid,
    calendar_object.c.etag,
    calendar_object.c.kind,
    calendar_object.c.component,
    calendar_object.c.first_start,
    calendar_object.c.last_end,
    calendar_object.c.recurring,
    calendar_object.c.modseq,
    calendar_object.c.changed,
    calendar_object.c.data,
)
_IN = calendar_object.c.collection_id == bindparam("where")
_ONE = select(*_COLUMNS).where(_IN, calendar_object.c.href == bindparam("href"))
_MANY = select(*_COLUMNS).where(_IN, calendar_object.c.href.in_(bindparam("hrefs", expanding=True)))
_EVERY = select(*_COLUMNS).where(_IN).order_by(calendar_object.c.href)
_OCTETS = select(calendar_object.c.data).where(_IN).order_by(calendar_object.c.href)
_AT_ONCE = 10  # objects may be large
_BY_UID = select(calendar_object.c.id, calendar_object.c.href).where(
    _IN, calendar_object.c.uid == bindparam("uid")
)
_HREFS = select(calendar_object.c.href).where(_IN)
_CHANGED_HREFS = _HREFS.where(calendar_object.c.modseq > bindparam("since"))
_GONE_HREFS = select(tombstone.c.href).where(
    tombstone.c.collection_id == bindparam("where"), tombstone.c.modseq > bindparam("since")
)


def get(connection: Connection, collection_id: int, href: str) -> ObjectRow | None:
    """The object called ``href``, or None."""
    row = connection.execute(_ONE, {"where": collection_id, "href": href}).first()
    return _row(row) if row else None


def get_many(
    connection: Connection, collection_id: int, hrefs: Iterable[str]
) -> Iterator[ObjectRow]:
    """Those of the named objects that exist, in no particular order."""
    for batch in batched(dict.fromkeys(hrefs)):
        for row in connection.execute(_MANY, {"where": collection_id, "hrefs": batch}):
            yield _row(row)


def every(connection: Connection, collection_id: int) -> Iterator[ObjectRow]:
    """All objects of a collection, by href."""
    for row in connection.execute(_EVERY, {"where": collection_id}):
        yield _row(row)


def octets(connection: Connection, collection_id: int) -> Iterator[bytes]:
    """The octets of all objects of a collection, by href; a few are in memory at a time."""
    some = {"yield_per": _AT_ONCE}
    found = connection.execute(_OCTETS, {"where": collection_id}, execution_options=some)
    yield from found.scalars()


def between(
    connection: Connection,
    collection_id: int,
    component: str | None,
    start: int | None,
    end: int | None,
) -> Iterator[ObjectRow]:
    """The objects that can happen in ``[start, end)``, seconds since 1970, by href.

    Args:
        component: only those of this kind, if given.
        start: None for a range without a beginning.
        end: None for a range without an end.
    """
    table = calendar_object.c
    conditions = [_IN]
    if component is not None:
        conditions.append(table.component == component)
    if start is not None:
        # An instant without a length counts when it stands at the very beginning of the range.
        instant = and_(
            table.last_end == start, or_(table.first_start == start, table.recurring.is_(True))
        )
        conditions.append(or_(table.last_end.is_(None), table.last_end > start, instant))
    if end is not None:
        conditions.append(or_(table.first_start.is_(None), table.first_start < end))
    query = select(*_COLUMNS).where(*conditions).order_by(table.href)
    for row in connection.execute(query, {"where": collection_id}):
        yield _row(row)


def count(connection: Connection, collection_id: int) -> int:
    """How many objects a collection holds."""
    query = select(func.count()).where(_IN)
    return connection.execute(query, {"where": collection_id}).scalar_one()


def find_uid(connection: Connection, collection_id: int, uid: str) -> str | None:
    """The href of the object that has this UID, or None."""
    row = connection.execute(_BY_UID, {"where": collection_id, "uid": uid}).first()
    return row.href if row else None


def hrefs_since(connection: Connection, collection_id: int, since: int) -> Sequence[str]:
    """The names whose object came, changed or went after change number ``since``.

    Args:
        since: 0 names all that are there, and none that went.
    """
    where = {"where": collection_id}
    if since == 0:
        return list(connection.execute(_HREFS, where).scalars())
    after = where | {"since": since}
    names = dict.fromkeys(connection.execute(_CHANGED_HREFS, after).scalars())
    names.update(dict.fromkeys(connection.execute(_GONE_HREFS, after).scalars()))
    return list(names)


def _row(row: Any) -> ObjectRow:
    return ObjectRow(*row)
