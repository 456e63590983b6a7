"""The conditions of requests, for every method (RFC 9110 section 13, RFC 4918 section 10.4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.installation import NAMES, Client, Installation, event

PATH = "/alice/calendar/a.ics"
LONG_AGO = "Thu, 01 Jan 1970 00:00:00 GMT"
LATER = "Fri, 31 Dec 2399 23:59:59 GMT"
MULTIGET = (
    '<C:calendar-multiget xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns="DAV:"><prop><getetag/>'
    "</prop></C:calendar-multiget>"
)
TOKEN = '<propfind xmlns="DAV:"><prop><sync-token/><getetag/></prop></propfind>'


@pytest.fixture(scope="module")
def shared_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Installation(tmp_path_factory.mktemp("conditions")).client() as client:
        yield client


@pytest.fixture
def client(shared_client: Client) -> Client:
    """Return the client, with one object in its calendar."""
    shared_client("DELETE", "/alice/calendar/")
    assert shared_client("MKCALENDAR", "/alice/calendar/").status == 201
    assert shared_client("PUT", PATH, event("a")).status == 201
    return shared_client


@pytest.fixture
def etag(client: Client) -> str:
    return client("GET", PATH).headers["ETag"]


def state(client: Client, path: str = "/alice/calendar/") -> tuple[str, str]:
    """Return the sync-token and the entity tag of a collection."""
    found = client("PROPFIND", path, TOKEN).xml()
    token = found.findtext(".//D:sync-token", "", NAMES)
    return token, found.findtext(".//D:getetag", "", NAMES)


# In the order of RFC 9110 section 13.2.2: what is decided first hides what follows.
CONDITIONS = [
    ({"If-Match": "ETAG"}, True, True),
    ({"If-Match": "*"}, True, True),
    ({"If-Match": '"b"'}, False, False),
    ({"If-Match": "unquoted"}, False, False),
    ({"If-Unmodified-Since": LATER}, True, True),
    ({"If-Unmodified-Since": LONG_AGO}, False, False),
    ({"If-Unmodified-Since": "yesterday"}, True, True),
    ({"If-Match": "ETAG", "If-Unmodified-Since": LONG_AGO}, True, True),
    ({"If-None-Match": '"b"'}, True, True),
    ({"If-None-Match": '"b"', "If-Modified-Since": LATER}, True, True),
    ({"If-Match": '"b"', "If-None-Match": "ETAG"}, False, False),
    ({"If-None-Match": "ETAG"}, False, None),
    ({"If-None-Match": "*"}, False, None),
    ({"If-None-Match": "ETAG", "If-Match": "ETAG"}, False, None),
    ({"If-Modified-Since": LATER}, True, None),
    ({"If-Modified-Since": LONG_AGO}, True, True),
    ({"If-Modified-Since": "tomorrow"}, True, True),
    ({"If": "([ETAG])"}, True, True),
    ({"If": '(["b"])'}, False, False),
    ({"If": '(Not ["b"])'}, True, True),
    ({"If": '(["b"]) ([ETAG])'}, True, True),
    ({"If": "([ETAG] <opaquelocktoken:none>)"}, False, False),
    ({"If": "([ETAG] Not <DAV:no-lock>)"}, True, True),
    ({"If": f"<{PATH}> ([ETAG])"}, True, True),
    ({"If": f"<http://127.0.0.1{PATH}> ([ETAG])"}, True, True),
    ({"If": f"<http://elsewhere.example{PATH}> ([ETAG])"}, False, False),
    ({"If": "</alice/calendar/b.ics> ([ETAG])"}, False, False),
    ({"If": "</bob/calendar/> (Not [ETAG])"}, True, True),
    ({"If": "([ETAG])", "If-None-Match": "ETAG"}, False, None),
]


def filled(headers: dict[str, str], etag: str) -> dict[str, str]:
    return {name: value.replace("ETAG", etag) for name, value in headers.items()}


@pytest.mark.parametrize(("headers", "write", "read"), CONDITIONS, ids=str)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "MOVE"])
def test_a_write_goes_ahead_if_its_conditions_hold(
    client: Client, etag: str, method: str, headers: dict[str, str], write: bool, read: bool | None
) -> None:
    sent = filled(headers, etag) | {"Destination": "/alice/calendar/to.ics"}
    answer = client(method, PATH, event("a", summary="New"), headers=sent)
    assert answer.status == (412 if not write else 201 if method == "MOVE" else 204)
    now = client("GET", PATH)
    assert ((now.status, now.headers.get("ETag")) == (200, etag)) is not write


@pytest.mark.parametrize(("headers", "write", "read"), CONDITIONS, ids=str)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_read_is_answered_by_its_conditions(
    client: Client, etag: str, method: str, headers: dict[str, str], write: bool, read: bool | None
) -> None:
    answer = client(method, PATH, headers=filled(headers, etag))
    assert answer.status == (304 if read is None else 200 if read else 412)
    assert answer.headers.get("ETag") == (None if read is False else etag)


@pytest.mark.parametrize("header", ["", "(", "([a])", '["a"]', '(["a"]) </b> (["a"])'])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PROPFIND", "REPORT", "MOVE"])
def test_a_malformed_if_header_is_refused(client: Client, method: str, header: str) -> None:
    bodies: dict[str, bytes | str] = {"PUT": event("a"), "REPORT": MULTIGET}
    body = bodies.get(method, b"")
    headers = {"If": header, "Destination": "/alice/calendar/to.ics"}
    assert client(method, PATH, body, headers=headers).status == 400
    assert client("GET", PATH).body == event("a")


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [("PROPFIND", "", 207), ("REPORT", MULTIGET, 207), ("DELETE", "", 204)],
)
def test_the_sync_token_and_the_entity_tag_of_a_collection_are_its_state(
    client: Client, method: str, body: str, status: int
) -> None:
    path = "/alice/calendar/"
    token, ctag = state(client)
    other = client("PUT", PATH, event("a", summary="Changed"))
    assert other.status == 204
    for old in (f"(<{token}>)", f"([{ctag}])"):
        assert client(method, path, body, headers={"If": old}).status == 412
    token, ctag = state(client)
    now = f"([{ctag}] <{token}>)"
    assert client(method, path, body, headers={"If": now}).status == status


def test_a_write_can_depend_on_the_state_of_its_collection(client: Client) -> None:
    token, _ = state(client)
    headers = {"If": f"</alice/calendar/> (<{token}>)"}
    assert client("PUT", "/alice/calendar/b.ics", event("b"), headers=headers).status == 201
    assert client("PUT", "/alice/calendar/c.ics", event("c"), headers=headers).status == 412
    assert client("GET", "/alice/calendar/c.ics").status == 404


def test_what_is_hidden_has_no_state(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with installation.client() as alice, installation.client("bob") as bob:
        etag = alice("PUT", PATH, event("a")).headers["ETag"]
        bob("PROPFIND", "/bob/")
        answer = bob("PROPFIND", "/bob/", headers={"If": f"<{PATH}> ([{etag}])"})
        assert answer.status == 412


def test_a_refusal_that_was_due_anyway_comes_before_a_condition(client: Client) -> None:
    headers = {"If-Match": '"b"'}
    assert client("DELETE", "/alice/calendar/none.ics", headers=headers).status == 404
    assert client("GET", "/alice/calendar/none.ics", headers=headers).status == 404
    assert client("PUT", "/alice/none/a.ics", event("a"), headers=headers).status == 409
