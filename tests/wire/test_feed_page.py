"""The web page of a feed, over WSGI: access, content and safety."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest
import recurring_ical_events
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from bench.events import BERLIN, events
from kalends.cli import demo
from kalends.cli.main import main
from support.installation import Answer, Client, Installation, event

FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"

[feed.everyone]
calendars = ["*/*"]
access = "login"
private = "busy"

[feed.family]
calendars = ["alice/*", "bob/calendar"]
access = "secret"
embed = ["https://www.example.org"]

[feed.open]
title = "Open & free"
calendars = ["*/*"]
access = "public"
embed = "*"
components = ["VEVENT", "VTODO"]

[feed.named]
calendars = ["*/*"]
access = "public"
categories = true
private = "busy"
week_begins = "sunday"
timezone = "Asia/Tokyo"

[feed.recent]
calendars = ["alice/*"]
access = "public"
past = "30d"
"""

DRAWN = re.compile(r"<svg.*?</svg>", re.DOTALL)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """An installation that no test writes to."""
    installation = Installation(tmp_path_factory.mktemp("site"), feeds=FEEDS)
    with installation.client() as client:
        yield client


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path, feeds=FEEDS)


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    with installation.client() as client:
        yield client


def put(client: Client, name: str, body: bytes, calendar: str = "alice/calendar") -> None:
    user = calendar.partition("/")[0]
    answer = client("PUT", f"/{calendar}/{name}.ics", body, user=user)
    assert answer.status in (201, 204), answer


def page(client: Client, query: str = "", feed: str = "open") -> str:
    answer = client("GET", f"/feeds/{feed}/{query}", user="")
    assert answer.status == 200, answer
    return answer.body.decode()


def titles(text: str) -> list[str]:
    """Return the titles on a page, in order."""
    return [
        html.unescape(t) for t in re.findall(r'<span class="what" dir="auto">(.*?)</span>', text)
    ]


def links(text: str) -> list[str]:
    """Return the targets of the links to events."""
    return [html.unescape(q) for q in re.findall(r'href="(\?[^"]*event=[^"]*)"', text)]


def secret_of(installation: Installation, capsys: pytest.CaptureFixture[str], feed: str) -> str:
    with pytest.raises(SystemExit):
        main(["feed", "url", feed, "--user", "alice", "--config", str(installation.config)])
    return capsys.readouterr().out.strip().split("/feeds/s/")[1].split("/")[0]


@pytest.mark.parametrize(
    ("path", "user", "status"),
    [
        ("alice/", "alice", 200),
        ("alice/", "bob", 403),
        ("alice/", "", 401),
        ("everyone/", "bob", 200),
        ("everyone/", "", 401),
        ("family/", "alice", 404),
        ("open/", "", 200),
        ("open", "", 308),
        ("open/more", "", 404),
        ("open/more/", "", 404),
        ("nothing/", "bob", 404),
        ("nothing/", "", 401),
        ("s/guess/family/", "", 404),
        ("s/guess/.static/", "", 404),
    ],
)
def test_the_page_has_the_access_rules_of_the_file(
    site: Client, path: str, user: str, status: int
) -> None:
    assert site("GET", f"/feeds/{path}", user=user).status == status


def test_an_address_without_its_slash_redirects_to_the_page(site: Client) -> None:
    answer = site("GET", "/feeds/open", user="", environ={"SCRIPT_NAME": "/dav"})
    assert answer.headers["Location"] == "http://127.0.0.1/dav/feeds/open/"


