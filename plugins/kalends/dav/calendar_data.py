"""The data of objects in reports: whole, in part, limited or expanded.

RFC 4791 section 9.6, RFC 6352 section 10.4.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from http import HTTPStatus
from typing import NamedTuple

from radicale.xmlutils import make_clark

from kalends.common.budget import Budget
from kalends.dav.filters.reading import read_utc_range
from kalends.dav.xml.write import escaped_octets
from kalends.errors import (
    BodyRefusedError,
    BudgetSpentError,
    IcalendarSyntaxError,
    ObjectRefusedError,
    ReportRefusedError,
)
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.recurrence.days import FIRST_SECOND, LAST_SECOND
from kalends.ical.retrieval.expand import expand
from kalends.ical.retrieval.limit import limit_freebusy_set, limit_recurrence_set
from kalends.ical.retrieval.partial import ComponentSelection, select_lines, select_parts
from kalends.ical.stored_lines import parsing_steps, scanning_steps
from kalends.store.objects.read import ObjectRow

_COMP, _PROP, _ALLPROP, _ALLCOMP = (
    make_clark(f"C:{name}") for name in ("comp", "prop", "allprop", "allcomp")
)
_EXPAND, _RECURRENCE, _FREEBUSY = (
    make_clark(f"C:{name}") for name in ("expand", "limit-recurrence-set", "limit-freebusy-set")
)
_CARD_PROP = make_clark("CR:prop")
_CALENDAR_VERSIONS, _CARD_VERSIONS = ("2.0",), ("3.0", "4.0")
_MOST_LEVELS = 4  # of components in components; real calendars have three
# Octets that a step pays for: an object is parsed and written again, a card looked through.
_OCTETS_A_STEP = 16
_OCTETS_OF_CARD_A_STEP = 1000


class Window(NamedTuple):
    """A time range with both bounds, seconds since 1970, UTC; the end is exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class DataRequest:
    """The form in which a report asks for the data of objects.

    Attributes:
        parts: the components and properties that are wanted; None for all.
        expanded: the range whose instances are wanted instead of the object.
        overridden: the range that overrides must affect.
        busy: the range in which periods of a VFREEBUSY must lie.
        card: the properties of a card, True for one without its value; None for all.
    """

    parts: ComponentSelection | None = None
    expanded: Window | None = None
    overridden: Window | None = None
    busy: Window | None = None
    card: Mapping[str, bool] | None = None

    @property
    def is_whole(self) -> bool:
        """True if the data is wanted as it was stored."""
        return self == WHOLE


WHOLE = DataRequest()
"""The data as it was stored."""


def read_calendar_data(element: ET.Element) -> DataRequest:
    """Read a ``calendar-data`` of a report.

    Args:
        element: the element.

    Raises:
        ReportRefusedError: it is wanted in another format than iCalendar 2.0.
        BodyRefusedError: a component or a range is invalid (400).
    """
    _refuse_other_types(element, "text/calendar", _CALENDAR_VERSIONS, "C:supported-calendar-data")
    comp = element.find(_COMP)
    return DataRequest(
        None if comp is None else _selection(comp, 1),
        expanded=_window(element.find(_EXPAND)),
        overridden=_window(element.find(_RECURRENCE)),
        busy=_window(element.find(_FREEBUSY)),
    )


def read_address_data(element: ET.Element) -> DataRequest:
    """Read an ``address-data`` of a report.

    Args:
        element: the element.

    Raises:
        ReportRefusedError: it is wanted in another format than vCard.
        BodyRefusedError: a property has no name (400).
    """
    _refuse_other_types(element, "text/vcard", _CARD_VERSIONS, "CR:supported-address-data")
    named = element.findall(_CARD_PROP)
    return DataRequest(card=_properties(named) if named else None)


