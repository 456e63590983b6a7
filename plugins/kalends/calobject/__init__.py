"""What a calendar object or card is, whether it may be stored, and what the index knows of it."""

from kalends.calobject.expansion import Budget
from kalends.calobject.inspect import CalendarObject, read_calendar_object, read_card
from kalends.calobject.intervals import Interval, begins_twice, happens
from kalends.calobject.joining import with_occurrences
from kalends.calobject.occurrences import Occurrence, last_end, local_range, parts_between
from kalends.calobject.pieces import Refused
from kalends.calobject.shapes import FOREVER
from kalends.calobject.split import SplitCalendar, split_calendar, split_cards, split_file
from kalends.calobject.zones import iana_zone, zone_in

__all__ = [
    "FOREVER",
    "Budget",
    "CalendarObject",
    "Interval",
    "Occurrence",
    "Refused",
    "SplitCalendar",
    "begins_twice",
    "happens",
    "iana_zone",
    "last_end",
    "local_range",
    "parts_between",
    "read_calendar_object",
    "read_card",
    "split_calendar",
    "split_cards",
    "split_file",
    "with_occurrences",
    "zone_in",
]
