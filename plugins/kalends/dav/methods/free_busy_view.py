"""GET of a calendar with ``?view=freebusy``: its busy times, as Radicale offers them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from urllib.parse import parse_qs, quote

from kalends.common.http import EntityTags
from kalends.dav.calendar_data import Window
from kalends.dav.context import Reading, ViewDays
from kalends.dav.message import Response
from kalends.dav.reports.free_busy_query import free_busy_text
from kalends.dav.reports.report import target_of
from kalends.dav.reports.target import ReportTarget
from kalends.dav.resource import Kind
from kalends.errors import BodyRefusedError
from kalends.ical.recurrence.days import DAY

_TIME = re.compile(r"[0-9]{8}T[0-9]{6}Z")


def wants_free_busy_view(query: str) -> bool:
    """Return True if a query string asks for the view."""
    return "freebusy" in parse_qs(query, keep_blank_values=True).get("view", ())


def free_busy_view(call: Reading, now: int) -> Response:
    """Return the busy times of a calendar.

    Args:
        call: the request, at any resource.
        now: seconds since 1970, UTC.

    Raises:
        BodyRefusedError: the address names an invalid range (400).
        BudgetSpentError: it takes more work than a request may.
    """
    request = call.request
    if call.resource.kind is not Kind.CALENDAR:
        return Response(HTTPStatus.FORBIDDEN)
    target = target_of(call)
    days = call.context.limits.view_days
    window = _window(request.header("QUERY_STRING") or "", days, now)
    body = free_busy_text(target, window)
    headers = {"ETag": f'"{sha256(body).hexdigest()}"'}
    if EntityTags.known_to(request.environ).match_weakly(headers["ETag"]):
        return Response(HTTPStatus.NOT_MODIFIED, headers)
    headers |= {
        "Content-Type": "text/calendar; charset=utf-8",
        "Content-Length": str(len(body)),
        "Content-Disposition": f"attachment; filename*=utf-8''{quote(_file_name(target))}",
    }
    return Response(HTTPStatus.OK, headers, [body])


def _window(query: str, days: ViewDays, now: int) -> Window:
    asked = parse_qs(query, keep_blank_values=True)
    starts, ends = asked.get("start", []), asked.get("end", [])
    if asked["view"] == ["freebusy"] and not starts and not ends:
        today = now - now % DAY
        return Window(today - days.past * DAY, today + days.future * DAY)
    if asked["view"] != ["freebusy"] or len(starts) != 1 or len(ends) != 1:
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST)
    start, end = _second(starts[0]), _second(ends[0])
    if start > end:
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST)
    return Window(start, end)


def _second(text: str) -> int:
    try:
        if not _TIME.fullmatch(text):
            raise ValueError(text)
        return int(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError as error:
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST) from error


def _file_name(target: ReportTarget) -> str:
    title = target.view.row.props.get("D:displayname") or "Calendar"
    return f"{title.removesuffix('.ics')}-freebusy.ics"
