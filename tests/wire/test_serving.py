"""The server: stalled clients, sockets, the access log, and limits of open files."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from support.samples import event
from support.server import KalendsServer


def test_a_stalled_client_does_not_block_others(tmp_path: Path) -> None:
    server = KalendsServer(
        tmp_path,
        users={"alice": "wonderland"},
        workers=1,
        options={"kalends": {"threads": "1"}, "server": {"timeout": "1"}},
    )
    try:
        stalled = socket.create_connection((server.host, server.port))
        with stalled:
            stalled.sendall(b"GET / HTTP/1.1\r\nHost: ")
            # The only thread reads the rest of that header, until its time is over.
            assert server.request("OPTIONS", "/").status == 200
    finally:
        server.close()


def test_a_unix_socket_and_a_port_are_served_at_once(tmp_path: Path) -> None:
    path = tmp_path / "kalends.sock"
    server = KalendsServer(tmp_path / "server", users={"alice": "wonderland"}, feeds="")
    try:
        server.stop()
        hosts = f"{server.host}:{server.port}, unix:{path}"
        server.options = {"server": {"hosts": hosts}}
        server.write_config()
        server.start()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(b"OPTIONS / HTTP/1.0\r\n\r\n")
            assert sock.recv(1000).startswith(b"HTTP/1.0 200")
        assert server.request("OPTIONS", "/").status == 200
        assert server.stop() == 0
        assert not path.exists()
    finally:
        server.close()


def test_the_access_log_has_one_line_without_secrets(tmp_path: Path) -> None:
    server = KalendsServer(tmp_path, users={"alice": "wonderland"})
    try:
        text = event("a", "A", "20260601T090000Z")
        assert server.request("PUT", "/alice/calendar/a.ics", user="alice", body=text).status == 201
        server.request("GET", "/feeds/s/guessed-secret/family.ics?token=query-secret")
        server.request("GET", "/alice/%0Aforged%0D%22")
        assert server.stop() == 0
        assert not any(line.startswith("forged") for line in server.log.splitlines())
        assert r"/alice/\nforged\r\"" in server.log
        lines = [x for x in server.log.splitlines() if "PUT /alice/calendar/a.ics" in x]
        assert len(lines) == 1
        assert " alice " in lines[0]
        assert " 201 " in lines[0]
        for secret in ("guessed-secret", "query-secret", "wonderland", "Basic "):
            assert secret not in server.log
    finally:
        server.close()


def test_a_small_limit_of_open_files_does_not_block_clients(tmp_path: Path) -> None:
    few = ("sh", "-c", 'ulimit -S -n 100; exec "$@"', "sh")
    server = KalendsServer(tmp_path, users={"alice": "wonderland"}, workers=1, prefix=few)
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(150):
                stack.enter_context(socket.create_connection((server.host, server.port)))
            assert server.request("OPTIONS", "/").status == 200
        assert "cannot accept a connection" not in server.log
    finally:
        server.close()
