"""The requests of scripts, Thunderbird and iCal 2.0, sent by curl."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.samples import calendar, component, event
from support.server import KalendsServer

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"
ICAL_2 = "DAVKit/2.0 (10.4; wrbt) iCal 2.0.3"
THUNDERBIRD = {"Accept": "text/xml", "Accept-Language": "en-US", "Accept-Charset": "utf-8"}


@dataclass(frozen=True)
class Received:
    """An answer as curl received it."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Curl:
    """curl against one server, with or without the login of one account."""

    server: KalendsServer
    user: str

    def __call__(
        self,
        method: str,
        path: str,
        *,
        body: str | None = None,
        headers: dict[str, str] | None = None,
        login: bool = True,
    ) -> Received:
        folder = self.server.folder
        out = {name: folder / f"curl.{name}" for name in ("head", "body", "send")}
        out["body"].write_bytes(b"")
        command = ["curl", "--silent", "--show-error", "--path-as-is", "--max-time", "30"]
        command += ["--head"] if method == "HEAD" else ["--request", method]
        command += ["--dump-header", str(out["head"]), "--output", str(out["body"])]
        if login:
            command += ["--user", f"{self.user}:{self.server.users[self.user]}"]
        for name, value in (headers or {}).items():
            command += ["--header", f"{name}: {value}"]
        if body is not None:
            out["send"].write_bytes(body.encode())
            command += ["--data-binary", f"@{out['send']}"]
        done = subprocess.run(
            [*command, self.server.url.rstrip("/") + path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return read_answer(out["head"], out["body"])


def read_answer(head: Path, body: Path) -> Received:
    """Return the last answer in curl's files; a 100 (Continue) may precede it."""
    blocks = head.read_bytes().decode().strip().split("\r\n\r\n")
    status, *fields = blocks[-1].split("\r\n")
    pairs = (field.partition(":") for field in fields)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return Received(int(status.split()[1]), headers, body.read_bytes().decode())


@pytest.fixture
def curl(shared_server: KalendsServer, account: str) -> Curl:
    """Return curl with the login of an account of its own."""
    return Curl(shared_server, account)


def hrefs(element: ET.Element, path: str) -> list[str]:
    """Return the hrefs in the elements at a path."""
    return [href.text or "" for href in element.findall(f".//{path}/{DAV}href")]


def test_a_script_stores_reads_and_deletes_an_event(curl: Curl) -> None:
    path = f"/{curl.user}/calendar/lunch.ics"
    text = event("lunch", "Lunch")
    made = curl("PUT", path, body=text, headers={"Content-Type": "text/calendar; charset=utf-8"})
    assert made.status == 201
    read = curl("GET", path)
    assert (read.status, read.body) == (200, text)
    assert read.headers["etag"] == made.headers["etag"]
    assert read.headers["content-type"].startswith("text/calendar")
    again = curl("PUT", path, body=text.replace("Lunch", "Supper"))
    assert again.status == 204
    assert curl("GET", f"/feeds/{curl.user}.ics").body.count("SUMMARY:Supper") == 1
    stale = curl("DELETE", path, headers={"If-Match": made.headers["etag"]})
    assert stale.status == 412
    assert curl("DELETE", path, headers={"If-Match": again.headers["etag"]}).status in (200, 204)
    assert curl("GET", path).status == 404
    assert "Supper" not in curl("GET", f"/feeds/{curl.user}.ics").body


def test_a_wrong_password_is_refused_with_a_challenge(curl: Curl) -> None:
    curl.server.users[curl.user] = "not it"
    refused = curl("GET", f"/{curl.user}/calendar/")
    assert refused.status == 401
    assert refused.headers["www-authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", {"PROPFIND", "REPORT"}),
        ("/{user}/", {"PROPFIND", "REPORT"}),
        ("/{user}/calendar/", {"GET", "PROPFIND", "REPORT", "DELETE"}),
        ("/{user}/calendar/new.ics", {"PUT"}),
    ],
)
def test_options_answers_exactly_200(curl: Curl, path: str, allowed: set[str]) -> None:
    answer = curl("OPTIONS", path.format(user=curl.user))
    assert answer.status == 200
    assert {"1", "calendar-access", "addressbook"} <= {
        word.strip() for word in answer.headers["dav"].split(",")
    }
    assert allowed <= set(answer.headers["allow"].split(", "))


def test_thunderbird_finds_the_calendars(curl: Curl) -> None:
    principal = """<propfind xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop>
        <resourcetype/><owner/><displayname/><current-user-principal/>
        <current-user-privilege-set/><A:calendar-color xmlns:A="http://apple.com/ns/ical/"/>
        <C:calendar-home-set/></prop></propfind>"""
    depth_0 = THUNDERBIRD | {"Depth": "0", "Content-Type": "application/xml; charset=utf-8"}
    assert curl("PROPFIND", "/", body=principal, headers=depth_0, login=False).status == 401
    known = curl("PROPFIND", "/.well-known/caldav", body=principal, headers=depth_0, login=False)
    assert known.status in (301, 302, 307, 308)
    assert known.headers["location"] == "/"
    root = curl("PROPFIND", "/", body=principal, headers=depth_0)
    assert root.status == 207
    (principal_path,) = hrefs(ET.fromstring(root.body), f"{DAV}current-user-principal")
    assert principal_path == f"/{curl.user}/"
    at_principal = curl("PROPFIND", principal_path, body=principal, headers=depth_0)
    assert hrefs(ET.fromstring(at_principal.body), f"{CALDAV}calendar-home-set") == [principal_path]
    home = curl("PROPFIND", principal_path, body=principal, headers=depth_0 | {"Depth": "1"})
    calendars = [
        response.findtext(f"{DAV}href")
        for response in ET.fromstring(home.body)
        if response.find(f".//{CALDAV}calendar") is not None
    ]
    assert f"/{curl.user}/calendar/" in calendars
    assert "dav" in home.headers


