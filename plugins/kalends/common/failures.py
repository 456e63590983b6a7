"""Mapping of failures to HTTP answers, which each part renders in its own format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus

from kalends.common.wsgi import Environ, Headers, StartResponse, plain
from kalends.errors import (
    BodyRefusedError,
    BudgetSpentError,
    ConditionFailedError,
    DirectoryUnavailableError,
    HeaderRefusedError,
    HomeFullError,
    ObjectRefusedError,
    ReportRefusedError,
    StoreFullError,
    StoreRefusedError,
    StoreUnavailableError,
    TooManyAttemptsError,
    UserFileUnavailableError,
)
from kalends.limit_names import Limit

LIMIT_KEY = "kalends.limit"
"""The environ's key for the limit that refused the request, from which the metrics count it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The answer to a failure.

    Attributes:
        status: the HTTP status.
        title: a few words for the user.
        text: what happened and what to do, for the user.
        retry_after: seconds after which the client should try again; None if that cannot help.
        is_ours: whether to log the failure for the administrator, who can fix it.
        limit: the limit that the request is beyond, or None.
    """

    status: HTTPStatus
    title: str
    text: str
    retry_after: int | None = None
    is_ours: bool = False
    limit: Limit | None = None

    @property
    def headers(self) -> Headers:
        """The headers to send with the status."""
        return [] if self.retry_after is None else [("Retry-After", str(self.retry_after))]


_BUSY = Failure(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Busy",
    "The server is busy just now. Try again in a moment.",
    retry_after=5,
    is_ours=True,
)
_TOO_LARGE = ("C:max-resource-size", "CR:max-resource-size")
_FULL = Failure(
    HTTPStatus.INSUFFICIENT_STORAGE,
    "No room left",
    "The server has no room left. Tell its administrator.",
    is_ours=True,
)
# `failure_of` replaces empty texts by those of the error.
_TABLE: dict[type[Exception], Failure] = {
    StoreFullError: _FULL,
    StoreUnavailableError: _BUSY,
    StoreRefusedError: Failure(HTTPStatus.FORBIDDEN, "Refused", ""),
    HomeFullError: Failure(HTTPStatus.INSUFFICIENT_STORAGE, "No room left", ""),
    UserFileUnavailableError: _BUSY,
    DirectoryUnavailableError: _BUSY,
    TooManyAttemptsError: replace(_BUSY, is_ours=False, limit=Limit.WAITING_LOGINS),
    BodyRefusedError: Failure(HTTPStatus.BAD_REQUEST, "That could not be read", ""),
    HeaderRefusedError: Failure(HTTPStatus.BAD_REQUEST, "That could not be read", ""),
    ConditionFailedError: Failure(HTTPStatus.PRECONDITION_FAILED, "It is not as you know it", ""),
    ObjectRefusedError: Failure(HTTPStatus.FORBIDDEN, "Refused", ""),
    ReportRefusedError: Failure(HTTPStatus.FORBIDDEN, "Refused", ""),
    # 507 would promise that the same request can succeed later (RFC 4918 section 11.5), and clients
    # would repeat it. It fails a limit on instances or matches, which is 403 with a precondition
    # (RFC 4791 sections 1.3, 5.3.2.1 and 7.8).
    BudgetSpentError: Failure(
        HTTPStatus.FORBIDDEN,
        "Too much at once",
        "That takes more work than the server does for one request. Ask for less at a time.",
        limit=Limit.REQUEST_STEPS,
    ),
}

FAILURES: tuple[type[Exception], ...] = tuple(_TABLE)
"""The exceptions that the table lists."""


def failure_of(error: Exception) -> Failure:
    """Return the answer to an error; for one that is not in the table, try again later."""
    found = next((_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE), _BUSY)
    if isinstance(error, ConditionFailedError):
        return replace(found, text=str(error))
    if isinstance(error, BodyRefusedError | HeaderRefusedError):
        return replace(found, status=error.status, text=error.why, limit=error.limit)
    if isinstance(error, StoreRefusedError):
        text = f"The server cannot keep that: {error.why}."
        return replace(found, text=text, limit=error.limit)
    if isinstance(error, ObjectRefusedError):
        large = error.precondition in _TOO_LARGE
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if large else found.status
        return replace(found, status=status, text=str(error), limit=error.limit)
    if isinstance(error, ReportRefusedError):
        return replace(found, text=error.why, limit=error.limit)
    if isinstance(error, TooManyAttemptsError):
        return replace(found, retry_after=error.retry_after)
    return found


def failure_in(environ: Environ, error: Exception) -> Failure:
    """Return the answer to the error of a request, and note the limit that the request is beyond.

    Args:
        environ: the WSGI environ of the request.
        error: the failure.
    """
    failure = failure_of(error)
    if failure.limit:
        environ[LIMIT_KEY] = failure.limit
    return failure


def refuse(
    environ: Environ, start_response: StartResponse, error: Exception, text: str | None = None
) -> Iterable[bytes]:
    """Answer a failed request with a line of text.

    Args:
        environ: the WSGI environ.
        start_response: the WSGI callable.
        error: the failure.
        text: a text to use instead of the table's.
    """
    failure = failure_in(environ, error)
    said = f"{text or failure.text}\n"
    return plain(environ, start_response, failure.status, said, failure.headers)
