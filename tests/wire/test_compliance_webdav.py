"""Requirements of RFC 4918 (WebDAV) that no other test asks for: see docs/compliance.md."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.installation import NAMES, Client, Installation, event
from support.multistatus import PropertyStatuses, parse_multistatus

CALENDAR, OBJECT = "/alice/calendar/", "/alice/calendar/a.ics"
PATHS = ("/", "/alice/", CALENDAR, "/alice/contacts/", OBJECT)
SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Open an application where alice has one event and bob a home."""
    with Installation(tmp_path_factory.mktemp("webdav"), feeds="").client() as client:
        assert client("PROPFIND", "/bob/", user="bob").status == 207
        assert client("PUT", OBJECT, event("a")).status == 201
        yield client


def asking(*names: str) -> str:
    wanted = "".join(f"<{name}/>" for name in names)
    return f"<D:propfind {SPACES}><D:prop>{wanted}</D:prop></D:propfind>"


def found(client: Client, path: str, body: str = "") -> PropertyStatuses:
    """Return the properties of one resource, each with its status."""
    answer = client("PROPFIND", path, body, headers={"Depth": "0"})
    assert answer.status == 207, answer
    (statuses,) = parse_multistatus(answer.body).values()
    return statuses


def test_the_addresses_of_collections_end_in_a_slash_and_are_all_paths(client: Client) -> None:
    """Sections 5.2 and 8.3."""
    for path in ("/", "/alice", "/alice/", CALENDAR):
        answer = client("PROPFIND", path, asking("D:resourcetype"), headers={"Depth": "1"})
        for href, statuses in parse_multistatus(answer.body).items():
            assert href.startswith("/")
            is_collection = "{DAV:}collection" in str(statuses["{DAV:}resourcetype"])
            assert href.endswith("/") is is_collection


@pytest.mark.parametrize(
    ("method", "body", "headers"),
    [
        ("PROPFIND", "<", {}),
        ("PROPPATCH", "<", {}),
        ("REPORT", "<", {}),
        ("MKCALENDAR", "<", {}),
        ("PUT", "nonsense", {"If-Match": '"b"'}),
        ("DELETE", "", {"If-Match": '"b"'}),
        ("GET", "", {"If-Match": '"b"'}),
        ("MOVE", "", {"Destination": OBJECT, "Overwrite": "F"}),
    ],
)
def test_a_missing_privilege_comes_before_other_errors(
    client: Client, method: str, body: str, headers: dict[str, str]
) -> None:
    """Sections 8.1, 8.5 and 10.6."""
    path = "/bob/calendar/" if body == "<" else "/bob/calendar/b.ics"
    assert client(method, path, body, headers=headers).status == 403
    assert client(method, path, body, headers=headers, user="").status == 401


@pytest.mark.parametrize("kind", ["text/xml", "application/xml", "application/xml; charset=utf-8"])
def test_both_media_types_of_xml_are_taken(client: Client, kind: str) -> None:
    """Section 8.2."""
    answer = client("PROPFIND", CALENDAR, asking("D:getetag"), headers={"Content-Type": kind})
    assert answer.status == 207
    assert answer.headers["Content-Type"].partition(";")[0] in ("text/xml", "application/xml")


def test_properties_of_a_calendar_do_not_change_the_state_of_its_objects(client: Client) -> None:
    """Section 8.6."""
    before = client("GET", OBJECT).headers
    patch = (
        f"<D:propertyupdate {SPACES}><D:set><D:prop><D:displayname>Other</D:displayname></D:prop>"
        "</D:set></D:propertyupdate>"
    )
    assert client("PROPPATCH", CALENDAR, patch).status == 207
    after = client("GET", OBJECT).headers
    for name in ("ETag", "Last-Modified"):
        assert before[name] == after[name]


def test_an_entity_tag_is_not_used_again_for_other_octets(client: Client) -> None:
    """Section 8.8."""
    path, seen = f"{CALENDAR}again.ics", set()
    for summary in ("One", "Two", "Three"):
        seen.add(client("PUT", path, event("again", summary=summary)).headers["ETag"])
        assert client("DELETE", path).status == 204
    assert len(seen) == 3


@pytest.mark.parametrize("path", PATHS)
def test_an_empty_propfind_asks_for_all_properties(client: Client, path: str) -> None:
    """Section 9.1."""
    allprop = f"<D:propfind {SPACES}><D:allprop/></D:propfind>"
    assert found(client, path) == found(client, path, allprop)
    names = found(client, path, f"<D:propfind {SPACES}><D:propname/></D:propfind>")
    assert found(client, path).keys() <= names.keys()
    assert {status for status, _ in names.values()} == {200}


def test_further_properties_can_be_included_with_all(client: Client) -> None:
    """Section 14.8."""
    include = "<D:allprop/><D:include><D:supported-report-set/><D:none/></D:include>"
    statuses = found(client, CALENDAR, f"<D:propfind {SPACES}>{include}</D:propfind>")
    assert statuses["{DAV:}supported-report-set"][0] == 200
    assert statuses["{DAV:}none"][0] == 404


