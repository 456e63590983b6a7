"""Parser for the keys of a feed definition that only its web page depends on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn, Protocol

from kalends.feeds.definitions.model import PageRules
from kalends.ical.timezones.resolve import iana_zone

PAGE_KEYS = ("embed", "timezone", "week_begins")

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# Content Security Policy Level 3, section 2.3.1: a scheme and a host, perhaps with a port.
_SOURCE = re.compile(r"https?://(?:\*\.)?[A-Za-z0-9.-]+(?::(?:\d{1,5}|\*))?")


class Refuse(Protocol):
    """Function that raises a ConfigurationError with the feed and, if it is known, the line."""

    def __call__(self, why: str, key: str | None, value: str | None = None) -> NoReturn:
        """Raise the error, for a key and optionally one of its values."""


def read_page_rules(table: Mapping[str, Any], refuse: Refuse) -> PageRules:
    """Return the page rules of a feed definition.

    Args:
        table: the definition.
        refuse: raises the error for an invalid value.

    Raises:
        ConfigurationError: a value is invalid.
    """
    return PageRules(
        embed=_embed(table.get("embed", []), refuse),
        timezone=_timezone(table.get("timezone", ""), refuse),
        week_begins=_week_begins(table.get("week_begins", "monday"), refuse),
    )


def _embed(given: object, refuse: Refuse) -> tuple[str, ...]:
    if given == "*":
        return ("*",)
    if not isinstance(given, list) or not all(isinstance(source, str) for source in given):
        refuse('\'embed\' must be "*" or a list such as ["https://www.example.org"]', "embed")
    for source in given:
        if not _SOURCE.fullmatch(source):
            why = 'must be a site such as "https://www.example.org", without a path'
            refuse(f"'embed': {source!r} {why}", "embed", source)
    return tuple(given)


def _timezone(given: object, refuse: Refuse) -> str:
    if not isinstance(given, str) or (given and iana_zone(given) is None):
        refuse(
            f"'timezone' is {given!r}; it must be an IANA zone such as \"Europe/Vienna\"",
            "timezone",
        )
    return given


def _week_begins(given: object, refuse: Refuse) -> int:
    if given not in _WEEKDAYS:
        refuse(
            f"'week_begins' is {given!r}; it must be one of {', '.join(_WEEKDAYS)}", "week_begins"
        )
    return _WEEKDAYS.index(str(given))
