"""The reports that are answered, and the kinds of resources that have each (RFC 3253 3.1.5)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from kalends.dav.resource import EXISTING, LEAVES, Kind

HOMES = frozenset({Kind.HOME, Kind.GROUP_HOME, Kind.FOLDER})
"""The collections whose reports are about the collections in them: Apple's programs ask there."""

_CALENDARS = frozenset({Kind.CALENDAR, Kind.CALENDAR_OBJECT})
_ADDRESS_BOOKS = frozenset({Kind.ADDRESS_BOOK, Kind.CARD})

REPORTS: Mapping[str, frozenset[Kind]] = {
    "D:expand-property": EXISTING,
    "D:principal-match": EXISTING,
    "D:principal-property-search": EXISTING,
    "D:principal-search-property-set": EXISTING,
    "D:acl-principal-prop-set": EXISTING,
    "D:sync-collection": LEAVES | HOMES,
    "C:calendar-multiget": _CALENDARS | HOMES,
    "C:calendar-query": _CALENDARS | HOMES,
    "C:free-busy-query": frozenset({Kind.CALENDAR}) | HOMES,
    "CR:addressbook-multiget": _ADDRESS_BOOKS | HOMES,
    "CR:addressbook-query": _ADDRESS_BOOKS | HOMES,
}
"""By the short names of their elements."""


@cache
def reports_of(kind: Kind) -> tuple[str, ...]:
    """Return the short names of the reports that a kind of resource has."""
    return tuple(name for name, kinds in REPORTS.items() if kind in kinds)
