"""The context of requests that only read: one snapshot, collection views and response buffers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from http import HTTPStatus

from sqlalchemy import Connection

from kalends.adapters.rights import Rights
from kalends.adapters.storage import Storage
from kalends.common.http import takes_gzip
from kalends.common.names import GROUPS
from kalends.dav.message import Request, Response
from kalends.dav.preferences import Preferences
from kalends.dav.properties.collection import ResponseCache
from kalends.dav.properties.object import ObjectsView
from kalends.dav.properties.view import CollectionView, PropertyContext
from kalends.dav.resource import Resource
from kalends.dav.response_buffer import ResponseBuffer
from kalends.ical.limits import ObjectLimits
from kalends.store import collections
from kalends.store.collections import CollectionRow
from kalends.store.objects import read
from kalends.store.objects.properties import ObjectProperties

_XML = "text/xml; charset=utf-8"


class Reader:
    """Access to the store for methods and reports that change nothing.

    Args:
        storage: the store.
        rights: the rights of users.
        groups_of: returns the homes of a user's groups.
        accounts: returns the names of all accounts.
        told: the limits that clients are told.
    """

    def __init__(
        self,
        storage: Storage,
        rights: Rights,
        groups_of: Callable[[str], Collection[str]],
        accounts: Callable[[], Collection[str]],
        told: ObjectLimits,
    ) -> None:
        self._storage = storage
        self._rights = rights
        self._told = told
        self.groups_of = groups_of
        self.accounts = accounts
        self.responses = ResponseCache()

    def snapshot(self) -> AbstractContextManager[Connection]:
        """Open a read snapshot of the store for a block."""
        return self._storage.snapshot()

    def homes(self, connection: Connection, names: Collection[str]) -> list[CollectionRow]:
        """Return the homes of those of some accounts that have one, by name."""
        if len(names) == 1:
            found = (collections.find_collection(connection, name) for name in names)
            return [row for row in found if row is not None]
        return [row for row in collections.list_children(connection, "") if row.path in names]

    def public_view(
        self, connection: Connection, request: Request, row: CollectionRow
    ) -> CollectionView:
        """Return the home of any account, for the properties that everybody may see."""
        return self._view(connection, request, row, writable=row.path == request.user)

    def members(
        self, connection: Connection, request: Request, row: CollectionRow
    ) -> Iterator[CollectionRow]:
        """Yield the collections in one; in the user's home also those of groups.

        Clients look for calendars in the user's home alone.
        """
        yield from collections.list_children(connection, row.path)
        if row.path == request.user:
            for group in sorted(self.groups_of(request.user)):
                yield from collections.list_children(connection, f"{GROUPS}/{group}")

    def _readable_members(
        self, connection: Connection, request: Request, row: CollectionRow
    ) -> Iterator[CollectionRow]:
        for member in self.members(connection, request, row):
            if self.view(connection, request, member):
                yield member

    def view_of(
        self, request: Request, resource: Resource, connection: Connection
    ) -> CollectionView:
        """Return the collection that a readable resource is or lies in, as its user sees it."""
        row = resource.collection
        may_write = "w" if row.tag else "W"
        letters = resource.here if resource.row else resource.above
        return self._view(connection, request, row, writable=may_write in letters)

    def view(
        self, connection: Connection, request: Request, row: CollectionRow
    ) -> CollectionView | None:
        """Return a collection as the user sees it; None if the user may not read it."""
        path = f"/{row.path}/" if row.path else "/"
        letters = self._rights.authorization(request.user, set(), path)
        may_read, may_write = ("r", "w") if row.tag else ("R", "W")
        if may_read not in letters and may_write not in letters:
            return None
        return self._view(connection, request, row, writable=may_write in letters)

    def _view(
        self, connection: Connection, request: Request, row: CollectionRow, *, writable: bool
    ) -> CollectionView:
        user = request.user
        groups = self.groups_of(user) if row.path == user else ()
        homes = tuple(f"/{GROUPS}/{group}/" for group in sorted(groups))
        asked = PropertyContext(
            user,
            request.prefix,
            self._told.octets,
            self._told.attendees,
            homes,
            Preferences.of(request.environ).is_minimal,
        )
        return CollectionView(
            asked,
            row,
            writable=writable,
            count=lambda: read.count_members(connection, row.id),
            dead=lambda: ObjectProperties(connection, row.id),
            members=lambda: self._readable_members(connection, request, row),
        )


def response_buffer(request: Request) -> ResponseBuffer:
    """Open a buffer for the body of a response, compressed if the client accepts that."""
    return ResponseBuffer(gzip=takes_gzip(request.header("HTTP_ACCEPT_ENCODING") or ""))


def multistatus(buffer: ResponseBuffer, more: dict[str, str] | None = None) -> Response:
    """Return a 207 response (RFC 4918 section 13) with a finished buffer as its body.

    Args:
        buffer: the XML of the body.
        more: further headers.
    """
    body = buffer.finish()
    headers = {"Content-Type": _XML, "Content-Length": str(buffer.length), **(more or {})}
    if buffer.is_gzip:
        headers |= {"Content-Encoding": "gzip"}
    return Response(HTTPStatus.MULTI_STATUS, headers, body)


def write_all_objects(
    connection: Connection,
    view: CollectionView,
    objects: ObjectsView,
    buffer: ResponseBuffer,
    component: str | None = None,
) -> None:
    """Write the requested properties of all objects of a collection, or of one component type."""
    if objects.needs_etag_alone and component is None:
        for names in read.etag_batches(connection, view.row.id):
            buffer.write(objects.etag_responses(names))
        return
    for row in read.all_objects(
        connection, view.row.id, data=objects.needs_data, component=component
    ):
        buffer.write(objects.response(row))