def test_a_secret_shows_the_page_until_it_is_rotated(
    installation: Installation, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    put(client, "a", event("a", summary="Of Alice"))
    secret = secret_of(installation, capsys, "family")
    answer = client("GET", f"/feeds/s/{secret}/family/?date=2026-01-05", user="")
    assert titles(answer.body.decode()) == ["Of Alice"]
    assert answer.headers["Cache-Control"].startswith("private")
    assert 'content="noindex, nofollow"' in answer.body.decode()
    assert f"/feeds/s/{secret}/family.ics" in answer.body.decode()
    with pytest.raises(SystemExit):
        main(["feed", "rotate", "family", "--user", "alice", "--config", str(installation.config)])
    assert client("GET", f"/feeds/s/{secret}/family/", user="").status == 404


@pytest.mark.parametrize("view", ["month", "week", "day", "agenda"])
def test_each_view_shows_the_events_of_its_period(client: Client, view: str) -> None:
    put(client, "a", event("a", "20260105T090000Z", summary="In January"))
    put(client, "b", event("b", "20260405T090000Z", summary="In April"))
    text = page(client, f"?view={view}&date=2026-01-05")
    assert titles(text) == ["In January"]
    assert "January" in text
    (link,) = links(text)
    assert "Monday, 5 January 2026, 09:00" in page(client, link)


def test_all_values_are_escaped_and_only_safe_urls_become_links(client: Client) -> None:
    put(
        client,
        "x",
        event(
            "x",
            "20260105T090000Z",
            "LOCATION:<b>here</b>",
            "URL:javascript:alert(1)",
            "CONFERENCE:https://meet.example.org/?a=1&b=\"'",
            "DESCRIPTION:<img src=x onerror=alert(1)> see https://example.org/a?b=1&c=2 or"
            " javascript:alert(2)",
            "CATEGORIES:<i>one</i>",
            'ORGANIZER;CN="<u>O</u>":mailto:o@example.org',
            summary='<script>alert(1)</script> " onclick=x',
        ),
    )
    for query in ("?date=2026-01-05", "?view=week&date=2026-01-05", "?view=agenda&date=2026-01-05"):
        text = page(client, query)
        assert "<script>alert" not in text
        assert titles(text) == ['<script>alert(1)</script> " onclick=x']
    (link,) = links(text)
    shown = page(client, link)
    assert not re.search(r"<(b|i|u|img|script>)\b", DRAWN.sub("", shown))
    assert set(re.findall(r'href="((?:https?|javascript|mailto)[^"]*)"', shown)) == {
        "https://meet.example.org/?a=1&amp;b=&#34;&#39;",
        "https://example.org/a?b=1&amp;c=2",
        "http://127.0.0.1/feeds/open.ics",
    }
    assert " style=" not in shown
    tags = re.sub(r'"[^"]*"', "", " ".join(re.findall(r"<[^>]*>", shown)))
    assert not re.search(r"\son[a-z]+=", tags)


def test_no_hidden_text_is_on_the_page(client: Client) -> None:
    secretive = ("LOCATION:sesame place", "DESCRIPTION:sesame words", "URL:https://sesame.example")
    put(client, "p", event("uid-p", "20260105T090000Z", "CLASS:PRIVATE", *secretive, summary="P"))
    put(
        client,
        "c",
        event("uid-c", "20260106T090000Z", "CLASS:CONFIDENTIAL", *secretive, summary="C"),
    )
    folded = event("uid-f", "20260107T090000Z", summary="F").replace(
        b"END:VEVENT", b"CLA\r\n SS:PRIVATE\r\nEND:VEVENT"
    )
    put(client, "f", folded)
    for view in ("month", "week", "day", "agenda"):
        for day in ("05", "06", "07"):
            text = page(client, f"?view={view}&date=2026-01-{day}")
            assert "sesame" not in text
            assert "uid-" not in text
            assert set(titles(text)) <= {"Busy"}
    assert titles(page(client, "?date=2026-01-05")) == ["Busy"]
    (link,) = links(page(client, "?date=2026-01-05"))
    assert "sesame" not in page(client, link)
    assert titles(page(client, "?date=2026-01-05", "named")) == ["Busy", "Busy", "Busy"]
    owner = client("GET", "/feeds/alice/?date=2026-01-05").body.decode()
    assert titles(owner) == ["P", "C", "F"]


def test_a_hidden_override_leaves_a_gap(client: Client) -> None:
    body = event("s", "20260105T090000Z", "RRULE:FREQ=DAILY;COUNT=3", summary="Daily")
    override = [
        "BEGIN:VEVENT",
        "UID:s",
        "DTSTAMP:20260101T000000Z",
        "RECURRENCE-ID:20260106T090000Z",
        "DTSTART:20260106T150000Z",
        "SUMMARY:Hidden",
        "CLASS:PRIVATE",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    put(client, "s", body.replace(b"END:VCALENDAR\r\n", "\r\n".join(override).encode()))
    assert titles(page(client, "?date=2026-01-05")) == ["Daily", "Daily"]


def test_an_override_replaces_its_occurrence(client: Client) -> None:
    body = event("s", "20260105T090000Z", "RRULE:FREQ=DAILY;COUNT=5", summary="Daily")
    parts = []
    for recurrence, start, name in (
        ("RECURRENCE-ID:20260106T090000Z", "20260106T150000Z", "Moved"),
        ("RECURRENCE-ID;RANGE=THISANDFUTURE:20260108T090000Z", "20260108T100000Z", "From now on"),
    ):
        parts += [
            "BEGIN:VEVENT",
            "UID:s",
            "DTSTAMP:20260101T000000Z",
            recurrence,
            f"DTSTART:{start}",
            "DURATION:PT1H",
            f"SUMMARY:{name}",
            "END:VEVENT",
        ]
    parts += ["END:VCALENDAR", ""]
    put(client, "s", body.replace(b"END:VCALENDAR\r\n", "\r\n".join(parts).encode()))
    expected = ["Daily", "Moved", "Daily", "From now on", "From now on"]
    assert titles(page(client, "?date=2026-01-05")) == expected
    assert titles(page(client, "?view=agenda&date=2026-01-05")) == expected
    shown = [page(client, link) for link in links(page(client, "?date=2026-01-05"))]
    assert "6 January 2026, 15:00" in shown[1]
    assert "9 January 2026, 10:00" in shown[4]


def override(replaces: str, start: str, summary: str, *lines: str) -> str:
    return "\r\n".join(
        [
            *("BEGIN:VEVENT", "UID:s", "DTSTAMP:20260101T000000Z"),
            *(f"RECURRENCE-ID:{replaces}", f"DTSTART:{start}", "DURATION:PT1H"),
            *(f"SUMMARY:{summary}", *lines, "END:VEVENT", ""),
        ]
    )


def test_overrides_at_the_time_of_other_occurrences_are_shown_beside_them(client: Client) -> None:
    body = event("s", "20260105T090000Z", "RRULE:FREQ=DAILY;COUNT=5", summary="Daily").decode()
    parts = (
        override("20260106T090000Z", "20260107T090000Z", "Moved onto another"),
        override("20260108T090000Z", "20260107T120000Z", "Moved together"),
        override("20260109T090000Z", "20260107T120000Z", "Moved as well"),
    )
    put(client, "s", body.replace("END:VCAL", f"{''.join(parts)}END:VCAL").encode())
    expected = ["Daily", "Daily", "Moved as well", "Moved onto another", "Moved together"]
    for view in ("month", "week", "agenda"):
        text = page(client, f"?view={view}&date=2026-01-05")
        assert sorted(titles(text)) == expected
        for title, link in zip(titles(text), links(text), strict=True):
            assert f'<h1 class="" dir="auto">{title}</h1>' in page(client, link)


def test_the_address_of_an_occurrence_outlives_its_override(client: Client) -> None:
    body = event("s", "20260105T090000Z", "RRULE:FREQ=DAILY;COUNT=2", summary="Daily").decode()
    put(client, "s", body.encode())
    link = links(page(client, "?date=2026-01-05"))[1]
    part = override("20260106T090000Z", "20260106T090000Z", "Special")
    put(client, "s", body.replace("END:VCAL", f"{part}END:VCAL").encode())
    assert "Special</h1>" in page(client, link)


def test_events_at_the_ends_of_time_are_shown(client: Client) -> None:
    spans = [
        ("DTSTART:20260110T000000Z", "DTEND:99991231T235959Z"),
        ("DTSTART:20260110T000000Z", "DURATION:P3000000D"),
        ("DTSTART;VALUE=DATE:20260110", "DTEND;VALUE=DATE:99991231"),
        ("DTSTART:20260110T100000", "DTEND:99991231T235959"),
        ("DTSTART;TZID=America/New_York:20260110T100000", "DURATION:P3000000D"),
        ("DTSTART:00010101T000000Z", "DTEND:20260112T000000Z"),
        ("DTSTART;TZID=Asia/Tokyo:00010101T000000", "DTEND:20260112T000000Z"),
        ("DTSTART;VALUE=DATE:00010101", "DTEND;VALUE=DATE:20260112"),
        ("DTSTART;VALUE=DATE:09990101", "DTEND;VALUE=DATE:20260112"),
    ]
    for number, (begin, lasts) in enumerate(spans):
        for hidden in ([], ["CLASS:CONFIDENTIAL"]):
            name = f"{number}{''.join(hidden)[:1]}"
            body = event(name, "x", lasts, *hidden, summary=name)
            body = body.replace(b"DURATION:PT1H\r\n", b"").replace(b"DTSTART:x", begin.encode())
            put(client, name, body)
    expected = {*map(str, range(len(spans))), "Busy"}
    for zone in ("UTC", "Asia/Tokyo", "America/New_York"):
        for view in ("month", "week", "day"):
            assert titles(page(client, f"?view={view}&date=2026-01-11&tz={zone}"))
        text = page(client, f"?view=agenda&date=2026-01-11&tz={zone}")
        assert set(titles(text)) == expected
        for link in set(links(text)):
            assert 'class="when"' in page(client, link)


def test_a_meeting_in_two_calendars_is_shown_once(client: Client) -> None:
    organizer = "ORGANIZER:mailto:o@example.org"
    put(client, "m", event("m", "20260105T090000Z", organizer, summary="Old"))
    put(
        client,
        "m",
        event("m", "20260112T090000Z", organizer, "SEQUENCE:2", summary="New"),
        "bob/calendar",
    )
    # The newer copy is in another week; the older one must not be shown instead.
    assert titles(page(client, "?date=2026-01-05")) == ["New"]
    assert titles(page(client, "?view=week&date=2026-01-05")) == []


def test_different_events_with_the_same_uid_are_all_shown(client: Client) -> None:
    put(client, "m", event("m", "20260105T090000Z", summary="One"))
    put(client, "m", event("m", "20260105T100000Z", summary="Other"), "bob/calendar")
    text = page(client, "?date=2026-01-05")
    assert titles(text) == ["One", "Other"]
    shown = [page(client, link) for link in links(text)]
    assert ["One</h1>" in shown[0], "Other</h1>" in shown[1]] == [True, True]


def test_events_outside_the_window_are_not_on_the_page(client: Client) -> None:
    now = datetime.now(UTC)
    old, new = now - timedelta(days=50), now - timedelta(days=3)
    put(client, "o", event("o", f"{old:%Y%m%dT%H%M%SZ}", summary="Old"))
    put(client, "n", event("n", f"{new:%Y%m%dT%H%M%SZ}", summary="New"))
    put(client, "r", event("r", f"{old:%Y%m%dT%H%M%SZ}", "RRULE:FREQ=WEEKLY", summary="Weekly"))
    then = titles(page(client, f"?view=day&date={old:%Y-%m-%d}", "recent"))
    assert then == ["Weekly"]
    assert "New" in titles(page(client, f"?view=day&date={new:%Y-%m-%d}", "recent"))
    assert titles(page(client, f"?view=day&date={old:%Y-%m-%d}")) == ["Old", "Weekly"]


def test_times_are_in_the_requested_zone(client: Client) -> None:
    put(client, "a", event("a", "20260105T233000Z", summary="Late"))
    put(client, "f", event("f", "20260105T080000", summary="Floating"))
    put(
        client,
        "d",
        event("d", "20260105T000000Z", summary="Day")
        .replace(b"DTSTART:20260105T000000Z", b"DTSTART;VALUE=DATE:20260105")
        .replace(b"DURATION:PT1H", b"DURATION:P1D"),
    )
    assert titles(page(client, "?view=day&date=2026-01-05")) == ["Day", "Floating", "Late"]
    tokyo = page(client, "?view=day&date=2026-01-06&tz=Asia/Tokyo")
    assert titles(tokyo) == ["Late"]
    assert "08:30 " in tokyo
    assert "Times in Asia/Tokyo (UTC+9)" in tokyo
    assert "tz=Asia%2FTokyo" in links(tokyo)[0]
    assert titles(page(client, "?view=day&date=2026-01-05", "named")) == ["Day", "Floating"]
    assert "Times in Asia/Tokyo" in page(client, "?view=day&date=2026-01-05", "named")


def test_a_link_leads_back_to_the_zone_of_the_feed(client: Client) -> None:
    query = "?view=day&date=2026-01-06&tz=Europe/Vienna"
    (back,) = re.findall(r'href="([^"]*)">Show in Asia/Tokyo<', page(client, query, "named"))
    assert html.unescape(back) == "?view=day&date=2026-01-06"
    assert "Show in" not in page(client, html.unescape(back), "named")
    assert "Show in" not in page(client, query, "open")  # the feed has no zone


@pytest.mark.parametrize(
    ("begin", "end", "told", "high"),
    [
        ("20261025T003000Z", "20261025T013000Z", "02:30 – 02:30", 60),
        ("20261025T005000Z", "20261025T013500Z", "02:50 – 02:35", 45),
        ("20261025T005500Z", "20261025T005500Z", "02:55", 30),
        ("20260329T003000Z", "20260329T013000Z", "01:30 – 03:30", 120),
    ],
)
def test_an_event_across_a_clock_change_keeps_both_its_times(
    client: Client, begin: str, end: str, told: str, high: int
) -> None:
    body = event("a", begin, f"DTEND:{end}").replace(b"DURATION:PT1H\r\n", b"")
    put(client, "a", body)
    query = f"date={begin[:4]}-{begin[4:6]}-{begin[6:8]}&tz=Europe/Vienna"
    listed = page(client, f"?view=agenda&{query}")
    assert f'<span class="time">{told}</span>' in listed
    assert f", {told}</time>" in page(client, links(listed)[0])
    assert f".n{high}{{" in page(client, f"?view=day&{query}")


@pytest.mark.parametrize(
    ("tzid", "told"),
    [
        ("Europe/Berlin", "Times in Europe/Berlin (UTC+1)"),
        ("/example.org/Europe/Berlin", "Times in Europe/Berlin (UTC+1)"),
        ("What Alice calls it", "Times in the calendar’s own zone (UTC+1)"),
    ],
)
def test_the_zone_of_the_calendar_is_the_default(client: Client, tzid: str, told: str) -> None:
    zone = BERLIN.replace("TZID:Europe/Berlin", f"TZID:{tzid}")
    zone = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{zone}END:VCALENDAR\r\n"
    patch = (
        '<propertyupdate xmlns="DAV:"><set><prop><calendar-timezone'
        f' xmlns="urn:ietf:params:xml:ns:caldav">{zone}</calendar-timezone></prop></set>'
        "</propertyupdate>"
    )
    put(client, "a", event("a", "20260105T233000Z", summary="Late"))
    assert client("PROPPATCH", "/alice/calendar/", patch).status == 207
    text = page(client, "?view=day&date=2026-01-06", "recent")
    assert told in text
    assert "What Alice" not in text


def test_links_of_an_embedded_page_stay_in_its_frame(site: Client) -> None:
    there = site("GET", "/feeds/open?embed=1&view=week", user="").headers["Location"]
    assert there == "http://127.0.0.1/feeds/open/?embed=1&view=week"
    for query in ("date=x", "event=0123456789abcdef&at=20260105"):
        answer = site("GET", f"/feeds/open/?{query}&embed=1", user="")
        assert answer.status in (400, 404)
        assert frame_ancestors(answer) == "*"
        assert 'href="http://127.0.0.1/feeds/open/?embed=1"' in answer.body.decode()


def test_only_the_first_page_of_a_public_feed_may_be_indexed(site: Client) -> None:
    assert 'content="nofollow"' in page(site)
    assert 'content="noindex, nofollow"' in page(site, "?date=2026-01-05")
    own = site("GET", "/feeds/alice/").body.decode()
    assert 'content="noindex, nofollow"' in own


def test_the_week_begins_where_the_definition_says(site: Client) -> None:
    assert "28 December 2025 – 3 January 2026" not in page(site, "?view=week&date=2026-01-01")
    assert "28 December 2025 – 3 January 2026" in page(site, "?view=week&date=2026-01-01", "named")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("date=2026-13-01", "There is no day 2026-13-01"),
        ("date=2026-02-30", "There is no day"),
        ("date=tomorrow", "is not a date"),
        ("date=0001-01-01", "years from 1900"),
        ("date=9999-12-31", "years from 1900"),
        ("date=%3Cscript%3E", "is not a date"),
        ("view=year", "There is no view"),
        ("skip=-1", "is not a number"),
        ("event=1&at=x", "incomplete"),
        ("&".join(f"a{n}=1" for n in range(99)), "too many fields"),
    ],
)
def test_an_invalid_query_is_refused_with_a_reason(site: Client, query: str, why: str) -> None:
    answer = site("GET", f"/feeds/open/?{query}", user="")
    assert answer.status == 400
    text = answer.body.decode()
    assert why in html.unescape(text)
    assert "<script>" not in text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    "query", ["fbclid=x", "date=", "date=2026-02", "embed=0", "date=1900-01-01", "date=2199-12-31"]
)
@pytest.mark.parametrize("view", ["month", "week", "day", "agenda"])
def test_unusual_but_valid_queries_are_accepted(site: Client, view: str, query: str) -> None:
    assert site("GET", f"/feeds/open/?view={view}&{query}", user="").status == 200


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "Etc/Unknown", "../../etc/passwd", "x" * 500, "%3Cscript%3E"]
)
def test_an_unknown_zone_falls_back_to_that_of_the_feed(site: Client, zone: str) -> None:
    text = page(site, f"?date=2026-01-05&tz={zone}", "named")
    assert "is not a known time zone" in text
    assert "Times in Asia/Tokyo" in text
    assert "<script>" not in text
    assert 'content="noindex, nofollow"' in page(site, f"?tz={zone}")


