"""Objects as Radicale handles them: what vobject is still asked, and what it must not touch."""

from __future__ import annotations

import logging
import xml.etree.ElementTree as ET

from radicale import item as radicale_item
from radicale.app.report import test_filter

from kalends.adapters.radicale_compat import ItemBase
from kalends.errors import KalendsError
from kalends.ical.validate import CalendarObject, read_calendar_object, read_card

_log = logging.getLogger("kalends.storage")

_PLAIN_EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:plain\r\n"
    "DTSTART:20200101T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
_PLAIN_CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:plain\r\nFN:Plain\r\nEND:VCARD\r\n"


class RadicaleItem(ItemBase):
    """An object as Radicale handles it: the text is the client's, and so is every time zone."""


def may_match(item: RadicaleItem, filters: list[ET.Element], tag: str) -> bool:
    """Whether an item matches, by Radicale's own evaluation; true where that cannot read it.

    One object that vobject does not understand must not spoil the answer about the others.

    Raises:
        ValueError: it is the filter that makes no sense.
    """
    try:
        return all(test_filter(tag, item, one) for one in filters)
    except Exception as error:  # noqa: BLE001 - vobject and dateutil raise anything
        all(test_filter(tag, _plain_item(tag), one) for one in filters)
        _log.warning("%s: its filter cannot be evaluated: %s", item.path, error)
        return True


def _plain_item(tag: str) -> RadicaleItem:
    """An item that every sensible filter can be evaluated on."""
    text = _PLAIN_CARD if tag == "VADDRESSBOOK" else _PLAIN_EVENT
    kind = "VCARD" if tag == "VADDRESSBOOK" else "VEVENT"
    return RadicaleItem(collection_path="plain", text=text, uid="plain", component_name=kind)


def content_of(item: radicale_item.Item, tag: str) -> CalendarObject:
    """What is stored of an item that Radicale made.

    Raises:
        ValueError: its text is not what may be stored.
    """
    read = read_card if tag == "VADDRESSBOOK" else read_calendar_object
    try:
        return read(item.serialize().encode("utf-8"))
    except KalendsError as error:
        raise ValueError(str(error)) from error
