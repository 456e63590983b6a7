"""Reports on calendars and address books: what is answered, and what is refused and why."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.installation import NAMES, Answer, Client, Installation
from support.multistatus import parse_multistatus
from support.randomcalendars import BERLIN
from support.samples import calendar, card, component, event

CALENDAR, BOOK = "/alice/calendar/", "/alice/contacts/"
SPACES = " ".join(f'xmlns:{short}="{NAMES[short]}"' for short in ("D", "C", "CR"))
CAL, CARD = f"{{{NAMES['C']}}}", f"{{{NAMES['CR']}}}"
ETAG = "<D:prop><D:getetag/></D:prop>"
DAILY = calendar(
    component("VEVENT", "daily", "DTSTART:20260601T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY")
)
JUNE = 'start="20260601T000000Z" end="20260604T000000Z"'


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Open an application where alice has four events, a task and three cards."""
    with Installation(tmp_path_factory.mktemp("reports")).client() as client:
        objects = {
            "one.ics": event("one", "Lunch with Ann"),
            "two.ics": event("two", "Dinner", "20260701T180000Z"),
            "daily.ics": DAILY,
            "later.ics": event("later", "Much later", "20300101T090000Z"),
        }
        for name, text in objects.items():
            assert client("PUT", CALENDAR + name, text).status == 201
        for name in ("Ann Smith", "Bob Smith", "Carol Jones"):
            assert client("PUT", f"{BOOK}{name[0]}.vcf", card(name, name)).status == 201
        yield client


def report(root: str, *content: str) -> str:
    return f"<{root} {SPACES}>{''.join(content)}</{root}>"


def query(*filters: str, prop: str = ETAG, more: str = "") -> str:
    inner = "".join(filters)
    found = f'<C:filter><C:comp-filter name="VCALENDAR">{inner}</C:comp-filter></C:filter>'
    return report("C:calendar-query", prop, found, more)


def events(inner: str = "", prop: str = ETAG, more: str = "") -> str:
    return query(f'<C:comp-filter name="VEVENT">{inner}</C:comp-filter>', prop=prop, more=more)


def names(answer: Answer) -> list[str]:
    assert answer.status == 207, answer
    return sorted(href.rpartition("/")[2].partition(".")[0] for href in answer.hrefs())


SUMMARY = '<C:prop-filter name="SUMMARY"><C:text-match>{}</C:text-match></C:prop-filter>'


def test_a_search_finds_objects_by_their_text(client: Client) -> None:
    assert names(client("REPORT", CALENDAR, events(SUMMARY.format("ann")))) == ["one"]
    within = f"<C:time-range {JUNE}/>"
    assert names(client("REPORT", CALENDAR, events(within))) == ["daily", "one"]
    assert names(client("REPORT", CALENDAR, events(within + SUMMARY.format("ann")))) == ["one"]
    assert names(client("REPORT", CALENDAR, events(within + SUMMARY.format("dinner")))) == []
    assert names(client("REPORT", CALENDAR, query())) == ["daily", "later", "one", "two"]
    assert names(client("REPORT", CALENDAR, query(f"<C:time-range {JUNE}/>"))) == ["daily", "one"]


def test_a_query_without_a_filter_finds_all(client: Client) -> None:
    for body in (report("C:calendar-query", ETAG), query()):
        assert len(names(client("REPORT", CALENDAR, body))) == 4
    for body in (
        report("CR:addressbook-query", ETAG),
        report("CR:addressbook-query", ETAG, "<CR:filter/>"),
    ):
        assert names(client("REPORT", BOOK, body)) == ["A", "B", "C"]


def test_a_query_of_depth_0_is_about_the_collection_alone(client: Client) -> None:
    """RFC 4791 section 7.8; clients that leave Depth out mean its objects."""
    lunch, anns = events(SUMMARY.format("ann")), address_query(fn("ann"))
    for path, body, found in ((CALENDAR, lunch, ["one"]), (BOOK, anns, ["A"])):
        for depth, expected in (("0", []), ("1", found), ("infinity", found), ("Infinity", found)):
            assert names(client("REPORT", path, body, headers={"Depth": depth})) == expected
        windows = {"Depth": "0", "User-Agent": "MSFT-WP/8.10.14219"}
        assert names(client("REPORT", path, body, headers=windows)) == found
        assert client("REPORT", path, body, headers={"Depth": "2"}).status == 400
    one = client("REPORT", f"{CALENDAR}one.ics", lunch, headers={"Depth": "0"})
    assert names(one) == ["one"]


