"""The authentication middleware around a small application, called without a server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from kalends.authn.backends.apache_files import UserDirectory
from kalends.authn.middleware import USER_KEY, HttpAuthentication
from kalends.authn.schemes.base import AuthScheme
from kalends.authn.throttle import Throttle


class Answer:
    """The answer to one request."""

    def __init__(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = int(status[:3])
        self.headers = headers
        self.body = body

    def all(self, name: str) -> list[str]:
        """Return the value of each header line of that name."""
        return [value for key, value in self.headers if key == name]


class Application:
    """An application that answers with the name of the user, and keeps the last environ."""

    def __init__(self) -> None:
        self.seen: WSGIEnvironment | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.seen = environ
        start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        return [environ.get(USER_KEY, "nobody").encode()]


def is_private(environ: WSGIEnvironment) -> bool:
    return not environ["PATH_INFO"].startswith("/open")


class Site:
    """The middleware around the application; paths that begin with ``/open`` need no login."""

    def __init__(
        self,
        directory: UserDirectory,
        realm: str = "calendars",
        schemes: Sequence[AuthScheme] | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self.application = Application()
        self.middleware = HttpAuthentication(
            self.application,
            directory,
            realm=realm,
            needs_login=is_private,
            schemes=schemes,
            throttle=throttle,
        )

    def ask(self, authorization: str | None = None, path: str = "/", **more: Any) -> Answer:
        environ: WSGIEnvironment = {
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "REMOTE_ADDR": "192.0.2.7",
            **more,
        }
        if authorization is not None:
            environ["HTTP_AUTHORIZATION"] = authorization
        setup_testing_defaults(environ)
        return self.send(environ)

    def send(self, environ: WSGIEnvironment) -> Answer:
        """Return the answer to a request with this environ."""
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc: Any = None) -> Any:
            started[:] = [status, headers]
            return lambda data: None

        self.application.seen = None
        chunks = validator(self.middleware)(environ, start_response)
        body = b"".join(chunks)
        chunks.close()  # type: ignore[attr-defined] # the validator demands it
        return Answer(started[0], started[1], body)
