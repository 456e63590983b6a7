"""XML bodies that cost much: each limit refuses with its status, whatever method carries them."""

from __future__ import annotations

import codecs
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote

import pytest

from kalends.dav.reports import multiget as reports
from kalends.dav.xml import limits, parse
from kalends.errors import BodyRefusedError
from support.installation import NAMES, Client, Installation, event

SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
METHODS = ("PROPFIND", "REPORT", "PROPPATCH", "MKCALENDAR", "MKCOL")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    installation = Installation(tmp_path_factory.mktemp("xml"), feeds="")
    with installation.client() as client:
        client("PROPFIND", "/alice/")
        yield client


def report(root: str, *content: str) -> str:
    return f"<{root} {SPACES}>{''.join(content)}</{root}>"


def propfind(*names: str) -> str:
    return report("D:propfind", "<D:prop>", *(f"<{name}/>" for name in names), "</D:prop>")


def multiget(*hrefs: str) -> str:
    asked = [f"<D:href>{href}</D:href>" for href in hrefs]
    return report("C:calendar-multiget", "<D:prop><D:getetag/></D:prop>", *asked)


def nested(depth: int, name: str = "a") -> str:
    return f"<{name}>" * depth + f"</{name}>" * depth


BEYOND = {
    "elements": "<a>" + "<a/>" * limits.MAX_ELEMENTS + "</a>",
    "comments": "<a>" + "<!---->" * (limits.MAX_ELEMENTS + 1) + "</a>",
    "instructions": "<a>" + "<?a?>" * (limits.MAX_ELEMENTS + 1) + "</a>",
    "sections": "<a>" + "<![CDATA[]]>" * (limits.MAX_ELEMENTS + 1) + "</a>",
    "depth": nested(limits.MAX_DEPTH + 1),
    "great depth": nested(200_000),
    "depth behind a comment": "<!-- -->" + nested(limits.MAX_DEPTH + 1),
    "depth within a filter": report("C:calendar-query", nested(limits.MAX_DEPTH, "C:filter")),
    "attributes": "<a " + " ".join(f"a{n}=''" for n in range(limits.MAX_ATTRIBUTES + 600)) + "/>",
    "attributes of all": "<a>" + "<b c='' d='' e=''/>" * 20_000 + "</a>",
    "a tag": "<a " + " ".join(f"a{n}=''" for n in range(200_000)) + "/>",
    "declarations": "<a " + " ".join(f"xmlns:a{n}='u:{n}'" for n in range(700)) + "/>",
    "a namespace": f"<x:a xmlns:x='{'u' * 100_000}'>" + "<x:a/>" * 10_000 + "</x:a>",
    "a namespace with a line": f"<x:a xmlns:x\n=\n'{'u' * 3000}'/>",
    "a comment": f"<a><!--{'a' * 200_000}--></a>",
    "an instruction": f"<a><?a {'a' * 200_000}?></a>",
    "a name": f"<a><{'a' * 1000}/></a>",
    "a property's name": propfind(f"D:{'a' * 100_000}"),
    "not closed": "<a>" * 1000,
    "no XML": "BEGIN:VCALENDAR",
    "no text": " " * 5000,
    "NUL": "<a>\0</a>",
    "half a surrogate": "<a>&#xD800;</a>",
    "U+FFFF": "<a>&#xFFFF;</a>",
    "an entity": "<a>&b;</a>",
    "a document type": "<!DOCTYPE a [<!ATTLIST a b CDATA 'c'>]><a/>",
    "growing entities": "<!DOCTYPE a [<!ENTITY b 'bbbb'><!ENTITY c '&b;&b;&b;'>]><a>&c;</a>",
}


def place_for(method: str) -> str:
    """Return a path that has a method."""
    return "/alice/new/" if method == "MKCOL" else "/alice/calendar/"


@pytest.mark.parametrize("number", range(len(BEYOND)), ids=BEYOND.keys())
def test_a_body_beyond_a_limit_is_refused(client: Client, number: int) -> None:
    method, body = METHODS[number % len(METHODS)], [*BEYOND.values()][number]
    answer = client(method, place_for(method), body)
    assert answer.status == 400
    assert answer.why()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_the_limits(client: Client, method: str) -> None:
    for name in ("elements", "depth", "a document type", "a namespace"):
        assert client(method, place_for(method), BEYOND[name]).status == 400


