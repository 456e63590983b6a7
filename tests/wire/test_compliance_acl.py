"""Requirements of RFC 3744 (access control) that no other test asks for: see docs/compliance.md."""

from __future__ import annotations

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


REFUSED = ("PROPFIND", "GET", "PUT", "DELETE", "REPORT", "COPY", "MOVE")


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
