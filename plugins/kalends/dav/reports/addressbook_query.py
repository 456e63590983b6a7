"""addressbook-query: the cards that match a filter (RFC 6352 section 8.6)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import UTC
from http import HTTPStatus

from radicale.xmlutils import make_clark

from kalends.dav.filters.card import CardMatcher
from kalends.dav.filters.model import CardFilter
from kalends.dav.filters.read_card import read_card_filter
from kalends.dav.reports.target import ReportTarget
from kalends.dav.reports.wanted import WantedProperties, read_wanted
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.errors import BodyRefusedError, ReportRefusedError
from kalends.store.objects import read

_FILTER = make_clark("CR:filter")
_LIMIT = f"{make_clark('CR:limit')}/{make_clark('CR:nresults')}"
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class AddressbookQuery:
    """An addressbook-query.

    Attributes:
        wanted: the properties to return.
        filter: the filter; some clients send none, and mean all cards.
        most: the most cards that the client wants; None without a limit.
    """

    wanted: WantedProperties
    filter: CardFilter
    most: int | None


def read_addressbook_query(root: ET.Element) -> AddressbookQuery:
    """Read an addressbook-query.

    Args:
        root: the ``addressbook-query`` element.

    Raises:
        ReportRefusedError: the filter is invalid, or something in it is unsupported.
        BodyRefusedError: the limit, or the form of the data, is invalid.
    """
    filters = root.findall(_FILTER)
    if len(filters) > 1:
        raise ReportRefusedError("CR:supported-filter", "there is more than one filter")
    wanted = read_card_filter(filters[0]) if filters else CardFilter()
    return AddressbookQuery(read_wanted(root), wanted, _limit(root.findtext(_LIMIT)))


def write_addressbook_query(
    target: ReportTarget, asked: AddressbookQuery, buffer: ResponseBuffer
) -> None:
    """Write the cards that match, as many as are wanted, and 507 if there are more."""
    objects = target.objects(asked.wanted, UTC, is_query=True)
    matcher = CardMatcher(asked.filter, target.budget)
    rows = target.named_object()
    if target.includes_members():
        needs_data = objects.needs_data or bool(asked.filter.props)
        rows = read.all_objects(target.connection, target.view.row.id, data=needs_data)
    found = 0
    for row in rows:
        if not matcher.matches(row.data):
            continue
        found += 1
        if asked.most is not None and found > asked.most:
            path = target.request.prefix + target.request.path
            buffer.write(write.truncated(path))
            return
        buffer.write(objects.response(row))


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS) or int(text) == 0:
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "nresults is not a number above 0.")
    return int(text)
