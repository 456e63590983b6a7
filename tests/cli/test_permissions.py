"""Permissions of all that Kalends makes, by whichever command first, with any umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kalends.cli import demo
from kalends.cli.main import main
from support.awaiting import await_that
from support.installation import Installation, event
from support.process import ServerProcess
from support.server import BIN, KalendsServer

FEEDS = """
[feed.open]
calendars = ["alice/*"]
access = "public"
publish = ["open.ics"]

[feed.family]
calendars = ["alice/*"]
access = "secret"
publish = ["family.ics"]
"""
COMMANDS = {
    "check": "check",
    "import": "import {}/a.ics --into alice/calendar",
    "feed-refresh": "feed refresh",
    "feed-list": "feed list",
    "feed-url": "feed url family --user alice",
    "backup": "backup {}/backup.tar.gz",
    "export": "export {}/new/export",
    "user-list": "user list",
    "user-groups": "user groups add staff alice",
}
PUBLISHED = {".": 0o755, "public": 0o755, "public/open.ics": 0o644, "s": 0o711}
"""The permissions of what a web server reads, by its path below the folder of feeds."""
USER_FILES = ("users.htpasswd", "groups")


@pytest.fixture(params=[0o000, 0o077], ids=["umask-000", "umask-077"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> dict[Path, int]:
    """Return the permissions of everything below a folder."""
    return {path: stat.S_IMODE(path.lstat().st_mode) for path in folder.rglob("*")}


def await_published(feeds: Path) -> None:
    """Return when the public feed is published, and no file is being replaced."""
    public = feeds / "public"
    await_that(lambda: [path.name for path in public.glob("*")] == ["open.ics"])


def assert_private(made: dict[Path, int], feeds: Path) -> None:
    """Fail if others have access to anything that is not published."""
    for path, mode in made.items():
        below = path.relative_to(feeds) if path.is_relative_to(feeds) else None
        if below is not None and str(below) in PUBLISHED:
            assert mode == PUBLISHED[str(below)], path
        elif below is not None and below.parts[0] == "s":  # its secret is in the path
            assert mode == (0o755 if path.is_dir() else 0o644), path
        elif path.name in USER_FILES:
            assert mode & 0o027 == 0, (path, oct(mode))
        else:
            assert mode & 0o077 == 0, (path, oct(mode))
            assert mode & 0o600 == 0o600, (path, oct(mode))


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_command_makes_private_files(tmp_path: Path, umask: int, command: str) -> None:
    feeds = tmp_path / "var" / "feeds"
    options = {
        "auth__htgroup_filename": str(tmp_path / "groups"),
        "kalends__feeds_folder": str(feeds),
    }
    installation = Installation(tmp_path, feeds=FEEDS, options=options)
    (tmp_path / "groups").write_text("")
    (tmp_path / "a.ics").write_bytes(event("a"))
    before = modes(tmp_path)
    with pytest.raises(SystemExit):
        main([*command.format(tmp_path).split(), "--config", str(installation.config)])
    made = {path: mode for path, mode in modes(tmp_path).items() if path not in before}
    if feeds.exists():
        assert made.pop(feeds.parent) == 0o755  # a web server has to enter it
    assert_private(made, feeds)


def test_an_application_makes_private_files(tmp_path: Path, umask: int) -> None:
    installation = Installation(tmp_path, feeds=FEEDS)
    before = modes(tmp_path)
    with installation.client() as client:
        assert client("PUT", "/alice/calendar/a.ics", event("a")).status == 201
        assert client("GET", "/feeds/open.ics", user="").status == 200
        assert client("GET", "/feeds/open.ics", headers={"Accept-Encoding": "gzip"}).status == 200
        await_published(tmp_path / "feeds")
        made = {path: mode for path, mode in modes(tmp_path).items() if path not in before}
    assert any(path.name.endswith(".gz") for path in made)
    assert_private(made, tmp_path / "feeds")


def test_a_demo_is_private(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "var"
    assert demo.prepare(folder).exists()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600


@pytest.mark.parametrize("umask", ["000", "077"])
def test_a_server_makes_private_files(tmp_path: Path, umask: str) -> None:
    server = KalendsServer(
        tmp_path / "server",
        users={"alice": "wonderland"},
        feeds=FEEDS,
        options={
            "server": {"hosts": f"unix:{tmp_path}/socket"},
            "logging": {"file": f"{tmp_path}/log", "access_file": f"{tmp_path}/access"},
        },
        start=False,
    )
    before = modes(tmp_path)
    command = ["sh", "-c", f'umask {umask}; exec "$@"', "sh", str(BIN / "kalends"), "serve"]
    process = ServerProcess(
        [*command, "--config", str(server.config_file)],
        ready="Kalends serves",
        folder=server.folder,
        environment={"PYTHONUNBUFFERED": "1"},
    )
    process.start()
    await_published(server.feeds_folder)
    made = {path: mode for path, mode in modes(tmp_path).items() if path not in before}
    process.stop()
    server.reserved.release()
    log = 0o640 & ~int(umask, 8)
    own = {tmp_path / "socket": 0o660, tmp_path / "log": log, tmp_path / "access": log}
    assert {path: made.pop(path) for path in own} == own
    assert server.database in made
    assert_private(made, server.feeds_folder)
