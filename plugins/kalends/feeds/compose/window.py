"""Window of a feed: a number of days into the past, and the whole future."""

from __future__ import annotations

from datetime import date

from kalends.common.budget import Budget
from kalends.feeds.compose.visibility import VisibleObject
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property
from kalends.ical.recurrence.days import DAY, LAST_SECOND, date_of
from kalends.ical.recurrence.occurrences import last_end


def leaving_date(copy: VisibleObject, past: int, budget: Budget) -> date | None:
    """Return the first UTC date on which an object is no longer shown, or None if it stays.

    A series stays, whole, until its last occurrence has left the window; a task that is not done
    and an object without a date stay.

    Args:
        copy: the object.
        past: the number of days for which an object is shown after its end.
        budget: the steps that the object's reading may take.

    Raises:
        ObjectRefusedError: a time in it cannot be read.
        BudgetSpentError: the steps are not left.
    """
    if any(map(_is_open, copy.components)) or not any(map(_is_dated, copy.components)):
        return None
    own = {
        tzid: "\r\n".join(_named(use.definition, tzid).lines()) for tzid, use in copy.zones.items()
    }
    end = last_end(copy.components, own, budget)
    if end is None:
        return None
    days = -(-end // DAY) + past
    return date_of(days) if days <= LAST_SECOND // DAY else None


def _is_open(component: Component) -> bool:
    status = component.value("STATUS").strip().upper()
    is_done = component.first("COMPLETED") or status in ("COMPLETED", "CANCELLED")
    return component.name == "VTODO" and not is_done


def _is_dated(component: Component) -> bool:
    return any(component.first(name) for name in ("DTSTART", "DUE", "COMPLETED"))


def _named(definition: Component, tzid: str) -> Component:
    return Component(
        definition.name, [Property("TZID", "", contentlines.escape(tzid))], definition.children
    )
