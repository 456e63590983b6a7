"""calendar-query: the objects that match a filter (RFC 4791 section 7.8)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import NamedTuple

from radicale.xmlutils import make_clark

from kalends.dav.filters.calendar import CalendarMatcher
from kalends.dav.filters.model import CompFilter, UtcRange
from kalends.dav.filters.read_calendar import read_calendar_filter
from kalends.dav.reader import write_all_objects
from kalends.dav.reports.target import ReportTarget
from kalends.dav.reports.wanted import WantedProperties, read_wanted
from kalends.dav.response_buffer import ResponseBuffer
from kalends.errors import ReportRefusedError
from kalends.ical.recurrence.index import matches_time_range
from kalends.ical.recurrence.occurrences import local_range
from kalends.ical.validate import STORED_COMPONENTS
from kalends.store.objects import read, time_range
from kalends.store.objects.read import ObjectRow
from kalends.store.objects.time_range import TimeRange

_FILTER, _TIMEZONE = make_clark("C:filter"), make_clark("C:timezone")
_EVERYTHING = CompFilter("VCALENDAR")


@dataclass(frozen=True, slots=True)
class CalendarQuery:
    """A calendar-query.

    Attributes:
        wanted: the properties to return.
        filter: the filter; some clients send none, and mean all objects.
        timezone: the text of a VTIMEZONE for times without a zone.
    """

    wanted: WantedProperties
    filter: CompFilter
    timezone: str | None


class Preselection(NamedTuple):
    """The part of a filter that the store's index answers.

    Attributes:
        component: the only type of objects that can match; None for all.
        within: the only time range in which they can happen; None for any.
        is_all: True if the filter asks for nothing else.
    """

    component: str | None
    within: UtcRange | None
    is_all: bool


def read_calendar_query(root: ET.Element) -> CalendarQuery:
    """Read a calendar-query.

    Args:
        root: the ``calendar-query`` element.

    Raises:
        ReportRefusedError: the filter is invalid, or something in it is unsupported.
        BodyRefusedError: the form of the data is invalid.
    """
    filters = root.findall(_FILTER)
    if len(filters) > 1:
        raise ReportRefusedError("C:valid-filter", "there is more than one filter")
    wanted = read_calendar_filter(filters[0]) if filters else _EVERYTHING
    return CalendarQuery(read_wanted(root), wanted, root.findtext(_TIMEZONE))


def write_calendar_query(
    target: ReportTarget, asked: CalendarQuery, buffer: ResponseBuffer
) -> None:
    """Write the objects that match."""
    zone = target.zone(asked.timezone)
    objects = target.objects(asked.wanted, zone, is_query=True)
    index = preselect(asked.filter)
    if target.name is None and not target.includes_members():
        return
    if target.name is None and index.is_all and index.within is None:
        write_all_objects(target.connection, target.view, objects, buffer, index.component)
        return
    matcher = CalendarMatcher(asked.filter, zone, target.budget)
    needs_data = objects.needs_data or not index.is_all
    for row, is_sure in _candidates(target, index, zone, needs_data):
        if index.is_all and index.within and target.name is None:
            found = is_sure or matches_time_range(row.data, *index.within, zone, target.budget)
        else:
            found = matcher.matches(row.data, certain=index.within if is_sure else None)
        if found:
            buffer.write(objects.response(row))


def preselect(wanted: CompFilter) -> Preselection:
    """Return the part of a filter for VCALENDAR that the index answers."""
    present = [comp for comp in wanted.comps if comp.is_defined and comp.name in STORED_COMPONENTS]
    if not present:
        is_all = not (wanted.props or wanted.comps or not wanted.is_defined)
        return Preselection(None, wanted.within, is_all)
    comp = present[0]
    is_all = len(wanted.comps) == 1 and not (wanted.props or comp.props or comp.comps)
    if wanted.within and comp.within:
        return Preselection(comp.name, comp.within, False)
    return Preselection(comp.name, comp.within or wanted.within, is_all)


def _candidates(
    target: ReportTarget, index: Preselection, zone: tzinfo, needs_data: bool
) -> Iterator[tuple[ObjectRow, bool]]:
    """Yield the objects that can match, each with True if it certainly happens in the range."""
    connection, collection = target.connection, target.view.row.id
    if target.name is not None:
        yield from ((row, False) for row in target.named_object())
    elif index.within is None:
        rows = read.all_objects(connection, collection, data=needs_data, component=index.component)
        yield from ((row, False) for row in rows)
    else:
        within = TimeRange.open_ended(*index.within, *local_range(*index.within, zone))
        yield from time_range.objects_in_range(
            connection, collection, index.component, within, data=needs_data
        )
