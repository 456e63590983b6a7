"""PROPFIND of collections and objects (RFC 4918 section 9.1)."""

from __future__ import annotations

from kalends.dav.answer_budget import AnswerBudget
from kalends.dav.context import Reading
from kalends.dav.message import DAV, Response
from kalends.dav.preferences import Preferences
from kalends.dav.properties.collection import CollectionView
from kalends.dav.properties.object import ALL_PROPERTIES, ObjectsView
from kalends.dav.reader import Reader, multistatus, response_buffer, write_all_objects
from kalends.dav.resource import Kind
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.dav.xml.requests import Propfind, read_propfind
from kalends.store.collections import CollectionRow


def propfind(call: Reading) -> Response:
    """Return the properties of a collection or an object, and of its members.

    Members are left out at Depth 0, the default; members of members always (RFC 4918 section 9.1).

    Raises:
        BodyRefusedError: the body is invalid, or the answer is too large.
    """
    asked = read_propfind(call.body)
    with response_buffer(call.request) as buffer:
        buffer.write(write.MULTISTATUS)
        if call.resource.row is None:
            _write_object(call, asked, buffer)
        else:
            _write_collection(call, asked, call.resource.row, buffer)
        buffer.write(write.MULTISTATUS_END)
        met = Preferences.of(call.request.environ).headers(is_listing=True)
        return multistatus(buffer, {**DAV, **met})


def _write_collection(
    call: Reading, asked: Propfind, target: CollectionRow, buffer: ResponseBuffer
) -> None:
    reader, connection, request = call.context.reader, call.connection, call.request
    view = reader.view_of(request, call.resource, connection)
    is_alone = (request.header("HTTP_DEPTH") or "0") == "0"
    if is_alone or not Preferences.of(request.environ).is_rootless:
        buffer.write(_response(reader, view, asked))
    if is_alone:
        return
    if target.tag or call.resource.kind is Kind.FOLDER:
        write_all_objects(connection, view, _objects(view, asked), buffer)
    budget = AnswerBudget()
    for child in reader.members(connection, request, target):
        child_view = reader.view(connection, request, child)
        if child_view:
            found = _response(reader, child_view, asked)
            budget.spend(len(found))
            buffer.write(found)


def _response(reader: Reader, view: CollectionView, asked: Propfind) -> str:
    tags = asked.props
    if tags is None:
        tags = tuple(dict.fromkeys((*view.names(), *asked.include)))
    if asked.names_only:
        return write.response(view.href(view.path), "".join(map(write.element, tags)), "")
    return reader.responses.response(view, tags)


def _objects(view: CollectionView, asked: Propfind) -> ObjectsView:
    tags = (*ALL_PROPERTIES, *asked.include) if asked.props is None else asked.props
    tags = tuple(dict.fromkeys(tags))
    return ObjectsView(view, tags, in_report=False, names_only=asked.names_only)


def _write_object(call: Reading, asked: Propfind, buffer: ResponseBuffer) -> None:
    found = call.resource.object
    assert found is not None
    view = call.context.reader.view_of(call.request, call.resource, call.connection)
    buffer.write(_objects(view, asked).response(found))
