"""MOVE of a calendar object or card (RFC 4918 section 9.9).

Radicale's own decodes the Destination before it splits it, so that ``;``, ``?`` and ``#`` in a name
truncate it.
"""

from __future__ import annotations

import posixpath
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from radicale import httputils, pathutils, types, utils
from radicale.app.base import Access
from radicale.storage import BaseCollection

from kalends.adapters.collection import Collection
from kalends.adapters.item import RadicaleItem
from kalends.adapters.rights import Rights
from kalends.adapters.storage import Storage
from kalends.authn.apache.htfiles import decode_name
from kalends.dav.conditional import check_write
from kalends.dav.errors import plain, precondition
from kalends.dav.if_header import State
from kalends.dav.resource import find_resource

_CONFLICTS = {"VCALENDAR": "C:no-uid-conflict", "VADDRESSBOOK": "CR:no-uid-conflict"}


class Move:
    """One MOVE request.

    Args:
        storage: the store.
        rights: the rights of users.
        environ: the WSGI environment.
        base_prefix: the beginning of a Destination's path, before our own paths.
        path: of the source, as Radicale has sanitized it.
        user: the user's name.
    """

    def __init__(
        self,
        storage: Storage,
        rights: Rights,
        environ: types.WSGIEnviron,
        base_prefix: str,
        path: str,
        user: str,
    ) -> None:
        self._storage = storage
        self._rights = rights
        self._environ = environ
        self._prefix = base_prefix
        self._path = path
        self._user = user

    def answer(self) -> types.WSGIResponse:
        """Move, and return 201 for a new resource, 204 for a replaced one."""
        source = Access(self._rights, self._user, set(), self._path)
        try:
            destination = urlsplit(self._environ.get("HTTP_DESTINATION", ""))
            is_remote = bool(destination.netloc) and not self._is_ours(destination)
        except ValueError:
            return plain(HTTPStatus.BAD_REQUEST)
        if is_remote:
            return httputils.REMOTE_DESTINATION
        name = decode_name(unquote_to_bytes(destination.path.encode("latin-1")))
        to_path = pathutils.sanitize_path(name)
        if not (to_path + "/").startswith(self._prefix + "/"):
            return httputils.NOT_ALLOWED
        to_path = to_path[len(self._prefix) :]
        target = Access(self._rights, self._user, set(), to_path)
        if not source.check("w") or not target.check("w"):
            return httputils.NOT_ALLOWED
        with self._storage.acquire_lock("w", self._user, path=self._path, to_path=to_path):
            return self._move(to_path, source, target)

    def _is_ours(self, destination: Any) -> bool:
        port = destination.port or (443 if destination.scheme == "https" else 80)
        host = destination.netloc if destination.port else f"{destination.netloc}:{port}"
        ours: str = utils.get_server_netloc(self._environ, force_port=True)
        return bool(host.lower() == ours.lower())

    def _move(self, to_path: str, source: Access, target: Access) -> types.WSGIResponse:
        item = self._at(self._path)
        if item is None:
            return httputils.NOT_FOUND
        if not source.check("w", item) or not target.check("w", item):
            return httputils.NOT_ALLOWED
        if isinstance(item, BaseCollection):
            return httputils.METHOD_NOT_ALLOWED
        assert isinstance(item, RadicaleItem)
        existing = self._at(to_path)
        parent = self._at(pathutils.parent_path(to_path))
        if parent is None:
            return httputils.CONFLICT
        home = item.collection
        assert isinstance(home, Collection)
        same_kind = isinstance(parent, Collection) and parent.tag and parent.tag == home.tag
        if isinstance(existing, BaseCollection) or not same_kind or to_path == self._path:
            return httputils.FORBIDDEN
        assert isinstance(parent, Collection)
        taken = parent.row.components
        if taken is not None and item.component_name not in taken:
            why = f"the target collection does not accept {item.component_name}"
            return precondition(HTTPStatus.FORBIDDEN, "C:supported-calendar-component", why)
        connection = self._storage.connection
        found = find_resource(connection, self._rights, self._user, self._path)
        check_write(self._environ, found, lambda _: State(None, frozenset()))
        if existing and self._environ.get("HTTP_OVERWRITE", "T") != "T":
            return httputils.PRECONDITION_FAILED
        conflict = (
            existing.uid != item.uid
            if isinstance(existing, RadicaleItem)
            else parent.path != home.path and parent.has_uid(item.uid)
        )
        if conflict:
            why = "another object of the target collection has this UID"
            return precondition(HTTPStatus.CONFLICT, _CONFLICTS[home.tag], why)
        self._storage.move(item, parent, posixpath.basename(pathutils.strip_path(to_path)))
        return (HTTPStatus.NO_CONTENT if existing else HTTPStatus.CREATED), {}, None, None

    def _at(self, path: str) -> types.CollectionOrItem | None:
        return next(iter(self._storage.discover(path)), None)
