"""Composition of feeds: golden folders, and no text of hidden events."""

from __future__ import annotations

import re
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.feeds.definitions.model import Rules
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from support import goldenfeeds
from support.feedstore import Store, compose, feed_with

folders = goldenfeeds.list_folders()


@pytest.mark.parametrize("folder", folders, ids=lambda folder: folder.name)
def test_a_golden_folder_composes_to_its_expected_feed(folder: Path, tmp_path: Path) -> None:
    golden = goldenfeeds.load(folder)
    assert golden.compose_feed(tmp_path / "a").decode() == golden.expected.decode()
    assert golden.compose_feed(tmp_path / "b", backwards=True) == golden.expected


@pytest.mark.parametrize("folder", folders, ids=lambda folder: folder.name)
def test_a_golden_feed_is_valid_icalendar(folder: Path) -> None:
    expected = (folder / "expected.ics").read_bytes()
    assert b"\n" not in expected.replace(b"\r\n", b"")
    assert all(len(line) <= 75 for line in expected.split(b"\r\n"))
    assert expected.count(b"METHOD:") == 1
    assert b"\r\nMETHOD:PUBLISH\r\n" in expected
    calendar = contentlines.parse(expected.decode())[0]
    zones = [child for child in calendar.children if child.name == "VTIMEZONE"]
    defined = [contentlines.unescape(zone.value("TZID")) for zone in zones]
    assert sorted(defined) == sorted(used_zones(calendar))
    places = [
        (c.value("UID"), c.value("RECURRENCE-ID")) for c in calendar.children if c.first("UID")
    ]
    assert len(places) == len(set(places))  # otherwise a program shows only one of them
    for child in calendar.children:
        if child.name == "VTIMEZONE":
            assert child.children
        else:
            assert child.value("UID")
            assert re.fullmatch(r"\d{8}T\d{6}Z", child.value("DTSTAMP"))
            assert re.fullmatch(r"\d{8}T\d{6}Z", child.value("LAST-MODIFIED"))
    if not folder.name.endswith("-show"):
        assert b"SECRET" not in expected.replace(b"\r\n ", b"").upper()


def used_zones(component: Component) -> set[str]:
    """Return the TZIDs that times refer to."""
    used = {tzid for prop in component.properties if (tzid := prop.param("TZID"))}
    return used.union(*map(used_zones, component.children))


def test_folding_never_splits_a_character() -> None:
    expected = (goldenfeeds.FOLDER / "folding" / "expected.ics").read_bytes()
    lines = expected.split(b"\r\n")
    for line in lines:
        line.decode("utf-8")
    assert max(map(len, lines)) == 75
    # A line that is continued is shorter only if the next character did not fit.
    for line, following in pairwise(lines):
        if following.startswith(b" "):
            assert len(line) + len(following[1:].decode()[0].encode()) > 75


WORD = "Zq7Hidden"
hidden_lines = st.lists(
    st.sampled_from(
        [
            f"SUMMARY:{WORD}",
            f"DESCRIPTION;LANGUAGE={WORD}:x",
            f"LOCATION:{WORD}",
            f"X-{WORD}:1",
            f"ATTENDEE;CN={WORD}:mailto:{WORD}@example.org",
            f"ORGANIZER:mailto:{WORD}@example.org",
            f"CATEGORIES:{WORD}",
            f"DTSTAMP;X-P={WORD}:20260101T000000Z",
            f"LAST-MODIFIED:{WORD}",
            f"BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:{WORD}\r\nEND:VALARM",
            f"DTEND;X-P={WORD}:20260105T100000Z",
        ]
    ),
    max_size=6,
)


def feed_of(data: bytes, rules: Rules, uid: str = WORD) -> bytes:
    """Compose the feed of one object."""
    store = Store("alice/work")
    store.put(1, uid, data)
    with tempfile.TemporaryDirectory() as folder:
        return compose(Path(folder), store, feed_with(rules))


@given(
    lines=hidden_lines,
    access=st.sampled_from(["PRIVATE", "CONFIDENTIAL", "private", "X-MINE"]),
    private=st.sampled_from(["hide", "busy"]),
    switches=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    override=st.sampled_from(["", "PUBLIC", "PRIVATE"]),
)
def test_no_text_of_a_hidden_event_is_in_the_feed(
    lines: list[str],
    access: str,
    private: str,
    switches: tuple[bool, bool, bool],
    override: str,
) -> None:
    busy, alarms, categories = switches
    own = [f"UID:{WORD}", "DTSTART:20260105T090000Z", f"CLASS:{access}", *lines]
    text = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", *own, "END:VEVENT"]
    if override:
        moved = [f"UID:{WORD}", "RECURRENCE-ID:20260106T090000Z", f"CLASS:{override}", *lines]
        text += ["BEGIN:VEVENT", "DTSTART:20260106T100000Z", *moved, "END:VEVENT"]
    data = "\r\n".join([*text, "END:VCALENDAR", ""]).encode()
    rules = Rules("All", private, busy=busy, alarms=alarms, categories=categories)
    made = feed_of(data, rules)
    assert WORD.lower().encode() not in made.replace(b"\r\n ", b"").lower()
    if access != "CONFIDENTIAL" and private == "hide":
        assert b"BEGIN:VEVENT" not in made


def test_the_exclusion_of_a_hidden_override_contains_only_its_time() -> None:
    data = (
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART:20260105T090000Z\r\n"
        "RRULE:FREQ=DAILY\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:a\r\nCLASS:PRIVATE\r\n"
        f"RECURRENCE-ID;X-P={WORD}:20260106T090000Z\r\n"
        "DTSTART:20260106T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    made = feed_of(data.encode(), Rules("All", "hide"), "a")
    assert b"\r\nEXDATE:20260106T090000Z\r\n" in made
    assert WORD.encode() not in made
