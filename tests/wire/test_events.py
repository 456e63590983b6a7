"""Notification of subscribers after a commit: collections, kinds of change, and user."""

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
    """Open the application with these subscribers, for alice's client."""
    loaded = loader.load(installation.config)
    app = ApplicationStack(loaded, open_database(loaded.settings.database), subscribers=subscribers)
    try:
        yield Client(app, "alice", dict(installation.users))
    finally:
        app.close()


@pytest.fixture
def commits() -> list[Committed]:
    """Return the list of commits that subscribers are notified of, in order."""
    return []


@pytest.fixture
def client(tmp_path: Path, commits: list[Committed]) -> Iterator[Client]:
    """Open a client with a home and an object in its calendar."""
    with served(Installation(tmp_path), commits.append) as client:
        client("PROPFIND", "/alice/")
        assert client("PUT", f"/{CALENDAR}/a.ics", event("a")).status == 201
        commits.clear()
        yield client


def by_alice(*changes: Change) -> list[Committed]:
    """Return the list of one commit of alice."""
    return [Committed(changes, "alice")]


def test_creating_a_home_is_announced(tmp_path: Path, commits: list[Committed]) -> None:
    with served(Installation(tmp_path), commits.append) as client:
        assert client("PROPFIND", "/alice/").status == 207
    (made,) = commits
    assert made.user == "alice"
    assert {change.kind for change in made.changes} == {"collection"}
    assert {"alice", CALENDAR} <= {change.path for change in made.changes}


def test_overwriting_and_deleting_an_object_is_announced(
    client: Client, commits: list[Committed]
) -> None:
    assert client("PUT", f"/{CALENDAR}/a.ics", event("a", summary="Other")).status == 204
    assert commits == by_alice(Change(CALENDAR, "put", ("a.ics",)))
    commits.clear()
    assert client("DELETE", f"/{CALENDAR}/a.ics").status == 204
    assert commits == by_alice(Change(CALENDAR, "delete", ("a.ics",)))


def test_a_move_is_announced_for_both_collections(client: Client, commits: list[Committed]) -> None:
    assert client("MKCALENDAR", "/alice/other/").status == 201
    assert commits == by_alice(Change("alice/other", "collection"))
    commits.clear()
    to = {"Destination": "/alice/other/b.ics"}
    assert client("MOVE", f"/{CALENDAR}/a.ics", headers=to).status == 201
    assert commits == by_alice(
        Change(CALENDAR, "move", ("a.ics",)), Change("alice/other", "move", ("b.ics",))
    )


def test_changing_properties_and_deleting_a_collection_is_announced(
    client: Client, commits: list[Committed]
) -> None:
    assert client("PROPPATCH", f"/{CALENDAR}/", _COLOR).status == 207
    assert commits == by_alice(Change(CALENDAR, "collection"))
    commits.clear()
    assert client("DELETE", f"/{CALENDAR}/").status == 204
    assert commits == by_alice(Change(CALENDAR, "collection"))


def test_a_put_of_a_whole_calendar_is_announced(client: Client, commits: list[Committed]) -> None:
    assert client("PUT", "/alice/whole/", event("a")).status == 201
    assert commits == by_alice(Change("alice/whole", "collection"))


def test_creating_a_groups_calendars_is_announced(tmp_path: Path, commits: list[Committed]) -> None:
    groups = tmp_path / "groups"
    groups.write_text("family: alice bob\n")
    installation = Installation(tmp_path, options={"auth__htgroup_filename": str(groups)})
    with served(installation, commits.append) as client:
        client("PROPFIND", "/alice/")
        client("PROPFIND", "/bob/", user="bob")
    assert [one for one in commits if one.changes[0].path.startswith("GROUPS")] == by_alice(
        Change("GROUPS/family", "collection")
    )


def test_writes_by_the_account_page_are_announced(tmp_path: Path, commits: list[Committed]) -> None:
    with served(Installation(tmp_path), commits.append) as client:
        page = client("GET", "/.web/account/")
        assert page.status == 200
        assert commits == by_alice(Change("alice", "collection"))
        found = re.search(r'name="token" value="([^"]+)"', page.body.decode())
        assert found
        post = _poster(client, found[1])
        commits.clear()
        assert post("secret", {"feed": "alice", "action": "make"}, None) == 303
        assert commits == by_alice(Change("feeds/alice", "secret"))
        commits.clear()
        assert post("secret", {"feed": "alice", "action": "make"}, None) == 303
        assert commits == []
        assert post("secret", {"feed": "alice", "action": "renew"}, None) == 303
        assert commits == by_alice(Change("feeds/alice", "secret"))
        commits.clear()
        assert post("import", {"into": CALENDAR}, event("a")) == 200
        assert commits == by_alice(Change(CALENDAR, "put"))
        commits.clear()
        assert post("import", {"into": CALENDAR}, event("a")) == 200
        assert post("import", {"into": "bob/calendar"}, event("b")) == 404
        assert commits == []


def _poster(client: Client, token: str) -> Callable[[str, dict[str, str], bytes | None], int]:
    """Return a function that sends one of the page's forms and returns the answer's status."""

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
        ("MKCALENDAR", f"/{CALENDAR}/", b"", {}, 403),
        ("PROPPATCH", f"/{CALENDAR}/", b"nothing", {}, 400),
        ("PROPFIND", "/alice/", b"", {}, 207),
    ],
)
def test_refused_writes_and_reads_are_not_announced(
    client: Client,
    commits: list[Committed],
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    assert client(method, path, body, headers=headers).status == status
    assert commits == []


def test_a_rolled_back_write_is_not_announced(
    client: Client, commits: list[Committed], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("after the write")

    with monkeypatch.context() as broken:
        broken.setattr("kalends.store.objects.time_range.add_intervals", fail)
        assert client("PUT", f"/{CALENDAR}/b.ics", event("b")).status == 500
        broken.setattr("kalends.adapters.storage.Storage.prune_tombstones", fail)
        assert client("DELETE", f"/{CALENDAR}/a.ics").status == 500
    assert commits == []
    assert client("GET", f"/{CALENDAR}/a.ics").status == 200


def test_a_failing_subscriber_is_logged_and_does_not_fail_the_write(
    tmp_path: Path, commits: list[Committed], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Committed) -> None:
        raise RuntimeError("of the subscriber")

    caplog.set_level(logging.ERROR, "kalends")
    with served(Installation(tmp_path), fail, commits.append) as client:
        client("PROPFIND", "/alice/")
        assert client("PUT", f"/{CALENDAR}/a.ics", event("a")).status == 201
        assert client("GET", f"/{CALENDAR}/a.ics").status == 200
    assert commits[-1] == Committed((Change(CALENDAR, "put", ("a.ics",)),), "alice")
    logged = [record for record in caplog.records if record.name == "kalends"]
    assert len(logged) == 2
    assert all("of the subscriber" in str(record.exc_info) for record in logged)
