"""Readers for stored objects and cards, which may be older than the rules of today."""

from __future__ import annotations

import re

from kalends.errors import IcalendarSyntaxError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.encoding import decode_stored

_CARD = re.compile(rb"BEGIN:VCARD[ \t]*[\r\n]", re.IGNORECASE)
_END = b"END:VCARD"


def read_stored_card(data: bytes) -> bytes:
    """Return a stored card as UTF-8, stripped, without the characters that `parse` refuses.

    Args:
        data: its octets.

    Raises:
        IcalendarSyntaxError: it has no beginning or no end: it would spoil the cards beside it.
    """
    card = data.strip()
    if not _CARD.match(card) or card[-len(_END) :].upper() != _END:
        raise IcalendarSyntaxError(1, "it is not a card")
    return decode_stored(card).encode()


def read_stored(data: bytes) -> Component:
    """Return the VCALENDAR of a stored object, without the characters that `parse` refuses.

    Args:
        data: its octets.

    Raises:
        IcalendarSyntaxError: it cannot be read, or is not one calendar.
    """
    found = contentlines.parse(decode_stored(data))
    if len(found) != 1 or found[0].name != "VCALENDAR":
        raise IcalendarSyntaxError(1, "it is not exactly one VCALENDAR")
    return found[0]
