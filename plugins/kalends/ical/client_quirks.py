"""Removal of property values that common calendar programs cannot read.

One malformed value in one object makes ical.js, and so Thunderbird, reject the whole feed. The
patterns follow RFC 5545 section 3.3.
"""

from __future__ import annotations

import re

from kalends.ical.contentlines import Component, Property

TIME_PATTERN = r"\d{8}(?:T\d{6}Z?)?"
DURATION_PATTERN = r"[+-]?P(?:\d+W|(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+S)?)?)"
# Lists are possessive: a long one that does not match in one way does not match in another.
_NUMBERS = r"[+-]?\d++(?:,[+-]?\d++)*+"
_DAY = r"[+-]?\d*+(?:MO|TU|WE|TH|FR|SA|SU)"
RULE_PART_PATTERN = (
    r"FREQ=(?:SECONDLY|MINUTELY|HOURLY|DAILY|WEEKLY|MONTHLY|YEARLY)"
    rf"|(?:INTERVAL|COUNT)=\d+|UNTIL={TIME_PATTERN}|WKST={_DAY}|BYDAY={_DAY}(?:,{_DAY})*+"
    rf"|BY(?:SECOND|MINUTE|HOUR|MONTHDAY|YEARDAY|WEEKNO|MONTH|SETPOS)={_NUMBERS}"
)
RULE_PATTERN = rf"(?:{RULE_PART_PATTERN})(?:;(?:{RULE_PART_PATTERN}))*+"
OFFSET_PATTERN = r"[+-]\d{4}(?:\d\d)?"

_PERIOD = rf"{TIME_PATTERN}/(?:{TIME_PATTERN}|{DURATION_PATTERN})"
_TYPES = {
    "PERIOD": re.compile(rf"{_PERIOD}(?:,{_PERIOD})*+", re.ASCII),
    "RECUR": re.compile(RULE_PATTERN, re.ASCII),
}
_DEFAULT_TYPES = {"FREEBUSY": "PERIOD", "EXRULE": "RECUR"}


def drop_unreadable(component: Component) -> Component:
    """Return a copy of a component without malformed values and with upper-case rules."""
    kept = [checked for prop in component.properties if (checked := _checked(prop))]
    children = [drop_unreadable(child) for child in component.children]
    return Component(component.name, kept, children, component.line)


def uppercase_rule(prop: Property) -> Property:
    """Return a recurrence rule in upper case, and any other property unchanged.

    ``FREQ=weekly`` is valid, but few programs read it.
    """
    if prop.name not in ("RRULE", "EXRULE") or prop.value.isupper():
        return prop
    return prop._replace(value=prop.value.upper())


def _checked(prop: Property) -> Property | None:
    prop = uppercase_rule(prop)
    kind = (prop.param("VALUE") or _DEFAULT_TYPES.get(prop.name, "")).upper()
    pattern = _TYPES.get(kind)
    return prop if pattern is None or pattern.fullmatch(prop.value.strip()) else None
