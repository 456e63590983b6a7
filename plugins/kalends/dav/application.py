"""The WebDAV application: resources by the dispatcher, and Radicale's own pages."""

from __future__ import annotations

import logging
import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any

from radicale import config, httputils, types

from kalends.adapters.auth import Auth
from kalends.adapters.group_homes import GroupHomes
from kalends.adapters.plugins import with_plugins
from kalends.adapters.radicale_compat import ApplicationBase, WsgiAnswer
from kalends.adapters.rights import Rights
from kalends.adapters.storage import Storage
from kalends.authn.apache.htfiles import decode_name
from kalends.authn.middleware import USER_KEY
from kalends.common.failures import FAILURES
from kalends.config.settings import Settings
from kalends.dav import errors
from kalends.dav.context import Context, RequestLimits, ViewDays
from kalends.dav.dispatch import Dispatcher
from kalends.dav.message import DAV, Request, sanitize
from kalends.dav.methods.registry import allowed
from kalends.dav.reader import Reader
from kalends.dav.reports.target import ReportLimits
from kalends.feeds.collection_cache import CollectionCache

_log = logging.getLogger("kalends.caldav")

_READ_ONLY = ("GET", "HEAD")

WELL_KNOWN = frozenset({"/.well-known/caldav", "/.well-known/carddav"})
"""The addresses at which clients look for the service (RFC 6764 section 5)."""

_RADICALES_PROFILE = "/.mobileconfig"


class DavApplication(ApplicationBase):
    """The WSGI application for everything but feeds.

    Args:
        configuration: Radicale's.
        storage: the store.
        homes: the homes of groups in that store.
        named_feeds: returns the names of feeds, which are not available for accounts.
        accounts: returns the names of all accounts.
        settings: the settings, for the limits of requests and objects.
        whole: the cache of whole collections.
    """

    def __init__(
        self,
        configuration: config.Configuration,
        storage: Storage,
        homes: GroupHomes,
        named_feeds: Callable[[], Collection[str]],
        accounts: Callable[[], Collection[str]],
        settings: Settings,
        whole: CollectionCache,
    ) -> None:
        rights = Rights(configuration, named_feeds, homes.ensure_of)
        auth = Auth(configuration, homes.ensure_of)
        super().__init__(with_plugins(configuration, auth=auth, rights=rights, storage=storage))
        self._store = storage
        self._user_rights = rights
        self._homes = homes
        self._accounts = accounts
        self._whole = whole
        self._max_xml_length = min(
            configuration.get("kalends", "max_xml_length"), self.max_content_length
        )
        self._dispatcher = self._create_dispatcher(configuration, settings)

    def _create_dispatcher(
        self, configuration: config.Configuration, settings: Settings
    ) -> Dispatcher:
        reading = partial(configuration.get, "reporting")
        limits = RequestLimits(
            max_content_length=self.max_content_length,
            max_xml_length=self._max_xml_length,
            objects=settings.object_limits,
            strict_preconditions=self.strict_preconditions,
            permit_delete_collection=configuration.get("rights", "permit_delete_collection"),
            validate_user_value=self.validate_user_value,
            validate_path_value=self.validate_path_value,
            urldecode_username=self.urldecode_username,
            reports=ReportLimits(
                reading("max_expand_occurrence"),
                reading("max_freebusy_occurrence"),
                settings.max_hrefs,
                settings.object_limits.steps,
            ),
            view_days=ViewDays(
                reading("freebusy_view_past_days"), reading("freebusy_view_future_days")
            ),
        )
        groups_of, told = self._homes.ensure_of, settings.object_limits
        reader = Reader(self._store, self._user_rights, groups_of, self._accounts, told)
        context = Context(
            self._store, self._user_rights, reader, limits, self._homes.in_path, self._whole
        )
        return Dispatcher(context)

    def __call__(
        self, environ: types.WSGIEnviron, start_response: types.WSGIStartResponse
    ) -> Iterable[bytes]:
        """Answer a request: pages by Radicale, everything else by the method of its resource."""
        assert isinstance(environ, dict)
        user = environ.get(USER_KEY, "")
        self._homes.ensure_of(user)
        # Radicale expects text, as its own server passes it; WSGI passes bytes as ISO-8859-1.
        path = decode_name(environ.get("PATH_INFO", "").encode("latin-1"))
        path = self._homes.in_path(sanitize(path))
        environ["PATH_INFO"] = path
        is_page = path.startswith("/.") or (path == "/" and environ["REQUEST_METHOD"] in _READ_ONLY)
        if environ["REQUEST_METHOD"] == "OPTIONS" and not user:
            headers = {"Allow": allowed(None), **DAV, "Content-Length": "0", **self.extra_headers}
            start_response("200 OK", [*headers.items()])
            return ()
        if path.rstrip("/") in WELL_KNOWN:
            return self._redirect(environ, start_response)
        if user and not is_page:
            prefix = environ.get("SCRIPT_NAME", "").rstrip("/")
            request = Request(environ, environ["REQUEST_METHOD"], path, user, prefix)
            answer = self._dispatcher.answer(request)
            _log.debug("%s of %r by %r: %d", request.method, path, user, answer.status)
            headers = {**answer.headers, **self.extra_headers}
            start_response(f"{answer.status.value} {answer.status.phrase}", [*headers.items()])
            return () if request.method == "HEAD" else answer.body
        return super().__call__(environ, start_response)

    def _redirect(
        self, environ: types.WSGIEnviron, start_response: types.WSGIStartResponse
    ) -> Iterable[bytes]:
        """Lead a client to the root, which may get another prefix (RFC 6764 section 5)."""
        there = f"{environ.get('SCRIPT_NAME', '').rstrip('/')}/"
        headers = {"Location": there, "Cache-Control": "no-cache", "Content-Length": "0"}
        start_response("301 Moved Permanently", [*headers.items(), *self.extra_headers.items()])
        return ()

    def handle_request(self, environ: types.WSGIEnviron) -> WsgiAnswer:
        """Answer a request by Radicale; map failures outside its handlers to responses."""
        try:
            return super().handle_request(environ)
        except FAILURES as error:
            answer = errors.as_answer(errors.failed(environ, error))
            status = f"{answer.status.value} {answer.status.phrase}"
            return status, [*answer.headers.items()], answer.body

    def do_GET(self, environ: types.WSGIEnviron, *rest: Any) -> types.WSGIResponse:
        """Return one of Radicale's pages."""
        if environ["PATH_INFO"] == _RADICALES_PROFILE:  # ours has the plain spelling of it
            return httputils.NOT_FOUND
        if environ["wsgi.url_scheme"] == "https":
            assert isinstance(environ, dict)
            environ.setdefault("SSL_PROTOCOL", "TLS")  # where Radicale looks for it
        return super().do_GET(environ, *rest)

    def read_xml(self, environ: types.WSGIEnviron) -> ET.Element | None:
        """Return None: every method with XML is ours, and Radicale's handlers get to read none."""
        return None
