"""The body of a PROPFIND as data (RFC 4918 section 9.1); other shapes are left to Radicale."""

from __future__ import annotations

from dataclasses import dataclass

from radicale.xmlutils import make_clark

from kalends.common.bounded_cache import BoundedCache
from kalends.dav.xml.parts import parse_request

CALENDAR_DATA = make_clark("C:calendar-data")
ADDRESS_DATA = make_clark("CR:address-data")

SHORT = 2048
"""Octets of the longest body that is cached as data: clients send the same few over and over."""

_PROPFIND = make_clark("D:propfind")
_PROP = make_clark("D:prop")


@dataclass(frozen=True, slots=True)
class Propfind:
    """A PROPFIND.

    Attributes:
        props: the names of the properties, each as ``{namespace}name``; None for all properties.
        names_only: True if their values are not asked for.
    """

    props: tuple[str, ...] | None
    names_only: bool = False


_ALL_PROPERTIES = {
    make_clark("D:allprop"): Propfind(None),
    make_clark("D:propname"): Propfind(None, names_only=True),
}
_kept: BoundedCache[bytes, Propfind] = BoundedCache(4 << 20)  # octets, a thousand bodies at least


def read_propfind(body: bytes) -> Propfind | None:
    """Parse a PROPFIND; return None for other shapes. An empty one asks for all properties.

    Raises:
        BodyRefusedError: it is malformed or beyond a limit.
    """
    if not body:
        return Propfind(None)
    found = _kept.get(body) if len(body) <= SHORT else None
    if found is None:
        found = _propfind(body)
        if len(body) <= SHORT and found is not None:
            _kept.put(body, found, len(body) + sum(map(len, found.props or ())))
    return found


def _propfind(body: bytes) -> Propfind | None:
    root = parse_request(body)
    if root.tag != _PROPFIND or len(root) != 1:
        return None
    asked = root[0]
    if asked.tag == _PROP:
        return Propfind(tuple(dict.fromkeys([prop.tag for prop in asked])))
    return _ALL_PROPERTIES.get(asked.tag)
