"""Many calendars of one account: a home has a bound, and other homes do not notice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from kalends.cli.main import main
from kalends.store.collections import load_props
from support.installation import NAMES, Answer, Client, Installation, event

SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
MKCALENDAR = f"<C:mkcalendar {SPACES}/>"
MKCOL = (
    f"<D:mkcol {SPACES}><D:set><D:prop><D:resourcetype><D:collection/><CR:addressbook/>"
    "</D:resourcetype></D:prop></D:set></D:mkcol>"
)
PUBLISHED = (
    f"<D:propertyupdate {SPACES}><D:set><D:prop><K:published>yes</K:published></D:prop></D:set>"
    "</D:propertyupdate>"
)
NAME = (
    f"<D:propertyupdate {SPACES}><D:set><D:prop><D:displayname>{{}}</D:displayname></D:prop>"
    "</D:set></D:propertyupdate>"
)
MOST = 5
"""Two more than a new home has."""


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    groups = tmp_path / "groups"
    groups.write_text("family: alice bob\n")
    options = {"storage__max_collections": str(MOST), "auth__htgroup_filename": str(groups)}
    return Installation(tmp_path, options=options)


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    with installation.client() as client:
        for user in ("alice", "bob"):
            assert client("PROPFIND", f"/{user}/", user=user).status == 207
        for name in ("one", "two"):
            assert client("MKCALENDAR", f"/alice/{name}/", MKCALENDAR).status == 201
        yield client


def ways(client: Client) -> Iterator[Answer]:
    """Try to make another collection in each way that there is."""
    yield client("MKCALENDAR", "/alice/more/", MKCALENDAR)
    yield client("MKCOL", "/alice/more/", MKCOL)
    yield client("PUT", "/alice/more/", event("a"))
    yield client("PUT", "/alice/more.ics", event("a"))


def test_a_full_home_takes_no_further_collection(client: Client) -> None:
    before = client.props("/alice/", "D:resourcetype", depth="1")
    for answer in ways(client):
        assert answer.status == 507
        assert answer.precondition() == "{DAV:}quota-not-exceeded"
        assert f" {MOST} " in (answer.xml().findtext(".//{urn:x-kalends}why") or "")
    assert client.props("/alice/", "D:resourcetype", depth="1") == before
    assert client("PUT", "/alice/one/a.ics", event("a")).status == 201


def test_a_deleted_collection_makes_room(client: Client) -> None:
    assert client("DELETE", "/alice/one/").status == 204
    assert client("MKCALENDAR", "/alice/more/", MKCALENDAR).status == 201


def test_a_calendar_of_a_full_home_can_be_replaced(client: Client) -> None:
    assert client("PROPPATCH", "/alice/one/", PUBLISHED).status == 207
    assert client("PUT", "/alice/one/", event("b")).status == 204


def test_each_home_has_a_count_of_its_own(client: Client) -> None:
    assert client("MKCALENDAR", "/bob/more/", MKCALENDAR, user="bob").status == 201
    statuses = [
        client("MKCALENDAR", f"/GROUPS/family/{n}/", MKCALENDAR, user="bob").status
        for n in range(MOST)
    ]
    assert statuses == [201] * (MOST - 1) + [507]  # the group has one from the start


def test_the_feed_of_another_does_not_read_the_calendars_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(text: str) -> Mapping[str, str]:
        read.append(text)
        return load_props(text)

    assert client("GET", "/feeds/bob.ics", user="bob").status == 200
    monkeypatch.setattr("kalends.store.feed_queries.load_props", counted)
    for summary in ("one", "two"):
        assert client("PUT", "/bob/calendar/a.ics", event("a", summary=summary), user="bob")
        answer = client("GET", "/feeds/bob.ics", user="bob")
        assert f"SUMMARY:{summary}".encode() in answer.body
    assert len(read) == 2


def test_a_long_name_is_cut_on_the_page_of_an_account(client: Client) -> None:
    name = NAME.format("n" * 90_000)
    for calendar in ("one", "two"):
        assert client("PROPPATCH", f"/alice/{calendar}/", name).status == 207
    page = client("GET", "/.web/account/").body
    assert page.count(b"n" * 200 + "…".encode()) >= 2
    assert len(page) < 90_000


def test_the_administrator_can_import_more(
    client: Client, installation: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "more.ics"
    file.write_bytes(event("a"))
    command = ["import", str(file), "--into", "alice/more", "--config", str(installation.config)]
    with pytest.raises(SystemExit) as left:
        main(command)
    assert not left.value.code
    assert "/alice/more/" in client.props("/alice/", "D:resourcetype", depth="1")
