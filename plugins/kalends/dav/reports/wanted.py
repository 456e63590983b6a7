"""The properties that a report asks for, read from its XML (RFC 4791 section 9.5)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from http import HTTPStatus

from radicale.xmlutils import make_clark

from kalends.dav.calendar_data import WHOLE, DataRequest, read_address_data, read_calendar_data
from kalends.dav.properties.object import ALL_PROPERTIES, EVERY_PROPERTY
from kalends.dav.xml.requests import ADDRESS_DATA, CALENDAR_DATA
from kalends.errors import BodyRefusedError

_PROP, _ALLPROP, _PROPNAME = (make_clark(f"D:{name}") for name in ("prop", "allprop", "propname"))
_DATA = {CALENDAR_DATA: read_calendar_data, ADDRESS_DATA: read_address_data}


@dataclass(frozen=True, slots=True)
class WantedProperties:
    """The properties that a report asks for.

    Attributes:
        tags: their names as ``{namespace}name``.
        data: the form in which the objects' data is wanted.
        names_only: True if their values are not wanted.
        all_dead: True if all dead properties are wanted besides.
    """

    tags: tuple[str, ...] = ()
    data: DataRequest = WHOLE
    names_only: bool = False
    all_dead: bool = False


def read_wanted(root: ET.Element) -> WantedProperties:
    """Read the ``prop``, ``allprop`` or ``propname`` of a report; none of them asks for nothing.

    Args:
        root: the report.

    Raises:
        ReportRefusedError: the data is wanted in an unsupported form.
        BodyRefusedError: the form of the data is invalid, or there are two lists of properties.
    """
    lists = root.findall(_PROP)
    if len(lists) > 1:
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "a report has one prop")
    prop = next(iter(lists), None)
    if prop is None:
        if root.find(_ALLPROP) is not None:
            return WantedProperties(ALL_PROPERTIES, all_dead=True)
        if root.find(_PROPNAME) is not None:
            return WantedProperties(EVERY_PROPERTY, names_only=True, all_dead=True)
        return WantedProperties()
    data = next((_DATA[child.tag](child) for child in prop if child.tag in _DATA), WHOLE)
    return WantedProperties(tuple(dict.fromkeys(child.tag for child in prop)), data)
