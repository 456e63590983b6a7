"""PROPFIND, REPORT and GET straight from the store, for the shapes that clients send all day.

What cannot be answered here, every refusal among it, is None, and goes on to Radicale.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from collections.abc import Collection as Places
from datetime import UTC, tzinfo
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from radicale import httputils
from radicale.pathutils import sanitize_path
from radicale.xmlutils import OBJECT_MIMETYPES
from sqlalchemy import Connection

from kalends.adapters.collection import Collection
from kalends.adapters.rights import Rights
from kalends.adapters.storage import Storage
from kalends.common.http import EntityTags, http_date, takes_gzip
from kalends.common.names import GROUPS
from kalends.dav.message import Request, Response
from kalends.dav.properties.collection import CollectionView, PropertyContext, ResponseCache
from kalends.dav.properties.object import ObjectsView
from kalends.dav.response_spool import ResponseBuffer
from kalends.dav.xml import write
from kalends.dav.xml.requests import CalendarQuery, Multiget, Propfind, Report, SyncCollection
from kalends.ical.recurrence.index import matches_time_range
from kalends.ical.recurrence.occurrences import local_range
from kalends.ical.timezones.resolve import timezone_from_calendar
from kalends.store import collections
from kalends.store.collections import CollectionRow
from kalends.store.objects import read, time_range
from kalends.store.objects.time_range import TimeRange
from kalends.store.sync_tokens import parse_sync_token, sync_token_of

_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+")
_XML = "text/xml; charset=utf-8"


class Reads:
    """The frequent reads.

    Args:
        storage: the store.
        rights: who may see what.
        places_of: the places of a user's groups.
        max_resource_size: what clients are told of it, octets.
    """

    def __init__(
        self,
        storage: Storage,
        rights: Rights,
        places_of: Callable[[str], Places[str]],
        max_resource_size: int,
    ) -> None:
        self._storage = storage
        self._rights = rights
        self._places_of = places_of
        self._max_resource_size = max_resource_size
        self._responses = ResponseCache()

    def propfind(self, request: Request, asked: Propfind) -> Response | None:
        """Properties of a collection or an object, and of what is directly in it."""
        depth = request.header("HTTP_DEPTH") or "0"
        if depth not in ("0", "1"):
            return None
        with self._spool(request) as spool, self._storage.snapshot() as connection:
            target = collections.find_collection(connection, request.sane)
            if target is None and not request.sane:
                target = collections.UNWRITTEN_ROOT
            if target is None:
                found = self._propfind_object(connection, request, asked, spool)
            else:
                found = self._propfind_collection(connection, request, asked, target, depth, spool)
            return _multistatus(spool, {"DAV": httputils.DAV_HEADERS}) if found else None

    def _propfind_collection(
        self,
        connection: Connection,
        request: Request,
        asked: Propfind,
        target: CollectionRow,
        depth: str,
        spool: ResponseBuffer,
    ) -> bool:
        view = self._view(connection, request, target)
        if view is None or not self._has_home(connection, request, target):
            return False
        spool.write(write.MULTISTATUS)
        spool.write(self._responses.response(view, asked.props))
        if depth == "1":
            if target.tag:
                _write_all(connection, view, ObjectsView(view, asked.props, in_report=False), spool)
            for child in self._below(connection, request, target):
                child_view = self._view(connection, request, child)
                if child_view:
                    spool.write(self._responses.response(child_view, asked.props))
        spool.write(write.MULTISTATUS_END)
        return True

    def _below(
        self, connection: Connection, request: Request, target: CollectionRow
    ) -> Iterable[CollectionRow]:
        """The collections in one; in a home its user's groups' as well, for clients look there."""
        yield from collections.list_children(connection, target.path)
        if target.path == request.user:
            for place in sorted(self._places_of(request.user)):
                yield from collections.list_children(connection, f"{GROUPS}/{place}")

    def _propfind_object(
        self, connection: Connection, request: Request, asked: Propfind, spool: ResponseBuffer
    ) -> bool:
        parent, name = _split(request)
        view = self._view_at(connection, request, parent)
        if view is None:
            return False
        rows = ObjectsView(view, asked.props, in_report=False)
        for row in read.objects_named(connection, view.row.id, [name], data=False):
            spool.write(write.MULTISTATUS + rows.response(row) + write.MULTISTATUS_END)
            return True
        return False

    def report(self, request: Request, asked: Report) -> Response | None:
        """What changed in a calendar or address book, or some of its objects."""
        with self._spool(request) as spool, self._storage.snapshot() as connection:
            view = self._view_at(connection, request, request.sane)
            if view is None:
                return None
            spool.write(write.MULTISTATUS)
            rows = ObjectsView(view, asked.props, in_report=True)
            if isinstance(asked, SyncCollection):
                found = self._sync(connection, view, rows, asked, spool)
            elif isinstance(asked, Multiget):
                found = self._multiget(connection, view, rows, asked, spool)
            else:
                found = self._query(connection, view, rows, asked, spool)
            spool.write(write.MULTISTATUS_END)
            return _multistatus(spool) if found else None

    def _sync(
        self,
        connection: Connection,
        view: CollectionView,
        rows: ObjectsView,
        asked: SyncCollection,
        spool: ResponseBuffer,
    ) -> bool:
        if view.row.tag not in ("VCALENDAR", "VADDRESSBOOK"):
            return False
        try:
            since = parse_sync_token(view.row, asked.token) if asked.token else 0
        except ValueError:
            return False
        there = set()
        if since == 0:
            _write_all(connection, view, rows, spool)
        elif since < view.row.modseq:
            for row in read.objects_changed_since(
                connection, view.row.id, since, data=rows.needs_data
            ):
                there.add(row.href)
                spool.write(rows.response(row))
            for name in read.hrefs_removed_since(connection, view.row.id, since):
                if name not in there:
                    spool.write(write.gone(rows.path(name)))
        spool.write(f"<sync-token>{sync_token_of(view.row)}</sync-token>")
        return True

    def _multiget(
        self,
        connection: Connection,
        view: CollectionView,
        rows: ObjectsView,
        asked: Multiget,
        spool: ResponseBuffer,
    ) -> bool:
        if view.row.tag != asked.tag:
            return False
        paths = dict.fromkeys(_path_of(href) for href in asked.hrefs)
        base = rows.path("")
        if base in paths or base.rstrip("/") in paths:  # Radicale takes it for all that is in it
            return False
        names = {path.removeprefix(base) for path in paths if path.startswith(base)}
        missing = dict.fromkeys(paths)
        for row in read.objects_named(connection, view.row.id, names, data=rows.needs_data):
            missing.pop(rows.path(row.href), None)
            spool.write(rows.response(row))
        for path in missing:
            spool.write(write.gone(path))
        return True

    def _query(
        self,
        connection: Connection,
        view: CollectionView,
        rows: ObjectsView,
        asked: CalendarQuery,
        spool: ResponseBuffer,
    ) -> bool:
        zone = _zone(view.row, asked)
        if view.row.tag != "VCALENDAR" or zone is None:
            return False
        collection_id, data = view.row.id, rows.needs_data
        if asked.start is None and asked.end is None:
            _write_all(connection, view, rows, spool, asked.component)
            return True
        within = TimeRange.open_ended(
            asked.start, asked.end, *local_range(asked.start, asked.end, zone)
        )
        for row, sure in time_range.objects_in_range(
            connection, collection_id, asked.component, within, data=data
        ):
            if sure or matches_time_range(row.data, asked.start, asked.end, zone):
                spool.write(rows.response(row))
        return True

    def get(self, request: Request) -> Response | None:
        """An object as it was stored."""
        parent, name = _split(request)
        letters = self._rights.authorization(request.user, set(), f"/{parent}/")
        if "r" not in letters and "w" not in letters:
            return None
        with self._storage.snapshot() as connection:
            row = read.get_object_at(connection, parent, name)
        if row is None:
            return None
        headers = {"ETag": row.etag, "Last-Modified": http_date(row.changed / 1_000_000)}
        if EntityTags.known_to(request.environ).match_weakly(row.etag):
            return Response(HTTPStatus.NOT_MODIFIED, headers)
        headers["Content-Type"] = f"{OBJECT_MIMETYPES[row.kind]}; charset=utf-8"
        headers["Content-Length"] = str(len(row.data))
        return Response(HTTPStatus.OK, headers, [row.data])

    def _view_at(
        self, connection: Connection, request: Request, path: str
    ) -> CollectionView | None:
        """The calendar or address book at a path, if it is there and the user may read in it."""
        row = collections.find_collection(connection, path)
        if row is None or not row.tag or not self._has_home(connection, request, row):
            return None
        return self._view(connection, request, row)

    def _view(
        self, connection: Connection, request: Request, row: CollectionRow
    ) -> CollectionView | None:
        """A collection, if the user may read it."""
        path = f"/{row.path}/" if row.path else "/"
        letters = self._rights.authorization(request.user, set(), path)
        may_read, may_write = ("r", "w") if row.tag else ("R", "W")
        if may_read not in letters and may_write not in letters:
            return None
        return CollectionView(
            PropertyContext(request.user, request.prefix, self._max_resource_size),
            row,
            writable=may_write in letters,
            length=lambda: len(Collection(self._storage, row).serialize().encode()),
            count=lambda: read.count_members(connection, row.id),
        )

    def _has_home(self, connection: Connection, request: Request, row: CollectionRow) -> bool:
        """Whether the user's home is there; if not, Radicale makes it first."""
        home, _, _ = row.path.partition("/")
        return (
            home == request.user
            or collections.find_collection(connection, request.user) is not None
        )

    def _spool(self, request: Request) -> ResponseBuffer:
        return ResponseBuffer(gzip=takes_gzip(request.header("HTTP_ACCEPT_ENCODING") or ""))


