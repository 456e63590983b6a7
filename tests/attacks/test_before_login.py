"""Requests of nobody: none has its body read, whatever the method and the path."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from kalends.server.http1.body_spool import BodySpoolQuota
from kalends.server.http1.parser import MessageReader
from support.installation import EVERY_FEED, Client, Installation
from support.server import KalendsServer, basic

FEEDS = (
    EVERY_FEED
    + """
[feed.open]
calendars = ["*/*"]
access = "public"

[feed.family]
calendars = ["*/*"]
access = "secret"
"""
)
XML = b'<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'
OPEN = [
    *("/", "", "/.web", "/.web/", "/.web/index.html", "/.web/a/b", "/.web/../alice/", "/.web//"),
    *("/.well-known/", "/.well-known/x/y", "/.well-known/caldav/x", "/x/.well-known/caldav"),
    *("/.web/account/.static/style.css", "/.web/account/.static/", "/.web/account/.static/../"),
    *("/robots.txt", "/.health", "/.metrics", "/feeds/open.ics", "/feeds/open/", "/feeds/open"),
    *("/feeds/s/guess/family.ics", "/feeds/s/guess/family/", "/feeds/s/", "/feeds/", "/feeds/s"),
    *("/feeds/none.ics", "/feeds/everyone.ics", "/feeds/open.ics/", "/feeds/open.ics/more"),
]
CLOSED = ["/alice/", "/alice/calendar/a.ics", "/GROUPS/", "/.web/account/", "/.mobileconfig"]
READING = ["GET", "HEAD", "OPTIONS"]
OTHERS = [
    *("PROPFIND", "PROPPATCH", "REPORT", "MKCALENDAR", "MKCOL", "POST", "PUT", "DELETE"),
    *("MOVE", "COPY", "LOCK", "UNLOCK", "ACL", "SEARCH", "PATCH", "TRACE", "BREW", "get", ""),
]


class Unread(io.RawIOBase):
    """A body that nobody may read."""

    def read(self, size: int = -1, /) -> bytes:
        raise AssertionError("the body was read")

    readline = readinto = readall = read  # type: ignore[assignment]


@pytest.fixture(scope="module")
def nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client without a login of an application with feeds of every access."""
    folder = tmp_path_factory.mktemp("installation")
    (folder / "feeds").mkdir()
    with Installation(folder, feeds=FEEDS).client("") as client:
        yield client


@pytest.mark.parametrize("path", [*OPEN, *CLOSED])
def test_other_methods_are_refused_and_no_body_is_read(nobody: Client, path: str) -> None:
    unread = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(80 << 20)}
    for method in OTHERS:
        status = nobody(method, path, environ=unread).status
        assert status in (401, 404, 405), method
        assert status != 404 or path in ("/.health", "/.metrics"), method
    for method in READING:
        assert nobody(method, path, environ=unread).status < 500, method


@pytest.mark.parametrize("name", ["caldav", "carddav", "caldav/"])
def test_discovery_is_redirected_without_reading_a_body(nobody: Client, name: str) -> None:
    unread = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(80 << 20)}
    for method in ("GET", "PROPFIND", "REPORT", "PUT"):
        answer = nobody(method, f"/.well-known/{name}", environ=unread)
        assert (answer.status, answer.headers["Location"]) == (301, "/"), method


@pytest.mark.parametrize("login", ["Basic YTpi", "Digest x", "Bearer x", "Basic", ""])
def test_a_login_that_fails_has_no_body_read_either(nobody: Client, login: str) -> None:
    unread = {"wsgi.input": Unread(), "CONTENT_LENGTH": "100", "HTTP_AUTHORIZATION": login}
    for method in ("GET", "OPTIONS", "PROPFIND"):
        assert nobody(method, "/.web/", environ=unread).status < 500
    for method in ("PROPFIND", "PUT", "REPORT"):
        assert nobody(method, "/alice/", environ=unread).status in (400, 401)


def test_a_body_beside_an_open_get_changes_nothing(nobody: Client) -> None:
    without = nobody("GET", "/feeds/open.ics")
    assert without.status == 200
    for body in (XML, b"<" * 100_000, b"\0"):
        assert nobody("GET", "/feeds/open.ics", body) == without


def test_large_bodies_without_a_login_are_parsed_but_not_stored() -> None:
    nowhere = BodySpoolQuota(0)
    reader = MessageReader(8 << 20, nowhere, frozenset({b"authorization"}))
    block = b"x" * (1 << 16)
    reader.receive(b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (4 << 20))
    for _ in range(64):
        reader.receive(block)
    reader.receive(b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n")
    dropped, following = reader.complete
    assert (dropped.length, dropped.large, dropped.keep_alive) == (0, None, True)
    assert dropped.body is not None
    assert dropped.body.read() == b""
    assert following.target == b"/b"


def answer_to_head(server: KalendsServer, *lines: str) -> bytes:
    """Return all that the server answers to the head of a PUT that waits to be asked for its body.

    The client then sends no body, but the end of its input.
    """
    with socket.create_connection((server.host, server.port), 30) as sock:
        head = ["PUT /first/calendar/a.ics HTTP/1.1", "Host: x", "Expect: 100-continue", *lines]
        sock.sendall("".join(f"{line}\r\n" for line in [*head, "", ""][:-1]).encode())
        first = sock.recv(1 << 16)
        sock.shutdown(socket.SHUT_WR)
        return first + b"".join(iter(lambda: sock.recv(1 << 16), b""))


@pytest.mark.parametrize("framing", ["Content-Length: 90000000", "Transfer-Encoding: chunked"])
def test_nobody_is_told_to_send_a_body(shared_server: KalendsServer, framing: str) -> None:
    refused = answer_to_head(shared_server, framing)
    assert refused.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nConnection: close\r\n" in refused
    login = f"Authorization: {basic('first', 'first')}"
    assert answer_to_head(shared_server, framing, login).startswith(b"HTTP/1.1 100 ")


def test_a_connection_goes_on_after_a_large_body_of_nobody(shared_server: KalendsServer) -> None:
    with closing(shared_server.connection()) as connection:
        for _ in range(2):
            answer = shared_server.request_on(
                connection, "PUT", "/first/calendar/a.ics", body=b"x" * (1 << 20)
            )
            assert answer.status == 401
            assert "Connection" not in answer.headers


def test_the_manager_below_web_is_open_to_readers(shared_server: KalendsServer) -> None:
    assert shared_server.request("GET", "/.web/").status in (200, 302, 303)
    assert shared_server.request("OPTIONS", "/.web/").status == 200
    refused = shared_server.request("PROPFIND", "/.web/", body=XML)
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"]
