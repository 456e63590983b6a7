"""Properties in the XML of requests: one that cannot be set is refused, and nothing else is set."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kalends.store.collections import MAX_PROPERTIES, MAX_PROPERTIES_LENGTH
from support.installation import NAMES, Answer, Client, Installation

SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
WHY = ".//{urn:x-kalends}why"
NAME = "<D:displayname>new</D:displayname>"
UNNAMED = (
    '<C:supported-calendar-component-set><C:comp name="VEVENT"/><C:comp/>'
    "</C:supported-calendar-component-set>"
)
WITHOUT_NAMESPACE = '<colour xmlns="">red</colour>'
CALENDAR = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"
ROOTS = {
    "PROPPATCH": "D:propertyupdate",
    "MKCALENDAR": "C:mkcalendar",
    "MKCOL": "D:mkcol",
}


@pytest.fixture
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Installation(tmp_path_factory.mktemp("properties"), feeds="").client() as client:
        client("PROPFIND", "/alice/")
        yield client


def setting(method: str, *props: str) -> str:
    given = "".join(props)
    if method == "MKCOL":
        given = CALENDAR + given
    root = ROOTS[method]
    return f"<{root} {SPACES}><D:set><D:prop>{given}</D:prop></D:set></{root}>"


def send(client: Client, method: str, *props: str) -> Answer:
    path = "/alice/calendar/" if method == "PROPPATCH" else "/alice/made/"
    return client(method, path, setting(method, *props))


@pytest.mark.parametrize("method", ROOTS)
def test_a_property_that_cannot_be_set_is_refused_with_all_others(
    client: Client, method: str
) -> None:
    before = client.props("/alice/", "D:displayname", depth="1")
    answer = send(client, method, NAME, UNNAMED)
    assert answer.status == (207 if method == "PROPPATCH" else 403)
    assert b"424" in answer.body
    assert client.props("/alice/", "D:displayname", depth="1") == before


@pytest.mark.parametrize("method", ROOTS)
def test_a_property_without_a_namespace_is_kept(client: Client, method: str) -> None:
    assert send(client, method, NAME, WITHOUT_NAMESPACE).status in (201, 207)
    path = "/alice/calendar/" if method == "PROPPATCH" else "/alice/made/"
    asked = f'<D:propfind {SPACES}><D:prop><colour xmlns=""/></D:prop></D:propfind>'
    answer = client("PROPFIND", path, asked, headers={"Depth": "0"})
    assert [node.text for node in answer.xml().iter("colour")] == ["red"]


@pytest.mark.parametrize("method", ROOTS)
def test_the_properties_of_a_collection_have_a_bound(client: Client, method: str) -> None:
    long = f"<D:displayname>{'a' * MAX_PROPERTIES_LENGTH}</D:displayname>"
    answer = send(client, method, long)
    assert answer.status == 403
    assert str(MAX_PROPERTIES_LENGTH) in (answer.xml().findtext(WHY) or "")
    assert client("PROPFIND", "/alice/made/").status == 404


def test_many_requests_do_not_add_up_to_more_properties(client: Client) -> None:
    statuses = [
        send(client, "PROPPATCH", *(f"<K:a{block}-{n}/>" for n in range(MAX_PROPERTIES // 2 - 2)))
        for block in range(3)
    ]
    assert [answer.status for answer in statuses] == [207, 207, 403]
