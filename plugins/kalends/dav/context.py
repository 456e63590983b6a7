"""The parts that methods work with, and one request as a method gets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from kalends.adapters.rights import Rights
from kalends.adapters.storage import Storage
from kalends.dav import addresses, conditional
from kalends.dav.if_header import State
from kalends.dav.message import Request
from kalends.dav.reader import Reader
from kalends.dav.reports.target import ReportLimits
from kalends.dav.resource import Resource, find_resource, find_to_read
from kalends.errors import HeaderRefusedError
from kalends.feeds.collection_cache import CollectionCache
from kalends.ical.limits import ObjectLimits


@dataclass(frozen=True, slots=True)
class ViewDays:
    """The days around today that ``?view=freebusy`` shows unless the address names others."""

    past: int
    future: int


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The configured limits and checks of requests, by Radicale's names."""

    max_content_length: int
    max_xml_length: int
    objects: ObjectLimits
    strict_preconditions: bool
    permit_delete_collection: bool
    validate_user_value: str
    validate_path_value: str
    urldecode_username: bool
    reports: ReportLimits
    view_days: ViewDays


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of the application that methods use.

    Attributes:
        storage: the store.
        rights: the rights of users.
        reader: access to the store for methods that change nothing.
        limits: the configured limits.
        in_path: returns a path with its group spelt as in the store.
        whole: the cache of whole collections.
    """

    storage: Storage
    rights: Rights
    reader: Reader
    limits: RequestLimits
    in_path: Callable[[str], str]
    whole: CollectionCache

    def find(self, connection: Connection, request: Request) -> Resource:
        """Return what stands at the path of a request."""
        return find_resource(connection, self.rights, request.user, request.path)

    def find_to_read(self, connection: Connection, request: Request, *, data: bool) -> Resource:
        """Return what stands at the path of a request; ``data`` asks for an object's octets."""
        return find_to_read(connection, self.rights, request.user, request.path, data=data)

    def find_at(self, connection: Connection, request: Request, address: str) -> Resource:
        """Return what stands at an address that a header field of a request names.

        Raises:
            HeaderRefusedError: it is malformed, or not an address of this server.
        """
        path = self.in_path(addresses.path_of(request, address))
        return find_resource(connection, self.rights, request.user, path)

    def state_at(self, connection: Connection, request: Request, address: str) -> State:
        """Return the state of the resource at an address in the ``If`` header of a request.

        What is elsewhere, or hidden from the user, has none.
        """
        nothing = State(None, frozenset())
        try:
            found = self.find_at(connection, request, address)
        except HeaderRefusedError:
            return nothing
        return conditional.state_of(found) if found.may_read else nothing


@dataclass(frozen=True, slots=True)
class Reading:
    """A request that changes nothing, within one snapshot of the store.

    Attributes:
        context: the parts of the application.
        request: the request.
        body: its whole body.
        resource: the resource, which exists, has the method, and may be read by the user.
        connection: the snapshot.
    """

    context: Context
    request: Request
    body: bytes
    resource: Resource
    connection: Connection

    def check_if(self) -> None:
        """Check the ``If`` header, which every method has.

        Raises:
            ConditionFailedError: it does not hold (412).
        """
        state_at = partial(self.context.state_at, self.connection, self.request)
        conditional.check_if(self.request.environ, self.resource, state_at)


@dataclass(frozen=True, slots=True)
class Writing:
    """A request that changes something.

    Attributes:
        context: the parts of the application.
        request: the request.
        body: its whole body.
        resource: the path as it was before the body was read: the user may write there, and it has
            the method. It is to be found again within the transaction.
    """

    context: Context
    request: Request
    body: bytes
    resource: Resource

    @contextmanager
    def transaction(self, to_path: str = "") -> Iterator[Resource]:
        """Open a write transaction, with the resource as it is then, for as long as the block.

        The conditions of the request are checked in it, before anything is changed.

        Args:
            to_path: another path that is written to, without a slash at either end.

        Raises:
            ConditionFailedError: a condition does not hold (412).
            HeaderRefusedError: one is malformed (400).
        """
        storage, request = self.context.storage, self.request
        paths = {"path": self.resource.path, **({"to_path": to_path} if to_path else {})}
        with storage.acquire_lock("w", request.user, **paths):
            now = self.context.find(storage.connection, request)
            state_at = partial(self.context.state_at, storage.connection, request)
            conditional.check_write(request.environ, now, state_at)
            yield now
