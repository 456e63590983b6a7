"""Tests of the helpers that run real web servers: proxying, logins and failed starts."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support import apache, nginx
from support.apache import RealApache
from support.nginx import RealNginx
from support.process import ServerDiedError
from support.server import KalendsServer, htpasswd_line
from support.webserver import Certificate, WebServer

TARGET = "a%2Fb%2f%41/b%20c//x/../~y/%C3%A5@:,;=+?q=%2F&r=%20"
FORGED = ("X-Remote-User", "X-Forwarded-For", "X-Forwarded-Host", "X-Script-Name", "Forwarded")
MAKES: list[tuple[Callable[..., WebServer], Callable[..., str], Callable[..., str]]] = [
    (RealApache, apache.proxy_directives, apache.login_directives),
    (RealNginx, nginx.proxy_directives, nginx.login_directives),
]


class Echo(http.server.BaseHTTPRequestHandler):
    """Handler that answers with the target and the header fields of the request."""

    def do_GET(self) -> None:
        body = json.dumps({"target": self.path, **dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class has that name
        """Log nothing."""


@pytest.fixture
def backend() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def ask(server: WebServer, target: str, *lines: str, method: str = "GET") -> tuple[int, bytes]:
    """Send one request and return its status and body."""
    head = [f"{method} {target} HTTP/1.1", "Host: cal.example", "Connection: close", *lines]
    text = "\r\n".join(head)
    with server.connect() as connection:
        connection.sendall(f"{text}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(answer[9:12]), answer.partition(b"\r\n\r\n")[2]


def basic(user: str, password: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(("make", "proxy_directives", "login"), MAKES, ids=["apache", "nginx"])
@pytest.mark.parametrize("prefix", ["/", "/dav/"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_proxy_passes_the_target_on_and_replaces_forged_headers(
    make: Callable[..., WebServer],
    proxy_directives: Callable[..., str],
    login: Callable[..., str],
    prefix: str,
    tls: bool,
    backend: str,
    tmp_path: Path,
) -> None:
    certificate = Certificate.create_in(tmp_path) if tls else None
    config = proxy_directives(backend, prefix=prefix)
    with make(tmp_path / "web", config, certificate=certificate) as server:
        status, body = ask(
            server, prefix + TARGET, basic("a", "b"), *(f"{name}: evil" for name in FORGED)
        )
    assert status == 200, server.error_log()
    passed = json.loads(body)
    assert passed["target"] == "/" + TARGET
    assert passed["Host"] == "cal.example"
    assert passed["X-Forwarded-For"] == "127.0.0.1"
    assert passed["X-Forwarded-Proto"] == ("https" if tls else "http")
    assert passed.get("X-Script-Name") == (None if prefix == "/" else "/dav")
    assert "X-Remote-User" not in passed
    assert "Authorization" in passed
    assert "evil" not in passed.values()


@pytest.mark.parametrize(("make", "proxy_directives", "login"), MAKES, ids=["apache", "nginx"])
def test_a_proxy_can_do_the_login(
    make: Callable[..., WebServer],
    proxy_directives: Callable[..., str],
    login: Callable[..., str],
    backend: str,
    tmp_path: Path,
) -> None:
    users = tmp_path / "users"
    users.write_text(htpasswd_line("alice", "wonderland"))
    config = proxy_directives(backend, login=login(users, "calendars"))
    with make(tmp_path / "web", config) as server:
        forged = "X-Remote-User: root"
        assert ask(server, "/", forged)[0] == 401
        assert ask(server, "/", forged, basic("alice", "wrong"))[0] == 401
        status, body = ask(server, "/", forged, basic("alice", "wonderland"))
    assert status == 200, server.error_log()
    assert json.loads(body)["X-Remote-User"] == "alice"
    assert "Authorization" not in json.loads(body)


@pytest.mark.parametrize("prefix", ["/", "/dav/"])
def test_kalends_within_apache(prefix: str, tmp_path: Path) -> None:
    installation = KalendsServer(tmp_path / "kalends", users={"alice": "secret"}, start=False)
    config = apache.mod_wsgi_directives(installation.config_file, tmp_path / "wsgi", prefix=prefix)
    with closing(installation), RealApache(tmp_path / "web", config) as server:
        statuses = []
        for password in ("wrong", "secret"):
            status, _ = ask(
                server, f"{prefix}alice/", "Depth: 0", basic("alice", password), method="PROPFIND"
            )
            statuses.append(status)
        assert statuses == [401, 207], server.error_log()
        server.restart()
        assert ask(server, f"{prefix}alice/")[0] == 401


@pytest.mark.parametrize("make", [RealApache, RealNginx])
def test_an_error_in_a_configuration_is_reported(
    make: Callable[..., WebServer], tmp_path: Path
) -> None:
    with pytest.raises(ServerDiedError, match="NoSuchDirective"):
        make(tmp_path, "NoSuchDirective on;")
