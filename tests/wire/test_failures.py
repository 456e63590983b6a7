"""Failures, which every kind of request answers with the same status and Retry-After."""

from __future__ import annotations

import threading
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


class Endpoint(NamedTuple):
    """A request, and the media type in which it reports a failure."""

    method: str
    path: str
    kind: str
    body: bytes = b""


ENDPOINTS = {
    "object": Endpoint("GET", OBJECT, "text/plain"),
    "write": Endpoint("PUT", OBJECT, "text/plain", event("x")),
    "rare": Endpoint("MKCALENDAR", "/alice/more/", "text/plain"),
    "account": Endpoint("GET", "/.web/account/", "text/html"),
    "feed": Endpoint("GET", "/feeds/family.ics", "text/plain"),
    "page": Endpoint("GET", "/feeds/family/", "text/plain"),
}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path, feeds=FEEDS)


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    with installation.client() as client:
        assert client("PUT", OBJECT, event("x")).status == 201
        yield client


def send(client: Client, endpoint: Endpoint) -> Answer:
    return client(endpoint.method, endpoint.path, endpoint.body)


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)
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
def test_a_failing_store_is_reported(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    again: str | None,
    endpoint: Endpoint,
) -> None:
    def fails(*_: object) -> Any:
        raise error

    for method in ("read", "write"):
        monkeypatch.setattr(SqliteDatabase, method, fails)
    answer = send(client, endpoint)
    assert (answer.status, answer.headers.get("Retry-After")) == (status, again)
    # The publisher, in its own thread, may log the failure too.
    records = [record for record in caplog.records if record.thread == threading.get_ident()]
    if status != 403:
        assert answer.headers["Content-Type"] == f"{endpoint.kind}; charset=utf-8"
        assert any(str(error) in record.getMessage() for record in records)
    assert not any(record.exc_info for record in records)


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)
def test_an_unreadable_user_file_is_a_503(
    installation: Installation, client: Client, endpoint: Endpoint
) -> None:
    installation.htpasswd.unlink()
    answer = send(client, endpoint)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)
def test_too_many_failed_logins_are_a_503(
    client: Client, monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint
) -> None:
    def admit(*_: object) -> None:
        raise TooManyAttemptsError(3)

    monkeypatch.setattr(Throttle, "admit", admit)
    client.passwords = {"alice": "another"}
    answer = send(client, endpoint)
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
def test_an_unacceptable_body_is_refused(
    client: Client, sends: Callable[..., Answer], kind: str, length: str | None, status: int
) -> None:
    environ = {} if length is None else {"CONTENT_LENGTH": length}
    answer = sends(client, kind, **environ)
    assert (answer.status, answer.headers.get("Retry-After")) == (status, None)
