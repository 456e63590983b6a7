"""What a scheme is to the middleware: it verifies, and it challenges, one apart from the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from wsgiref.types import WSGIEnvironment

from kalends.authn.apache.htfiles import decode_name
from kalends.authn.backends.apache_files import UserDirectory
from kalends.authn.backends.external import ExternalBackends
from kalends.authn.schemes.basic import basic_challenge, parse_basic
from kalends.authn.verified_cache import VerifiedHeaders

ELSEWHERE = "directory"
"""The scheme of a user whom another directory than the user files has verified."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The client is this user.

    Attributes:
        user: the name, as the application knows it.
        scheme: ``Basic`` or ``Digest``, or `ELSEWHERE`.
        headers: what the answer has to carry besides (Authentication-Info).
    """

    user: str
    scheme: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AuthenticationFailed:
    """The client is nobody.

    Attributes:
        scheme: the name of the scheme that refuses; empty if none was asked.
        claimed: the name it gave, or None if it gave none that can be read.
        why: for the log; never a secret.
        bad_request: whether the answer is 400: the header is none, or for another request.
        stale: whether the password was right and only the nonce has to be another (RFC 7616
            section 3.3). That is no failed login.
    """

    scheme: str
    claimed: str | None
    why: str
    bad_request: bool = False
    stale: bool = False


Admit = Callable[[str], None]
"""Lets a try on a name go on, perhaps after a while."""


class AuthScheme(Protocol):
    """One way to authenticate (RFC 9110 section 11)."""

    name: str
    """In lower case, as the header begins."""

    def verify(
        self, environ: WSGIEnvironment, credentials: str, admit: Admit
    ) -> Verified | AuthenticationFailed:
        """Judge an Authorization header of this scheme.

        Args:
            environ: of the request.
            credentials: the header's value.
            admit: to be called with the name that the client gives, before its password counts.

        Raises:
            TooManyTriesError: not admitted.
            UserFileUnavailableError: there is nothing to judge it by.
            DirectoryUnavailableError: likewise.
        """

    def challenges(self, environ: WSGIEnvironment, *, stale: bool = False) -> list[str]:
        """Values of WWW-Authenticate header lines, the preferred first; none where it is not used.

        Args:
            stale: whether the client's last answer was right but for its age.
        """


class BasicScheme:
    """HTTP Basic against a user directory.

    Args:
        directory: who may log in.
        realm: what the login dialog shows.
        over_tls_only: whether Basic is neither offered nor accepted over plain http.
        elsewhere: other directories, asked for the names that the files do not have. A name that
            the files have is theirs alone.
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
        self._right = VerifiedHeaders()

    def verify(
        self, environ: WSGIEnvironment, credentials: str, admit: Admit
    ) -> Verified | AuthenticationFailed:
        """Judge a Basic header."""
        if not self._offered(environ):
            return AuthenticationFailed(self.name, None, "Basic over plain http is switched off")
        known = self._right.name(credentials, self._directory.basic_version)
        if known is not None:
            admit(known)
            return Verified(known, "Basic")
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
            self._right.add(credentials, version, name)
            return Verified(name, "Basic")
        return AuthenticationFailed(self.name, name, "wrong name or password")

    def challenges(self, environ: WSGIEnvironment, *, stale: bool = False) -> list[str]:
        """One challenge, or none over plain http."""
        return [basic_challenge(self._realm)] if self._offered(environ) else []

    def _account_elsewhere(self, name: str, password: bytes, environ: WSGIEnvironment) -> str:
        """The account in another directory; never one that the files have."""
        if self._elsewhere is None or name in self._directory.names():
            return ""
        account = self._elsewhere.login(name, password, environ.get("REMOTE_ADDR") or "")
        return "" if account in self._directory.names() else account

    def _offered(self, environ: WSGIEnvironment) -> bool:
        return over_tls(environ) or not self._over_tls_only


def over_tls(environ: WSGIEnvironment) -> bool:
    """Whether the client's connection is encrypted, as the server (or a trusted proxy) has it."""
    return environ.get("wsgi.url_scheme") == "https"
