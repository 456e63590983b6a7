"""HTTP server: requests as in RFC 9112, slow clients, and all kinds of responses."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.common import progress
from kalends.config.listener_roles import Role
from kalends.config.tls import TlsSettings
from kalends.server.http1 import connection
from kalends.server.http1.body_spool import BodySpoolQuota, RequestRefusedError
from kalends.server.http1.environ import connection_environ
from kalends.server.http1.parser import MessageReader
from kalends.server.http1.tls import Certificate
from kalends.server.http1.worker_load import WorkerLoadTable
from support.awaiting import await_that
from support.httpserver import BODY_LIMIT, START, Running, echo, exchange, until_closed
from support.webserver import Certificate as MadeCertificate


class Closed(Iterable[bytes]):
    """A body that records that it was closed."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = blocks
        self.is_closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._blocks)

    def close(self) -> None:
        self.is_closed.set()


@pytest.fixture
def run() -> Iterator[Callable[..., Running]]:
    with contextlib.ExitStack() as stack:

        def start(app: Any, **options: Any) -> Running:
            running = Running(app, **options)
            stack.callback(running.close)
            return running

        yield start


def test_requests_in_a_row_are_answered_in_order(run: Callable[..., Running]) -> None:
    answer = exchange(
        run(echo),
        b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
        b"PUT /b%20c?d=e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\ntw\r\n1\r\no\r\n0\r\nTrailing: x\r\n\r\n"
        b"GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\n\r\n",
    )
    heads = [part for part in answer.split(b"\r\n") if part.startswith((b"HTTP/", b"X-", b"Conn"))]
    assert heads == [
        b"HTTP/1.1 200 OK",
        b"X-Path: /a",
        b"X-Query: ",
        b"HTTP/1.1 200 OK",
        b"X-Path: /b c",
        b"X-Query: d=e",
        b"HTTP/1.1 200 OK",
        b"X-Path: /c",
        b"X-Query: ",
        b"Connection: close",
    ]
    assert b"PUT\r\n1\r\n \r\n3\r\none\r\n0\r\n" in answer
    assert b"3\r\ntwo\r\n" in answer


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        (b"\x16\x03\x01\x02\x00\x01\x00", 501),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 505),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 70_000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nBad Name: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (
            b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: miracles\r\n\r\n", 417),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX-Host: x\r\n\r\n", 400),
        (b"GET http://x/ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.2\r\nHost: x\r\n\r\n", 505),
        (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505),
        (b"GET / HTTP/0.9\r\n\r\n", 505),
        (b"GET / HTTP/1.x\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTPS/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"Host: x\r\n\r\n", 431),
        (b"PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"PUT / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        *(
            (
                b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n",
                status,
            )
            for coding, status in (
                (b"gzip, chunked", 501),
                (b"gzip ,\tCHUNKED", 501),
                (b", chunked", 501),
                (b"gzip\r\nTransfer-Encoding: chunked", 501),
                (b"chunked, gzip", 400),
                (b"gzip", 400),
                (b"identity", 400),
                (b"chunked, chunked", 400),
                (b"chunked\r\nTransfer-Encoding: chunked", 400),
                (b"chunked;a=b", 400),
                (b"xchunked", 400),
                (b"", 400),
                (b"chunked\r\nContent-Length: 5", 400),
            )
        ),
        *(
            (b"GET / HTTP/1.%d\r\nHost: %b\r\n\r\n" % (minor, host), 400)
            for minor in (0, 1)
            for host in (
                *(
                    b"a b",
                    b"a/b",
                    b"a?",
                    b"a#b",
                    b"ann@a",
                    b"a\\b",
                    b"a\tb",
                    b"<a>",
                    b'"a"',
                    b"a\xe9",
                ),
                *(b"a:b", b"a:80:80", b"a:123456", b"a:-1", b"[::1", b"::1", b"[::1]a", b"[a b]"),
                *(b"a%", b"a%zz", b"http://a", b"a" * 256, b"a\r\nHost: a", b"a\r\nhost: b"),
            )
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_invalid_request_gets_an_error_and_ends_the_connection(
    run: Callable[..., Running], octets: bytes, status: int
) -> None:
    answer = exchange(run(echo), octets)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "host",
    [
        *(
            b"",
            b"a",
            b"dav.example.org",
            b"dav.example.org:5232",
            b"a:",
            b"127.0.0.1:1",
            b"[::1]:80",
        ),
        *(b"[2001:db8::1]", b"a_b", b"xn--bcher-kva.example", b"a%20b", b" a ", b"a" * 255),
    ],
)
def test_a_valid_host_is_accepted(run: Callable[..., Running], host: bytes) -> None:
    running = run(echo)
    for version in (b"1.0", b"1.1"):
        octets = b"GET / HTTP/" + version + b"\r\nHost: " + host + b"\r\n\r\n"
        assert exchange(running, octets).startswith(b"HTTP/" + version + b" 200 ")


def test_each_request_of_a_connection_needs_its_own_host(run: Callable[..., Running]) -> None:
    with_host, without = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"
    answer = exchange(run(echo), with_host + without)
    assert answer.count(b"HTTP/1.1 200 ") == answer.count(b"HTTP/1.1 400 ") == 1


def test_a_trailer_is_not_part_of_the_next_request(run: Callable[..., Running]) -> None:
    seen: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start: START) -> Iterable[bytes]:
        seen.append(environ)
        return echo(environ, start)

    exchange(
        run(app),
        b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        b"X-Remote-User: ann\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    )
    assert len(seen) == 2
    assert not any("HTTP_X_REMOTE_USER" in environ for environ in seen)


def test_a_chunked_body_over_the_limit_is_refused_before_its_end(
    run: Callable[..., Running],
) -> None:
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    answer = exchange(
        run(echo), b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 6
    )
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_large_body_arrives_completely(run: Callable[..., Running]) -> None:
    body = bytes(range(256)) * (12 << 10)
    head = b"PUT / HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert exchange(run(echo), head + body).endswith(b"PUT " + body)


def test_large_bodies_share_a_quota_and_small_ones_do_not_need_it(
    run: Callable[..., Running],
) -> None:
    running = run(echo)
    head = b"PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    body = b"x" * BODY_LIMIT
    with contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(running.connect()) for _ in range(5)]
        for one in stalled:
            one.sendall(head % len(body) + body[:-1])
        (refused,) = select.select(stalled, [], [], 30)[0]
        assert until_closed(refused).startswith(b"HTTP/1.1 503 ")
        assert exchange(running, head % 5 + b"small").startswith(b"HTTP/1.1 200 ")
        stalled.remove(refused)
        for one in stalled:
            one.sendall(b"x")
            assert body in until_closed(one)
    assert exchange(running, head % len(body) + body).startswith(b"HTTP/1.1 200 ")


def test_a_field_with_an_underscore_in_its_name_is_hidden(run: Callable[..., Running]) -> None:
    seen: dict[str, str] = {}

    def app(environ: dict[str, Any], start: START) -> Iterable[bytes]:
        seen.update({k: v for k, v in environ.items() if k.startswith("HTTP_")})
        start("204 No Content", [("Content-Length", "7")])
        return []

    running = run(app)
    answer = exchange(
        running,
        b"GET / HTTP/1.0\r\nX_Remote_User: eve\r\nX-A: 1\r\nx-a:  2 \r\nProxy-Thing: a\xe4\r\n\r\n",
    )
    assert seen == {"HTTP_X_A": "1,2", "HTTP_PROXY_THING": "a\xe4"}
    assert b"Content-Length" not in answer
    assert answer.startswith(b"HTTP/1.0 204 No Content\r\n")


def test_for_http_1_0_the_end_of_the_connection_ends_a_body_of_unknown_length(
    run: Callable[..., Running],
) -> None:
    running = run(echo)
    with running.connect() as sock:
        sock.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = until_closed(sock)
    assert answer.endswith(b"\r\n\r\nGET ")
    assert b"Connection: close\r\n" in answer
    assert b"chunked" not in answer


def test_a_client_that_expects_100_continue_gets_it(run: Callable[..., Running]) -> None:
    with run(echo).connect() as sock:
        sock.sendall(
            b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"ok")
        assert sock.recv(1 << 16).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "headers",
    [[("X", "a\r\nSet-Cookie: b")], [("X\n", "a")], [("X", "a\rb")], [("X", "a\0")]],
    ids=["line end in a value", "in a name", "carriage return", "NUL"],
)
def test_a_response_header_cannot_inject_another_one(
    run: Callable[..., Running], headers: list[tuple[str, str]]
) -> None:
    def app(environ: dict[str, Any], start: START) -> Iterable[bytes]:
        start("200 OK", headers)
        return [b"body"]

    answer = exchange(run(app), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"body" not in answer


def test_an_application_that_fails_is_a_500_or_a_broken_connection(
    run: Callable[..., Running],
) -> None:
    def app(environ: dict[str, Any], start: START) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/early":
            raise ValueError("secret text")
        start("200 OK", [("Content-Length", "100")])

        def body() -> Iterator[bytes]:
            yield b"half"
            raise ValueError("secret text")

        return body()

    running = run(app)
    early = exchange(running, b"GET /early HTTP/1.1\r\nHost: x\r\n\r\n")
    assert early.startswith(b"HTTP/1.1 500 ")
    assert b"secret" not in early
    assert exchange(running, b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n").endswith(b"\r\n\r\nhalf")
    assert exchange(running, b"GET /early HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 500 ")


def test_a_slow_sender_occupies_no_thread(run: Callable[..., Running]) -> None:
    running = run(echo, threads=1)
    with running.connect() as header, running.connect() as body:
        header.sendall(b"GET / HTTP/1.1\r\nHos")
        body.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        assert exchange(running, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        body.sendall(b" or so")
        header.sendall(b"t: x\r\n\r\n")
        assert body.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        assert header.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


def test_a_slow_reader_occupies_no_thread_and_gets_the_whole_body(
    run: Callable[..., Running],
) -> None:
    block = bytes(range(256)) * 4096
    bodies: list[Closed] = []

    def app(environ: dict[str, Any], start: START) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/small":
            return echo(environ, start)
        start("200 OK", [("Content-Length", str(32 * len(block)))])
        bodies.append(Closed(block for _ in range(32)))
        return bodies[-1]

    running = run(app, threads=1)
    with running.connect() as slow:
        slow.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        slow.recv(1, socket.MSG_PEEK)
        assert exchange(running, b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n").startswith(
            b"HTTP/1.1 200 "
        )
        assert not bodies[0].is_closed.is_set()
        assert until_closed(slow).partition(b"\r\n\r\n")[2] == block * 32
    assert bodies[0].is_closed.wait(10)
    with running.connect() as impatient:
        impatient.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        impatient.recv(1)
    assert bodies[1].is_closed.wait(10)


def test_a_slow_request_does_not_delay_others(run: Callable[..., Running]) -> None:
    other_came = threading.Event()

    def app(environ: dict[str, Any], start: START) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/slow":
            assert other_came.wait(20)
        else:
            other_came.set()
        return echo(environ, start)

    running = run(app, threads=2)
    with running.connect() as slow:
        slow.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert exchange(running, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        assert slow.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "octets",
    [b"", b"GET / HTTP/1.1\r\nHos", b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"],
    ids=["nothing", "half a header", "half a body"],
)
def test_a_stalled_connection_is_closed(run: Callable[..., Running], octets: bytes) -> None:
    with run(echo, header_seconds=0.05).connect() as sock:
        sock.sendall(octets)
        assert until_closed(sock) == b""


def test_at_the_limit_of_connections_the_longest_waiting_one_is_closed(
    run: Callable[..., Running],
) -> None:
    running = run(echo)
    with contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(running.connect()) for _ in range(25)]
        for sock in stalled:
            sock.sendall(b"GET / HTTP/1.1\r\nHos")
        assert exchange(running, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        assert until_closed(stalled[0]) == b""


def test_at_that_limit_a_client_that_sends_a_body_makes_room_as_well(
    run: Callable[..., Running],
) -> None:
    running = run(echo)
    with contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(running.connect()) for _ in range(40)]
        for sock in stalled:
            sock.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
        assert exchange(running, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        assert until_closed(stalled[0]) == b""
    assert set(running.limits) == {"connections"}


def test_refusals_are_counted_by_limit(run: Callable[..., Running]) -> None:
    running = run(echo)
    head = b"PUT / HTTP/1.1\r\nHost: x\r\n"
    exchange(running, head + b"X: y\r\n" * 200)
    exchange(running, head + b"Content-Length: 99999999\r\n\r\n")
    exchange(running, b"GET /" + b"x" * 9000)
    exchange(running, b"no request\r\n")
    assert running.limits == ["head", "body", "target"]


def test_a_client_that_is_too_slow_is_counted(run: Callable[..., Running]) -> None:
    running = run(echo, header_seconds=0.05)
    for octets in (b"", b"GET / HTTP/1.1\r\nHos", b"PUT / HTTP/1.0\r\nContent-Length: 9\r\n\r\n"):
        with running.connect() as sock:
            sock.sendall(octets)
            assert until_closed(sock) == b""
    assert running.limits == ["header time", "body time"]


def test_a_request_that_does_not_end_is_told_once_and_stuck_threads_are_counted(
    run: Callable[..., Running],
) -> None:
    came, goes_on = threading.Semaphore(0), threading.Event()

    def app(environ: dict[str, Any], start: START) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/late"):
            start("200 OK", [])

            def body() -> Iterator[bytes]:
                yield b"x"
                came.release()
                assert goes_on.wait(30)

            return body()
        came.release()
        assert goes_on.wait(30)
        return echo(environ, start)

    running = run(app, threads=2, stuck_seconds=0)
    with running.connect() as first, running.connect() as second:
        first.sendall(b"GET /one HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        came.acquire()
        assert not running.manager.has_stuck_threads_only()
        second.sendall(b"GET /late HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        came.acquire()
        for _ in range(3):
            assert running.manager.has_stuck_threads_only()
        assert running.stuck_paths == ["/one", "/late"]
        goes_on.set()
        for sock in (first, second):
            assert until_closed(sock).startswith(b"HTTP/1.1 200 ")
        await_that(lambda: not running.manager.has_stuck_threads_only())


def test_a_request_that_reports_progress_or_waits_for_others_is_slow_and_not_stuck(
    run: Callable[..., Running],
) -> None:
    came, goes_on = threading.Semaphore(0), threading.Semaphore(0)

    def app(environ: dict[str, Any], start: START) -> Iterable[bytes]:
        progress.report(3600)  # as before a wait for an hour at most
        came.release()
        assert goes_on.acquire(timeout=30)
        progress.report()
        came.release()
        assert goes_on.acquire(timeout=30)
        return echo(environ, start)

    running = run(app, threads=1, stuck_seconds=0)
    with running.connect() as sock:
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        came.acquire()
        for _ in range(3):
            assert not running.manager.has_stuck_threads_only()
        assert running.stuck_paths == []
        goes_on.release()
        came.acquire()
        assert running.manager.has_stuck_threads_only()  # it waits no more
        assert running.stuck_paths == ["/slow"]
        goes_on.release()
        assert until_closed(sock).startswith(b"HTTP/1.1 200 ")
    progress.report()  # of no request: nobody listens


def test_progress_is_measured_from_the_last_report(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(connection, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    reader = MessageReader(BODY_LIMIT, BodySpoolQuota(BODY_LIMIT))
    with socket.socket() as sock:
        handled = connection.Connection(sock, {}, reader)
        handled.begin_turn()
        for now in (130.0, 160.0, 190.0):
            clock[0] = now
            with progress.reported_to(handled.note_progress):
                progress.report()
            assert handled.progressed_at == now
        handled.end_turn()
        assert handled.progressed_at > 1e9


def test_each_request_is_logged_once_after_its_response(run: Callable[..., Running]) -> None:
    running = run(echo)
    exchange(
        running,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok",
    )
    exchange(running, b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert running.lines == [("GET", "200 OK", 4), ("PUT", "200 OK", 6), ("HEAD", "200 OK", 0)]


def over_tls(running: Running, context: ssl.SSLContext, octets: bytes) -> tuple[bytes, int]:
    """Send octets in one call; return the answer and the serial number of the certificate."""
    with context.wrap_socket(running.connect(), server_hostname="127.0.0.1") as sock:
        sock.sendall(octets)
        found = sock.getpeercert()
        assert found
        return until_closed(sock), int(str(found["serialNumber"]), 16)


def test_over_tls_all_requests_are_answered_with_the_current_certificate(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    folders = [tmp_path / "old", tmp_path / "new"]
    made = []
    for folder in folders:
        folder.mkdir()
        made.append(MadeCertificate.create_in(folder))
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"

    def use(certificate: MadeCertificate) -> None:
        chain.write_bytes(certificate.chain.read_bytes())
        key.write_bytes(certificate.key.read_bytes())

    use(made[0])
    running = run(echo, certificate=Certificate(TlsSettings(chain, key)))
    body = bytes(range(256)) * 4096
    octets = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n" * 3
    octets += b"PUT /b HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    answer, old = over_tls(running, made[0].trusted(), octets)
    assert answer.count(b"X-Path: /a") == 3
    assert answer.endswith(b"PUT " + body)
    use(made[1])
    last = b"GET / HTTP/1.0\r\n\r\n"
    answer, new = over_tls(running, made[1].trusted(), last)
    assert answer.startswith(b"HTTP/1.0 200 ")
    assert new != old
    key.write_text("half a key")  # in the middle of the next renewal
    assert over_tls(running, made[1].trusted(), last)[1] == new


MESSAGES = st.lists(
    st.tuples(
        st.sampled_from([b"GET", b"PUT", b"PROPFIND", b"MKCALENDAR"]),
        st.sampled_from([b"/", b"/a%20b/c.ics?d", b"http://h:1/x", b"*"]),
        st.binary(max_size=30),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


@given(MESSAGES, st.data())
def test_requests_do_not_depend_on_how_their_octets_are_split(
    sent: list[tuple[bytes, bytes, bytes, bool]], data: st.DataObject
) -> None:
    octets = b""
    for method, target, body, chunked in sent:
        octets += method + b" " + target + b" HTTP/1.1\r\nHost: x\r\nX-Name: v\r\n"
        if chunked:
            octets += b"Transfer-Encoding: chunked\r\n\r\n"
            octets += b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            octets += b"0\r\n\r\n"
        else:
            octets += b"Content-Length: %d\r\n\r\n" % len(body) + body
    cuts = sorted(data.draw(st.sets(st.integers(0, len(octets)), max_size=12)))
    reader = MessageReader(BODY_LIMIT, BodySpoolQuota(BODY_LIMIT))
    for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        reader.receive(octets[start:end])
    found = []
    for message in reader.complete:
        assert message.body is not None
        found.append((message.method.encode(), message.target, message.body.read()))
        assert message.fields[1] == (b"X-Name", b"v")
    assert found == [(method, target, body) for method, target, body, _ in sent]
    assert not reader.is_mid_request


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_octets_are_parsed_or_refused(first: bytes, second: bytes) -> None:
    reader = MessageReader(BODY_LIMIT, BodySpoolQuota(BODY_LIMIT))
    with contextlib.suppress(RequestRefusedError):
        reader.receive(first)
        reader.receive(second)
    reader.close()


def test_a_worker_has_most_connections_if_another_has_clearly_fewer() -> None:
    loads = WorkerLoadTable()
    assert not loads.has_most(5)
    loads.record(1, 3)
    loads.record(2, 5)
    assert loads.has_most(5)
    assert not loads.has_most(4)
    loads.remove(1)
    assert not loads.has_most(5)


@pytest.mark.parametrize(
    ("own", "name", "port"),
    [
        (("192.0.2.1", 5232), "192.0.2.1", "5232"),
        (("2001:db8::1", 5232, 0, 0), "[2001:db8::1]", "5232"),
        (("::ffff:192.0.2.1", 5232, 0, 0), "192.0.2.1", "5232"),
        ("/run/kalends.sock", "", ""),
    ],
)
def test_server_name_and_port_come_from_the_local_address(own: Any, name: str, port: str) -> None:
    environ = connection_environ(("192.0.2.7", 4711), own, Role.ALL, "http", None)
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (name, port)