@pytest.mark.parametrize("body", BEYOND.values(), ids=BEYOND.keys())
def test_nothing_is_built_of_many_elements(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[ET.Element] = []

    def tree(text: bytes) -> ET.Element:
        built.append(root := ET.fromstring(text))
        return root

    monkeypatch.setattr(parse, "_tree", tree)
    with suppress(ET.ParseError, BodyRefusedError):
        parse.parse(body.encode())
    assert sum(1 for root in built for _ in root.iter()) <= limits.MAX_ELEMENTS


@pytest.mark.parametrize("method", METHODS)
def test_the_octets_of_xml_are_limited_apart_from_those_of_objects(
    client: Client, method: str
) -> None:
    body = f"<a>{'a' * 4_000_000}</a>"
    for headers in ({}, {"Transfer-Encoding": "chunked"}):
        answer = client(method, place_for(method), body, headers=headers)
        assert answer.status == 413
        assert "4,000,000" in answer.why()
    assert client("PUT", "/alice/calendar/large.ics", body).status == 403


@pytest.mark.parametrize(
    "document_type",
    [
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE a PUBLIC "-//a" "http://127.0.0.1/">',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY % b SYSTEM "http://127.0.0.1/"> %b;]>',
    ],
)
def test_an_external_entity_is_refused_by_its_name(client: Client, document_type: str) -> None:
    """RFC 4918 section 16."""
    answer = client("PROPFIND", "/alice/", f"{document_type}<a>&b;</a>")
    assert answer.status == 403
    assert answer.precondition() == "{DAV:}no-external-entities"


NAMED = '<?xml version="1.0" encoding="{}"?>' + propfind("D:displayname")


@pytest.mark.parametrize(
    "body",
    [
        NAMED.format("utf-8").encode(),
        NAMED.format("US-ASCII").encode(),
        NAMED.format("ISO-8859-1").encode("latin-1"),
        codecs.BOM_UTF8 + NAMED.format("UTF-8").encode(),
        NAMED.format("utf-16").encode("utf-16"),
        codecs.BOM_UTF16_BE + propfind("D:displayname").encode("utf-16-be"),
    ],
)
def test_the_encodings_of_xml_are_read(client: Client, body: bytes) -> None:
    """XML 1.0 section 4.3.3."""
    for method in ("PROPFIND", "PROPPATCH"):
        status = client(method, "/alice/calendar/", body).status
        assert status == (207 if method == "PROPFIND" else 400)  # it is not a propertyupdate


@pytest.mark.parametrize("name", ["utf-7", "windows-1252", "euc-jp", "zlib", "x" * 1000, "idna"])
def test_no_other_encoding_is_looked_up(client: Client, name: str) -> None:
    """Python keeps every name that it was once asked for."""
    answer = client("PROPFIND", "/alice/calendar/", NAMED.format(name))
    assert answer.status in (400, 415)


def test_the_charset_of_a_header_cannot_hide_elements(client: Client) -> None:
    """Radicale decodes by it: what we took for text was markup there."""
    hidden = "<D:a/>" * 1000
    body = propfind("D:displayname").replace(
        "<D:prop>", f"<D:prop>{hidden}".encode("utf-7").decode()
    )
    charset = {"Content-Type": "text/xml; charset=utf-7", "Depth": "0"}
    answer = client("PROPFIND", "/alice/calendar/", body, headers=charset)
    assert b"<a" not in answer.body


def test_5000_hrefs_are_answered_and_more_than_the_limit_refused(client: Client) -> None:
    client("PUT", "/alice/calendar/a.ics", event("a"))
    names = [f"/alice/calendar/{n:04}{'x' * 60}.ics" for n in range(4999)]
    answer = client("REPORT", "/alice/calendar/", multiget("/alice/calendar/a.ics", *names))
    assert answer.status == 207
    assert len(answer.hrefs()) == 5000
    answer = client("REPORT", "/alice/calendar/", multiget(*map(str, range(limits.MAX_HREFS + 1))))
    assert answer.status == 507
    assert answer.precondition() == "{DAV:}number-of-matches-within-limits"


@pytest.mark.parametrize("href", ["/" + "a" * 100_000, "http://x/" + "%61" * 30_000, "a" * 5000])
def test_an_overlong_href_is_refused(client: Client, href: str) -> None:
    assert client("REPORT", "/alice/calendar/", multiget(href)).status == 400


def test_equal_odd_hrefs_are_read_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(path: str) -> str:
        read.append(path)
        return unquote(path)

    monkeypatch.setattr(reports, "unquote", counted)
    odd = ["/alice/calendar/../calendar/%C3%A4 ö.ics"] * limits.MAX_HREFS
    assert client("REPORT", "/alice/calendar/", multiget(*odd)).status == 207
    assert len(read) == 1


def test_many_properties_are_refused(client: Client) -> None:
    usual = propfind(*(f"D:a{n}" for n in range(250)))
    assert client("PROPFIND", "/alice/calendar/", usual).status == 207
    names = [f"D:a{n}" for n in range(limits.MAX_PROPERTIES)]
    for body in (propfind(*names), report("D:propfind", *["<D:prop><D:a/></D:prop>"] * 1000)):
        answer = client("PROPFIND", "/alice/calendar/", body)
        assert answer.status == 403
        assert "properties" in answer.why()
    empty = "".join(f"<{name}/>" for name in names)
    for body in (
        report("D:propertyupdate", f"<D:set><D:prop>{empty}</D:prop></D:set>"),
        report("D:propertyupdate", *["<D:set><D:prop><D:a/></D:prop></D:set>"] * 1000),
    ):
        assert client("PROPPATCH", "/alice/calendar/", body).status == 403


@pytest.mark.parametrize("href", ["http://[", "//[x]y/", "%", "%zz", "#", "?", "mailto:a@b", ".."])
def test_an_odd_href_is_not_a_server_error(client: Client, href: str) -> None:
    assert client("REPORT", "/alice/calendar/", multiget(href)).status == 207


FILTERS = {
    "prop-filter": '<C:prop-filter name="SUMMARY"/>',
    "param-filter": '<C:prop-filter name="A"><C:param-filter name="B"/></C:prop-filter>',
    "text-match": '<C:prop-filter name="A"><C:text-match>b</C:text-match></C:prop-filter>',
    "comp-filter": '<C:comp-filter name="VALARM"/>',
    "is-not-defined": '<C:prop-filter name="A"><C:is-not-defined/></C:prop-filter>',
}


def calendar_query(*inner: str) -> str:
    filters = f'<C:comp-filter name="VEVENT">{"".join(inner)}</C:comp-filter>'
    whole = f'<C:filter><C:comp-filter name="VCALENDAR">{filters}</C:comp-filter></C:filter>'
    return report("C:calendar-query", "<D:prop><D:getetag/></D:prop>", whole)


def addressbook_query(*inner: str) -> str:
    whole = f'<CR:filter test="anyof">{"".join(inner).replace("C:", "CR:")}</CR:filter>'
    return report("CR:addressbook-query", "<D:prop><D:getetag/></D:prop>", whole)


@pytest.mark.parametrize("inner", FILTERS.values(), ids=FILTERS.keys())
def test_large_filters_are_refused_by_their_name(client: Client, inner: str) -> None:
    for query, path, space in (
        (calendar_query, "/alice/calendar/", "urn:ietf:params:xml:ns:caldav"),
        (addressbook_query, "/alice/contacts/", "urn:ietf:params:xml:ns:carddav"),
    ):
        answer = client("REPORT", path, query(*[inner] * limits.MAX_FILTERS))
        assert answer.status == 403
        assert answer.precondition() == f"{{{space}}}supported-filter"


def test_many_filters_and_long_texts_are_refused(client: Client) -> None:
    many = calendar_query().replace("</C:filter>", "</C:filter>" + "<C:filter/>" * 20_000)
    text = f'<C:prop-filter name="A"><C:text-match>{"a" * 2000}</C:text-match></C:prop-filter>'
    name = f'<C:prop-filter name="{"a" * 2000}"/>'
    for body in (many, calendar_query(text), calendar_query(name)):
        assert client("REPORT", "/alice/calendar/", body).status == 403


def test_a_search_as_programs_make_it_is_answered(client: Client) -> None:
    fields = ("FN", "N", "NICKNAME", "EMAIL", "ORG", "TEL")
    inner = [
        f'<C:prop-filter name="{field}"><C:text-match>word{n}</C:text-match></C:prop-filter>'
        for field in fields
        for n in range(5)
    ]
    assert client("REPORT", "/alice/contacts/", addressbook_query(*inner)).status == 207


class Unread:
    """A body that must not be read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("the body was read")


UNREAD = {"wsgi.input": Unread(), "CONTENT_LENGTH": "1000"}


@pytest.mark.parametrize("method", [*METHODS, "PUT", "POST", "MOVE", "COPY", "DELETE", "NONE"])
def test_nothing_of_a_stranger_is_read(client: Client, method: str) -> None:
    for path in ("/", "/alice/", "/.web/", "/.web/a/b", "/.web/../alice/", "/.web//"):
        assert client(method, path, user="", environ=UNREAD).status == 401
    for path in ("/.well-known/caldav", "/.well-known/x"):
        assert client(method, path, user="", environ=UNREAD).status in (301, 401, 404, 405)


@pytest.mark.parametrize("method", ["LOCK", "UNLOCK", "SEARCH", "BIND", "NONE"])
def test_methods_that_are_not_offered_read_no_body(client: Client, method: str) -> None:
    assert client(method, "/alice/calendar/", environ=UNREAD).status in (405, 501)


def test_an_answer_repeats_no_more_than_its_limit(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        client("PUT", f"/alice/calendar/{name}.ics", event(name))
    names = [f"D:a{n}" for n in range(500)]
    body = propfind(*names)
    monkeypatch.setattr(limits, "MAX_REPEATED", 2 * len(body))
    sync = report("D:sync-collection", "<D:sync-token/>", body[body.index("<D:prop>") : -13])
    for method, path, depth, sent in (
        ("PROPFIND", "/alice/calendar/", "1", body),
        ("PROPFIND", "/alice/", "1", body),
        ("REPORT", "/alice/calendar/", "0", sync),
    ):
        answer = client(method, path, sent, headers={"Depth": depth})
        assert answer.status == 507
        assert answer.precondition() == "{DAV:}number-of-matches-within-limits"
    answer = client("PROPFIND", "/alice/calendar/", propfind("D:getetag"), headers={"Depth": "1"})
    assert answer.status == 207
