"""Clients that never pause: others have their turn between, although there is one thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from support.awaiting import await_that
from support.httpserver import START, Running, echo, exchange, until_closed

ATTACKERS = 16
GET = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
BYSTANDER = b"GET /bystander HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def test_requests_in_a_row_do_not_keep_others_waiting() -> None:
    order: list[str] = []
    other_has_sent = threading.Event()

    def app(environ: dict[str, Any], start: START) -> Iterable[bytes]:
        order.append(environ["PATH_INFO"])
        assert other_has_sent.wait(30)
        return echo(environ, start)

    with closing(Running(app)) as running, running.connect() as greedy, running.connect() as other:
        greedy.sendall(b"".join(GET % number for number in range(100)))
        await_that(lambda: order)
        other.sendall(BYSTANDER)
        other_has_sent.set()
        assert until_closed(other).startswith(b"HTTP/1.1 200 ")
        greedy.shutdown(socket.SHUT_WR)
        assert until_closed(greedy).count(b"HTTP/1.1 200 ") == 100
    assert order.index("/bystander") < 5
    assert [path for path in order if path != "/bystander"] == [f"/{n}" for n in range(100)]


def endless(environ: dict[str, Any], start: START) -> Iterable[bytes]:
    """Answer with a body that does not end, in pieces of one octet."""
    if environ["PATH_INFO"] != "/endless":
        return echo(environ, start)
    start("200 OK", [])

    def body() -> Iterator[bytes]:
        while True:
            yield b"x"

    return body()


def send_for_ever(octets: bytes) -> Callable[[socket.socket], None]:
    def attack(sock: socket.socket) -> None:
        while True:
            sock.sendall(octets)

    return attack


def send_and_read_for_ever(octets: bytes) -> Callable[[socket.socket], None]:
    def attack(sock: socket.socket) -> None:
        while True:
            sock.sendall(octets)
            sock.recv(1 << 20)

    return attack


def read_for_ever(sock: socket.socket) -> None:
    sock.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
    while sock.recv(1 << 20):
        pass


ATTACKS = [
    pytest.param(send_for_ever(b"\r\n" * 8192), id="blank lines"),
    pytest.param(send_for_ever(CHUNKED + b"1;" + b"x" * 60_000 + b"\r\nz\r\n"), id="extensions"),
    pytest.param(send_for_ever(CHUNKED + b"1\r\nx\r\n" * 10_000), id="chunks of one octet"),
    pytest.param(send_for_ever(CHUNKED + b"0\r\n" + b"X: y\r\n" * 10_000), id="trailer"),
    pytest.param(
        send_for_ever(
            b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n" + b"x" * 9000
        ),
        id="bodies",
    ),
    pytest.param(send_and_read_for_ever(GET % 1 * 200), id="requests"),
    pytest.param(read_for_ever, id="response without end"),
]


class Attackers:
    """Threads that attack on one connection after the other until they are stopped."""

    def __init__(self, running: Running, attack: Callable[[socket.socket], None]) -> None:
        self._running = running
        self._attack = attack
        self._stopped = threading.Event()
        self._open: dict[int, socket.socket] = {}
        self._threads = [
            threading.Thread(target=self._work, args=(number,)) for number in range(ATTACKERS)
        ]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            while thread.is_alive():
                for sock in list(self._open.values()):
                    with suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)
                thread.join(0.05)

    def _work(self, number: int) -> None:
        while not self._stopped.is_set():
            with suppress(OSError), self._running.connect() as sock:
                self._open[number] = sock
                self._attack(sock)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_bystander_gets_every_answer(attack: Callable[[socket.socket], None]) -> None:
    with closing(Running(endless, connections=100)) as running, Attackers(running, attack):
        for _ in range(5):
            assert exchange(running, BYSTANDER).startswith(b"HTTP/1.1 200 ")
