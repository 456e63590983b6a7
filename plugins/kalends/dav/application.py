"""The WebDAV application: a fast path of our own, and Radicale's handlers made safe."""

from __future__ import annotations

import logging
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Iterable
from http import HTTPStatus
from typing import Any

from radicale import config, httputils, types, xmlutils

from kalends.adapters.auth import Auth
from kalends.adapters.group_homes import GroupHomes
from kalends.adapters.plugins import with_plugins
from kalends.adapters.radicale_compat import ApplicationBase, WsgiAnswer
from kalends.adapters.rights import Rights
from kalends.adapters.storage import Storage
from kalends.authn.apache.htfiles import decode_name
from kalends.authn.middleware import USER_KEY
from kalends.common.failures import FAILURES
from kalends.dav import errors
from kalends.dav.answer_budget import check_members
from kalends.dav.dispatch import Dispatcher, RequestLimits
from kalends.dav.message import Request, Response, sanitize
from kalends.dav.methods.free_busy_view import ViewDays, free_busy_view, wants_free_busy_view
from kalends.dav.methods.move import Move
from kalends.dav.methods.proppatch import refuse_protected
from kalends.dav.methods.put import Put
from kalends.dav.privileges import Privileges
from kalends.dav.reader import Reader
from kalends.dav.reports.report import report
from kalends.dav.reports.target import ReportLimits
from kalends.dav.request_body import read_body
from kalends.dav.xml.parts import check_properties, parse_request
from kalends.errors import BodyRefusedError
from kalends.limit_names import Limit

_log = logging.getLogger("kalends.caldav")

_ROOT = "kalends.xml"
_READ_ONLY = ("GET", "HEAD")
_ROOTS = {"PROPFIND": "D:propfind", "PROPPATCH": "D:propertyupdate"}

_RADICALES_PROFILE = "/.mobileconfig"

_Handler = Callable[..., types.WSGIResponse]


