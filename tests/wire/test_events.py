"""What is written is told to subscribers after its commit: which collections, how, and by whom."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kalends.app.stack import ApplicationStack
from kalends.config import loader
from kalends.events import Change, Committed, Subscriber
from kalends.store.engine import open_database
from support.installation import Client, Installation, event

CALENDAR = "alice/calendar"
_COLOR = (
    '<D:propertyupdate xmlns:D="DAV:" xmlns:I="http://apple.com/ns/ical/"><D:set><D:prop>'
    "<I:calendar-color>#FF0000FF</I:calendar-color></D:prop></D:set></D:propertyupdate>"
)


@contextmanager
def served(installation: Installation, *subscribers: Subscriber) -> Iterator[Client]:
    """Alice's client of the application, with these subscribers."""
    loaded = loader.load(installation.config)
    app = ApplicationStack(loaded, open_database(loaded.settings.database), subscribers=subscribers)
    try:
        yield Client(app, "alice", dict(installation.users))
    finally:
        app.close()


@pytest.fixture
def told() -> list[Committed]:
    """What subscribers were told, in order."""
    return []


@pytest.fixture
def client(tmp_path: Path, told: list[Committed]) -> Iterator[Client]:
    """A client whose home is made, with an object in its calendar."""
    with served(Installation(tmp_path), told.append) as client:
        client("PROPFIND", "/alice/")
        assert client("PUT", f"/{CALENDAR}/a.ics", event("a")).status == 201
        told.clear()
        yield client


def by_alice(*changes: Change) -> list[Committed]:
    """One write of alice's."""
    return [Committed(changes, "alice")]


def test_a_home_is_made_by_the_first_request(tmp_path: Path, told: list[Committed]) -> None:
    with served(Installation(tmp_path), told.append) as client:
        assert client("PROPFIND", "/alice/").status == 207
    (made,) = told
    assert made.user == "alice"
    assert {change.kind for change in made.changes} == {"collection"}
    assert {"alice", CALENDAR} <= {change.path for change in made.changes}


def test_an_object_is_put_over_another_and_deleted(client: Client, told: list[Committed]) -> None:
    assert client("PUT", f"/{CALENDAR}/a.ics", event("a", summary="Other")).status == 204
    assert told == by_alice(Change(CALENDAR, "put", ("a.ics",)))
    told.clear()
    assert client("DELETE", f"/{CALENDAR}/a.ics").status == 204
    assert told == by_alice(Change(CALENDAR, "delete", ("a.ics",)))


def test_a_move_tells_of_both_collections(client: Client, told: list[Committed]) -> None:
    assert client("MKCALENDAR", "/alice/other/").status == 201
    assert told == by_alice(Change("alice/other", "collection"))
    told.clear()
    to = {"Destination": "/alice/other/b.ics"}
    assert client("MOVE", f"/{CALENDAR}/a.ics", headers=to).status == 201
    assert told == by_alice(
        Change(CALENDAR, "move", ("a.ics",)), Change("alice/other", "move", ("b.ics",))
    )


def test_properties_and_the_end_of_a_collection(client: Client, told: list[Committed]) -> None:
    assert client("PROPPATCH", f"/{CALENDAR}/", _COLOR).status == 207
    assert told == by_alice(Change(CALENDAR, "collection"))
    told.clear()
    assert client("DELETE", f"/{CALENDAR}/").status == 200
    assert told == by_alice(Change(CALENDAR, "collection"))


def test_a_whole_calendar_is_put(client: Client, told: list[Committed]) -> None:
    assert client("PUT", "/alice/whole/", event("a")).status == 201
    assert told == by_alice(Change("alice/whole", "collection"))


def test_a_group_has_its_calendars_made(tmp_path: Path, told: list[Committed]) -> None:
    groups = tmp_path / "groups"
    groups.write_text("family: alice bob\n")
    installation = Installation(tmp_path, options={"auth__htgroup_filename": str(groups)})
    with served(installation, told.append) as client:
        client("PROPFIND", "/alice/")
        client("PROPFIND", "/bob/", user="bob")
    assert [one for one in told if one.changes[0].path.startswith("GROUPS")] == by_alice(
        Change("GROUPS/family", "collection")
    )


