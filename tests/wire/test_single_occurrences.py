"""Import of single occurrences, such as a mailed change of a meeting, into their series."""

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


def import_files(
    site: Installation, capsys: pytest.CaptureFixture[str], *files: bytes
) -> tuple[str, str]:
    """Import files called ``0.ics`` and so on; return the printed counts and errors."""
    names = []
    for number, data in enumerate(files):
        path = site.config.parent / f"{number}.ics"
        path.write_bytes(data)
        names.append(str(path))
    with pytest.raises(SystemExit):
        main(["import", "--config", str(site.config), "--into", "alice/calendar", *names])
    printed = capsys.readouterr()
    return printed.out.partition(": ")[2].strip(), printed.err


def store(client: Client, data: bytes) -> None:
    assert client("PUT", ADDRESS, data).status in (201, 204)


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_an_occurrence_is_added_to_its_unchanged_series(
    site: Installation, alice: Client, capsys: pytest.CaptureFixture[str], end: str
) -> None:
    store(alice, calendar(MASTER, SECOND, end=end))
    mailed = calendar(THIRD, method="METHOD:REQUEST\n")
    assert import_files(site, capsys, mailed)[0] == "0 added, 1 changed, 0 unchanged, 0 refused"
    assert alice("GET", ADDRESS).body == calendar(MASTER, SECOND, THIRD, end=end)
    assert import_files(site, capsys, mailed)[0] == "0 added, 0 changed, 1 unchanged, 0 refused"


def test_an_occurrence_replaces_the_same_one_and_adds_its_time_zone(
    site: Installation, alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    store(alice, calendar(MASTER, SECOND, THIRD))
    later = override(
        ";TZID=Europe/Berlin:20260112T100000", ";TZID=Europe/Berlin:20260112T150000", "later"
    )
    for counts in ("1 changed, 0 unchanged", "0 changed, 1 unchanged"):
        assert counts in import_files(site, capsys, calendar(BERLIN, later))[0]
        assert alice("GET", ADDRESS).body == calendar(BERLIN, MASTER, later, THIRD)


def test_an_equal_occurrence_with_other_folding_changes_nothing(
    site: Installation, alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    store(alice, calendar(MASTER, SECOND))
    unfolded = calendar(SECOND.replace("\n  folded", " folded"))
    assert "0 changed, 1 unchanged" in import_files(site, capsys, unfolded)[0]
    assert alice("GET", ADDRESS).body == calendar(MASTER, SECOND)


def test_an_override_of_one_occurrence_keeps_that_of_all_following(
    site: Installation, alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    following = override(";RANGE=THISANDFUTURE:20260112T090000Z", ":20260112T110000Z", "from here")
    store(alice, calendar(MASTER, following))
    import_files(site, capsys, calendar(SECOND.replace("\n  folded", " folded")))
    assert b"THISANDFUTURE" in alice("GET", ADDRESS).body


def test_occurrences_without_a_series_become_one_object(
    site: Installation, alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    store(alice, calendar(SECOND))
    assert "1 changed" in import_files(site, capsys, calendar(THIRD))[0]
    assert alice("GET", ADDRESS).body == calendar(SECOND, THIRD)


def test_the_series_keeps_its_definition_of_a_time_zone(
    site: Installation, alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    zoned = MASTER.replace("DTSTART:20260105T09", "DTSTART;TZID=Europe/Berlin:20260105T10")
    store(alice, calendar(BERLIN, zoned.replace("0000Z", "0000")))
    single = override(
        ";TZID=Europe/Berlin:20260112T100000", ";TZID=Europe/Berlin:20260112T150000", "later"
    )
    same = BERLIN.replace("19701025T", "19961027T").replace("19700329T", "19960331T")
    assert "1 changed" in import_files(site, capsys, calendar(same, single))[0]
    whole = alice("GET", ADDRESS)
    assert whole.body.count(b"BEGIN:VTIMEZONE") == 1
    assert BERLIN.replace("\n", "\r\n").encode() in whole.body
    other = BERLIN.replace("TZOFFSETTO:+0100", "TZOFFSETTO:+0500")
    counts, errors = import_files(site, capsys, calendar(other, single.replace("later", "else")))
    assert "1 refused" in counts
    assert "0.ics:19: cannot be merged into its series: " in errors
    assert "another definition of the time zone 'Europe/Berlin'" in errors
    assert alice("GET", ADDRESS).body == whole.body


def test_an_occurrence_that_cannot_be_merged_leaves_the_series_unchanged(
    site: Installation, alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = calendar(MASTER, SECOND).replace(b"BEGIN:VEVENT", b"BEGIN;X=1:VEVENT")
    store(alice, odd)
    counts, errors = import_files(
        site, capsys, calendar(override(":20260112T090000Z", ":20260112T120000Z", "other"))
    )
    assert "0 changed, 0 unchanged, 1 refused" in counts
    assert "0.ics:4: cannot be merged into its series: " in errors
    assert alice("GET", ADDRESS).body == odd


def test_a_series_and_its_occurrences_may_be_in_several_files(
    site: Installation, alice: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    files = calendar(MASTER), calendar(SECOND), calendar(THIRD)
    import_files(site, capsys, *files)
    found = alice("GET", ADDRESS).body
    assert (found.count(b"RRULE"), found.count(b"RECURRENCE-ID")) == (1, 2)
    again = import_files(site, capsys, *files)[0]
    assert again == "0 added, 0 changed, 3 unchanged, 0 refused"
    assert alice("GET", ADDRESS).body == found


def test_an_uploaded_occurrence_is_added_to_its_series(alice: Client) -> None:
    store(alice, calendar(MASTER, SECOND))
    answer = upload(alice, calendar(THIRD, method="METHOD:REQUEST\n"))
    assert b"1 changed in Calendar." in answer.body
    assert alice("GET", ADDRESS).body == calendar(MASTER, SECOND, THIRD)
