"""The body of a PROPFIND as data (RFC 4918 section 9.1); other shapes are left to Radicale."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import lru_cache

from radicale.xmlutils import make_clark

from kalends.dav.xml.parse import parse

CALENDAR_DATA = make_clark("C:calendar-data")
ADDRESS_DATA = make_clark("CR:address-data")

_PROPFIND = make_clark("D:propfind")
_PROP = make_clark("D:prop")
_SHORT = 2048


@dataclass(frozen=True, slots=True)
class Propfind:
    """A PROPFIND for properties by name, each as ``{namespace}name``."""

    props: tuple[str, ...]


def read_propfind(body: bytes) -> Propfind | None:
    """Parse a PROPFIND for named properties; return None for other shapes and malformed XML."""
    return (_short_propfind if len(body) <= _SHORT else _propfind)(body)


def _propfind(body: bytes) -> Propfind | None:
    root = parse(body)
    props = _props(root) if root is not None and root.tag == _PROPFIND and len(root) == 1 else None
    return None if props is None else Propfind(props)


# Clients send the same few bodies over and over.
_short_propfind = lru_cache(maxsize=512)(_propfind)


def _props(root: ET.Element) -> tuple[str, ...] | None:
    """Return the names in the only ``prop``; None if one of them has content or attributes."""
    found = root.findall(_PROP)
    if len(found) != 1:
        return None
    for prop in found[0]:
        if len(prop) or (prop.attrib and prop.tag in (CALENDAR_DATA, ADDRESS_DATA)):
            return None
    return tuple(dict.fromkeys(prop.tag for prop in found[0]))
