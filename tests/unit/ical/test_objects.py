"""Validation of objects, their bounds for the index, and splitting of files into objects."""

from __future__ import annotations

import contextlib
import gzip
import io
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import icalendar
import pytest
import recurring_ical_events
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.errors import ObjectRefusedError
from kalends.ical.split import split_calendar, split_cards, split_file
from kalends.ical.validate import read_calendar_object, read_card
from support.installation import event
from support.paths import DATA

CALENDARS = sorted((DATA / "ics").glob("*.ics"))
ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:Somewhere\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
    "TZOFFSETFROM:{0}\r\nTZOFFSETTO:{0}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT"
)


def instant(text: str) -> int:
    return int(datetime.strptime(text, "%Y%m%dT%H%M%S%z").timestamp())


def task(*lines: str) -> bytes:
    whole = event("t").replace(b"VEVENT", b"VTODO").decode()
    kept = [x for x in whole.split("\r\n") if not x.startswith(("DTSTART", "DURATION"))]
    return "\r\n".join([*kept[:4], *lines, *kept[4:]]).encode()


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY",
        "FREQ=HOURLY;BYMINUTE=0,30",
        "FREQ=DAILY;COUNT=1000000",
        "FREQ=SECONDLY;UNTIL=20300101T000000Z",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYHOUR=0,2,4,6,8,10,12,14,16,18,20,22;BYMINUTE=0,20,40",
    ],
)
def test_a_rule_that_is_too_costly_to_expand_is_refused(rule: str) -> None:
    with pytest.raises(ObjectRefusedError) as refused:
        read_calendar_object(event("a", "20260105T090000Z", f"RRULE:{rule}"))
    assert refused.value.precondition == "C:max-instances"
    assert refused.value.line == 10


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=4,6;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=10",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=SOMETIMES",
        "FREQ=YEARLY;BYMONTH=13",
        "INTERVAL=2",
        "",
    ],
)
def test_a_rule_without_occurrences_or_meaning_is_refused(rule: str) -> None:
    with pytest.raises(ObjectRefusedError) as refused:
        read_calendar_object(event("a", "20260105T090000Z", f"RRULE:{rule}"))
    assert refused.value.precondition == "C:valid-calendar-data"


@pytest.mark.parametrize(
    ("rule", "end"),
    [
        ("FREQ=DAILY", None),
        ("FREQ=HOURLY;INTERVAL=4", None),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", None),
        ("FREQ=WEEKLY;COUNT=3", "20260119T100000+0000"),
        ("FREQ=DAILY;UNTIL=20991231T000000Z", "21000101T010000+0000"),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", "20260227T100000+0000"),
    ],
)
def test_an_ordinary_rule_is_accepted_with_its_end(rule: str, end: str | None) -> None:
    found = read_calendar_object(event("a", "20260105T090000Z", f"RRULE:{rule}"))
    assert found.recurring
    assert found.first_start == instant("20260105T090000+0000")
    assert found.last_end == (instant(end) if end else None)


def test_two_definitions_of_a_zone_give_two_instants() -> None:
    starts = []
    for offset in ("+1000", "-1000"):
        zoned = event("a", "20260105T120000").replace(b"DTSTART:", b"DTSTART;TZID=Somewhere:")
        body = zoned.replace(b"BEGIN:VEVENT", ZONE.format(offset).encode())
        starts.append(read_calendar_object(body).first_start)
    assert starts == [instant("20260105T020000+0000"), instant("20260105T220000+0000")]


def test_an_undefined_zone_is_ianas_or_windows_or_floating() -> None:
    def start(tzid: str) -> int | None:
        zoned = event("a", "20260705T120000").replace(b"DTSTART:", f"DTSTART;TZID={tzid}:".encode())
        return read_calendar_object(zoned).first_start

    assert start("Europe/Berlin") == instant("20260705T100000+0000")
    assert start("W. Europe Standard Time") == instant("20260705T100000+0000")
    assert start("/vendor.example/Europe/Berlin") == instant("20260705T100000+0000")
    assert start("Nowhere") == instant("20260704T220000+0000")