@pytest.mark.parametrize("day", ["1900-01-01", "2199-12-31"])
def test_no_link_leads_beyond_the_supported_dates(client: Client, day: str) -> None:
    put(client, "a", event("a", "18991231T000000Z", "RRULE:FREQ=HOURLY", summary="Hourly"))
    for feed in ("open", "named"):
        for view in ("month", "week", "day", "agenda"):
            text = page(client, f"?view={view}&date={day}", feed)
            for query in set(re.findall(r'href="(\?[^"]*)"', text)):
                assert page(client, html.unescape(query), feed)


def test_an_address_too_long_for_a_qr_code_is_shown_without_one(site: Client) -> None:
    answer = site("GET", "/feeds/open/", user="", headers={"Host": "a" * 3000})
    assert (answer.status, answer.body.count(b"qr")) == (200, 0)
    assert b'class="qr"' in site("GET", "/feeds/open/", user="").body


def test_all_addresses_of_a_page_have_the_prefix_encoded_once(tmp_path: Path) -> None:
    options = {"kalends__trusted_proxies": "127.0.0.1"}
    with Installation(tmp_path, feeds=FEEDS, options=options).client() as client:
        outside = {"X-Script-Name": "/kalend\xc3\xa9r", "Host": "dav.example.org"}
        moved = client("GET", "/feeds/open", user="", headers=outside)
        prefix = "/kalend%C3%A9r/feeds/"
        assert moved.headers["Location"] == f"http://dav.example.org{prefix}open/"
        page = client("GET", "/feeds/open/", user="", headers=outside).body.decode()
        found = re.findall(r'(?:href|src|value)="([^"]*kalend[^"]*)"', page)
        assert {f"webcal://dav.example.org{prefix}open.ics"} < set(found)
        assert all(urlsplit(one).path.startswith(prefix) for one in found), found


