"""PROPFIND and the registry of properties (RFC 4918 sections 9.1, 14 and 15, RFC 3744)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from kalends.dav.properties.registry import LIVE, PROPERTIES
from kalends.dav.resource import EXISTING, Kind
from kalends.dav.xml import limits
from support.installation import NAMES, Client, Installation, event
from support.multistatus import PropertyStatuses, parse_multistatus

SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
PLACES = {
    Kind.ROOT: "/",
    Kind.HOME: "/alice/",
    Kind.GROUP_HOME: "/GROUPS/family/",
    Kind.FOLDER: "/alice/folder/",
    Kind.CALENDAR: "/alice/calendar/",
    Kind.ADDRESS_BOOK: "/alice/contacts/",
    Kind.CALENDAR_OBJECT: "/alice/calendar/a.ics",
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("propfind")
    (folder / "groups").write_text("family: alice bob\n")
    options = {"auth__htgroup_filename": str(folder / "groups")}
    with Installation(folder, options=options).client() as client:
        assert client("PUT", "/alice/calendar/a.ics", event("a")).status == 201
        assert client("MKCOL", "/alice/folder/").status == 201
        assert client("MKCOL", "/alice/folder/deeper/").status == 201
        yield client


def find(
    client: Client, path: str, asked: str, depth: str | None = "0"
) -> dict[str, PropertyStatuses]:
    headers = {} if depth is None else {"Depth": depth}
    body = f"<D:propfind {SPACES}>{asked}</D:propfind>" if asked else ""
    answer = client("PROPFIND", path, body, headers=headers)
    assert answer.status == 207, answer
    return parse_multistatus(answer.body)


def prop(*names: str) -> str:
    return f"<D:prop>{''.join(f'<{name}/>' for name in names)}</D:prop>"


def test_each_property_has_its_section_and_kinds() -> None:
    for row in PROPERTIES.values():
        assert row.kinds <= EXISTING
        assert "RFC" in row.section or not row.name.startswith(("D:", "C:", "CR:"))
        assert row.tell or row.of_object or row.setter or not row.kinds


@pytest.mark.parametrize("kind", PLACES)
def test_propname_names_what_prop_finds(client: Client, kind: Kind) -> None:
    path = PLACES[kind]
    named = find(client, path, "<D:propname/>")[path]
    assert set(named.values()) == {(200, ("", (), ()))}
    for tag in LIVE[kind]:
        space, name = tag[1:].split("}")
        asked = f'<D:prop><x:{name} xmlns:x="{space}"/></D:prop>'
        assert (find(client, path, asked)[path][tag][0] == 200) == (tag in named), tag


@pytest.mark.parametrize("kind", PLACES)
def test_allprop_is_what_rfc_4918_defines(client: Client, kind: Kind) -> None:
    path = PLACES[kind]
    found = find(client, path, "<D:allprop/>")[path]
    assert {code for code, _ in found.values()} == {200}
    assert found.keys() <= {tag for tag, row in PROPERTIES.items() if row.in_allprop}
    assert found == find(client, path, "")[path]
    more = find(client, path, "<D:allprop/><D:include><D:owner/><K:none/></D:include>")[path]
    assert more.keys() - found.keys() == {"{DAV:}owner", "{urn:x-kalends}none"}
    assert (more["{DAV:}owner"][0], more["{urn:x-kalends}none"][0]) == (200, 404)


def test_a_propfind_without_depth_goes_down_to_the_last(client: Client) -> None:
    """RFC 4918 section 9.1: it is infinity where nothing is said."""
    below = {
        "/alice/calendar/",
        "/alice/calendar/a.ics",
        "/alice/contacts/",
        "/alice/folder/",
        "/alice/folder/deeper/",
        "/alice/tasks/",
    }
    found = find(client, "/alice/", prop("D:resourcetype"), None).keys()
    assert {href for href in found if not href.startswith("/GROUPS/")} == below | {"/alice/"}
    assert found | {"/"} == find(client, "/", prop("D:resourcetype"), None).keys()
    one = find(client, "/alice/", prop("D:resourcetype"), "1").keys()
    assert one == {href for href in found if href not in PLACES.values() or href.count("/") < 4} - {
        "/alice/folder/deeper/",
        "/alice/calendar/a.ics",
    }


def test_a_stated_depth_of_infinity_is_refused_at_collections(client: Client) -> None:
    """RFC 4918 section 9.1.1."""
    for path in ("/", "/alice/", "/alice/calendar/", "/alice/folder/"):
        for depth in ("infinity", "Infinity"):
            answer = client("PROPFIND", path, headers={"Depth": depth})
            assert (answer.status, answer.precondition()) == (403, "{DAV:}propfind-finite-depth")
    deep = client("PROPFIND", "/alice/calendar/a.ics", headers={"Depth": "infinity"})
    assert deep.status == 207


def test_an_infinite_depth_has_an_end(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_REPEATED", 800)
    asked = f"<D:propfind {SPACES}>{prop('D:getetag', 'D:displayname')}</D:propfind>"
    deep = client("PROPFIND", "/alice/", asked)
    assert (deep.status, deep.precondition()) == (403, "{DAV:}propfind-finite-depth")
    assert client("PROPFIND", "/alice/", asked, headers={"Depth": "0"}).status == 207


@pytest.mark.parametrize("depth", ["2", "-1", "none", "1,noroot"])
def test_other_depths_are_refused(client: Client, depth: str) -> None:
    assert client("PROPFIND", "/alice/", headers={"Depth": depth}).status == 400


@pytest.mark.parametrize(
    "body",
    [
        "<D:propfind xmlns:D='DAV:'/>",
        "<D:propfind xmlns:D='DAV:'><D:prop/><D:allprop/></D:propfind>",
        "<D:propfind xmlns:D='DAV:'><D:propname/><D:prop/></D:propfind>",
        "<D:other xmlns:D='DAV:'><D:prop/></D:other>",
        "<D:propfind",
    ],
)
def test_a_body_that_is_none_is_refused(client: Client, body: str) -> None:
    assert client("PROPFIND", "/alice/", body, headers={"Depth": "0"}).status == 400


@pytest.mark.parametrize("path", PLACES.values())
def test_no_response_is_without_propstat(client: Client, path: str) -> None:
    asked = f"<D:propfind {SPACES}><D:prop/></D:propfind>"
    answer = client("PROPFIND", path, asked, headers={"Depth": "1"})
    for response in answer.xml().findall("D:response", NAMES):
        assert response.find("D:propstat/D:status", NAMES) is not None


def test_a_principal_has_its_properties(client: Client) -> None:
    names = ("D:alternate-URI-set", "D:principal-URL", "D:group-member-set", "D:group-membership")
    found = find(client, "/alice/", prop("D:displayname", "D:resourcetype", *names))["/alice/"]
    assert {code for code, _ in found.values()} == {200}
    assert found["{DAV:}displayname"][1] == ("alice", (), ())
    types = tuple((f"{{DAV:}}{name}", ("", (), ())) for name in ("principal", "collection"))
    assert found["{DAV:}resourcetype"] == (200, ("", (), types))
    assert found["{DAV:}group-membership"][1][2] == (("{DAV:}href", ("/GROUPS/family/", (), ())),)
    group = find(client, "/GROUPS/family/", prop("D:resourcetype", "D:principal-URL"))
    assert group["/GROUPS/family/"]["{DAV:}principal-URL"][1][2] == (
        ("{DAV:}href", ("/GROUPS/family/", (), ())),
    )


@pytest.mark.parametrize("path", PLACES.values())
def test_access_control_is_told_everywhere(client: Client, path: str) -> None:
    names = (
        *("D:owner", "D:group", "D:supported-privilege-set", "D:current-user-privilege-set"),
        *("D:acl", "D:acl-restrictions", "D:inherited-acl-set", "D:principal-collection-set"),
    )
    found = find(client, path, prop(*names))[path]
    assert {code for code, _ in found.values()} == {200}
    own = _names_in(found["{DAV:}current-user-privilege-set"][1])
    known = _names_in(found["{DAV:}supported-privilege-set"][1])
    assert own <= known
    for name in ("{DAV:}read", "{DAV:}read-acl", "{DAV:}read-current-user-privilege-set"):
        assert name in own
    may_write = path.startswith("/alice/")
    assert ({"{DAV:}write", "{DAV:}bind", "{DAV:}unbind", "{DAV:}all"} <= own) == may_write


def _names_in(value: object) -> set[str]:
    return set(re.findall(r"\{[^{}' ]*\}[a-z-]+", repr(value)))


def test_acl_is_refused_with_its_precondition(client: Client) -> None:
    ace = (
        "<D:ace><D:principal><D:all/></D:principal><D:grant><D:privilege><D:read/></D:privilege>"
        "</D:grant></D:ace>"
    )
    answer = client("ACL", "/alice/calendar/", f"<D:acl {SPACES}>{ace}</D:acl>")
    assert (answer.status, answer.precondition()) == (403, "{DAV:}no-protected-ace-conflict")
    assert client("ACL", "/alice/calendar/", f"<D:prop {SPACES}/>").status == 400
    assert client("ACL", "/alice/calendar/none.ics", f"<D:acl {SPACES}/>").status == 404
    assert client("ACL", "/bob/calendar/", f"<D:acl {SPACES}/>").status == 403


def test_calendars_and_address_books_tell_what_they_take(client: Client) -> None:
    calendar = find(
        client,
        "/alice/calendar/",
        prop("C:supported-calendar-data", "C:max-resource-size", "C:max-attendees-per-instance"),
    )["/alice/calendar/"]
    assert {code for code, _ in calendar.values()} == {200}
    book = find(
        client, "/alice/contacts/", prop("CR:supported-address-data", "CR:max-resource-size")
    )["/alice/contacts/"]
    assert {code for code, _ in book.values()} == {200}


def test_a_collection_without_a_name_is_called_by_its_last_segment(client: Client) -> None:
    assert client("MKCALENDAR", "/alice/plans/").status == 201
    found = find(client, "/alice/plans/", prop("D:displayname"))["/alice/plans/"]
    assert found["{DAV:}displayname"] == (200, ("plans", (), ()))
    assert client("DELETE", "/alice/plans/").status in (200, 204)
