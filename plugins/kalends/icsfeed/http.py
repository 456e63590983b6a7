"""``/feeds/NAME.ics`` and ``/feeds/s/SECRET/NAME.ics`` over HTTP (RFC 9110)."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from typing import Any, BinaryIO

from kalends.encodings import takes_gzip
from kalends.errors import UserFileUnavailableError
from kalends.icsfeed.admission import Admission, Environ, address_of
from kalends.icsfeed.definitions import Feed
from kalends.icsfeed.versions import State, Versions

_log = logging.getLogger("kalends.feeds")

_BLOCK = 1 << 18
_ETAG = re.compile(r'(?:W/)?"([^"]*)"')

StartResponse = Callable[..., Any]


class FeedApplication:
    """Serves feeds; they are read-only.

    Args:
        admission: who may see which.
        versions: their bytes.
    """

    def __init__(self, admission: Admission, versions: Versions) -> None:
        self._admission = admission
        self._versions = versions

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request below ``/feeds/``."""
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            allow = [("Allow", "GET, HEAD")]
            return _plain(
                start_response, HTTPStatus.METHOD_NOT_ALLOWED, "feeds are read-only", allow
            )
        if address_of(environ).rest != ".ics":
            return _plain(start_response, HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.phrase)
        try:
            admitted = self._admission.admit(environ)
            if isinstance(admitted, HTTPStatus):
                return _plain(start_response, admitted, admitted.phrase)
            return self._answer(admitted.feed, environ, start_response)
        except UserFileUnavailableError as error:
            _log.error("%s", error)
            retry = [("Retry-After", "5")]
            return _plain(start_response, HTTPStatus.SERVICE_UNAVAILABLE, "try again soon", retry)

    def _answer(
        self, feed: Feed, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        coding = "gzip" if takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")) else ""
        state = self._versions.state(feed)
        if _is_known(environ, state):
            start_response(_line(HTTPStatus.NOT_MODIFIED), _headers(feed, state, coding))
            return []
        state, file = self._versions.open(feed, coding)
        length = os.fstat(file.fileno()).st_size
        headers = [
            *_headers(feed, state, coding),
            ("Content-Type", "text/calendar; charset=utf-8"),
            ("Content-Length", str(length)),
        ]
        if coding:
            headers.append(("Content-Encoding", coding))
        start_response(_line(HTTPStatus.OK), headers)
        if environ["REQUEST_METHOD"] == "HEAD":
            file.close()
            return []
        return _Blocks(file)


class _Blocks:
    """A file in blocks, closed by the server when it is done or has lost its client."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(_BLOCK), b"")

    def close(self) -> None:
        self._file.close()


def _headers(feed: Feed, state: State, coding: str) -> list[tuple[str, str]]:
    scope = "public" if feed.access.kind == "public" else "private"
    headers = [
        ("ETag", state.etag(coding)),
        ("Cache-Control", f"{scope}, no-cache"),
        ("Vary", "Accept-Encoding"),
    ]
    if state.changed is not None:
        headers.append(("Last-Modified", formatdate(state.changed, usegmt=True)))
    return headers


def _is_known(environ: Environ, state: State) -> bool:
    """Whether the client has this version (RFC 9110 sections 13.1.2 and 13.1.3)."""
    tags = environ.get("HTTP_IF_NONE_MATCH")
    if tags is not None:
        known = _ETAG.findall(tags)
        return tags.strip() == "*" or any(tag.partition("-")[0] == state.key for tag in known)
    since = environ.get("HTTP_IF_MODIFIED_SINCE")
    if since is None or state.changed is None:
        return False
    try:
        return state.changed <= parsedate_to_datetime(since).timestamp()
    except (ValueError, OverflowError, TypeError):
        return False


def _line(status: HTTPStatus) -> str:
    return f"{status.value} {status.phrase}"


def _plain(
    start_response: StartResponse,
    status: HTTPStatus,
    text: str,
    headers: Iterable[tuple[str, str]] = (),
) -> Iterable[bytes]:
    body = f"{text}\n".encode()
    start_response(
        _line(status),
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            *headers,
        ],
    )
    return [body]
