"""Whatever a client stores, each way to read it costs little, and none ends in a 5xx."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fuzz.lines import ALARM, DURATIONS, FREQUENCIES, OTHERS, RULE_PARTS, TIMES, ZONES
from fuzz.readers import CALENDAR, CARDS
from fuzz.stored import StoredObjects, stored_objects
from support import nasty
from support.nasty import calendar, event


@pytest.fixture(scope="module")
def stored() -> Iterator[StoredObjects]:
    with stored_objects() as opened:
        yield opened


# --- what a part more costs ------------------------------------------------------------------

START = "DTSTART:20260601T100000Z"
DAILY = "RRULE:FREQ=DAILY"
RING = "\r\n".join(ALARM)
YEARLY = "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU"


def days(number: int) -> Iterator[str]:
    """Yield so many days in a row, of which some are in the ranges that readers ask for."""
    first = datetime(2026, 5, 25, 10)
    return (f"{first + timedelta(days=n):%Y%m%dT%H%M%SZ}" for n in range(number))


def overrides(number: int, *lines: str, mark: str = "") -> bytes:
    """Return a daily series with so many overrides."""
    moved = (event(f"RECURRENCE-ID{mark}:{day}", f"DTSTART:{day}", *lines) for day in days(number))
    return calendar(event(START, DAILY), *moved)


def zones(number: int) -> bytes:
    """Return a series with times in so many time zones, and an alarm for each."""
    names = [f"Z{n}" for n in range(number // 10)]
    dates = (f"RDATE;TZID={name}:20260601T100000" for name in names)
    return calendar(
        *(nasty.zone(nasty.observance(YEARLY), tzid=name) for name in names),
        event(START, *dates, *([RING] * number)),
    )


def vcard(*lines: str) -> bytes:
    """Return a card with further lines."""
    begin = ("BEGIN:VCARD", "VERSION:3.0", "UID:nasty", "FN:e", "N:e;;;;")
    return "".join(f"{line}\r\n" for line in (*begin, *lines, "END:VCARD")).encode()


CALENDARS: dict[str, Callable[[int], bytes]] = {
    "overrides": lambda n: overrides(n, "CLASS:PRIVATE"),
    "overrides with an alarm": lambda n: overrides(n, RING),
    "overrides of all that follow": lambda n: overrides(n, mark=";RANGE=THISANDFUTURE"),
    "overrides of one instance": lambda n: calendar(
        event(START, DAILY), *[event("RECURRENCE-ID:20260701T100000Z", START)] * n
    ),
    "alarms": lambda n: calendar(event(START, DAILY, *[RING] * n)),
    "dates that are left out": lambda n: calendar(
        event(START, DAILY, *(f"EXDATE:{day}" for day in days(n)))
    ),
    "periods": lambda n: calendar(
        event(START, "RDATE;VALUE=PERIOD:" + ",".join(f"{day}/PT50H" for day in days(n)))
    ),
    "zones": zones,
    "people": lambda n: calendar(
        event(START, *(f"ATTENDEE;PARTSTAT=e;CN=x{k}:mailto:{k}@x" for k in range(n)))
    ),
    "parameters": lambda n: calendar(event(START, f"X-A{';B=e' * n}:c")),
    "folds": lambda n: calendar(event(START, "SUMMARY:e" + "\r\n e\\n" * n)),
}
CARD_KINDS: dict[str, Callable[[int], bytes]] = {
    "numbers": lambda n: vcard(*(f"g{k}.TEL;TYPE=e{k}:{k}" for k in range(n))),
    "types": lambda n: vcard("TEL" + ";TYPE=a,b" * n + ":1"),
    "notes": lambda n: vcard(*["NOTE:e\\,\\\\"] * n),
}
KINDS = {(CALENDAR, name): kind for name, kind in CALENDARS.items()} | {
    (CARDS, name): kind for name, kind in CARD_KINDS.items()
}
FEW = 100


@pytest.mark.parametrize(("folder", "kind"), KINDS)
def test_twice_as_many_parts_cost_each_reader_twice_as_much(
    stored: StoredObjects, folder: str, kind: str
) -> None:
    """What takes the square of its parts is cheap in a small object and endless in a large one."""
    make = KINDS[folder, kind]
    one, two = stored.check(make(FEW), folder), stored.check(make(2 * FEW), folder)
    assert len(two) > 10  # it was stored
    for title, cost in two.items():
        assert cost.calls < 2.3 * one[title].calls + 20_000, (title, one[title], cost)
        # Up to a thousand lines, a small object does not pay for a partial answer.
        assert cost.steps < 2.3 * one[title].steps + 40_000, (title, one[title], cost)


# --- random objects --------------------------------------------------------------------------


@st.composite
def times(draw: st.DrawFn) -> tuple[str, str]:
    """The parameters and the value of a time, which need not fit."""
    zone, time = draw(st.sampled_from(ZONES)), draw(st.sampled_from(TIMES))
    if zone == ";VALUE=DATE":
        return zone, time[:8]
    return zone, time + draw(st.sampled_from(["", "Z"])) if not zone else time


@st.composite
def lines(draw: st.DrawFn) -> str:
    """A line of an event, or a few."""
    zone, time = draw(times())
    length = draw(st.sampled_from(DURATIONS))
    rule = [f"FREQ={draw(st.sampled_from(FREQUENCIES))}"]
    rule += draw(st.lists(st.sampled_from(RULE_PARTS), max_size=3, unique=True))
    name = draw(st.sampled_from(["EXDATE", "RDATE", "DTEND", "DUE", "EXDATE", "RDATE"]))
    return draw(
        st.sampled_from(
            [
                f"RRULE:{';'.join(rule)}",
                f"{name}{zone}:{time}",
                f"RDATE;VALUE=PERIOD:{time}/{length}",
                f"DURATION:{length}",
                f"BEGIN:VALARM\r\nTRIGGER:{length}\r\nREPEAT:9\r\nDURATION:PT1H\r\nEND:VALARM",
                f"BEGIN:VALARM\r\nTRIGGER{zone}:{time}\r\nEND:VALARM",
                *(other for other in OTHERS if "@" not in other),
            ]
        )
    )


@st.composite
def spoilt(draw: st.DrawFn, text: bytes) -> bytes:
    """A text, now and then with a fold or a few octets in the wrong place."""
    if draw(st.integers(0, 3)):
        return text
    place = draw(st.integers(0, len(text)))
    odd = draw(
        st.sampled_from([b"\r\n ", b"\n\t", b"\0", b"\x7f", b"\xff", b"\xef\xbf\xbf", b'"', b"\\"])
        | st.binary(max_size=3)
    )
    return text[:place] + odd + text[place:]


@st.composite
def calendars(draw: st.DrawFn) -> bytes:
    """A calendar object of odd but plausible parts."""
    name = draw(st.sampled_from(["VEVENT", "VEVENT", "VEVENT", "VTODO", "VJOURNAL"]))
    parts = []
    for number in range(draw(st.integers(1, 4))):
        zone, time = draw(times())
        first = [f"DTSTART{zone}:{time}"]
        if number:
            mark = draw(st.sampled_from(["", ";RANGE=THISANDFUTURE"]))
            zone, time = draw(times())
            first.append(f"RECURRENCE-ID{mark}{zone}:{time}")
        parts.append(event(*first, *draw(st.lists(lines(), max_size=6))))
    rules = draw(st.lists(st.sampled_from(FREQUENCIES), max_size=3))
    observances = [nasty.observance(f"RRULE:FREQ={rule};BYDAY=-1SU") for rule in rules]
    zone = nasty.zone(*observances) if draw(st.booleans()) else ""
    text = calendar(zone, *parts).replace(b"VEVENT", name.encode())
    return draw(spoilt(text))


@st.composite
def cards(draw: st.DrawFn) -> bytes:
    """A card of odd but plausible lines."""
    names = st.sampled_from(["TEL", "EMAIL", "item1.TEL", "NOTE", "PHOTO", "N", "FN", "X-A", "UID"])
    params = st.sampled_from(["", ";HOME", ";TYPE=a,b", ';TYPE="a;:"', ";ENCODING=b", ";X=é"])
    values = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
    more = draw(st.lists(st.tuples(names, params, values), max_size=8))
    return draw(spoilt(vcard(*(f"{name}{param}:{value}" for name, param, value in more))))


@settings(max_examples=25, phases=set(Phase) - {Phase.explain})
@given(data=calendars())
def test_random_calendar_objects_are_cheap_for_each_reader(
    stored: StoredObjects, data: bytes
) -> None:
    stored.check(data, CALENDAR)


@settings(max_examples=25, phases=set(Phase) - {Phase.explain})
@given(data=cards())
def test_random_cards_are_cheap_for_each_reader(stored: StoredObjects, data: bytes) -> None:
    stored.check(data, CARDS)
