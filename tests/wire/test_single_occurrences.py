"""A file with single occurrences alone, as a mailed change of a meeting is, beside its series."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kalends.cli.main import main
from support.account_page import upload
from support.installation import Client, Installation

BERLIN = """\
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
END:VTIMEZONE
"""
MASTER = """\
BEGIN:VEVENT
UID:r
DTSTAMP:20260101T000000Z
DTSTART:20260105T090000Z
DURATION:PT1H
RRULE:FREQ=WEEKLY
SUMMARY:Every week\x20
 , folded as only its own program does
END:VEVENT
"""
ADDRESS = "/alice/calendar/r.ics"


def override(place: str, start: str, summary: str) -> str:
    return (
        f"BEGIN:VEVENT\nUID:r\nDTSTAMP:20260101T000000Z\nRECURRENCE-ID{place}\nDTSTART{start}\n"
        f"DURATION:PT1H\nSUMMARY:{summary}\nEND:VEVENT\n"
    )


SECOND = override(":20260112T090000Z", ":20260112T100000Z", "second\n  folded too")
THIRD = override(":20260119T090000Z", ":20260119T100000Z", "third")


def calendar(*parts: str, method: str = "", end: str = "\r\n") -> bytes:
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//tests//EN\n{method}{''.join(parts)}"
    return f"{text}END:VCALENDAR\n".replace("\n", end).encode()


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture
def alice(site: Installation) -> Iterator[Client]:
    with site.client() as client:
        client("PROPFIND", "/alice/")
        yield client


def brought(
    site: Installation, capsys: pytest.CaptureFixture[str], *files: bytes
) -> tuple[str, str]:
    """Run an import of files called ``0.ics`` and so on; returns what it printed."""
    names = []
    for number, data in enumerate(files):
        path = site.config.parent / f"{number}.ics"
        path.write_bytes(data)
        names.append(str(path))
    with pytest.raises(SystemExit):
        main(["import", "--config", str(site.config), "--into", "alice/calendar", *names])
    printed = capsys.readouterr()
    return printed.out.partition(": ")[2].strip(), printed.err


def stored(client: Client, data: bytes) -> None:
    assert client("PUT", ADDRESS, data).status in (201, 204)


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_it_joins_the_series_of_which_no_octet_is_lost(
    site: Installation, alice: Client, capsys: pytest.CaptureFixture[str], end: str
) -> None:
    stored(alice, calendar(MASTER, SECOND, end=end))
    mailed = calendar(THIRD, method="METHOD:REQUEST\n")
    assert brought(site, capsys, mailed)[0] == "0 added, 1 changed, 0 unchanged, 0 refused"
    assert alice("GET", ADDRESS).body == calendar(MASTER, SECOND, THIRD, end=end)
    assert brought(site, capsys, mailed)[0] == "0 added, 0 changed, 1 unchanged, 0 refused"


def test_it_takes_the_place_of_the_same_occurrence_and_brings_its_zone(
    site: Installation, alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(alice, calendar(MASTER, SECOND, THIRD))
    later = override(
        ";TZID=Europe/Berlin:20260112T100000", ";TZID=Europe/Berlin:20260112T150000", "later"
    )
    for counts in ("1 changed, 0 unchanged", "0 changed, 1 unchanged"):
        assert counts in brought(site, capsys, calendar(BERLIN, later))[0]
        assert alice("GET", ADDRESS).body == calendar(BERLIN, MASTER, later, THIRD)


def test_the_same_occurrence_in_other_words_keeps_the_octets_that_are_there(
    site: Installation, alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(alice, calendar(MASTER, SECOND))
    unfolded = calendar(SECOND.replace("\n  folded", " folded"))
    assert "0 changed, 1 unchanged" in brought(site, capsys, unfolded)[0]
    assert alice("GET", ADDRESS).body == calendar(MASTER, SECOND)


def test_a_change_of_all_that_follow_is_another_than_that_of_one(
    site: Installation, alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    following = override(";RANGE=THISANDFUTURE:20260112T090000Z", ":20260112T110000Z", "from here")
    stored(alice, calendar(MASTER, following))
    brought(site, capsys, calendar(SECOND.replace("\n  folded", " folded")))
    assert b"THISANDFUTURE" in alice("GET", ADDRESS).body


def test_without_a_series_single_occurrences_come_together(
    site: Installation, alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(alice, calendar(SECOND))
    assert "1 changed" in brought(site, capsys, calendar(THIRD))[0]
    assert alice("GET", ADDRESS).body == calendar(SECOND, THIRD)


def test_a_zone_that_both_define_keeps_the_definition_of_the_series(
    site: Installation, alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    zoned = MASTER.replace("DTSTART:20260105T09", "DTSTART;TZID=Europe/Berlin:20260105T10")
    stored(alice, calendar(BERLIN, zoned.replace("0000Z", "0000")))
    single = override(
        ";TZID=Europe/Berlin:20260112T100000", ";TZID=Europe/Berlin:20260112T150000", "later"
    )
    same = BERLIN.replace("19701025T", "19961027T").replace("19700329T", "19960331T")
    assert "1 changed" in brought(site, capsys, calendar(same, single))[0]
    whole = alice("GET", ADDRESS)
    assert whole.body.count(b"BEGIN:VTIMEZONE") == 1
    assert BERLIN.replace("\n", "\r\n").encode() in whole.body
    other = BERLIN.replace("TZOFFSETTO:+0100", "TZOFFSETTO:+0500")
    counts, told = brought(site, capsys, calendar(other, single.replace("later", "else")))
    assert "1 refused" in counts
    assert "0.ics:19: cannot be merged into its series: " in told
    assert "another definition of the time zone 'Europe/Berlin'" in told
    assert alice("GET", ADDRESS).body == whole.body


def test_what_cannot_be_put_together_leaves_the_series_as_it_is(
    site: Installation, alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = calendar(MASTER, SECOND).replace(b"BEGIN:VEVENT", b"BEGIN;X=1:VEVENT")
    stored(alice, odd)
    counts, told = brought(
        site, capsys, calendar(override(":20260112T090000Z", ":20260112T120000Z", "other"))
    )
    assert "0 changed, 0 unchanged, 1 refused" in counts
    assert "0.ics:4: cannot be merged into its series: " in told
    assert alice("GET", ADDRESS).body == odd


def test_series_and_occurrence_in_two_files_of_one_import(
    site: Installation, alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    files = calendar(MASTER), calendar(SECOND), calendar(THIRD)
    brought(site, capsys, *files)
    found = alice("GET", ADDRESS).body
    assert (found.count(b"RRULE"), found.count(b"RECURRENCE-ID")) == (1, 2)
    again = brought(site, capsys, *files)[0]
    assert again == "0 added, 0 changed, 3 unchanged, 0 refused"
    assert alice("GET", ADDRESS).body == found


def test_an_uploaded_one_joins_its_series_as_well(alice: Client) -> None:
    stored(alice, calendar(MASTER, SECOND))
    answer = upload(alice, calendar(THIRD, method="METHOD:REQUEST\n"))
    assert b"1 changed in Calendar." in answer.body
    assert alice("GET", ADDRESS).body == calendar(MASTER, SECOND, THIRD)
