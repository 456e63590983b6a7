"""What the values of times and rules look like (RFC 5545 section 3.3), and what programs read.

One value of one person's object that ical.js cannot read makes a whole feed unreadable for
Thunderbird.
"""

from __future__ import annotations

import re

from kalends.ical.contentlines import Component, Property

TIME_PATTERN = r"\d{8}(?:T\d{6}Z?)?"
DURATION_PATTERN = r"[+-]?P(?:\d+W|(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+S)?)?)"
_NUMBERS = r"[+-]?\d+(?:,[+-]?\d+)*"
_DAY = r"[+-]?\d*(?:MO|TU|WE|TH|FR|SA|SU)"
RULE_PART_PATTERN = (
    r"FREQ=(?:SECONDLY|MINUTELY|HOURLY|DAILY|WEEKLY|MONTHLY|YEARLY)"
    rf"|(?:INTERVAL|COUNT)=\d+|UNTIL={TIME_PATTERN}|WKST={_DAY}|BYDAY={_DAY}(?:,{_DAY})*"
    rf"|BY(?:SECOND|MINUTE|HOUR|MONTHDAY|YEARDAY|WEEKNO|MONTH|SETPOS)={_NUMBERS}"
)
RULE_PATTERN = rf"(?:{RULE_PART_PATTERN})(?:;(?:{RULE_PART_PATTERN}))*"
OFFSET_PATTERN = r"[+-]\d{4}(?:\d\d)?"

_PERIOD = rf"{TIME_PATTERN}/(?:{TIME_PATTERN}|{DURATION_PATTERN})"
_TYPES = {
    "PERIOD": re.compile(rf"{_PERIOD}(?:,{_PERIOD})*", re.ASCII),
    "RECUR": re.compile(RULE_PATTERN, re.ASCII),
}
_TYPE_OF = {"FREEBUSY": "PERIOD", "EXRULE": "RECUR"}


def drop_unreadable(component: Component) -> Component:
    """A component without what programs cannot read, and with its rules in capitals."""
    kept = [fit for prop in component.properties if (fit := _readable(prop))]
    children = [drop_unreadable(child) for child in component.children]
    return Component(component.name, kept, children, component.line)


def uppercase_rule(prop: Property) -> Property:
    """A rule in capitals, anything else as it is: ``FREQ=weekly`` is right, and read by few."""
    if prop.name not in ("RRULE", "EXRULE") or prop.value.isupper():
        return prop
    return prop._replace(value=prop.value.upper())


def _readable(prop: Property) -> Property | None:
    prop = uppercase_rule(prop)
    kind = (prop.param("VALUE") or _TYPE_OF.get(prop.name, "")).upper()
    known = _TYPES.get(kind)
    return prop if known is None or known.fullmatch(prop.value.strip()) else None
