"""Random calendar objects, and a simple model of what a feed should show of them.

An object is built from a few choices, so that its hidden parts are known without parsing it. Each
component has its own summary, which identifies its occurrences.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import strategies as st

HIDDEN = "Zq7Hidden"
"""A word in everything that must be hidden, and nowhere else."""

BERLIN = (
    "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nX-LIC-LOCATION:Europe/Berlin\r\nBEGIN:DAYLIGHT\r\n"
    "TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nTZNAME:GMT+2\r\nDTSTART:19700329T020000\r\n"
    "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\nBEGIN:STANDARD\r\n"
    "TZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nTZNAME:GMT+1\r\nDTSTART:19701025T030000\r\n"
    "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)
HERE = (
    "BEGIN:VTIMEZONE\r\nTZID:Here\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
    "TZOFFSETFROM:{0}\r\nTZOFFSETTO:{0}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)
SECRET_PLACE = (
    HERE.format("+0530")
    .replace("Here", HIDDEN + "Zone")
    .replace("END:STANDARD", f"TZNAME:{HIDDEN}\r\nCOMMENT:{HIDDEN}\r\nEND:STANDARD")
)
ZONES = {
    "utc": ("", ""),
    "floating": ("", ""),
    "day": ("", ""),
    "berlin": (";TZID=Europe/Berlin", BERLIN),
    "here": (";TZID=Here", HERE.format("+0300")),
    "there": (";TZID=Here", HERE.format("-0500")),
    "secret": (f";TZID={HIDDEN}Zone", SECRET_PLACE),
}


@dataclass(frozen=True)
class Override:
    """An override of the occurrence ``days`` after the first, moved by ``hours``.

    Attributes:
        access: its CLASS, or empty.
    """

    days: int
    hours: int
    access: str
    and_future: bool


@dataclass(frozen=True)
class RandomObject:
    """An object; ``name`` is part of its summaries, and equal objects have equal texts."""

    name: str
    zone: str
    start: datetime
    minutes: int
    rule: str
    exdates: tuple[int, ...]
    rdates: tuple[int, ...]
    access: str
    organizer: str
    sequence: int
    overrides: tuple[Override, ...]
    has_master: bool

    def text(self, uid: str) -> str:
        """Return the text of the object."""
        parts = [self._master(uid)] if self.has_master else []
        parts += [self._override(uid, override) for override in self.overrides]
        inner = "".join(f"BEGIN:VEVENT\r\n{part}END:VEVENT\r\n" for part in parts)
        return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{ZONES[self.zone][1]}{inner}END:VCALENDAR\r\n"

    def levels(self, private: str, busy: bool) -> dict[str, str]:
        """Return the visibility of each component by summary: ``show``, ``busy`` or ``hide``."""

        def level(access: str) -> str:
            if access == "" or private == "show":
                return "busy" if busy else "show"
            return "busy" if access == "CONFIDENTIAL" else private

        master = level(self.access) if self.has_master else "show"
        order = ("show", "busy", "hide")
        found = {
            self._summary(o): max(level(o.access), master, key=order.index) for o in self.overrides
        }
        if self.has_master:
            found[self._summary(None)] = master
        if master == "hide":
            return dict.fromkeys(found, "hide")
        return found

    def as_visible(self, private: str, busy: bool) -> RandomObject:
        """Return the object as readers of the feed see it, without hidden parts and SEQUENCE."""
        levels = self.levels(private, busy)
        seen = []
        for override in self.overrides:
            level = levels[self._summary(override)]
            hours = 0 if level == "hide" else override.hours
            seen.append(replace(override, hours=hours, access=level))
        return replace(self, overrides=tuple(seen), sequence=0)

    def _master(self, uid: str) -> str:
        lines = [*self._common(uid, None), self._time("DTSTART", self.start), self._length()]
        lines += [f"RRULE:{self.rule}"] if self.rule else []
        days = [self.start + timedelta(days=n) for n in self.exdates]
        lines += [self._time("EXDATE", day) for day in days]
        lines += [self._time("RDATE", self.start + timedelta(days=n)) for n in self.rdates]
        return "".join(f"{line}\r\n" for line in lines)

    def _override(self, uid: str, override: Override) -> str:
        at = self.start + timedelta(days=override.days)
        recurrence = self._time("RECURRENCE-ID", at)
        if override.and_future:
            recurrence = recurrence.replace("RECURRENCE-ID", "RECURRENCE-ID;RANGE=THISANDFUTURE")
        hours = override.hours * (24 if self.zone == "day" else 1)
        moved = self._time("DTSTART", at + timedelta(hours=hours))
        lines = [*self._common(uid, override), recurrence, moved, self._length()]
        return "".join(f"{line}\r\n" for line in lines)

    def _common(self, uid: str, override: Override | None) -> list[str]:
        access = override.access if override else self.access
        lines = [f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"SUMMARY:{self._summary(override)}"]
        lines += [f"CLASS:{access}"] if access else []
        lines += [f"ORGANIZER:mailto:{self.organizer}"] if self.organizer else []
        lines += [f"SEQUENCE:{self.sequence}"] if self.sequence else []
        if access or self.access:
            lines += [
                f"LOCATION:{HIDDEN}",
                f"X-{HIDDEN}:1",
                f"ATTENDEE;CN={HIDDEN}:mailto:a@b.example",
            ]
        return lines

    def _summary(self, override: Override | None) -> str:
        access = override.access if override else self.access
        hidden = HIDDEN if access or self.access else ""
        return f"{self.name}{hidden}-{override.days if override else 'series'}"

    def _time(self, name: str, at: datetime) -> str:
        if self.zone == "day":
            return f"{name};VALUE=DATE:{at:%Y%m%d}"
        return f"{name}{ZONES[self.zone][0]}:{at:%Y%m%dT%H%M%S}{'Z' if self.zone == 'utc' else ''}"

    def _length(self) -> str:
        return "DURATION:P1D" if self.zone == "day" else f"DURATION:PT{self.minutes}M"


def _build(
    name: str,
    zone: str,
    day: int,
    hour: int,
    rule: tuple[str, int],
    until: int,
    exdates: list[int],
    rdates: list[int],
    overrides: list[Override],
    access: str,
    organizer: str,
    sequence: int,
    has_master: bool,
) -> RandomObject:
    start = datetime(2026, 1, 1, 0 if zone == "day" else hour) + timedelta(days=day)
    text, step = rule
    if text and (until == 1 or step < 7):  # endless rules are weekly at most: parsers are slow
        text += f";COUNT={until + 6}"
    elif text and until == 2:
        end = start + timedelta(days=step * 5)
        text += f";UNTIL={end:%Y%m%d}" if zone == "day" else f";UNTIL={end:%Y%m%dT%H%M%S}"
        text += "" if zone in ("day", "floating") else "Z"
    kept = {o.days: o for o in overrides} if text or not has_master else {}
    moved = tuple(replace(o, days=days * step) for days, o in sorted(kept.items()))
    # Parsers disagree about several, and no client writes them: at most one, the last.
    last = len(moved) - 1
    moved = tuple(
        replace(o, and_future=o.and_future and n == last and has_master)
        for n, o in enumerate(moved)
    )
    taken = {o.days for o in moved}
    out = tuple(n * step for n in sorted(set(exdates)) if n * step not in taken) if text else ()
    more = (
        tuple(n * step + 1 for n in sorted(set(rdates)))
        if step > 1 and not any(o.and_future for o in moved)
        else ()
    )
    access = access if has_master else ""
    return RandomObject(
        name, zone, start, 45, text, out, more, access, organizer, sequence, moved,
        has_master or not moved,
    )  # fmt: skip


random_objects = st.builds(
    _build,
    name=st.sampled_from(["one", "two", "three"]),
    zone=st.sampled_from(sorted(set(ZONES) - {"secret"})),
    day=st.integers(0, 400),
    hour=st.integers(4, 19),
    rule=st.sampled_from(
        [("", 1), ("FREQ=DAILY", 1), ("FREQ=DAILY;INTERVAL=3", 3), ("FREQ=WEEKLY", 7)]
    ),
    until=st.integers(0, 2),
    exdates=st.lists(st.integers(1, 4), max_size=2),
    rdates=st.lists(st.integers(0, 4), max_size=2),
    overrides=st.lists(
        st.builds(
            Override,
            days=st.integers(0, 4),
            hours=st.integers(-3, 4),
            access=st.sampled_from(["", "", "PRIVATE", "CONFIDENTIAL", "X-OURS"]),
            and_future=st.booleans(),
        ),
        max_size=3,
    ),
    access=st.sampled_from(["", "", "", "PRIVATE", "CONFIDENTIAL", "X-OURS"]),
    organizer=st.sampled_from(["", "a@example.org", "b@example.org"]),
    sequence=st.integers(0, 2),
    has_master=st.sampled_from([True, True, True, False]),
).map(lambda s: replace(s, zone="secret") if s.access and s.zone == "here" else s)


StoredObjects = dict[tuple[int, str], RandomObject]
"""Objects by calendar and UID."""

random_stores = st.tuples(
    st.lists(random_objects, min_size=1, max_size=3),
    st.dictionaries(
        st.tuples(st.integers(1, 4), st.sampled_from("abc")),
        st.tuples(st.integers(0, 2), st.integers(0, 2)),
        min_size=1,
        max_size=8,
    ),
).map(
    # Several copies of one object in several calendars, each with its own SEQUENCE.
    lambda drawn: {
        place: replace(drawn[0][which % len(drawn[0])], sequence=sequence)
        for place, (which, sequence) in drawn[1].items()
    }
)


def visible_objects(
    objects: StoredObjects, private: str, busy: bool
) -> list[tuple[RandomObject, str]]:
    """Return the objects of which a feed shows anything.

    Each comes with its UID in its calendar; the feed has the same one unless it shows it as busy.
    """
    groups: dict[tuple[str, object], list[tuple[int, RandomObject]]] = {}
    found = []
    for (calendar, uid), source in sorted(objects.items(), key=lambda item: item[0]):
        levels = set(source.levels(private, busy).values())
        if levels == {"hide"}:
            continue
        if "show" not in levels:
            found.append((source, uid))
            continue
        groups.setdefault((uid, source.organizer), []).append((calendar, source))
    for (uid, organizer), copies in groups.items():
        meetings: dict[object, list[RandomObject]] = {}
        for _, source in copies:
            if not organizer:
                key: object = source.as_visible(private, busy)
            elif any(other.has_master for _, other in copies):
                key = ""
            else:
                seen = source.as_visible(private, busy)
                key = (source.start, [o.days for o in seen.overrides if o.access != "hide"])
                key = (source.zone, *key)
            meetings.setdefault(repr(key), []).append(source)
        found += [
            (max(same, key=lambda one: (one.has_master, one.sequence)), uid)
            for same in meetings.values()
        ]
    return found
