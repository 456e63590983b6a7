"""The body of a PROPFIND as data (RFC 4918 section 9.1)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from http import HTTPStatus

from radicale.xmlutils import make_clark

from kalends.common.bounded_cache import BoundedCache
from kalends.dav.xml.parts import parse_request
from kalends.errors import BodyRefusedError

CALENDAR_DATA = make_clark("C:calendar-data")
ADDRESS_DATA = make_clark("CR:address-data")

SHORT = 2048
"""Octets of the longest body that is cached as data: clients send the same few over and over."""

_PROPFIND = make_clark("D:propfind")
_PROP, _ALLPROP = make_clark("D:prop"), make_clark("D:allprop")
_PROPNAME, _INCLUDE = make_clark("D:propname"), make_clark("D:include")


@dataclass(frozen=True, slots=True)
class Propfind:
    """A PROPFIND.

    Attributes:
        props: the names of the properties, each as ``{namespace}name``; None for all properties.
        names_only: True if their values are not asked for.
        include: the names of properties that are wanted besides all (RFC 4918 section 9.1).
    """

    props: tuple[str, ...] | None
    names_only: bool = False
    include: tuple[str, ...] = ()


_kept: BoundedCache[bytes, Propfind] = BoundedCache(4 << 20)  # octets, a thousand bodies at least


def read_propfind(body: bytes) -> Propfind:
    """Parse a PROPFIND; an empty one asks for all properties.

    Raises:
        BodyRefusedError: it is malformed, beyond a limit, or not a propfind (400).
    """
    if not body:
        return Propfind(None)
    found = _kept.get(body) if len(body) <= SHORT else None
    if found is None:
        found = _propfind(body)
        if len(body) <= SHORT:
            names = (*(found.props or ()), *found.include)
            _kept.put(body, found, len(body) + sum(map(len, names)))
    return found


def _propfind(body: bytes) -> Propfind:
    root = parse_request(body)
    if root.tag != _PROPFIND:
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "the XML is not a propfind with content")
    # Elements that are not known are ignored (RFC 4918 section 17).
    parts = {part.tag: part for part in root if part.tag in (_PROP, _ALLPROP, _PROPNAME)}
    if len(parts) != 1 or sum(part.tag in parts for part in root) != 1:
        why = "a propfind holds exactly one of prop, allprop and propname"
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, why)
    (asked,) = parts.values()
    if asked.tag == _PROP:
        return Propfind(_names(asked))
    include = root.find(_INCLUDE)
    if asked.tag == _PROPNAME:
        return Propfind(None, names_only=True)
    return Propfind(None, include=() if include is None else _names(include))


def _names(element: ET.Element) -> tuple[str, ...]:
    return tuple(dict.fromkeys([prop.tag for prop in element]))
