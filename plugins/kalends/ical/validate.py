"""One object as a client sends it: what it must be to be stored (RFC 4791 4.1, RFC 6352 5.1)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from kalends.errors import IcalendarSyntaxError, ObjectRefusedError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.recurrence.bounds import time_bounds
from kalends.ical.recurrence.index import Interval, intervals_of
from kalends.ical.timezones.resolve import vtimezones_of

MAX_SIZE = 10_000_000
"""The largest object unless told otherwise, octets."""

_KINDS = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VAVAILABILITY"})


@dataclass(frozen=True, slots=True)
class CalendarObject:
    """An object that may be stored.

    Attributes:
        data: the client's octets, without a byte order mark and without folds within characters:
            UTF-8 in each line.
        kind: ``VCALENDAR`` or ``VCARD``.
        component: ``VEVENT``, ``VTODO``, ``VJOURNAL``, ``VAVAILABILITY`` or ``VCARD``.
        first_start: seconds since 1970 before which it matches no time range, or None.
        last_end: seconds since 1970 from which on it matches none, or None.
        recurring: whether it happens more than once.
        intervals: when it happens, and when it may happen besides.
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
        """The strong entity tag of the octets, quoted."""
        return f'"{sha256(self.data).hexdigest()}"'


def read_calendar_object(
    data: bytes, *, allowed: frozenset[str] | None = None, max_size: int = MAX_SIZE
) -> CalendarObject:
    """Check a calendar object and find what the index needs.

    Args:
        data: what the client sent.
        allowed: the component types that the calendar takes; None for all.
        max_size: the largest object, octets.

    Raises:
        ObjectRefusedError: it may not be stored.
    """
    data = data.removeprefix(contentlines.BYTE_ORDER_MARK)
    _refuse_large(data, max_size, "C:max-resource-size")
    text = _text_of(data, "C:valid-calendar-data")
    top = _parsed(text, "C:valid-calendar-data")
    if len(top) != 1 or top[0].name != "VCALENDAR":
        line = top[1].line if len(top) > 1 else 1
        raise ObjectRefusedError("C:valid-calendar-data", "not one VCALENDAR", line)
    return index_calendar(text.encode(), top[0], allowed)


def index_calendar(
    data: bytes, calendar: Component, allowed: frozenset[str] | None = None
) -> CalendarObject:
    """The same of a calendar that was parsed already.

    Raises:
        ObjectRefusedError: it may not be stored.
    """
    if method := calendar.first("METHOD"):
        raise _not_an_object("a stored object has no METHOD", method.line)
    parts = [child for child in calendar.children if child.name != "VTIMEZONE"]
    if not parts:
        raise _not_an_object("it holds no event, task or journal", calendar.line)
    kind = parts[0].name
    if any(part.name != kind for part in parts):
        raise _not_an_object("it holds components of several types", parts[1].line)
    if kind not in (_KINDS if allowed is None else allowed & _KINDS):
        why = f"the calendar takes no {kind}"
        raise ObjectRefusedError("C:supported-calendar-component", why, parts[0].line)
    uid = _one_uid(parts)
    vtimezones = vtimezones_of(calendar)
    span = time_bounds(parts, vtimezones)
    intervals = tuple(intervals_of(parts, vtimezones, span, int(time.time())))
    return CalendarObject(
        data, "VCALENDAR", uid, kind, span.start, span.end, span.recurring, intervals
    )


def read_card(data: bytes, *, max_size: int = MAX_SIZE) -> CalendarObject:
    """Check a card.

    Raises:
        ObjectRefusedError: it may not be stored.
    """
    data = data.removeprefix(contentlines.BYTE_ORDER_MARK)
    _refuse_large(data, max_size, "CR:max-resource-size")
    text = _text_of(data, "CR:valid-address-data")
    top = _parsed(text, "CR:valid-address-data", vcard=True)
    if len(top) != 1 or top[0].name != "VCARD":
        raise ObjectRefusedError("CR:valid-address-data", "not one VCARD", 1)
    uid = contentlines.unescape(top[0].value("UID")).strip()
    if not uid:
        raise ObjectRefusedError("CR:valid-address-data", "the card has no UID", top[0].line)
    return CalendarObject(text.encode(), "VCARD", uid, "VCARD", None, None, recurring=False)


def _one_uid(parts: Sequence[Component]) -> str:
    masters = 0
    uids = {contentlines.unescape(part.value("UID")).strip() for part in parts}
    for part in parts:
        if not part.value("UID").strip():
            raise _not_an_object(f"the {part.name} has no UID", part.line)
        masters += part.first("RECURRENCE-ID") is None
        if masters > 1:
            raise _not_an_object("it holds two components without RECURRENCE-ID", part.line)
    if len(uids) > 1:
        raise _not_an_object("it holds several UIDs", parts[1].line)
    return uids.pop()


def _text_of(data: bytes, precondition: str) -> str:
    try:
        return contentlines.decode(data)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ObjectRefusedError(precondition, "not UTF-8", line) from None


def _parsed(text: str, precondition: str, *, vcard: bool = False) -> list[Component]:
    try:
        return contentlines.parse(text, vcard=vcard)
    except IcalendarSyntaxError as error:
        raise ObjectRefusedError(precondition, error.why, error.line) from None


def _refuse_large(data: bytes, most: int, precondition: str) -> None:
    if len(data) > most:
        raise ObjectRefusedError(precondition, f"larger than {most} octets")


def _not_an_object(why: str, line: int) -> ObjectRefusedError:
    return ObjectRefusedError("C:valid-calendar-object-resource", why, line)