@pytest.mark.parametrize("path", PATHS)
def test_a_property_that_is_not_there_is_404_within_the_answer(client: Client, path: str) -> None:
    """Section 9.1."""
    statuses = found(client, path, asking("D:resourcetype", "D:nonsense", "K:nonsense"))
    assert {tag: status for tag, (status, _) in statuses.items()} == {
        "{DAV:}resourcetype": 200,
        "{DAV:}nonsense": 404,
        "{urn:x-kalends}nonsense": 404,
    }


def test_the_depth_of_a_propfind_of_an_object_does_not_matter(client: Client) -> None:
    """Section 10.2."""
    for depth in ("0", "1", "infinity"):
        answer = client("PROPFIND", OBJECT, asking("D:getetag"), headers={"Depth": depth})
        assert answer.hrefs() == [OBJECT]


def test_blanks_are_kept_whatever_xml_space_says(client: Client) -> None:
    """Section 4.3."""
    for space in ("", 'xml:space="default"', 'xml:space="preserve"'):
        prop = f"<K:blanks {space}>  a \n b  </K:blanks>"
        body = (
            f"<D:propertyupdate {SPACES}><D:set><D:prop>{prop}</D:prop></D:set></D:propertyupdate>"
        )
        assert client("PROPPATCH", CALENDAR, body).status == 207
        ((status, value),) = found(client, CALENDAR, asking("K:blanks")).values()
        assert (status, value[0]) == (200, "  a \n b  ")


def test_a_deleted_resource_is_gone_with_all_that_was_in_it(client: Client) -> None:
    """Sections 9.6 and 9.6.1."""
    inner = "/alice/gone/a.ics"
    assert client("MKCALENDAR", "/alice/gone/").status == 201
    assert client("PUT", inner, event("gone")).status == 201
    assert client("DELETE", "/alice/gone/").status == 204
    for path in ("/alice/gone/", inner):
        for method in ("GET", "HEAD", "PROPFIND"):
            assert client(method, path).status == 404


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("user", ["alice", ""])
def test_options_tells_the_classes_that_are_done(client: Client, path: str, user: str) -> None:
    """Sections 10.1, 18.1 and 18.3; class 2 is that of locks (section 18.2)."""
    answer = client("OPTIONS", path, user=user)
    classes = {name.strip() for name in answer.headers["DAV"].split(",")}
    assert {"1", "3", "access-control", "calendar-access", "addressbook"} <= classes
    assert "2" not in classes
    assert "LOCK" not in answer.headers["Allow"]
    assert client("LOCK", path).status == 405


def test_412_is_not_used_without_a_condition(client: Client) -> None:
    """Section 12.1."""
    for method, path in (("GET", OBJECT), ("PUT", OBJECT), ("DELETE", f"{CALENDAR}none.ics")):
        assert client(method, path, event("a")).status != 412


@pytest.mark.parametrize("content", ["", "<D:prop/><D:allprop/>", "<D:propname/><D:prop/>"])
def test_an_illegal_propfind_is_refused(client: Client, content: str) -> None:
    """Section 14.20."""
    body = f"<D:propfind {SPACES}>{content}</D:propfind>"
    assert client("PROPFIND", CALENDAR, body).status == 400


@pytest.mark.parametrize("path", [OBJECT, "/alice/contacts/c.vcf"])
def test_the_headers_of_a_get_are_properties_as_well(client: Client, path: str) -> None:
    """Sections 15.4 to 15.7."""
    if path.endswith(".vcf"):
        card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nFN:C\r\nN:C;;;;\r\nEND:VCARD\r\n"
        assert client("PUT", path, card).status == 201
    headers = client("GET", path).headers
    names = {
        "Content-Length": "getcontentlength",
        "Content-Type": "getcontenttype",
        "ETag": "getetag",
        "Last-Modified": "getlastmodified",
    }
    properties = found(client, path, asking(*(f"D:{name}" for name in names.values())))
    for header, name in names.items():
        status, (text, *_) = properties[f"{{DAV:}}{name}"]
        assert status == 200
        assert (text == headers[header]) or header == "Content-Type"


@pytest.mark.parametrize("path", PATHS)
def test_every_resource_has_a_type(client: Client, path: str) -> None:
    """Section 15.9."""
    ((status, value),) = found(client, path, asking("D:resourcetype")).values()
    assert status == 200
    assert ("{DAV:}collection" in str(value)) is (path != OBJECT)


def test_what_xml_has_beside_what_is_asked_is_ignored(client: Client) -> None:
    """Section 17: unknown elements and attributes, processing instructions, order."""
    odd = (
        f"<?xml version='1.0'?><?odd?><D:propfind {SPACES} K:a='b'><K:odd><D:allprop/></K:odd>"
        "<D:prop K:a='b'><?odd?><!-- odd --><D:getetag/></D:prop></D:propfind>"
    )
    assert found(client, OBJECT, odd) == found(client, OBJECT, asking("D:getetag"))
