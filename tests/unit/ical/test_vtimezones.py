"""Time zones of VTIMEZONEs, compared with dateutil, which walks them from their beginning."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from dateutil.tz import tzical
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Timezone

from kalends.ical.timezones.offsets import local_seconds, utc_offset_at
from kalends.ical.timezones.resolve import is_readable_vtimezone, resolve_tzid
from kalends.ical.timezones.vtimezone import VTimezone


def read(text: str) -> VTimezone:
    zone = resolve_tzid("Z", {"Z": text})
    assert isinstance(zone, VTimezone)
    return zone


def definition(*observances: str) -> str:
    return f"BEGIN:VTIMEZONE\r\nTZID:Z\r\n{''.join(observances)}END:VTIMEZONE\r\n"


def observance(kind: str, first: str, before: str, after: str, *lines: str) -> str:
    parts = [f"BEGIN:{kind}", f"DTSTART:{first}", f"TZOFFSETFROM:{before}", f"TZOFFSETTO:{after}"]
    return "".join(f"{line}\r\n" for line in [*parts, *lines, f"END:{kind}"])


def outlook(year: str = "1601") -> str:
    """Return a zone as Outlook writes it: from the year 1601 on."""
    return definition(
        observance(
            "STANDARD", f"{year}1025T030000", "+0200", "+0100",
            "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
        ),
        observance(
            "DAYLIGHT", f"{year}0328T020000", "+0100", "+0200",
            "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
        ),
    )  # fmt: skip


@st.composite
def observances(draw: st.DrawFn, kind: str) -> str:
    year, month = draw(st.integers(1965, 2000)), draw(st.integers(1, 12))
    first = datetime(year, month, draw(st.integers(1, 28)), draw(st.integers(0, 3)))
    before, after = draw(st.permutations(["+0100", "+0200", "-0330", "+1245"]))[:2]
    lines = []
    if draw(st.booleans()):
        day = draw(
            st.sampled_from(["BYDAY=-1SU", "BYDAY=2SU", "BYMONTHDAY=7", "BYDAY=SU;BYSETPOS=-2"])
            | st.sampled_from(
                ["BYDAY=SU;BYMONTHDAY=8,9,10,11,12,13,14", "BYMONTHDAY=-1", "WKST=SU"]
            )
        )
        until = draw(st.sampled_from(["", ";UNTIL=20100101T000000", ";INTERVAL=2"]))
        lines.append(f"RRULE:FREQ=YEARLY;BYMONTH={month};{day}{until}")
    for _ in range(draw(st.integers(0, 2))):
        moment = first + timedelta(days=draw(st.integers(0, 9000)))
        lines.append(f"RDATE:{moment:%Y%m%dT%H%M%S}")
    return observance(kind, f"{first:%Y%m%dT%H%M%S}", before, after, *lines)


@settings(max_examples=25)
@given(
    observances("STANDARD"), observances("DAYLIGHT"), st.lists(observances("STANDARD"), max_size=2)
)
def test_offsets_agree_with_dateutil(one: str, two: str, more: list[str]) -> None:
    text = definition(one, two, *more)
    by_dateutil = tzical(io.StringIO(text)).get()
    zone = read(text)
    assert by_dateutil is not None
    for number in range(30):
        shown = datetime(1964, 1, 1, 2, 30) + timedelta(days=1022 * number, hours=number)
        assert zone.utcoffset(shown) == by_dateutil.utcoffset(shown), shown


@pytest.mark.parametrize("year", ["1601", "1970"])
def test_a_zone_of_outlook_has_the_hours_of_its_place(year: str) -> None:
    zone = read(outlook(year))
    for month, hours in ((1, 1), (7, 2), (12, 1)):
        assert utc_offset_at(local_seconds(datetime(2026, month, 1)), zone) == hours * 3600
    assert utc_offset_at(local_seconds(datetime(2190, 7, 1)), zone) == 7200
    assert read(outlook(year)) is zone, "a definition is read once"


@pytest.mark.parametrize("tzid", ["Europe/Berlin", "America/New_York", "Africa/Casablanca"])
def test_instants_and_local_times_are_each_other(tzid: str) -> None:
    text = Timezone.from_tzid(tzid).to_ical().decode()
    zone = resolve_tzid(tzid, {tzid: text})
    by_dateutil = tzical(io.StringIO(text)).get()
    assert zone is not None
    assert by_dateutil is not None
    for hour in range(0, 366 * 24, 29):
        instant = datetime(2026, 1, 1, 0, 30, tzinfo=UTC) + timedelta(hours=hour)
        local = instant.astimezone(zone)
        assert local.astimezone(UTC) == instant
        assert local.replace(tzinfo=None) == instant.astimezone(by_dateutil).replace(tzinfo=None)


def test_an_hour_that_repeats_has_two_offsets() -> None:
    zone = read(outlook())
    twice = datetime(2026, 10, 25, 2, 30, tzinfo=zone)
    assert twice.utcoffset() == timedelta(hours=2)
    assert twice.replace(fold=1).utcoffset() == timedelta(hours=1)
    once = datetime(2026, 10, 25, 3, 30, tzinfo=zone)
    assert once.replace(fold=1).utcoffset() == once.utcoffset() == timedelta(hours=1)


def test_a_rule_ends_at_its_until_in_utc() -> None:
    """RFC 5545 section 3.3.10: UNTIL is in UTC here, and the last onset is the one at it."""
    text = outlook("1970").replace("BYMONTH=10", "BYMONTH=10;UNTIL=20251026T010000Z")
    zone = read(text.replace("BYMONTH=3", "BYMONTH=3;UNTIL=20250330T010000Z"))
    assert utc_offset_at(local_seconds(datetime(2025, 12, 1)), zone) == 3600
    assert utc_offset_at(local_seconds(datetime(2026, 7, 1)), zone) == 3600


@pytest.mark.parametrize(
    "change",
    [
        ("FREQ=YEARLY", "FREQ=SECONDLY"),
        ("FREQ=YEARLY", "FREQ=MINUTELY"),
        ("FREQ=YEARLY", "FREQ=HOURLY"),
        ("FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3", "FREQ=DAILY"),
        ("BYMONTH=3", "BYMONTH=13"),
        ("FREQ=YEARLY", "FREQ=NEVER"),
        ("+0100", "0100"),
        ("+0100", "+5744"),
        ("16011025T030000", "yesterday"),
        ("BEGIN:VTIMEZONE\r\nTZID:Z", "BEGIN:VTIMEZONE\r\nX-TZID:Z"),
        ("STANDARD", "SOMETIMES"),
    ],
)
def test_what_is_no_time_zone_is_not_read(change: tuple[str, str]) -> None:
    assert is_readable_vtimezone(outlook())
    assert not is_readable_vtimezone(outlook().replace(*change))
    assert resolve_tzid("Europe/Berlin", {"Europe/Berlin": outlook().replace(*change)}) is not None


def test_a_date_begins_at_midnight() -> None:
    text = outlook().replace("DTSTART:16011025T030000", "DTSTART;VALUE=DATE:16011025")
    winter = datetime(2026, 1, 1)
    assert read(text).utcoffset(winter) == read(outlook()).utcoffset(winter)
