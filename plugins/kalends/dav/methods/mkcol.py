"""MKCALENDAR, MKCOL and extended MKCOL (RFC 4791 5.3.1, RFC 4918 9.3, RFC 5689, RFC 6352 6.3.1)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from http import HTTPStatus

from radicale.xmlutils import make_clark

from kalends.dav import errors
from kalends.dav.context import Writing
from kalends.dav.message import Response
from kalends.dav.properties.patch import Instruction, Patched, apply, read_instructions
from kalends.dav.properties.setters import PropertyRefusedError
from kalends.dav.resource import LEAVES, PRINCIPALS, Kind, Resource, kind_of_collection
from kalends.dav.xml import write
from kalends.dav.xml.parts import parse_request
from kalends.errors import BodyRefusedError
from kalends.events import Change

_COLLECTION, _RESOURCE_TYPE = make_clark("D:collection"), make_clark("D:resourcetype")
_TAGS: Mapping[frozenset[str], str] = {
    frozenset({_COLLECTION, *(make_clark(name) for name in more)}): tag
    for more, tag in (
        ((), ""),
        (("C:calendar",), "VCALENDAR"),
        (("CR:addressbook",), "VADDRESSBOOK"),
        (("CS:subscribed",), "VSUBSCRIBED"),
    )
}
_LOCATION = {"VADDRESSBOOK": "CR:addressbook-collection-location-ok"}
_IS_XML = ("text/xml", "application/xml")
_NO_CACHE = {"Cache-Control": "no-cache"}


def mkcalendar(call: Writing) -> Response:
    """Make a calendar (RFC 4791 section 5.3.1).

    Raises:
        BodyRefusedError: the body is not a mkcalendar (400).
    """
    root = parse_request(call.body) if call.body else None
    if root is not None and root.tag != make_clark("C:mkcalendar"):
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "the XML is not a mkcalendar")
    instructions = read_instructions(root) if root is not None else []
    return _make(call, "VCALENDAR", instructions, "C:mkcalendar-response")


def mkcol(call: Writing) -> Response:
    """Make a folder, a calendar, an address book, or the address of a calendar elsewhere.

    Raises:
        BodyRefusedError: the body is not XML, or not a mkcol (415), or malformed (400).
    """
    root = _body(call)
    tag: str | None = ""
    instructions: list[Instruction] = []
    for one in read_instructions(root) if root is not None else []:
        if one.tag == _RESOURCE_TYPE and one.given is not None:
            tag = _TAGS.get(frozenset(child.tag for child in one.given))
        else:
            instructions.append(one)
    if tag is None:
        why = "a collection is a folder, a calendar, an address book or a subscription"
        refusal = PropertyRefusedError(why, "D:valid-resourcetype", HTTPStatus.FORBIDDEN)
        named = [_RESOURCE_TYPE, *(one.tag for one in instructions)]
        refused = Patched({}, {_RESOURCE_TYPE: refusal}, tuple(dict.fromkeys(named)))
        return _refused(refused, "D:mkcol-response")
    return _make(call, tag, instructions, "D:mkcol-response")


def _body(call: Writing) -> ET.Element | None:
    if not call.body:
        return None
    stated = (call.request.header("CONTENT_TYPE") or "").partition(";")[0].strip().lower()
    root = None
    try:
        # A browser names plain text as the type of whatever a page sends.
        root = parse_request(call.body)
    except BodyRefusedError:
        if not stated or stated in _IS_XML or stated.endswith("+xml"):
            raise
    if root is None or root.tag != make_clark("D:mkcol"):
        why = "the body of a MKCOL is XML, with a mkcol as its root"
        raise BodyRefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, why)
    return root


def _make(call: Writing, tag: str, instructions: list[Instruction], response: str) -> Response:
    """Make a collection, or return why not; nothing is made if a property cannot be set."""
    storage, path = call.context.storage, call.resource.path
    patched = apply({"tag": tag} if tag else {}, instructions, creating=True)
    with call.transaction() as now:
        refusal = _refusal(call, now, tag)
        if refusal:
            return refusal
        if patched.refused:
            return _refused(patched, response)
        storage.create(path, patched.props)
        storage.record(Change(path, "collection"))
    return Response(HTTPStatus.CREATED, {**_NO_CACHE, "Content-Length": "0"})


def _refusal(call: Writing, now: Resource, tag: str) -> Response | None:
    """Return why nothing can be made at a path, in the order of RFC 4918 section 9.3.1."""
    if now.exists:  # MKCOL of such a path is not in its list of methods
        why = "there is something at this path already"
        return _precondition(HTTPStatus.FORBIDDEN, "D:resource-must-be-null", why)
    if now.parent is None:
        why = "the collection above this path does not exist"
        return _precondition(HTTPStatus.CONFLICT, None, why)
    above = kind_of_collection(now.parent)
    if above in LEAVES or (tag and above not in PRINCIPALS):
        element = _LOCATION.get(tag or now.parent.tag, "C:calendar-collection-location-ok")
        why = "calendars and address books are directly in a home, and hold no collections"
        return _precondition(HTTPStatus.FORBIDDEN, element, why)
    if above in (Kind.ROOT, Kind.GROUPS) or ("w" if tag else "W") not in now.here:
        return errors.as_answer(errors.forbidden(call.request.prefix, now))
    return None


def _precondition(status: HTTPStatus, element: str | None, why: str) -> Response:
    answer = errors.as_answer(errors.precondition(status, element, why))
    answer.headers.update(_NO_CACHE)
    return answer


def _refused(patched: Patched, response: str) -> Response:
    """Return what became of each property (RFC 5689 section 3.5)."""
    body = write.document(response, patched.propstats()).encode()
    headers = {
        "Content-Type": "text/xml; charset=utf-8",
        "Content-Length": str(len(body)),
        **_NO_CACHE,
    }
    return Response(HTTPStatus.FORBIDDEN, headers, [body])
