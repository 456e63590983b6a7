"""CalDAV requests: homes, sync, queries, moves and properties."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.installation import NAMES, Answer, Client, Installation, event

BERLIN = (
    "BEGIN:VTIMEZONE\r\nTZID:Somewhere\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
    "TZOFFSETFROM:{offset}\r\nTZOFFSETTO:{offset}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)
SYNC = (
    '<sync-collection xmlns="DAV:"><sync-token>{token}</sync-token><sync-level>1</sync-level>'
    "<prop><getetag/></prop></sync-collection>"
)
QUERY = (
    '<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns="DAV:"><prop><getetag/>'
    '<C:calendar-data/></prop><C:filter><C:comp-filter name="VCALENDAR">'
    '<C:comp-filter name="VEVENT"><C:time-range start="{start}" end="{end}"/></C:comp-filter>'
    "</C:comp-filter></C:filter></C:calendar-query>"
)
MULTIGET = (
    '<C:calendar-multiget xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns="DAV:"><prop><getetag/>'
    "<C:calendar-data/></prop>{hrefs}</C:calendar-multiget>"
)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Installation(tmp_path).client() as client:
        yield client


def put(client: Client, name: str, body: bytes, calendar: str = "calendar") -> None:
    assert client("PUT", f"/alice/{calendar}/{name}", body).status in (201, 204)


def sync(
    client: Client, token: str = "", path: str = "/alice/calendar/"
) -> tuple[str, dict[str, str]]:
    """Send one sync-collection; return the new token, and for each href a status or an etag."""
    answer = client("REPORT", path, SYNC.format(token=token))
    assert answer.status == 207, answer
    seen: dict[str, str] = {}
    for response in answer.xml().findall("D:response", NAMES):
        href = response.findtext("D:href", "", NAMES)
        status = response.findtext("D:status", "", NAMES)
        seen[href] = status or response.findtext(".//D:getetag", "", NAMES)
    return answer.xml().findtext("D:sync-token", "", NAMES), seen


def query(client: Client, start: str, end: str) -> Answer:
    answer = client("REPORT", "/alice/calendar/", QUERY.format(start=start, end=end))
    assert answer.status == 207
    return answer


def test_the_first_connection_finds_its_collections(client: Client) -> None:
    found = client.props("/alice/", "D:resourcetype", "D:displayname", depth="1")
    names = {href: props.get("{DAV:}displayname") for href, props in found.items()}
    assert names["/alice/calendar/"] == "Calendar"
    assert names["/alice/tasks/"] == "Tasks"
    assert names["/alice/contacts/"] == "Contacts"
    assert len(names) == 4


def test_the_first_collections_are_configurable(tmp_path: Path) -> None:
    only = '{"plans": {"tag": "VCALENDAR", "D:displayname": "Plans"}}'
    options = {"storage__predefined_collections": only}
    with Installation(tmp_path, options=options).client() as client:
        assert set(client.props("/alice/", "D:displayname", depth="1")) == {
            "/alice/",
            "/alice/plans/",
        }


def test_a_home_is_hidden_from_other_users(client: Client) -> None:
    client("PROPFIND", "/bob/", user="bob")
    assert client("PROPFIND", "/bob/").status == 403
    assert client("GET", "/bob/calendar/").status == 403
    assert set(client.props("/", "D:resourcetype", depth="1")) == {"/", "/alice/"}


def test_ctag_and_sync_token_change_only_with_a_write(client: Client) -> None:
    def state() -> tuple[str | None, ...]:
        found = client.props("/alice/calendar/", "CS:getctag", "D:sync-token")
        return tuple(found["/alice/calendar/"].values())

    seen = [state(), state()]
    assert seen[0] == seen[1]
    put(client, "a.ics", event("a"))
    seen.append(state())
    put(client, "a.ics", event("a", summary="Other"))
    seen.append(state())
    client("DELETE", "/alice/calendar/a.ics")
    seen.append(state())
    assert len(set(seen)) == 4


def test_sync_reports_new_changed_and_deleted_objects(client: Client) -> None:
    for uid in "abc":
        put(client, f"{uid}.ics", event(uid))
    token, seen = sync(client)
    assert set(seen) == {f"/alice/calendar/{uid}.ics" for uid in "abc"}
    assert sync(client, token) == (token, {})
    put(client, "a.ics", event("a", summary="Other"))
    client("DELETE", "/alice/calendar/b.ics")
    put(client, "d.ics", event("d"))
    moved = client(
        "MOVE", "/alice/calendar/c.ics", headers={"Destination": "/alice/calendar/c2.ics"}
    )
    assert moved.status == 201
    _, seen = sync(client, token)
    assert seen["/alice/calendar/b.ics"].endswith("404 Not Found")
    assert seen["/alice/calendar/c.ics"].endswith("404 Not Found")
    assert {h for h, s in seen.items() if s.startswith('"')} == {
        f"/alice/calendar/{name}.ics" for name in ("a", "c2", "d")
    }


def test_sync_reports_a_recreated_object_as_changed(client: Client) -> None:
    put(client, "a.ics", event("a"))
    token, _ = sync(client)
    client("DELETE", "/alice/calendar/a.ics")
    put(client, "a.ics", event("again"))
    _, seen = sync(client, token)
    assert list(seen) == ["/alice/calendar/a.ics"]
    assert seen["/alice/calendar/a.ics"].startswith('"')


def test_an_invalid_sync_token_is_refused_with_its_precondition(client: Client) -> None:
    client("PROPFIND", "/alice/")
    for token in ("nonsense", "data:,kalends-1-0-1", "data:,kalends-1"):
        answer = client("REPORT", "/alice/calendar/", SYNC.format(token=token))
        assert answer.status == 403
        assert answer.precondition() == "{DAV:}valid-sync-token"


def test_a_time_range_query_finds_overlapping_events(client: Client) -> None:
    put(client, "jan.ics", event("jan", "20260105T090000Z"))
    put(client, "feb.ics", event("feb", "20260205T090000Z"))
    put(client, "weekly.ics", event("weekly", "20250106T090000Z", "RRULE:FREQ=WEEKLY"))
    put(client, "ended.ics", event("ended", "20250106T090000Z", "RRULE:FREQ=DAILY;COUNT=3"))
    put(
        client,
        "day.ics",
        event("day", "20260131")
        .replace(b"DURATION:PT1H\r\n", b"")
        .replace(b"DTSTART:", b"DTSTART;VALUE=DATE:"),
    )
    found = query(client, "20260101T000000Z", "20260201T000000Z")
    assert sorted(found.hrefs()) == [
        f"/alice/calendar/{name}.ics" for name in ("day", "jan", "weekly")
    ]
    assert query(client, "20260105T100000Z", "20260105T110000Z").hrefs() == []


def test_two_definitions_of_one_tzid_are_kept_separate(client: Client) -> None:
    for name, offset in (("east", "+1000"), ("west", "-1000")):
        zoned = event(name, "20260105T120000").replace(b"DTSTART:", b"DTSTART;TZID=Somewhere:")
        body = zoned.replace(
            b"BEGIN:VEVENT", BERLIN.format(offset=offset).encode() + b"BEGIN:VEVENT"
        )
        put(client, f"{name}.ics", body)
        put(
            client,
            f"{name}-weekly.ics",
            body.replace(b"SUMMARY", b"RRULE:FREQ=WEEKLY\r\nSUMMARY").replace(b"UID:", b"UID:w"),
        )
    for _ in range(2):
        east = query(client, "20260105T020000Z", "20260105T030000Z")
        west = query(client, "20260105T220000Z", "20260105T230000Z")
        assert sorted(east.hrefs()) == [
            "/alice/calendar/east-weekly.ics",
            "/alice/calendar/east.ics",
        ]
        assert sorted(west.hrefs()) == [
            "/alice/calendar/west-weekly.ics",
            "/alice/calendar/west.ics",
        ]


def test_multiget_returns_the_bytes_and_reports_missing_objects(client: Client) -> None:
    put(client, "a.ics", event("a"))
    hrefs = "".join(f"<href>/alice/calendar/{name}.ics</href>" for name in ("a", "missing"))
    answer = client("REPORT", "/alice/calendar/", MULTIGET.format(hrefs=hrefs))
    data = answer.xml().findtext(".//C:calendar-data", "", NAMES)
    assert data.replace("\n", "\r\n").encode() == event("a")
    assert "404" in answer.body.decode()


@pytest.mark.parametrize(
    "name", ["a b.ics", "ä.ics", "a%25.ics", "no-suffix", "a;b,c=d.ics", "q&'.ics"]
)
def test_objects_with_unusual_names_are_stored(client: Client, name: str) -> None:
    assert client("PUT", f"/alice/calendar/{name}", event("a")).status == 201
    assert client("GET", f"/alice/calendar/{name}").body == event("a")
    assert len(client.props("/alice/calendar/", "D:getetag", depth="1")) == 2
    assert client("DELETE", f"/alice/calendar/{name}").status == 204


def test_move_between_calendars(client: Client) -> None:
    client("PROPFIND", "/alice/")
    client("MKCALENDAR", "/alice/other/")
    put(client, "a.ics", event("a"))
    to = {"Destination": "http://127.0.0.1/alice/other/b.ics"}
    assert client("MOVE", "/alice/calendar/a.ics", headers=to).status == 201
    assert client("GET", "/alice/other/b.ics").body == event("a")
    assert client("GET", "/alice/calendar/a.ics").status == 404
    put(client, "a.ics", event("a", summary="New"))
    refused = client("MOVE", "/alice/calendar/a.ics", headers=to | {"Overwrite": "F"})
    assert refused.status == 412
    assert client("MOVE", "/alice/calendar/a.ics", headers=to).status == 204
    assert b"New" in client("GET", "/alice/other/b.ics").body


def test_mkcalendar_and_delete_of_a_calendar(client: Client) -> None:
    client("PROPFIND", "/alice/")
    assert client("MKCALENDAR", "/alice/new/").status == 201
    again = client("MKCALENDAR", "/alice/new/")
    assert (again.status, again.precondition()) == (403, "{DAV:}resource-must-be-null")
    put(client, "a.ics", event("a"), "new")
    assert client("DELETE", "/alice/new/").status == 204
    assert client("GET", "/alice/new/a.ics").status == 404
    assert client("PUT", "/alice/new/a.ics", event("a")).status == 409


def test_delete_checks_if_match(client: Client) -> None:
    put(client, "a.ics", event("a"))
    assert client("DELETE", "/alice/calendar/a.ics", headers={"If-Match": '"x"'}).status == 412
    etag = client("GET", "/alice/calendar/a.ics").headers["ETag"]
    assert client("DELETE", "/alice/calendar/a.ics", headers={"If-Match": etag}).status == 204
    assert client("DELETE", "/alice/calendar/a.ics").status == 404


PROPPATCH = (
    '<propertyupdate xmlns="DAV:"><set><prop>{protected}<displayname>Mine</displayname>'
    "</prop></set></propertyupdate>"
)


@pytest.mark.parametrize("protected", ["<resourcetype/>", "<getetag>x</getetag>"])
def test_a_protected_property_makes_the_whole_proppatch_fail(
    client: Client, protected: str
) -> None:
    client("PROPFIND", "/alice/")
    answer = client("PROPPATCH", "/alice/calendar/", PROPPATCH.format(protected=protected))
    assert answer.status == 207
    statuses = [s.text for s in answer.xml().iterfind(".//D:status", NAMES)]
    assert statuses == ["HTTP/1.1 403 Forbidden", "HTTP/1.1 424 Failed Dependency"]
    found = client.props("/alice/calendar/", "D:displayname", "D:resourcetype")
    assert found["/alice/calendar/"]["{DAV:}displayname"] == "Calendar"
    put(client, "a.ics", event("a"))


def test_properties_are_set_and_kept(client: Client) -> None:
    client("PROPFIND", "/alice/")
    assert client("PROPPATCH", "/alice/calendar/", PROPPATCH.format(protected="")).status == 207
    found = client.props("/alice/calendar/", "D:displayname")
    assert found == {"/alice/calendar/": {"{DAV:}displayname": "Mine"}}


@pytest.mark.parametrize(
    "body", ["", "<", "<a xmlns='DAV:'/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"]
)
@pytest.mark.parametrize("method", ["PROPPATCH", "PROPFIND", "REPORT", "MKCALENDAR", "MKCOL"])
def test_a_malformed_body_is_not_a_server_error(client: Client, method: str, body: str) -> None:
    client("PROPFIND", "/alice/")
    assert client(method, "/alice/calendar/", body).status < 500
    assert client(method, "/alice/fresh/", body).status < 500


def test_allprop_is_answered_at_every_level(client: Client) -> None:
    put(client, "a.ics", event("a"))
    for path in ("/", "/alice/", "/alice/calendar/", "/alice/calendar/a.ics"):
        for depth in ("0", "1"):
            assert client("PROPFIND", path, headers={"Depth": depth}).status == 207


def test_an_unparsable_object_does_not_break_a_query(client: Client) -> None:
    put(client, "plain.ics", event("plain"))
    # vobject, which evaluates such a filter, cannot parse this; clients can.
    put(
        client,
        "odd.ics",
        event(
            "odd",
            "20260105T090000Z",
            "EXDATE;VALUE=DATE:20260106",
            "RRULE:FREQ=DAILY;COUNT=5",
            "DURATION:PT2H",
        ),
    )
    text = QUERY.format(start="20260101T000000Z", end="20260201T000000Z").replace(
        "</C:comp-filter></C:comp-filter>",
        '<C:prop-filter name="SUMMARY"><C:text-match>Meeting</C:text-match></C:prop-filter>'
        "</C:comp-filter></C:comp-filter>",
    )
    answer = client("REPORT", "/alice/calendar/", text)
    assert answer.status == 207
    assert "/alice/calendar/plain.ics" in answer.hrefs()


def test_the_whole_calendar_is_one_file(client: Client) -> None:
    put(client, "a.ics", event("a"))
    put(client, "b.ics", event("b", "20260106T090000Z", "X-ODD:one,two, three"))
    answer = client("GET", "/alice/calendar/")
    assert answer.status == 200
    assert answer.body.count(b"BEGIN:VCALENDAR") == 1
    assert answer.body.count(b"BEGIN:VEVENT") == 2
    assert b"X-ODD:one,two, three\r\n" in answer.body


def test_well_known_addresses_redirect_without_a_login(client: Client) -> None:
    for name in ("caldav", "carddav"):
        for method in ("GET", "PROPFIND"):
            answer = client(method, f"/.well-known/{name}", user="")
            assert answer.status == 301
            assert answer.headers["Location"] == "/"


def test_headers_of_an_untrusted_client_are_ignored(client: Client) -> None:
    forged = {"X-Script-Name": "//evil.example", "X-Remote-User": "bob"}
    answer = client("GET", "/.well-known/caldav", user="", headers=forged)
    assert answer.headers["Location"] == "/"
    assert client("PROPFIND", "/bob/", headers=forged).status == 403
    assert client("PROPFIND", "/bob/", user="", headers=forged).status == 401


def test_options_answers_200_without_a_login(client: Client) -> None:
    answer = client("OPTIONS", "/", user="")
    assert answer.status == 200
    assert "calendar-access" in answer.headers["DAV"]
