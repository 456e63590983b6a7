"""PUT of an object or a whole calendar (RFC 4791 section 5.3.2, RFC 6352 section 6.3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from radicale import httputils, types, xmlutils

from kalends.adapters.storage import Storage
from kalends.dav import conditional, errors
from kalends.dav.privileges import Privileges
from kalends.errors import ObjectRefusedError
from kalends.events import Change
from kalends.ical.split import SplitCalendar, split_file
from kalends.ical.validate import CalendarObject, read_calendar_object, read_card
from kalends.store import collections
from kalends.store.collections import CollectionRow
from kalends.store.objects import write
from kalends.store.objects.write import Outcome
from kalends.store.sync_tokens import ctag_of

PUBLISHED = "{urn:x-kalends}published"
"""The property, with any text, that marks a calendar as published from a file by its owner."""


@dataclass(frozen=True)
class PutTarget:
    """The collections at the path of a PUT.

    Attributes:
        parent: the collection above, or None.
        existing: the collection at the path itself, or None.
    """

    parent: CollectionRow | None
    existing: CollectionRow | None

    @property
    def is_object(self) -> bool:
        """True if an object is put into a collection, and not a whole collection."""
        return self.existing is None and self.parent is not None and bool(self.parent.tag)

    @property
    def key(self) -> tuple[object, ...]:
        """The properties that must not have changed when the write begins."""
        return tuple(
            (found.id, found.tag, found.components) if found else None
            for found in (self.parent, self.existing)
        )


class Put:
    """One PUT request.

    Args:
        storage: the store.
        privileges: the user's privileges at the path.
        environ: the WSGI environment.
        prefix: the beginning of every path that clients see, quoted in hrefs.
        max_size: the largest object, octets.
        strict: True if an existing object may be replaced only with If-Match.
    """

    def __init__(
        self,
        storage: Storage,
        privileges: Privileges,
        environ: Mapping[str, Any],
        prefix: str,
        *,
        max_size: int,
        strict: bool,
    ) -> None:
        self._storage = storage
        self._privileges = privileges
        self._environ = environ
        self._prefix = prefix
        self._max_size = max_size
        self._strict = strict
        self._path = privileges.path

    def find_target(self) -> PutTarget:
        """Find the collections at the path, in a read snapshot."""
        with self._storage.acquire_lock("r", self._privileges.user):
            return self._target()

    def answer(self, body: bytes, target: PutTarget) -> types.WSGIResponse:
        """Store ``body`` at the path, or return the refusal.

        Raises:
            ObjectRefusedError: it may not be stored.
        """
        refusal = self._refusal(target)
        if refusal:
            return refusal
        if target.is_object:
            return self._store_object(body, self._read(body, target), target)
        return self._store_whole(self._split(body, target), target)

    def _target(self) -> PutTarget:
        above = self._path.rpartition("/")[0]
        parent, existing = collections.find_pair(self._storage.connection, above, self._path)
        root = collections.UNWRITTEN_ROOT
        return PutTarget(
            parent or (None if above else root), existing or (None if self._path else root)
        )

    def _refusal(self, target: PutTarget) -> types.WSGIResponse | None:
        if target.parent is None:
            return errors.precondition(
                HTTPStatus.CONFLICT, None, "the collection above this path does not exist"
            )
        if target.is_object:
            allowed = "w" in self._privileges.above
            return None if allowed else httputils.NOT_ALLOWED
        if "w" not in self._privileges.here:
            return httputils.NOT_ALLOWED
        if target.existing is not None and not (
            target.existing.tag == "VCALENDAR" and target.existing.props.get(PUBLISHED)
        ):
            return errors.precondition(
                HTTPStatus.FORBIDDEN,
                "C:calendar-collection-location-ok",
                "this is a collection, and its owner has not marked it as published from a file",
            )
        return None

    def _read(self, body: bytes, target: PutTarget) -> CalendarObject:
        assert target.parent is not None
        if target.parent.tag == "VADDRESSBOOK":
            return read_card(body, max_size=self._max_size)
        if target.parent.tag == "VCALENDAR":
            allowed = target.parent.components
            return read_calendar_object(body, allowed=allowed, max_size=self._max_size)
        raise ObjectRefusedError(None, f"a {target.parent.tag} collection cannot hold objects")

    def _split(self, body: bytes, target: PutTarget) -> SplitCalendar:
        existing = target.existing
        allowed = existing.components if existing else None
        whole = split_file(body, allowed=allowed, max_size=self._max_size)
        if existing and whole.kind != existing.tag:
            why = f"the collection is not a {whole.kind}"
            raise ObjectRefusedError("C:supported-calendar-data", why)
        for bad in whole.refused:  # a PUT is all or nothing
            raise ObjectRefusedError(
                bad.precondition or "C:valid-calendar-data", bad.why, bad.line, limit=bad.limit
            )
        return whole

    def _store_object(
        self, body: bytes, content: CalendarObject, target: PutTarget
    ) -> types.WSGIResponse:
        href = self._path.rpartition("/")[2]
        with self._storage.acquire_lock("w", self._privileges.user, path=self._path):
            now = self._target()
            if now.key != target.key:
                return errors.plain(HTTPStatus.CONFLICT)
            parent = now.parent
            assert parent is not None
            connection = self._storage.connection
            place = write.find_place(connection, parent.id, content, href)
            if not self._may_replace(place.existing.etag if place.existing else None):
                return httputils.PRECONDITION_FAILED
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
            xmlutils.make_href(self._prefix, f"/{parent.path}/{href}"),
        )

    def _store_whole(self, whole: SplitCalendar, target: PutTarget) -> types.WSGIResponse:
        with self._storage.acquire_lock("w", self._privileges.user, path=self._path):
            now = self._target()
            if now.key != target.key:
                return errors.plain(HTTPStatus.CONFLICT)
            if not self._may_replace(ctag_of(now.existing) if now.existing else None):
                return httputils.PRECONDITION_FAILED
            connection = self._storage.connection
            made = now.existing or collections.create_collection(
                connection, self._path, _props(whole)
            )
            merged = write.merge_objects(connection, made.id, whole.objects, replace=True)
            if now.existing is None:
                self._storage.record(Change(self._path, "collection"))
            elif merged.is_change:
                self._storage.record(Change(self._path, "put"))
        return _stored(target.existing is None, {})

    def _may_replace(self, etag: str | None) -> bool:
        if etag is not None and self._strict and "HTTP_IF_MATCH" not in self._environ:
            return False
        return conditional.holds(self._environ, etag)


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
