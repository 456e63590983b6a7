"""Radicale's items on stored objects; vobject evaluates filters and changes nothing."""

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
    """An object as Radicale handles it, with the client's own text and time zones."""


def may_match(item: RadicaleItem, filters: list[ET.Element], tag: str) -> bool:
    """Return True if an item matches by Radicale's evaluation, or if that cannot read the item.

    One object that vobject does not understand must not spoil the answer about the others.

    Args:
        item: the item.
        filters: the filter elements of the request.
        tag: the kind of the collection.

    Raises:
        ValueError: the filter itself is invalid.
    """
    try:
        return all(test_filter(tag, item, one) for one in filters)
    except Exception as error:  # noqa: BLE001 - vobject and dateutil raise anything
        all(test_filter(tag, _plain_item(tag), one) for one in filters)
        _log.warning("%s: its filter cannot be evaluated: %s", item.path, error)
        return True


def _plain_item(tag: str) -> RadicaleItem:
    """Return an item on which every valid filter can be evaluated."""
    text = _PLAIN_CARD if tag == "VADDRESSBOOK" else _PLAIN_EVENT
    kind = "VCARD" if tag == "VADDRESSBOOK" else "VEVENT"
    return RadicaleItem(collection_path="plain", text=text, uid="plain", component_name=kind)


def content_of(item: radicale_item.Item, tag: str) -> CalendarObject:
    """Return the content to store of an item that Radicale made.

    Args:
        item: the item.
        tag: the kind of the collection.

    Raises:
        ValueError: its text may not be stored.
    """
    read = read_card if tag == "VADDRESSBOOK" else read_calendar_object
    try:
        return read(item.serialize().encode("utf-8"))
    except KalendsError as error:
        raise ValueError(str(error)) from error
