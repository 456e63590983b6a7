"""Index of the intervals of objects, which answers time ranges by index lookups.

Every function works on a connection that ``engine.Database`` opened, inside its transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    Connection,
    Select,
    String,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
)

from kalends.ical.recurrence.days import DAY
from kalends.ical.recurrence.duration import FOREVER
from kalends.ical.recurrence.index import Interval
from kalends.store.compiled import CompiledStatement
from kalends.store.objects.read import ObjectRow, object_columns
from kalends.store.schema import calendar_object, occurrence

# The classes of intervals by their length with all repetitions: an interval that meets a range
# begins at most that length before it, so the index finds it. Each class is searched by itself, and
# so are floating times (times without a zone) and uncertain intervals.
_LENGTHS = (7 * DAY, 28 * DAY, 112 * DAY, 448 * DAY, 2 * FOREVER)
_UNSURE = 2 * len(_LENGTHS)


class TimeRange(NamedTuple):
    """A time range of a query.

    Attributes:
        start: seconds since 1970, UTC.
        end: seconds since 1970, UTC, exclusive.
        local_start: the start as local time of the reader's zone, for floating times.
        local_end: the end as local time of the reader's zone, exclusive.
    """

    start: int
    end: int
    local_start: int
    local_end: int

    @classmethod
    def open_ended(
        cls, start: int | None, end: int | None, local_start: int | None, local_end: int | None
    ) -> TimeRange:
        """Return a time range that is unbounded on each side that is None."""
        return cls(
            -FOREVER if start is None else start,
            FOREVER if end is None else end,
            -FOREVER if local_start is None else local_start,
            FOREVER if local_end is None else local_end,
        )


_OF = select(
    occurrence.c.start,
    occurrence.c.end,
    occurrence.c.span,
    occurrence.c.length,
    occurrence.c.step,
).where(occurrence.c.object_id == bindparam("object"))
_DELETE = CompiledStatement(delete(occurrence).where(occurrence.c.object_id == bindparam("object")))
_INSERT = CompiledStatement(
    insert(occurrence),
    ["object_id", "collection_id", "span", "start", "end", "length", "step"],
)


def read_intervals(connection: Connection, object_id: int) -> list[Interval]:
    """Return the intervals of an object."""
    rows = connection.execute(_OF, {"object": object_id})
    return [_interval(start, end, span, length, step) for start, end, span, length, step in rows]


def replace_intervals(
    connection: Connection, collection_id: int, object_id: int, intervals: Sequence[Interval]
) -> None:
    """Replace the intervals of an object."""
    _DELETE.run(connection, {"object": object_id})
    add_intervals(connection, collection_id, object_id, intervals)


def add_intervals(
    connection: Connection, collection_id: int, object_id: int, intervals: Sequence[Interval]
) -> None:
    """Add the intervals of an object that has none yet."""
    rows = [
        {
            "object_id": object_id,
            "collection_id": collection_id,
            "span": _span(interval),
            "start": interval.start,
            "end": interval.last_end,
            "length": interval.end - interval.start,
            "step": interval.step,
        }
        for interval in intervals
    ]
    _INSERT.run_many(connection, rows)


def objects_in_range(
    connection: Connection,
    collection_id: int,
    component: str | None,
    within: TimeRange,
    *,
    data: bool,
) -> Iterator[tuple[ObjectRow, bool]]:
    """Yield the objects that happen in a time range, in the order of their ids.

    Each comes with True if it certainly happens in the range.

    Args:
        connection: the transaction to read in.
        collection_id: the number of the collection.
        component: the only type of objects to yield, or None for all.
        within: the time range.
        data: read their octets, too; those of uncertain objects are always read.
    """
    values = {"where": collection_id, "component": component, **within._asdict()}
    for *row, sure in iter(_FIND[data].run(connection, values).fetchone, None):
        yield ObjectRow(*row), bool(sure)


def intervals_in_range(
    connection: Connection, collection_id: int, within: TimeRange
) -> Iterator[tuple[int, Interval]]:
    """Yield the intervals of a collection that meet a time range, with the ids of their objects."""
    values = {"where": collection_id, **within._asdict()}
    for object_id, start, end, span, length, step in _INTERVALS.run(connection, values).fetchall():
        yield object_id, _interval(start, end, span, length, step)


def _statement(*, data: bool) -> Select[Any]:
    hits = _hits().subquery()
    best = (
        select(hits.c.object_id, func.max(hits.c.sure).label("sure"))
        .group_by(hits.c.object_id)
        .subquery()
    )
    octets: Any = calendar_object.c.data
    if not data:
        octets = case((best.c.sure == 1, literal(b"")), else_=octets).label("data")
    wanted = bindparam("component", type_=String)
    return (
        select(*object_columns(octets), best.c.sure)
        .join(best, best.c.object_id == calendar_object.c.id)
        .where(or_(wanted.is_(None), calendar_object.c.component == wanted))
        .order_by(calendar_object.c.id)
    )


def _hits() -> CompoundSelect[Any]:
    """Return a query of the objects with an interval in the range, one row for each interval."""
    return _all_spans_in_range(
        lambda span: (occurrence.c.object_id, literal(int(span != _UNSURE)).label("sure"))
    )


def _all_spans_in_range(wanted: Callable[[int], Sequence[Any]]) -> CompoundSelect[Any]:
    """Return a query of some columns, by span, of all intervals that meet the range."""
    spans = [
        _span_in_range(wanted(span), span, length, "local_" if floating else "")
        for number, length in enumerate(_LENGTHS)
        for floating in (False, True)
        for span in (2 * number + floating,)
    ]
    return union_all(*spans, _span_in_range(wanted(_UNSURE), _UNSURE, 2 * FOREVER, ""))


def _span_in_range(wanted: Sequence[Any], span: int, longest: int, prefix: str) -> Select[Any]:
    """Return a query of some columns of the intervals of one span that meet the range."""
    table = occurrence.c
    start = bindparam(f"{prefix}start", type_=BigInteger)
    end = bindparam(f"{prefix}end", type_=BigInteger)
    # The first repetition that ends after the start of the range; it is in the range if it starts
    # before the end.
    late = start - table.start - table.length
    first = table.start + case((late < 0, 0), else_=(late // table.step + 1) * table.step)
    return select(*wanted).where(
        table.collection_id == bindparam("where"),
        table.span == span,
        table.start < end,
        table.start > start - longest,
        table.end > start,
        or_(table.step == 0, first < end),
    )


_FIND = {data: CompiledStatement(_statement(data=data)) for data in (False, True)}
_ROW = (
    occurrence.c.object_id,
    occurrence.c.start,
    occurrence.c.end,
    occurrence.c.span,
    occurrence.c.length,
    occurrence.c.step,
)
_INTERVALS = CompiledStatement(_all_spans_in_range(lambda _: _ROW))


def _interval(start: int, end: int, span: int, length: int, step: int) -> Interval:
    sure = span != _UNSURE
    again = (end - start - length) // step if step else 0
    return Interval(start, start + length, sure and span % 2 == 1, sure, step, again)


def _span(interval: Interval) -> int:
    if not interval.certain:
        return _UNSURE
    whole = interval.last_end - interval.start
    return 2 * next(n for n, most in enumerate(_LENGTHS) if whole <= most) + interval.floating