def test_the_collations_of_filters_are_told(client: Client) -> None:
    """RFC 4791 section 7.5.1, RFC 6352 section 8.3.1."""
    for path, short, other in ((CALENDAR, "C", "CR"), (BOOK, "CR", "C")):
        wanted = "".join(f"<{s}:supported-collation-set/>" for s in (short, other))
        answer = client(
            "PROPFIND", path, f"<D:propfind {SPACES}><D:prop>{wanted}</D:prop></D:propfind>"
        )
        told = answer.xml().findall(f".//{short}:supported-collation", NAMES)
        assert {"i;ascii-casemap", "i;octet", "i;unicode-casemap"} == {c.text for c in told}
        assert not answer.xml().findall(f".//{other}:supported-collation", NAMES)


def test_the_media_types_of_calendars_are_told(client: Client) -> None:
    """RFC 4791 section 5.2.4."""
    body = f"<D:propfind {SPACES}><D:prop><C:supported-calendar-data/></D:prop></D:propfind>"
    (kind,) = client("PROPFIND", CALENDAR, body).xml().findall(".//C:calendar-data", NAMES)
    assert kind.attrib == {"content-type": "text/calendar", "version": "2.0"}


def test_a_query_is_about_the_object_that_it_is_sent_to(client: Client) -> None:
    assert names(client("REPORT", f"{CALENDAR}one.ics", events(SUMMARY.format("ann")))) == ["one"]
    assert names(client("REPORT", f"{CALENDAR}one.ics", events(SUMMARY.format("bob")))) == []
    assert client("REPORT", f"{CALENDAR}none.ics", events()).status == 404


@pytest.mark.parametrize(
    "path", ["/alice//calendar/", "/alice/./calendar/", "/alice/calendar", "/alice/calendar/?a=b"]
)
def test_every_spelling_of_an_address_gets_one_answer(client: Client, path: str) -> None:
    body = events(SUMMARY.format("ann"))
    for headers in ({}, {"Accept-Encoding": "gzip"}):
        answer = client("REPORT", path, body, headers=headers)
        plain = answer.body
        if answer.headers.get("Content-Encoding") == "gzip":
            plain = gzip.decompress(plain)
        assert plain == client("REPORT", CALENDAR, body).body


def address_query(*filters: str, prop: str = ETAG, limit: str = "", test: str = "anyof") -> str:
    found = f'<CR:filter test="{test}">{"".join(filters)}</CR:filter>'
    more = f"<CR:limit><CR:nresults>{limit}</CR:nresults></CR:limit>" if limit else ""
    return report("CR:addressbook-query", prop, found, more)


def fn(text: str) -> str:
    return f'<CR:prop-filter name="FN"><CR:text-match>{text}</CR:text-match></CR:prop-filter>'


def test_a_search_finds_cards(client: Client) -> None:
    assert names(client("REPORT", BOOK, address_query(fn("smith")))) == ["A", "B"]
    assert names(client("REPORT", BOOK, address_query(fn("ann"), fn("carol")))) == ["A", "C"]
    assert names(client("REPORT", BOOK, address_query(fn("ann"), fn("smith"), test="allof"))) == [
        "A"
    ]


def test_a_limited_search_says_that_there_is_more(client: Client) -> None:
    """RFC 6352 section 8.6.2: 507 for the address of the request."""
    answer = client("REPORT", BOOK, address_query(fn("smith"), limit="1"))
    responses = answer.xml().findall("D:response", NAMES)
    assert [r.findtext("D:href", "", NAMES) for r in responses][1:] == [BOOK]
    assert responses[1].findtext("D:status", "", NAMES) == "HTTP/1.1 507 Insufficient Storage"
    assert responses[1].find("D:error/D:number-of-matches-within-limits", NAMES) is not None
    for enough in ("2", "100"):
        answer = client("REPORT", BOOK, address_query(fn("smith"), limit=enough))
        assert names(answer) == ["A", "B"]
    for wrong in ("0", "-1", "many", "1" * 5000):
        assert client("REPORT", BOOK, address_query(fn("smith"), limit=wrong)).status == 400


def data(answer: Answer, name: str = "C:calendar-data") -> list[str]:
    assert answer.status == 207, answer
    return [node.text or "" for node in answer.xml().iterfind(f".//{name}", NAMES)]


def wanting(inner: str, attributes: str = "") -> str:
    begin = f"C:calendar-data {attributes}".strip()
    return f"<D:prop><{begin}>{inner}</C:calendar-data></D:prop>"


