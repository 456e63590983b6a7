"""Why a request was refused, for the person who made it: every failure becomes words here."""

from __future__ import annotations

import logging
from http import HTTPStatus

from kalends.errors import StoreFullError, StoreUnavailableError, UserFileUnavailableError
from kalends.webui.account.forms import FormRefusedError

_log = logging.getLogger("kalends.account")


class PageRefusedError(Exception):
    """A request that is refused.

    Args:
        status: what a program is told.
        title: a few words for a person.
        why: what happened, and what to do.
        retry_after: seconds after which to try again; None where that is of no use.
    """

    def __init__(
        self, status: HTTPStatus, title: str, why: str, retry_after: int | None = None
    ) -> None:
        self.status = status
        self.title = title
        self.why = why
        self.retry_after = retry_after
        super().__init__(why)


Failure = (
    PageRefusedError
    | FormRefusedError
    | StoreFullError
    | StoreUnavailableError
    | UserFileUnavailableError
)
FAILURES = (
    PageRefusedError,
    FormRefusedError,
    StoreFullError,
    StoreUnavailableError,
    UserFileUnavailableError,
)
"""What `refusal_of` puts into words."""


def refusal_of(error: Failure) -> PageRefusedError:
    """A failure in words, and a line in the log if it is ours."""
    if isinstance(error, PageRefusedError):
        return error
    if isinstance(error, FormRefusedError):
        return PageRefusedError(error.status, "That could not be read", error.why)
    _log.error("%s", error)
    if isinstance(error, StoreFullError):
        full = "The server has no room left. Tell whoever runs it; nothing was changed."
        return PageRefusedError(HTTPStatus.INSUFFICIENT_STORAGE, "No room left", full)
    busy = "The server is busy just now. Try again in a moment; nothing was changed."
    return PageRefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "Busy", busy, retry_after=5)
