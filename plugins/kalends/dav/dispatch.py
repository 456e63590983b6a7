"""The dispatcher: every request's checks, its resource, and the method that answers it."""

from __future__ import annotations

import logging
from http import HTTPStatus

from radicale.pathutils import is_safe_path_component
from sqlalchemy import Connection

from kalends.adapters.radicale_compat import accepts_path, accepts_user
from kalends.common.bounded_cache import LONGEST_KEY
from kalends.common.failures import FAILURES
from kalends.dav import errors
from kalends.dav.addresses import names_no_segment
from kalends.dav.context import Context, Reading, Writing
from kalends.dav.message import DAV, Request, Response
from kalends.dav.methods.registry import METHODS, Answer, ReadMethod, WriteMethod, allowed
from kalends.dav.reports.report import asks_busy_times
from kalends.dav.request_body import read_body
from kalends.dav.resource import Kind, Resource
from kalends.limit_names import Limit
from kalends.store import collections

_log = logging.getLogger("kalends.caldav")

_NAMES_KEPT = 10_000
_UNANSWERED = frozenset({"OPTIONS", "POST", "PATCH", "TRACE", "LOCK", "UNLOCK", "ACL"})
"""Known methods that no resource has, and OPTIONS: any other is not implemented."""


class Dispatcher:
    """The requests of logged-in users, each answered by one method of the registry.

    Args:
        context: the parts that methods use.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._storage = context.storage
        self._limits = context.limits
        self._admitted: dict[str, bool] = {}

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        method = METHODS.get(request.method)
        try:
            refusal = self._refusal(request)
            if refusal:
                return refusal
            if isinstance(method, ReadMethod):
                return self._read(request, method)
            if isinstance(method, WriteMethod):
                return self._write(request, method)
            return self._without_method(request)
        except FAILURES as error:
            return errors.as_answer(errors.failed(request.environ, error))
        except Exception:  # noqa: BLE001 - a bug is a traceback in the log and a 500
            _log.exception("a bug in Kalends at %s of %r", request.method, request.path)
            return errors.as_answer(errors.plain(HTTPStatus.INTERNAL_SERVER_ERROR))

    def _refusal(self, request: Request) -> Response | None:
        """Return the refusal of a path or a name that nothing may have."""
        raw = request.environ.get("REQUEST_URI") or request.environ.get("RAW_URI") or ""
        path, _, query = raw.partition("?")
        if names_no_segment(path):
            why = "the address has a segment of two dots, or a slash within a segment (%2F)"
            answer = errors.precondition(HTTPStatus.FORBIDDEN, None, why)
            return errors.as_answer(answer)
        if not self._admits_path(request.path):
            return errors.as_answer(errors.plain(HTTPStatus.BAD_REQUEST))
        if not self._admits_user(request.user):
            return errors.as_answer(errors.plain(HTTPStatus.FORBIDDEN))
        if "view" in query and request.method not in ("GET", "HEAD"):
            refusal = errors.as_answer(errors.plain(HTTPStatus.METHOD_NOT_ALLOWED))
            refusal.headers["Allow"] = "OPTIONS, GET, HEAD"
            return refusal
        return None

    def _admits_path(self, path: str) -> bool:
        """Return True if Radicale accepts a path, as the configuration wants it."""
        validation = self._limits.validate_path_value
        if validation == "none" and path.isprintable():
            return True
        return accepts_path(self._storage, path, validation)

    def _admits_user(self, user: str) -> bool:
        """Return True if Radicale accepts the name; it is asked once for each."""
        admitted = self._admitted.get(user)
        if admitted is None:
            limits = self._limits
            admitted = is_safe_path_component(user) and accepts_user(
                self._storage,
                user,
                limits.validate_user_value,
                urldecode=limits.urldecode_username,
            )
            if len(self._admitted) >= _NAMES_KEPT:
                self._admitted.clear()
            if len(user) <= LONGEST_KEY:
                self._admitted[user] = admitted
        return admitted

    def _read(self, request: Request, method: ReadMethod) -> Response:
        limit, named = self._limits.max_xml_length, Limit.XML_OCTETS
        body = read_body(request.environ, limit, named) if method.has_body else b""
        answer = self._read_once(request, method, body)
        if answer is None:
            self._storage.ensure_home(request.user)
            answer = self._read_once(request, method, body)
        assert answer is not None  # there is a home now
        return answer() if callable(answer) else answer

    def _read_once(self, request: Request, method: ReadMethod, body: bytes) -> Answer | None:
        """Answer a request that changes nothing, in one snapshot; None if a home is missing."""
        with self._storage.snapshot() as connection:
            found = self._context.find_to_read(connection, request, data=not method.has_body)
            if self._lacks_home(connection, found):
                return None
            refusal = _refused(request, found, method.kinds, may=found.may_read)
            if refusal:
                # Nobody is told of a calendar whose busy times are hidden (RFC 4791 section 7.10).
                is_hidden = not found.may_read and request.method == "REPORT"
                if is_hidden and asks_busy_times(body):
                    return errors.as_answer(errors.plain(HTTPStatus.NOT_FOUND))
                return refusal
            call = Reading(self._context, request, body, found, connection)
            call.check_if()
            return method.answer(call)

    def _write(self, request: Request, method: WriteMethod) -> Response:
        with self._storage.snapshot() as connection:
            found = self._context.find_to_read(connection, request, data=False)
            lacks_home = self._lacks_home(connection, found)
        if lacks_home:
            self._storage.ensure_home(request.user)
            return self._write(request, method)
        may = found.may_write if method.needs_write else found.may_read
        refusal = _refused(request, found, method.kinds, may=may)
        if refusal:
            return refusal
        limits = self._limits
        limit = limits.max_content_length if method.has_object else limits.max_xml_length
        named = Limit.BODY if method.has_object else Limit.XML_OCTETS
        body = read_body(request.environ, limit, named)
        return method.answer(Writing(self._context, request, body, found))

    def _lacks_home(self, connection: Connection, found: Resource) -> bool:
        """Return True if the user has no home yet, but may have one."""
        user = found.user
        here = (found.row.path if found.row else "", found.parent.path if found.parent else "")
        if any(path.partition("/")[0] == user for path in here):
            return False
        may_have = "W" in self._context.rights.authorization(user, set(), f"/{user}/")
        return may_have and collections.find_collection(connection, user) is None

    def _without_method(self, request: Request) -> Response:
        """Answer OPTIONS, and methods that no resource has (RFC 9110 section 15.6.2)."""
        if request.method not in _UNANSWERED:
            return errors.as_answer(errors.plain(HTTPStatus.NOT_IMPLEMENTED))
        with self._storage.snapshot() as connection:
            found = self._context.find(connection, request)
            lacks_home = self._lacks_home(connection, found)
        if lacks_home:
            self._storage.ensure_home(request.user)
            return self._without_method(request)
        if request.method != "OPTIONS":
            may = found.may_read
            return _refused(request, found, frozenset(), may=may) or _not_allowed(found.kind)
        return Response(HTTPStatus.OK, {"Allow": allowed(found.kind), **DAV, "Content-Length": "0"})


def _refused(
    request: Request, found: Resource, kinds: frozenset[Kind], *, may: bool
) -> Response | None:
    """Return the refusal of a method at a resource; None if it may go on.

    Args:
        request: the request.
        found: the resource.
        kinds: the kinds of resources that have the method.
        may: True if the user has the privilege that it needs.
    """
    if not may:
        return errors.as_answer(errors.forbidden(request.prefix, found))
    if found.kind in kinds:
        return None
    if not found.exists:
        return errors.as_answer(errors.plain(HTTPStatus.NOT_FOUND))
    return _not_allowed(found.kind)


def _not_allowed(kind: Kind) -> Response:
    answer = errors.as_answer(errors.plain(HTTPStatus.METHOD_NOT_ALLOWED))
    answer.headers["Allow"] = allowed(kind)
    return answer
