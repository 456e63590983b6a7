"""``/feeds/NAME.ics`` and ``/feeds/s/SECRET/NAME.ics`` over HTTP (RFC 9110)."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from functools import partial
from http import HTTPStatus
from typing import BinaryIO

from kalends.common.failures import refuse
from kalends.common.file_blocks import FileBlocks
from kalends.common.http import EntityTags, http_date, parse_http_date, takes_gzip
from kalends.common.wsgi import Environ, Headers, StartResponse, plain, status_line
from kalends.errors import KalendsError
from kalends.feeds.access import AccessControl, address_of
from kalends.feeds.cache import FeedCache
from kalends.feeds.definitions.model import Feed
from kalends.feeds.version import FeedVersion

_log = logging.getLogger("kalends.feeds")

ROBOTS = "/robots.txt"

_ALLOW = [("Allow", "GET, HEAD, OPTIONS")]
_READ_ONLY = "This feed is read-only: change the events in the calendars that it shows.\n"
_ROBOTS = "User-agent: *\nAllow: /feeds/\nDisallow: /\n"


class FeedApplication:
    """WSGI application that serves feeds as read-only files.

    Args:
        access: the access control of the feeds.
        cache: the composed versions of the feeds.
    """

    def __init__(self, access: AccessControl, cache: FeedCache) -> None:
        self._access = access
        self._cache = cache

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request below ``/feeds/``."""
        answer = partial(plain, environ, start_response)
        method = environ["REQUEST_METHOD"]
        if method == "OPTIONS":
            return answer(HTTPStatus.OK, "", _ALLOW)
        if method not in ("GET", "HEAD"):
            return answer(HTTPStatus.METHOD_NOT_ALLOWED, _READ_ONLY, _ALLOW)
        if not address_of(environ).is_file:
            return answer(HTTPStatus.NOT_FOUND)
        try:
            feed = self._access.authorize(environ)
        except KalendsError as error:
            return _refuse(environ, start_response, error)
        if isinstance(feed, HTTPStatus):
            return answer(feed)
        try:
            return self._answer(feed, environ, start_response)
        except Exception as error:  # noqa: BLE001 - subscribers switch a feed off for a 5xx
            return self._answer_last_good(feed, environ, start_response, error)

    def _answer(
        self, feed: Feed, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        coding = "gzip" if takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")) else ""
        version = self._cache.version(feed, self._cache.state(feed))
        if version and _client_has(environ, version):
            return _not_modified(start_response, _headers(feed, version, coding, environ))
        version, file = self._cache.open(feed, coding)
        headers = _headers(feed, version, coding, environ)
        if _client_has(environ, version):
            file.close()
            return _not_modified(start_response, headers)
        return _file(environ, start_response, headers, file, coding)

    def _answer_last_good(
        self, feed: Feed, environ: Environ, start_response: StartResponse, error: Exception
    ) -> Iterable[bytes]:
        """Serve the last good version after an error, to an authorized client.

        Raises:
            Exception: ``error`` itself, if it is a bug in Kalends and there is no such version.
        """
        is_known = isinstance(error, (KalendsError, OSError))
        text = "feed %s: %s; serving the previous version"
        _log.error(text, feed.name, error, exc_info=None if is_known else error)
        found = self._cache.last_good(feed)
        if found is None:
            if is_known:
                return _refuse(environ, start_response, error)
            raise error
        version, file = found
        headers = _headers(feed, version, "", environ)
        if _client_has(environ, version):
            file.close()
            return _not_modified(start_response, headers)
        return _file(environ, start_response, headers, file, "")


def not_found(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer any request with 404."""
    return plain(environ, start_response, HTTPStatus.NOT_FOUND)


def robots_txt(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request for ``ROBOTS`` (RFC 9309), which Google Calendar obeys for feeds."""
    return plain(environ, start_response, HTTPStatus.OK, _ROBOTS)


def _headers(feed: Feed, version: FeedVersion, coding: str, environ: Environ) -> Headers:
    scope = "public" if feed.access.kind == "public" else "private"
    headers = [
        ("ETag", version.etag(coding)),
        ("Cache-Control", f"{scope}, no-cache"),
        ("Vary", "Accept-Encoding"),
    ]
    if version.modified is not None:
        # Never in the future, even if versions follow each other faster than seconds do.
        headers.append(("Last-Modified", http_date(min(version.modified, time.time()))))
    if address_of(environ).secret is not None:
        headers.append(("X-Robots-Tag", "noindex"))
    return headers


def _client_has(environ: Environ, version: FeedVersion) -> bool:
    """Return True if the client has this version (RFC 9110 sections 13.1.2, 13.1.3 and 13.2.2)."""
    if "HTTP_IF_NONE_MATCH" in environ:
        known = EntityTags.known_to(environ)
        return known.is_any or any(tag.partition("-")[0] == version.content for tag in known.opaque)
    moment = parse_http_date(environ.get("HTTP_IF_MODIFIED_SINCE", ""))
    return moment is not None and version.is_known_since(moment, time.time())


def _not_modified(start_response: StartResponse, headers: Headers) -> Iterable[bytes]:
    start_response(status_line(HTTPStatus.NOT_MODIFIED), headers)
    return []


def _file(
    environ: Environ,
    start_response: StartResponse,
    headers: Headers,
    file: BinaryIO,
    coding: str,
) -> Iterable[bytes]:
    headers += [
        ("Content-Type", "text/calendar; charset=utf-8"),
        ("Content-Length", str(os.fstat(file.fileno()).st_size)),
    ]
    if coding:
        headers.append(("Content-Encoding", coding))
    start_response(status_line(HTTPStatus.OK), headers)
    if environ["REQUEST_METHOD"] == "HEAD":
        file.close()
        return []
    return FileBlocks(file)


def _refuse(environ: Environ, start_response: StartResponse, error: Exception) -> Iterable[bytes]:
    _log.error("%s", error)
    return refuse(environ, start_response, error)
