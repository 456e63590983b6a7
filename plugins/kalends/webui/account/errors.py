"""Errors of the account page: every failure as a status and a text for the user."""

from __future__ import annotations

import logging
from http import HTTPStatus

from kalends.common import failures
from kalends.common.wsgi import Environ

_log = logging.getLogger("kalends.account")


class PageRefusedError(Exception):
    """A request that is refused.

    Args:
        status: the status of the response.
        title: a few words for the user.
        why: the cause, and what to do.
        retry_after: seconds after which to try again; None if that does not help.
    """

    def __init__(
        self, status: HTTPStatus, title: str, why: str, retry_after: int | None = None
    ) -> None:
        self.status = status
        self.title = title
        self.why = why
        self.retry_after = retry_after
        super().__init__(why)


FAILURES: tuple[type[Exception], ...] = (PageRefusedError, *failures.FAILURES)
"""The exceptions that `refusal_of` handles."""


def refusal_of(environ: Environ, error: Exception) -> PageRefusedError:
    """Return a failure as an error for the user, and log it if the administrator must act."""
    if isinstance(error, PageRefusedError):
        return error
    failure = failures.failure_in(environ, error)
    if failure.is_ours:
        _log.error("%s", error)
    why = f"{failure.text} Nothing was changed."
    return PageRefusedError(failure.status, failure.title, why, failure.retry_after)
