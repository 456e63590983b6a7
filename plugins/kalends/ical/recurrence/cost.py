"""The steps that reading an object's times costs, known before it is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kalends.common.budget import Budget
from kalends.ical.contentlines import Component
from kalends.ical.timezones.resolve import draw_for_zones

DATE_STEPS = 6
"""The steps of one value of RDATE, EXDATE or FREEBUSY: to parse it, and to find its place."""

RULE_STEPS = 100
"""The steps of parsing a recurrence rule, beside those of its characters."""

_COMPONENT_STEPS = 30
_COUNTED = frozenset({"RDATE", "EXDATE", "RRULE", "FREEBUSY"})


def draw_for_times(
    components: Iterable[Component], vtimezones: Mapping[str, str], budget: Budget
) -> None:
    """Take the steps of reading the times of an object, without the expansion of its rules.

    Args:
        components: a master and its overrides.
        vtimezones: the object's VTIMEZONEs, as ``vtimezones_of`` returns them.
        budget: the steps.

    Raises:
        BudgetSpentError: they are not left.
    """
    draw_for_zones(vtimezones, budget)
    for component in components:
        budget.draw(_COMPONENT_STEPS + len(component.properties))
        for prop in component.properties:
            if prop.name not in _COUNTED:
                continue
            if prop.name == "RRULE":
                budget.draw(RULE_STEPS + len(prop.value) // 4)
            else:
                budget.draw(DATE_STEPS * (1 + prop.value.count(",")))
