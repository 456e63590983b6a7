"""Random series with overrides, RDATE and EXDATE in every form, for readers to agree about.

Each series knows its features, by which the readers' known differences are named.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from dateutil.rrule import rrulestr
from hypothesis import strategies as st

from support.randomcalendars import BERLIN, HERE
from support.samples import calendar, component

ZONES = {
    "utc": ("", ""),
    "floating": ("", ""),
    "day": ("", ""),
    "defined": (";TZID=Europe/Berlin", BERLIN),
    "own": (";TZID=Here", HERE.format("-0330")),
    "iana undefined": (";TZID=America/New_York", ""),
    "windows undefined": (";TZID=W. Europe Standard Time", ""),
    "unknown": (";TZID=Nowhere", ""),
}
RULES = {
    "": "",
    "daily": "FREQ=DAILY;INTERVAL=2",
    "weekly": "FREQ=WEEKLY",
    "other days": "FREQ=WEEKLY;BYDAY=TU,TH,SA",
    "last day": "FREQ=MONTHLY;BYDAY=-1FR",
    "month day": "FREQ=MONTHLY;BYMONTHDAY=15,31",
    "yearly": "FREQ=YEARLY;BYMONTH=1,6",
}
ENDS = ("", "COUNT=6", "UNTIL")
LENGTHS = ("DURATION", "DTEND", "none")


@dataclass(frozen=True)
class Change:
    """An override of the instance ``place`` days after the first, moved by ``hours``."""

    place: int
    hours: int
    in_utc: bool
    and_future: bool


@dataclass(frozen=True)
class Series:
    """A series; the numbers in its parts are days after its first instance."""

    zone: str
    start: datetime
    rule: str
    ends: str
    length: str
    rdates: tuple[tuple[str, int], ...]
    exdates: tuple[tuple[str, int], ...]
    changes: tuple[Change, ...]
    has_master: bool

    @property
    def features(self) -> frozenset[str]:
        """The names of everything in it that a reader may read in its own way."""
        zoned = self.zone not in ("utc", "floating", "day")
        found = {f"zone {self.zone}", f"rule {self.rule}", f"ends {self.ends}"}
        found |= {f"length {self.length}"}
        if self.has_master and self.rule:
            found |= self._features_of_rule()
        if self.has_master:
            found |= {f"RDATE {form}" for form, _ in self.rdates}
            found |= {f"EXDATE {form}" for form, _ in self.exdates}
            if self.rdates and not self.rule:
                found.add("RDATE alone")
        else:
            found.add("no master")
        if self.changes:
            found.add("override")
        if any(c.in_utc for c in self.changes) and zoned:
            found.add("RECURRENCE-ID utc")
        if any(c.and_future for c in self.changes) and self.has_master:
            found.add("THISANDFUTURE")
        return frozenset(found)

    def text(self) -> str:
        """Return the text of the object."""
        parts = [self._master()] if self.has_master else []
        parts += [self._override(change) for change in self.changes]
        return calendar(*parts, extra=ZONES[self.zone][1])

    def _features_of_rule(self) -> set[str]:
        rule = rrulestr(RULES[self.rule], dtstart=self.start)
        found = set()
        if any(at in rule for at in self._dates(self.rdates)):
            found.add("RDATE of the rule")
        if any(at not in rule for at in self._dates(self.exdates)):
            found.add("EXDATE of nothing")
        return found if self.start in rule else {*found, "DTSTART is not of the rule"}

    def _dates(self, listed: tuple[tuple[str, int], ...]) -> list[datetime]:
        """Return the times of RDATEs or EXDATEs; `_listed` adds a second to some."""
        days = [day for _, day in listed]
        return [self._at(day) for day in days + [d + 28 for form, d in listed if form == "several"]]

    def _master(self) -> str:
        lines = [self._time("DTSTART", self.start), *self._length(self.start), "SUMMARY:series"]
        if self.rule:
            lines.append(f"RRULE:{RULES[self.rule]}{self._end()}")
        lines += [self._listed("RDATE", form, self._at(days)) for form, days in self.rdates]
        lines += [self._listed("EXDATE", form, self._at(days)) for form, days in self.exdates]
        return component("VEVENT", "u", *lines)

    def _override(self, change: Change) -> str:
        place = self._at(change.place)
        hours = change.hours * (24 if self.zone == "day" else 1)
        start = place + timedelta(hours=hours)
        form = "utc" if change.in_utc else "same"
        named = self._listed("RECURRENCE-ID", form, place)
        if change.and_future and self.has_master:
            named = named.replace("RECURRENCE-ID", "RECURRENCE-ID;RANGE=THISANDFUTURE")
        lines = [named, self._time("DTSTART", start), *self._length(start)]
        return component("VEVENT", "u", *lines, f"SUMMARY:override {change.place}")

    def _at(self, days: int) -> datetime:
        return self.start + timedelta(days=days)

    def _end(self) -> str:
        if self.ends != "UNTIL":
            return f";{self.ends}" if self.ends else ""
        last = self._at(100)
        if self.zone == "day":
            return f";UNTIL={last:%Y%m%d}"
        return f";UNTIL={last:%Y%m%dT%H%M%S}" + ("" if self.zone == "floating" else "Z")

    def _length(self, start: datetime) -> list[str]:
        days = self.zone == "day"
        if self.length == "DURATION":
            return ["DURATION:P2D" if days else "DURATION:PT90M"]
        if self.length == "DTEND":
            return [self._time("DTEND", start + timedelta(hours=24 if days else 3))]
        return []

    def _listed(self, name: str, form: str, at: datetime) -> str:
        if self.zone == "day":
            return self._time(name, at)
        if form == "utc" and self.zone in ("defined", "own", "utc"):
            return f"{name}:{at - _offset(self.zone, at):%Y%m%dT%H%M%SZ}"
        if form == "date":
            return f"{name};VALUE=DATE:{at:%Y%m%d}"
        if form == "period":
            prop = self._time(name, at).replace(name, f"{name};VALUE=PERIOD")
            return f"{prop}/PT5H"
        if form == "several":
            later = self._time(name, at + timedelta(days=28)).rpartition(":")[2]
            return f"{self._time(name, at)},{later}"
        return self._time(name, at)

    def _time(self, name: str, at: datetime) -> str:
        if self.zone == "day":
            return f"{name};VALUE=DATE:{at:%Y%m%d}"
        end = "Z" if self.zone == "utc" else ""
        return f"{name}{ZONES[self.zone][0]}:{at:%Y%m%dT%H%M%S}{end}"


def _offset(zone: str, at: datetime) -> timedelta:
    if zone == "own":
        return timedelta(hours=-3, minutes=-30)
    if zone == "utc":
        return timedelta()
    begins, ends = (datetime(at.year, month, 31) for month in (3, 10))
    summer = _sunday(begins) <= at < _sunday(ends)
    return timedelta(hours=2 if summer else 1)


def _sunday(last: datetime) -> datetime:
    return last - timedelta(days=(last.weekday() + 1) % 7) + timedelta(hours=3)


def _build(
    zone: str,
    day: int,
    hour: int,
    rule: str,
    ends: str,
    length: str,
    rdates: list[tuple[str, int]],
    exdates: list[tuple[str, int]],
    changes: list[Change],
    has_master: bool,
) -> Series:
    start = datetime(2026, 1, 1, 0 if zone == "day" else hour, 30 * (zone != "day"))
    start += timedelta(days=day)
    days_of = _days_of(rule, start)
    unique = {days_of[c.place]: replace(c, place=days_of[c.place]) for c in changes}
    exdates = [(form, days_of[number]) for form, number in exdates]
    changes = [unique[place] for place in sorted(unique)]
    last = len(changes) - 1
    in_rule = rule in ("daily", "weekly")
    # An override of all that follow is the last, and it replaces an instance that there is.
    moved = tuple(
        replace(c, and_future=c.and_future and n == last and c.place in days_of[1:4] and in_rule)
        for n, c in enumerate(changes)
    )
    taken = {c.place for c in changes}
    added = {days: form for form, days in rdates}
    recurs = bool(rule or added)
    return Series(
        zone,
        start,
        rule,
        ends if rule else "",
        length,
        tuple((form, days) for days, form in added.items()),
        tuple(
            (form, days)
            for form, days in exdates
            if recurs and days not in taken and (form != "several" or days + 28 not in taken)
        ),
        moved if recurs or not has_master else (),
        has_master or not changes,
    )


def _days_of(rule: str, start: datetime) -> list[int]:
    """Return the days of the first instances after the start, and one that has none."""
    first = islice(rrulestr(RULES[rule], dtstart=start), 6) if rule else [start]
    days = [(at - start).days for at in first]
    return [*days, *range(days[-1] + 1, days[-1] + 8 - len(days))]


_PLACES = st.integers(0, 6)

random_series = st.builds(
    _build,
    zone=st.sampled_from(sorted(ZONES)),
    day=st.integers(0, 300),
    hour=st.integers(5, 17),
    rule=st.sampled_from(sorted(RULES)),
    ends=st.sampled_from(ENDS),
    length=st.sampled_from(LENGTHS),
    rdates=st.lists(
        st.tuples(
            st.sampled_from(["same", "utc", "period", "several", "date"]),
            st.sampled_from([1, 7, 14, 17, 40]),
        ),
        max_size=2,
    ),
    exdates=st.lists(
        st.tuples(st.sampled_from(["same", "utc", "date", "several"]), _PLACES), max_size=2
    ),
    changes=st.lists(
        st.builds(
            Change,
            place=_PLACES,
            hours=st.sampled_from([-50, -2, 0, 1, 5, 60, 400]),
            in_utc=st.booleans(),
            and_future=st.booleans(),
        ),
        max_size=2,
    ),
    has_master=st.sampled_from([True, True, True, True, False]),
)
