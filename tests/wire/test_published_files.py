"""Published files with errors: other files are updated, and expired files are removed."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kalends.cli.check.installation import check_installation
from support.awaiting import await_that
from support.installation import Client, Installation, event
from support.server import BIN

FEEDS = """
[feed.open]
calendars = ["*/*"]
access = "public"
publish = ["open.ics"]

[feed.house]
calendars = ["*/*"]
access = "login"
publish = ["house.ics"]

[feed.family]
calendars = ["alice/*"]
access = "secret"
publish = ["family.ics"]
"""
SERVER, OWN_GROUP, WEB_SERVER = 12345, 23456, 34567
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be others")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path, feeds=FEEDS)


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    with installation.client() as client:
        assert client("PUT", "/alice/calendar/a.ics", event("a")).status == 201
        yield client


@pytest.fixture
def feeds(installation: Installation) -> Path:
    return installation.folder / "feeds"


def kalends(
    installation: Installation, *words: str, within: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*within, str(BIN / "kalends"), *words, "--config", str(installation.config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def as_server(*groups: int) -> tuple[str, ...]:
    """Return a prefix that runs a command as the account of the server, with read access to all."""
    added = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
    reading = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    return ("setpriv", f"--reuid={SERVER}", f"--regid={OWN_GROUP}", added, *reading)


def give_to_server(installation: Installation) -> None:
    """Give all files to the account of the server."""
    with installation.client() as client:
        assert client("PUT", "/alice/calendar/a.ics", event("a")).status in (201, 204)
    for path in (installation.folder, *installation.folder.rglob("*")):
        os.chown(path, SERVER, OWN_GROUP)


def secret_file(feeds: Path, told: subprocess.CompletedProcess[str]) -> Path:
    return feeds / told.stdout.strip().removeprefix("/feeds/")


def test_a_file_that_cannot_be_examined_does_not_delay_others(
    installation: Installation, client: Client, feeds: Path
) -> None:
    old = secret_file(feeds, kalends(installation, "feed", "url", "family", "--user", "alice"))
    assert old.exists()
    shutil.rmtree(feeds / "public")
    (feeds / "public").write_text("in the way")
    client("PUT", "/alice/calendar/b.ics", event("b"))
    rotated = kalends(installation, "feed", "rotate", "family", "--user", "alice")
    assert rotated.returncode == 1
    assert "kalends: public/open.ics: File exists" in rotated.stderr
    assert not old.exists()
    assert b"UID:b" in secret_file(feeds, rotated).read_bytes()
    assert b"UID:b" in (feeds / "login" / "house.ics").read_bytes()
    listed = kalends(installation, "feed", "list").stdout
    assert "public/open.ics: behind" in listed
    assert "login/house.ics: up to date" in listed

    (feeds / "public").unlink()
    assert kalends(installation, "feed", "refresh").returncode == 0
    assert "behind" not in kalends(installation, "feed", "list").stdout


def test_a_file_that_cannot_be_removed_is_reported(
    installation: Installation, client: Client, feeds: Path
) -> None:
    old = secret_file(feeds, kalends(installation, "feed", "url", "family", "--user", "alice"))
    old.unlink()
    old.mkdir()
    (feeds / "login" / "house.ics").unlink()
    new = kalends(installation, "feed", "rotate", "family", "--user", "alice")
    assert "kalends: s/…/family.ics: Is a directory" in new.stderr
    assert secret_file(feeds, new).exists()
    assert (feeds / "login" / "house.ics").exists()
    assert "to be removed: s/…/family.ics\n" in kalends(installation, "feed", "list").stdout
    old.rmdir()
    kalends(installation, "feed", "refresh")
    assert "to be removed" not in kalends(installation, "feed", "list").stdout


def test_no_secret_is_disclosed_when_its_file_cannot_be_written(
    installation: Installation,
    client: Client,
    feeds: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = secret_file(feeds, kalends(installation, "feed", "url", "family", "--user", "alice"))
    shutil.rmtree(file.parent)
    file.parent.write_text("in the way")
    client("PUT", "/alice/calendar/b.ics", event("b"))
    for words in (("feed", "refresh"), ("feed", "list"), ("check",)):
        told = kalends(installation, *words)
        assert file.parent.name not in told.stdout + told.stderr
        assert "Traceback" not in told.stderr
    refused = kalends(installation, "feed", "refresh").stderr
    assert "kalends: s/…/family.ics of alice: File exists" in refused
    await_that(lambda: "family.ics of alice cannot be published" in caplog.text)
    assert file.parent.name not in caplog.text


@NEEDS_ROOT
def test_an_unwritable_folder_is_reported_in_one_line(
    installation: Installation, client: Client, feeds: Path
) -> None:
    kalends(installation, "feed", "refresh")
    os.chown(feeds, SERVER, OWN_GROUP)
    locked = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    within = ("unshare", "--mount", "sh", "-c", locked, str(feeds))
    listed = kalends(installation, "feed", "list", within=within)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "public/open.ics: up to date" in listed.stdout
    client("PUT", "/alice/calendar/b.ics", event("b"))
    refused = kalends(installation, "feed", "refresh", within=within)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert f"kalends: {feeds}" in refused.stderr
    assert "Read-only file system" in refused.stderr


@NEEDS_ROOT
def test_a_file_of_another_user_with_wrong_permissions_is_replaced(
    installation: Installation, feeds: Path
) -> None:
    give_to_server(installation)
    assert kalends(installation, "feed", "refresh", within=as_server()).returncode == 0
    file = feeds / "public" / "open.ics"
    content = file.read_bytes()
    os.chown(file, 0, 0)
    file.chmod(0o600)
    assert "public/open.ics: behind" in kalends(installation, "feed", "list").stdout
    assert kalends(installation, "feed", "refresh", within=as_server()).returncode == 0
    found = file.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (SERVER, 0o644)
    assert file.read_bytes() == content
    assert "public/open.ics: up to date" in kalends(installation, "feed", "list").stdout


@NEEDS_ROOT
def test_root_does_not_change_files_of_others_through_links(
    installation: Installation, client: Client, feeds: Path
) -> None:
    kalends(installation, "feed", "refresh")
    for name, lay in (("linked", Path.symlink_to), ("named", Path.hardlink_to)):
        others = installation.folder / name
        others.write_text("private")
        others.chmod(0o600)
        file = feeds / "public" / "open.ics"
        file.unlink()
        lay(file, others)
        assert kalends(installation, "feed", "refresh").returncode == 0
        assert stat.S_IMODE(others.stat().st_mode) == 0o600
        assert others.read_text() == "private"
        assert file.read_bytes().startswith(b"BEGIN:VCALENDAR")


def made(feeds: Path) -> dict[str, tuple[int, int]]:
    """Return the group and the permissions of all published files and folders."""
    return {
        str(path.relative_to(feeds)): (path.stat().st_gid, stat.S_IMODE(path.stat().st_mode))
        for name in ("public", "login")
        for path in (feeds / name, *(feeds / name).iterdir())
    }


FOR_THE_GROUP = {
    "public": (WEB_SERVER, 0o2750),
    "public/open.ics": (WEB_SERVER, 0o640),
    "login": (WEB_SERVER, 0o2750),
    "login/house.ics": (WEB_SERVER, 0o640),
}


@NEEDS_ROOT
@pytest.mark.parametrize("groups", [(), (WEB_SERVER,)], ids=["no member", "a member"])
def test_new_files_get_the_group_of_their_folder(
    installation: Installation, feeds: Path, groups: tuple[int, ...]
) -> None:
    give_to_server(installation)
    shutil.rmtree(feeds, ignore_errors=True)
    feeds.mkdir()
    os.chown(feeds, SERVER, WEB_SERVER)
    feeds.chmod(0o2750)
    assert kalends(installation, "feed", "refresh", within=as_server(*groups)).returncode == 0
    assert made(feeds) == FOR_THE_GROUP


@NEEDS_ROOT
def test_files_follow_a_changed_group_or_check_reports_it(
    installation: Installation, feeds: Path
) -> None:
    give_to_server(installation)
    assert kalends(installation, "feed", "refresh", within=as_server()).returncode == 0
    os.chown(feeds, SERVER, WEB_SERVER)
    feeds.chmod(0o2750)

    def told() -> list[str]:
        return [
            line for line in check_installation(installation.config) if "in another group" in line
        ]

    assert kalends(installation, "feed", "refresh", within=as_server()).returncode == 0
    (line,) = told()
    assert line.startswith(f"{feeds}: 4 of the files and folders in it")
    refreshed = kalends(installation, "feed", "refresh", within=as_server(WEB_SERVER))
    assert refreshed.returncode == 0
    assert made(feeds) == FOR_THE_GROUP
    assert told() == []
