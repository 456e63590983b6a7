"""Bad input at startup: one clear line, a nonzero exit status, and unchanged files."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.server import BIN, KalendsServer

FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"
"""


def serve(server: KalendsServer) -> subprocess.CompletedProcess[str]:
    """Run `kalends serve` until it exits by itself."""
    command = [str(BIN / "kalends"), "serve", "--config", str(server.config_file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def snapshot(folder: Path) -> dict[str, object]:
    """Return the contents of a folder: dumps of databases, octets of other files."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.name.endswith(("-wal", "-shm")):
            continue
        if path.suffix == ".db":
            with contextlib.closing(sqlite3.connect(path)) as database:
                found[str(path)] = list(database.iterdump())
        else:
            found[str(path)] = path.read_bytes() if path.is_file() else None
    return found


def no_user_file(server: KalendsServer) -> str:
    server.users_file.unlink()
    return str(server.users_file)


def user_file_is_a_folder(server: KalendsServer) -> str:
    server.users_file.unlink()
    server.users_file.mkdir()
    return str(server.users_file)


def misspelt_option(server: KalendsServer) -> str:
    server.options = {"auth": {"htpaswd_filename": "x"}}
    server.write_config()
    return "htpaswd_filename"


def misspelt_section(server: KalendsServer) -> str:
    server.options = {"kalend": {"workers": "2"}}
    server.write_config()
    return "kalend"


def impossible_value(server: KalendsServer) -> str:
    server.options = {"kalends": {"workers": "many"}}
    server.write_config()
    return "workers"


def calendar_named_twice(server: KalendsServer) -> str:
    server.feeds_file.write_text(
        '[feed.family]\ncalendars = ["alice/calendar", "alice/calendar"]\naccess = "login"\n'
    )
    return "alice/calendar"


def feeds_file_is_not_toml(server: KalendsServer) -> str:
    server.feeds_file.write_text("[feed.family\n")
    return str(server.feeds_file)


def no_configuration(server: KalendsServer) -> str:
    server.config_file.unlink()
    return str(server.config_file)


def newer_schema(server: KalendsServer) -> str:
    server.start()
    server.stop()
    with contextlib.closing(sqlite3.connect(server.database)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'from-the-future'")
        database.commit()
    return "newer"


def not_a_database(server: KalendsServer) -> str:
    server.database.write_text("This is a shopping list, and has been one for years. " * 100)
    return str(server.database)


@pytest.mark.parametrize(
    "spoil",
    [
        no_user_file,
        user_file_is_a_folder,
        misspelt_option,
        misspelt_section,
        impossible_value,
        calendar_named_twice,
        feeds_file_is_not_toml,
        no_configuration,
        newer_schema,
    ],
)
def test_bad_input_is_one_clear_line_and_changes_nothing(
    tmp_path: Path, spoil: Callable[[KalendsServer], str]
) -> None:
    users = {"alice": "wonderland"}
    server = KalendsServer(tmp_path / "server", users=users, feeds=FEEDS, start=False)
    try:
        named = spoil(server)
        before = snapshot(server.folder)
        done = serve(server)
        assert done.returncode not in (0, -15)
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert named in line
        assert "Traceback" not in line
        assert snapshot(server.folder) == before
    finally:
        server.reserved.release()


def test_a_file_that_is_not_a_database_is_refused_and_unchanged(tmp_path: Path) -> None:
    server = KalendsServer(tmp_path / "server", users={"alice": "a"}, start=False)
    try:
        named = not_a_database(server)
        before = server.database.read_bytes()
        done = serve(server)
        (line,) = done.stderr.splitlines()
        assert done.returncode != 0
        assert named in line
        assert server.database.read_bytes() == before
    finally:
        server.reserved.release()


def test_a_port_in_use_is_one_clear_line_and_changes_nothing(tmp_path: Path) -> None:
    server = KalendsServer(tmp_path / "server", users={"alice": "a"}, start=False)
    try:
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", server.port))
            other.listen()
            before = snapshot(server.folder)
            done = serve(server)
            assert done.returncode != 0
            (line,) = done.stderr.splitlines()
            assert str(server.port) in line
            assert snapshot(server.folder) == before
    finally:
        server.reserved.release()