def test_thunderbirds_feed_probe_does_not_offer_the_root_as_a_calendar(curl: Curl) -> None:
    probe = THUNDERBIRD | {"If-Match": "nothing", "Content-Length": "0"}
    assert curl("PUT", "/", headers=probe, login=False).status == 401
    assert curl("PUT", "/", headers=probe).status == 403
    assert curl("HEAD", "/").status < 500


def test_thunderbird_syncs_a_calendar(curl: Curl) -> None:
    folder = f"/{curl.user}/calendar/"
    for uid in ("one", "two"):
        assert curl("PUT", f"{folder}{uid}@x.ics", body=event(uid)).status == 201
    sync = """<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><sync-level>1</sync-level>
        <prop><getcontenttype/><getetag/><no-such-property/></prop></sync-collection>"""
    depth_1 = THUNDERBIRD | {"Depth": "1", "Content-Type": "application/xml; charset=utf-8"}
    first = curl("REPORT", folder, body=sync.format(""), headers=depth_1)
    assert first.status == 207
    tree = ET.fromstring(first.body)
    token = tree.findtext(f"{DAV}sync-token")
    found = sorted(href.text or "" for href in tree.findall(f"{DAV}response/{DAV}href"))
    assert [name.replace("%40", "@") for name in found] == [
        f"{folder}one@x.ics",
        f"{folder}two@x.ics",
    ]
    wanted = "".join(f"<href xmlns='DAV:'>{folder}{uid}%40x.ics</href>" for uid in ("one", "two"))
    multiget = f"""<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">
        <prop><getetag/><C:calendar-data/></prop>{wanted}</C:calendar-multiget>"""
    got = curl("REPORT", folder, body=multiget, headers=depth_1)
    assert got.status == 207
    responses = ET.fromstring(got.body)
    assert len(responses.findall(f".//{CALDAV}calendar-data")) == 2
    asked = {href.text for href in responses.findall(f"{DAV}response/{DAV}href")}
    assert asked == {f"{folder}{uid}%40x.ics" for uid in ("one", "two")}
    assert curl("DELETE", f"{folder}one@x.ics").status in (200, 204)
    second = curl("REPORT", folder, body=sync.format(token), headers=depth_1)
    (gone,) = ET.fromstring(second.body).findall(f"{DAV}response")
    assert (gone.findtext(f"{DAV}status") or "").split()[1] == "404"


def test_unknown_properties_are_404_within_the_207(curl: Curl) -> None:
    body = '<propfind xmlns="DAV:"><prop><x:y xmlns:x="urn:x"/><resourcetype/></prop></propfind>'
    answer = curl("PROPFIND", f"/{curl.user}/calendar/", body=body, headers={"Depth": "0"})
    assert answer.status == 207
    by_status = {
        (stat.findtext(f"{DAV}status") or "").split()[1]: [
            p.tag for p in stat.findall(f"{DAV}prop/*")
        ]
        for stat in ET.fromstring(answer.body).iter(f"{DAV}propstat")
    }
    assert by_status == {"200": [f"{DAV}resourcetype"], "404": ["{urn:x}y"]}


def publish(curl: Curl, name: str, *uids: str) -> Received:
    """Send a PUT of a whole calendar, as iCal 2.0 does to publish it."""
    zone = "X-WR-CALNAME:Home\r\nX-WR-TIMEZONE:Europe/Berlin\r\nCALSCALE:GREGORIAN\r\n"
    events = [component("VEVENT", uid, "DTSTART;VALUE=DATE:20060412", "SUMMARY:x") for uid in uids]
    fields = {"User-Agent": ICAL_2, "Content-Type": "text/calendar"}
    text = calendar(*events, extra=zone)
    return curl("PUT", f"/{curl.user}/{name}", body=text, headers=fields)


def test_ical_2_replaces_a_published_calendar_only_if_it_is_marked(
    curl: Curl,
) -> None:
    address = f"/{curl.user}/Home.ics"
    assert publish(curl, "Home.ics", "a", "b", "c").status == 201
    assert curl("GET", address).body.count("BEGIN:VEVENT") == 3
    assert publish(curl, "Home.ics", "d").status == 403
    assert curl("GET", address).body.count("BEGIN:VEVENT") == 3
    mark = """<propertyupdate xmlns="DAV:"><set><prop>
        <published xmlns="urn:x-kalends">yes</published></prop></set></propertyupdate>"""
    assert curl("PROPPATCH", f"{address}/", body=mark).status == 207
    assert publish(curl, "Home.ics", "a", "d").status in (200, 201, 204)
    now = curl("GET", address).body
    assert now.count("BEGIN:VEVENT") == 2
    assert "UID:d" in now
    feed = curl("GET", f"/feeds/{curl.user}.ics").body
    assert {line for line in feed.splitlines() if line.startswith("UID:")} == {"UID:a", "UID:d"}
