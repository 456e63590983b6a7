"""HTTP authentication as WSGI middleware; every 401 comes from here."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from http import HTTPStatus
from io import BytesIO
from typing import Any

from kalends.authn.apache.htfiles import decode_name
from kalends.authn.backends.apache_files import UserDirectory
from kalends.authn.schemes.base import (
    AuthenticationFailed,
    AuthScheme,
    BasicScheme,
    Verified,
    over_tls,
)
from kalends.authn.throttle import Throttle
from kalends.common.failures import refuse
from kalends.common.wsgi import App, Environ, StartResponse, plain
from kalends.errors import (
    DirectoryUnavailableError,
    TooManyAttemptsError,
    UserFileUnavailableError,
)

_log = logging.getLogger("kalends.htauth")

USER_KEY = "kalends.user"
"""The environ's key for the verified user's name. No header of a client can set it."""

WEB_SERVER = "web server"
"""The AUTH_TYPE of a user whom the web server in front has authenticated."""

# Apache's LimitRequestFieldSize of 8190 lets a header line of 8191 octets pass.
_HEADER_LIMIT = 8191 - len("Authorization: ")
_NAME_IN_LOG = 100
_NO_LOGIN = (UserFileUnavailableError, DirectoryUnavailableError, TooManyAttemptsError)


def peer_address(environ: Environ) -> str:
    """Return the address that the connection comes from."""
    return environ.get("REMOTE_ADDR") or "-"


class HttpAuthentication:
    """WSGI middleware that authenticates the client, or answers 401.

    The application behind it never sees an Authorization header. A verified user's name is in the
    environ under `USER_KEY`, and under REMOTE_USER for the access log; without one, neither is.

    The body of a refused request is not read here, but left to the server: gunicorn discards up to
    64 KiB and otherwise closes the connection, Apache and nginx discard all of it.

    Args:
        app: the application behind.
        directory: the accounts that may log in.
        realm: the realm, which login dialogs show.
        needs_login: returns True if a request needs a login. For other requests, valid credentials
            are used, and invalid ones are ignored; without a login the application gets no body.
        schemes: the schemes to accept and offer, the preferred first; Basic if not given. If none
            is offered to a client, requests that need a login are forbidden (403).
        client_address: returns the address that the log and the throttle use for a failed login.
        web_server_login: returns the user whom the web server in front has authenticated, or empty;
            if there is one, credentials are not checked.
        throttle: slows down failed logins; None for no limit.
        failed: called with the scheme of each login that is refused.
    """

    def __init__(
        self,
        app: App,
        directory: UserDirectory,
        *,
        realm: str,
        needs_login: Callable[[Environ], bool],
        schemes: Sequence[AuthScheme] | None = None,
        client_address: Callable[[Environ], str] = peer_address,
        web_server_login: Callable[[Environ], str] = lambda _: "",
        throttle: Throttle | None = None,
        failed: Callable[[str], None] | None = None,
    ) -> None:
        self._app = app
        self._needs_login = needs_login
        self._schemes = (BasicScheme(directory, realm),) if schemes is None else tuple(schemes)
        self._client_address = client_address
        self._web_server_login = web_server_login
        self._throttle = throttle
        self._failed = failed

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Authenticate one request, and pass it on or refuse it."""
        credentials = environ.pop("HTTP_AUTHORIZATION", None)
        for key in (USER_KEY, "REMOTE_USER", "AUTH_TYPE"):
            environ.pop(key, None)
        login = self._web_server_login(environ)
        if login:
            name = decode_name(login.encode("latin-1"))
            return self._pass_on(environ, start_response, Verified(name, WEB_SERVER))
        needed = self._needs_login(environ)
        answer = partial(plain, environ, start_response)
        try:
            outcome = None if credentials is None else self._authenticate(environ, credentials)
        except _NO_LOGIN as error:
            if needed:
                return refuse(
                    environ, start_response, error, "No login is possible now. Try again later."
                )
            outcome = None
        if isinstance(outcome, Verified):
            return self._pass_on(environ, start_response, outcome)
        if not needed:
            return self._app(_without_body(environ), start_response)
        if outcome is not None and outcome.bad_request:
            text = "The Authorization header does not match this request.\n"
            return answer(HTTPStatus.BAD_REQUEST, text)
        challenges = [("WWW-Authenticate", c) for c in self._challenges(environ, outcome)]
        if not challenges:
            return answer(HTTPStatus.FORBIDDEN, "Nobody can log in over this connection.\n")
        return answer(HTTPStatus.UNAUTHORIZED, "Please log in.\n", challenges)

    def _pass_on(
        self, environ: Environ, start_response: StartResponse, who: Verified
    ) -> Iterable[bytes]:
        environ[USER_KEY] = environ["REMOTE_USER"] = who.user
        environ["AUTH_TYPE"] = who.scheme
        return self._app(environ, _with_headers(start_response, who.headers))

    def _challenges(self, environ: Environ, refused: AuthenticationFailed | None) -> list[str]:
        """Return the challenges of a 401, the preferred first.

        After a failed Digest answer, if Basic is offered too: over TLS only Basic, so that a client
        that prefers Digest can log in to an account without HA1; over plain http only Digest. The
        cause of the failure makes no difference, except for a stale nonce.
        """
        stale = refused is not None and refused.stale
        offered = {s.name: s.challenges(environ, stale=stale) for s in self._schemes}
        if refused is not None and refused.scheme == "digest" and offered.get("basic"):
            kept = "basic" if over_tls(environ) and not stale else "digest"
            return offered[kept]
        return [challenge for challenges in offered.values() for challenge in challenges]

    def _authenticate(self, environ: Environ, credentials: str) -> Verified | AuthenticationFailed:
        """Verify credentials by the scheme that they name, and log a refusal."""
        if len(credentials) > _HEADER_LIMIT:
            outcome: Verified | AuthenticationFailed = AuthenticationFailed(
                "", None, "overlong header", bad_request=True
            )
        else:
            name = re.split("[ \t]", credentials, maxsplit=1)[0].lower()
            scheme = next((s for s in self._schemes if s.name == name), None)
            if scheme is None:
                outcome = AuthenticationFailed("", None, "a scheme that is not offered")
            else:
                outcome = scheme.verify(environ, credentials, partial(self._admit, environ))
        address = self._client_address(environ)
        if isinstance(outcome, Verified):
            if self._throttle is not None:
                self._throttle.succeeded(outcome.user, address)
        elif not outcome.stale:
            # Headers without a name guess no password; some programs send them.
            if self._throttle is not None and outcome.claimed is not None:
                self._throttle.failed(outcome.claimed, address)
            if self._failed is not None:
                self._failed(outcome.scheme)
            # The address comes first, because the name is text of the client's choice.
            _log.warning(
                "login failed from %s: %s, name %s",
                address,
                outcome.why,
                ascii(outcome.claimed[:_NAME_IN_LOG]) if outcome.claimed is not None else "unknown",
            )
        return outcome

    def _admit(self, environ: Environ, name: str) -> None:
        if self._throttle is not None:
            self._throttle.admit(name, self._client_address(environ))


def _without_body(environ: Environ) -> Environ:
    """Return the request without its body, so that nothing is parsed for nobody."""
    environ["wsgi.input"] = BytesIO()
    environ["CONTENT_LENGTH"] = "0"
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return environ


def _with_headers(
    start_response: StartResponse, extra: tuple[tuple[str, str], ...]
) -> StartResponse:
    """Return a start_response that adds headers to each answer of the application."""
    if not extra:
        return start_response

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        return start_response(status, [*headers, *extra], exc_info)

    return start
