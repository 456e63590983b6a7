"""The limits of what requests consist of: hrefs, properties and filters. Pure."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection
from http import HTTPStatus

from radicale.xmlutils import make_clark

from kalends.dav.xml import limits
from kalends.dav.xml.parse import parse
from kalends.errors import BodyRefusedError
from kalends.limit_names import Limit

_HREF, _PROP, _COMP = (make_clark(name) for name in ("D:href", "D:prop", "C:comp"))
_SUPPORTED = {make_clark(f"{space}:filter"): f"{space}:supported-filter" for space in ("C", "CR")}
_LONGEST_TAG = len("{}") + 2 * limits.MAX_NAME


def parse_request(body: bytes, most_hrefs: int = limits.MAX_HREFS) -> ET.Element:
    """Return the root of a request's XML; everything in it is within the limits.

    Args:
        body: the body of the request.
        most_hrefs: how many hrefs it may have, for which it may have as many elements more.

    Raises:
        BodyRefusedError: something in it is beyond a limit (400, 403, 507); see also `parse`.
    """
    root = parse(body, most_hrefs + limits.MAX_OTHER_ELEMENTS)
    # Hrefs are the reader's; they mostly come last, and there may be thousands.
    hrefs = len(root.findall(_HREF))
    others = root[: len(root) - hrefs]
    if hrefs and any(child.tag == _HREF for child in others):
        others = [child for child in root if child.tag != _HREF]
    _check_filters(others)
    _check_names(others)
    return root


def check_hrefs(hrefs: Collection[str], most: int) -> None:
    """Refuse many hrefs, and long ones.

    Args:
        hrefs: the different ones of a request.
        most: how many there may be.

    Raises:
        BodyRefusedError: there are too many (507), or one is too long (400).
    """
    if len(hrefs) > most:
        why = f"more than {most} hrefs in one request"
        raise BodyRefusedError(
            HTTPStatus.INSUFFICIENT_STORAGE,
            why,
            "D:number-of-matches-within-limits",
            limit=Limit.HREFS,
        )
    if max(map(len, hrefs), default=0) > limits.MAX_HREF:
        why = f"an href of more than {limits.MAX_HREF} characters"
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, why, limit=Limit.HREF_LENGTH)


def _check_filters(others: list[ET.Element]) -> None:
    """Refuse filters with many elements or long texts (RFC 4791 7.8, RFC 6352 8.6)."""
    count = 0
    for root in others:
        precondition = _SUPPORTED.get(root.tag)
        for element in root.iter() if precondition else ():
            count += 1
            if count > limits.MAX_FILTERS:
                why = f"more than {limits.MAX_FILTERS} elements in a filter"
                raise BodyRefusedError(
                    HTTPStatus.FORBIDDEN, why, precondition, limit=Limit.FILTER_ELEMENTS
                )
            if max(map(len, (element.text or "", *element.attrib.values()))) > (
                limits.MAX_TEXT_MATCH
            ):
                why = f"more than {limits.MAX_TEXT_MATCH} characters in a filter"
                raise BodyRefusedError(
                    HTTPStatus.FORBIDDEN, why, precondition, limit=Limit.FILTER_TEXT
                )


def _check_names(others: list[ET.Element]) -> None:
    """Refuse many properties, and names that would be repeated for each resource."""
    count = 0
    for root in others:
        tags = [element.tag for element in root.iter()]
        count += len(tags)
        if count > limits.MAX_PROPERTIES:
            why = f"more than {limits.MAX_PROPERTIES} properties in one request"
            raise BodyRefusedError(HTTPStatus.FORBIDDEN, why, limit=Limit.PROPERTIES)
        if max(map(len, tags)) > _LONGEST_TAG:
            why = f"a name of more than {limits.MAX_NAME} characters"
            raise BodyRefusedError(HTTPStatus.BAD_REQUEST, why, limit=Limit.XML_NAMES)
