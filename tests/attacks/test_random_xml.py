"""Random XML requests: none ends in a 5xx, and none builds more elements than the limit."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.installation import NAMES, Client, Installation, event
from support.samples import card

SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
ROOTS = {
    "PROPFIND": ["D:propfind"],
    "PROPPATCH": ["D:propertyupdate"],
    "MKCALENDAR": ["C:mkcalendar", "D:mkcol"],
    "MKCOL": ["D:mkcol"],
    "REPORT": [
        *("D:sync-collection", "C:calendar-multiget", "C:calendar-query", "C:free-busy-query"),
        *("CR:addressbook-multiget", "CR:addressbook-query", "D:expand-property"),
        *("D:principal-property-search", "D:principal-search-property-set", "D:acl-report"),
    ],
}
ELEMENTS = [
    *("D:prop", "D:set", "D:remove", "D:href", "D:allprop", "D:propname", "D:include", "D:limit"),
    *("D:sync-token", "D:sync-level", "D:getetag", "D:displayname", "D:resourcetype", "D:nresults"),
    *("D:getcontentlength", "D:collection", "C:calendar", "C:calendar-data", "C:filter", "C:comp"),
    *("C:comp-filter", "C:prop-filter", "C:param-filter", "C:text-match", "C:time-range"),
    *("C:is-not-defined", "C:timezone", "C:expand", "C:limit-recurrence-set", "C:allcomp"),
    *("C:limit-freebusy-set", "C:supported-calendar-component-set", "C:calendar-timezone"),
    *("CR:address-data", "CR:filter", "CR:prop-filter", "CR:param-filter", "CR:text-match"),
    *("CR:is-not-defined", "CS:getctag", "CS:source", "K:published", "D:x"),
]
ATTRIBUTES = ["name", "start", "end", "collation", "negate-condition", "test", "match-type", "x"]
TEXTS = [
    *("", "VCALENDAR", "VEVENT", "VTODO", "SUMMARY", "FN", "1", "infinite", "yes", "allof", "x"),
    *("20260101T000000Z", "20270101T000000Z", "20260101", "99991231T235959Z", "i;octet"),
    *("/alice/calendar/a.ics", "/alice/calendar/", "/", "http://[", "%zz", "é", "A & <B>", "\n"),
    "BEGIN:VCALENDAR\nEND:VCALENDAR",
]
PATHS = [
    *("/", "/alice/", "/alice/calendar/", "/alice/contacts/", "/alice/calendar/a.ics", "/bob/"),
    *("/alice/new/", "/alice/none", "//alice/./calendar/", "/alice/calendar/?view=x", "/.web/"),
]


@st.composite
def elements(draw: st.DrawFn, depth: int = 2) -> str:
    """An element of WebDAV, with attributes and content of any kind."""
    name = draw(st.sampled_from(ELEMENTS))
    pairs = draw(st.dictionaries(st.sampled_from(ATTRIBUTES), st.sampled_from(TEXTS), max_size=2))
    attributes = "".join(f" {key}={quoteattr(value)}" for key, value in pairs.items())
    content = escape(draw(st.sampled_from(TEXTS)))
    if depth:
        content += "".join(draw(st.lists(elements(depth=depth - 1), max_size=2)))
    return f"<{name}{attributes}>{content}</{name}>"


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, str, str]:
    """The method, path, depth and body of a request."""
    method = draw(st.sampled_from(sorted(ROOTS)))
    root = draw(st.sampled_from([*ROOTS[method], "D:x"]))
    body = f"<{root} {SPACES}>{''.join(draw(st.lists(elements(), max_size=3)))}</{root}>"
    return (
        method,
        draw(st.sampled_from(PATHS)),
        draw(st.sampled_from(["0", "1", "infinity", "x"])),
        body,
    )


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Installation(tmp_path_factory.mktemp("random"), feeds="").client() as client:
        client("PROPFIND", "/alice/")
        client("PUT", "/alice/calendar/a.ics", event("a"))
        client("PUT", "/alice/contacts/a.vcf", card("a", "Alice"))
        yield client


@settings(max_examples=80)
@given(requests())
def test_no_random_request_is_a_server_error(
    client: Client, request_: tuple[str, str, str, str]
) -> None:
    method, path, depth, body = request_
    answer = client(method, path, body, headers={"Depth": depth})
    assert answer.status < 500, (method, path, body, answer)
    if answer.headers.get("Content-Type", "").startswith("text/xml"):
        ET.fromstring(answer.body)
