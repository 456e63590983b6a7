"""GET of a whole calendar or address book: one file, conditional, compressed, kept true."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from time import time

import pytest

from kalends.common.http import http_date, parse_http_date
from support.installation import Answer, Client, Installation, event

CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{0}\r\nFN:{0}\r\nN:;{0};;;\r\nEND:VCARD\r\n"
NAME = """<propertyupdate xmlns="DAV:"><set><prop><displayname>Höhle</displayname></prop></set>
</propertyupdate>"""
BOOK = """<mkcol xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><set><prop><resourcetype>
<collection/><CR:addressbook/></resourcetype></prop></set></mkcol>"""
CALENDAR = "/alice/calendar/"
FRIENDS = "/alice/friends/"
USERS = {"alice": "wonderland", "bob": "builder"}


@pytest.fixture(params=["with feeds", "without feeds"])
def installation(tmp_path: Path, request: pytest.FixtureRequest) -> Installation:
    feeds = '[feed.open]\ncalendars = ["*/*"]\naccess = "public"\n'
    return Installation(tmp_path, users=USERS, feeds=feeds if request.param == "with feeds" else "")


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    with installation.client() as client:
        assert client("PROPFIND", "/alice/", headers={"Depth": "0"}).status == 207
        assert client("MKCOL", FRIENDS, BOOK).status == 201
        write(client, CALENDAR, "one")
        write(client, FRIENDS, "one")
        yield client


def write(client: Client, path: str, uid: str, *lines: str) -> None:
    is_book = path == FRIENDS
    text = CARD.format(uid) if is_book else event(uid, "20260105T090000Z", *lines)
    name = f"{path}{uid}.{'vcf' if is_book else 'ics'}"
    assert client("PUT", name, text).status in (201, 204)


def get(client: Client, path: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client("GET", path, headers=named)


def files(tmp_path: Path) -> list[Path]:
    return [*tmp_path.glob("**/.collections/*/*.ics")]


@pytest.mark.parametrize("path", [CALENDAR, FRIENDS])
def test_who_has_a_collection_is_told_so_until_it_changes(client: Client, path: str) -> None:
    first = get(client, path)
    assert first.status == 200
    etag, modified = first.headers["ETag"], first.headers["Last-Modified"]
    for known in (
        {"If_None_Match": etag},
        {"If_None_Match": f'W/{etag[:-1]}-gzip"'},
        {"If_Modified_Since": modified},
    ):
        same = get(client, path, **known)
        assert (same.status, same.body) == (304, b"")
        assert (same.headers["ETag"], same.headers["Last-Modified"]) == (etag, modified)
        # Each further write comes within the same second as this one, or nearly.
    write(client, path, "two")
    for known in ({"If_None_Match": etag}, {"If_Modified_Since": modified}):
        other = get(client, path, **known)
        assert other.status == 200
        assert b"UID:two\r\n" in other.body
        assert other.headers["ETag"] != etag
    earlier, later = (parse_http_date(one) for one in (modified, other.headers["Last-Modified"]))
    assert earlier is not None
    assert later is not None
    assert earlier < later <= time()
    assert get(client, path, If_Modified_Since=http_date(time() + 86400)).status == 200


@pytest.mark.parametrize("path", [CALENDAR, FRIENDS])
def test_compressed_octets_have_an_entity_tag_of_their_own(client: Client, path: str) -> None:
    plain = get(client, path)
    packed = get(client, path, Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert gzip.decompress(packed.body) == plain.body
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    tag = packed.headers["ETag"]
    same = get(client, path, Accept_Encoding="gzip", If_None_Match=tag)
    assert (same.status, same.headers["ETag"]) == (304, tag)


@pytest.mark.parametrize("path", [CALENDAR, FRIENDS])
def test_head_tells_what_get_does(client: Client, path: str) -> None:
    full, head = get(client, path), client("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers == full.headers
    assert int(head.headers["Content-Length"]) == len(full.body)
    tag = {"If-None-Match": full.headers["ETag"]}
    assert client("HEAD", path, headers=tag).status == 304


def test_a_whole_calendar_has_everything_as_it_was_stored(client: Client) -> None:
    lines = (
        "CLASS:PRIVATE",
        "LAST-MODIFIED:20200101T000000Z",
        "X-ODD;X-P=1:a,b",
        "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Now\r\nTRIGGER:-PT5M\r\nEND:VALARM",
    )
    assert client("MKCALENDAR", "/alice/all/").status == 201
    # The end of this UID looks like one that a merged feed has made.
    write(client, "/alice/all/", "odd-0123456789abcdef", *lines)
    for kind in ("VTODO", "VJOURNAL"):
        text = event(kind.lower()).decode().replace("VEVENT", kind)
        text = text.replace("DURATION:PT1H\r\n", "")
        assert client("PUT", f"/alice/all/{kind}.ics", text).status == 201
    found = get(client, "/alice/all/")
    for line in (*lines, "UID:odd-0123456789abcdef", "BEGIN:VTODO", "BEGIN:VJOURNAL"):
        assert f"{line}\r\n".encode() in found.body
    assert b"METHOD" not in found.body
    assert found.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert found.body.count(b"BEGIN:VCALENDAR") == 1


def test_a_new_name_is_in_the_file_and_in_its_name(client: Client) -> None:
    before = get(client, CALENDAR).headers["ETag"]
    assert client("PROPPATCH", CALENDAR, NAME).status == 207
    found = get(client, CALENDAR, If_None_Match=before)
    assert found.status == 200
    assert "X-WR-CALNAME:Höhle\r\n".encode() in found.body
    attached = "attachment; filename*=UTF-8''H%C3%B6hle.ics"
    assert found.headers["Content-Disposition"] == attached


def test_an_address_book_is_its_cards(client: Client) -> None:
    write(client, FRIENDS, "two")
    found = get(client, FRIENDS)
    assert found.body.decode() == CARD.format("one") + CARD.format("two")
    assert found.headers["Content-Type"] == "text/vcard; charset=utf-8"
    assert found.headers["Content-Disposition"].endswith("''Address%20book.vcf")
    assert client("DELETE", f"{FRIENDS}one.vcf").status in (200, 204)
    assert get(client, FRIENDS).body.decode() == CARD.format("two")


def test_what_was_read_can_be_written_back_on_condition(client: Client) -> None:
    text = get(client, CALENDAR).body
    assert client("PUT", "/alice/copy/", text).status == 201
    mark = '<D:propertyupdate xmlns:D="DAV:" xmlns:K="urn:x-kalends"><D:set><D:prop><K:published>1'
    mark += "</K:published></D:prop></D:set></D:propertyupdate>"
    assert client("PROPPATCH", "/alice/copy/", mark).status == 207
    for coding in ("", "gzip"):
        read = get(client, "/alice/copy/", Accept_Encoding=coding)
        asked = {"If-Match": read.headers["ETag"]}
        other = text.replace(b"SUMMARY:", f"SUMMARY:{coding} ".encode())
        assert client("PUT", "/alice/copy/", other, headers=asked).status == 204
        assert client("PUT", "/alice/copy/", text, headers=asked).status == 412


def test_each_query_is_answered_alike(client: Client) -> None:
    plain = get(client, CALENDAR)
    for query in ("?export", "?a=b&view=x"):
        found = get(client, f"{CALENDAR}{query}")
        assert (found.status, found.body) == (200, plain.body)
        assert found.headers["ETag"] == plain.headers["ETag"]


def test_nobody_else_gets_it(client: Client) -> None:
    known = get(client, CALENDAR)
    for headers in ({}, {"If-None-Match": known.headers["ETag"]}, {"If-None-Match": "*"}):
        assert client("GET", CALENDAR, user="bob", headers=headers).status == 403
        assert client("GET", CALENDAR, user="", headers=headers).status == 401


def test_a_deleted_calendar_leaves_no_file(
    client: Client, installation: Installation, tmp_path: Path
) -> None:
    get(client, CALENDAR)
    assert files(tmp_path)
    assert client("DELETE", CALENDAR).status in (200, 204)
    client.app.container.whole.prune()  # type: ignore[attr-defined]
    assert not files(tmp_path)
    assert get(client, CALENDAR).status == 404


def test_without_room_on_the_disk_the_answer_is_the_same(client: Client, tmp_path: Path) -> None:
    before = get(client, CALENDAR)
    folder = files(tmp_path)[0].parent
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.write_text("in the way")
    found = get(client, CALENDAR)
    assert (found.status, found.body) == (200, before.body)
    assert found.headers["ETag"] == before.headers["ETag"]
