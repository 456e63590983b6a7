"""Preferences for short answers (RFC 7240, RFC 8144)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.installation import NAMES, Client, Installation, event
from support.multistatus import parse_multistatus

SPACES = " ".join(f'xmlns:{short}="{NAMES[short]}"' for short in ("D", "C", "CR"))
CALENDAR = "/alice/calendar/"
OBJECT = f"{CALENDAR}a.ics"
PROP = "<D:prop><D:getetag/><D:unheard-of/></D:prop>"
NONE = "{DAV:}unheard-of"
MINIMAL = {"Prefer": "return=minimal"}

PROPFIND = f"<D:propfind {SPACES}>{PROP}</D:propfind>"
QUERY = (
    f'<C:calendar-query {SPACES}>{PROP}<C:filter><C:comp-filter name="VCALENDAR"/></C:filter>'
    "</C:calendar-query>"
)
MULTIGET = f"<C:calendar-multiget {SPACES}>{PROP}<D:href>{OBJECT}</D:href></C:calendar-multiget>"
SYNC = (
    f"<D:sync-collection {SPACES}><D:sync-token/><D:sync-level>1</D:sync-level>{PROP}"
    "</D:sync-collection>"
)
EXPAND = (
    f'<D:expand-property {SPACES}><D:property name="getetag"/><D:property name="unheard-of"/>'
    "</D:expand-property>"
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Open an application with one event."""
    with Installation(tmp_path_factory.mktemp("preferences")).client() as client:
        assert client("PUT", OBJECT, event("a")).status == 201
        yield client


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PROPFIND", CALENDAR, PROPFIND),
        ("PROPFIND", OBJECT, PROPFIND),
        ("REPORT", CALENDAR, QUERY),
        ("REPORT", CALENDAR, MULTIGET),
        ("REPORT", CALENDAR, SYNC),
        ("REPORT", CALENDAR, EXPAND),
        ("REPORT", OBJECT, EXPAND),
    ],
)
def test_missing_properties_are_not_told(client: Client, method: str, path: str, body: str) -> None:
    """RFC 8144 section 2.1."""
    whole = client(method, path, body, headers={"Depth": "1"})
    short = client(method, path, body, headers={"Depth": "1", **MINIMAL})
    assert whole.status == short.status == 207
    assert "Preference-Applied" not in whole.headers
    assert short.headers["Preference-Applied"] == "return=minimal"
    expected = parse_multistatus(whole.body)
    assert any(NONE in properties for properties in expected.values())
    for properties in expected.values():
        properties.pop(NONE, None)
    assert parse_multistatus(short.body) == expected


def test_a_response_always_has_a_propstat(client: Client) -> None:
    body = f"<D:propfind {SPACES}><D:prop><D:unheard-of/></D:prop></D:propfind>"
    answer = client("PROPFIND", CALENDAR, body, headers={"Depth": "0", **MINIMAL})
    status = answer.xml().findtext("D:response/D:propstat/D:status", namespaces=NAMES)
    assert status == "HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("headers", "is_short"),
    [
        ({"Prefer": "respond-async, return=minimal"}, True),
        ({"Prefer": 'RETURN="minimal"; foo=bar'}, True),
        ({"Prefer": "return=representation, return=minimal"}, False),
        ({"Prefer": "return-minimal"}, False),
        ({"Prefer": ""}, False),
        ({"Brief": "t"}, True),
        ({"Brief": "f"}, False),
        ({"Brief": "t", "Prefer": "return=representation"}, False),
    ],
)
def test_the_first_of_several_values_counts(
    client: Client, headers: dict[str, str], *, is_short: bool
) -> None:
    """RFC 7240 section 2; Brief is older than Prefer, and Apple's programs send it."""
    answer = client("PROPFIND", CALENDAR, PROPFIND, headers={"Depth": "0", **headers})
    assert (NONE in parse_multistatus(answer.body)[CALENDAR]) is not is_short


def test_the_resource_itself_can_be_left_out(client: Client) -> None:
    """RFC 8144 section 3."""
    preferred = {"Prefer": "depth-noroot, return=minimal"}
    answer = client("PROPFIND", CALENDAR, PROPFIND, headers={"Depth": "1", **preferred})
    assert answer.hrefs() == [OBJECT]
    assert answer.headers["Preference-Applied"] == "return=minimal, depth-noroot"
    alone = client("PROPFIND", CALENDAR, PROPFIND, headers={"Depth": "0", **preferred})
    assert alone.hrefs() == [CALENDAR]


def test_a_set_property_needs_no_body(client: Client) -> None:
    def patch(name: str) -> str:
        value = f"<D:set><D:prop><{name}>Work</{name}></D:prop></D:set>"
        return f"<D:propertyupdate {SPACES}>{value}</D:propertyupdate>"

    short = client("PROPPATCH", CALENDAR, patch("D:displayname"), headers=MINIMAL)
    assert [short.status, short.body] == [200, b""]
    assert short.headers["Preference-Applied"] == "return=minimal"
    whole = client("PROPPATCH", CALENDAR, patch("D:displayname"))
    assert [whole.status, "Preference-Applied" in whole.headers] == [207, False]
    refused = client("PROPPATCH", CALENDAR, patch("D:getetag"), headers=MINIMAL)
    assert refused.status == 207
    assert b" 403 " in refused.body
