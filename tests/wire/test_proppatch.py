"""PROPPATCH: what is set comes back, and all is set or nothing (RFC 4918 sections 4.3 and 9.2)."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.installation import NAMES, Answer, Client, Installation, event
from support.multistatus import PropertyStatuses, Value, element_content, parse_multistatus

SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
CALENDAR, OBJECT = "/alice/calendar/", "/alice/calendar/a.ics"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
ZONE = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//tests//EN\r\nBEGIN:VTIMEZONE\r\nTZID:There\r\n"
    "BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0200\r\n"
    "END:STANDARD\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n"
)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Installation(tmp_path).client() as client:
        assert client("PUT", OBJECT, event("a")).status == 201
        yield client


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Installation(tmp_path_factory.mktemp("properties")).client() as client:
        assert client("PUT", OBJECT, event("a")).status == 201
        yield client


def patch(client: Client, path: str, *instructions: str) -> Answer:
    body = f"<D:propertyupdate {SPACES}>{''.join(instructions)}</D:propertyupdate>"
    return client("PROPPATCH", path, body)


def setting(*props: str) -> str:
    return f"<D:set><D:prop>{''.join(props)}</D:prop></D:set>"


def removing(*props: str) -> str:
    return f"<D:remove><D:prop>{''.join(props)}</D:prop></D:remove>"


def statuses(answer: Answer, path: str) -> dict[str, int]:
    assert answer.status == 207, answer
    found = parse_multistatus(answer.body)
    assert list(found) == [path]
    return {tag: code for tag, (code, _) in found[path].items()}


def told(client: Client, path: str, *props: str) -> PropertyStatuses:
    body = f"<D:propfind {SPACES}><D:prop>{''.join(props)}</D:prop></D:propfind>"
    answer = client("PROPFIND", path, body, headers={"Depth": "0"})
    assert answer.status == 207, answer
    return parse_multistatus(answer.body)[path]


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], include_characters="\t\n\r"),
    max_size=20,
).filter(lambda text: not any(c in text for c in "\ufffe\uffff"))
spaces = st.sampled_from(["", "DAV:", "urn:x-test", 'urn:"odd"&<', NAMES["C"], "http://ex.org/a#b"])
locals_ = st.sampled_from(["a", "b-1", "Ünï"])


@st.composite
def elements(draw: st.DrawFn, depth: int = 2) -> str:
    """Return XML whose every name declares its own namespace."""
    space, name = draw(spaces), draw(locals_)
    declared = f" xmlns:e={quoteattr(space)}" if space else ' xmlns=""'
    begin = f"e:{name}" if space else name
    for number, key in enumerate(draw(st.lists(st.sampled_from(["p", "q"]), unique=True))):
        value = quoteattr(draw(texts).replace("\r", " "))
        other = draw(spaces.filter(lambda s: s != "DAV:"))
        if other:
            declared += f" xmlns:f{number}={quoteattr(other)} f{number}:{key}={value}"
        else:
            declared += f" {key}={value}"
    if draw(st.booleans()):
        declared += f' xml:lang="{draw(st.sampled_from(["en", "de-CH"]))}"'
    inner = [escape(draw(texts)).replace("\r", "&#13;")]
    for _ in range(draw(st.integers(0, 2)) if depth else 0):
        inner += [draw(elements(depth - 1)), escape(draw(texts)).replace("\r", "&#13;")]
    return f"<{begin}{declared}>{''.join(inner)}</{begin}>"


_numbers = itertools.count()


@settings(max_examples=150)
@given(elements(), st.sampled_from([CALENDAR, OBJECT, "/alice/"]))
def test_what_is_set_comes_back(lasting: Client, inner: str, path: str) -> None:
    space = f"urn:x-test:{next(_numbers) % 5}"
    given = f'<x:dead xmlns:x="{space}" kind="one">{inner}</x:dead>'
    assert statuses(patch(lasting, path, setting(given)), path) == {f"{{{space}}}dead": 200}
    shown = told(lasting, path, f'<x:dead xmlns:x="{space}"/>')[f"{{{space}}}dead"]
    assert shown == (200, _content(given))


@settings(max_examples=100)
@given(texts, st.sampled_from([CALENDAR, OBJECT]))
def test_a_text_comes_back_with_its_language(lasting: Client, text: str, path: str) -> None:
    written = escape(text).replace("\r", "&#13;")
    body = f'<D:set xml:lang="de"><D:prop><D:displayname>{written}</D:displayname></D:prop></D:set>'
    assert statuses(patch(lasting, path, body), path) == {"{DAV:}displayname": 200}
    shown = told(lasting, path, "<D:displayname/>")["{DAV:}displayname"]
    assert shown == (200, (text, ((LANGUAGE, "de"),), ()))


def _content(xml: str) -> Value:
    return element_content(ET.fromstring(xml))


@pytest.mark.parametrize("path", [CALENDAR, OBJECT])
def test_all_is_set_or_nothing(client: Client, path: str) -> None:
    answer = patch(client, path, setting("<K:one>1</K:one>", "<D:getetag>x</D:getetag>"))
    assert statuses(answer, path) == {"{DAV:}getetag": 403, "{urn:x-kalends}one": 424}
    error = answer.xml().find(".//D:error", NAMES)
    assert error is not None
    assert error[0].tag == "{DAV:}cannot-modify-protected-property"
    assert told(client, path, "<K:one/>")["{urn:x-kalends}one"][0] == 404


@pytest.mark.parametrize("path", [CALENDAR, OBJECT])
def test_instructions_are_carried_out_in_their_order(client: Client, path: str) -> None:
    one = "<K:one>1</K:one>"
    patch(client, path, setting(one), removing("<K:one/>"))
    assert told(client, path, "<K:one/>")["{urn:x-kalends}one"][0] == 404
    patch(client, path, removing("<K:one/>"), setting(one))
    assert told(client, path, "<K:one/>")["{urn:x-kalends}one"] == (200, ("1", (), ()))
    # RFC 4918 section 14.23: removing what is not there is not an error.
    assert statuses(patch(client, path, removing("<K:two/>")), path) == {"{urn:x-kalends}two": 200}


def test_a_property_without_a_namespace(client: Client) -> None:
    bare = '<bare xmlns="">text</bare>'
    for path in (CALENDAR, OBJECT):
        assert statuses(patch(client, path, setting(bare)), path) == {"bare": 200}
        assert told(client, path, '<bare xmlns=""/>')["bare"] == (200, ("text", (), ()))
        patch(client, path, removing('<bare xmlns=""/>'))
        assert told(client, path, '<bare xmlns=""/>')["bare"][0] == 404


@pytest.mark.parametrize(
    "prop",
    [
        "D:getetag",
        "D:resourcetype",
        "D:getcontentlength",
        "D:creationdate",
        "D:lockdiscovery",
        "D:sync-token",
        "D:owner",
        "D:acl",
        "D:principal-URL",
        "D:current-user-privilege-set",
        "CS:getctag",
        "C:supported-calendar-component-set",
        "C:supported-calendar-data",
        "C:calendar-home-set",
        "C:max-date-time",
    ],
)
def test_protected_properties_are_refused(client: Client, prop: str) -> None:
    for path in (CALENDAR, OBJECT, "/alice/"):
        for instruction in (setting(f"<{prop}/>"), removing(f"<{prop}/>")):
            answer = patch(client, path, instruction)
            assert set(statuses(answer, path).values()) == {403}
            assert b"cannot-modify-protected-property" in answer.body


@pytest.mark.parametrize(
    ("prop", "status", "precondition"),
    [
        ("<D:displayname>a<K:b/></D:displayname>", 409, ""),
        ("<C:calendar-description><K:b/></C:calendar-description>", 409, ""),
        ("<C:calendar-timezone>nonsense</C:calendar-timezone>", 403, "valid-calendar-data"),
        (
            f"<C:calendar-timezone>{ZONE}{ZONE}</C:calendar-timezone>",
            403,
            "valid-calendar-data",
        ),
        ("<C:schedule-calendar-transp>opaque</C:schedule-calendar-transp>", 409, ""),
        (
            "<C:schedule-calendar-transp><C:opaque/><C:transparent/></C:schedule-calendar-transp>",
            409,
            "",
        ),
    ],
)
def test_values_that_are_none_are_refused(
    client: Client, prop: str, status: int, precondition: str
) -> None:
    answer = patch(client, CALENDAR, setting(prop, "<K:one/>"))
    found = statuses(answer, CALENDAR)
    assert found.pop("{urn:x-kalends}one") == 424
    assert list(found.values()) == [status]
    assert precondition in answer.body.decode()


def test_values_with_elements_are_kept(client: Client) -> None:
    transparent = "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>"
    card = "<CS:me-card><D:href>/alice/contacts/me.vcf</D:href></CS:me-card>"
    color = '<I:calendar-color xmlns:I="http://apple.com/ns/ical/" symbolic-color="red">#FF0000FF'
    zone = f"<C:calendar-timezone>{ZONE.replace(chr(13), '&#13;')}</C:calendar-timezone>"
    patch(client, CALENDAR, setting(transparent, card, f"{color}</I:calendar-color>", zone))
    shown = told(
        client,
        CALENDAR,
        "<C:schedule-calendar-transp/><CS:me-card/><C:calendar-timezone/>"
        '<I:calendar-color xmlns:I="http://apple.com/ns/ical/"/>',
    )
    assert shown == {
        f"{{{NAMES['C']}}}schedule-calendar-transp": (
            200,
            ("", (), ((f"{{{NAMES['C']}}}transparent", ("", (), ())),)),
        ),
        f"{{{NAMES['CS']}}}me-card": (
            200,
            ("", (), (("{DAV:}href", ("/alice/contacts/me.vcf", (), ())),)),
        ),
        "{http://apple.com/ns/ical/}calendar-color": (
            200,
            ("#FF0000FF", (("symbolic-color", "red"),), ()),
        ),
        f"{{{NAMES['C']}}}calendar-timezone": (200, (ZONE, (), ())),
    }


def test_an_object_keeps_its_properties_through_put_and_move(client: Client) -> None:
    patch(client, OBJECT, setting("<K:one>1</K:one>"))
    before = client("GET", OBJECT).headers["ETag"]
    assert client("PUT", OBJECT, event("a", summary="Other")).status == 204
    assert told(client, OBJECT, "<K:one/>")["{urn:x-kalends}one"][0] == 200
    moved = "/alice/calendar/b.ics"
    assert client("MOVE", OBJECT, headers={"Destination": moved}).status == 201
    assert told(client, moved, "<K:one/>")["{urn:x-kalends}one"] == (200, ("1", (), ()))
    assert client("DELETE", moved).status == 204
    assert client("PUT", moved, event("a")).headers["ETag"] == before
    assert told(client, moved, "<K:one/>")["{urn:x-kalends}one"][0] == 404


def test_a_property_of_an_object_is_not_a_change_of_its_octets(client: Client) -> None:
    before = told(client, OBJECT, "<D:getetag/>"), told(client, CALENDAR, "<D:sync-token/>")
    patch(client, OBJECT, setting("<K:one>1</K:one>"))
    assert (told(client, OBJECT, "<D:getetag/>"), told(client, CALENDAR, "<D:sync-token/>")) == (
        before
    )


def test_allprop_and_reports_tell_what_objects_were_given(client: Client) -> None:
    assert client("PUT", "/alice/calendar/b.ics", event("b")).status == 201
    patch(client, OBJECT, setting("<K:one>100 %</K:one>"))
    for method, body in {
        "PROPFIND": f"<D:propfind {SPACES}><D:allprop/></D:propfind>",
        "REPORT": f"<C:calendar-query {SPACES}><D:allprop/><C:filter>"
        '<C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>',
    }.items():
        answer = client(method, CALENDAR, body, headers={"Depth": "1"})
        found = parse_multistatus(answer.body)
        assert found[OBJECT]["{urn:x-kalends}one"] == (200, ("100 %", (), ()))
        assert "{urn:x-kalends}one" not in found["/alice/calendar/b.ics"]
    asked = f"<D:propfind {SPACES}><D:prop><D:getetag/><K:one/></D:prop></D:propfind>"
    found = parse_multistatus(client("PROPFIND", CALENDAR, asked, headers={"Depth": "1"}).body)
    assert found[OBJECT]["{urn:x-kalends}one"][0] == 200
    assert found["/alice/calendar/b.ics"]["{urn:x-kalends}one"][0] == 404


@pytest.mark.parametrize("path", [CALENDAR, OBJECT])
def test_there_is_an_end_to_properties(client: Client, path: str) -> None:
    long = f"<K:long>{'x' * 150_000}</K:long>"
    answer = patch(client, path, setting("<K:one/>", long))
    assert answer.status == 403
    assert told(client, path, "<K:one/>")["{urn:x-kalends}one"][0] == 404


def test_nobody_sets_how_properties_are_kept(client: Client) -> None:
    for part in ("attributes", "content", "null"):
        prop = f'<x:{{DAV:}}getetag xmlns:x="urn:x-kalends:{part}"/>'.replace("{DAV:}", "")
        assert set(statuses(patch(client, CALENDAR, setting(prop)), CALENDAR).values()) == {403}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<",
        "<D:propertyupdate xmlns:D='DAV:'/>",
        "<D:propfind xmlns:D='DAV:'><D:prop/></D:propfind>",
    ],
)
def test_a_body_that_is_none_is_refused(client: Client, body: str) -> None:
    assert client("PROPPATCH", CALENDAR, body).status == 400


def test_others_set_nothing(client: Client) -> None:
    for path in (CALENDAR, OBJECT):
        body = f"<D:propertyupdate {SPACES}>{setting('<K:one/>')}</D:propertyupdate>"
        assert client("PROPPATCH", path, body, user="bob").status == 403
    assert patch(client, "/alice/calendar/none.ics", setting("<K:one/>")).status == 404
