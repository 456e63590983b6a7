"""The filter of a calendar-query, read from its XML and checked (RFC 4791 section 9.7)."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from kalends.dav.filters.model import CompFilter, PropFilter, UtcRange
from kalends.dav.filters.reading import (
    CALENDAR,
    is_not_defined,
    name_of,
    read_param_filter,
    read_text_match,
    read_utc_range,
    refuse_others,
)
from kalends.errors import ReportRefusedError

_COMP, _PROP = CALENDAR.tag("comp-filter"), CALENDAR.tag("prop-filter")
_TEXT, _PARAM = CALENDAR.tag("text-match"), CALENDAR.tag("param-filter")
_WITHIN = CALENDAR.tag("time-range")

# The components that can be in another (RFC 5545 section 3.6, RFC 7953 section 3.1). Others are
# clients' own, and can be anywhere below VCALENDAR.
_PARENTS = {
    "VCALENDAR": (),
    "VEVENT": ("VCALENDAR",),
    "VTODO": ("VCALENDAR",),
    "VJOURNAL": ("VCALENDAR",),
    "VFREEBUSY": ("VCALENDAR",),
    "VTIMEZONE": ("VCALENDAR",),
    "VAVAILABILITY": ("VCALENDAR",),
    "VALARM": ("VEVENT", "VTODO"),
    "STANDARD": ("VTIMEZONE",),
    "DAYLIGHT": ("VTIMEZONE",),
    "AVAILABLE": ("VAVAILABILITY",),
}
_MOST_LEVELS = 4  # one more than the known ones have

# RFC 4791 section 9.9 has a table for the first five. Some clients, and Radicale with them, mean
# any component of the object by a range of VCALENDAR.
_TIMED = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VALARM", "VAVAILABILITY", "VCALENDAR")
_DATED = frozenset(
    {
        *("DTSTART", "DTEND", "DUE", "COMPLETED", "CREATED", "DTSTAMP", "LAST-MODIFIED"),
        *("RECURRENCE-ID", "EXDATE", "RDATE", "ACKNOWLEDGED"),
    }
)


def read_calendar_filter(element: ET.Element) -> CompFilter:
    """Read the filter of a calendar-query.

    Args:
        element: the ``filter`` element.

    Raises:
        ReportRefusedError: it is invalid, or asks for something unsupported.
    """
    refuse_others(element, [_COMP], CALENDAR)
    if len(element) != 1 or name_of(element[0], CALENDAR) != "VCALENDAR":
        raise CALENDAR.invalid("the filter is not one comp-filter for VCALENDAR")
    return _comp_filter(element[0], ())


def _comp_filter(element: ET.Element, parents: tuple[str, ...]) -> CompFilter:
    name = name_of(element, CALENDAR)
    if parents and (parents[-1] not in _PARENTS.get(name, parents) or len(parents) == _MOST_LEVELS):
        raise CALENDAR.invalid(f"{name[:40]} cannot be in {parents[-1][:40]}")
    if is_not_defined(element, CALENDAR):
        return CompFilter(name, is_defined=False)
    refuse_others(element, [_WITHIN, _PROP, _COMP], CALENDAR)
    below = (*parents, name)
    return CompFilter(
        name,
        within=_component_range(element, name),
        # Equal tests cost the answer nothing new.
        props=tuple(dict.fromkeys(_prop_filter(child) for child in element.findall(_PROP))),
        comps=tuple(dict.fromkeys(_comp_filter(comp, below) for comp in element.findall(_COMP))),
    )


def _component_range(element: ET.Element, name: str) -> UtcRange | None:
    within = _range(element)
    if within and name not in _TIMED:
        raise CALENDAR.invalid(f"{name[:40]} has no time that a time-range could be about")
    return within


def _range(element: ET.Element) -> UtcRange | None:
    found = element.findall(_WITHIN)
    if not found:
        return None
    within = read_utc_range(found[0]) if len(found) == 1 else None
    if within is None:
        why = "a time-range needs start or end, in UTC, and the end after the start"
        raise CALENDAR.invalid(why)
    return within


def _prop_filter(element: ET.Element) -> PropFilter:
    name = name_of(element, CALENDAR)
    if is_not_defined(element, CALENDAR):
        return PropFilter(name, is_defined=False)
    refuse_others(element, [_WITHIN, _TEXT, _PARAM], CALENDAR)
    within = _range(element)
    texts = element.findall(_TEXT)
    if len(texts) + (within is not None) > 1:
        raise CALENDAR.invalid("a prop-filter has several tests of its value")
    if within and name.startswith("X-"):
        why = "a property that is not of RFC 5545 has no time that is known"
        raise ReportRefusedError("C:supported-filter", why, ("C:prop-filter", name))
    if within and name not in _DATED:
        raise CALENDAR.invalid(f"{name[:40]} is not a date or time")
    return PropFilter(
        name,
        within=within,
        texts=tuple(read_text_match(text, CALENDAR) for text in texts),
        params=tuple(
            dict.fromkeys(read_param_filter(p, CALENDAR) for p in element.findall(_PARAM))
        ),
    )
