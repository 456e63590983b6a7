"""One budget of work for a request and for an object, in steps.

Steps are counted, not seconds, so that the same input is answered alike on every machine and under
any load. A step is about half a microsecond of Python on a machine of 2026: what it takes to test
one day of a recurrence rule. What costs more counts as several steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from kalends.errors import BudgetSpentError

OBJECT_STEPS = 1_000_000
"""The steps of each reading of one object, some 0.5 s.

The PUT that stores the object has no more of them, so that no later reader pays more. A calendar
object of ten megabytes, a series with 2,000 overrides or 20,000 EXDATEs, takes less than half.
"""

EXPANSIONS = 5
"""How many expansions of its recurrence rules fit into the budget of an object, some 0.1 s each.

An expansion goes as far as its steps suffice; its readers know what to do about the rest.
"""

REQUEST_STEPS = 4 * OBJECT_STEPS
"""The steps of all calendar objects of one request together, some 2 s.

A thousand recurring events take about a quarter of it.
"""

IMPORT_STEPS = 25 * OBJECT_STEPS
"""The steps of a file that somebody imports on the account page, some 15 s; one at a time is.

Four thousand events that recur every day take them, or 30,000 that do not recur.
"""

OCCURRENCE_STEPS = 5
"""The steps of making one occurrence, with its time zone, its end and its place in an answer."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The sizes of budgets, which the configuration sets.

    Attributes:
        object: the steps of each reading of one object.
        request: the steps of all objects of one request together, at least as many.
    """

    object: int = OBJECT_STEPS
    request: int = REQUEST_STEPS

    def of_object(self) -> Budget:
        """Return the budget of an object that belongs to no request."""
        return Budget(self.object, self)

    def of_request(self) -> Budget:
        """Return the budget of a request."""
        return Budget(self.request, self)


USUAL_STEPS = Steps()


class Budget:
    """The steps that are left for a request, for an object, or for a part of its reading.

    Work whose end can be left out asks for its steps with `take`, all other work with `draw`.

    Args:
        steps: its size.
        sizes: the sizes of its parts.

    Attributes:
        left: the steps that are left; negative once more was asked for.
    """

    __slots__ = ("_paid", "_sizes", "_steps", "left")

    def __init__(self, steps: int = OBJECT_STEPS, sizes: Steps = USUAL_STEPS) -> None:
        self._steps = steps
        self._sizes = sizes
        self.left = steps
        self._paid: set[str] = set()

    @property
    def is_spent(self) -> bool:
        """True if the work must stop."""
        return self.left < 0

    @property
    def spent(self) -> int:
        """The steps that were taken."""
        return self._steps - self.left

    def take(self, steps: int = 1) -> bool:
        """Take steps, before the work that they stand for; return False if they are not left."""
        self.left -= steps
        return self.left >= 0

    def draw(self, steps: int = 1) -> None:
        """Take steps, before the work that they stand for.

        Raises:
            BudgetSpentError: they are not left.
        """
        if not self.take(steps):
            raise BudgetSpentError(self._steps)

    def draw_once(self, what: str, steps: int) -> None:
        """Take the steps for something that many objects repeat, unless they are taken already.

        Args:
            what: the text whose reading is paid for.
            steps: what reading it costs.

        Raises:
            BudgetSpentError: the steps are not left.
        """
        if what not in self._paid:
            self._paid.add(what)
            self.draw(steps)

    def for_object(self) -> AbstractContextManager[Budget]:
        """Return the `part` for reading one object."""
        return self.part(self._sizes.object)

    def for_expansion(self) -> AbstractContextManager[Budget]:
        """Return the `part` for one expansion of an object's recurrence rules."""
        return self.part(self._sizes.object // EXPANSIONS)

    @contextmanager
    def part(self, steps: int) -> Iterator[Budget]:
        """Yield a budget of at most so many steps; what is spent of it is spent of this one too."""
        own = Budget(max(0, min(steps, self.left)), self._sizes)
        own._paid = self._paid
        try:
            yield own
        finally:
            self.left -= own.spent
