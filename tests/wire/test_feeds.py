"""Feeds on the wire: access, content, and immediate updates."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from icalendar import Calendar

from kalends.cli.main import main
from support.installation import Client, Installation, event

FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"

[feed.everyone]
calendars = ["*/*"]
access = "login"
private = "busy"

[feed.some]
title = "Some of us"
calendars = ["alice/*"]
access = ["bob"]

[feed.family]
calendars = ["alice/*", "bob/calendar"]
access = "secret"
publish = ["family.ics"]

[feed.open]
calendars = ["bob/*"]
access = "public"
publish = ["open.ics"]
"""


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path, feeds=FEEDS)


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    with installation.client() as client:
        client("PUT", "/alice/calendar/a.ics", event("a", summary="Of Alice"))
        client("PUT", "/bob/calendar/b.ics", event("b", summary="Of Bob"), user="bob")
        yield client


def uids(body: bytes) -> set[str]:
    return {str(part["UID"]) for part in Calendar.from_ical(body).walk("VEVENT")}


def secret_address(
    installation: Installation,
    feed: str,
    user: str,
    action: str,
    capsys: pytest.CaptureFixture[str],
) -> str:
    with pytest.raises(SystemExit) as left:
        main(["feed", action, feed, "--user", user, "--config", str(installation.config)])
    assert left.value.code == 0
    return capsys.readouterr().out.strip()


