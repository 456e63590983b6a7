"""The listener for programs without TLS: only feeds, with Digest, also by HTTP/1.0."""

from __future__ import annotations

import hashlib
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.process import ReservedPort
from support.samples import event
from support.server import REALM, KalendsServer, basic, create_digest_server
from support.webserver import Certificate

PASSWORD = "wonderland"
FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"

[feed.open]
calendars = ["alice/*"]
access = "public"
"""


class Site:
    """A server with listeners for TLS, for feeds, and for administrators, in this order.

    Without TLS the first listener is like one behind a web server.
    """

    def __init__(self, folder: Path, *, tls: bool) -> None:
        self.feeds, self.admin = ReservedPort(), ReservedPort()
        folder.mkdir()
        self.server: KalendsServer = create_digest_server(
            folder,
            {"alice": PASSWORD},
            schemes="basic",
            feeds=FEEDS,
            certificate=Certificate.create_in(folder) if tls else None,
            options={
                "auth": {"digest_without_qop": "True"},
                "kalends": {
                    "feeds_hosts": f"0.0.0.0:{self.feeds.number}",
                    "admin_hosts": f"127.0.0.1:{self.admin.number}",
                    "trusted_proxies": "127.0.0.1",
                },
            },
        )
        text = event("lunch", "Lunch", "20260601T090000Z")
        assert (
            self.server.request("PUT", "/alice/calendar/x.ics", user="alice", body=text).status
            == 201
        )

    def close(self) -> None:
        self.server.close()
        self.feeds.release()
        self.admin.release()

    def raw(self, head: str, port: int = 0) -> tuple[int, str, bytes]:
        """Send a request unchanged and unencrypted; return status, header and body.

        Args:
            head: the request.
            port: the port; 0 for that of the second listener.
        """
        address = ("127.0.0.1", port or self.feeds.number)
        with socket.create_connection(address, 30) as connection:
            connection.sendall(head.encode())
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        header, _, body = answer.partition(b"\r\n\r\n")
        return int(header.split()[1]), header.decode(), body


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "tls"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site") / "server", tls=request.param)
    yield made
    made.close()


def test_a_client_without_a_host_header_gets_the_address_it_connected_to(site: Site) -> None:
    place = f"127.0.0.1:{site.feeds.number}/feeds/open"
    status, header, _ = site.raw("GET /feeds/open HTTP/1.0\r\n\r\n")
    assert (status, f"Location: http://{place}/" in header) == (308, True), header
    status, _, body = site.raw("GET /feeds/open/ HTTP/1.0\r\n\r\n")
    assert status == 200
    assert f'value="http://{place}.ics"'.encode() in body
    assert f'href="webcal://{place}.ics"'.encode() in body


def md5(*parts: str) -> str:
    return hashlib.md5(":".join(parts).encode()).hexdigest()


@pytest.mark.parametrize("with_qop", [True, False])
def test_a_program_of_http_1_0_logs_in_with_digest(site: Site, with_qop: bool) -> None:
    """The exact octets of programs from before 2005: no Host, no TLS, MD5."""
    target = "/feeds/alice.ics"
    status, header, _ = site.raw(f"GET {target} HTTP/1.0\r\n\r\n")
    assert status == 401
    challenges = re.findall(r"(?im)^WWW-Authenticate: (.*?)\r?$", header)
    assert len(challenges) == 1
    assert challenges[0].startswith("Digest ")
    fields = dict(re.findall(r'(\w+)="?([^",]*)"?', challenges[0]))
    ha1, ha2 = md5("alice", REALM, PASSWORD), md5("GET", target)
    more = 'qop=auth, nc=00000001, cnonce="c"' if with_qop else ""
    middle = ("00000001", "c", "auth") if with_qop else ()
    answer = (
        f'Digest username="alice", realm="{REALM}", nonce="{fields["nonce"]}", uri="{target}", '
        f'response="{md5(ha1, fields["nonce"], *middle, ha2)}", '
        + (f'opaque="{fields["opaque"]}", ' if "opaque" in fields else "")
        + more
    ).rstrip(", ")
    status, header, body = site.raw(f"GET {target} HTTP/1.0\r\nAuthorization: {answer}\r\n\r\n")
    assert status == 200
    assert b"SUMMARY:Lunch" in body
    assert f"content-length: {len(body)}" in header.lower()
    assert "transfer-encoding" not in header.lower()


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1"])
def test_curl_reads_a_feed(site: Site, version: str) -> None:
    url = f"http://127.0.0.1:{site.feeds.number}/feeds/alice.ics"
    command = ["curl", "--silent", "--fail", version, "--digest", "--config", "-", url]
    login = f'user = "alice:{PASSWORD}"\n'.encode()
    done = subprocess.run(command, input=login, capture_output=True, check=True, timeout=60)
    assert b"SUMMARY:Lunch" in done.stdout


def test_only_digest_is_accepted(site: Site) -> None:
    login = basic("alice", PASSWORD)
    status, header, _ = site.raw(f"GET /feeds/alice.ics HTTP/1.0\r\nAuthorization: {login}\r\n\r\n")
    assert status == 401
    assert "Basic" not in header
    assert site.server.request("GET", "/feeds/alice.ics", user="alice").status == 200
    assert site.raw("GET /feeds/open.ics HTTP/1.0\r\n\r\n")[0] == 200


@pytest.mark.parametrize("method", ["GET", "PROPFIND", "PUT", "OPTIONS"])
@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/alice/",
        "/alice/calendar/x.ics",
        "/.web/",
        "/.well-known/caldav",
        "/robots.txt",
        "/feeds",
        "//feeds/alice.ics",
        "*",
    ],
)
def test_all_other_paths_are_not_found(site: Site, method: str, target: str) -> None:
    if target == "*" and method != "OPTIONS":
        return
    assert site.raw(f"{method} {target} HTTP/1.0\r\n\r\n")[0] == 404


@pytest.mark.parametrize("target", ["/feeds/../alice/", "/feeds/%2e%2e/alice/calendar/x.ics"])
def test_no_path_leads_out_of_the_feeds(site: Site, target: str) -> None:
    status, _, body = site.raw(f"GET {target} HTTP/1.0\r\n\r\n")
    assert status in (401, 404)
    assert b"Lunch" not in body


def test_no_header_gives_access_to_more(site: Site) -> None:
    """This includes the headers of a trusted proxy, which set the port and the prefix."""
    main = site.server.port
    headers = [
        f"Host: 127.0.0.1:{main}",
        f"X-Forwarded-Host: 127.0.0.1:{main}",
        f"X-Forwarded-Port: {main}",
        "X-Remote-User: alice",
    ]
    for more in ([], ["X-Script-Name: /feeds"], ["X-Forwarded-Proto: https"]):
        head = "\r\n".join(["GET /feeds/alice/calendar/x.ics HTTP/1.0", *headers, *more, "", ""])
        status, _, body = site.raw(head)
        assert status == 404
        assert b"Lunch" not in body
        head = head.replace("/feeds/alice", "/alice")
        assert site.raw(head)[0] == 404
    # And no header restricts the first listener.
    fields = {"Host": f"127.0.0.1:{site.feeds.number}"}
    answer = site.server.request("GET", "/alice/calendar/x.ics", user="alice", headers=fields)
    assert answer.status == 200
