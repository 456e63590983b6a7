"""Generator of the events for every server of the comparison, the same ones on each run."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SEED = 4791

BERLIN = """\
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
"""


def historic_zone() -> str:
    """Return a VTIMEZONE of some 4 KB, with one observance for each change of the past.

    Thunderbird writes zones like this: local mean time with seconds in its offset, then every
    change of rule since 1893.
    """
    lines = ["BEGIN:VTIMEZONE", "TZID:Europe/Vienna", "X-LIC-LOCATION:Europe/Vienna"]
    lines += observance("STANDARD", "+010521", "+0100", "CET", "18930401T000000")
    for year in range(1916, 1949):
        summer, winter = f"{year}0401T020000", f"{year}1001T030000"
        if year in (1916, 1917, 1918, 1920, *range(1940, 1949)):
            lines += observance("DAYLIGHT", "+0100", "+0200", "CEST", summer)
            lines += observance("STANDARD", "+0200", "+0100", "CET", winter)
    rule = "RRULE:FREQ=YEARLY;BYMONTH={};BYDAY=-1SU"
    lines += observance("DAYLIGHT", "+0100", "+0200", "CEST", "19810329T020000", rule.format(3))
    lines += observance("STANDARD", "+0200", "+0100", "CET", "19961027T030000", rule.format(10))
    for year in range(1980, 1996):
        lines += observance("STANDARD", "+0200", "+0100", "CET", f"{year}0927T030000")
    return "\n".join([*lines, "END:VTIMEZONE", ""])


def observance(kind: str, old: str, new: str, name: str, start: str, *more: str) -> list[str]:
    """Return one STANDARD or DAYLIGHT part of a VTIMEZONE (RFC 5545 §3.6.5)."""
    lines = [f"TZOFFSETFROM:{old}", f"TZOFFSETTO:{new}", f"TZNAME:{name}", f"DTSTART:{start}"]
    return [f"BEGIN:{kind}", *lines, *more, f"END:{kind}"]


VIENNA = historic_zone()


@dataclass(frozen=True)
class Event:
    """One calendar object: the name that it is stored under, and its text with CRLF."""

    name: str
    text: str


YEARS = (2024, 2025, 2026)
RULES = ("DAILY;COUNT=10", "WEEKLY;COUNT=20", "MONTHLY", "YEARLY")


def calendar_object(
    number: int,
    dice: random.Random,
    years: Sequence[int] = YEARS,
    rules: Sequence[str] = RULES,
) -> Event:
    """Return the event of this number: a tenth recur, a fifth are all-day, a third have a zone."""
    chosen = dice.randrange(len(years) * 365)
    day = dt.date(years[chosen // 365], 1, 1) + dt.timedelta(days=chosen % 365)
    time = f"{dice.randrange(7, 20):02}{dice.choice(('00', '15', '30', '45'))}00"
    form = dice.random()
    zone = ""
    if form < 0.2:
        start = f"DTSTART;VALUE=DATE:{day:%Y%m%d}\nDURATION:P1D"
    elif form < 0.45:
        zone, start = BERLIN, f"DTSTART;TZID=Europe/Berlin:{day:%Y%m%d}T{time}\nDURATION:PT1H"
    elif form < 0.55:
        zone, start = VIENNA, f"DTSTART;TZID=Europe/Vienna:{day:%Y%m%d}T{time}\nDURATION:PT1H"
    else:
        start = f"DTSTART:{day:%Y%m%d}T{time}Z\nDURATION:PT1H"
    recurring = dice.random() < 0.1
    rule = dice.choice(rules)
    words = dice.choices(("budget", "review", "lunch", "train", "dentist", "choir", "call"), k=3)
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Kalends//bench//EN",
        *zone.splitlines(),
        "BEGIN:VEVENT",
        f"UID:event-{number}",
        "DTSTAMP:20240101T000000Z",
        "CREATED:20240101T000000Z",
        *start.splitlines(),
        *([f"RRULE:FREQ={rule}"] if recurring else []),
        f"SUMMARY:{' '.join(words)} {number}",
        f"LOCATION:Room {dice.randrange(100)}",
        f"DESCRIPTION:{' '.join(dice.choices(words, k=dice.randrange(3, 9)))}",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return Event(f"event-{number}.ics", "".join(f"{line}\r\n" for line in lines))


def events(count: int, seed: int = SEED) -> Iterator[Event]:
    """Return so many events; the same for the same arguments."""
    dice = random.Random(seed)
    return (calendar_object(number, dice) for number in range(count))


def grown(small: int, count: int) -> Iterator[Event]:
    """Return so many events of which the first `small` are those of `events`.

    The others are in different years, and none of them recurs without end. So the years of the
    first ones have the same events, however many others there are.
    """
    yield from events(min(small, count))
    dice = random.Random(SEED + 1)
    for number in range(small, count):
        yield calendar_object(number, dice, OTHER_YEARS, RULES[:2])


OTHER_YEARS = (*range(2008, 2023), *range(2028, 2043))

KINDS = {
    "utc": "UTC",
    "berlin": "short VTIMEZONE",
    "vienna": "4 KB VTIMEZONE",
    "recurring": "recurring",
}
"""The kinds of event that the bench writes, with their titles in the table."""


def new_event(uid: str, version: int = 0, kind: str = "utc") -> str:
    """Return the text of one more event, an hour long; `kind` is one of `KINDS`."""
    zone = {"utc": "", "vienna": VIENNA}.get(kind, BERLIN)
    name = "Europe/Vienna" if kind == "vienna" else "Europe/Berlin"
    own = ["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20240101T000000Z", "DURATION:PT1H"]
    summary = f"SUMMARY:written by the bench version {version}"
    start = "DTSTART:20250314T090000Z" if kind == "utc" else f"DTSTART;TZID={name}:20250314T090000"
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Kalends//bench//EN", *zone.splitlines()]
    lines += [*own, start, summary]
    if kind == "recurring":
        lines += ["RRULE:FREQ=WEEKLY", f"EXDATE;TZID={name}:20250328T090000", "END:VEVENT"]
        lines += [*own, f"RECURRENCE-ID;TZID={name}:20250321T090000"]
        lines += [f"DTSTART;TZID={name}:20250321T140000", f"{summary}, later"]
    lines += ["END:VEVENT", "END:VCALENDAR"]
    return "".join(f"{line}\r\n" for line in lines)
