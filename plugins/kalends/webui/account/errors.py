"""Why a request was refused, for the person who made it: every failure becomes words here."""

from __future__ import annotations

import logging
from http import HTTPStatus

from kalends.common import failures

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


FAILURES: tuple[type[Exception], ...] = (PageRefusedError, *failures.FAILURES)
"""What `refusal_of` puts into words."""


def refusal_of(error: Exception) -> PageRefusedError:
    """Return a failure in words, and tell the administrator if it is for us."""
    if isinstance(error, PageRefusedError):
        return error
    failure = failures.failure_of(error)
    if failure.is_ours:
        _log.error("%s", error)
    why = f"{failure.text} Nothing was changed."
    return PageRefusedError(failure.status, failure.title, why, failure.retry_after)
