"""The methods that are answered, and the kinds of resources that have each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from kalends.dav.context import Reading, Writing
from kalends.dav.message import Response
from kalends.dav.methods.acl import acl
from kalends.dav.methods.delete import delete
from kalends.dav.methods.get import get
from kalends.dav.methods.mkcol import mkcalendar, mkcol
from kalends.dav.methods.propfind import propfind
from kalends.dav.methods.proppatch import proppatch
from kalends.dav.methods.put import put
from kalends.dav.methods.relocate import copy, move
from kalends.dav.methods.relocation_rules import RELOCATED
from kalends.dav.reports.report import report
from kalends.dav.resource import EXISTING, LEAVES, OBJECTS, Kind

Answer = Response | Callable[[], Response]
"""A response, or a function that makes it once the snapshot is closed."""


class ReadMethod(NamedTuple):
    """A method that changes nothing (RFC 9110 section 9.2.1).

    Attributes:
        kinds: the kinds of resources that have it.
        answer: answers it, within a snapshot.
        has_body: True if its body matters.
    """

    kinds: frozenset[Kind]
    answer: Callable[[Reading], Answer]
    has_body: bool = True


class WriteMethod(NamedTuple):
    """A method that changes something.

    Attributes:
        kinds: the kinds of resources that have it; `Kind.UNMAPPED` if it makes some.
        answer: answers it, and opens the transaction itself.
        has_object: True if its body is an object or a whole collection, not XML.
        needs_write: False if the user need not be able to change the resource itself.
    """

    kinds: frozenset[Kind]
    answer: Callable[[Writing], Response]
    has_object: bool = False
    needs_write: bool = True


_GET = ReadMethod(OBJECTS | {Kind.CALENDAR, Kind.ADDRESS_BOOK}, get, has_body=False)
METHODS: Mapping[str, ReadMethod | WriteMethod] = {
    "GET": _GET,
    "HEAD": _GET,
    "PROPFIND": ReadMethod(EXISTING, propfind),
    "REPORT": ReadMethod(EXISTING, report),
    "ACL": ReadMethod(EXISTING, acl),
    "PROPPATCH": WriteMethod(EXISTING, proppatch),
    "MKCOL": WriteMethod(frozenset({Kind.UNMAPPED}), mkcol),
    "MKCALENDAR": WriteMethod(EXISTING | {Kind.UNMAPPED}, mkcalendar),
    "PUT": WriteMethod(OBJECTS | LEAVES | {Kind.UNMAPPED}, put, has_object=True),
    "COPY": WriteMethod(RELOCATED, copy, needs_write=False),
    "MOVE": WriteMethod(RELOCATED, move),
    "DELETE": WriteMethod(OBJECTS | LEAVES | {Kind.FOLDER, Kind.HOME}, delete),
}


def allowed(kind: Kind | None) -> str:
    """Return the value of Allow (RFC 9110 section 10.2.1).

    Args:
        kind: the kind of the resource; None for every method that some resource has.
    """
    names = [name for name, row in METHODS.items() if kind is None or kind in row.kinds]
    return ", ".join(["OPTIONS", *names])
