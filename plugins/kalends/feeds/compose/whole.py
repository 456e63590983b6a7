"""A whole calendar or address book as one file: pure, for the machinery of feeds."""

from __future__ import annotations

from collections.abc import Mapping

from kalends.feeds.compose.render import render_lines
from kalends.feeds.compose.timezones import ZoneDefinition
from kalends.feeds.compose.visibility import VisibleObject
from kalends.feeds.definitions.model import Rules
from kalends.ical.contentlines import escape
from kalends.ical.stored_text import read_stored_card
from kalends.ical.validate import STORED_COMPONENTS
from kalends.store.feed_queries import CalendarState
from kalends.store.objects.read import ObjectRow

CARD = ("VCARD",)

_CALENDAR_RULES = Rules(
    title="",  # the calendar's own name, which can change without a change of its objects
    private="show",
    components=tuple(sorted(STORED_COMPONENTS)),
    alarms=True,
    whole=True,
)
RULES = {
    "VCALENDAR": _CALENDAR_RULES,
    "VADDRESSBOOK": Rules(title="", private="show", components=CARD, whole=True),
}
"""The rules by which a collection of each kind is shown to those who may read it."""


def whole_card(stored: ObjectRow, path: str) -> VisibleObject:
    """Return a card as an address book shows it.

    Raises:
        IcalendarSyntaxError: it is not a card: an earlier version stored it.
    """
    read_stored_card(stored.data)
    return VisibleObject(stored, path, stored.uid, [], {}, is_private=False)


def render_card(copy: VisibleObject) -> bytes:
    """Return the text of a card."""
    return read_stored_card(copy.stored.data) + b"\r\n"


def render_whole_head(
    calendar: CalendarState,
    color: str,
    zones: Mapping[ZoneDefinition, bytes],
    names: Mapping[ZoneDefinition, str],
) -> bytes:
    """Return the text before the objects of a calendar: its name, colour and time zones.

    Args:
        calendar: the calendar.
        color: ``#RRGGBB``, or empty.
        zones: the text of each definition, from `timezones.definition_text`.
        names: the TZID of each definition.
    """
    name = calendar.props.get("D:displayname", "")
    description = calendar.props.get("C:calendar-description", "")
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Kalends//Kalends//EN"]
    lines += ["CALSCALE:GREGORIAN"]
    lines += [f"X-WR-CALNAME:{escape(name)}", f"NAME:{escape(name)}"] if name else []
    lines += [f"X-WR-CALDESC:{escape(description)}"] if description else []
    return render_lines(lines, color, zones, names)
