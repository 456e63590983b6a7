"""What a calendar object or card is, whether it may be stored, and what the index knows of it."""

from kalends.calobject.inspect import CalendarObject, read_calendar_object, read_card
from kalends.calobject.split import Refused, SplitCalendar, split_calendar, split_cards, split_file

__all__ = [
    "CalendarObject",
    "Refused",
    "SplitCalendar",
    "read_calendar_object",
    "read_card",
    "split_calendar",
    "split_cards",
    "split_file",
]
