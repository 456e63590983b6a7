"""PUT of an object or a whole calendar (RFC 4791 section 5.3.2, RFC 6352 section 6.3.2)."""

from __future__ import annotations

from http import HTTPStatus

from radicale import httputils, types, xmlutils

from kalends.dav import errors
from kalends.dav.context import Writing
from kalends.dav.media_types import refuse_other_types
from kalends.dav.message import Response
from kalends.dav.methods.put_file import is_file, put_file
from kalends.dav.resource import Resource
from kalends.errors import ConditionFailedError, ObjectRefusedError
from kalends.events import Change
from kalends.ical.file_objects import SplitCalendar
from kalends.ical.limits import FILE_OF_A_REQUEST
from kalends.ical.split import split_file
from kalends.ical.validate import CalendarObject, read_calendar_object, read_card
from kalends.store.collections import CollectionRow
from kalends.store.objects import write
from kalends.store.objects.write import Outcome

PUBLISHED = "{urn:x-kalends}published"
"""The property, with any text, that marks a calendar as published from a file by its owner."""


def put(call: Writing) -> Response:
    """Store the body as an object, as a file in a folder, or as a whole calendar at a new path."""
    if is_file(call.resource):
        return put_file(call)
    return errors.as_answer(_Put(call).answer())


class _Put:
    """One PUT request."""

    def __init__(self, call: Writing) -> None:
        self._call = call
        self._storage = call.context.storage
        self._environ = call.request.environ
        self._limits = call.context.limits.objects
        self._path = call.resource.path

    def answer(self) -> types.WSGIResponse:
        """Store the body, or return the refusal.

        Raises:
            ObjectRefusedError: it may not be stored.
        """
        body, target = self._call.body, self._call.resource
        refusal = self._refusal(target)
        if refusal:
            return refusal
        if _takes_object(target):
            return self._store_object(body, self._read(body, target), target)
        return self._store_whole(self._split(body, target), target)

    def _refusal(self, target: Resource) -> types.WSGIResponse | None:
        if target.parent is None and target.row is None:
            return errors.precondition(
                HTTPStatus.CONFLICT, None, "the collection above this path does not exist"
            )
        if _takes_object(target):
            allowed = "w" in target.above
            return None if allowed else httputils.NOT_ALLOWED
        if "w" not in target.here:
            return httputils.NOT_ALLOWED
        if target.row is not None and not (
            target.row.tag == "VCALENDAR" and target.row.props.get(PUBLISHED)
        ):
            return errors.precondition(
                HTTPStatus.FORBIDDEN,
                "C:calendar-collection-location-ok",
                "this is a collection, and its owner has not marked it as published from a file",
            )
        return None

    def _read(self, body: bytes, target: Resource) -> CalendarObject:
        assert target.parent is not None
        refuse_other_types(self._environ.get("CONTENT_TYPE"), target.parent.tag)
        if target.parent.tag == "VADDRESSBOOK":
            return read_card(body, limits=self._limits)
        if target.parent.tag == "VCALENDAR":
            allowed = target.parent.components
            return read_calendar_object(body, allowed=allowed, limits=self._limits)
        raise ObjectRefusedError(None, f"a {target.parent.tag} collection cannot hold objects")

    def _split(self, body: bytes, target: Resource) -> SplitCalendar:
        existing = target.row
        if existing:
            refuse_other_types(self._environ.get("CONTENT_TYPE"), existing.tag)
        allowed = existing.components if existing else None
        budget = self._limits.steps.of_request()
        whole = split_file(
            body, allowed=allowed, limits=self._limits, size=FILE_OF_A_REQUEST, budget=budget
        )
        if existing and whole.kind != existing.tag:
            why = f"the collection is not a {whole.kind}"
            raise ObjectRefusedError("C:supported-calendar-data", why)
        for bad in whole.refused:  # a PUT is all or nothing
            raise ObjectRefusedError(
                bad.precondition or "C:valid-calendar-data", bad.why, bad.line, limit=bad.limit
            )
        return whole

    def _store_object(
        self, body: bytes, content: CalendarObject, target: Resource
    ) -> types.WSGIResponse:
        href = self._path.rpartition("/")[2]
        with self._call.transaction() as now:
            if _key(now) != _key(target):
                return errors.plain(HTTPStatus.CONFLICT)
            parent = now.parent
            assert parent is not None
            connection = self._storage.connection
            place = write.find_place(connection, parent.id, content, href)
            self._require_condition(now)
            if place.existing != place.holder:
                return self._uid_conflict(parent, place.holder.href if place.holder else href)
            outcome = write.upsert_object(connection, parent.id, place, content)
            self._storage.record(Change(parent.path, "put", (href,)))
        # Without an entity tag the client fetches the changed octets (RFC 4791 section 5.3.4).
        headers = {"ETag": content.etag} if content.data == body else {}
        return _stored(outcome is Outcome.ADDED, headers)

    def _uid_conflict(self, parent: CollectionRow, href: str) -> types.WSGIResponse:
        space = "CR" if parent.tag == "VADDRESSBOOK" else "C"
        return errors.precondition(
            HTTPStatus.CONFLICT,
            f"{space}:no-uid-conflict",
            "another object of this collection has this UID",
            xmlutils.make_href(self._call.request.prefix, f"/{parent.path}/{href}"),
        )

    def _store_whole(self, whole: SplitCalendar, target: Resource) -> types.WSGIResponse:
        with self._call.transaction() as now:
            if _key(now) != _key(target):
                return errors.plain(HTTPStatus.CONFLICT)
            self._require_condition(now)
            connection = self._storage.connection
            made = now.row or self._storage.create(self._path, _props(whole))
            merged = write.merge_objects(connection, made.id, whole.objects, replace=True)
            if now.row is None:
                self._storage.record(Change(self._path, "collection"))
            elif merged.is_change:
                self._storage.record(Change(self._path, "put"))
        return _stored(target.row is None, {})

    def _require_condition(self, now: Resource) -> None:
        """Refuse to replace what the client does not name, if the configuration is strict."""
        is_strict = self._call.context.limits.strict_preconditions
        if now.exists and is_strict and "HTTP_IF_MATCH" not in self._environ:
            raise ConditionFailedError("If-Match")


def _takes_object(target: Resource) -> bool:
    """Return True if an object is put into a collection, and not a whole collection."""
    return target.row is None and target.parent is not None and bool(target.parent.tag)


def _key(target: Resource) -> tuple[object, ...] | None:
    """Return the properties that must not have changed when the write begins."""
    found = target.row or target.parent
    return (target.row is None, found.id, found.tag, found.components) if found else None


def _stored(is_new: bool, headers: dict[str, str]) -> types.WSGIResponse:
    if is_new:
        return HTTPStatus.CREATED, headers | {"Content-Length": "0"}, None, None
    return HTTPStatus.NO_CONTENT, headers, None, None


def _props(whole: SplitCalendar) -> dict[str, str]:
    props = {
        "tag": whole.kind,
        "D:displayname": whole.name,
        "C:calendar-description" if whole.kind == "VCALENDAR" else "CR:addressbook-description": (
            whole.description
        ),
        "ICAL:calendar-color" if whole.kind == "VCALENDAR" else "INF:addressbook-color": (
            whole.color
        ),
    }
    return {name: value for name, value in props.items() if value}