def test_a_feed_contains_the_calendars_of_its_definition(client: Client) -> None:
    answer = client("GET", "/feeds/alice.ics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert uids(answer.body) == {"a"}
    assert uids(client("GET", "/feeds/everyone.ics").body) == {"a", "b"}


@pytest.mark.parametrize(
    ("path", "user", "status"),
    [
        ("alice", "alice", 200),
        ("alice", "bob", 403),
        ("alice", "", 401),
        ("everyone", "bob", 200),
        ("everyone", "", 401),
        ("some", "bob", 200),
        ("some", "alice", 403),
        ("family", "alice", 404),
        ("open", "", 200),
        ("open", "bob", 200),
        ("nothing", "bob", 404),
        ("nothing", "", 401),
        ("s/guess/family", "", 404),
    ],
)
def test_who_may_see_a_feed(client: Client, path: str, user: str, status: int) -> None:
    assert client("GET", f"/feeds/{path}.ics", user=user).status == status


def test_every_kind_of_write_is_visible_at_once(client: Client) -> None:
    def now() -> set[str]:
        return uids(client("GET", "/feeds/alice.ics").body)

    client("PUT", "/alice/calendar/c.ics", event("c"))
    assert now() == {"a", "c"}
    client("PUT", "/alice/calendar/c.ics", event("c", summary="Changed"))
    assert b"Changed" in client("GET", "/feeds/alice.ics").body
    client("MKCALENDAR", "/alice/other/")
    to = {"Destination": "/alice/other/c.ics"}
    assert client("MOVE", "/alice/calendar/c.ics", headers=to).status == 201
    assert now() == {"a", "c"}
    client("DELETE", "/alice/calendar/a.ics")
    assert now() == {"c"}
    client("DELETE", "/alice/other/")
    assert now() == set()
    assert client("PUT", "/alice/Home.ics", event("whole")).status == 201
    assert now() == {"whole"}


def test_a_property_change_of_a_calendar_is_visible_at_once(client: Client) -> None:
    patch = '<propertyupdate xmlns="DAV:"><set><prop>{}</prop></set></propertyupdate>'
    before = client("GET", "/feeds/open.ics")
    mark = '<feeds xmlns="urn:x-kalends">owner</feeds>'
    assert client("PROPPATCH", "/bob/calendar/", patch.format(mark), user="bob").status == 207
    assert client("GET", "/feeds/open.ics").headers["ETag"] != before.headers["ETag"]
    assert uids(client("GET", "/feeds/everyone.ics").body) == {"a"}
    assert uids(client("GET", "/feeds/bob.ics", user="bob").body) == {"b"}


def test_an_unchanged_feed_keeps_its_etag_and_its_octets(client: Client) -> None:
    first = client("GET", "/feeds/everyone.ics")
    again = client("GET", "/feeds/everyone.ics", user="bob")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.body == first.body


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": "ETAG"}, 304),
        ({"If-None-Match": 'W/ETAG, "x"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"x"'}, 200),
        ({"If-Modified-Since": "DATE"}, 304),
        ({"If-None-Match": '"x"', "If-Modified-Since": "DATE"}, 200),
        ({"If-None-Match": "", "If-Modified-Since": "DATE"}, 200),
        ({"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
        # A time in the future tells nothing.
        ({"If-Modified-Since": "Thu, 31 Dec 2099 00:00:00 GMT"}, 200),
        ({"If-None-Match": '"x"', "If-Modified-Since": "Thu, 31 Dec 2099 00:00:00 GMT"}, 200),
    ],
    ids=str,
)
def test_a_client_with_the_current_version_gets_304(
    client: Client, headers: dict[str, str], status: int
) -> None:
    first = client("GET", "/feeds/alice.ics")
    known = {"ETAG": first.headers["ETag"], "DATE": first.headers["Last-Modified"]}
    sent = dict(headers)
    for name, value in known.items():
        sent = {header: text.replace(name, value) for header, text in sent.items()}
    answer = client("GET", "/feeds/alice.ics", headers=sent)
    assert answer.status == status
    assert answer.headers["ETag"] == first.headers["ETag"]
    assert (answer.body == b"") == (status == 304)


def test_head_is_get_without_the_body(client: Client) -> None:
    get, head = client("GET", "/feeds/alice.ics"), client("HEAD", "/feeds/alice.ics")
    assert head.body == b""
    assert head.headers == get.headers


def test_gzip_is_sent_to_clients_that_accept_it(client: Client) -> None:
    plain = client("GET", "/feeds/alice.ics")
    packed = client("GET", "/feeds/alice.ics", headers={"Accept-Encoding": "br, gzip;q=0.8"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert gzip.decompress(packed.body) == plain.body
    tag = {"If-None-Match": packed.headers["ETag"], "Accept-Encoding": "gzip"}
    assert client("GET", "/feeds/alice.ics", headers=tag).status == 304
    refused = client("GET", "/feeds/alice.ics", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PROPPATCH", "MKCOL", "MOVE"])
def test_feeds_are_read_only(client: Client, method: str) -> None:
    answer = client(method, "/feeds/alice.ics", event("x"))
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert b"read-only" in answer.body


def test_a_secret_address_asks_for_no_login_and_ends_when_rotated(
    installation: Installation, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    address = secret_address(installation, "family", "alice", "url", capsys)
    assert address == secret_address(installation, "family", "alice", "url", capsys)
    assert address != secret_address(installation, "family", "bob", "url", capsys)
    assert uids(client("GET", address, user="").body) == {"a", "b"}
    odd = {"HTTP_AUTHORIZATION": "Something unknown"}
    assert client("GET", address, user="", environ=odd).status == 200
    assert client("GET", address.replace("family.ics", "everyone.ics"), user="").status == 404
    new = secret_address(installation, "family", "alice", "rotate", capsys)
    assert client("GET", address, user="").status == 404
    assert client("GET", new, user="").status == 200


def test_only_the_owner_of_a_secret_feed_can_get_an_address(
    installation: Installation, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    # Somebody may hold an address from a time when the access rule was different.
    old = secret_address(installation, "alice", "alice", "url", capsys)
    secret = old.split("/")[3]
    everybody = FEEDS.replace('access = "owner"', 'access = "login"')
    installation.feeds_file.write_text(everybody)
    bobs = secret_address(installation, "alice", "bob", "url", capsys)
    assert client("GET", bobs, user="").status == 200
    installation.feeds_file.write_text(FEEDS.replace('access = "owner"', 'access = "secret"'))
    assert client("GET", bobs, user="").status == 404
    assert client("GET", old, user="").status == 200
    with pytest.raises(SystemExit) as left:
        main(["feed", "url", "alice", "--user", "bob", "--config", str(installation.config)])
    assert left.value.code == 1
    assert "'alice' is secret and only for its owner" in capsys.readouterr().err
    assert (
        secret_address(installation, "alice", "alice", "url", capsys)
        == f"/feeds/s/{secret}/alice.ics"
    )


@pytest.mark.parametrize("gone", ["from the list", "from the user file"])
def test_the_address_of_somebody_who_may_not_see_the_feed_can_be_revoked(
    installation: Installation, client: Client, capsys: pytest.CaptureFixture[str], gone: str
) -> None:
    old = secret_address(installation, "some", "bob", "url", capsys)
    assert client("GET", old, user="").status == 200
    file = installation.feeds_file if gone == "from the list" else installation.htpasswd
    before = file.read_text()
    file.write_text(before.replace("bob", "carol"))
    assert client("GET", old, user="").status == 404
    told = secret_address(installation, "some", "bob", "rotate", capsys)
    assert told == "the address of 'some' for 'bob', who may not see it, no longer works"
    file.write_text(before)
    assert client("GET", old, user="").status == 404
    new = secret_address(installation, "some", "bob", "url", capsys)
    assert client("GET", new, user="").status == 200


def test_credentials_sent_to_a_secret_address_are_not_a_failed_login(
    installation: Installation,
    client: Client,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    address = secret_address(installation, "family", "alice", "url", capsys)
    for _ in range(8):
        answer = client("GET", address, headers={"Authorization": "Basic YWxpY2U6d3Jvbmc="})
        assert answer.status == 200
    assert "login failed" not in caplog.text


def test_a_name_that_leaves_the_user_file_leaves_the_feeds(
    installation: Installation, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    address = secret_address(installation, "family", "alice", "url", capsys)
    assert client("GET", address, user="").status == 200
    lines = installation.htpasswd.read_text().splitlines(keepends=True)
    installation.htpasswd.write_text("".join(x for x in lines if not x.startswith("alice:")))
    assert client("GET", address, user="").status == 404
    assert client("GET", "/feeds/alice.ics", user="bob").status == 404
    assert uids(client("GET", "/feeds/everyone.ics", user="bob").body) == {"b"}


def test_an_edit_of_the_definitions_takes_effect_at_the_next_get(
    installation: Installation, client: Client
) -> None:
    assert client("GET", "/feeds/fresh.ics").status == 404
    more = '\n[feed.fresh]\ncalendars = ["bob/*"]\naccess = "login"\n'
    installation.feeds_file.write_text(FEEDS + more)
    assert uids(client("GET", "/feeds/fresh.ics").body) == {"b"}
    installation.feeds_file.write_text(FEEDS + more + "nonsense")
    assert client("GET", "/feeds/fresh.ics").status == 200


def test_published_files_have_the_same_octets_and_are_updated(
    installation: Installation, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    address = secret_address(installation, "family", "alice", "url", capsys)
    secret = address.split("/")[3]
    file = installation.folder / "feeds" / "s" / secret / "family.ics"
    assert file.read_bytes() == client("GET", address, user="").body
    assert file.stat().st_mode & 0o777 == 0o644
    public = installation.folder / "feeds" / "public" / "open.ics"
    assert public.read_bytes() == client("GET", "/feeds/open.ics", user="").body
    untouched = public.stat().st_mtime_ns
    secret_address(installation, "family", "alice", "rotate", capsys)
    assert not file.exists()
    assert public.stat().st_mtime_ns == untouched


def test_private_events_are_shown_as_the_definition_says(client: Client) -> None:
    secret = event("p", "20260105T090000Z", "CLASS:PRIVATE", "LOCATION:Clinic", summary="Doctor")
    quiet = event("q", "20260105T090000Z", "CLASS:CONFIDENTIAL", "X-SEEN:me", summary="Lawyer")
    client("PUT", "/bob/calendar/p.ics", secret, user="bob")
    client("PUT", "/bob/calendar/q.ics", quiet, user="bob")
    everyone = client("GET", "/feeds/everyone.ics").body
    assert everyone.count(b"SUMMARY:Busy") == 2
    for hidden in (b"Doctor", b"Clinic", b"Lawyer", b"X-SEEN", b"UID:p", b"UID:q"):
        assert hidden not in everyone
    opened = client("GET", "/feeds/open.ics").body
    assert opened.count(b"SUMMARY:Busy") == 1
    assert b"Doctor" in client("GET", "/feeds/bob.ics", user="bob").body


def test_a_shared_meeting_is_shown_once_and_a_reused_uid_hides_nothing(
    client: Client,
) -> None:
    organizer = "ORGANIZER:mailto:alice@example.org"
    client("PUT", "/alice/calendar/m.ics", event("m", "20260105T090000Z", organizer, "SEQUENCE:1"))
    newer = event("m", "20260106T090000Z", organizer, "SEQUENCE:2")
    client("PUT", "/bob/calendar/m.ics", newer, user="bob")
    client("PUT", "/bob/calendar/fake.ics", event("a", summary="Fake"), user="bob")
    calendar = Calendar.from_ical(client("GET", "/feeds/everyone.ics").body)
    found = [(str(e["UID"]), str(e["SUMMARY"])) for e in calendar.walk("VEVENT")]
    assert ("a", "Of Alice") in found
    assert [summary for uid, summary in found if uid.startswith("a-")] == ["Fake"]
    meetings = [e for e in calendar.walk("VEVENT") if str(e["UID"]) == "m"]
    assert [e["SEQUENCE"] for e in meetings] == [2]


def test_every_line_is_folded_and_every_zone_defined(client: Client) -> None:
    zoned = event("z", "20260105T090000", "DESCRIPTION:" + "ä" * 200).replace(
        b"DTSTART:", b"DTSTART;TZID=Europe/Berlin:"
    )
    client("PUT", "/alice/calendar/z.ics", zoned)
    body = client("GET", "/feeds/alice.ics").body
    for line in body.split(b"\r\n"):
        assert len(line) <= 75
        line.decode("utf-8")
    assert body.count(b"BEGIN:VTIMEZONE") == 1
    assert b"TZID:Europe/Berlin\r\n" in body
    assert b"METHOD:PUBLISH\r\n" in body


def test_two_definitions_with_one_tzid_are_both_kept(client: Client) -> None:
    rules = (
        "BEGIN:VTIMEZONE\r\nTZID:Somewhere\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
        "TZOFFSETFROM:{0}\r\nTZOFFSETTO:{0}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT"
    )
    for name, offset in (("east", "+1000"), ("west", "-1000")):
        zoned = event(name, "20260105T120000").replace(b"DTSTART:", b"DTSTART;TZID=Somewhere:")
        body = zoned.replace(b"BEGIN:VEVENT", rules.format(offset).encode())
        client("PUT", f"/alice/calendar/{name}.ics", body)
        client("GET", "/feeds/alice.ics")
    calendar = Calendar.from_ical(client("GET", "/feeds/alice.ics").body)
    offsets = {
        zone.tz_name: zone.standard[0].TZOFFSETTO.total_seconds() / 3600
        for zone in calendar.timezones
    }
    used = {
        str(e["UID"]): e["DTSTART"].params["TZID"]
        for e in calendar.walk("VEVENT")
        if "TZID" in e["DTSTART"].params
    }
    assert {uid: offsets[tzid] for uid, tzid in used.items()} == {"east": 10, "west": -10}


def test_no_secret_is_in_the_log(
    installation: Installation,
    client: Client,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    address = secret_address(installation, "family", "alice", "url", capsys)
    client("GET", address, user="")
    client("GET", address.replace("family", "other"), user="")
    client("GET", "/alice/", user="alice")
    secret = address.split("/")[3]
    assert secret not in caplog.text
    assert "wonderland" not in caplog.text
    assert "Basic " not in caplog.text