def test_data_comes_expanded(client: Client) -> None:
    body = events(f"<C:time-range {JUNE}/>", prop=wanting(f"<C:expand {JUNE}/>"))
    daily = next(text for text in data(client("REPORT", CALENDAR, body)) if "UID:daily" in text)
    assert (
        re.findall("DTSTART:(.*)", daily)
        == [f"2026060{day}T090000Z" for day in (1, 2, 3)]
        == re.findall("RECURRENCE-ID:(.*)", daily)
    )
    assert "RRULE" not in daily


def test_an_object_without_an_instance_in_the_range_is_left_out_of_a_query(client: Client) -> None:
    prop = wanting(f"<C:expand {JUNE}/>").replace("<D:prop>", "<D:prop><D:getetag/>")
    assert names(client("REPORT", CALENDAR, events(prop=prop))) == ["daily", "one"]
    hrefs = f"<D:href>{CALENDAR}two.ics</D:href>"
    (two,) = data(client("REPORT", CALENDAR, report("C:calendar-multiget", prop, hrefs)))
    assert "VEVENT" not in two


def test_data_comes_in_part(client: Client) -> None:
    wanted = '<C:comp name="VEVENT"><C:prop name="SUMMARY"/><C:prop name="UID"/></C:comp>'
    wanted = f'<C:comp name="VCALENDAR"><C:prop name="VERSION"/>{wanted}</C:comp>'
    body = events(SUMMARY.format("ann"), prop=wanting(wanted))
    (text,) = data(client("REPORT", CALENDAR, body))
    lines = ["UID:one", "SUMMARY:Lunch with Ann"]
    assert text.splitlines() == [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT"),
        *lines,
        *("END:VEVENT", "END:VCALENDAR"),
    ]
    prop = '<D:prop><CR:address-data><CR:prop name="FN"/></CR:address-data></D:prop>'
    answer = client("REPORT", BOOK, address_query(fn("carol"), prop=prop))
    assert data(answer, "CR:address-data") == ["BEGIN:VCARD\nFN:Carol Jones\nEND:VCARD\n"]


def test_a_component_without_a_choice_comes_whole(client: Client) -> None:
    """RFC 4791 section 7.8.1: the example names VTIMEZONE alone, and gets all of it."""
    whole = client("GET", f"{CALENDAR}one.ics").body.decode().replace("\r\n", "\n")
    body = events(SUMMARY.format("ann"), prop=wanting('<C:comp name="VCALENDAR"/>'))
    assert data(client("REPORT", CALENDAR, body)) == [whole]
    inner = '<C:comp name="VCALENDAR"><C:comp name="VEVENT"/></C:comp>'
    (text,) = data(client("REPORT", CALENDAR, events(SUMMARY.format("ann"), prop=wanting(inner))))
    assert "VERSION" not in text
    assert "\nDTSTART:20260601T090000Z\n" in text


def test_data_comes_with_the_overrides_of_a_range(client: Client) -> None:
    moved = [
        component(
            "VEVENT",
            "s",
            f"RECURRENCE-ID:202606{day:02}T090000Z",
            f"DTSTART:202606{day:02}T150000Z",
        )
        for day in (2, 20)
    ]
    lines = ("DTSTART:20260601T090000Z", "RRULE:FREQ=DAILY")
    assert client("MKCALENDAR", "/alice/moved/").status == 201
    client("PUT", "/alice/moved/s.ics", calendar(component("VEVENT", "s", *lines), *moved))
    body = events(prop=wanting(f"<C:limit-recurrence-set {JUNE}/>"))
    (text,) = data(client("REPORT", "/alice/moved/", body))
    assert re.findall("RECURRENCE-ID:(.*)", text) == ["20260602T090000Z"]
    assert "RRULE:FREQ=DAILY" in text


def test_properties_may_be_all_or_their_names_alone(client: Client) -> None:
    filters = events(SUMMARY.format("ann"))
    found = {
        wanted: parse_multistatus(client("REPORT", CALENDAR, filters.replace(ETAG, wanted)).body)[
            f"{CALENDAR}one.ics"
        ]
        for wanted in ("<D:allprop/>", "<D:propname/>", "")
    }
    # RFC 4918 section 14.2: allprop is not all.
    assert found["<D:allprop/>"].keys() <= found["<D:propname/>"].keys()
    assert found["<D:allprop/>"]["{DAV:}getetag"][1][0]
    assert found["<D:propname/>"]["{DAV:}getetag"] == (200, ("", (), ()))
    assert f"{CAL}calendar-data" not in found["<D:allprop/>"]
    assert found[""] == {}


