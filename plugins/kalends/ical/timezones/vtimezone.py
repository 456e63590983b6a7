"""Time zones as VTIMEZONEs define them (RFC 5545 section 3.6.5), read in bounded work.

A local time is in seconds since 1970-01-01T00:00:00 local time.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from heapq import merge
from threading import Lock
from typing import NamedTuple

from kalends.common.budget import Budget
from kalends.ical.contentlines import Component, Property
from kalends.ical.limits import MAX_ONSETS
from kalends.ical.recurrence.days import DAY, EPOCH
from kalends.ical.recurrence.expand import RuleIterator
from kalends.ical.recurrence.grammar import is_grammatical
from kalends.ical.recurrence.rrule import UNITS, Rule, read_rule

# Rules of real zones have a change each year or month; times before and after these years get the
# offsets that their nearest changes have.
_FIRST_ONSET = (datetime(1900, 1, 1) - EPOCH) // timedelta(seconds=1)
_LAST_ONSET = (datetime(2200, 1, 1) - EPOCH) // timedelta(seconds=1)
_YEARS = 300

ZONE_STEPS = 100_000
"""The steps of all changes of a zone in those years: a weekly one, or twenty yearly ones."""

_PROBED_YEARS = 4
_PROBE_STEPS = ZONE_STEPS * _PROBED_YEARS // _YEARS * 2

_OFFSET = re.compile(r"([+-])(\d\d)(\d\d)(\d\d)?", re.ASCII)
_TIME = re.compile(r"\d{8}T\d{6}Z?", re.ASCII)
_UNTIL_UTC = re.compile(r"UNTIL=\d{8}T\d{6}Z", re.ASCII)


class Observance(NamedTuple):
    """A STANDARD or DAYLIGHT part of a VTIMEZONE.

    Attributes:
        before: the offset from UTC before its onsets, seconds.
        after: the offset after them.
        is_daylight: whether it is DAYLIGHT.
        dates: the onsets that it names, ascending, in local time before each.
        rules: the rules of others.
        excluded: onsets that the rules do not have.
    """

    before: int
    after: int
    is_daylight: bool
    dates: Sequence[int]
    rules: Sequence[Rule]
    excluded: frozenset[int]

    def onsets(self, since: int, until: int, budget: Budget) -> Iterator[int]:
        """Return the named onsets, and those of the rules in a time; all ascending."""
        walks = [RuleIterator(rule, since, until, budget) for rule in self.rules]
        coming = merge(self.dates, *walks)
        return (local for local in coming if local not in self.excluded and local <= until)


def read_observances(definition: Component) -> list[Observance]:
    """Return the observances of a VTIMEZONE.

    Raises:
        ValueError: it has none, or one that is invalid or has a rule of hours or less.
    """
    if not definition.value("TZID") or not definition.children:
        raise ValueError("it has no TZID or no observance")
    dates = sum(1 + p.value.count(",") for c in definition.children for p in c.all("RDATE"))
    if len(definition.children) > MAX_ONSETS or dates > MAX_ONSETS:
        raise ValueError("it has too many observances or dates")
    return [_observance(child) for child in definition.children]


def _observance(part: Component) -> Observance:
    if part.name not in ("STANDARD", "DAYLIGHT") or part.children:
        raise ValueError(f"{part.name} is not an observance")
    begin = part.first("DTSTART")
    if begin is None:
        raise ValueError("an observance has no DTSTART")
    first = _local(_midnight_of_date(begin))
    before, after = _offset(part, "TZOFFSETFROM"), _offset(part, "TZOFFSETTO")
    dates, excluded = (
        [_local(text) for prop in part.all(name) for text in _plain(prop).value.split(",")]
        for name in ("RDATE", "EXDATE")
    )
    rules = [_rule(prop, first, before) for prop in part.all("RRULE")]
    is_daylight = part.name == "DAYLIGHT"
    return Observance(
        before, after, is_daylight, sorted([first, *dates]), rules, frozenset(excluded)
    )


def _plain(prop: Property) -> Property:
    """Return a property that has no parameters but, at most, the type of its values."""
    if prop.raw_params and prop.raw_params.upper() not in (
        ";VALUE=DATE-TIME",
        ';VALUE="DATE-TIME"',
    ):
        raise ValueError(f"{prop.name} has parameters")
    return prop


def _midnight_of_date(begin: Property) -> str:
    """Return a DTSTART; one that is a DATE, as some programs write it, is midnight of that day."""
    text = begin.value.strip()
    if begin.raw_params.upper() == ";VALUE=DATE" and len(text) == 8:
        return f"{text}T000000"
    return _plain(begin).value


def _local(text: str) -> int:
    text = text.strip().upper()
    if not _TIME.fullmatch(text):
        raise ValueError("an onset is not a local time")
    passed = datetime.strptime(text[:15], "%Y%m%dT%H%M%S") - EPOCH
    return passed.days * DAY + passed.seconds


def _offset(part: Component, name: str) -> int:
    prop = part.first(name)
    found = _OFFSET.fullmatch(prop.value.strip()) if prop and not prop.raw_params else None
    if found is None:
        raise ValueError(f"an observance has no valid {name}")
    hours, minutes, seconds = int(found[2]), int(found[3]), int(found[4] or 0)
    offset = hours * 3600 + minutes * 60 + seconds
    if offset >= DAY:
        raise ValueError(f"{name} is not less than a day")
    return -offset if found[1] == "-" else offset


def _rule(prop: Property, first: int, before: int) -> Rule:
    text = prop.value.strip().upper()
    rule = read_rule(text, first, is_day=False, zoned=False) if is_grammatical(text) else None
    if rule is None or rule.frequency in UNITS or prop.raw_params:
        raise ValueError("an observance has a rule that cannot be read")
    if rule.until is not None and _UNTIL_UTC.search(text):
        return replace(rule, until=rule.until + before)
    return rule


class VTimezone(tzinfo):
    """The time zone of a VTIMEZONE, whose changes are read as far as needed.

    Args:
        observances: its observances, as `read_observances` returns them.

    Raises:
        ValueError: they have more changes than a time zone has.

    Attributes:
        steps: what reading all changes costs; it is the same for the same definition.
    """

    def __init__(self, observances: Sequence[Observance]) -> None:
        self.steps = _steps(observances)
        self._lock = Lock()
        self._single = observances[0].after if len(observances) == 1 else None
        standard = [o for o in observances if not o.is_daylight] or observances
        # Of local times, those in the order in which they take effect; the first offset is that of
        # the times before all changes.
        self._starts: list[int] = []
        self._offsets = [standard[0].after]
        budget = Budget(ZONE_STEPS)
        # Of simultaneous changes, the first observance counts: it must be the last here.
        self._remaining = merge(*(_onsets(o, -n, budget) for n, o in enumerate(observances)))
        self._next = next(self._remaining, None)

    def offset(self, local: int) -> int:
        """Return the zone's offset from UTC at a local time, seconds.

        A local time that occurs twice has the offset of the first time; one that is skipped has
        the offset before the change.
        """
        if self._single is not None:
            return self._single
        if self._next is not None and self._next[0] <= local:
            self._read_until(local)
        return self._offsets[bisect_right(self._starts, local)]

    def _read_until(self, local: int) -> None:
        with self._lock:
            while (upcoming := self._next) is not None and upcoming[0] <= local:
                self._offsets.append(upcoming[2])  # first: other threads read these lists meanwhile
                self._starts.append(upcoming[0])
                self._next = next(self._remaining, None)

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """See `tzinfo.utcoffset`."""
        if dt is None:
            return None
        local = _seconds_of(dt)
        offset = self.offset(local)
        if dt.fold:  # of a local time that occurs twice, the second
            later = self.offset(local + DAY // 2)
            if later < offset and self.offset(local + offset - later) == later:
                offset = later
        return timedelta(seconds=offset)

    def dst(self, dt: datetime | None) -> timedelta | None:
        """Return None: nobody asks which part of an offset is that of summer."""
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        """Return None: a definition's names are its writer's text."""
        return None

    def fromutc(self, dt: datetime) -> datetime:
        """See `tzinfo.fromutc`."""
        instant = _seconds_of(dt)
        before, after = (self.offset(instant + shift) for shift in (-DAY, DAY))
        for offset in (before, after):
            local = dt + timedelta(seconds=offset)
            if self.offset(instant + offset) == offset:
                return local
        # It is not the first of its local times: the clock was put back meanwhile.
        return (dt + timedelta(seconds=after)).replace(fold=1)


def _seconds_of(value: datetime) -> int:
    passed = value.replace(tzinfo=None) - EPOCH
    return passed.days * DAY + passed.seconds


def _onsets(observance: Observance, order: int, budget: Budget) -> Iterator[tuple[int, int, int]]:
    for local in observance.onsets(_FIRST_ONSET, _LAST_ONSET, budget):
        yield local, order, observance.after


def _steps(observances: Sequence[Observance]) -> int:
    """Return what reading all changes costs, from what those of the first years cost."""
    probe = Budget(_PROBE_STEPS)
    for observance in observances:
        for rule in observance.rules:
            until = rule.first + _PROBED_YEARS * 366 * DAY
            for _ in RuleIterator(rule, None, until, probe):
                pass
    if probe.is_spent:
        raise ValueError("its offset changes too often")
    named = sum(len(observance.dates) for observance in observances)
    return min(ZONE_STEPS, probe.spent * _YEARS // _PROBED_YEARS) + 4 * named + 100
