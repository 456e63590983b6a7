"""Requirements of RFC 3744 (access control) that no other test asks for: see docs/compliance.md."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from support.installation import NAMES, Client, Installation, event

OBJECT = "/alice/calendar/a.ics"
SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Open an application where alice has one event and bob a home."""
    with Installation(tmp_path_factory.mktemp("acl"), feeds="").client() as client:
        assert client("PROPFIND", "/bob/", user="bob").status == 207
        assert client("PUT", OBJECT, event("a")).status == 201
        yield client


def test_searchable_properties_are_described_in_a_language(client: Client) -> None:
    """Section 9.5."""
    answer = client("REPORT", "/", f"<D:principal-search-property-set {SPACES}/>")
    found = answer.xml().findall("D:principal-search-property", NAMES)
    assert found
    for one in found:
        description = one.find("D:description", NAMES)
        assert description is not None
        assert description.text
        assert description.attrib[LANGUAGE] == "en"


def names_in(element: ET.Element) -> set[str]:
    """Return the names of the privileges in a property."""
    return {node.tag for node in element.iterfind(".//D:privilege/*", NAMES)}


@pytest.mark.parametrize("path", ["/", "/alice/", "/alice/calendar/", "/alice/contacts/", OBJECT])
def test_an_entry_grants_what_the_resource_supports(client: Client, path: str) -> None:
    """Sections 5.3 to 5.5.2: privileges are described in a language."""
    wanted = "<D:acl/><D:supported-privilege-set/><D:current-user-privilege-set/>"
    body = f"<D:propfind {SPACES}><D:prop>{wanted}</D:prop></D:propfind>"
    root = client("PROPFIND", path, body, headers={"Depth": "0"}).xml()
    acl, known, own = root.iterfind(".//D:prop/*", NAMES)
    assert names_in(acl) <= names_in(known)
    assert names_in(own) <= names_in(known)
    described = known.findall(".//D:supported-privilege", NAMES)
    assert described
    for one in described:
        description = one.find("D:description", NAMES)
        assert description is not None
        assert description.attrib[LANGUAGE] == "en"


REFUSED = ("PROPFIND", "GET", "PUT", "DELETE", "REPORT", "COPY", "MOVE", "PROPPATCH", "ACL")


@pytest.mark.parametrize("method", REFUSED)
def test_a_refusal_names_the_privilege_that_is_missing(client: Client, method: str) -> None:
    """Section 7.1.1."""
    body = f"<D:propfind {SPACES}><D:allprop/></D:propfind>" if method == "PROPFIND" else ""
    answer = client(method, "/bob/calendar/", body, headers={"Destination": "/alice/b/"})
    assert answer.status == 403
    place = answer.xml().find("D:need-privileges/D:resource", NAMES)
    assert place is not None
    assert place.findtext("D:href", "", NAMES) == "/bob/calendar/"
    (privilege,) = place.findall("D:privilege/*", NAMES)
    assert privilege.tag == "{DAV:}read"
