"""Guesses at passwords: the workers of a server count them together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from kalends.authn.login_attempts import HostLoginAttempts
from support.awaiting import await_that
from support.server import KalendsServer

GUESSES = 4


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KalendsServer]:
    running = KalendsServer(
        tmp_path / "server",
        users={"alice": "wonderland"},
        workers=2,
        options={"logging": {"format": "json"}},
    )
    yield running
    running.close()


def worker_of(server: KalendsServer, connection: HTTPConnection) -> int:
    """Return the process that serves a connection."""
    name = server.request_on(connection, "GET", "/.web/").headers["X-Request-ID"]

    def lines() -> list[str]:
        return [line for line in server.log.splitlines() if f'"request": "{name}"' in line]

    await_that(lambda: bool(lines()), lambda: server.log)
    return int(json.loads(lines()[0])["process"])


def test_all_workers_count_together(server: KalendsServer) -> None:
    """Connections that stay open are spread over the workers."""
    opened: list[HTTPConnection] = []
    by_worker: dict[int, HTTPConnection] = {}

    def has_both() -> bool:
        opened.append(server.connection())
        by_worker[worker_of(server, opened[-1])] = opened[-1]
        return len(by_worker) == 2

    await_that(has_both, lambda: server.log)
    for connection in list(by_worker.values()) * (GUESSES // 2):
        answer = server.request_on(connection, "PROPFIND", "/", user="alice", password="guess")
        assert answer.status == 401
    for connection in opened:
        connection.close()
    found = HostLoginAttempts(server.folder / "login.attempts").pending("alice", "127.0.0.1")
    assert [round(count) for count in found[:3]] == [GUESSES] * 3