def read_window(element: ET.Element) -> Window:
    """Read the range of an expansion; without a bound, the budget alone limits it.

    Args:
        element: an element with ``start`` and ``end``.

    Raises:
        BodyRefusedError: a bound is not a time in UTC, or the range is empty (400).
    """
    window = read_utc_range(element)
    if window is None and (element.get("start") or element.get("end")):
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "A time range is invalid.")
    start, end = window or (None, None)
    return Window(FIRST_SECOND if start is None else start, LAST_SECOND if end is None else end)


class DataRenderer:
    """The data of objects in the form that a report asks for.

    Args:
        wanted: the form.
        zone: the time zone for times without one.
        budget: the limit of the work on all objects together.
        count: called for each instance before it is made, to refuse too many.
        keep_empty: whether an object without an instance in the range is answered; otherwise it is
            left out.
    """

    def __init__(
        self,
        wanted: DataRequest,
        zone: tzinfo,
        budget: Budget,
        count: Callable[[], None],
        *,
        keep_empty: bool,
    ) -> None:
        self._wanted = wanted
        self._zone = zone
        self._budget = budget
        self._count = count
        self._keep_empty = keep_empty

    def render(self, row: ObjectRow) -> str | None:
        """Return the data of an object, escaped for XML; None if it is to be left out.

        One that cannot be read is returned as it was stored.

        Raises:
            BudgetSpentError: the work on all objects is too much.
            ReportRefusedError: there are more instances than the server returns.
        """
        if self._wanted.card is not None:
            self._budget.draw(
                1 + len(row.data) // _OCTETS_OF_CARD_A_STEP + scanning_steps(row.data)
            )
            return escaped_octets(select_lines(row.data, self._wanted.card))
        self._budget.draw(1 + len(row.data) // _OCTETS_A_STEP + 2 * parsing_steps(row.data))
        try:
            (calendar,) = contentlines.parse(row.data.decode("utf-8"))
            with self._budget.for_object() as own:
                made = self._made(calendar, own)
        except (IcalendarSyntaxError, ObjectRefusedError, ValueError):
            return escaped_octets(row.data)
        except BudgetSpentError:
            if self._budget.is_spent:
                raise
            return escaped_octets(row.data)  # an earlier version stored it
        if self._wanted.expanded and not made.children and not self._keep_empty:
            return None
        if self._wanted.parts:
            made = select_parts(made, self._wanted.parts)
        return escaped_octets(contentlines.serialize([made]))

    def _made(self, calendar: Component, budget: Budget) -> Component:
        wanted = self._wanted
        if wanted.expanded:
            return expand(calendar, *wanted.expanded, self._zone, budget, self._count)
        if wanted.overridden:
            calendar = limit_recurrence_set(calendar, *wanted.overridden, self._zone)
        return limit_freebusy_set(calendar, *wanted.busy) if wanted.busy else calendar


def _window(element: ET.Element | None) -> Window | None:
    return None if element is None else read_window(element)


def _refuse_other_types(
    element: ET.Element, kind: str, versions: tuple[str, ...], precondition: str
) -> None:
    if element.get("content-type", kind).strip().lower() != kind or (
        element.get("version", versions[0]) not in versions
    ):
        why = f"objects are available as {kind}, version {' or '.join(versions)}"
        raise ReportRefusedError(precondition, why)


def _selection(element: ET.Element, level: int) -> ComponentSelection:
    if level > _MOST_LEVELS:
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "Components nest too deep.")
    if not len(element):  # as in the example of RFC 4791 section 7.8.1
        return ComponentSelection(_name(element))
    comps = [_selection(child, level + 1) for child in element.findall(_COMP)]
    return ComponentSelection(
        _name(element),
        None if element.find(_ALLPROP) is not None else _properties(element.findall(_PROP)),
        None if element.find(_ALLCOMP) is not None else {comp.name: comp for comp in comps},
    )


def _properties(elements: list[ET.Element]) -> dict[str, bool]:
    return {_name(prop): prop.get("novalue", "no") == "yes" for prop in elements}


def _name(element: ET.Element) -> str:
    name = element.get("name", "").strip().upper()
    if not name:
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "A component or property has no name.")
    return name
