"""WSGI types, environ keys and plain answers that the parts of the application share (PEP 3333)."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TypeAlias
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = [
    "PREFIX_KEY",
    "REQUEST_ID_KEY",
    "WEB_SERVER_LOGIN_KEY",
    "App",
    "Environ",
    "Headers",
    "StartResponse",
    "plain",
    "respond",
    "status_line",
    "web_server_login",
]

App: TypeAlias = WSGIApplication
Environ: TypeAlias = WSGIEnvironment
Headers: TypeAlias = list[tuple[str, str]]

PREFIX_KEY = "kalends.prefix"
"""The environ key of the path prefix that a trusted proxy has removed from the request's target."""

REQUEST_ID_KEY = "kalends.request_id"
"""The environ key of the request's ID."""

WEB_SERVER_LOGIN_KEY = "kalends.web_server_login"
"""The environ key of the user whom the web server in front has authenticated."""


def web_server_login(environ: Environ) -> str:
    """Return the user whom the web server in front has authenticated; empty if it has not.

    That is REMOTE_USER, which no client can set, or X-Remote-User of a trusted proxy.
    """
    login: str = environ.get(WEB_SERVER_LOGIN_KEY, "")
    return login


def status_line(status: HTTPStatus) -> str:
    """Return a status as an argument for ``start_response``, such as ``404 Not Found``."""
    return f"{status.value} {status.phrase}"


def respond(
    environ: Environ,
    start_response: StartResponse,
    status: HTTPStatus,
    body: bytes,
    headers: Iterable[tuple[str, str]],
) -> Iterable[bytes]:
    """Answer with a complete body; a HEAD request gets only the headers.

    Args:
        environ: the WSGI environ.
        start_response: the WSGI callable.
        status: the status of the answer.
        body: the body of the answer.
        headers: its headers without Content-Length.
    """
    start_response(status_line(status), [*headers, ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def plain(
    environ: Environ,
    start_response: StartResponse,
    status: HTTPStatus,
    text: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
) -> Iterable[bytes]:
    """Answer with plain text.

    Args:
        environ: the WSGI environ.
        start_response: the WSGI callable.
        status: the status of the answer.
        text: the text with its line end; by default the phrase of the status.
        headers: headers besides Content-Type and Content-Length.
    """
    body = (f"{status.phrase}\n" if text is None else text).encode()
    given = [*headers, ("Content-Type", "text/plain; charset=utf-8")]
    return respond(environ, start_response, status, body, given)
