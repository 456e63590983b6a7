"""Periods of FREEBUSY properties (RFC 5545 sections 3.3.9 and 3.8.2.6)."""

from __future__ import annotations

from collections.abc import Iterator

from kalends.errors import ObjectRefusedError
from kalends.ical.contentlines import Property
from kalends.ical.values import read_duration, read_time


def read_periods(prop: Property) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each period of a FREEBUSY, seconds since 1970, UTC.

    Args:
        prop: the property.

    Raises:
        ObjectRefusedError: a period is invalid or not in UTC.
    """
    return (read_period(prop, text) for text in prop.value.split(","))


def read_period(prop: Property, text: str) -> tuple[int, int]:
    """Return the start and the end of one period, seconds since 1970, UTC.

    Args:
        prop: the FREEBUSY.
        text: one of its values.

    Raises:
        ObjectRefusedError: the period is invalid or not in UTC.
    """
    first, _, second = text.strip().partition("/")
    start = _instant(prop, first)
    if second.upper().lstrip("+-").startswith("P"):
        end = start + int(read_duration(prop._replace(value=second)).total_seconds())
    else:
        end = _instant(prop, second)
    if end <= start:
        raise _invalid(prop, text)
    return start, end


def _instant(prop: Property, text: str) -> int:
    value = read_time(Property(prop.name, "", text, prop.line), {})
    if not value.is_instant:
        raise _invalid(prop, text)
    return value.earliest


def _invalid(prop: Property, text: str) -> ObjectRefusedError:
    why = f"{prop.name} has a period that is not in UTC or is empty: {text[:40]!r}"
    return ObjectRefusedError("C:valid-calendar-data", why, prop.line)
