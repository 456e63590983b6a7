"""Times at which alarms ring (RFC 4791 section 9.9, RFC 5545 section 3.6.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cached_property

from kalends.common.budget import Budget
from kalends.errors import BudgetSpentError, ObjectRefusedError
from kalends.ical.contentlines import Component
from kalends.ical.recurrence.days import FIRST_SECOND, LAST_SECOND
from kalends.ical.recurrence.instances import Instance, Moment, instances_between
from kalends.ical.values import read_duration, read_time

_MOST_DIGITS = 6  # of REPEAT; nobody sets an alarm that rings more often


class ObjectAlarms:
    """The alarms of an object.

    Instances are found once for all of them: a long series may have one in each override.

    Args:
        components: a master and its overrides.
        vtimezones: the object's VTIMEZONEs by TZID.
        zone: the time zone for floating times and days.
        budget: the limit of the work on all alarms; once it is spent, each may ring.
    """

    def __init__(
        self,
        components: Sequence[Component],
        vtimezones: Mapping[str, str],
        zone: tzinfo,
        budget: Budget,
    ) -> None:
        self._components = components
        self._vtimezones = vtimezones
        self._zone = zone
        self._budget = budget
        self._walks: dict[tuple[int, int], _Walk] = {}

    def rings_between(
        self, alarm: Component, parent: Component, start: int | None, end: int | None
    ) -> bool:
        """Return True if an alarm rings in a time range, or if that is uncertain.

        Args:
            alarm: a VALARM.
            parent: the component that it is in.
            start: seconds since 1970, UTC; None without a bound.
            end: the same, exclusive.

        Raises:
            ObjectRefusedError: a time of the object or the alarm is invalid.
        """
        trigger = alarm.first("TRIGGER")
        if trigger is None:
            return False
        since = FIRST_SECOND if start is None else start
        until = LAST_SECOND if end is None else end
        times, pause = _repeats(alarm)
        if not _is_relative(alarm):
            first = Moment.of(read_time(trigger, self._vtimezones)).to_instant(self._zone)
            return _rings(first, times, pause, since, until)
        offset = int(read_duration(trigger).total_seconds())
        from_end = (trigger.param("RELATED") or "").upper() == "END"
        try:
            for instance in self._instances_of(parent, since, until):
                anchor = instance.finish if from_end else instance.begin
                first = anchor.to_instant(self._zone) + offset
                if _rings(first, times, pause, since, until):
                    return True
        except BudgetSpentError:
            return True
        return self._budget.is_spent

    def _instances_of(self, parent: Component, since: int, until: int) -> Iterator[Instance]:
        """Yield the instances of a component that can make an alarm ring in a time range."""
        walk = self._walks.get((since, until))
        if walk is None:
            walk = self._walks[since, until] = _Walk(self._instances_around(since, until))
        for instance in walk.found.get(id(parent), ()):
            self._budget.draw()
            yield instance
        for instance in walk.rest:
            walk.found.setdefault(id(instance.component), []).append(instance)
            if instance.component is parent:
                yield instance

    def _instances_around(self, since: int, until: int) -> Iterator[Instance]:
        earliest, latest = self._reach
        return instances_between(
            self._components,
            self._vtimezones,
            # One second more for instances without a duration.
            since - latest - 1,
            until - earliest + 1,
            self._zone,
            self._budget,
        )

    @cached_property
    def _reach(self) -> tuple[int, int]:
        """The seconds from a time of an instance to the first and the last ring of any alarm."""
        earliest = latest = 0
        for component in self._components:
            for alarm in component.children:
                trigger = alarm.first("TRIGGER")
                if alarm.name != "VALARM" or trigger is None or not _is_relative(alarm):
                    continue
                try:
                    times, pause = _repeats(alarm)
                    offset = int(read_duration(trigger).total_seconds())
                except ObjectRefusedError:  # each reader of this alarm gets the error again
                    continue
                earliest = min(earliest, offset)
                latest = max(latest, offset + times * pause)
        return earliest, latest


@dataclass(slots=True)
class _Walk:
    """The instances around a time range.

    Attributes:
        rest: those that nobody has asked for so far.
        found: the others, by the identity of their component.
    """

    rest: Iterator[Instance]
    found: dict[int, list[Instance]] = field(default_factory=dict)


def _is_relative(alarm: Component) -> bool:
    return alarm.value("TRIGGER").strip().upper().lstrip("+-").startswith("P")


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
