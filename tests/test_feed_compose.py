"""What a feed shows of objects: golden folders, and nothing at all of what is hidden.

Each folder of tests/data/feeds holds objects (``OWNER__NUMBER.ics``, in the calendar OWNER/work),
the rules, and the feed that they make.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends import icaltext
from kalends.errors import IcalendarSyntaxError
from kalends.icsfeed.compose import TAIL, Copy, definition_text, head, render, settle, visible
from kalends.icsfeed.definitions import Rules
from kalends.icsfeed.zones import names_of

FEEDS = Path(__file__).parent / "data" / "feeds"
CHANGED = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z, microseconds."""


@dataclass(frozen=True)
class Stored:
    id: int
    calendar: int
    uid: str
    data: bytes
    component: str = "VEVENT"
    modseq: int = 1
    changed: int = CHANGED


def feed_of(objects: Sequence[tuple[str, Stored]], rules: Rules) -> bytes:
    """The whole feed of (calendar path, object)s."""
    groups: dict[str, list[Copy]] = {}
    for path, stored in objects:
        copy = visible(stored, path, rules)
        if copy:
            groups.setdefault(stored.uid, []).append(copy)
    shown = [copy for group in groups.values() for copy in settle(group)]
    shown.sort(key=lambda copy: (copy.path, copy.stored.uid, copy.stored.id))
    zones = {z: definition_text(d) for copy in shown for z, d in copy.zones.items()}
    names = names_of(zones)
    parts = [render(copy, names) for copy in shown]
    return b"".join([head(rules, rules.color, zones, names), *parts, TAIL])


def read(folder: Path) -> tuple[list[tuple[str, Stored]], Rules]:
    said = json.loads((folder / "rules.json").read_text("utf-8"))
    objects = []
    for number, file in enumerate(sorted(folder.glob("*__*.ics")), 1):
        data = file.read_bytes()
        uid = re.search(rb"\r\nUID:(.*)\r\n", data)
        assert uid is not None
        owner = file.name.partition("__")[0]
        objects.append((f"{owner}/work", Stored(number, number, uid[1].decode(), data)))
    return objects, Rules(**said)


def folders() -> list[Path]:
    return sorted(path for path in FEEDS.iterdir() if path.is_dir())


def test_there_are_all_the_folders() -> None:
    assert len(folders()) == 9


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_a_golden_folder_makes_its_feed(folder: Path) -> None:
    objects, rules = read(folder)
    expected = (folder / "expected.ics").read_bytes()
    assert feed_of(objects, rules).decode() == expected.decode()
    for order in list(permutations(objects))[:24]:
        assert feed_of(order, rules) == expected


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_a_golden_feed_keeps_the_rules_of_its_format(folder: Path) -> None:
    expected = (folder / "expected.ics").read_bytes()
    assert b"\n" not in expected.replace(b"\r\n", b"")
    assert all(len(line) <= 75 for line in expected.split(b"\r\n"))
    assert expected.count(b"METHOD:") == 1
    assert b"\r\nMETHOD:PUBLISH\r\n" in expected
    calendar = icaltext.parse(expected.decode())[0]
    defined = [child.value("TZID") for child in calendar.children if child.name == "VTIMEZONE"]
    used = set(re.findall(r'TZID="?([^":;]+)"?:', "\n".join(calendar.lines())))
    assert sorted(defined) == sorted(used)
    if not folder.name.endswith("-show"):
        assert b"SECRET" not in expected.upper()


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


@given(
    lines=hidden_lines,
    access=st.sampled_from(["PRIVATE", "CONFIDENTIAL", "private", "X-MINE"]),
    private=st.sampled_from(["hide", "busy"]),
    switches=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    override=st.sampled_from(["", "PUBLIC", "PRIVATE"]),
)
def test_nothing_of_a_hidden_event_is_in_the_bytes(
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
    made = feed_of([("alice/work", Stored(1, 1, WORD, data))], rules)
    assert WORD.lower().encode() not in made.replace(b"\r\n ", b"").lower()
    if access != "CONFIDENTIAL" and private == "hide":
        assert b"BEGIN:VEVENT" not in made


@pytest.mark.parametrize("data", [b"", b"BEGIN:VCALENDAR\r\n", b"nothing\r\n"])
def test_an_object_that_cannot_be_read_is_told(data: bytes) -> None:
    with pytest.raises(IcalendarSyntaxError):
        visible(Stored(1, 1, "a", data), "alice/work", Rules("All", "hide"))


def test_the_gap_of_a_hidden_override_tells_its_time_alone() -> None:
    data = (
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART:20260105T090000Z\r\n"
        "RRULE:FREQ=DAILY\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:a\r\nCLASS:PRIVATE\r\n"
        f"RECURRENCE-ID;RANGE=THISANDFUTURE;X-P={WORD}:20260106T090000Z\r\n"
        "DTSTART:20260106T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    made = feed_of([("alice/work", Stored(1, 1, "a", data.encode()))], Rules("All", "hide"))
    assert b"\r\nEXDATE:20260106T090000Z\r\n" in made
    assert WORD.encode() not in made
