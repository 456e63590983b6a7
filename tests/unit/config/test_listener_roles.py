"""Roles of listeners: all requests, feeds, administration. Only the first one uses TLS."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.awaiting import await_that
from support.process import ReservedPort
from support.server import BIN, KalendsServer
from support.webserver import Certificate

USER, PASSWORD = "ann", "pass word"
FEEDS = '[feed."{user}"]\ncalendars = ["{user}/*"]\naccess = "owner"\n'
_SECONDS = 30.0


class Three(KalendsServer):
    """A server with its own TLS, a listener for feeds and one for the administrator."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.feeds, self.admin = ReservedPort(), ReservedPort()
        super().__init__(
            folder,
            users={USER: PASSWORD},
            feeds=FEEDS,
            certificate=Certificate.create_in(folder),
            options={
                "kalends": {
                    "feeds_hosts": f"127.0.0.1:{self.feeds.number}",
                    "admin_hosts": f"127.0.0.1:{self.admin.number}",
                }
            },
            start=False,
        )

    def close(self) -> None:
        """Stop the server and release its ports."""
        super().close()
        self.feeds.release()
        self.admin.release()

    def plain(self, port: int, path: str) -> int:
        """Return the status of a GET over plain HTTP."""
        connection = http.client.HTTPConnection(self.host, port, timeout=_SECONDS)
        with closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer.status


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Three]:
    with closing(Three(tmp_path / "server")) as made:
        yield made


def assert_each_has_its_own(three: Three) -> None:
    """Assert that each listener serves its own paths and protocol, and no others."""
    feeds, admin = three.feeds.number, three.admin.number
    assert three.request("PROPFIND", f"/{USER}/", user=USER).status == 207
    assert three.request("GET", "/.health").status == 404
    assert [three.plain(feeds, path) for path in (f"/feeds/{USER}.ics", f"/{USER}/")] == [401, 404]
    assert [three.plain(admin, path) for path in ("/.health", f"/{USER}/")] == [200, 404]
    with pytest.raises((http.client.BadStatusLine, ConnectionError)):
        three.plain(three.port, "/")
    context = ssl.create_default_context()
    for port in (feeds, admin):
        plain = socket.create_connection((three.host, port), _SECONDS)
        with plain, pytest.raises(ssl.SSLError):
            context.wrap_socket(plain, server_hostname="localhost")


def test_only_the_first_listener_uses_tls(three: Three) -> None:
    three.start()
    assert_each_has_its_own(three)


def test_sockets_of_systemd_have_roles(three: Three) -> None:
    ports = (three.feeds.number, three.admin.number, three.port)
    three.process.command = [
        "systemd-socket-activate",
        *(word for port in ports for word in ("-l", f"127.0.0.1:{port}")),
        *("-E", "PATH", "-E", "PYTHONUNBUFFERED", str(BIN / "kalends"), "serve"),
        *("--config", str(three.config_file)),
    ]
    three.process.ready = "Listening on"
    three.start()
    assert_each_has_its_own(three)
    # Another process writes the line.
    serves = f"Kalends serves https://127.0.0.1:{three.port}/"
    await_that(lambda: serves in three.log, lambda: three.log)


def test_a_listener_keeps_its_role_until_a_restart(three: Three) -> None:
    three.start()
    for name in ("feeds_hosts", "admin_hosts"):
        del three.options["kalends"][name]
    three.options["auth"] = {"realm": "another"}
    three.write_config()
    os.kill(three.process.pid, signal.SIGHUP)
    await_that(lambda: "another" in three.request("PROPFIND", "/").headers["WWW-Authenticate"])
    for port in (three.feeds.number, three.admin.number):
        assert three.plain(port, f"/{USER}/") == 404


def test_a_unix_socket_does_not_use_tls(three: Three, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    hosts = f"unix:{path}, 127.0.0.1:{three.port}"
    three.options["server"] = {"hosts": hosts}
    three.write_config()
    three.process.ready = f"Kalends serves unix:{path}"
    three.start()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(b"OPTIONS / HTTP/1.0\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.0 200")
    assert_each_has_its_own(three)
