"""The checks of values that clients set for live properties."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from http import HTTPStatus

from radicale.xmlutils import make_clark

from kalends.dav.properties.stored import Value, read_value
from kalends.errors import KalendsError, ObjectRefusedError
from kalends.ical.timezones.setting import read_timezone_setting
from kalends.ical.validate import STORED_COMPONENTS

_COMP, _HREF = make_clark("C:comp"), make_clark("D:href")
_TRANSPARENT = frozenset(make_clark(name) for name in ("C:opaque", "C:transparent"))


class PropertyRefusedError(KalendsError):
    """A property that cannot be set to a value (RFC 4918 section 9.2.1).

    Args:
        why: the reason, for a person.
        precondition: Radicale's short name of the precondition that it fails, or None.
        status: the status of the property.
    """

    def __init__(
        self, why: str, precondition: str | None = None, status: HTTPStatus = HTTPStatus.CONFLICT
    ) -> None:
        self.why = why
        self.precondition = precondition
        self.status = status
        super().__init__(why)


def text_alone(given: ET.Element) -> Value:
    """Return a value that is text without elements."""
    if len(given):
        raise PropertyRefusedError("the value is text, without elements")
    return read_value(given)


def time_zone(given: ET.Element) -> Value:
    """Return a VCALENDAR with one VTIMEZONE (RFC 4791 section 5.2.2)."""
    value = text_alone(given)
    try:
        read_timezone_setting(value.text or "")
    except ObjectRefusedError as error:
        status = HTTPStatus.FORBIDDEN
        raise PropertyRefusedError(error.why, "C:valid-calendar-data", status) from error
    return value


def transparency(given: ET.Element) -> Value:
    """Return one of ``opaque`` and ``transparent`` (RFC 6638 section 9.1)."""
    if len(given) != 1 or given[0].tag not in _TRANSPARENT:
        raise PropertyRefusedError("the value is one of opaque and transparent")
    return read_value(given)


def components(given: ET.Element) -> Value:
    """Return the types of components that a calendar is to accept (RFC 4791 section 5.2.3)."""
    names = [(comp.get("name") or "").upper() for comp in given.findall(_COMP)]
    if not STORED_COMPONENTS.issuperset(names):
        why = f"a calendar holds {', '.join(sorted(STORED_COMPONENTS))} alone"
        raise PropertyRefusedError(why, "C:supported-calendar-component", HTTPStatus.FORBIDDEN)
    return Value(",".join(dict.fromkeys(names)))


def source(given: ET.Element) -> Value:
    """Return the address of a calendar elsewhere."""
    return Value((given.findtext(_HREF) or given.text or "").strip())
