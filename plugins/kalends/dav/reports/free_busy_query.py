"""free-busy-query: the busy times of a calendar (RFC 4791 section 7.10)."""

from __future__ import annotations

import logging
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from http import HTTPStatus

from radicale.xmlutils import make_clark

from kalends.dav.calendar_data import Window, read_window
from kalends.dav.message import Response
from kalends.dav.reports.target import ReportTarget, counter
from kalends.errors import BodyRefusedError, BudgetSpentError
from kalends.ical.recurrence.occurrences import local_range
from kalends.ical.retrieval.free_busy import (
    BusyPeriod,
    busy_periods,
    free_busy_calendar,
    merge_periods,
)
from kalends.store.objects import time_range
from kalends.store.objects.time_range import TimeRange

_log = logging.getLogger("kalends.caldav")
_TIME_RANGE = make_clark("C:time-range")
_OCTETS_A_STEP = 16  # of an object that is parsed
_BUSY_COMPONENTS = ("VEVENT", "VFREEBUSY")  # of the objects that have busy times


@dataclass(frozen=True, slots=True)
class FreeBusyQuery:
    """A free-busy-query for a time range."""

    window: Window


def read_free_busy_query(root: ET.Element) -> FreeBusyQuery:
    """Read a free-busy-query.

    Args:
        root: the ``free-busy-query`` element.

    Raises:
        BodyRefusedError: it has no time range, or an invalid one (400).
    """
    ranges = root.findall(_TIME_RANGE)
    if len(ranges) != 1:
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "There is not exactly one time-range.")
    return FreeBusyQuery(read_window(ranges[0]))


def answer_free_busy_query(target: ReportTarget, asked: FreeBusyQuery) -> Response:
    """Return the busy times as a VFREEBUSY."""
    body = free_busy_text(target, asked.window)
    headers = {"Content-Type": "text/calendar; charset=utf-8", "Content-Length": str(len(body))}
    return Response(HTTPStatus.OK, headers, [body])


def free_busy_text(target: ReportTarget, window: Window) -> bytes:
    """Return the busy times of a calendar, or of all calendars of a home, in a time range.

    Args:
        target: the calendar or home.
        window: the time range.

    Raises:
        BudgetSpentError: the events take more work than a request may.
        ReportRefusedError: there are more instances than the server looks at.
    """
    parts = [target] if target.view.row.tag else target.members("VCALENDAR")
    periods = [period for part in parts for period in _busy_in(part, window)]
    changed = max((part.view.row.changed for part in parts), default=0) // 1_000_000
    path = target.view.row.path
    return free_busy_calendar(merge_periods(periods), *window, path, changed)


def _busy_in(target: ReportTarget, window: Window) -> list[BusyPeriod]:
    zone, budget = target.zone(), target.budget
    within = TimeRange.open_ended(*window, *local_range(*window, zone))
    periods: list[BusyPeriod] = []
    for component in _BUSY_COMPONENTS:
        for found, _ in time_range.objects_in_range(
            target.connection, target.view.row.id, component, within, data=True
        ):
            budget.draw(1 + len(found.data) // _OCTETS_A_STEP)
            count = counter(target.limits.busy)
            try:
                with budget.for_object() as own:
                    periods += busy_periods(found.data, *window, zone, own, count)
            except BudgetSpentError as error:
                if budget.is_spent:
                    raise
                # An earlier version stored it: a PUT would have been refused.
                path = f"/{target.view.row.path}/{found.href}"
                _log.warning("%s: left out of the busy times: %s", path, error)
    return periods
