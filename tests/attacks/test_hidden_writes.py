"""Writes of events that a feed hides: nothing of the feed tells its reader that they happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kalends.cli.main import main
from kalends.common.http import parse_http_date
from support.installation import Answer, Client, Installation, event

FEEDS = """
[feed.open]
calendars = ["alice/*", "bob/*"]
access = "public"
publish = ["open.ics"]
past = "3650d"

[feed.family]
calendars = ["alice/*", "bob/*"]
access = "secret"
past = "3650d"
"""
MKCALENDAR = '<mkcalendar xmlns="urn:ietf:params:xml:ns:caldav"/>'
PROPPATCH = '<propertyupdate xmlns="DAV:"><set><prop>{}</prop></set></propertyupdate>'
MARK = PROPPATCH.format('<feeds xmlns="urn:x-kalends">owner</feeds>')
NAME = PROPPATCH.format("<displayname>Other</displayname>")
START = "20260105T090000Z"


def private(uid: str, summary: str = "hidden") -> bytes:
    return event(uid, START, "CLASS:PRIVATE", summary=summary)


def run(installation: Installation, *words: str) -> int:
    with pytest.raises(SystemExit) as left:
        main([*words, "--config", str(installation.config)])
    return int(left.value.code or 0)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    users = {"alice": "wonderland", "bob": "builder"}
    return Installation(tmp_path, users, feeds=FEEDS)


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    with installation.client() as client:
        for path in ("/alice/mixed/", "/alice/hidden/"):
            client("MKCALENDAR", path, MKCALENDAR)
        assert client("PROPPATCH", "/alice/hidden/", MARK).status == 207
        client("PUT", "/alice/calendar/shown.ics", event("shown"))
        client("PUT", "/alice/calendar/private.ics", private("q"))
        yield client


WRITES: dict[str, Callable[[Client], Answer]] = {
    "private": lambda client: client("PUT", "/alice/calendar/p.ics", private("p")),
    "private-changed": lambda client: client(
        "PUT", "/alice/calendar/private.ics", private("q", "another")
    ),
    "private-deleted": lambda client: client("DELETE", "/alice/calendar/private.ics"),
    "private-moved": lambda client: client(
        "MOVE", "/alice/calendar/private.ics", headers={"Destination": "/alice/hidden/p.ics"}
    ),
    "hidden-calendar": lambda client: client("PUT", "/alice/hidden/h.ics", event("h")),
    "another-component": lambda client: client(
        "PUT", "/alice/mixed/t.ics", event("t").replace(b"VEVENT", b"VTODO")
    ),
    "outside-the-window": lambda client: client(
        "PUT", "/alice/calendar/old.ics", event("old", "19990105T090000Z")
    ),
    "name-of-a-calendar": lambda client: client("PROPPATCH", "/alice/calendar/", NAME),
    "new-calendar": lambda client: client("MKCALENDAR", "/alice/new/", MKCALENDAR),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_hidden_write_changes_nothing_that_a_reader_sees(
    installation: Installation,
    client: Client,
    capsys: pytest.CaptureFixture[str],
    write: Callable[[Client], Answer],
) -> None:
    file = installation.folder / "feeds" / "public" / "open.ics"
    assert run(installation, "feed", "url", "family", "--user", "alice") == 0
    secret = capsys.readouterr().out.strip().removesuffix(".ics")
    targets = ["/feeds/open.ics", "/feeds/open/", f"{secret}.ics", f"{secret}/"]
    targets += ["/feeds/open/?view=month&date=2026-01-01", "/feeds/open/?view=agenda"]

    def seen() -> list[object]:
        assert run(installation, "feed", "refresh") == 0
        answers = [client("GET", target, user="") for target in targets]
        answers += [client("HEAD", target, user="") for target in targets]
        gzip = {"Accept-Encoding": "gzip"}
        answers += [client("GET", target, user="", headers=gzip) for target in targets]
        assert {answer.status for answer in answers} == {200}
        status = file.stat()
        return [status.st_mtime_ns, status.st_ino, file.read_bytes(), *map(headers, answers)]

    before = seen()
    known = [client("GET", target, user="").headers for target in targets]
    assert write(client).status in (201, 204, 207)
    assert seen() == before
    for target, sent in zip(targets, known, strict=True):
        conditions = {"If-None-Match": sent["ETag"]}
        assert client("GET", target, user="", headers=conditions).status == 304
        if "Last-Modified" in sent:
            conditions = {"If-Modified-Since": sent["Last-Modified"]}
            assert client("GET", target, user="", headers=conditions).status == 304


def headers(answer: Answer) -> tuple[object, ...]:
    names = ("X-Request-ID", "Date")
    return ({k: v for k, v in answer.headers.items() if k not in names}, answer.body)


VISIBLE: dict[str, Callable[[Client], Answer]] = {
    "changed": lambda client: client(
        "PUT", "/alice/calendar/shown.ics", event("shown", summary="x")
    ),
    "deleted": lambda client: client("DELETE", "/alice/calendar/shown.ics"),
    "calendar-deleted": lambda client: client("DELETE", "/alice/calendar/"),
    "calendar-hidden": lambda client: client("PROPPATCH", "/alice/calendar/", MARK),
}


@pytest.mark.parametrize("write", VISIBLE.values(), ids=VISIBLE)
def test_a_write_that_a_reader_sees_changes_tag_and_date(
    client: Client, write: Callable[[Client], Answer]
) -> None:
    before = client("GET", "/feeds/open.ics", user="")
    assert write(client).status in (200, 204, 207)
    since = {"If-Modified-Since": before.headers["Last-Modified"]}
    after = client("GET", "/feeds/open.ics", user="", headers=since)
    assert after.status == 200
    assert after.body != before.body
    assert after.headers["ETag"] != before.headers["ETag"]
    dates = [parse_http_date(answer.headers["Last-Modified"]) or 0 for answer in (before, after)]
    assert dates[0] < dates[1]
