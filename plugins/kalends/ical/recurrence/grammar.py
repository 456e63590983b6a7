"""Grammar of recurrence rules (RFC 5545 section 3.3.10), as common programs check it."""

from __future__ import annotations

import re

from kalends.ical.limits import MAX_RULE_LENGTH

_FREQUENCY = re.compile(r"SECONDLY|MINUTELY|HOURLY|DAILY|WEEKLY|MONTHLY|YEARLY")
_WEEKDAY = re.compile(r"([+-]?\d{1,9})?+(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_TIME = re.compile(r"\d{8}(?:T\d{6}Z?)?", re.ASCII)
# BYEASTER is not one of the RFC, but libraries read it.
_NUMBERS = frozenset(
    {"BYSECOND", "BYMINUTE", "BYHOUR", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH"}
    | {"BYSETPOS", "BYEASTER"}
)


def is_grammatical(value: str) -> bool:
    """Return True if common programs can read a rule, whatever it means.

    Args:
        value: the value of an RRULE, without white space around it.
    """
    if len(value) > MAX_RULE_LENGTH:
        return False
    names = set()
    for part in value.upper().split(";"):
        name, mark, text = part.partition("=")
        if not mark or not _is_value(name, text):
            return False
        names.add(name)
    return "FREQ" in names


def _is_value(name: str, text: str) -> bool:
    """Return True if a part of a rule is known and has a possible value."""
    if name in _NUMBERS:
        numbers = _integers(text)
        return bool(numbers) and (name != "BYSETPOS" or 0 not in numbers)
    match name:
        case "FREQ":
            return _FREQUENCY.fullmatch(text) is not None
        case "INTERVAL" | "COUNT":
            return len(_integers(text)) == 1
        case "UNTIL":
            return _TIME.fullmatch(text) is not None
        case "WKST":
            return _WEEKDAY.fullmatch(text) is not None
        case "BYDAY":
            return all(_is_weekday(day) for day in text.split(","))
    return False


def _integers(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        return []


def _is_weekday(text: str) -> bool:
    found = _WEEKDAY.fullmatch(text)
    return found is not None and (found[1] is None or int(found[1]) != 0)
