"""What fails is answered alike by every face: one status, and when to try again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kalends.authn.throttle import Throttle
from kalends.errors import (
    StoreBusyError,
    StoreFullError,
    StoreGoneError,
    StoreRefusedError,
    TooManyAttemptsError,
)
from kalends.store.sqlite import SqliteDatabase
from support.account_page import page_of
from support.installation import Answer, Client, Installation, event

OBJECT = "/alice/calendar/x.ics"
FEEDS = """
[feed.family]
calendars = ["alice/*"]
access = ["alice"]
"""


class Face(NamedTuple):
    """A request that one face answers, and what its body says of a failure by its form."""

    method: str
    path: str
    kind: str
    body: bytes = b""


FACES = {
    "object": Face("GET", OBJECT, "text/plain"),
    "write": Face("PUT", OBJECT, "text/plain", event("x")),
    "rare": Face("MKCALENDAR", "/alice/more/", "text/plain"),
    "account": Face("GET", "/.web/account/", "text/html"),
    "feed": Face("GET", "/feeds/family.ics", "text/plain"),
    "page": Face("GET", "/feeds/family/", "text/plain"),
}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path, feeds=FEEDS)


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    with installation.client() as client:
        assert client("PUT", OBJECT, event("x")).status == 201
        yield client


def asked(client: Client, face: Face) -> Answer:
    return client(face.method, face.path, face.body)


@pytest.mark.parametrize("face", FACES.values(), ids=FACES)
@pytest.mark.parametrize(
    ("error", "status", "again"),
    [
        (StoreFullError(), 507, None),
        (StoreGoneError("the database", "away"), 503, "5"),
        (StoreBusyError(), 503, "5"),
        (StoreRefusedError("a NUL"), 403, None),
    ],
    ids=["full", "gone", "busy", "refused"],
)
def test_a_store_that_fails(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    again: str | None,
    face: Face,
) -> None:
    def fails(*_: object) -> Any:
        raise error

    for method in ("read", "write"):
        monkeypatch.setattr(SqliteDatabase, method, fails)
    answer = asked(client, face)
    assert (answer.status, answer.headers.get("Retry-After")) == (status, again)
    if status != 403:
        assert answer.headers["Content-Type"] == f"{face.kind}; charset=utf-8"
        assert str(error) in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("face", FACES.values(), ids=FACES)
def test_a_user_file_that_cannot_be_read(
    installation: Installation, client: Client, face: Face
) -> None:
    installation.htpasswd.unlink()
    answer = asked(client, face)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("face", FACES.values(), ids=FACES)
def test_a_login_that_is_slowed_down_too_much(
    client: Client, monkeypatch: pytest.MonkeyPatch, face: Face
) -> None:
    def admit(*_: object) -> None:
        raise TooManyAttemptsError(3)

    monkeypatch.setattr(Throttle, "admit", admit)
    client.passwords = {"alice": "another"}
    answer = asked(client, face)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "3")


def write_object(client: Client, kind: str, **environ: object) -> Answer:
    headers = {"Content-Encoding": "zip"} if kind == "unknown" else {}
    return client("PUT", OBJECT, event("x"), headers=headers, environ=environ)


def make_calendar(client: Client, kind: str, **environ: object) -> Answer:
    headers = {"Content-Encoding": "zip"} if kind == "unknown" else {}
    return client("MKCALENDAR", "/alice/more/", "<x/>", headers=headers, environ=environ)


def send_form(client: Client, kind: str, **environ: object) -> Answer:
    form = "multipart/form-data" if kind == "unknown" else "application/x-www-form-urlencoded"
    headers = {"Content-Type": form, "Origin": "http://127.0.0.1"}
    page_of(client)
    return client("POST", "/.web/account/secret", "a=b", headers=headers, environ=environ)


@pytest.mark.parametrize("sends", [write_object, make_calendar, send_form])
@pytest.mark.parametrize(
    ("kind", "length", "status"),
    [
        ("unknown", None, 415),
        ("large", "1000000000", 413),
        ("short", "1000", 400),
        ("odd", "x", 400),
    ],
)
def test_a_body_that_cannot_be_taken(
    client: Client, sends: Callable[..., Answer], kind: str, length: str | None, status: int
) -> None:
    environ = {} if length is None else {"CONTENT_LENGTH": length}
    answer = sends(client, kind, **environ)
    assert (answer.status, answer.headers.get("Retry-After")) == (status, None)