def test_the_account_page_makes_homes_imports_and_makes_secrets(
    tmp_path: Path, told: list[Committed]
) -> None:
    with served(Installation(tmp_path), told.append) as client:
        page = client("GET", "/.web/account/")
        assert page.status == 200
        assert told == by_alice(Change("alice", "collection"))
        found = re.search(r'name="token" value="([^"]+)"', page.body.decode())
        assert found
        post = _poster(client, found[1])
        told.clear()
        assert post("secret", {"feed": "alice", "action": "make"}, None) == 303
        assert told == by_alice(Change("feeds/alice", "secret"))
        told.clear()
        assert post("secret", {"feed": "alice", "action": "make"}, None) == 303
        assert told == []
        assert post("secret", {"feed": "alice", "action": "renew"}, None) == 303
        assert told == by_alice(Change("feeds/alice", "secret"))
        told.clear()
        assert post("import", {"into": CALENDAR}, event("a")) == 200
        assert told == by_alice(Change(CALENDAR, "put"))
        told.clear()
        assert post("import", {"into": CALENDAR}, event("a")) == 200
        assert post("import", {"into": "bob/calendar"}, event("b")) == 404
        assert told == []


def _poster(client: Client, token: str) -> Callable[[str, dict[str, str], bytes | None], int]:
    """A function that sends one of the page's forms, and returns the status of the answer."""

    def post(address: str, fields: dict[str, str], file: bytes | None) -> int:
        parts = [
            f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in {**fields, "token": token}.items()
        ]
        if file is not None:
            head = '--B\r\nContent-Disposition: form-data; name="file"; filename="a.ics"\r\n\r\n'
            parts.append(head.encode() + file + b"\r\n")
        kind = "multipart/form-data; boundary=B"
        headers = {"Content-Type": kind, "Sec-Fetch-Site": "same-origin"}
        body = b"".join(parts) + b"--B--\r\n"
        return client("POST", f"/.web/account/{address}", body, headers=headers).status

    return post


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("PUT", f"/{CALENDAR}/a.ics", event("a"), {"If-Match": '"other"'}, 412),
        ("PUT", f"/{CALENDAR}/b.ics", event("a"), {}, 409),
        ("PUT", f"/{CALENDAR}/b.ics", b"nothing", {}, 403),
        ("PUT", "/bob/calendar/b.ics", event("b"), {}, 403),
        ("DELETE", f"/{CALENDAR}/a.ics", b"", {"If-Match": '"other"'}, 412),
        ("DELETE", f"/{CALENDAR}/b.ics", b"", {}, 404),
        ("MOVE", f"/{CALENDAR}/a.ics", b"", {"Destination": "/bob/calendar/a.ics"}, 403),
        ("MKCALENDAR", f"/{CALENDAR}/", b"", {}, 409),
        ("PROPPATCH", f"/{CALENDAR}/", b"nothing", {}, 400),
        ("PROPFIND", "/alice/", b"", {}, 207),
    ],
)
def test_nothing_is_told_of_what_was_refused_or_only_read(
    client: Client,
    told: list[Committed],
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    assert client(method, path, body, headers=headers).status == status
    assert told == []


def test_nothing_is_told_of_what_was_rolled_back(
    client: Client, told: list[Committed], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("after the write")

    with monkeypatch.context() as broken:
        broken.setattr("kalends.store.objects.time_range.add", fail)
        assert client("PUT", f"/{CALENDAR}/b.ics", event("b")).status == 500
        broken.setattr("kalends.adapters.storage.Storage.forget_removals", fail)
        assert client("DELETE", f"/{CALENDAR}/a.ics").status == 500
    assert told == []
    assert client("GET", f"/{CALENDAR}/a.ics").status == 200


def test_a_subscriber_that_fails_is_logged_and_fails_nothing_else(
    tmp_path: Path, told: list[Committed], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Committed) -> None:
        raise RuntimeError("of the subscriber")

    caplog.set_level(logging.ERROR, "kalends")
    with served(Installation(tmp_path), fail, told.append) as client:
        client("PROPFIND", "/alice/")
        assert client("PUT", f"/{CALENDAR}/a.ics", event("a")).status == 201
        assert client("GET", f"/{CALENDAR}/a.ics").status == 200
    assert told[-1] == Committed((Change(CALENDAR, "put", ("a.ics",)),), "alice")
    logged = [record for record in caplog.records if record.name == "kalends"]
    assert len(logged) == 2
    assert all("of the subscriber" in str(record.exc_info) for record in logged)
