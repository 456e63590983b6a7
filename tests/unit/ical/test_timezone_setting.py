"""The time zones that clients set: only a calendar with one valid VTIMEZONE is one."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from kalends.errors import ObjectRefusedError
from kalends.ical.timezones.setting import read_timezone_setting
from support.randomcalendars import BERLIN, HERE
from support.samples import calendar, component

EVENT = component("VEVENT", "u", "DTSTART:20260601T090000Z")
HOURLY = HERE.format("+0100").replace("TZOFFSETTO", "RRULE:FREQ=HOURLY\r\nTZOFFSETTO")


@pytest.mark.parametrize(
    ("definition", "hours"), [(BERLIN, 2), (HERE.format("-0500"), -5), (HERE.format("+0330"), 3.5)]
)
def test_a_calendar_with_one_zone_is_that_zone(definition: str, hours: float) -> None:
    zone = read_timezone_setting(calendar(extra=definition))
    assert zone.utcoffset(datetime(2026, 6, 1, tzinfo=zone)) == timedelta(hours=hours)
    assert read_timezone_setting(calendar(extra=definition).replace("\r\n", "\n")) is zone


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "Europe/Berlin",
        calendar(),
        BERLIN,
        calendar(extra=BERLIN) * 2,
        calendar(extra=BERLIN * 2),
        calendar(extra=BERLIN + HERE.format("+0100")),
        calendar(EVENT, extra=BERLIN),
        calendar(EVENT),
        calendar(extra="BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nEND:VTIMEZONE\r\n"),
        calendar(extra=BERLIN.replace("TZID:Europe/Berlin\r\n", "")),
        calendar(extra=BERLIN.replace("TZOFFSETTO:+0200\r\n", "")),
        calendar(extra=BERLIN.replace("+0200", "two hours")),
        calendar(extra=BERLIN.replace("DTSTART:19701025T030000\r\n", "")),
        calendar(extra=BERLIN.replace("END:DAYLIGHT", "")),
        calendar(extra=HOURLY),
        calendar(extra=BERLIN.replace("TZNAME", f"X-A:{'a' * 200_000}\r\nTZNAME")),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ObjectRefusedError) as caught:
        read_timezone_setting(text)
    assert caught.value.precondition == "C:valid-calendar-data"
