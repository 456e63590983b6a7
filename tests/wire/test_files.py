"""Files in folders: any octets, kept as they came, and harmless (RFC 4918 section 9.7)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.installation import EVERY_FEED, Client, Installation, event
from support.server import BIN

PAGE = b"<!doctype html><script>alert(document.cookie)</script>"
FILE = "/alice/notes/a%20page.html"
TYPES = (
    '<propfind xmlns="DAV:"><prop><getcontenttype/><getcontentlength/><getetag/></prop></propfind>'
)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path, feeds=EVERY_FEED, options={"server__max_resource_size": "200000"})


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    with installation.client() as client:
        assert client("MKCOL", "/alice/notes/").status == 201
        yield client


def put(client: Client, path: str, body: bytes, kind: str = "text/html") -> tuple[int, str]:
    answer = client("PUT", path, body, environ={"CONTENT_TYPE": kind})
    return answer.status, answer.headers.get("ETag", "")


def test_a_file_is_kept_as_it_came_and_runs_nowhere(client: Client) -> None:
    status, etag = put(client, FILE, PAGE, "text/html; charset=ascii")
    assert status == 201
    answer = client("GET", FILE)
    assert (answer.status, answer.body) == (200, PAGE)
    assert answer.headers["Content-Type"] == "text/html; charset=ascii"
    assert answer.headers["ETag"] == etag
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert client("GET", FILE, headers={"If-None-Match": etag}).status == 304
    told = client("PROPFIND", "/alice/notes/", TYPES, headers={"Depth": "1"})
    assert told.hrefs() == ["/alice/notes/", FILE]
    for text in ("text/html; charset=ascii", str(len(PAGE)), etag):
        assert text.encode() in told.body
    assert put(client, FILE, b"", "")[0] == 204
    assert client("GET", FILE).body == b""
    assert client("DELETE", FILE).status == 204
    assert client("GET", FILE).status == 404


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("text/plain", "text/plain"),
        ("", "application/octet-stream"),
        ("html", "application/octet-stream"),
        ("text/html\r\nX-Evil: 1", "application/octet-stream"),
        ("text/h\xe4ml", "application/octet-stream"),
        ("text/" + "x" * 300, "application/octet-stream"),
    ],
)
def test_the_media_type_is_one(client: Client, sent: str, kept: str) -> None:
    assert put(client, FILE, PAGE, sent)[0] == 201
    assert client("GET", FILE).headers["Content-Type"] == kept


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/alice/none/a.html", 409),
        ("/alice/notes/none/a.html", 409),
        ("/alice/notes/", 405),
        ("/alice/a.html", 403),
        ("/alice/calendar/a.html", 403),
        ("/GROUPS/family/a.html", 403),
    ],
)
def test_a_file_is_put_into_folders_alone(client: Client, path: str, status: int) -> None:
    assert put(client, path, PAGE)[0] == status


def test_a_file_has_the_size_of_an_object_at_most(client: Client) -> None:
    assert put(client, FILE, b"x" * 200_000)[0] == 201
    assert put(client, FILE, b"x" * 200_001)[0] == 413


def test_conditions_hold_for_files(client: Client) -> None:
    _, etag = put(client, FILE, PAGE)
    assert client("PUT", FILE, b"x", headers={"If-None-Match": "*"}).status == 412
    assert client("PUT", FILE, b"x", headers={"If-Match": '"other"'}).status == 412
    assert client("PUT", FILE, b"x", headers={"If": f"([{etag}])"}).status == 204
    assert client("DELETE", FILE, headers={"If": f"([{etag}])"}).status == 412


def test_folders_hold_folders_and_files_alone(client: Client) -> None:
    assert client("MKCOL", "/alice/notes/deep/").status == 201
    assert put(client, "/alice/notes/deep/a.html", PAGE)[0] == 201
    assert put(client, "/alice/notes/deep/event.ics", event("a"), "text/calendar")[0] == 201
    assert b"a.html" in client("PROPFIND", "/alice/notes/deep/", headers={"Depth": "1"}).body
    assert client("PROPFIND", "/alice/notes/deep/", user="bob").status == 403
    assert client("GET", "/alice/notes/deep/a.html", user="bob").status == 403
    assert client("GET", "/alice/notes/").status == 405
    assert client("DELETE", "/alice/notes/").status == 204
    assert client("GET", "/alice/notes/deep/a.html").status == 404


def test_calendars_pages_feeds_and_tools_are_as_before(
    client: Client, installation: Installation, tmp_path: Path
) -> None:
    assert client("PUT", "/alice/calendar/a.ics", event("a")).status == 201
    before = client("GET", "/feeds/alice.ics").body
    assert put(client, "/alice/notes/a", event("a"), "text/calendar")[0] == 201
    assert put(client, "/alice/notes/b.html", PAGE)[0] == 201
    assert client("GET", "/feeds/alice.ics").body == before
    assert client("GET", "/feeds/everyone.ics").body.count(b"BEGIN:VEVENT") == 1
    page = client("GET", "/.web/account/")
    assert page.status == 200
    assert b"notes" not in page.body
    for method in ("PROPFIND", "OPTIONS"):
        assert client(method, "/alice/", headers={"Depth": "1"}).status in (200, 207)
    assert client("PROPFIND", "/alice/notes/b.html").status == 207

    def run(*words: str) -> str:
        command = [str(BIN / "kalends"), *words, "--config", str(installation.config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    for form in ("radicale", "folder"):
        said = run("export", f"--{form}", str(tmp_path / form))
        assert "/alice/notes/b.html: is a file, and left out" in said
    assert (tmp_path / "radicale/collection-root/alice/notes").is_dir()
    assert not list((tmp_path / "radicale/collection-root/alice/notes").iterdir())
    run("check")
