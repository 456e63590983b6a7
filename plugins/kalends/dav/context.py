"""The parts that methods work with, and one request as a method gets it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from kalends.adapters.rights import Rights
from kalends.adapters.storage import Storage
from kalends.dav.message import Request
from kalends.dav.reader import Reader
from kalends.dav.reports.target import ReportLimits
from kalends.dav.resource import Resource, find_resource
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
    """

    storage: Storage
    rights: Rights
    reader: Reader
    limits: RequestLimits

    def find(self, connection: Connection, request: Request, *, data: bool = False) -> Resource:
        """Return what stands at the path of a request; ``data`` asks for an object's octets."""
        return find_resource(connection, self.rights, request.user, request.path, data=data)


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
