"""Time zones that clients set: calendar-timezone, and the timezone of a query.

RFC 4791 sections 5.2.2, 7.3 and 9.8.
"""

from __future__ import annotations

from datetime import tzinfo

from kalends.common.budget import Budget
from kalends.errors import (
    BudgetSpentError,
    IcalendarSyntaxError,
    ObjectRefusedError,
    TextTooLargeError,
)
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.limits import MAX_VTIMEZONE
from kalends.ical.timezones.resolve import is_readable_vtimezone, resolve_tzid, tzid_name
from kalends.ical.timezones.vtimezone import VTimezone, read_observances


def read_timezone_setting(text: str) -> tzinfo:
    """Return the time zone of a VCALENDAR that has one valid VTIMEZONE and nothing else.

    Args:
        text: the VCALENDAR.

    Raises:
        ObjectRefusedError: it is anything else (the precondition CALDAV:valid-calendar-data).
    """
    if len(text) > MAX_VTIMEZONE:
        raise _invalid(f"it has more than {MAX_VTIMEZONE} characters")
    try:
        top = contentlines.parse(text, budget=Budget())
    except (IcalendarSyntaxError, TextTooLargeError, BudgetSpentError) as error:
        raise _invalid(str(error)) from None
    parts = top[0].children if len(top) == 1 and top[0].name == "VCALENDAR" else []
    if len(parts) != 1 or parts[0].name != "VTIMEZONE":
        raise _invalid("it is not one VCALENDAR with exactly one VTIMEZONE")
    return _zone(parts[0])


def _zone(definition: Component) -> tzinfo:
    text = "\r\n".join(definition.lines())
    if is_readable_vtimezone(text):  # which it remembers
        name = tzid_name(definition.value("TZID"))
        zone = resolve_tzid(name, {name: text})
        assert zone is not None
        return zone
    try:
        return VTimezone(read_observances(definition))
    except ValueError as error:
        raise _invalid(f"its VTIMEZONE is invalid: {error}") from None


def _invalid(why: str) -> ObjectRefusedError:
    return ObjectRefusedError("C:valid-calendar-data", f"the time zone cannot be read: {why}")
