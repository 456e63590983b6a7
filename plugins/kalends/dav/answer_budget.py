"""The bounds on what one answer repeats for each resource."""

from __future__ import annotations

from http import HTTPStatus

from kalends.dav.xml import limits
from kalends.errors import BodyRefusedError
from kalends.limit_names import Limit


class AnswerBudget:
    """The characters that an answer may still repeat: names, states and addresses, not the data."""

    def __init__(self) -> None:
        self._left = limits.MAX_REPEATED

    def spend(self, characters: int) -> None:
        """Take characters off.

        Raises:
            BodyRefusedError: there are not as many left (507).
        """
        self._left -= characters
        if self._left < 0:
            raise _too_large()


def _too_large() -> BodyRefusedError:
    why = "the answer is too large; ask for fewer properties of so many resources"
    return BodyRefusedError(
        HTTPStatus.INSUFFICIENT_STORAGE,
        why,
        "D:number-of-matches-within-limits",
        limit=Limit.ANSWER,
    )
