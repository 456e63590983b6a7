"""Failures as answers, and the limit that each notes for the metrics."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from kalends.common.failures import LIMIT_KEY, failure_in
from kalends.errors import (
    BodyRefusedError,
    BudgetSpentError,
    HomeFullError,
    ObjectRefusedError,
    StoreBusyError,
    StoreRefusedError,
    TooManyAttemptsError,
)
from kalends.limit_names import Limit


@pytest.mark.parametrize(
    ("error", "status", "limit"),
    [
        (TooManyAttemptsError(3), 503, Limit.WAITING_LOGINS),
        (BudgetSpentError(5), 403, Limit.REQUEST_STEPS),
        (StoreRefusedError("too long", limit=Limit.STORED_NAMES), 403, Limit.STORED_NAMES),
        (HomeFullError(250), 507, Limit.COLLECTIONS),
        (BodyRefusedError(HTTPStatus.GONE, limit=Limit.ANSWER), 410, Limit.ANSWER),
        (ObjectRefusedError("C:max-resource-size", "large", limit=Limit.LINES), 413, Limit.LINES),
        (ObjectRefusedError("C:valid-calendar-data", "bad"), 403, None),
        (StoreBusyError(), 503, None),
    ],
)
def test_a_failure_notes_the_limit_that_the_request_is_beyond(
    error: Exception, status: int, limit: Limit | None
) -> None:
    environ: dict[str, object] = {}
    assert failure_in(environ, error).status == status
    assert environ.get(LIMIT_KEY) is limit
