"""Reports about accounts: searches, matches, and properties of what properties refer to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.installation import NAMES, Answer, Client, Installation, event
from support.multistatus import parse_multistatus

SPACES = " ".join(f'xmlns:{short}="{NAMES[short]}"' for short in ("D", "C", "CR"))
NAME = "<D:prop><D:displayname/></D:prop>"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Open an application where alice and bob have their homes."""
    with Installation(tmp_path_factory.mktemp("principals")).client() as client:
        for user in ("alice", "bob"):
            assert client("PROPFIND", f"/{user}/", user=user).status == 207
        yield client


def report(root: str, *content: str, attributes: str = "") -> str:
    return f"<{root} {SPACES} {attributes}>{''.join(content)}</{root}>"


def search(text: str, *more: str, prop: str = NAME, attributes: str = "") -> str:
    match = f"<D:property-search>{prop}<D:match>{text}</D:match></D:property-search>"
    return report("D:principal-property-search", match, *more, attributes=attributes)


def texts(answer: Answer) -> list[str]:
    assert answer.status == 207, answer
    return [node.text or "" for node in answer.xml().iter("{DAV:}href")]


@pytest.mark.parametrize(
    ("text", "found"),
    [("ali", ["/alice/"]), ("BOB", ["/bob/"]), ("", ["/alice/", "/bob/"]), ("carol", [])],
)
def test_accounts_are_found_by_their_names(client: Client, text: str, found: list[str]) -> None:
    """RFC 3744 section 9.4: caseless, anywhere in the value."""
    assert client("REPORT", "/", search(text, NAME)).hrefs() == found


def test_a_search_elsewhere_needs_the_element_that_says_so(client: Client) -> None:
    body = search("o", NAME)
    assert client("REPORT", "/alice/calendar/", body).hrefs() == []
    body = search("o", NAME, "<D:apply-to-principal-collection-set/>")
    assert client("REPORT", "/alice/calendar/", body).hrefs() == ["/bob/"]


def test_all_terms_of_a_search_count_unless_any_is_said(client: Client) -> None:
    one = f"<D:property-search>{NAME}<D:match>ali</D:match></D:property-search>"
    assert client("REPORT", "/", search("bob", one, NAME)).hrefs() == []
    anyof = search("bob", one, NAME, attributes='test="anyof"')
    assert client("REPORT", "/", anyof).hrefs() == ["/alice/", "/bob/"]


def test_a_search_for_nothing_finds_everybody(client: Client) -> None:
    body = report("D:principal-property-search", NAME)
    assert client("REPORT", "/", body).hrefs() == ["/alice/", "/bob/"]


def test_an_unknown_property_finds_nobody(client: Client) -> None:
    body = search("", NAME, prop="<D:prop><D:getetag/></D:prop>")
    assert client("REPORT", "/", body).hrefs() == []


def test_of_others_there_is_the_name_and_no_more(client: Client) -> None:
    wanted = "<D:prop><D:displayname/><D:sync-token/><D:resourcetype/></D:prop>"
    answer = client("REPORT", "/", search("", wanted))
    found = parse_multistatus(answer.body)
    assert found["/alice/"]["{DAV:}sync-token"][0] == 200
    assert found["/bob/"]["{DAV:}sync-token"][0] == 404
    assert found["/bob/"]["{DAV:}displayname"][0] == 200
    assert client("PROPFIND", "/bob/").status == 403


def test_properties_beside_an_empty_prop_are_told_as_well(client: Client) -> None:
    """The library caldav writes them there."""
    answer = client("REPORT", "/", search("ali", "<D:prop/><D:displayname/><C:calendar-home-set/>"))
    found = parse_multistatus(answer.body)["/alice/"]
    assert found["{DAV:}displayname"][0] == 200
    assert found[f"{{{NAMES['C']}}}calendar-home-set"][0] == 200


@pytest.mark.parametrize(
    "body",
    [
        report("D:principal-property-search", "<D:property-search/>"),
        report("D:principal-match", NAME),
        report("D:principal-match", "<D:self/>", NAME, NAME),
        report("D:acl-principal-prop-set", NAME, NAME),
        report("D:principal-match", "<D:self/><D:principal-property/>"),
        report("D:principal-search-property-set", "<D:prop/>"),
        report("D:expand-property", "<D:property/>"),
    ],
)
def test_an_impossible_report_is_the_senders_fault(client: Client, body: str) -> None:
    assert client("REPORT", "/alice/", body).status == 400


@pytest.mark.parametrize(
    "body",
    [
        search("ali", NAME),
        report("D:principal-match", "<D:self/>", NAME),
        report("D:principal-search-property-set"),
        report("D:acl-principal-prop-set", NAME),
    ],
)
def test_the_depth_of_these_reports_is_0(client: Client, body: str) -> None:
    """RFC 3744 sections 9.2 to 9.5."""
    assert client("REPORT", "/", body, headers={"Depth": "0"}).status in (200, 207)
    assert client("REPORT", "/", body, headers={"Depth": "1"}).status == 400


def test_the_properties_that_a_search_knows_are_told(client: Client) -> None:
    answer = client("REPORT", "/", report("D:principal-search-property-set"))
    assert answer.status == 200
    found = [node[0].tag for node in answer.xml().iter("{DAV:}prop")]
    assert found == ["{DAV:}displayname", f"{{{NAMES['C']}}}calendar-user-address-set"]


def test_a_user_matches_the_own_principal(client: Client) -> None:
    body = report("D:principal-match", "<D:self/>", NAME)
    for path in ("/", "/alice/"):
        assert client("REPORT", path, body).hrefs() == ["/alice/"]
    assert client("REPORT", "/alice/calendar/", body).hrefs() == []


def test_what_a_user_owns_matches_by_its_owner(client: Client) -> None:
    client("PUT", "/alice/calendar/a.ics", event("a"))
    owner = "<D:principal-property><D:owner/></D:principal-property>"
    answer = client("REPORT", "/alice/", report("D:principal-match", owner, NAME))
    found = answer.hrefs()
    assert {"/alice/calendar/", "/alice/calendar/a.ics"} <= set(found)
    assert all(href.startswith("/alice/") for href in found)


def test_the_principals_of_access_control_are_the_owners(client: Client) -> None:
    body = report("D:acl-principal-prop-set", NAME)
    assert client("REPORT", "/alice/calendar/", body).hrefs() == ["/alice/"]


def test_a_property_is_expanded_to_the_properties_of_what_it_names(client: Client) -> None:
    """RFC 3253 section 3.8."""
    inner = '<D:property name="displayname"/><D:property name="nonsense"/>'
    body = report(
        "D:expand-property",
        f'<D:property name="current-user-principal">{inner}</D:property>',
        '<D:property name="displayname"/><D:property name="nothing" namespace="urn:x"/>',
    )
    answer = client("REPORT", "/alice/calendar/", body)
    assert answer.status == 207
    root = answer.xml()
    found = root.find("D:response/D:propstat/D:prop/D:current-user-principal/D:response", NAMES)
    assert found is not None
    assert found.findtext("D:href", namespaces=NAMES) == "/alice/"
    assert found.findtext("D:propstat/D:prop/D:displayname", namespaces=NAMES)
    assert [href for href in texts(answer) if href == "/alice/calendar/"]


def test_what_a_user_may_not_see_is_not_expanded(client: Client) -> None:
    body = report(
        "D:expand-property",
        '<D:property name="principal-collection-set"><D:property name="displayname"/></D:property>',
    )
    assert client("REPORT", "/bob/", body).status == 403
    assert client("REPORT", "/alice/", body).status == 207
