"""calendar-query for one component type and a time range (RFC 4791 section 7.8)."""

from __future__ import annotations

from datetime import UTC, tzinfo

from sqlalchemy import Connection

from kalends.dav.properties.collection import CollectionView
from kalends.dav.properties.object import ObjectsView
from kalends.dav.reader import write_all_objects
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml.requests import CalendarQuery
from kalends.ical.recurrence.index import matches_time_range
from kalends.ical.recurrence.occurrences import local_range
from kalends.ical.timezones.resolve import timezone_from_calendar
from kalends.store.collections import CollectionRow
from kalends.store.objects import time_range
from kalends.store.objects.time_range import TimeRange


def write_calendar_query(
    connection: Connection,
    view: CollectionView,
    objects: ObjectsView,
    asked: CalendarQuery,
    buffer: ResponseBuffer,
) -> bool:
    """Write the objects that match; False leaves the request to Radicale."""
    zone = _zone(view.row, asked)
    if view.row.tag != "VCALENDAR" or zone is None:
        return False
    if asked.start is None and asked.end is None:
        write_all_objects(connection, view, objects, buffer, asked.component)
        return True
    within = TimeRange.open_ended(
        asked.start, asked.end, *local_range(asked.start, asked.end, zone)
    )
    for row, sure in time_range.objects_in_range(
        connection, view.row.id, asked.component, within, data=objects.needs_data
    ):
        if sure or matches_time_range(row.data, asked.start, asked.end, zone):
            buffer.write(objects.response(row))
    return True


def _zone(row: CollectionRow, asked: CalendarQuery) -> tzinfo | None:
    """Return the zone of times without one (RFC 4791 section 9.9); None if it is unreadable."""
    text = asked.timezone or row.props.get("C:calendar-timezone")
    return timezone_from_calendar(text) if text else UTC
