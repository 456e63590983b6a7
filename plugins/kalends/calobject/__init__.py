"""What a calendar object or card is, whether it may be stored, and what the index knows of it."""

from kalends.calobject.inspect import CalendarObject, read_calendar_object, read_card
from kalends.calobject.intervals import Interval, happens
from kalends.calobject.occurrences import last_end, local_range
from kalends.calobject.series import FOREVER
from kalends.calobject.split import Refused, SplitCalendar, split_calendar, split_cards, split_file
from kalends.calobject.zones import zone_in

__all__ = [
    "FOREVER",
    "CalendarObject",
    "Interval",
    "Refused",
    "SplitCalendar",
    "happens",
    "last_end",
    "local_range",
    "read_calendar_object",
    "read_card",
    "split_calendar",
    "split_cards",
    "split_file",
    "zone_in",
]
