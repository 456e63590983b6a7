"""Times at which alarms ring (RFC 4791 section 9.9, RFC 5545 section 3.6.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo

from kalends.common.budget import Budget
from kalends.errors import BudgetSpentError
from kalends.ical.contentlines import Component
from kalends.ical.recurrence.days import FIRST_SECOND, LAST_SECOND
from kalends.ical.recurrence.instances import Moment, instances_between
from kalends.ical.values import read_duration, read_time

_MOST_DIGITS = 6  # of REPEAT; nobody sets an alarm that rings more often


def rings_between(
    alarm: Component,
    parent: Component,
    components: Sequence[Component],
    vtimezones: Mapping[str, str],
    start: int | None,
    end: int | None,
    zone: tzinfo,
    budget: Budget,
) -> bool:
    """Return True if an alarm rings in a time range, or if that is uncertain.

    Args:
        alarm: a VALARM.
        parent: the component that it is in.
        components: the master and its overrides, ``parent`` among them.
        vtimezones: the object's VTIMEZONEs by TZID.
        start: seconds since 1970, UTC; None without a bound.
        end: the same, exclusive.
        zone: the time zone for floating times and days.
        budget: the limit of the work.

    Raises:
        ObjectRefusedError: a time of the object or the alarm is invalid.
    """
    trigger = alarm.first("TRIGGER")
    if trigger is None:
        return False
    since = FIRST_SECOND if start is None else start
    until = LAST_SECOND if end is None else end
    times, pause = _repeats(alarm)
    if not trigger.value.strip().upper().lstrip("+-").startswith("P"):
        first = Moment.of(read_time(trigger, vtimezones)).to_instant(zone)
        return _rings(first, times, pause, since, until)
    offset = int(read_duration(trigger).total_seconds())
    from_end = (trigger.param("RELATED") or "").upper() == "END"
    # The instances that can make it ring in the range; one second more for those without duration.
    begin, finish = since - offset - times * pause - 1, until - offset + 1
    try:
        for instance in instances_between(components, vtimezones, begin, finish, zone, budget):
            if instance.component is parent:
                anchor = instance.finish if from_end else instance.begin
                if _rings(anchor.to_instant(zone) + offset, times, pause, since, until):
                    return True
    except BudgetSpentError:
        return True
    return False


def _repeats(alarm: Component) -> tuple[int, int]:
    """Return how often an alarm rings again, and after how many seconds each time."""
    repeat, length = alarm.value("REPEAT").strip(), alarm.first("DURATION")
    if length is None or not repeat.isascii() or not repeat.isdigit() or len(repeat) > _MOST_DIGITS:
        return 0, 0
    return int(repeat), max(0, int(read_duration(length).total_seconds()))


def _rings(first: int, times: int, pause: int, since: int, until: int) -> bool:
    """Return True if one of the times is in the range; it takes no step for each repetition."""
    if first < since and pause:
        skipped = min(times, -((first - since) // pause))
        first += skipped * pause
    return since <= first < until
