"""How a client finds its principal and collections: RFC 5397, 6764 and 6578 section 3.2."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from support.installation import NAMES, Client, Installation, event

PATHS = ("/", "/alice/", "/alice/calendar/", "/alice/contacts/", "/alice/calendar/a.ics")
SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Open an application where alice has one event."""
    with Installation(tmp_path_factory.mktemp("discovery"), feeds="").client() as client:
        assert client("PUT", PATHS[-1], event("a")).status == 201
        yield client


def hrefs_of(client: Client, path: str, name: str) -> list[str]:
    """Return the hrefs within a property of a resource."""
    body = f"<D:propfind {SPACES}><D:prop><{name}/></D:prop></D:propfind>"
    answer = client("PROPFIND", path, body, headers={"Depth": "0"})
    return [node.text or "" for node in answer.xml().iterfind(f".//{name}/D:href", NAMES)]


def test_every_resource_names_the_principal_of_the_user(client: Client) -> None:
    """RFC 5397 section 3."""
    for path in PATHS:
        (principal,) = hrefs_of(client, path, "D:current-user-principal")
        assert hrefs_of(client, principal, "D:principal-URL") == [principal] == ["/alice/"]


def test_a_client_finds_its_collections_from_the_well_known_address(client: Client) -> None:
    """RFC 6764 sections 5 and 6."""
    for name, home in (("caldav", "C:calendar-home-set"), ("carddav", "CR:addressbook-home-set")):
        for method in ("GET", "PROPFIND", "OPTIONS"):
            answer = client(method, f"/.well-known/{name}")
            assert (answer.status, answer.headers["Cache-Control"]) == (301, "no-cache")
        (principal,) = hrefs_of(client, answer.headers["Location"], "D:current-user-principal")
        assert hrefs_of(client, principal, home) == ["/alice/"]


def test_sync_is_announced_where_a_token_is(client: Client) -> None:
    """RFC 6578 sections 3.2 and 4."""
    for path in PATHS:
        wanted = "<D:supported-report-set/><D:sync-token/>"
        body = f"<D:propfind {SPACES}><D:prop>{wanted}</D:prop></D:propfind>"
        root = client("PROPFIND", path, body, headers={"Depth": "0"}).xml()
        token = root.findtext(".//D:propstat/D:prop/D:sync-token", "", NAMES)
        told = {node.tag for node in root.iterfind(".//D:report/*", NAMES)}
        assert ("{DAV:}sync-collection" in told) is token.startswith("data:")
        assert bool(token) is (path not in ("/", PATHS[-1]))


def sync(client: Client, token: str = "", limit: str = "") -> ET.Element:
    """Send a sync-collection, and return its answer."""
    most = f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>" if limit else ""
    body = (
        f"<D:sync-collection {SPACES}><D:sync-token>{token}</D:sync-token>"
        f"<D:sync-level>1</D:sync-level>{most}<D:prop><D:getetag/></D:prop></D:sync-collection>"
    )
    return client("REPORT", "/alice/calendar/", body, headers={"Depth": "0"}).xml()


def test_what_came_and_went_since_the_token_is_removed(client: Client) -> None:
    """RFC 6578 section 3.5.2."""
    token = sync(client).findtext("D:sync-token", "", NAMES)
    path = "/alice/calendar/brief.ics"
    assert client("PUT", path, event("brief")).status == 201
    assert client("DELETE", path).status == 204
    (response,) = sync(client, token).findall("D:response", NAMES)
    assert response.findtext("D:href", "", NAMES) == path
    assert response.findtext("D:status", "", NAMES) == "HTTP/1.1 404 Not Found"
    assert response.find("D:propstat", NAMES) is None


def test_a_sync_that_is_cut_off_names_the_limit(client: Client) -> None:
    """RFC 6578 section 3.6."""
    assert client("PUT", "/alice/calendar/other.ics", event("other")).status in (201, 204)
    cut = sync(client, limit="1").findall("D:response", NAMES)[-1]
    assert cut.findtext("D:href", "", NAMES) == "/alice/calendar/"
    assert cut.find("D:error/D:number-of-matches-within-limits", NAMES) is not None


def test_a_sync_token_cannot_be_set(client: Client) -> None:
    """RFC 6578 section 4."""
    prop = "<D:prop><D:sync-token>data:,1</D:sync-token></D:prop>"
    body = f"<D:propertyupdate {SPACES}><D:set>{prop}</D:set></D:propertyupdate>"
    answer = client("PROPPATCH", "/alice/calendar/", body)
    assert answer.xml().findtext(".//D:status", "", NAMES) == "HTTP/1.1 403 Forbidden"


@pytest.mark.parametrize("preference", ["respond-async", "wait=10", "nonsense;a=b", ",", "return="])
def test_an_unknown_preference_is_ignored(client: Client, preference: str) -> None:
    """RFC 7240 section 2."""
    body = f"<D:propfind {SPACES}><D:prop><D:getetag/><D:none/></D:prop></D:propfind>"
    plain = client("PROPFIND", "/alice/calendar/", body)
    answer = client("PROPFIND", "/alice/calendar/", body, headers={"Prefer": preference})
    assert (answer.status, answer.body) == (207, plain.body)
    assert "Preference-Applied" not in answer.headers


@pytest.mark.parametrize("method", ["PROPFIND", "REPORT"])
@pytest.mark.parametrize("preference", ["", "return=minimal"])
def test_every_answer_that_could_be_shorter_varies_by_prefer(
    client: Client, method: str, preference: str
) -> None:
    """RFC 7240 section 2."""
    root = "D:propfind" if method == "PROPFIND" else "C:calendar-query"
    body = f"<{root} {SPACES}><D:prop><D:getetag/></D:prop></{root}>"
    headers = {"Prefer": preference} if preference else {}
    answer = client(method, "/alice/calendar/", body, headers=headers)
    assert answer.status == 207
    assert "Prefer" in answer.headers["Vary"]


def test_a_removed_calendar_is_told_without_its_objects(client: Client) -> None:
    """RFC 6578 section 3.5.2."""

    def deep(token: str) -> ET.Element:
        body = (
            f"<D:sync-collection {SPACES}><D:sync-token>{token}</D:sync-token>"
            "<D:sync-level>infinite</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
        )
        return client("REPORT", "/alice/", body).xml()

    assert client("MKCALENDAR", "/alice/gone/").status == 201
    assert client("PUT", "/alice/gone/a.ics", event("gone")).status == 201
    token = deep("").findtext("D:sync-token", "", NAMES)
    assert client("DELETE", "/alice/gone/").status == 204
    (response,) = deep(token).findall("D:response", NAMES)
    assert response.findtext("D:href", "", NAMES) == "/alice/gone/"
    assert response.findtext("D:status", "", NAMES) == "HTTP/1.1 404 Not Found"
