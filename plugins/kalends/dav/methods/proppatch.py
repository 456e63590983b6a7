"""PROPPATCH of collections and objects (RFC 4918 section 9.2)."""

from __future__ import annotations

from http import HTTPStatus

from radicale.xmlutils import make_clark

from kalends.dav import errors
from kalends.dav.context import Writing
from kalends.dav.message import DAV, Response
from kalends.dav.preferences import Preferences
from kalends.dav.properties.patch import Patched, apply, read_instructions
from kalends.dav.reader import multistatus, response_buffer
from kalends.dav.xml import write
from kalends.dav.xml.parts import parse_request
from kalends.errors import BodyRefusedError
from kalends.events import Change
from kalends.store import collections
from kalends.store.objects import properties

_ROOT = make_clark("D:propertyupdate")


def proppatch(call: Writing) -> Response:
    """Set and remove properties, all or none.

    Raises:
        BodyRefusedError: the body is not a propertyupdate with instructions (400).
    """
    root = parse_request(call.body) if call.body else None
    instructions = read_instructions(root) if root is not None and root.tag == _ROOT else []
    if not instructions:
        raise BodyRefusedError(
            HTTPStatus.BAD_REQUEST, "the XML is not a propertyupdate that sets or removes something"
        )
    storage, request = call.context.storage, call.request
    with call.transaction() as now:
        connection = storage.connection
        if now.row is not None:
            patched = apply(now.row.props, instructions)
            if not patched.refused and patched.props != now.row.props:
                collections.set_props(connection, now.row.id, patched.props)
                storage.record(Change(now.path, "collection"))
        elif now.object is not None:
            before = properties.read_props(connection, now.object.id)
            patched = apply(before, instructions)
            if not patched.refused and patched.props != before:
                properties.set_props(connection, now.object.id, patched.props)
        else:
            return errors.as_answer(errors.plain(HTTPStatus.NOT_FOUND))
    slash = "/" if now.row is not None else ""
    return _answer(call, write.href(f"{request.prefix}/{now.path}{slash}"), patched)


def _answer(call: Writing, address: str, patched: Patched) -> Response:
    preferences = Preferences.of(call.request.environ)
    told = {**DAV, **preferences.headers()}
    if preferences.is_minimal and not patched.refused:  # RFC 8144 section 2.1
        return Response(HTTPStatus.OK, {**told, "Content-Length": "0"})
    with response_buffer(call.request) as buffer:
        buffer.write(f"{write.MULTISTATUS}<response>{address}{patched.propstats()}</response>")
        buffer.write(write.MULTISTATUS_END)
        return multistatus(buffer, told)