@pytest.mark.parametrize("parameter", ["East, West", r"East\, West"])
def test_a_zone_is_found_by_its_escaped_and_unescaped_name(parameter: str) -> None:
    zoned = event("a", "20260105T120000").decode()
    zoned = zoned.replace("DTSTART:", f'DTSTART;TZID="{parameter}":')
    defined = ZONE.format("+1000").replace("Somewhere", r"East\, West")
    body = zoned.replace("BEGIN:VEVENT", defined).encode()
    expected = instant("20260105T020000+0000")
    assert read_calendar_object(body).first_start == expected
    (found,) = split_calendar(body).objects
    assert found.first_start == expected
    assert defined.encode() in found.data


@pytest.mark.parametrize(
    ("lines", "start", "end"),
    [
        ((), None, None),
        (("DUE:20260105T090000Z",), "20260105T085959+0000", "20260105T090001+0000"),
        (
            ("DTSTART:20260105T090000Z", "DURATION:P1D"),
            "20260105T085959+0000",
            "20260106T090001+0000",
        ),
        (("COMPLETED:20260105T090000Z",), "20260105T085959+0000", "20260105T090001+0000"),
        (("CREATED:20260105T090000Z",), "20260105T090000+0000", None),
    ],
    ids=["nothing", "due", "start-duration", "completed", "created"],
)
def test_the_bounds_of_a_task(lines: tuple[str, ...], start: str | None, end: str | None) -> None:
    found = read_calendar_object(task(*lines))
    assert found.first_start == (instant(start) if start else None)
    assert found.last_end == (instant(end) if end else None)


@pytest.mark.parametrize(
    "body",
    [
        event("a").replace(b"DTSTAMP:20260101T000000Z\r\n", b""),
        event("a").replace(b"\r\n", b"\n"),
        event("a").replace(b"SUMMARY", b"summary"),
        event("a", "20260105T090000Z", "DTEND:20260105T100000Z", "DURATION:PT0S"),
        event("a", "20260105T090000Z", "EXDATE;VALUE=DATE:20260106", "RRULE:FREQ=DAILY"),
        event("a", "20260105T090000Z", "RRULE:FREQ=DAILY;UNTIL=20250101"),
        event("a").replace(b"DURATION:PT1H", b"DTEND:20260101T000000Z"),
        event("a") + b"\r\n\r\n",
    ],
    ids=["no-stamp", "lf", "lower", "thunderbird", "evolution", "until-past", "backwards", "blank"],
)
def test_objects_of_real_clients_are_accepted(body: bytes) -> None:
    assert read_calendar_object(body).data == body


@pytest.mark.parametrize("path", CALENDARS, ids=lambda path: path.stem[-40:])
def test_a_real_file_is_accepted_or_refused_with_a_reason(path: Path) -> None:
    data = path.read_bytes()
    with contextlib.suppress(ObjectRefusedError):  # any other exception is a bug
        assert read_calendar_object(data).uid
    whole = split_calendar(data)
    assert whole.objects or whole.refused or b"BEGIN:VEVENT" not in data
    for bad in whole.refused:
        assert bad.why
        assert 1 <= bad.line <= data.count(b"\n") + 1
    for found in whole.objects:
        again = read_calendar_object(found.data)
        assert (again.uid, again.component) == (found.uid, found.component)


def test_a_file_is_split_into_one_object_for_each_uid() -> None:
    two = event("a") + event("b") + event("a")
    whole = split_calendar(two)
    assert [found.uid for found in whole.objects] == ["a", "b"]
    assert whole.refused == []


