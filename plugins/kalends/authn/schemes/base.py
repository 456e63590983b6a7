"""The interface of authentication schemes (verify and challenge), and the Basic scheme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kalends.authn.apache.htfiles import decode_name
from kalends.authn.backends.apache_files import UserDirectory
from kalends.authn.backends.external import ExternalBackends
from kalends.authn.schemes.basic import basic_challenge, parse_basic
from kalends.authn.verified_cache import VerifiedHeaders
from kalends.common.wsgi import Environ

ELSEWHERE = "directory"
"""The scheme of a user whom an external backend has verified, and not the user files."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A successful authentication.

    Attributes:
        user: the name, as the application knows it.
        scheme: ``Basic`` or ``Digest``, or `ELSEWHERE`.
        headers: additional headers of the response (Authentication-Info).
    """

    user: str
    scheme: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AuthenticationFailed:
    """A failed authentication.

    Attributes:
        scheme: the name of the scheme that refuses; empty if none was asked.
        claimed: the name that the client gave, or None if it gave none that can be read.
        why: for the log; never a secret.
        bad_request: True if the answer is 400: the header is malformed or for another request.
        stale: True if the password was right and only a new nonce is needed (RFC 7616 section
            3.3). That is not a failed login.
    """

    scheme: str
    claimed: str | None
    why: str
    bad_request: bool = False
    stale: bool = False


Admit = Callable[[str], None]
"""Admits a login attempt on a name, possibly after a delay."""


class AuthScheme(Protocol):
    """An authentication scheme (RFC 9110 section 11)."""

    name: str
    """The name at the beginning of the header, in lower case."""

    def verify(
        self, environ: Environ, credentials: str, admit: Admit
    ) -> Verified | AuthenticationFailed:
        """Verify an Authorization header of this scheme.

        Args:
            environ: of the request.
            credentials: the header's value.
            admit: called with the name that the client gives, before its password is verified.

        Raises:
            TooManyAttemptsError: the attempt is not admitted.
            UserFileUnavailableError: the user file cannot be read.
            DirectoryUnavailableError: an external backend does not answer.
        """

    def challenges(self, environ: Environ, *, stale: bool = False) -> list[str]:
        """Return the values of WWW-Authenticate lines, the preferred first; none if not offered.

        Args:
            environ: of the request.
            stale: True if the client's last answer was right except for the age of its nonce.
        """


class BasicScheme:
    """HTTP Basic against a user directory.

    Args:
        directory: the accounts.
        realm: the text of the login dialog.
        over_tls_only: True if Basic is neither offered nor accepted over plain http.
        elsewhere: external backends, asked for names that the files do not have. A name of the
            files is theirs alone.
    """

    name = "basic"

    def __init__(
        self,
        directory: UserDirectory,
        realm: str,
        *,
        over_tls_only: bool = False,
        elsewhere: ExternalBackends | None = None,
    ) -> None:
        self._elsewhere = elsewhere
        self._directory = directory
        self._realm = realm
        self._over_tls_only = over_tls_only
        self._verified = VerifiedHeaders()

    def verify(
        self, environ: Environ, credentials: str, admit: Admit
    ) -> Verified | AuthenticationFailed:
        """Verify a Basic header."""
        if not self._offered(environ):
            return AuthenticationFailed(self.name, None, "Basic over plain http is switched off")
        cached = self._verified.name(credentials, self._directory.basic_version)
        if cached is not None:
            admit(cached)
            return Verified(cached, "Basic")
        given = parse_basic(credentials)
        if given is None:
            return AuthenticationFailed(self.name, None, "malformed Basic credentials")
        name = decode_name(given.user)
        admit(name)
        account = self._account_elsewhere(name, given.password, environ)
        if account:
            return Verified(account, ELSEWHERE)
        version = self._directory.basic_version()
        if self._directory.check_password(given.user, given.password):
            self._verified.add(credentials, version, name)
            return Verified(name, "Basic")
        return AuthenticationFailed(self.name, name, "wrong name or password")

    def challenges(self, environ: Environ, *, stale: bool = False) -> list[str]:
        """Return one challenge, or none where Basic is not offered."""
        return [basic_challenge(self._realm)] if self._offered(environ) else []

    def _account_elsewhere(self, name: str, password: bytes, environ: Environ) -> str:
        """Return the account of an external backend, or ""; never one that the files have."""
        if self._elsewhere is None or name in self._directory.names():
            return ""
        account = self._elsewhere.login(name, password, environ.get("REMOTE_ADDR") or "")
        return "" if account in self._directory.names() else account

    def _offered(self, environ: Environ) -> bool:
        return over_tls(environ) or not self._over_tls_only


def over_tls(environ: Environ) -> bool:
    """Return True if the client's connection is encrypted, by the server or a trusted proxy."""
    return environ.get("wsgi.url_scheme") == "https"
