"""COPY and MOVE of objects and collections (RFC 4918 sections 9.8 and 9.9)."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

from sqlalchemy import Connection

from kalends.dav.context import Writing
from kalends.dav.message import Response
from kalends.dav.methods.relocation_rules import find_refusal
from kalends.dav.resource import Resource
from kalends.errors import ConditionFailedError, HeaderRefusedError
from kalends.events import Change
from kalends.store import collections, trees
from kalends.store.objects import relocate, write

_SWITCH = {"T": True, "F": False}


def copy(call: Writing) -> Response:
    """Copy a resource, and unless Depth is 0 all that is in it.

    Raises:
        ConditionFailedError: something is at the destination, and Overwrite is F (412).
        HeaderRefusedError: a header field is malformed, or the destination is elsewhere.
    """
    return _Relocation(call, moves=False).answer()


def move(call: Writing) -> Response:
    """Move a resource with all that is in it.

    Raises:
        ConditionFailedError: something is at the destination, and Overwrite is F (412).
        HeaderRefusedError: a header field is malformed, or the destination is elsewhere.
    """
    return _Relocation(call, moves=True).answer()


class _Relocation:
    """One COPY or MOVE request."""

    def __init__(self, call: Writing, *, moves: bool) -> None:
        self._call = call
        self._moves = moves
        self._storage = call.context.storage
        self._address = call.request.header("HTTP_DESTINATION") or ""
        self._overwrites = _overwrites(call)
        self._members = _takes_members(call, moves=moves)

    def answer(self) -> Response:
        """Copy or move, and return 201 for a new resource, 204 for a replaced one.

        The new one is not at the request's address (RFC 9110 section 15.3.2).
        """
        with self._storage.snapshot() as connection:
            target = self._find(connection)
            # Before conditions are looked at (RFC 9110 section 13.2.1).
            refusal = self._refusal(connection, self._call.resource, target)
        if refusal:
            return refusal
        with self._call.transaction(target.path) as source:
            connection = self._storage.connection
            target = self._find(connection)
            refusal = self._refusal(connection, source, target)
            if refusal:
                return refusal
            if target.exists and not self._overwrites:
                raise ConditionFailedError("Overwrite")
            if source.row is None:
                self._relocate_object(connection, source, target)
            else:
                self._relocate_collection(connection, source, target)
        if target.exists:
            return Response(HTTPStatus.NO_CONTENT)
        slash = "" if self._call.resource.row is None else "/"
        location = quote(f"{self._call.request.prefix}/{target.path}{slash}")
        return Response(HTTPStatus.CREATED, {"Location": location, "Content-Length": "0"})

    def _find(self, connection: Connection) -> Resource:
        return self._call.context.find_at(connection, self._call.request, self._address)

    def _refusal(
        self, connection: Connection, source: Resource, target: Resource
    ) -> Response | None:
        return find_refusal(self._call, connection, source, target, moves=self._moves)

    def _relocate_object(self, connection: Connection, source: Resource, target: Resource) -> None:
        above, to = source.collection, target.parent
        assert to is not None
        if target.row is not None:
            self._clear(connection, target)
        places = (connection, above.id, source.name, to.id, target.name)
        if self._moves:
            relocate.move_object(*places)
            self._storage.record(Change(above.path, "move", (source.name,)))
            self._storage.record(Change(to.path, "move", (target.name,)))
            self._storage.prune_tombstones(above)
        else:
            relocate.copy_object(*places)
            self._storage.record(Change(to.path, "put", (target.name,)))

    def _relocate_collection(
        self, connection: Connection, source: Resource, target: Resource
    ) -> None:
        assert source.row is not None
        self._clear(connection, target)
        stays = self._moves and _above(source) == _above(target)
        if not stays:
            self._storage.require_room(target.path)
        if self._moves:
            moved = trees.move_tree(connection, source.row, target.path)
            for former in moved:
                self._storage.record(Change(former, "collection"))
                now = target.path + former[len(moved[0]) :]
                self._storage.record(Change(now, "collection"))
        else:
            for made in trees.copy_tree(connection, source.row, target.path, members=self._members):
                self._storage.record(Change(made, "collection"))

    def _clear(self, connection: Connection, target: Resource) -> None:
        """Delete what stands at the destination."""
        if target.row is not None:
            collections.remove_collection(connection, target.path)
            self._storage.record(Change(target.path, "collection"))
        elif target.object is not None and target.parent is not None:
            write.remove_object(connection, target.parent.id, target.name)
            self._storage.record(Change(target.parent.path, "delete", (target.name,)))


def _above(resource: Resource) -> str:
    return resource.path.rpartition("/")[0]


def _overwrites(call: Writing) -> bool:
    """Return what Overwrite says, or T without it (RFC 4918 section 10.6)."""
    stated = (call.request.header("HTTP_OVERWRITE") or "T").strip().upper()
    if stated not in _SWITCH:
        raise HeaderRefusedError(HTTPStatus.BAD_REQUEST, "Overwrite is T or F")
    return _SWITCH[stated]


def _takes_members(call: Writing, *, moves: bool) -> bool:
    """Return False for the copy of a collection without its members (RFC 4918 section 9.8.3)."""
    stated = (call.request.header("HTTP_DEPTH") or "infinity").strip().lower()
    allowed = ("infinity",) if moves else ("0", "infinity")
    if call.resource.row is not None and stated not in allowed:
        why = f"the Depth of a {call.request.method} is {' or '.join(allowed)}"
        raise HeaderRefusedError(HTTPStatus.BAD_REQUEST, why)
    return stated != "0"