def test_a_deleted_event_is_404(client: Client) -> None:
    put(client, "a", event("a", "20260105T090000Z"))
    (link,) = links(page(client, "?date=2026-01-05"))
    client("DELETE", "/alice/calendar/a.ics")
    answer = client("GET", f"/feeds/open/{link}", user="")
    assert answer.status == 404
    assert "no such event" in answer.body.decode()
    wrong = link.replace("20260105T090000Z", "99999999T999999Z")
    assert client("GET", f"/feeds/open/{wrong}", user="").status == 404
    for at in ("00010101", "99991231T235959Z", "00010101T000000Z"):
        query = f"event=0123456789abcdef&at={at}&tz=Asia/Tokyo"
        assert client("GET", f"/feeds/open/?{query}", user="").status == 404


def test_an_unchanged_page_is_not_sent_again(client: Client) -> None:
    put(client, "a", event("a", "20260105T090000Z"))
    first = client("GET", "/feeds/open/?date=2026-01-05", user="")
    known = {"If-None-Match": first.headers["ETag"]}
    again = client("GET", "/feeds/open/?date=2026-01-05", user="", headers=known)
    assert (again.status, again.body) == (304, b"")
    other = client("GET", "/feeds/open/?date=2026-02-05", user="", headers=known)
    assert other.status == 200
    put(client, "a", event("a", "20260105T090000Z", summary="Changed"))
    fresh = client("GET", "/feeds/open/?date=2026-01-05", user="", headers=known)
    assert fresh.status == 200
    assert titles(fresh.body.decode()) == ["Changed"]


