"""The database is not in its place: writes are refused, nothing empty takes its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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


def test_a_file_that_was_moved_away_takes_no_writes_until_it_is_back(
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


def test_a_file_that_was_replaced_takes_no_writes_until_the_server_starts_again(
    server: KalendsServer,
) -> None:
    assert put(server, "before") == 201
    server.database.rename(server.folder / "away.db")
    server.database.touch()
    assert {put(server, f"lost-{number}") for number in range(6)} == {503}
    assert server.database.stat().st_size == 0
    assert "another file has taken its place" in server.log
