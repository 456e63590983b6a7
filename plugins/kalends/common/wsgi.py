"""What the parts of the application say to one another by WSGI (PEP 3333)."""

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
"""Where the environ holds what a trusted proxy has cut off the target that the client saw."""

REQUEST_ID_KEY = "kalends.request_id"
"""Where the environ holds the name of the request."""

WEB_SERVER_LOGIN_KEY = "kalends.web_server_login"
"""Where the environ holds the user whom the web server in front has authenticated."""


def web_server_login(environ: Environ) -> str:
    """Return the user whom the web server in front has authenticated; empty if it has not.

    That is REMOTE_USER, which no client can set, or X-Remote-User of a trusted proxy.
    """
    login: str = environ.get(WEB_SERVER_LOGIN_KEY, "")
    return login


def status_line(status: HTTPStatus) -> str:
    """Return a status as ``start_response`` takes it, such as ``404 Not Found``."""
    return f"{status.value} {status.phrase}"


def respond(
    environ: Environ,
    start_response: StartResponse,
    status: HTTPStatus,
    body: bytes,
    headers: Iterable[tuple[str, str]],
) -> Iterable[bytes]:
    """Answer with a body that is at hand; a HEAD request gets its headers only.

    Args:
        headers: all but Content-Length.
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
    """Answer with a text.

    Args:
        text: what to say, with its line end; the phrase of the status if not given.
        headers: further ones.
    """
    body = (f"{status.phrase}\n" if text is None else text).encode()
    given = [*headers, ("Content-Type", "text/plain; charset=utf-8")]
    return respond(environ, start_response, status, body, given)
