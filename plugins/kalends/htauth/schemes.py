"""What a scheme is to the middleware: it verifies, and it challenges, one apart from the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from wsgiref.types import WSGIEnvironment

from kalends.htauth.basic import basic_challenge, parse_basic
from kalends.htauth.htfiles import decode_name
from kalends.htauth.users import UserDirectory


@dataclass(frozen=True, slots=True)
class Verified:
    """The client is this user.

    Attributes:
        user: the name, as the application knows it.
        scheme: ``Basic`` or ``Digest``.
        headers: what the answer has to carry besides (Authentication-Info).
    """

    user: str
    scheme: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The client is nobody.

    Attributes:
        claimed: the name it gave, or None if it gave none that can be read.
        why: for the log; never a secret.
        malformed: whether the answer is 400: no other credentials in its place would do.
    """

    claimed: str | None
    why: str
    malformed: bool = False


class Scheme(Protocol):
    """One way to authenticate (RFC 9110 section 11)."""

    name: str
    """In lower case, as the header begins."""

    def verify(self, environ: WSGIEnvironment, credentials: str) -> Verified | Refused:
        """Judge an Authorization header of this scheme.

        Raises:
            UserFileUnavailableError: there is nothing to judge it by.
        """

    def challenges(self) -> list[str]:
        """Values of WWW-Authenticate header lines, the preferred first."""


class BasicScheme:
    """HTTP Basic against a user directory."""

    name = "basic"

    def __init__(self, directory: UserDirectory, realm: str) -> None:
        self._directory = directory
        self._realm = realm

    def verify(self, environ: WSGIEnvironment, credentials: str) -> Verified | Refused:
        """Judge a Basic header."""
        given = parse_basic(credentials)
        if given is None:
            return Refused(None, "malformed Basic credentials")
        name = decode_name(given.user)
        if self._directory.check_password(given.user, given.password):
            return Verified(name, "Basic")
        return Refused(name, "wrong name or password")

    def challenges(self) -> list[str]:
        """One challenge."""
        return [basic_challenge(self._realm)]
