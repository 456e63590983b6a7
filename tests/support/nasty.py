"""Calendar objects and cards that cost much for their size, of the kinds that were found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

BEGIN = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n"
END = "END:VCALENDAR\r\n"


def event(*lines: str) -> str:
    """Return a VEVENT with these lines."""
    return "\r\n".join(["BEGIN:VEVENT", "UID:nasty", *lines, "END:VEVENT", ""])


def calendar(*parts: str) -> bytes:
    """Return a calendar object of these components."""
    return (BEGIN + "".join(parts) + END).encode()


def observance(rule: str = "", first: str = "19700101T000000", kind: str = "STANDARD") -> str:
    """Return a part of a VTIMEZONE, with further lines of its own."""
    lines = [f"BEGIN:{kind}", f"DTSTART:{first}", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", rule]
    return "".join(f"{line}\r\n" for line in [*lines, f"END:{kind}"] if line)


def zone(*observances: str, tzid: str = "Z") -> str:
    """Return a VTIMEZONE; a single observance would have the same offset at all times."""
    some = observances if len(observances) > 1 else (*observances, observance(kind="DAYLIGHT"))
    return f"BEGIN:VTIMEZONE\r\nTZID:{tzid}\r\n{''.join(some)}END:VTIMEZONE\r\n"


def in_zone(definition: str, *lines: str) -> bytes:
    """Return an event whose times are in the zone ``Z``."""
    return calendar(definition, event("DTSTART;TZID=Z:20260601T100000", *lines))


def days(number: int, year: int = 1000) -> Iterable[str]:
    """Return different times, as values of an EXDATE or RDATE."""
    return (
        f"{year + n // 336:04}{n // 28 % 12 + 1:02}{n % 28 + 1:02}T100000Z" for n in range(number)
    )


def _zone_of(rule: str, number: int = 1) -> bytes:
    """Return an event in a zone with so many observances that have this rule."""
    return in_zone(zone(*[observance(rule)] * number), _LOCAL_EXDATES)


def _many_zones() -> bytes:
    names = [f"Z{n}" for n in range(90)]
    return calendar(
        *(zone(observance("RRULE:FREQ=WEEKLY"), tzid=name) for name in names),
        event("DTSTART:20260601T100000Z", *(f"RDATE;TZID={n}:21990101T000000" for n in names)),
    )


_START = "DTSTART:20260601T100000Z"
_LOCAL_EXDATES = "EXDATE;TZID=Z:" + ",".join(text[:-1] for text in days(500))
_ALL_WEEKDAYS = "BYDAY=MO,TU,WE,TH,FR,SA,SU"

ZONES: dict[str, Callable[[], bytes]] = {
    **{
        f"a rule of {frequency}": partial(_zone_of, f"RRULE:FREQ={frequency}")
        for frequency in ("SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY")
    },
    "80,000 observances": lambda: in_zone(zone(*[observance()] * 80_000)),
    "300,000 dates": lambda: in_zone(
        zone(observance("RDATE:" + ",".join(text[:-1] for text in days(300_000))))
    ),
    "rules that never match": partial(_zone_of, "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31", 500),
    "rules of many days": partial(_zone_of, f"RRULE:FREQ=YEARLY;{_ALL_WEEKDAYS}", 50),
    "many zones": _many_zones,
    "from the year 1": lambda: in_zone(
        zone(observance("RRULE:FREQ=MONTHLY;BYDAY=-1SU", first="00010101T000000")), _LOCAL_EXDATES
    ),
}
"""Objects whose time zones have many changes (A3)."""


def _with_overrides(number: int, first: str, *lines: str) -> bytes:
    """Return a daily series with overrides whose RECURRENCE-ID begins with ``first``."""
    moved = (event(f"{first}:{day}", _START, *lines) for day in days(number, 2027))
    return calendar(event(_START, "RRULE:FREQ=DAILY"), *moved)


def _numbers(most: int) -> str:
    return ",".join(map(str, range(most)))


SERIES: dict[str, Callable[[], bytes]] = {
    "overrides with ten rules each": lambda: _with_overrides(
        100,
        "RECURRENCE-ID",
        *["RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=TU;COUNT=9999"] * 10,
    ),
    "a million weekdays": lambda: calendar(
        event(_START, "RRULE:FREQ=WEEKLY;BYDAY=" + ",".join(["MO"] * 1_000_000))
    ),
    "a million numbers": lambda: calendar(
        event(_START, "RRULE:FREQ=YEARLY;BYMONTHDAY=" + ",".join(["1"] * 1_000_000))
    ),
    "500,000 EXDATEs": lambda: calendar(
        event(_START, "RRULE:FREQ=DAILY", "EXDATE:" + ",".join(days(500_000)))
    ),
    "60,000 lines of EXDATE": lambda: calendar(
        event(_START, "RRULE:FREQ=DAILY", *(f"EXDATE:{day}" for day in days(60_000)))
    ),
    "30,000 overrides of all that follow": lambda: _with_overrides(
        30_000, "RECURRENCE-ID;RANGE=THISANDFUTURE"
    ),
    "500 overrides of all that follow": lambda: _with_overrides(
        500, "RECURRENCE-ID;RANGE=THISANDFUTURE", "CLASS:PRIVATE"
    ),
    "hours since the year 1": lambda: calendar(
        event("DTSTART:00010101T000000Z", "RRULE:FREQ=HOURLY")
    ),
    "hours that never match": lambda: calendar(
        event("DTSTART:00010101T000000Z", "RRULE:FREQ=HOURLY;INTERVAL=24;BYHOUR=5")
    ),
    "each second of a year": lambda: calendar(
        event(
            _START,
            f"RRULE:FREQ=YEARLY;COUNT=1000;{_ALL_WEEKDAYS};BYHOUR={_numbers(24)}"
            f";BYMINUTE={_numbers(60)};BYSECOND={_numbers(60)}",
        )
    ),
    "a duration of zeros": lambda: calendar(
        event(
            _START,
            *(f"RDATE;VALUE=PERIOD:{day}/PT{'0' * 4_000}1S" for day in days(2_000)),
        )
    ),
    "50,000 names of zones": lambda: calendar(
        event(_START, *(f"RDATE;TZID=A/{n}:20260101T000000" for n in range(50_000)))
    ),
}
"""Objects with many rules, dates or overrides (A5, A6)."""


def _one(line: str) -> bytes:
    return calendar(event(_START, line))


TEXTS: dict[str, Callable[[], bytes]] = {
    "9 million commas": lambda: _one("X-A;B=" + "," * 9_000_000 + ":x"),
    "9 million commas without an end": lambda: _one("X-A;B=" + "," * 9_000_000),
    "3 million quotation marks": lambda: _one('X-A;B="' + '","' * 3_000_000),
    "2 million parameters": lambda: _one("X-A" + ";B=1" * 2_000_000 + ":x"),
    "a long name": lambda: _one("X" * 9_000_000),
    "a name of dots": lambda: _one("X." * 4_500_000),
    "3 million folds": lambda: _one("X:" + "\n a" * 3_000_000),
    "3 million lines": lambda: _one("X:\n" * 3_000_000),
    "9 million empty lines": lambda: _one("\n" * 9_000_000),
    "700,000 components": lambda: _one("BEGIN:V\nEND:V\n" * 700_000),
    "a TZID of 8 megabytes": lambda: calendar(
        event(f"DTSTART;TZID={'Z' * 8_000_000}:20260601T100000")
    ),
    "a UID of 8 megabytes": lambda: _one("X:x").replace(b"nasty", b"\\," * 4_000_000),
    "a BYDAY of 9 megabytes": lambda: _one("RRULE:FREQ=WEEKLY;BYDAY=" + "9" * 9_000_000),
    "a duration of 9 megabytes": lambda: _one("DURATION:P" + "1" * 9_000_000),
}
"""Objects whose text is costly to parse (A5, A7)."""

KINDS = ZONES | SERIES | TEXTS
