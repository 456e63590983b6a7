"""PROPFIND of collections and objects (RFC 4918 section 9.1)."""

from __future__ import annotations

from collections.abc import Iterator

from radicale import httputils
from sqlalchemy import Connection

from kalends.common.names import GROUPS
from kalends.dav.answer_budget import AnswerBudget
from kalends.dav.message import Request, Response
from kalends.dav.properties.collection import CollectionView
from kalends.dav.properties.object import ALL_PROPERTIES, ObjectsView
from kalends.dav.reader import Reader, multistatus, response_buffer, write_all_objects
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.dav.xml.requests import Propfind
from kalends.store import collections
from kalends.store.collections import CollectionRow
from kalends.store.objects import read


def propfind(reader: Reader, request: Request, asked: Propfind) -> Response | None:
    """Return the properties of a collection or an object, and of its members.

    Members are left out at Depth 0, the default; members of members always (RFC 4918 section 9.1).
    None leaves the request to Radicale.
    """
    with response_buffer(request) as buffer, reader.snapshot() as connection:
        target = collections.find_collection(connection, request.sane)
        if target is None and not request.sane:
            target = collections.UNWRITTEN_ROOT
        if target is None:
            found = _write_object(reader, connection, request, asked, buffer)
        else:
            found = _write_collection(reader, connection, request, asked, target, buffer)
        return multistatus(buffer, {"DAV": httputils.DAV_HEADERS}) if found else None


def _write_collection(
    reader: Reader,
    connection: Connection,
    request: Request,
    asked: Propfind,
    target: CollectionRow,
    buffer: ResponseBuffer,
) -> bool:
    view = reader.view(connection, request, target)
    if view is None or not reader.has_home(connection, request, target):
        return False
    buffer.write(write.MULTISTATUS)
    buffer.write(_response(reader, view, asked))
    if (request.header("HTTP_DEPTH") or "0") != "0":
        if target.tag:
            write_all_objects(connection, view, _objects(view, asked), buffer)
        budget = AnswerBudget()
        for child in _children(reader, connection, request, target):
            child_view = reader.view(connection, request, child)
            if child_view:
                found = _response(reader, child_view, asked)
                budget.spend(len(found))
                buffer.write(found)
    buffer.write(write.MULTISTATUS_END)
    return True


def _response(reader: Reader, view: CollectionView, asked: Propfind) -> str:
    tags = view.names() if asked.props is None else asked.props
    if asked.names_only:
        return write.response(view.href(view.path), "".join(map(write.element, tags)), "")
    return reader.responses.response(view, tags)


def _objects(view: CollectionView, asked: Propfind) -> ObjectsView:
    tags = ALL_PROPERTIES if asked.props is None else asked.props
    return ObjectsView(view, tags, in_report=False, names_only=asked.names_only)


def _children(
    reader: Reader, connection: Connection, request: Request, target: CollectionRow
) -> Iterator[CollectionRow]:
    """Yield the child collections; of a home also those of groups, since clients look there."""
    yield from collections.list_children(connection, target.path)
    if target.path == request.user:
        for group in sorted(reader.groups_of(request.user)):
            yield from collections.list_children(connection, f"{GROUPS}/{group}")


def _write_object(
    reader: Reader,
    connection: Connection,
    request: Request,
    asked: Propfind,
    buffer: ResponseBuffer,
) -> bool:
    parent, name = request.split()
    view = reader.view_at(connection, request, parent)
    if view is None:
        return False
    objects = _objects(view, asked)
    for row in read.objects_named(connection, view.row.id, [name], data=False):
        buffer.write(write.MULTISTATUS + objects.response(row) + write.MULTISTATUS_END)
        return True
    return False
