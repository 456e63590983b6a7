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
from kalends.icsfeed.catalog import Catalog
from kalends.icsfeed.definitions import Feed
from kalends.icsfeed.source import SecretBook
from kalends.icsfeed.versions import State, Versions

_log = logging.getLogger("kalends.feeds")

PREFIX = "/feeds/"
_SECRET = "s/"  # noqa: S105 - a part of the address
_BLOCK = 1 << 18
_ETAG = re.compile(r'(?:W/)?"([^"]*)"')

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class FeedApplication:
    """Serves feeds; they are read-only.

    Args:
        catalog: which feeds there are.
        versions: their bytes.
        secrets: who has which secret.
        user_key: where in the environ the verified user's name is, if there is one.
    """

    def __init__(
        self, catalog: Catalog, versions: Versions, secrets: SecretBook, user_key: str
    ) -> None:
        self._catalog = catalog
        self._versions = versions
        self._secrets = secrets
        self._user_key = user_key

    def is_secret(self, environ: Environ) -> bool:
        """Whether the address is a secret one, where no login is asked, ever."""
        path: str = environ.get("PATH_INFO", "")
        return path.startswith(PREFIX + _SECRET)

    def needs_login(self, environ: Environ) -> bool:
        """Whether a feed's address asks for a login; a secret or public one never does."""
        if self.is_secret(environ):
            return False
        try:
            feed = self._catalog.feed(_name(_rest(environ)))
        except UserFileUnavailableError:
            return True
        return feed is None or feed.access.kind != "public"

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request below ``/feeds/``."""
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            allow = [("Allow", "GET, HEAD")]
            return _plain(
                start_response, HTTPStatus.METHOD_NOT_ALLOWED, "feeds are read-only", allow
            )
        try:
            feed, status = self._find(environ)
            if feed is None:
                return _plain(start_response, status, status.phrase)
            return self._answer(feed, environ, start_response)
        except UserFileUnavailableError as error:
            _log.error("%s", error)
            retry = [("Retry-After", "5")]
            return _plain(start_response, HTTPStatus.SERVICE_UNAVAILABLE, "try again soon", retry)

    def _find(self, environ: Environ) -> tuple[Feed | None, HTTPStatus]:
        rest = _rest(environ)
        if not rest.endswith(".ics"):
            return None, HTTPStatus.NOT_FOUND
        if rest.startswith(_SECRET):
            return self._find_by_secret(rest), HTTPStatus.NOT_FOUND
        feed = self._catalog.feed(_name(rest))
        if feed is None or feed.access.kind == "secret":
            return None, HTTPStatus.NOT_FOUND
        if feed.access.kind == "public":
            return feed, HTTPStatus.OK
        if self._catalog.may_see(feed, environ.get(self._user_key, "")):
            return feed, HTTPStatus.OK
        return None, HTTPStatus.FORBIDDEN

    def _find_by_secret(self, rest: str) -> Feed | None:
        secret, slash, name = rest.removeprefix(_SECRET).partition("/")
        held = self._secrets.holder(secret) if slash else None
        if held is None or held[0] != _name(name):
            return None
        feed = self._catalog.feed(held[0])
        return feed if feed and self._catalog.may_see(feed, held[1]) else None

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


def _rest(environ: Environ) -> str:
    raw: str = environ.get("PATH_INFO", "")
    return raw.encode("latin-1", "replace").decode("utf-8", "replace").removeprefix(PREFIX)


def _name(rest: str) -> str:
    return rest.removesuffix(".ics")


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