def test_floating_times_are_busy_in_the_zone_of_the_calendar(client: Client) -> None:
    """RFC 4791 section 7.10: that of calendar-timezone, and otherwise UTC."""
    assert client("MKCALENDAR", "/alice/local/").status == 201
    floating = calendar(component("VEVENT", "f", "DTSTART:20260601T090000", "DURATION:PT1H"))
    day = calendar(component("VEVENT", "d", "DTSTART;VALUE=DATE:20260603"))
    for name, text in (("f", floating), ("d", day)):
        assert client("PUT", f"/alice/local/{name}.ics", text).status == 201
    body = report("C:free-busy-query", f"<C:time-range {JUNE}/>")

    def periods() -> list[str]:
        text = client("REPORT", "/alice/local/", body).body.decode()
        return re.findall("FREEBUSY;FBTYPE=BUSY:(.*)\r\n", text)

    assert periods() == ["20260601T090000Z/20260601T100000Z", "20260603T000000Z/20260604T000000Z"]
    zone = f"<C:calendar-timezone>{calendar(extra=BERLIN)}</C:calendar-timezone>"
    patch = f"<D:propertyupdate {SPACES}><D:set><D:prop>{zone}</D:prop></D:set></D:propertyupdate>"
    assert client("PROPPATCH", "/alice/local/", patch).status == 207
    assert periods() == ["20260601T070000Z/20260601T080000Z", "20260602T220000Z/20260603T220000Z"]


def busy(client: Client, attributes: str) -> Answer:
    return client("REPORT", CALENDAR, report("C:free-busy-query", f"<C:time-range {attributes}/>"))


def test_busy_times_are_a_calendar_object(client: Client) -> None:
    answer = busy(client, 'start="20260601T000000Z" end="20260603T000000Z"')
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert re.findall("FREEBUSY;FBTYPE=BUSY:(.*)\r\n", answer.body.decode()) == [
        "20260601T090000Z/20260601T100000Z",
        "20260602T090000Z/20260602T100000Z",
    ]
    assert busy(client, 'start="20260601T000000Z" end="20260603T000000Z"') == answer