def test_head_has_the_same_headers_and_other_methods_are_refused(site: Client) -> None:
    full, head = (site(method, "/feeds/open/", user="") for method in ("GET", "HEAD"))
    assert (head.status, head.body, head.headers) == (200, b"", full.headers)
    for method in ("POST", "PUT", "DELETE"):
        answer = site(method, "/feeds/open/", b"x", user="")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_assets_need_no_login(site: Client) -> None:
    found = set(re.findall(r'(?:href|src)="(/feeds/s/\.static/[^"]+)"', page(site)))
    assert len(found) == 4
    for path in found:
        assert site("GET", path, user="").status == 200


def frame_ancestors(answer: Answer) -> str:
    return answer.headers["Content-Security-Policy"].partition("frame-ancestors ")[2]


def test_the_demo_prints_the_address_of_the_page(tmp_path: Path) -> None:
    demo.prepare(tmp_path)
    told = demo.announcement(tmp_path, "http://127.0.0.1:5232/")
    for path in ("demo/", "feeds/demo.ics", "feeds/demo/"):
        assert f"http://127.0.0.1:5232/{path}\n" in told


def test_the_definition_says_which_sites_may_embed_the_page(
    installation: Installation, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    assert frame_ancestors(client("GET", "/feeds/open/", user="")) == "'none'"
    assert frame_ancestors(client("GET", "/feeds/open/?embed=1", user="")) == "*"
    assert frame_ancestors(client("GET", "/feeds/named/?embed=1", user="")) == "'none'"
    assert frame_ancestors(client("GET", "/feeds/alice/?embed=1")) == "'none'"
    secret = secret_of(installation, capsys, "family")
    answer = client("GET", f"/feeds/s/{secret}/family/?embed=1", user="")
    assert frame_ancestors(answer) == "https://www.example.org"
    assert "X-Frame-Options" not in answer.headers
    assert all("embed=1" in link for link in re.findall(r'href="(\?[^"]*)"', answer.body.decode()))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('embed = "example.org"', "'embed' must be"),
        ('embed = ["example.org"]', "must be a site"),
        ('embed = ["https://example.org/page"]', "must be a site"),
        ('embed = ["https://a.example; script-src *"]', "must be a site"),
        ('timezone = "Mars/Olympus"', "'timezone'"),
        ('week_begins = "today"', "'week_begins'"),
    ],
)
def test_an_invalid_page_definition_is_refused(
    installation: Installation, capsys: pytest.CaptureFixture[str], line: str, why: str
) -> None:
    installation.feeds_file.write_text(
        f'[feed.open]\ncalendars = ["*/*"]\naccess = "public"\n{line}\n'
    )
    with pytest.raises(SystemExit):
        main(["check", "--config", str(installation.config)])
    said = capsys.readouterr().err
    assert why in said
    assert "feeds.toml:4:" in said