def test_a_bad_component_does_not_affect_the_others() -> None:
    bad = event("a").replace(b"END:VCALENDAR\r\n", b"") + (
        b"BEGIN:VEVENT\r\nUID:bad\r\nDTSTART:never\r\nEND:VEVENT\r\n"
        b"BEGIN:VEVENT\r\nnot a content line\r\nEND:VEVENT\r\n"
        b"BEGIN:VEVENT\r\nUID:c\r\nDTSTART:20260105T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    whole = split_calendar(bad)
    assert [found.uid for found in whole.objects] == ["a", "c"]
    assert [(refused.line, refused.uid) for refused in whole.refused] == [(16, ""), (13, "bad")]


def test_a_component_without_a_uid_gets_one_from_its_content() -> None:
    without_uid = event("a").replace(b"UID:a\r\n", b"")
    first, second = (
        split_calendar(without_uid),
        split_calendar(without_uid.replace(b"20260101T", b"20270101T")),
    )
    assert first.objects[0].uid == second.objects[0].uid
    assert (
        first.objects[0].uid
        != split_calendar(without_uid.replace(b"Meet", b"Greet")).objects[0].uid
    )


def test_a_card_needs_a_uid_and_gets_one_on_import() -> None:
    card = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Carol\r\nEND:VCARD\r\n"
    with pytest.raises(ObjectRefusedError):
        read_card(card)
    whole = split_cards(card + card.replace(b"Carol", b"Dave"))
    assert len(whole.objects) == 2
    assert split_cards(card).objects[0].uid in {found.uid for found in whole.objects}


NOT_UTF8 = "not UTF-8: export or save the file as UTF-8"


def test_only_components_that_are_not_utf8_are_refused() -> None:
    bad = event("bad", summary="B@ro").replace(b"@", b"\xfc")
    whole = split_calendar(
        event("a") + bad + event("c", summary="B@ro").replace(b"@", b"\xc3\r\n \xbc")
    )
    assert [found.uid for found in whole.objects] == ["a", "c"]
    assert [(refused.line, refused.why) for refused in whole.refused] == [(20, NOT_UTF8)]
    assert "SUMMARY:Büro\r\n" in whole.objects[1].data.decode()
    named = event("a").replace(b"PRODID:", b"X-WR-CALNAME:B\xfcro\r\nPRODID:")
    whole = split_calendar(named)
    assert [found.uid for found in whole.objects] == ["a"]
    assert [(refused.line, refused.why) for refused in whole.refused] == [(2, NOT_UTF8)]


def card(uid: str, *lines: str) -> bytes:
    text = ["BEGIN:VCARD", "VERSION:2.1", f"UID:{uid}", f"N:{uid}", *lines, "END:VCARD"]
    return "".join(f"{line}\r\n" for line in text).encode()


def test_a_different_card_with_the_same_uid_is_refused() -> None:
    other = card("a", "TEL:1")
    whole = split_cards(card("a") + other + card("b") + card("a").rstrip())
    assert [found.data for found in whole.objects] == [card("a"), card("b")]
    assert [(bad.line, bad.uid, bad.why) for bad in whole.refused] == [
        (6, "a", "another card has the same UID")
    ]


def test_a_card_without_an_end_does_not_affect_the_others() -> None:
    whole = split_cards(card("a").replace(b"END:VCARD\r\n", b"") + card("b") + card("c"))
    assert [found.data for found in whole.objects] == [card("b"), card("c")]
    assert [(bad.line, bad.why) for bad in whole.refused] == [(1, "BEGIN:VCARD has no END")]


def test_only_cards_that_are_not_utf8_are_refused() -> None:
    whole = split_cards(card("a") + card("b", "NOTE:@").replace(b"@", b"\xfc") + card("c"))
    assert [found.uid for found in whole.objects] == ["a", "c"]
    assert [(refused.line, refused.why) for refused in whole.refused] == [(10, NOT_UTF8)]


@pytest.mark.parametrize("agent", ["AGENT:", "item1.AGENT;X-A=b: "])
def test_the_card_of_an_agent_is_part_of_another_card(agent: str) -> None:
    inner = card("inner").decode().split("\r\n")[:-1]
    boss = card("boss", agent, *inner, "TEL:1")
    whole = split_cards(boss + card("b"))
    assert [found.data for found in whole.objects] == [boss, card("b")]
    assert whole.refused == []


def zipped(compression: int) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as archive:
        archive.writestr("a.ics", event("a"))
    return written.getvalue()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is empty"),
        (b"\xef\xbb\xbf\r\n", "it is empty"),
        (zipped(zipfile.ZIP_DEFLATED), "zip archive: unpack it"),
        (zipped(zipfile.ZIP_STORED), "zip archive: unpack it"),
        (gzip.compress(event("a")), "gzip: unpack it"),
        (event("a").decode().encode("utf-16"), "UTF-16 text: export or save it as UTF-8"),
        (event("a").decode().encode("utf-16-be"), "UTF-16 text: export or save it as UTF-8"),
        (b"\n<!DOCTYPE html><title>Log in</title>", "it is a web page"),
        (b"Name,Email\r\nA,b@example.org\r\n", "no calendar (BEGIN:VCALENDAR) and no contacts"),
    ],
)
def test_a_file_of_another_format_is_recognized(data: bytes, why: str) -> None:
    whole = split_file(data)
    assert not whole.objects
    (refused,) = whole.refused
    assert refused.line == 1
    assert why in refused.why


