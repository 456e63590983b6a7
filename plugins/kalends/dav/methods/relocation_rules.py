"""The rules of copying and moving (RFC 4918 sections 9.8 and 9.9, RFC 4791, RFC 6352)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from radicale.xmlutils import make_href
from sqlalchemy import Connection

from kalends.dav import errors
from kalends.dav.context import Writing
from kalends.dav.message import Response
from kalends.dav.resource import LEAVES, OBJECTS, PLAIN, Kind, Resource, kind_of_collection
from kalends.store.objects import read

_HOMES = frozenset({Kind.HOME, Kind.GROUP_HOME})
_PLACES: Mapping[Kind, frozenset[Kind]] = {
    Kind.CALENDAR_OBJECT: frozenset({Kind.CALENDAR}),
    Kind.CARD: frozenset({Kind.ADDRESS_BOOK}),
    Kind.FILE: frozenset({Kind.FOLDER}),
    Kind.FOLDER: frozenset({Kind.HOME, Kind.FOLDER}),
    **dict.fromkeys(LEAVES, _HOMES),
}
"""The kinds of collections that each kind of resource may be in."""

RELOCATED = frozenset(_PLACES)
"""The kinds of resources that can be copied and moved."""

_OTHER_DATA = {
    Kind.CALENDAR: "C:supported-calendar-data",
    Kind.ADDRESS_BOOK: "CR:supported-address-data",
}
_OTHER_PLACE = {
    Kind.CALENDAR: "C:calendar-collection-location-ok",
    Kind.ADDRESS_BOOK: "CR:addressbook-collection-location-ok",
}
_CONFLICTS = {Kind.CALENDAR_OBJECT: "C:no-uid-conflict", Kind.CARD: "CR:no-uid-conflict"}


def find_refusal(
    call: Writing, connection: Connection, source: Resource, target: Resource, *, moves: bool
) -> Response | None:
    """Return why a resource cannot be copied or moved to a path; None if it can.

    Args:
        call: the request.
        connection: the transaction to read in.
        source: the resource, as it is now.
        target: the destination, as it is now.
        moves: True for a MOVE.
    """
    if source.kind not in RELOCATED:  # deleted meanwhile
        return errors.as_answer(errors.plain(HTTPStatus.NOT_FOUND))
    one, other = f"{source.path}/", f"{target.path}/"
    if one.startswith(other) or other.startswith(one):
        return _forbidden(None, "source and destination are the same, or one is in the other")
    if not _may_write(source, target):
        return errors.as_answer(errors.forbidden(call.request.prefix, target))
    if target.parent is None:
        why = "the collection above the destination does not exist"
        return errors.as_answer(errors.precondition(HTTPStatus.CONFLICT, None, why))
    above = kind_of_collection(target.parent)
    if above not in _PLACES[source.kind]:
        return _other_place(source, above)
    if target.kind in PLAIN - {Kind.FOLDER}:
        return _forbidden(None, "the destination is a home")
    if target.row is not None and not call.context.limits.permit_delete_collection:
        return _forbidden(None, "the configuration lets no program replace a collection")
    if source.kind in _CONFLICTS:
        return _object_refusal(call, connection, source, target, moves=moves)
    return None


def _may_write(source: Resource, target: Resource) -> bool:
    """Return True if the user may make such a resource there, and delete what is there."""
    if target.exists and not target.may_write:
        return False
    if source.row is None:
        return "w" in target.above
    return ("w" if source.row.tag else "W") in target.here


def _other_place(source: Resource, above: Kind) -> Response:
    if source.kind in OBJECTS:
        return _forbidden(_OTHER_DATA.get(above), "the collection there does not hold such objects")
    why = "such a collection cannot be there: calendars and address books are directly in a home"
    return _forbidden(_OTHER_PLACE.get(source.kind), why)


def _object_refusal(
    call: Writing, connection: Connection, source: Resource, target: Resource, *, moves: bool
) -> Response | None:
    parent, stored = target.parent, source.object
    assert parent is not None
    assert stored is not None
    taken = parent.components
    if source.kind is Kind.CALENDAR_OBJECT and taken is not None and stored.component not in taken:
        why = f"the calendar does not accept {stored.component}"
        return _forbidden("C:supported-calendar-component", why)
    holder = read.find_href_by_uid(connection, parent.id, stored.uid)
    is_source = moves and stored.collection_id == parent.id and holder == stored.href
    if target.object is not None and target.object.uid != stored.uid:
        holder = target.name  # RFC 4791 section 5.3.2.1: nor is another UID replaced
    elif holder in (None, target.name) or is_source:
        return None
    href = make_href(call.request.prefix, f"/{parent.path}/{holder}")
    why = "another object of the collection has this UID, or the one there has another"
    answer = errors.precondition(HTTPStatus.CONFLICT, _CONFLICTS[source.kind], why, href)
    return errors.as_answer(answer)


def _forbidden(element: str | None, why: str) -> Response:
    return errors.as_answer(errors.precondition(HTTPStatus.FORBIDDEN, element, why))