def _multistatus(spool: ResponseBuffer, more: dict[str, str] | None = None) -> Response:
    body = spool.finish()
    headers = {"Content-Type": _XML, "Content-Length": str(spool.length), **(more or {})}
    if spool.is_gzip:
        headers |= {"Content-Encoding": "gzip"}
    return Response(HTTPStatus.MULTI_STATUS, headers, body)


def _write_all(
    connection: Connection,
    view: CollectionView,
    rows: ObjectsView,
    spool: ResponseBuffer,
    component: str | None = None,
) -> None:
    """Say what is asked of all objects of a collection, or of those of one type."""
    if rows.needs_etag_alone and component is None:
        for names in read.etag_batches(connection, view.row.id):
            spool.write(rows.etag_responses(names))
        return
    for row in read.all_objects(connection, view.row.id, data=rows.needs_data, component=component):
        spool.write(rows.response(row))


def _zone(row: CollectionRow, asked: CalendarQuery) -> tzinfo | None:
    """What times without a zone are read in (RFC 4791 section 9.9); None if that is unreadable."""
    text = asked.timezone or row.props.get("C:calendar-timezone")
    return timezone_from_calendar(text) if text else UTC


def _split(request: Request) -> tuple[str, str]:
    parent, _, name = request.sane.rpartition("/")
    return parent, name


def _path_of(href: str) -> str:
    """The path of an address that a client names, which may be absolute (RFC 4918 section 8.3)."""
    if _PLAIN_PATH.fullmatch(href):  # as most are: then it is its own path
        return href
    return sanitize_path(unquote(urlsplit(href).path))