@pytest.mark.parametrize("data", [event("a"), card("a")], ids=["event", "card"])
def test_old_mac_line_ends_and_byte_order_marks_are_accepted(data: bytes) -> None:
    for written in (data.replace(b"\r\n", b"\r"), b"\xef\xbb\xbf" + data):
        whole = split_file(written)
        assert ([found.uid for found in whole.objects], whole.refused) == (["a"], [])


starts = st.datetimes(min_value=datetime(2025, 1, 1), max_value=datetime(2027, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0)
)
rules = st.builds(
    "FREQ={};INTERVAL={}{}{}".format,
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.integers(1, 5),
    st.sampled_from(["", ";COUNT=4", ";UNTIL=20270601T000000Z"]),
    st.sampled_from(["", ";BYDAY=MO,FR", ";BYMONTHDAY=1,15,-1", ";BYHOUR=8,20"]),
)


@settings(max_examples=120)
@given(start=starts, rule=st.none() | rules, hours=st.integers(0, 50), window=starts)
def test_the_bounds_enclose_all_occurrences(
    start: datetime, rule: str | None, hours: int, window: datetime
) -> None:
    lines = [f"RRULE:{rule}"] if rule else []
    body = event("a", f"{start:%Y%m%dT%H%M%SZ}", *lines).replace(b"PT1H", f"PT{hours}H".encode())
    found = read_calendar_object(body)
    begin = window.replace(tzinfo=UTC)
    end = begin + timedelta(days=30)
    occurrences = recurring_ical_events.of(icalendar.Calendar.from_ical(body)).between(begin, end)
    for occurrence in occurrences:
        first = int(occurrence["DTSTART"].dt.timestamp())
        assert found.first_start is not None
        assert found.first_start <= first
        assert found.last_end is None or found.last_end >= first + hours * 3600


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;UNTIL=PT1H",
        "FREQ=DAILY;UNTIL=235959",
        # dateutil searches for these until the year 9999, which takes seconds.
        "FREQ=DAILY;BYMONTHDAY=3;BYYEARDAY=60",
        "FREQ=DAILY;BYMONTHDAY=3;BYYEARDAY=60;COUNT=5",
    ],
)
def test_an_invalid_rule_is_refused(rule: str) -> None:
    with pytest.raises(ObjectRefusedError, match=r"is invalid|has no occurrences"):
        read_calendar_object(event("a", "20260101T090000Z", f"RRULE:{rule}"))


@pytest.mark.parametrize(
    ("start", "rule"),
    [
        ("20260101T090000Z", "FREQ=HOURLY;BYSECOND=60"),
        ("20260101T090000Z", "FREQ=MONTHLY;BYDAY=MO,1TU"),
        ("99991231T000000", "FREQ=WEEKLY;BYYEARDAY=-366"),
    ],
)
def test_an_unusual_rule_is_accepted(start: str, rule: str) -> None:
    assert read_calendar_object(event("a", start, f"RRULE:{rule}")).recurring


def test_too_many_rules_are_refused() -> None:
    rules = [f"RRULE:FREQ=YEARLY;BYMONTHDAY={day}" for day in range(1, 12)]
    assert read_calendar_object(event("a", "20260101T090000Z", *rules[:10])).recurring
    with pytest.raises(ObjectRefusedError, match="more than 10 rules"):
        read_calendar_object(event("a", "20260101T090000Z", *rules))