def test_calendar_names_are_shown_only_where_the_feed_names_them(client: Client) -> None:
    client("MKCALENDAR", "/alice/therapy/")
    put(client, "a", event("a", "20260105T090000Z"))
    put(client, "b", event("b", "20260105T090000Z"), "alice/therapy")
    assert "therapy" not in page(client, "?date=2026-01-05")
    assert "therapy" in page(client, "?date=2026-01-05", "named")
    assert "therapy" in client("GET", "/feeds/alice/?date=2026-01-05").body.decode()


def test_the_calendar_of_a_hidden_event_is_not_named(client: Client) -> None:
    for name, title in (
        ("therapy", "Chemotherapy"),
        ("secrets", "Secrets"),
        ("choir", "Our Choir"),
    ):
        client("MKCALENDAR", f"/alice/{name}/")
        patch = (
            '<propertyupdate xmlns="DAV:"><set><prop><displayname>'
            f"{title}</displayname></prop></set></propertyupdate>"
        )
        assert client("PROPPATCH", f"/alice/{name}/", patch).status == 207
    put(client, "a", event("a", "20260105T090000Z"))
    put(client, "b", event("b", "20260105T090000Z", "CLASS:PRIVATE"), "alice/therapy")
    put(client, "c", event("c", "20260105T090000Z", "CLASS:CONFIDENTIAL"), "alice/secrets")
    put(client, "d", event("d", "20260105T090000Z"), "alice/choir")
    text = page(client, "?date=2026-01-05", "named")
    assert "choir" in text
    for hidden in ("therapy", "secrets", "Chemotherapy", "Secrets", "Our Choir"):
        assert hidden not in text
    own = client("GET", "/feeds/alice/?date=2026-02-05").body.decode()
    for shown in ("Chemotherapy", "Secrets", "Our Choir"):
        assert shown in own


