"""Exclusion from feeds: calendars hidden by their owners, and unreadable objects."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from icalendar import Calendar

from kalends.cli.main import main
from support.installation import EVERY_FEED, Client, Installation, event

OWNERS = "only in its owner's feed"


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path, feeds=EVERY_FEED)


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    with installation.client() as client:
        client("PUT", "/alice/calendar/a.ics", event("a"))
        client("MKCALENDAR", "/alice/diary/")
        client("PUT", "/alice/diary/d.ics", event("d"))
        yield client


def command(
    installation: Installation, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str]:
    """Run ``kalends feed`` and return its exit status and output."""
    with pytest.raises(SystemExit) as left:
        main(["feed", *words, "--config", str(installation.config)])
    printed = capsys.readouterr()
    return int(left.value.code or 0), printed.out + printed.err


def uids(client: Client, feed: str) -> set[str]:
    body = client("GET", f"/feeds/{feed}.ics").body
    return {str(part["UID"]) for part in Calendar.from_ical(body).walk("VEVENT")}


@pytest.mark.parametrize("name", ["alice/diary", "/alice/diary/"])
def test_hide_keeps_a_calendar_in_its_owners_feed_only_and_show_undoes_that(
    client: Client, installation: Installation, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert command(installation, capsys, "hide", name) == (0, f"/alice/diary/: {OWNERS}\n")
    assert uids(client, "everyone") == {"a"}
    assert uids(client, "alice") == {"a", "d"}
    assert f"/alice/diary/: {OWNERS}" in command(installation, capsys, "list")[1]
    assert command(installation, capsys, "show", name)[0] == 0
    assert uids(client, "everyone") == {"a", "d"}
    assert OWNERS not in command(installation, capsys, "list")[1]


@pytest.mark.parametrize("words", [["hide"], ["hide", "alice/none"], ["show", "alice"]])
def test_only_a_calendar_can_be_hidden_or_shown(
    client: Client, installation: Installation, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    status, printed = command(installation, capsys, *words)
    assert status != 0
    assert printed.count("\n") == 1
    assert "alice/work" in printed


MARK = (
    '<propertyupdate xmlns="DAV:"><set><prop>'
    '<feeds xmlns="urn:x-kalends">{}</feeds></prop></set></propertyupdate>'
)


def test_only_the_owner_can_hide_a_calendar_by_proppatch(client: Client) -> None:
    refused = client("PROPPATCH", "/alice/diary/", MARK.format("owner"), user="bob")
    assert refused.status == 403
    assert uids(client, "everyone") == {"a", "d"}
    assert client("PROPPATCH", "/alice/diary/", MARK.format(" Owner\n")).status == 207
    assert uids(client, "everyone") == {"a"}
    found = client(
        "PROPFIND",
        "/alice/diary/",
        '<propfind xmlns="DAV:"><prop><feeds xmlns="urn:x-kalends"/></prop></propfind>',
        headers={"Depth": "0"},
    )
    assert b"Owner" in found.body
    removed = MARK.format("").replace("set>", "remove>")
    assert client("PROPPATCH", "/alice/diary/", removed).status == 207
    assert uids(client, "everyone") == {"a", "d"}


def spoil(installation: Installation, uid: str, data: bytes) -> None:
    """Store data in an object that no request could store."""
    with sqlite3.connect(installation.folder / "kalends.db") as connection:
        connection.execute("UPDATE object SET data = ? WHERE uid = ?", (data, uid))
        connection.execute("UPDATE collection SET modseq = modseq + 1, changed = changed + 1")
        connection.execute(
            "UPDATE object SET modseq = (SELECT modseq FROM collection WHERE id = collection_id)"
        )


@pytest.mark.parametrize("data", [b"", b"BEGIN:VCALENDAR\r\n", b"\xff", b"BEGIN:VEVENT\r\nnothing"])
def test_an_unreadable_object_is_omitted_and_reported(
    client: Client,
    installation: Installation,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    data: bytes,
) -> None:
    assert uids(client, "everyone") == {"a", "d"}
    spoil(installation, "d", data)
    with caplog.at_level(logging.WARNING, "kalends.feeds"):
        assert uids(client, "everyone") == {"a"}
        client("PUT", "/alice/diary/other.ics", event("other"))
        assert uids(client, "everyone") == {"a", "other"}
    named = [line for line in caplog.messages if "/alice/diary/ UID 'd'" in line]
    assert len(named) == 1
    assert "feed everyone: left out because it cannot be read" in named[0]
    listed = command(installation, capsys, "list", "everyone")[1]
    assert "1 left out (unreadable)" in listed
    assert "/alice/diary/ UID 'd'" in listed
    client("PUT", "/alice/diary/d.ics", event("d"))
    assert uids(client, "everyone") == {"a", "d", "other"}
    assert "left out" not in command(installation, capsys, "list", "everyone")[1]
