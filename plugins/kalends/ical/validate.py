"""Validation of calendar objects and cards before they are stored.

RFC 4791 section 4.1, RFC 6352 section 5.1.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from kalends.common.budget import Budget
from kalends.common.xml_text import NONCHARACTERS
from kalends.errors import (
    BudgetSpentError,
    IcalendarSyntaxError,
    ObjectRefusedError,
    TextTooLargeError,
)
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.encoding import BYTE_ORDER_MARK, decode
from kalends.ical.excess import refuse_excess
from kalends.ical.limits import MAX_UID, USUAL_LIMITS, ObjectLimits
from kalends.ical.recurrence.bounds import time_bounds
from kalends.ical.recurrence.index import Interval, intervals_of
from kalends.ical.timezones.resolve import vtimezones_of
from kalends.ical.values import read_time
from kalends.limit_names import Limit

STORED_COMPONENTS = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"})


FILE = "FILE"
"""The kind of a file in a folder, of which nothing is known but its media type."""


@dataclass(frozen=True, slots=True)
class CalendarObject:
    """A validated calendar object or card.

    Attributes:
        data: the client's octets, without a byte order mark and without folds within characters, so
            that each line is UTF-8.
        kind: ``VCALENDAR`` or ``VCARD``; `FILE` for any other octets.
        uid: the UID of its components.
        component: ``VEVENT``, ``VTODO``, ``VJOURNAL``, ``VFREEBUSY``, ``VAVAILABILITY`` or
            ``VCARD``; of a file its media type.
        first_start: seconds since 1970 before which it matches no time range; None without a bound.
        last_end: seconds since 1970 from which on it matches no time range; None without a bound.
        recurring: whether it has more than one occurrence.
        intervals: the times at which it happens, and those at which it may happen.
    """

    data: bytes
    kind: str
    uid: str
    component: str
    first_start: int | None
    last_end: int | None
    recurring: bool
    intervals: tuple[Interval, ...] = ()

    @property
    def etag(self) -> str:
        """The strong entity tag of the octets, in quotation marks."""
        return f'"{sha256(self.data).hexdigest()}"'


def read_calendar_object(
    data: bytes, *, allowed: frozenset[str] | None = None, limits: ObjectLimits = USUAL_LIMITS
) -> CalendarObject:
    """Validate a calendar object and compute its index entries.

    Args:
        data: the octets that the client sent.
        allowed: the component types that the calendar accepts; None for all.
        limits: the limits of objects.

    Raises:
        ObjectRefusedError: the object may not be stored.
    """
    data = data.removeprefix(BYTE_ORDER_MARK)
    _refuse_large(data, limits.octets, "C:max-resource-size")
    text = _decode(data, "C:valid-calendar-data")
    budget = limits.steps.of_object()
    top = _parse(text, "C:valid-calendar-data", budget)
    if len(top) != 1 or top[0].name != "VCALENDAR":
        line = top[1].line if len(top) > 1 else 1
        raise ObjectRefusedError("C:valid-calendar-data", "it is not exactly one VCALENDAR", line)
    return index_calendar(text.encode(), top[0], allowed, budget, limits)


def index_calendar(
    data: bytes,
    calendar: Component,
    allowed: frozenset[str] | None,
    budget: Budget,
    limits: ObjectLimits,
) -> CalendarObject:
    """Validate a parsed calendar object and compute its index entries.

    An object that costs more than its budget here is refused, so that each later reader, who does
    a part of the same work, can afford it.

    Args:
        data: the octets of the object.
        calendar: the same, parsed.
        allowed: the component types that the calendar accepts; None for all.
        budget: the steps that are left for the object.
        limits: the limits of objects.

    Raises:
        ObjectRefusedError: the object may not be stored.
    """
    _refuse_noncharacters(data, "C:valid-calendar-data")
    if method := calendar.first("METHOD"):
        raise _not_an_object("a stored object must not have a METHOD", method.line)
    parts = [child for child in calendar.children if child.name != "VTIMEZONE"]
    if not parts:
        raise _not_an_object("it contains no event, task or journal", calendar.line)
    kind = parts[0].name
    if any(part.name != kind for part in parts):
        raise _not_an_object("it contains components of several types", parts[1].line)
    if kind not in (STORED_COMPONENTS if allowed is None else allowed & STORED_COMPONENTS):
        why = f"the calendar does not accept {kind} components"
        raise ObjectRefusedError("C:supported-calendar-component", why, parts[0].line)
    refuse_excess(data, calendar, parts, limits)
    uid = _require_one_uid(parts)
    _refuse_invalid_alarms(parts)
    vtimezones = vtimezones_of(calendar)
    try:
        span = time_bounds(parts, vtimezones, budget)
        intervals = tuple(intervals_of(parts, vtimezones, span, int(time.time()), budget))
    except BudgetSpentError as error:
        why = f"its dates, rules and time zones take more than {error.steps} steps to read"
        raise ObjectRefusedError("C:max-instances", why, limit=Limit.OBJECT_STEPS) from error
    return CalendarObject(
        data, "VCALENDAR", uid, kind, span.start, span.end, span.recurring, intervals
    )


def read_card(data: bytes, *, limits: ObjectLimits = USUAL_LIMITS) -> CalendarObject:
    """Validate a card.

    Args:
        data: the octets that the client sent.
        limits: the limits of objects.

    Raises:
        ObjectRefusedError: the card may not be stored.
    """
    data = data.removeprefix(BYTE_ORDER_MARK)
    _refuse_large(data, limits.octets, "CR:max-resource-size")
    text = _decode(data, "CR:valid-address-data")
    top = _parse(text, "CR:valid-address-data", limits.steps.of_object(), vcard=True)
    if len(top) != 1 or top[0].name != "VCARD":
        raise ObjectRefusedError("CR:valid-address-data", "it is not exactly one VCARD", 1)
    _refuse_noncharacters(data, "CR:valid-address-data")
    if len(top[0].value("UID")) > MAX_UID:
        why = f"the UID has more than {MAX_UID} characters"
        raise ObjectRefusedError("CR:valid-address-data", why, top[0].line, limit=Limit.UID)
    uid = contentlines.unescape(top[0].value("UID")).strip()
    if not uid:
        raise ObjectRefusedError("CR:valid-address-data", "the card has no UID", top[0].line)
    return CalendarObject(text.encode(), "VCARD", uid, "VCARD", None, None, recurring=False)


def _require_one_uid(parts: Sequence[Component]) -> str:
    masters = 0
    uids = {contentlines.unescape(part.value("UID")).strip() for part in parts}
    for part in parts:
        if not part.value("UID").strip():
            raise _not_an_object(f"the {part.name} has no UID", part.line)
        masters += part.first("RECURRENCE-ID") is None
        if masters > 1:
            raise _not_an_object("it contains two components without RECURRENCE-ID", part.line)
    if len(uids) > 1:
        raise _not_an_object("it contains several UIDs", parts[1].line)
    return uids.pop()


def _refuse_invalid_alarms(parts: Sequence[Component]) -> None:
    """Refuse an alarm that was acknowledged at another time than one in UTC (RFC 9074 6.1)."""
    for part in parts:
        for alarm in part.children:
            for prop in alarm.all("ACKNOWLEDGED") if alarm.name == "VALARM" else ():
                if prop.param("TZID") or not read_time(prop, {}).is_instant:
                    why = f"ACKNOWLEDGED is not a time in UTC: {prop.value[:40]!r}"
                    raise ObjectRefusedError("C:valid-calendar-data", why, prop.line)


def _decode(data: bytes, precondition: str) -> str:
    try:
        return decode(data)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ObjectRefusedError(precondition, "not UTF-8", line) from None


def _parse(text: str, precondition: str, budget: Budget, *, vcard: bool = False) -> list[Component]:
    try:
        return contentlines.parse(text, vcard=vcard, budget=budget)
    except (TextTooLargeError, BudgetSpentError) as error:
        space = precondition.partition(":")[0]
        limit = error.limit if isinstance(error, TextTooLargeError) else Limit.OBJECT_STEPS
        raise ObjectRefusedError(f"{space}:max-resource-size", str(error), limit=limit) from None
    except IcalendarSyntaxError as error:
        raise ObjectRefusedError(precondition, error.why, error.line, limit=error.limit) from None


def _refuse_large(data: bytes, max_size: int, precondition: str) -> None:
    if len(data) > max_size:
        why = f"larger than {max_size} octets"
        raise ObjectRefusedError(precondition, why, limit=Limit.OBJECT_OCTETS)


def _refuse_noncharacters(data: bytes, precondition: str) -> None:
    """Refuse U+FFFE and U+FFFF, which XML cannot write: nobody could read the object."""
    for character in NONCHARACTERS:
        place = data.find(character)
        if place >= 0:
            line = data.count(b"\n", 0, place) + 1
            raise ObjectRefusedError(precondition, "contains U+FFFE or U+FFFF", line)


def _not_an_object(why: str, line: int) -> ObjectRefusedError:
    return ObjectRefusedError("C:valid-calendar-object-resource", why, line)