def test_a_dense_rule_is_truncated_with_a_link_to_the_rest(client: Client) -> None:
    put(client, "h", event("h", "20200101T000000Z", "RRULE:FREQ=HOURLY", summary="Hourly"))
    text = page(client, "?date=2026-01-05")
    assert text.count("+20<") == len(re.findall(r'<li class="day ', text))
    assert titles(page(client, "?view=day&date=2026-01-05")) == ["Hourly"] * 24
    listed = page(client, "?view=agenda&date=2026-01-05")
    assert len(titles(listed)) == 200
    (rest,) = re.findall(r'href="([^"]*skip=[^"]*)"', listed)
    assert "date=2026-01-13" in rest
    assert "skip=8" in rest
    assert len(titles(page(client, html.unescape(rest)))) == 200


def test_tasks_are_shown_on_their_due_day(client: Client) -> None:
    for name, lines in {
        "due": ("DUE;VALUE=DATE:20260107", "SUMMARY:Due"),
        "done": ("DUE:20260107T090000Z", "STATUS:COMPLETED", "SUMMARY:Done"),
        "off": ("DUE:20260108T090000Z", "STATUS:CANCELLED", "SUMMARY:Off"),
        "whenever": ("SUMMARY:Whenever",),
    }.items():
        text = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//EN", "BEGIN:VTODO", f"UID:{name}"]
        text += ["DTSTAMP:20260101T000000Z", *lines, "END:VTODO", "END:VCALENDAR", ""]
        put(client, name, "\r\n".join(text).encode(), "alice/tasks")
    assert titles(page(client, "?date=2026-01-05")) == ["Due", "Done", "Off"]
    told = [page(client, link) for link in links(page(client, "?view=agenda&date=2026-01-05"))]
    states = [re.findall(r'class="state">(.*?)<', text) for text in told]
    assert states == [[], ["Done"], ["Cancelled"]]
    assert re.findall(r'unseen">(\w[^<]*): ', page(client, "?view=agenda&date=2026-01-05")) == [
        *("To do", "Done", "Cancelled")
    ]
    assert titles(page(client, "?view=day&date=2026-01-07")) == ["Due", "Done"]
    assert titles(page(client, "?view=day&date=2026-01-06")) == []


