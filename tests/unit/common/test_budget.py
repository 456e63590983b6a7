"""The budget of steps that a request, and each of its objects, may cost."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from kalends.common.budget import Budget
from kalends.common.failures import failure_of
from kalends.dav.errors import failed
from kalends.errors import BudgetSpentError


def test_work_is_refused_once_the_steps_are_spent() -> None:
    budget = Budget(10)
    budget.draw(4)
    assert budget.take(6)
    assert (budget.left, budget.spent, budget.is_spent) == (0, 10, False)
    with pytest.raises(BudgetSpentError) as caught:
        budget.draw()
    assert caught.value.steps == 10
    assert budget.is_spent


def test_what_a_part_spends_is_spent_of_the_whole() -> None:
    budget = Budget(10)
    with budget.part(4) as own:
        assert own.left == 4
        own.draw(3)
    assert budget.left == 7


def test_a_part_has_no_more_than_the_whole() -> None:
    budget = Budget(10)
    budget.draw(9)
    with budget.part(4) as own:
        assert own.left == 1
        assert not own.take(2)
        assert own.is_spent
    assert budget.is_spent
    with budget.part(4) as nothing:
        assert nothing.left == 0


def test_a_part_that_fails_is_spent_all_the_same() -> None:
    budget = Budget(10)
    with pytest.raises(BudgetSpentError), budget.part(4) as own:
        own.draw(5)
    assert budget.left == 5


def test_a_spent_budget_is_a_refusal_that_is_not_repeated() -> None:
    failure = failure_of(BudgetSpentError(10))
    assert failure.status == HTTPStatus.FORBIDDEN
    assert failure.retry_after is None
    assert not failure.is_ours
    status, _, body, _ = failed({}, BudgetSpentError(10))
    assert status == HTTPStatus.FORBIDDEN
    assert isinstance(body, bytes)
    assert b"number-of-matches-within-limits" in body
