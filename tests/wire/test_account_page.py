"""The account page on the wire: its content, its forms, and who may use them."""

from __future__ import annotations

import io
import plistlib
import re
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from kalends.cli.main import main
from support.account_page import (
    BOUNDARY,
    IMPORT,
    OWN,
    PAGE,
    SECRET,
    Form,
    multipart,
    page_of,
    post,
    upload,
)
from support.installation import Client, Installation, event

FEEDS = """
[feed."{user}"]
title = "All of {user}"
calendars = ["{user}/*"]
access = "owner"

[feed.everyone]
calendars = ["*/*"]
access = "login"
private = "busy"

[feed.family]
title = "Family <b>&amp;"
calendars = ["alice/*", "bob/*"]
access = "secret"

[feed.staff]
calendars = ["*/work"]
access = ["bob"]

[feed.open]
calendars = ["alice/calendar"]
access = "public"
"""


def calendar(*uids: str) -> bytes:
    inner = [
        event(uid).split(b"END:VCALENDAR")[0].split(b"BEGIN:VEVENT")[1].strip() for uid in uids
    ]
    return (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\n"
        + b"".join(b"BEGIN:VEVENT\r\n" + one + b"\r\n" for one in inner)
        + b"END:VCALENDAR\r\n"
    )


def give_secret(site: Installation, feed: str, user: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(["feed", "url", feed, "--user", user, "--config", str(site.config)])
    assert left.value.code == 0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("account")
    (folder / "groups").write_text("family: alice bob\n")
    return Installation(
        folder, feeds=FEEDS, options={"auth__htgroup_filename": str(folder / "groups")}
    )


@pytest.fixture(scope="module")
def alice(site: Installation) -> Iterator[Client]:
    give_secret(site, "family", "alice")
    with site.client() as client:
        yield client


@pytest.fixture
def bob(alice: Client) -> Client:
    return Client(alice.app, "bob", alice.passwords)


@contextmanager
def fresh(folder: Path, **more: str) -> Iterator[Client]:
    with Installation(folder, options=more).client() as client:
        yield client


def test_the_page_needs_a_login_and_its_style_sheets_do_not(alice: Client) -> None:
    for path in (PAGE, "/.web/account", "/.web/account/download", "/.mobileconfig"):
        assert alice("GET", path, user="").status == 401, path
    css = next(link for link in page_of(alice).links if "account." in link and ".css" in link)
    answer = alice("GET", css, user="")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/css; charset=utf-8")


def test_a_first_visit_makes_the_home(alice: Client, bob: Client) -> None:
    assert {"/alice/calendar/", "/alice/tasks/"} <= {
        urlsplit(address).path
        for label, found in page_of(alice).copies.items()
        for address in found
        if label.startswith("Address of")
    }
    assert bob("GET", PAGE).status == 200
    assert bob("PROPFIND", "/bob/calendar/", headers={"Depth": "0"}).status == 207


def test_a_page_allows_no_inline_code_no_caching_and_no_frames(alice: Client) -> None:
    answer = alice("GET", PAGE)
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    text = answer.body.decode()
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=", text)
    # Without a referrer policy for the same origin, browsers send forms with `Origin: null`.
    assert answer.headers["Referrer-Policy"] == "same-origin"


def test_names_that_others_chose_are_escaped(alice: Client) -> None:
    text = alice("GET", PAGE).body.decode()
    assert "Family &lt;b&gt;&amp;amp;" in text
    assert "Family <b>" not in text


def test_the_feeds_are_those_that_the_person_may_see(alice: Client, bob: Client) -> None:
    def addresses(client: Client) -> set[str]:
        return {urlsplit(a).path for found in page_of(client).copies.values() for a in found}

    assert {"/feeds/alice.ics", "/feeds/everyone.ics", "/feeds/open.ics"} <= addresses(alice)
    assert not {"/feeds/bob.ics", "/feeds/staff.ics"} & addresses(alice)
    assert {"/feeds/bob.ics", "/feeds/staff.ics"} <= addresses(bob)


def test_a_secret_feed_is_shown_only_to_users_with_a_secret_for_it(
    alice: Client, bob: Client
) -> None:
    def is_shown(client: Client) -> list[bool]:
        pages = (client("GET", path).body for path in (PAGE, "/.mobileconfig"))
        return [b"Family" in page for page in pages]

    assert is_shown(alice) == [True, True]
    assert is_shown(bob) == [False, False]
    token = page_of(bob).hidden["token"]
    for action in ("make", "renew"):
        fields = {"token": token, "feed": "family", "action": action}
        assert post(bob, SECRET, fields).status == 404
    assert is_shown(bob) == [False, False]


def test_a_secret_feed_with_an_owner_is_only_for_its_owner(tmp_path: Path) -> None:
    feeds = FEEDS.replace('"owner"', '"secret"')
    with Installation(tmp_path, feeds=feeds).client() as alice:
        bob = Client(alice.app, "bob", alice.passwords)
        assert alice("PUT", "/alice/calendar/a.ics", event("hers")).status == 201
        token = page_of(bob).hidden["token"]
        for action in ("make", "renew"):
            fields = {"token": token, "feed": "alice", "action": action}
            assert post(bob, SECRET, fields).status == 404
        for client in (alice, bob):
            token = page_of(client).hidden["token"]
            fields = {"token": token, "feed": client.user, "action": "make"}
            assert post(client, SECRET, fields).status == 303
        kind = "com.apple.subscribedcalendar.account"
        feeds_shown = payloads(bob, "?feeds=chosen&feed=alice&feed=bob")[kind]
        assert [one["SubCalAccountDescription"] for one in feeds_shown] == ["All of bob"]
        (mine,) = payloads(alice, "?feeds=chosen&feed=alice&feed=bob")[kind]
        path = urlsplit(str(mine["SubCalAccountHostName"])).path
        assert b"UID:hers" in alice("GET", path, user="").body


def test_each_feed_has_a_link_to_its_page(alice: Client) -> None:
    links = [link for link in page_of(alice).links if re.fullmatch(r"/feeds/[^.]*/", link)]
    assert "/feeds/alice/" in links
    for link in links:
        answer = alice("GET", link)
        assert (answer.status, answer.headers["Content-Type"][:9]) == (200, "text/html")


def test_a_renewed_secret_address_replaces_the_old_one(alice: Client) -> None:
    token = page_of(alice).hidden["token"]

    def ask(action: str) -> str:
        answer = post(alice, SECRET, {"token": token, "feed": "family", "action": action})
        assert answer.status == 303
        assert answer.headers["Location"].startswith(PAGE)
        (found,) = [
            address
            for address in page_of(alice).copies["Your secret address"]
            if address.endswith("/family.ics")
        ]
        return urlsplit(found).path

    old = ask("make")
    assert ask("make") == old  # pressing the button again changes nothing
    assert alice("GET", old, user="").status == 200
    new = ask("renew")
    assert new != old
    assert alice("GET", old, user="").status == 404
    assert alice("GET", new, user="").status == 200


FOREIGN = [
    pytest.param({"Origin": "https://evil.example", "Sec_Fetch_Site": ""}, id="another origin"),
    pytest.param({"Origin": "http://127.0.0.1:5232", "Sec_Fetch_Site": ""}, id="another port"),
    pytest.param({"Origin": "https://127.0.0.1", "Sec_Fetch_Site": ""}, id="another scheme"),
    pytest.param({"Origin": "null", "Sec_Fetch_Site": ""}, id="a sandbox"),
    pytest.param({"Sec_Fetch_Site": "cross-site"}, id="cross-site"),
    pytest.param({"Sec_Fetch_Site": "same-site"}, id="a neighbour"),
    pytest.param({"Origin": "https://evil.example"}, id="the two disagree"),
    pytest.param(
        {"Origin": "", "Sec_Fetch_Site": "", "Referer": "https://evil.example/.web/account/"},
        id="another referer",
    ),
    pytest.param({"Origin": "", "Sec_Fetch_Site": ""}, id="nothing said"),
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_form_from_another_origin_is_refused_and_changes_nothing(
    alice: Client, headers: dict[str, str]
) -> None:
    fields = {"token": page_of(alice).hidden["token"], "feed": "alice", "action": "make"}
    before = page_of(alice).copies
    assert post(alice, SECRET, fields, **headers).status == 403
    assert page_of(alice).copies == before


def test_the_referer_is_used_if_a_browser_sends_nothing_else(alice: Client) -> None:
    fields = {"token": page_of(alice).hidden["token"], "feed": "nobody", "action": "make"}
    only = {"Origin": "", "Sec_Fetch_Site": "", "Referer": f"http://127.0.0.1{PAGE}"}
    assert post(alice, SECRET, fields, **only).status == 404


@pytest.mark.parametrize("kind", ["none", "garbage", "another user's", "of another key"])
def test_a_form_without_a_token_of_its_user_is_refused_and_changes_nothing(
    alice: Client, bob: Client, tmp_path: Path, kind: str
) -> None:
    token = {"none": "", "garbage": "AAAA=" + "0" * 40}.get(kind)
    if kind == "another user's":
        token = page_of(bob).hidden["token"]
    elif token is None:
        with fresh(tmp_path) as other:
            token = page_of(other).hidden["token"]
    before = page_of(alice).copies
    fields = {"token": token, "feed": "alice", "action": "renew"}
    assert post(alice, SECRET, fields).status == 403
    assert upload(alice, calendar("forged"), token=token).status == 403
    assert page_of(alice).copies == before
    assert alice("GET", "/alice/calendar/forged.ics").status == 404


def test_a_feed_that_the_user_may_not_see_gives_no_secret(alice: Client) -> None:
    token = page_of(alice).hidden["token"]
    for name in ("bob", "staff", "nothing"):
        answer = post(alice, SECRET, {"token": token, "feed": name, "action": "renew"})
        assert answer.status == 404, name


def test_an_import_lists_refused_objects_by_line(alice: Client) -> None:
    good = calendar("in-1", "in-2")
    bad = good.replace(b"END:VCALENDAR", b"BEGIN:VEVENT\r\nUID:bad\r\nDTSTART:never\r\n")
    bad += b"END:VEVENT\r\nEND:VCALENDAR\r\n"
    answer = upload(alice, bad)
    assert answer.status == 200, answer
    text = answer.body.decode()
    assert "2 new in Calendar." in text
    line = 1 + bad.split(b"\r\n").index(b"UID:bad")
    assert re.search(rf'<span class="line">line ({line - 1}|{line}|{line + 1})</span>', text), text
    assert "holidays &lt;i&gt;.ics" in text
    assert alice("GET", "/alice/calendar/in-1.ics").status == 200
    again = upload(alice, good).body.decode()
    assert "2 were there already." in again


def test_an_imported_file_is_in_the_feed_at_once(alice: Client) -> None:
    upload(alice, calendar("reaches"))
    assert b"UID:reaches" in alice("GET", "/feeds/alice.ics").body


def test_contacts_go_into_address_books_and_group_calendars_take_events(alice: Client) -> None:
    card = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c1\r\nFN:Carol\r\nN:;Carol;;;\r\nEND:VCARD\r\n"
    assert upload(alice, card).status == 409
    assert upload(alice, card, into="alice/contacts").status == 200
    assert alice("GET", "/alice/contacts/c1.vcf").status == 200
    assert upload(alice, calendar("shared"), into="GROUPS/family/family").status == 200
    assert alice("GET", "/GROUPS/family/family/shared.ics").status == 200


def test_nothing_is_imported_into_collections_of_others(alice: Client, bob: Client) -> None:
    bob("GET", PAGE)
    for into in ("bob/calendar", "bob", "", "alice/../bob/calendar", "GROUPS/other/calendar"):
        assert upload(alice, calendar("strange"), into=into).status == 404, into
    assert b"strange" not in bob("GET", "/bob/calendar/").body


def test_an_import_without_a_file_or_a_form_is_refused(alice: Client) -> None:
    token = page_of(alice).hidden["token"]
    body = multipart({"token": token, "into": "alice/calendar"}, "", b"")
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    assert alice("POST", IMPORT, body, headers={**OWN, **kind}).status == 400
    assert alice("POST", IMPORT, body[:200], headers={**OWN, **kind}).status == 400
    plain = {"Content-Type": "text/plain"}
    assert alice("POST", IMPORT, b"x", headers={**OWN, **plain}).status == 415
    assert alice("GET", IMPORT).status == 303


def test_a_body_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    with fresh(tmp_path, server__max_content_length="50000") as client:
        assert upload(client, calendar("small")).status == 200
        assert upload(client, b"x" * 60_000).status == 413
        limits = re.search(
            rb'up to (\d+) KB.*data-largest="(\d+)"', client("GET", PAGE).body, re.DOTALL
        )
        assert limits
        assert 40 <= int(limits[1]) == int(limits[2]) >> 10
        # A file of that length is accepted, whatever the other fields of the form.
        exact = calendar("exact").ljust(int(limits[2]), b"\n")
        assert len(multipart({"token": "t" * 200, "into": "i" * 200}, "n" * 255, exact)) < 50_000
        assert b"1 new in" in upload(client, exact).body


def test_a_file_of_another_type_is_named_in_the_answer(alice: Client) -> None:
    for into in ("alice/calendar", "alice/contacts"):
        empty = upload(alice, b"", into=into)
        assert b"it is empty" in empty.body
        assert b"VCALENDAR" not in empty.body
        everything = alice("GET", "/.web/account/download").body
        assert b"it is a zip archive: unpack it" in upload(alice, everything, into=into).body
    nothing = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"
    assert b"The file contains nothing to import." in upload(alice, nothing).body


def test_without_a_calendar_the_import_form_is_hidden(tmp_path: Path) -> None:
    with fresh(tmp_path, storage__predefined_collections="{}") as client:
        text = client("GET", PAGE).body.decode()
    assert "There is no calendar to import into." in text
    assert '<form class="card import" hidden ' in text


def test_all_collections_are_downloaded_as_one_zip(alice: Client) -> None:
    upload(alice, calendar("zipped", "zipped-too"))
    answer = alice("GET", "/.web/account/download")
    assert answer.headers["Content-Type"] == "application/zip"
    assert re.search(r'attachment; filename="alice-', answer.headers["Content-Disposition"])
    assert answer.headers["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        assert {"Calendar.ics", "Tasks.ics", "Contacts.vcf", "family/family.ics"} == names
        inside = archive.read("Calendar.ics")
    assert inside == alice("GET", "/alice/calendar/").body
    assert b"UID:zipped-too" in inside
    assert alice("HEAD", "/.web/account/download").body == b""


def test_the_memory_of_a_download_does_not_grow_with_its_size(tmp_path: Path) -> None:
    with fresh(tmp_path) as client:
        many = [
            event(f"long-{number}", "20260105T090000Z", "DESCRIPTION:" + "word " * 20_000)
            for number in range(60)
        ]
        assert upload(client, b"".join(many)).status == 200
        taken = client.start("GET", "/.web/account/download")
        tracemalloc.start()
        try:
            length = sum(len(piece) for piece in taken)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        taken.close()  # type: ignore[attr-defined]
    assert length > 20_000
    assert sum(map(len, many)) > 6_000_000
    assert peak < 3_000_000


def test_the_page_works_with_each_database(store_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    with fresh(folder, storage__database=store_url) as client:
        token = page_of(client).hidden["token"]
        assert upload(client, calendar("one", "two"), token=token).status == 200
        made = post(client, SECRET, {"token": token, "feed": "alice", "action": "make"})
        assert made.status == 303
        (secret,) = page_of(client).copies["Your secret address"]
        assert b"UID:two" in client("GET", urlsplit(secret).path, user="").body
        answer = client("GET", "/.web/account/download")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert b"UID:one" in archive.read("Calendar.ics")


def payloads(client: Client, query: str = "") -> dict[str, list[dict[str, object]]]:
    answer = client("GET", f"/.mobileconfig{query}")
    assert answer.headers["Content-Type"] == "application/x-apple-aspen-config"
    assert answer.headers["Cache-Control"] == "no-store"
    found: dict[str, list[dict[str, object]]] = {}
    for payload in plistlib.loads(answer.body)["PayloadContent"]:
        found.setdefault(payload["PayloadType"], []).append(payload)
    return found


def test_the_addresses_in_a_profile_answer_and_it_has_no_password(alice: Client) -> None:
    found = payloads(alice)
    (caldav,) = found["com.apple.caldav.account"]
    (carddav,) = found["com.apple.carddav.account"]
    for kind, payload in (("CalDAV", caldav), ("CardDAV", carddav)):
        assert payload[f"{kind}HostName"] == "127.0.0.1"
        assert payload[f"{kind}Port"] == 80
        assert payload[f"{kind}UseSSL"] is False
        assert payload[f"{kind}Username"] == "alice"
        home = str(payload[f"{kind}PrincipalURL"])
        assert alice("PROPFIND", home, headers={"Depth": "0"}).status == 207
    subscribed = found["com.apple.subscribedcalendar.account"]
    for one in subscribed:
        address = urlsplit(str(one["SubCalAccountHostName"]))
        user = one.get("SubCalAccountUsername")
        assert (address.netloc, user in ("alice", None)) == ("127.0.0.1", True)
        answer = alice("GET", address.path, user=str(user) if user else "")
        assert (answer.status, answer.body[:15]) == (200, b"BEGIN:VCALENDAR"), one
    titles = {one["SubCalAccountDescription"] for one in subscribed}
    assert titles == {"everyone", "Family <b>&amp;"}
    assert not re.search(rb"assword", alice("GET", "/.mobileconfig").body)


def test_the_profile_has_the_feeds_that_were_selected(alice: Client) -> None:
    kind = "com.apple.subscribedcalendar.account"
    assert kind not in payloads(alice, "?feeds=chosen")
    (own,) = payloads(alice, "?feeds=chosen&feed=alice")[kind]
    assert str(own["SubCalAccountHostName"]).endswith("/feeds/alice.ics")
    assert kind not in payloads(alice, "?feeds=chosen&feed=staff&feed=bob")


def test_a_profile_makes_no_secret_address(tmp_path: Path) -> None:
    feeds = '[feed."{user}"]\ncalendars = ["*/*"]\naccess = "secret"\n'
    kind = "com.apple.subscribedcalendar.account"
    with Installation(tmp_path, feeds=feeds).client() as client:
        for query in ("", "?feeds=chosen&feed=alice"):
            assert kind not in payloads(client, query)
        page = page_of(client)
        assert "Your secret address" not in page.copies
        assert "#feed-alice" in page.links  # where it is made
        post(client, SECRET, {"token": page.hidden["token"], "feed": "alice", "action": "make"})
        (made,) = page_of(client).copies["Your secret address"]
        for query in ("", "?feeds=chosen&feed=alice"):
            (one,) = payloads(client, query)[kind]
            assert one["SubCalAccountHostName"] == made


def test_a_profile_that_is_installed_again_has_the_same_identifiers(
    alice: Client, bob: Client
) -> None:
    def marks(client: Client) -> list[tuple[str, str]]:
        whole = plistlib.loads(client("GET", "/.mobileconfig").body)
        return [
            (part["PayloadIdentifier"], part["PayloadUUID"])
            for part in (whole, *whole["PayloadContent"])
        ]

    first = marks(alice)
    token = page_of(alice).hidden["token"]
    post(alice, SECRET, {"token": token, "feed": "family", "action": "renew"})
    assert marks(alice) == first
    assert len(set(first)) == len(first)
    assert not set(first) & set(marks(bob))


def test_the_profile_has_one_address(alice: Client) -> None:
    for path in ("//.mobileconfig", "/./.mobileconfig", "/alice/../.mobileconfig"):
        answer = alice("GET", path)
        assert b"radicale" not in answer.body.lower(), path
        assert answer.status in (301, 404), path
    assert alice("GET", "/.web/account/profile").status == 404
    assert b"radicale" not in alice("GET", "/.mobileconfig").body.lower()


def test_behind_a_prefix_all_addresses_have_it(tmp_path: Path) -> None:
    with fresh(tmp_path, kalends__trusted_proxies="127.0.0.1") as client:
        outside = {
            "X-Script-Name": "/dav",
            "X-Forwarded-Proto": "https",
            "Host": "dav.example.org",
        }
        page = Form(client("GET", PAGE, headers=outside).body.decode())
        ours = [link for link in page.links if not re.match(r"(webcal|davx5):|#", link)]
        assert ours
        assert all(link.startswith("/dav/") for link in ours), ours
        assert "https://dav.example.org/dav/alice/" in page.copies["Base URL"]
        assert "https://dav.example.org/dav/feeds/alice.ics" in page.copies["Address"]
        body = client("GET", "/.mobileconfig", headers=outside).body
        caldav = plistlib.loads(body)["PayloadContent"][0]
        assert caldav["CalDAVPrincipalURL"] == "/dav/alice/"
        assert (caldav["CalDAVHostName"], caldav["CalDAVPort"]) == ("dav.example.org", 443)
        assert caldav["CalDAVUseSSL"] is True
        moved = client("GET", "/.web/account", headers=outside)
        assert moved.headers["Location"] == "/dav/.web/account/"
        fields = urlencode({"token": page.hidden["token"], "feed": "alice", "action": "make"})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        inside = {**outside, **kind, "Origin": "http://127.0.0.1"}
        assert client("POST", SECRET, fields, headers=inside).status == 403
        own = {**outside, **kind, "Origin": "https://dav.example.org"}
        answer = client("POST", SECRET, fields, headers=own)
        assert (answer.status, answer.headers["Location"][:18]) == (303, "/dav/.web/account/")


def test_behind_a_proxy_at_another_port_all_addresses_have_it(tmp_path: Path) -> None:
    with fresh(tmp_path, kalends__trusted_proxies="127.0.0.1") as client:
        outside = {
            "Host": "dav.example.org",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Port": "8443",
        }
        page = Form(client("GET", PAGE, headers=outside).body.decode())
        assert page.copies["Base URL"] == ["https://dav.example.org:8443/alice/"]
        fields = urlencode({"token": page.hidden["token"], "feed": "alice", "action": "make"})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        own = {**outside, **kind, "Origin": "https://dav.example.org:8443"}
        assert client("POST", SECRET, fields, headers=own).status == 303
        caldav = plistlib.loads(client("GET", "/.mobileconfig", headers=outside).body)[
            "PayloadContent"
        ][0]
        assert (caldav["CalDAVHostName"], caldav["CalDAVPort"]) == ("dav.example.org", 8443)


def test_an_account_without_a_home_gets_an_explanation(tmp_path: Path) -> None:
    place = Installation(tmp_path, users={"feeds": "word"})
    with place.client("feeds") as client:
        answer = client("GET", PAGE)
        assert answer.status == 403
        assert b"the name is reserved" in answer.body
        assert client("GET", "/.mobileconfig").status == 403


def test_without_feeds_the_page_does_not_mention_them(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.write(kalends__feeds="", kalends__feeds_folder="")
    with place.client() as client:
        text = client("GET", PAGE).body.decode()
        assert "secret" not in text
        assert "com.apple.subscribed" not in client("GET", "/.mobileconfig").body.decode()
        token = page_of(client).hidden["token"]
        assert post(client, SECRET, {"token": token, "feed": "alice"}).status == 404


def test_other_methods_and_addresses_are_refused(alice: Client) -> None:
    assert alice("PUT", PAGE, b"x").status == 405
    assert alice("POST", PAGE, b"x").status == 405
    assert alice("DELETE", SECRET).status == 405
    assert alice("GET", f"{PAGE}other").status == 404
    assert alice("GET", PAGE, headers={"Host": "a b"}).status == 400


def test_an_account_name_may_have_letters_beyond_ascii(tmp_path: Path) -> None:
    name = "zoë@example.org"
    place = Installation(tmp_path, users={name: "word"})
    with place.client(name) as client:
        page = page_of(client)
        base = page.copies["Base URL"][0]
        assert urlsplit(base).path == f"/{quote(name, safe='@')}/"
        whole = plistlib.loads(client("GET", "/.mobileconfig").body)
        assert whole["PayloadContent"][0]["CalDAVUsername"] == name
        assert upload(client, calendar("umlaut"), into=f"{name}/calendar").status == 200
        renewed = {"token": page.hidden["token"], "feed": name, "action": "make"}
        where = post(client, SECRET, renewed).headers["Location"]
        assert parse_qs(urlsplit(where).query) == {"renewed": [name]}
        assert b"has this secret address now" in client("GET", where.partition("#")[0]).body


def test_the_manager_links_to_the_page_and_allows_no_frames(alice: Client) -> None:
    answer = alice("GET", "/.web/", user="")
    assert b'href="account/"' in answer.body
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert b'|| location.search === "?browser";' in alice("GET", "/.web/js/config.js").body
