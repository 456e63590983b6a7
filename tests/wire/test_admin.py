"""`/.health` and `/.metrics`: only on their own listener, and for all workers together."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kalends.app import container, health
from kalends.config import loader
from kalends.store.engine import open_database
from support.awaiting import await_that
from support.installation import Installation, event
from support.postgres import PASSWORD, PostgresServer
from support.process import ReservedPort
from support.server import KalendsServer

FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"
publish = ["mine.ics"]
"""


class Admin:
    """A client of the listener for administrators."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, answer.headers, body

    def numbers(self) -> dict[tuple[str, ...], float]:
        """Return each number by its name and the values of its labels, sorted by their names."""
        status, headers, body = self.ask("GET", "/.metrics")
        assert status == 200
        assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
        }

    def until(
        self, ready: Callable[[dict[tuple[str, ...], float]], bool]
    ) -> dict[tuple[str, ...], float]:
        """Return the numbers once they are ready: a request is counted just after its answer."""
        return await_that(lambda: found if ready(found := self.numbers()) else None, self.numbers)


@pytest.fixture
def port() -> Iterator[int]:
    reserved = ReservedPort()
    yield reserved.number
    reserved.release()


@pytest.fixture
def served(tmp_path: Path, port: int) -> Iterator[KalendsServer]:
    server = KalendsServer(
        tmp_path / "server",
        users={"alice": "wonderland"},
        feeds=FEEDS,
        workers=2,
        options={
            "kalends": {
                "admin_hosts": f"127.0.0.1:{port}",
                "trusted_proxies": "127.0.0.1, unix",
            }
        },
        start=False,
    )
    hosts = f"127.0.0.1:{server.port}, unix:{tmp_path}/socket"
    server.options["server"] = {"hosts": hosts}
    server.write_config()
    server.start()
    yield server
    server.close()


def workers_of(server: KalendsServer) -> list[int]:
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def test_only_the_listener_for_administrators_has_health_and_metrics(
    served: KalendsServer, port: int, tmp_path: Path
) -> None:
    admin = Admin(port)
    forged = {
        "Host": f"127.0.0.1:{port}",
        "X-Forwarded-Host": "127.0.0.1",
        "X-Forwarded-Port": str(port),
        "X-Forwarded-For": "127.0.0.1",
    }
    for path in ("/.health", "/.metrics"):
        assert admin.ask("GET", path)[0] == 200
        assert admin.ask("POST", path)[0] == 405
        for user in (None, "alice"):
            assert served.request("GET", path, user=user).status == 404
            assert served.request("GET", path, user=user, headers=forged).status == 404
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(tmp_path / "socket"))
            header = "".join(f"{name}: {value}\r\n" for name, value in forged.items())
            sock.sendall(f"GET {path} HTTP/1.1\r\n{header}Connection: close\r\n\r\n".encode())
            assert sock.recv(1000).startswith(b"HTTP/1.1 404")
    for method, path in (("GET", "/"), ("PROPFIND", "/alice/"), ("GET", "/.web/")):
        assert admin.ask(method, path)[0] == 404
    assert json.loads(admin.ask("GET", "/.health")[2]) == {"status": "ok", "failures": {}}


def test_numbers_are_the_sum_of_all_workers_and_survive_them(
    served: KalendsServer, port: int
) -> None:
    admin = Admin(port)
    for number in range(20):
        path = f"/alice/calendar/{number}.ics"
        assert served.request("PUT", path, user="alice", body=event(f"u{number}")).status == 201
    for _ in range(3):
        served.request("PROPFIND", "/alice/", user="alice", password="wrong")
    served.request("GET", "/feeds/alice.ics", user="alice")
    served.request("BREW", "/alice/", user="alice")
    assert served.request("GET", "/" + "x" * 9000).status == 414
    assert served.request("GET", "/", headers={"X": "y" * (1 << 16)}).status == 431
    put = ("kalends_request_duration_seconds_count", "PUT", "201")
    numbers = admin.until(lambda n: n.get(put) == 20)
    assert numbers[("kalends_failed_logins_total", "basic")] == 3
    assert numbers[("kalends_refused_by_limit_total", "target")] == 1
    assert numbers[("kalends_refused_by_limit_total", "head")] == 1
    assert numbers[("kalends_objects",)] == 20
    assert numbers[("kalends_accounts",)] == 1
    assert numbers[("kalends_store_bytes",)] > 20 * 300
    assert numbers[("kalends_disk_free_bytes",)] > 0
    assert numbers[("kalends_feed_composition_seconds_count",)] >= 1
    assert not any("BREW" in name for name in numbers)
    buckets = {n[1]: v for n, v in numbers.items() if n[0].endswith("_bucket") and n[2:] == put[1:]}
    assert len(buckets) == 13
    assert buckets["+Inf"] == 20
    first = workers_of(served)
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    await_that(lambda: len(now := workers_of(served)) == 2 and not set(now) & set(first))
    path = "/alice/calendar/last.ics"
    assert served.request("PUT", path, user="alice", body=event("last")).status == 201
    admin.until(lambda n: n.get(put) == 21)


def test_feeds_that_are_behind_are_reported(served: KalendsServer, port: int) -> None:
    admin = Admin(port)
    served.request("PUT", "/alice/calendar/a.ics", user="alice", body=event("a"))
    admin.until(lambda n: n[("kalends_feed_places_behind",)] == 0)
    published = served.feeds_folder / "owner" / "alice" / "mine.ics"
    published.unlink()
    published.mkdir()  # so that the file cannot be replaced
    served.request("PUT", "/alice/calendar/b.ics", user="alice", body=event("b"))
    numbers = admin.until(lambda n: n[("kalends_feed_staleness_seconds",)] > 0.5)
    assert numbers[("kalends_feed_places",)] == 1
    assert numbers[("kalends_feed_places_behind",)] == 1
    published.rmdir()
    admin.until(lambda n: n[("kalends_feed_staleness_seconds",)] == 0)


def test_health_fails_if_a_user_file_is_missing(served: KalendsServer, port: int) -> None:
    served.users_file.unlink()
    status, _, body = Admin(port).ask("GET", "/.health")
    assert status == 503
    report = json.loads(body)
    assert report["status"] == "failing"
    assert str(served.users_file) in report["failures"]["user files"]
    assert Admin(port).ask("HEAD", "/.health")[2] == b""


def database_failure(port: int) -> str:
    """Return the failure of the database in the health report; empty if there is none."""
    status, _, body = Admin(port).ask("GET", "/.health")
    failures: dict[str, str] = json.loads(body)["failures"]
    assert status == (503 if failures else 200)
    return failures.get("database", "")


def test_health_fails_while_the_database_file_is_missing(served: KalendsServer, port: int) -> None:
    assert database_failure(port) == ""
    away = served.database.rename(served.folder / "away.db")
    assert str(served.database) in database_failure(port)
    away.replace(served.database)
    assert database_failure(port) == ""
    assert served.request("PROPFIND", "/alice/", user="alice").status == 207


def test_health_fails_while_the_database_server_is_stopped(tmp_path: Path, port: int) -> None:
    postgres = PostgresServer()
    try:
        server = KalendsServer(
            tmp_path / "server",
            users={"alice": "wonderland"},
            options={
                "storage": {"database": postgres.store()},
                "auth": {"nonce_folder": str(tmp_path)},
                "kalends": {"admin_hosts": f"127.0.0.1:{port}"},
            },
        )
        with closing(server):
            assert database_failure(port) == ""
            postgres.stop()
            assert database_failure(port)
            assert PASSWORD not in database_failure(port)
            postgres.process.start()
            assert database_failure(port) == ""
            assert server.request("PROPFIND", "/alice/", user="alice").status == 207
    finally:
        postgres.close()


def test_health_fails_for_an_unreachable_database_and_for_a_full_disk(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = f"postgresql+psycopg://kalends@127.0.0.1:{port}/kalends"
    (tmp_path / "feeds").mkdir()
    installation = Installation(tmp_path)
    with container.build(installation.config) as built:
        assert list(health.failures(built)) == []
        monkeypatch.setattr(health, "MIN_FREE_OCTETS", 1 << 62)
        assert {part for part, _ in health.failures(built)} == {"disk"}
        monkeypatch.undo()
        without = container.Container(loader.load(installation.config), open_database(gone))
        assert "database" in dict(health.failures(without))


@pytest.mark.parametrize("option", ["admin_hosts", "feeds_hosts"])
@pytest.mark.parametrize(
    "value", ["127.0.0.1:5232", "[::1]:05232", "unix:/tmp/x", "127.0.0.1:0", "here"]
)
def test_a_listener_for_administrators_or_feeds_needs_a_separate_explicit_port(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    from kalends.cli.main import main

    options = {"server__hosts": "127.0.0.1:5232", f"kalends__{option}": value}
    installation = Installation(tmp_path, options=options)
    with pytest.raises(SystemExit) as left:
        main(["check", "--config", str(installation.config)])
    said = capsys.readouterr()
    assert (left.value.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert option in said.err
