"""The request bodies of the fast path as data; other shapes are left to Radicale. Pure.

RFC 4918 section 9.1, RFC 6578 section 3.2, RFC 4791 sections 7.8 and 7.9, RFC 6352 section 8.7.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from radicale.xmlutils import make_clark

from kalends.dav.xml.parse import parse

CALENDAR_DATA = make_clark("C:calendar-data")
ADDRESS_DATA = make_clark("CR:address-data")

_PROPFIND = make_clark("D:propfind")
_PROP = make_clark("D:prop")
_SYNC_TOKEN = make_clark("D:sync-token")
_SYNC_LEVEL = make_clark("D:sync-level")
_HREF = make_clark("D:href")
_FILTER = make_clark("C:filter")
_COMP_FILTER = make_clark("C:comp-filter")
_TIME_RANGE = make_clark("C:time-range")
_TIMEZONE = make_clark("C:timezone")
_COMPONENTS = frozenset({"VEVENT", "VTODO", "VJOURNAL"})
_SHORT = 2048


@dataclass(frozen=True, slots=True)
class Propfind:
    """A PROPFIND for properties by name, each as ``{namespace}name``."""

    props: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SyncCollection:
    """A sync-collection report: the changes since a token, or everything if it is empty."""

    props: tuple[str, ...]
    token: str


@dataclass(frozen=True, slots=True)
class Multiget:
    """A calendar-multiget or addressbook-multiget.

    Attributes:
        props: the names of the properties.
        hrefs: as the client sent them.
        tag: the kind of collection that it is for.
    """

    props: tuple[str, ...]
    hrefs: tuple[str, ...]
    tag: str


@dataclass(frozen=True, slots=True)
class CalendarQuery:
    """A calendar-query for one type of component, with or without a time range.

    Attributes:
        props: the names of the properties.
        component: ``VEVENT``, ``VTODO`` or ``VJOURNAL``; None for every type.
        start: seconds since 1970; None for a range without a beginning.
        end: seconds since 1970; None for a range without an end.
        timezone: the text of a VTIMEZONE for times without a zone.
    """

    props: tuple[str, ...]
    component: str | None
    start: int | None
    end: int | None
    timezone: str | None


Report = SyncCollection | Multiget | CalendarQuery


def read_propfind(body: bytes) -> Propfind | None:
    """Parse a PROPFIND for named properties; return None for other shapes and malformed XML."""
    return (_short_propfind if len(body) <= _SHORT else _propfind)(body)


def read_report(body: bytes) -> Report | None:
    """Parse a known REPORT; return None for other reports, other elements and malformed XML."""
    return (_short_report if len(body) <= _SHORT else _report)(body)


def _propfind(body: bytes) -> Propfind | None:
    root = parse(body)
    props = _props(root) if root is not None and root.tag == _PROPFIND and len(root) == 1 else None
    return None if props is None else Propfind(props)


def _report(body: bytes) -> Report | None:
    root = parse(body)
    reader: Callable[[ET.Element], Report | None] | None = (
        None if root is None else _REPORTS.get(root.tag)
    )
    return reader(root) if reader and root is not None else None


# Clients send the same few bodies over and over.
_short_propfind = lru_cache(maxsize=512)(_propfind)
_short_report = lru_cache(maxsize=512)(_report)


def _props(root: ET.Element) -> tuple[str, ...] | None:
    """Return the names in the only ``prop``; None if one of them has content or attributes."""
    found = root.findall(_PROP)
    if len(found) != 1:
        return None
    for prop in found[0]:
        if len(prop) or (prop.attrib and prop.tag in (CALENDAR_DATA, ADDRESS_DATA)):
            return None
    return tuple(dict.fromkeys(prop.tag for prop in found[0]))


def _sync(root: ET.Element) -> SyncCollection | None:
    props = _props(root)
    if props is None or {child.tag for child in root} - {_PROP, _SYNC_TOKEN, _SYNC_LEVEL}:
        return None
    if (root.findtext(_SYNC_LEVEL) or "1").strip() != "1":
        return None
    return SyncCollection(props, (root.findtext(_SYNC_TOKEN) or "").strip())


def _calendar_multiget(root: ET.Element) -> Multiget | None:
    return _multiget(root, "VCALENDAR")


def _addressbook_multiget(root: ET.Element) -> Multiget | None:
    return _multiget(root, "VADDRESSBOOK")


def _multiget(root: ET.Element, tag: str) -> Multiget | None:
    props = _props(root)
    if not props or {child.tag for child in root} - {_PROP, _HREF}:
        return None
    hrefs = tuple((href.text or "").strip() for href in root.findall(_HREF))
    return Multiget(props, hrefs, tag) if all(hrefs) else None


def _query(root: ET.Element) -> CalendarQuery | None:
    props = _props(root)
    filters = root.findall(_FILTER)
    known = {child.tag for child in root} <= {_PROP, _FILTER, _TIMEZONE}
    if not props or not known or len(filters) != 1 or len(root.findall(_TIMEZONE)) > 1:
        return None
    timezone = root.findtext(_TIMEZONE)
    calendar = _only_child(filters[0], _COMP_FILTER)
    if calendar is None or calendar.get("name") != "VCALENDAR":
        return None
    if len(calendar) == 0:
        return CalendarQuery(props, None, None, None, timezone)
    inner = _only_child(calendar, _COMP_FILTER)
    if inner is None or inner.get("name") not in _COMPONENTS:
        return None
    if len(inner) == 0:
        return CalendarQuery(props, inner.get("name"), None, None, timezone)
    within = _only_child(inner, _TIME_RANGE)
    limits = None if within is None or len(within) else _limits(within)
    if limits is None:
        return None
    return CalendarQuery(props, inner.get("name"), *limits, timezone)


def _only_child(parent: ET.Element, tag: str) -> ET.Element | None:
    return parent[0] if len(parent) == 1 and parent[0].tag == tag else None


def _limits(within: ET.Element) -> tuple[int | None, int | None] | None:
    """Return the bounds of a time range (RFC 4791 section 9.9); None if they are invalid."""
    if not within.attrib or set(within.attrib) - {"start", "end"}:
        return None
    try:
        start, end = (
            None if text is None else _instant(text)
            for text in (within.get("start"), within.get("end"))
        )
    except ValueError:
        return None
    if start is not None and end is not None and start >= end:
        return None
    return start, end


def _instant(text: str) -> int:
    return int(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())


_REPORTS = {
    make_clark("D:sync-collection"): _sync,
    make_clark("C:calendar-multiget"): _calendar_multiget,
    make_clark("CR:addressbook-multiget"): _addressbook_multiget,
    make_clark("C:calendar-query"): _query,
}
