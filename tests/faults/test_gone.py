"""Files disappear while a server runs: no data is lost, and it recovers by itself.

A database file that was moved away takes no writes, and no empty file is created in its place. A
worker that dies is replaced even if the files have changed meanwhile.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.awaiting import await_that
from support.samples import event
from support.server import KalendsServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KalendsServer]:
    running = KalendsServer(tmp_path / "server", users={"alice": "wonderland"}, workers=2)
    yield running
    running.close()


def put(server: KalendsServer, name: str) -> int:
    path = f"/alice/calendar/{name}.ics"
    return server.request("PUT", path, body=event(name).encode(), user="alice").status


def test_a_database_that_was_moved_away_takes_no_writes_until_it_is_back(
    server: KalendsServer,
) -> None:
    assert put(server, "before") == 201
    away = server.database.rename(server.folder / "away.db")
    assert {put(server, f"lost-{number}") for number in range(6)} == {503}
    assert not server.database.exists()
    away.rename(server.database)
    assert put(server, "after") == 201
    found = server.request("GET", "/alice/calendar/", user="alice").body
    assert b"UID:before" in found
    assert b"UID:after" in found
    assert b"UID:lost" not in found


def test_a_database_that_was_replaced_takes_no_writes(
    server: KalendsServer,
) -> None:
    assert put(server, "before") == 201
    server.database.rename(server.folder / "away.db")
    server.database.touch()
    assert {put(server, f"lost-{number}") for number in range(6)} == {503}
    assert server.database.stat().st_size == 0
    assert "the file was replaced by another" in server.log


def kill_workers(server: KalendsServer) -> None:
    children = (
        Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    )
    assert len(children) == 2
    for child in children:
        os.kill(int(child), signal.SIGKILL)


def test_a_worker_is_replaced_while_the_configuration_is_broken(
    server: KalendsServer,
) -> None:
    assert put(server, "before") == 201
    server.config_file.write_text("[nonsense\n")
    kill_workers(server)
    assert put(server, "after") == 201


@pytest.mark.parametrize("how", ["broken", "gone"])
def test_a_worker_is_replaced_while_the_feeds_file_is_broken(tmp_path: Path, how: str) -> None:
    """The new worker has the last good definitions, not those from the start of the server."""
    first = '[feed.house]\ncalendars = ["*/*"]\naccess = "public"\n'
    server = KalendsServer(
        tmp_path / "server", users={"alice": "wonderland"}, workers=2, feeds=first
    )
    try:
        assert put(server, "before") == 201
        assert server.request("GET", "/feeds/house.ics").status == 200
        server.feeds_file.write_text(first.replace("public", "login"))
        assert server.request("GET", "/feeds/house.ics").status == 401
        if how == "broken":
            server.feeds_file.write_text(first + "nonsense")
        else:
            server.feeds_file.unlink()
        kill_workers(server)
        assert put(server, "after") == 201
        assert server.request("GET", "/feeds/house.ics").status == 401
        feed = server.request("GET", "/feeds/house.ics", user="alice")
        assert b"UID:after" in feed.body
        await_that(lambda: "the previous definitions stay in use" in server.log)
        server.feeds_file.write_text(first)
        await_that(lambda: server.request("GET", "/feeds/house.ics").status == 200)
    finally:
        server.close()


def test_a_worker_is_replaced_when_the_database_is_back(server: KalendsServer) -> None:
    assert put(server, "before") == 201
    away = server.database.rename(server.folder / "away.db")
    kill_workers(server)
    await_that(lambda: "a worker cannot start yet" in server.log)
    assert not server.database.exists()
    away.rename(server.database)
    assert put(server, "after") == 201
    assert b"UID:before" in server.request("GET", "/alice/calendar/", user="alice").body


def test_a_server_stops_while_its_workers_wait(server: KalendsServer) -> None:
    server.database.rename(server.folder / "away.db")
    kill_workers(server)
    await_that(lambda: server.log.count("a worker cannot start yet") >= 2)
    assert server.stop() == 0