def test_the_page_shows_the_same_events_as_the_file(tmp_path: Path, store_url: str) -> None:
    options = {"storage__database": store_url}
    with Installation(tmp_path, feeds=FEEDS, options=options).client() as client:
        compare_page_and_file(client)


def compare_page_and_file(client: Client) -> None:
    for item in events(150):
        put(client, item.name.removesuffix(".ics"), item.text.encode())
    moved = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//EN", *BERLIN.splitlines(),
        *("BEGIN:VEVENT", "UID:series", "DTSTAMP:20240101T000000Z", "SUMMARY:Series"),
        *("DTSTART;TZID=Europe/Berlin:20250303T233000", "DURATION:PT2H"),
        *("RRULE:FREQ=WEEKLY;BYDAY=MO,SU", "EXDATE;TZID=Europe/Berlin:20250330T233000"),
        *("RDATE;TZID=Europe/Berlin:20250305T010000", "END:VEVENT"),
        *("BEGIN:VEVENT", "UID:series", "DTSTAMP:20240101T000000Z", "SUMMARY:Moved"),
        *("RECURRENCE-ID;TZID=Europe/Berlin:20250310T233000", "DURATION:PT1H"),
        *("DTSTART;TZID=Europe/Berlin:20250311T120000", "END:VEVENT", "END:VCALENDAR", ""),
    ]  # fmt: skip
    put(client, "series", "\r\n".join(moved).encode())
    calendar = Calendar.from_ical(client("GET", "/feeds/open.ics", user="").body)
    query = recurring_ical_events.of(calendar)
    for first in (date(2025, 3, 1), date(2025, 10, 15), date(2027, 1, 1), date(2031, 6, 1)):
        expected = []
        for one in query.between(first, first + timedelta(days=30)):
            start, end = one["DTSTART"].dt, one["DTEND"].dt
            if isinstance(start, datetime):
                start, end = start.astimezone(UTC), end.astimezone(UTC)
                start, end = start.date(), (end - timedelta(seconds=1)).date() + timedelta(days=1)
            while start < end:
                if first <= start < first + timedelta(days=30):
                    expected.append((start.isoformat(), str(one["SUMMARY"])))
                start += timedelta(days=1)
        text = page(client, f"?view=agenda&date={first}")
        shown = [
            (day, title)
            for day, listed in re.findall(
                r'<section class="listed.*?datetime="([^"]*)"(.*?)</section>', text, re.DOTALL
            )
            for title in titles(listed)
        ]
        assert sorted(shown) == sorted(expected)
        assert shown or first.year == 2031


JANUARY = "?view=month&date=2026-01-05"
WRITES = st.tuples(
    st.sampled_from(["alice/calendar", "bob/calendar"]),
    st.sampled_from(["one", "two", "three"]),
    st.sampled_from(["", "CLASS:PRIVATE", "RRULE:FREQ=DAILY;COUNT=3", "gone", "moved"]),
    st.sampled_from([5, 6, 28]),
)


@settings(max_examples=12)
@given(writes=st.lists(WRITES, min_size=2, max_size=8))
def test_the_index_cache_agrees_with_the_calendars(
    writes: list[tuple[str, str, str, int]],
) -> None:
    # Two calendars with three UIDs: an event may become private, or appear in both calendars.
    with TemporaryDirectory() as folder:
        installation = Installation(Path(folder), feeds=FEEDS)
        with installation.client() as client:
            for calendar, uid, what, day in writes:
                path, user = f"/{calendar}/{uid}.ics", calendar.partition("/")[0]
                if what == "gone":
                    client("DELETE", path, user=user)
                elif what == "moved":
                    to = {"Destination": f"http://localhost/{calendar}/{uid}-{day}.ics"}
                    client("MOVE", path, user=user, headers=to)
                else:
                    lines = [what] if what else []
                    title = f"{uid} of {user}"
                    text = event(uid, f"202601{day:02}T100000Z", *lines, summary=title)
                    client("PUT", path, text, user=user)
                for feed in ("open", "named"):
                    page(client, JANUARY, feed)
            with installation.client() as another:
                for feed in ("open", "named"):
                    assert page(client, JANUARY, feed) == page(another, JANUARY, feed)