class DavApplication(ApplicationBase):
    """The WSGI application for everything but feeds.

    Args:
        configuration: Radicale's.
        storage: the store.
        homes: the homes of groups in that store.
        named_feeds: returns the names of feeds, which are not available for accounts.
    """

    def __init__(
        self,
        configuration: config.Configuration,
        storage: Storage,
        homes: GroupHomes,
        named_feeds: Callable[[], Collection[str]],
    ) -> None:
        rights = Rights(configuration, named_feeds, homes.ensure_of)
        auth = Auth(configuration, homes.ensure_of)
        super().__init__(with_plugins(configuration, auth=auth, rights=rights, storage=storage))
        self._store = storage
        self._user_rights = rights
        self._homes = homes
        self._reader = Reader(storage, rights, homes.ensure_of, self.max_resource_size)
        self._report_limits = ReportLimits(
            configuration.get("reporting", "max_expand_occurrence"),
            configuration.get("reporting", "max_freebusy_occurrence"),
        )
        self._view_days = ViewDays(
            configuration.get("reporting", "freebusy_view_past_days"),
            configuration.get("reporting", "freebusy_view_future_days"),
        )
        self._max_xml_length = min(
            configuration.get("kalends", "max_xml_length"), self.max_content_length
        )
        self._dispatcher = self._create_dispatcher()

    def _create_dispatcher(self) -> Dispatcher:
        limits = RequestLimits(
            max_content_length=self.max_content_length,
            max_xml_length=self._max_xml_length,
            max_resource_size=self.max_resource_size,
            strict_preconditions=self.strict_preconditions,
            validate_user_value=self.validate_user_value,
            validate_path_value=self.validate_path_value,
            urldecode_username=self.urldecode_username,
            reports=self._report_limits,
        )
        return Dispatcher(self._store, self._user_rights, self._reader, limits)

    def __call__(
        self, environ: types.WSGIEnviron, start_response: types.WSGIStartResponse
    ) -> Iterable[bytes]:
        """Answer a request by the fast path if it has a frequent shape, otherwise by Radicale."""
        assert isinstance(environ, dict)
        user = environ.get(USER_KEY, "")
        self._homes.ensure_of(user)
        # Radicale expects text, as its own server passes it; WSGI passes bytes as ISO-8859-1.
        path = decode_name(environ.get("PATH_INFO", "").encode("latin-1"))
        path = self._homes.in_path(sanitize(path))
        environ["PATH_INFO"] = path
        if user:
            prefix = environ.get("SCRIPT_NAME", "").rstrip("/")
            request = Request(environ, environ["REQUEST_METHOD"], path, user, prefix)
            answer = self._dispatcher.answer(request)
            if answer is not None:
                _log.debug("%s of %r by %r: %d", request.method, path, user, answer.status)
                headers = {**answer.headers, **self.extra_headers}
                start_response(f"{answer.status.value} {answer.status.phrase}", [*headers.items()])
                return () if request.method == "HEAD" else answer.body
        return super().__call__(environ, start_response)

    def handle_request(self, environ: types.WSGIEnviron) -> WsgiAnswer:
        """Answer a request by Radicale; map failures outside its handlers to responses."""
        try:
            return super().handle_request(environ)
        except FAILURES as error:
            answer = errors.as_answer(errors.failed(environ, error))
            status = f"{answer.status.value} {answer.status.phrase}"
            return status, [*answer.headers.items()], answer.body

    def do_PUT(
        self,
        environ: types.WSGIEnviron,
        base_prefix: str,
        path: str,
        user: str,
        user_groups: set[str],
        request_info: dict[str, Any],
    ) -> types.WSGIResponse:
        """Store an object, or a whole calendar at a new path."""
        privileges = Privileges.at(self._user_rights, user, path)
        if not privileges.may_write:
            return httputils.NOT_ALLOWED
        put = Put(
            self._store,
            privileges,
            environ,
            base_prefix,
            max_size=self.max_resource_size,
            strict=self.strict_preconditions,
        )
        return self._with_failures(
            environ,
            lambda: put.answer(read_body(environ, self.max_content_length), put.find_target()),
        )

    def do_PROPPATCH(self, environ: types.WSGIEnviron, *rest: Any) -> types.WSGIResponse:
        """Set and remove properties, all or none (RFC 4918 section 9.2)."""

        def answer() -> types.WSGIResponse:
            root = self._parse(environ)
            if root is None:
                return errors.plain(HTTPStatus.BAD_REQUEST)
            return refuse_protected(root, rest[0], rest[1]) or super(
                DavApplication, self
            ).do_PROPPATCH(environ, *rest)

        return self._with_failures(environ, answer)

    def do_DELETE(self, *args: Any) -> types.WSGIResponse:
        """Delete an object or a collection."""
        return self._with_failures(args[0], lambda: super(DavApplication, self).do_DELETE(*args))

    def do_MOVE(
        self,
        environ: types.WSGIEnviron,
        base_prefix: str,
        path: str,
        user: str,
        user_groups: set[str],
        request_info: dict[str, Any],
    ) -> types.WSGIResponse:
        """Move an object to another path."""
        move = Move(self._store, self._user_rights, environ, base_prefix, path, user)
        return self._with_failures(environ, move.answer)

    def do_MKCALENDAR(self, *args: Any) -> types.WSGIResponse:
        """Create a calendar."""
        return self._bounded(super().do_MKCALENDAR, *args)

    def do_MKCOL(self, *args: Any) -> types.WSGIResponse:
        """Create a collection."""
        return self._bounded(super().do_MKCOL, *args)

    def do_PROPFIND(self, *args: Any) -> types.WSGIResponse:
        """Return properties."""
        return self._snapshot(super().do_PROPFIND, *args)

    def do_REPORT(
        self,
        environ: types.WSGIEnviron,
        base_prefix: str,
        path: str,
        user: str,
        user_groups: set[str],
        request_info: dict[str, Any],
    ) -> types.WSGIResponse:
        """Answer a report, or refuse it where the user may not read."""
        # Radicale compresses the answer.
        plain = {**environ, "HTTP_ACCEPT_ENCODING": ""}

        def answer(request: Request) -> Response | None:
            return report(self._reader, request, self._xml(environ), self._report_limits)

        return self._read(answer, Request(plain, "REPORT", path, user, base_prefix), environ)

    def do_GET(
        self,
        environ: types.WSGIEnviron,
        base_prefix: str,
        path: str,
        user: str,
        user_groups: set[str],
        request_info: dict[str, Any],
    ) -> types.WSGIResponse:
        """Return an object, a whole collection, its busy times, or a page."""
        if path == _RADICALES_PROFILE:  # ours is answered before; this is another spelling of it
            return httputils.NOT_FOUND
        if not path.startswith("/.") and wants_free_busy_view(environ.get("QUERY_STRING", "")):
            return self._read(
                lambda request: free_busy_view(
                    self._reader, request, self._report_limits, self._view_days, int(time.time())
                ),
                Request(environ, "GET", path, user, base_prefix),
                environ,
            )
        if environ["wsgi.url_scheme"] == "https":
            assert isinstance(environ, dict)
            environ.setdefault("SSL_PROTOCOL", "TLS")  # where Radicale looks for it
        return self._snapshot(
            super().do_GET, environ, base_prefix, path, user, user_groups, request_info
        )

    def _read(
        self,
        answer: Callable[[Request], Response | None],
        request: Request,
        environ: types.WSGIEnviron,
    ) -> types.WSGIResponse:
        """Answer a request that changes nothing; None is a refusal of the resource."""

        def answered() -> types.WSGIResponse:
            found = answer(request)
            if found is not None:
                return errors.as_radicales(found)
            privileges = Privileges.at(self._user_rights, request.user, request.path)
            may_read = privileges.here or "r" in privileges.above
            return httputils.NOT_FOUND if may_read else httputils.NOT_ALLOWED

        return self._with_failures(environ, answered)

    def _snapshot(
        self, handler: _Handler, environ: types.WSGIEnviron, *rest: Any
    ) -> types.WSGIResponse:
        """Run a handler of Radicale's within one snapshot.

        Radicale releases its lock before it has read everything that it answers with.
        """

        def answer(environ: types.WSGIEnviron, *rest: Any) -> types.WSGIResponse:
            with self._store.acquire_lock("r"):
                if environ["REQUEST_METHOD"] == "PROPFIND":
                    check_members(self._store.connection, environ, environ[_ROOT], rest[1])
                return handler(environ, *rest)

        return self._bounded(answer, environ, *rest)

    def _bounded(
        self, handler: _Handler, environ: types.WSGIEnviron, *rest: Any
    ) -> types.WSGIResponse:
        """Run a handler of Radicale's with a body that we have read, parsed and limited."""

        def answer() -> types.WSGIResponse:
            self._parse(environ)
            return handler(environ, *rest)

        return self._with_failures(environ, answer)

    def _parse(self, environ: types.WSGIEnviron) -> ET.Element | None:
        """Parse the body, and leave its root to Radicale's handler; None if it is empty.

        Raises:
            BodyRefusedError: it is not the method's own (RFC 4918 section 8.2), malformed or beyond
                a limit.
        """
        assert isinstance(environ, dict)
        environ[_ROOT] = None
        method = environ["REQUEST_METHOD"]
        body = b"" if method in _READ_ONLY else self._xml(environ)
        if not body:
            return None
        root = environ[_ROOT] = parse_request(body)
        expected = _ROOTS.get(method)
        if expected and (root.tag != xmlutils.make_clark(expected) or not len(root)):
            why = f"the XML is not a {expected.removeprefix('D:')} with content"
            raise BodyRefusedError(HTTPStatus.BAD_REQUEST, why)
        if method != "PROPFIND":
            check_properties(root)
        return root

    def _xml(self, environ: types.WSGIEnviron) -> bytes:
        return read_body(environ, self._max_xml_length, Limit.XML_OCTETS)

    def read_xml(self, environ: types.WSGIEnviron) -> ET.Element | None:
        """Return what `_parse` has made of the body."""
        root: ET.Element | None = environ[_ROOT]
        return root

    def _with_failures(
        self, environ: types.WSGIEnviron, answer: Callable[[], types.WSGIResponse]
    ) -> types.WSGIResponse:
        try:
            return answer()
        except FAILURES as error:
            return errors.failed(environ, error)