def test_the_view_of_busy_times_has_an_etag(client: Client) -> None:
    path = f"{CALENDAR}?view=freebusy&start=20260601T000000Z&end=20260602T000000Z"
    answer = client("GET", path)
    assert answer.status == 200
    assert b"20260601T090000Z/20260601T100000Z" in answer.body
    known = client("GET", path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (known.status, known.body) == (304, b"")
    assert client("HEAD", path).headers["Content-Length"] == str(len(answer.body))
    wrong = ("&start=20260601T000000Z", "&start=1&end=2", "&view=freebusy&view=x")
    for query_string in wrong:
        assert client("GET", f"{CALENDAR}?view=freebusy{query_string}").status == 400
    assert client("GET", f"{BOOK}?view=freebusy").status == 403
    assert client("GET", f"{CALENDAR}none.ics?view=freebusy").status == 404
    assert client("GET", "/bob/calendar/?view=freebusy").status == 403


@pytest.mark.parametrize(
    ("path", "body", "status", "element"),
    [
        (CALENDAR, report("D:nonsense"), 403, "{DAV:}supported-report"),
        (CALENDAR, report("CR:addressbook-query", ETAG), 403, "{DAV:}supported-report"),
        (BOOK, events(), 403, "{DAV:}supported-report"),
        ("/", events(), 403, "{DAV:}supported-report"),
        (f"{CALENDAR}one.ics", report("C:free-busy-query", f"<C:time-range {JUNE}/>"), 403,
         "{DAV:}supported-report"),
        (f"{CALENDAR}one.ics", report("D:sync-collection", ETAG), 403, "{DAV:}supported-report"),
        (CALENDAR, report("C:calendar-query", ETAG, "<C:filter/>"), 403, f"{CAL}valid-filter"),
        (CALENDAR, report("C:calendar-query", ETAG, "<C:filter/><C:filter/>"), 403,
         f"{CAL}valid-filter"),
        (CALENDAR, events("<C:time-range/>"), 403, f"{CAL}valid-filter"),
        (CALENDAR, events(SUMMARY.format("a").replace("match>", 'match collation="x">', 1)), 403,
         f"{CAL}supported-collation"),
        (CALENDAR, events(more="<C:timezone>nonsense</C:timezone>"), 403,
         f"{CAL}valid-calendar-data"),
        (CALENDAR, events(more=f"<C:timezone>{calendar(extra=BERLIN * 2)}</C:timezone>"), 403,
         f"{CAL}valid-calendar-data"),
        (CALENDAR, events("<C:comp-filter name='VTODO'/>"), 403, f"{CAL}valid-filter"),
        (CALENDAR, events('<C:prop-filter name="SUMMARY"><C:time-range '
                          'start="20260601T000000Z"/></C:prop-filter>'), 403,
         f"{CAL}valid-filter"),
        (CALENDAR, events('<C:time-range start="20260601T000000"/>'), 403, f"{CAL}valid-filter"),
        (CALENDAR, events('<C:time-range start="20260602T000000Z" end="20260601T000000Z"/>'), 403,
         f"{CAL}valid-filter"),
        (CALENDAR, events(prop=wanting("", 'content-type="application/calendar+json"')), 403,
         f"{CAL}supported-calendar-data"),
        (CALENDAR, events(prop=wanting("", 'version="1.0"')), 403, f"{CAL}supported-calendar-data"),
        (BOOK, address_query(prop='<D:prop><CR:address-data version="2.1"/></D:prop>'), 403,
         f"{CARD}supported-address-data"),
        (BOOK, address_query('<CR:prop-filter name="FN"><CR:text-match collation="x"/>'
                             "</CR:prop-filter>"), 403, f"{CARD}supported-collation"),
        (BOOK, address_query('<CR:prop-filter name="FN" test="x"/>'), 403,
         f"{CARD}supported-filter"),
    ],
)  # fmt: skip
def test_a_report_is_refused_with_its_precondition(
    client: Client, path: str, body: str, status: int, element: str
) -> None:
    for spelling in (path, path.replace("/alice/", "/alice//")):
        answer = client("REPORT", spelling, body)
        assert (answer.status, answer.precondition()) == (status, element)


def test_an_unsupported_filter_is_named(client: Client) -> None:
    """RFC 4791 section 7.8: the element that is not supported."""
    body = events(
        '<C:prop-filter name="X-A"><C:time-range start="20260601T000000Z"/></C:prop-filter>'
    )
    answer = client("REPORT", CALENDAR, body)
    (element,) = answer.xml().findall("C:supported-filter/C:prop-filter", NAMES)
    assert element.attrib == {"name": "X-A"}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<",
        report("C:free-busy-query"),
        report("C:free-busy-query", '<C:time-range start="x"/>'),
        report(
            "C:free-busy-query", '<C:time-range start="20260602T000000Z" end="20260601T000000Z"/>'
        ),
        report("D:sync-collection", "<D:sync-level>7</D:sync-level>"),
        events(prop=wanting('<C:expand start="20260601T000000" end="20260602T000000"/>')),
        events(prop=wanting('<C:comp name="VCALENDAR"><C:prop/></C:comp>')),
        events(prop=wanting('<C:comp name="X">' * 9 + "</C:comp>" * 9)),
    ],
)
def test_a_malformed_report_is_a_bad_request(client: Client, body: str) -> None:
    assert client("REPORT", CALENDAR, body).status == 400


@pytest.mark.parametrize("href", ["http://[/", "//", "nonsense", "/alice/../bob/", "%"])
def test_an_odd_href_is_not_found(client: Client, href: str) -> None:
    body = report("C:calendar-multiget", ETAG, f"<D:href>{href}</D:href>")
    answer = client("REPORT", CALENDAR, body)
    assert [statuses[""][0] for statuses in parse_multistatus(answer.body).values()] == [404]


@pytest.mark.parametrize(
    "path", ["/bob/", "/bob/calendar/", "/bob/calendar/a.ics", "/bob//calendar/"]
)
def test_reports_on_what_belongs_to_others_are_refused(client: Client, path: str) -> None:
    client("PROPFIND", "/bob/", user="bob")
    for body in (events(), report("D:sync-collection", ETAG), report("D:expand-property")):
        assert client("REPORT", path, body).status == 403
    busy = report("C:free-busy-query", f"<C:time-range {JUNE}/>")
    assert client("REPORT", path, busy).status == 404  # RFC 4791 section 7.10


def test_the_first_request_of_an_account_may_be_a_report(tmp_path: Path) -> None:
    with Installation(tmp_path).client() as client:
        assert names(client("REPORT", CALENDAR, events())) == []
