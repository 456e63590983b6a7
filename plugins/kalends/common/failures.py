"""The one table from what fails to how it is answered; each face renders it in its own form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus

from kalends.common.wsgi import Environ, Headers, StartResponse, plain
from kalends.errors import (
    BodyRefusedError,
    DirectoryUnavailableError,
    StoreFullError,
    StoreRefusedError,
    StoreUnavailableError,
    TooManyAttemptsError,
    UserFileUnavailableError,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """How a failure is answered.

    Attributes:
        status: of the answer.
        title: a few words for a person.
        text: what happened and what to do, for a person.
        retry_after: seconds after which to try again; None where that is of no use.
        is_ours: whether the administrator is told in the log, as the one who can mend it.
    """

    status: HTTPStatus
    title: str
    text: str
    retry_after: int | None = None
    is_ours: bool = False

    @property
    def headers(self) -> Headers:
        """The headers that go with the status."""
        return [] if self.retry_after is None else [("Retry-After", str(self.retry_after))]


_BUSY = Failure(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Busy",
    "The server is busy just now. Try again in a moment.",
    retry_after=5,
    is_ours=True,
)
_FULL = Failure(
    HTTPStatus.INSUFFICIENT_STORAGE,
    "No room left",
    "The server has no room left. Tell whoever runs it.",
    is_ours=True,
)
# What an error carries itself takes the place of what stands here.
_TABLE: dict[type[Exception], Failure] = {
    StoreFullError: _FULL,
    StoreUnavailableError: _BUSY,
    StoreRefusedError: Failure(HTTPStatus.FORBIDDEN, "Refused", ""),
    UserFileUnavailableError: _BUSY,
    DirectoryUnavailableError: _BUSY,
    TooManyAttemptsError: replace(_BUSY, is_ours=False),
    BodyRefusedError: Failure(HTTPStatus.BAD_REQUEST, "That could not be read", ""),
}

FAILURES: tuple[type[Exception], ...] = tuple(_TABLE)
"""What a face has to expect from whatever it asks."""


def failure_of(error: Exception) -> Failure:
    """Return how a failure is answered; one that the table does not name is to be tried again."""
    found = next((_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE), _BUSY)
    if isinstance(error, BodyRefusedError):
        return replace(found, status=error.status, text=error.why)
    if isinstance(error, StoreRefusedError):
        return replace(found, text=f"The server cannot keep that: {error.why}.")
    if isinstance(error, TooManyAttemptsError):
        return replace(found, retry_after=error.retry_after)
    return found


def refuse(
    environ: Environ, start_response: StartResponse, error: Exception, text: str | None = None
) -> Iterable[bytes]:
    """Answer a request that failed, with a line of text.

    Args:
        text: what to say in place of what the table says.
    """
    failure = failure_of(error)
    said = f"{text or failure.text}\n"
    return plain(environ, start_response, failure.status, said, failure.headers)
