"""Fast path for the most frequent requests; everything else falls through to Radicale."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from radicale.pathutils import is_safe_path_component

from kalends.adapters.radicale_compat import accepts_path, accepts_user
from kalends.adapters.rights import Rights
from kalends.adapters.storage import Storage
from kalends.common.bounded_cache import LONGEST_KEY
from kalends.common.failures import FAILURES
from kalends.dav import errors
from kalends.dav.message import Request, Response
from kalends.dav.methods.delete import delete_object
from kalends.dav.methods.get import get_object
from kalends.dav.methods.propfind import propfind
from kalends.dav.methods.put import Put
from kalends.dav.privileges import Privileges
from kalends.dav.reader import Reader
from kalends.dav.reports.report import report
from kalends.dav.reports.target import ReportLimits
from kalends.dav.request_body import put_back, read_body
from kalends.dav.xml.requests import read_propfind
from kalends.limit_names import Limit

_log = logging.getLogger("kalends.caldav")

_NAMES_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The configured limits and checks of requests, by Radicale's names."""

    max_content_length: int
    max_xml_length: int
    max_resource_size: int
    strict_preconditions: bool
    validate_user_value: str
    validate_path_value: str
    urldecode_username: bool
    reports: ReportLimits


class Dispatcher:
    """The frequent requests, behind the same checks of user, path and rights as all others.

    Args:
        storage: the store.
        rights: the rights of users.
        reader: access to the store for methods that change nothing.
        limits: the configured limits.
    """

    def __init__(
        self, storage: Storage, rights: Rights, reader: Reader, limits: RequestLimits
    ) -> None:
        self._storage = storage
        self._rights = rights
        self._reader = reader
        self._limits = limits
        self._admitted: dict[str, bool] = {}
        self._handlers: dict[str, Callable[[Request], Response | None]] = {
            "PROPFIND": self._propfind,
            "REPORT": self._report,
            "GET": self._get,
            "HEAD": self._get,
            "PUT": self._put,
            "DELETE": self._delete,
        }

    def answer(self, request: Request) -> Response | None:
        """Answer a request; None leaves it to Radicale, unchanged."""
        handler = self._handlers.get(request.method)
        if handler is None or _asks_for_view(request) or not self._admits(request):
            return None
        try:
            return handler(request)
        except FAILURES as error:
            return errors.as_answer(errors.failed(request.environ, error))
        except Exception:  # noqa: BLE001 - a bug is a traceback in the log and a 500
            _log.exception("a bug in Kalends at %s of %r", request.method, request.path)
            return errors.as_answer(errors.plain(HTTPStatus.INTERNAL_SERVER_ERROR))

    def _admits(self, request: Request) -> bool:
        limits, storage = self._limits, self._storage
        return (
            request.is_sane
            and (
                (request.path.isprintable() and limits.validate_path_value == "none")
                or accepts_path(storage, request.path, limits.validate_path_value)
            )
            and self._admits_user(request.user)
        )

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

    def _propfind(self, request: Request) -> Response | None:
        body = read_body(request.environ, self._limits.max_xml_length, Limit.XML_OCTETS)
        asked = read_propfind(body)
        answer = propfind(self._reader, request, asked) if asked else None
        if answer is None:
            put_back(request.environ, body)
        return answer

    def _report(self, request: Request) -> Response | None:
        body = read_body(request.environ, self._limits.max_xml_length, Limit.XML_OCTETS)
        answer = report(self._reader, request, body, self._limits.reports)
        if answer is None:
            put_back(request.environ, body)
        return answer

    def _get(self, request: Request) -> Response | None:
        return get_object(self._reader, request)

    def _put(self, request: Request) -> Response | None:
        privileges = Privileges.at(self._rights, request.user, request.path)
        if not privileges.may_write or not privileges.path:
            return None
        put = Put(
            self._storage,
            privileges,
            request.environ,
            request.prefix,
            max_size=self._limits.max_resource_size,
            strict=self._limits.strict_preconditions,
        )
        target = put.find_target()
        if target.parent is None:
            return None
        body = read_body(request.environ, self._limits.max_content_length)
        return errors.as_answer(put.answer(body, target))

    def _delete(self, request: Request) -> Response | None:
        privileges = Privileges.at(self._rights, request.user, request.path)
        return delete_object(self._storage, request) if "w" in privileges.above else None


def _asks_for_view(request: Request) -> bool:
    """Return True if a query may matter: Radicale knows ``?view=freebusy``, for GET alone."""
    query = request.environ.get("QUERY_STRING", "")
    return bool(query) and (request.method in ("GET", "HEAD") or "view" in query)
