"""Requests that do not end: the log names them, and a worker without a free thread is replaced."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from support.awaiting import await_that
from support.process import ReservedPort
from support.server import KalendsServer, basic

THREADS = 2
# `kalends serve` with a request that does not end, which counts as stuck after three seconds.
COMMAND = """
import functools, sys, threading
from kalends.app.stack import ApplicationStack
from kalends.cli.main import main
from kalends.server import arbiter

dispatch = ApplicationStack._dispatch

def stuck_or_not(self, environ, start_response):
    if environ["QUERY_STRING"] == "stuck":
        threading.Event().wait()
    return dispatch(self, environ, start_response)

ApplicationStack._dispatch = stuck_or_not
arbiter.ConnectionLimits = functools.partial(arbiter.ConnectionLimits, stuck_seconds=3)
sys.exit(main(sys.argv[1:]))
"""
FEEDS = """
[feed.family]
calendars = ["*/*"]
access = "secret"
"""


@pytest.fixture
def admin_port() -> Iterator[int]:
    reserved = ReservedPort()
    yield reserved.number
    reserved.release()


@pytest.fixture
def server(tmp_path: Path, admin_port: int) -> Iterator[KalendsServer]:
    """Run two workers of two threads."""
    options = {"kalends": {"threads": str(THREADS), "admin_hosts": f"127.0.0.1:{admin_port}"}}
    running = KalendsServer(
        tmp_path, users={"ann": "word"}, feeds=FEEDS, workers=2, options=options, start=False
    )
    running.process.command = [
        *(sys.executable, "-c", COMMAND, "serve", "--config", str(running.config_file))
    ]
    running.start()
    yield running
    running.kill9()  # a worker with one stuck thread would take its time for a graceful stop
    running.close()


def workers_of(server: KalendsServer) -> set[int]:
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return {int(pid) for pid in children.read_text().split()}


def ask(server: KalendsServer, path: str, *lines: str) -> socket.socket:
    """Send a GET on a connection of its own, and return that."""
    sock = socket.create_connection((server.host, server.port), 60)
    head = [f"GET {path} HTTP/1.1", "Host: x", *lines]
    sock.sendall("".join(f"{line}\r\n" for line in [*head, ""]).encode())
    return sock


def test_a_worker_without_a_free_thread_is_replaced_while_the_other_serves(
    server: KalendsServer, admin_port: int
) -> None:
    first = workers_of(server)
    assert len(first) == 2
    login = f"Authorization: {basic('ann', 'word')}"
    with ExitStack() as stack:
        # Three stuck requests take all the threads of one worker, and leave one to the other.
        for path in ("/ann/?stuck", "/feeds/s/not-to-be-told/family.ics?stuck", "/ann/x?stuck"):
            stack.enter_context(ask(server, path, login))
        for _ in range(20):
            assert server.request("OPTIONS", "/").status == 200
        await_that(lambda: len(now := workers_of(server)) == 2 and now != first)
        for _ in range(20):
            assert server.request("PROPFIND", "/ann/", user="ann").status == 207
    assert len(workers_of(server) & first) == 1
    await_that(lambda: server.log.count(" is stuck: ") == 3)
    log = server.log
    assert log.count("GET of /ann/ by ann [") == log.count("GET of /ann/x by ann [") == 1
    assert log.count("GET of /feeds/s/***/family.ics by - [") == 1
    assert log.count(f"all {THREADS} threads of this worker are stuck: it is replaced") == 1
    assert "not-to-be-told" not in log
    with closing(socket.create_connection(("127.0.0.1", admin_port), 60)) as admin:
        admin.sendall(b"GET /.metrics HTTP/1.0\r\n\r\n")
        metrics = b"".join(iter(lambda: admin.recv(1 << 16), b""))
    assert b"\nkalends_stuck_requests_total 3.0\n" in metrics
