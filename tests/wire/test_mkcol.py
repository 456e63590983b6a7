"""MKCALENDAR, MKCOL and extended MKCOL (RFC 4791 5.3.1, RFC 4918 9.3, RFC 5689, RFC 6352 6.3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.installation import NAMES, Answer, Client, Installation

SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
TYPES = {
    "folder": "<D:collection/>",
    "calendar": "<D:collection/><C:calendar/>",
    "address book": "<D:collection/><CR:addressbook/>",
    "subscription": "<D:collection/><CS:subscribed/>",
}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "groups").write_text("family: alice bob\n")
    options = {"auth__htgroup_filename": str(tmp_path / "groups")}
    with Installation(tmp_path, options=options).client() as client:
        assert client("PROPFIND", "/alice/", headers={"Depth": "0"}).status == 207
        yield client


def mkcol(client: Client, path: str, kind: str, *props: str) -> Answer:
    resource_type = f"<D:resourcetype>{TYPES.get(kind, kind)}</D:resourcetype>"
    inner = f"<D:set><D:prop>{resource_type}{''.join(props)}</D:prop></D:set>"
    return client("MKCOL", path, f"<D:mkcol {SPACES}>{inner}</D:mkcol>")


def mkcalendar(client: Client, path: str, *props: str) -> Answer:
    inner = f"<D:set><D:prop>{''.join(props)}</D:prop></D:set>"
    return client("MKCALENDAR", path, f"<C:mkcalendar {SPACES}>{inner}</C:mkcalendar>")


def types(client: Client, path: str) -> set[str]:
    answer = client(
        "PROPFIND",
        path,
        f"<D:propfind {SPACES}><D:prop><D:resourcetype/></D:prop></D:propfind>",
        headers={"Depth": "0"},
    )
    if answer.status == 404:
        return set()
    return {
        child.tag.rpartition("}")[2] for child in answer.xml().findall(".//D:resourcetype/*", NAMES)
    }


def exists(client: Client, path: str) -> bool:
    return bool(types(client, path))


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("folder", {"collection"}),
        ("calendar", {"collection", "calendar"}),
        ("address book", {"collection", "addressbook"}),
        ("subscription", {"collection", "subscribed"}),
    ],
)
def test_each_kind_of_collection_is_made(client: Client, kind: str, made: set[str]) -> None:
    answer = mkcol(client, "/alice/new/", kind, "<D:displayname>New</D:displayname>")
    assert (answer.status, answer.headers["Cache-Control"]) == (201, "no-cache")
    assert types(client, "/alice/new/") == made
    assert client.props("/alice/new/", "D:displayname") == {
        "/alice/new/": {"{DAV:}displayname": "New"}
    }
    again = mkcol(client, "/alice/new/", kind)
    assert again.status == 405
    assert "MKCOL" not in again.headers["Allow"]


def test_a_calendar_is_made_with_its_properties(client: Client) -> None:
    name = "C:supported-calendar-component-set"
    components = f'<{name}><C:comp name="VTODO"/></{name}>'
    answer = mkcalendar(client, "/alice/new/", components, "<D:displayname>New</D:displayname>")
    assert (answer.status, answer.body, answer.headers["Cache-Control"]) == (201, b"", "no-cache")
    found = client(
        "PROPFIND",
        "/alice/new/",
        f"<D:propfind {SPACES}><D:prop><C:supported-calendar-component-set/></D:prop></D:propfind>",
        headers={"Depth": "0"},
    )
    assert [comp.get("name") for comp in found.xml().iter(f"{{{NAMES['C']}}}comp")] == ["VTODO"]
    again = mkcalendar(client, "/alice/new/")
    assert (again.status, again.precondition()) == (403, "{DAV:}resource-must-be-null")
    assert again.headers["Cache-Control"] == "no-cache"


def test_folders_are_made_below_each_other(client: Client) -> None:
    assert client("MKCOL", "/alice/a/").status == 201
    assert client("MKCOL", "/alice/a/b").status == 201
    assert mkcol(client, "/alice/a/b/c/", "folder").status == 201
    assert types(client, "/alice/a/b/c/") == {"collection"}
    assert client("MKCOL", "/alice/x/y/").status == 409
    assert client("PROPFIND", "/alice/a/b/", user="bob").status == 403
    deep = "/alice" + "/d" * 20
    made = [client("MKCOL", deep[: len("/alice") + 2 * n]).status for n in range(1, 21)]
    assert made == [201] * 16 + [403] * 4
    assert client("DELETE", "/alice/d/").status in (200, 204)
    assert not exists(client, "/alice/d/")


@pytest.mark.parametrize("kind", ["calendar", "address book"])
@pytest.mark.parametrize("above", ["/alice/calendar/", "/alice/contacts/", "/alice/folder/"])
def test_calendars_are_directly_in_a_home(client: Client, kind: str, above: str) -> None:
    assert client("MKCOL", "/alice/folder/").status == 201
    answer = mkcol(client, f"{above}new/", kind)
    space = NAMES["C"] if kind == "calendar" else NAMES["CR"]
    name = "calendar" if kind == "calendar" else "addressbook"
    assert answer.status == 403
    assert answer.precondition() == f"{{{space}}}{name}-collection-location-ok"
    assert not exists(client, f"{above}new/")


def test_a_calendar_holds_no_collections(client: Client) -> None:
    answer = mkcalendar(client, "/alice/calendar/new/")
    assert (answer.status, answer.precondition()) == (
        403,
        f"{{{NAMES['C']}}}calendar-collection-location-ok",
    )
    assert client("MKCOL", "/alice/calendar/new/").status == 403
    assert client("MKCALENDAR", "/alice/none/new/").status == 409


def test_a_group_has_calendars_and_no_folders(client: Client) -> None:
    assert client("PROPFIND", "/GROUPS/family/", headers={"Depth": "0"}).status == 207
    assert mkcalendar(client, "/GROUPS/family/new/").status == 201
    assert types(client, "/GROUPS/family/new/") == {"collection", "calendar"}
    assert client("MKCOL", "/GROUPS/family/folder/").status == 403
    assert client("MKCOL", "/bob/folder/").status == 403
    assert client("MKCOL", "/folder/").status == 403


def test_nothing_is_made_if_a_property_cannot_be_set(client: Client) -> None:
    name, etag = "<D:displayname>New</D:displayname>", "<D:getetag>1</D:getetag>"
    for answer, root in (
        (mkcalendar(client, "/alice/new/", name, etag), f"{{{NAMES['C']}}}mkcalendar-response"),
        (mkcol(client, "/alice/new/", "calendar", name, etag), "{DAV:}mkcol-response"),
    ):
        assert (answer.status, answer.headers["Cache-Control"]) == (403, "no-cache")
        assert answer.xml().tag == root
        found = {
            prop.tag: propstat.findtext("D:status", "", NAMES).split()[1]
            for propstat in answer.xml().findall("D:propstat", NAMES)
            for prop in propstat.findall("D:prop/*", NAMES)
        }
        assert found == {"{DAV:}getetag": "403", "{DAV:}displayname": "424"}
        assert b"cannot-modify-protected-property" in answer.body
        assert not exists(client, "/alice/new/")


@pytest.mark.parametrize(
    "kind",
    ["<C:calendar/>", "<D:collection/><K:other/>", "<D:collection/><C:calendar/><CR:addressbook/>"],
)
def test_other_types_are_refused(client: Client, kind: str) -> None:
    answer = mkcol(client, "/alice/new/", kind)
    assert answer.status == 403
    assert b"<valid-resourcetype>" in answer.body
    assert not exists(client, "/alice/new/")


def test_components_that_are_none_are_refused(client: Client) -> None:
    for comp in ('<C:comp name="VPOLL"/>', "<C:comp/>"):
        prop = f"<C:supported-calendar-component-set>{comp}</C:supported-calendar-component-set>"
        assert mkcalendar(client, "/alice/new/", prop).status == 403
        assert not exists(client, "/alice/new/")


def test_bodies_that_are_none_are_refused(client: Client) -> None:
    other = {"Content-Type": "xzy-foo/bar-512"}
    assert client("MKCOL", "/alice/new/", "afafafaf", headers=other).status == 415
    assert client("MKCOL", "/alice/new/", f"<K:other {SPACES}/>").status == 415
    assert client("MKCOL", "/alice/new/", "<").status == 400
    assert client("MKCALENDAR", "/alice/new/", "<").status == 400
    assert client("MKCALENDAR", "/alice/new/", f"<D:mkcol {SPACES}/>").status == 400
    assert not exists(client, "/alice/new/")
