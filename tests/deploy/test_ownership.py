"""Files that root's commands create belong to the user of the server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kalends.cli.main import main
from support.installation import Installation, event

FEEDS = """
[feed.everyone]
calendars = ["*/*"]
access = "login"
publish = ["everyone.ics"]
"""
# Without root's rights a command owns the files that it creates, so the expected owner is the same.
IS_ROOT = os.geteuid() == 0
SERVER, GROUP = (12345, 23456) if IS_ROOT else (os.geteuid(), os.getegid())


def kalends(*words: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words])
    assert not ended.value.code


def test_files_of_roots_commands_get_the_owner_of_their_folder(tmp_path: Path) -> None:
    data, feeds = tmp_path / "data", tmp_path / "feeds"
    for folder in (data, feeds):
        folder.mkdir()
        os.chown(folder, SERVER, GROUP)
    feeds.chmod(0o2750)
    (data / "another").write_text("root's own")
    (tmp_path / "away").write_text("root's own, elsewhere")
    (feeds / "link").symlink_to(tmp_path / "away")
    (feeds / "name").hardlink_to(tmp_path / "away")
    (tmp_path / "event.ics").write_bytes(event("one"))
    options = {
        "storage__database": f"sqlite:///{data}/kalends.db",
        "kalends__feeds_folder": str(feeds),
    }
    config = str(Installation(tmp_path, feeds=FEEDS, options=options).config)
    kalends("import", "--into", "alice/calendar", str(tmp_path / "event.ics"), "--config", config)
    kalends("feed", "refresh", "--config", config)
    kalends("feed", "rotate", "everyone", "--user", "alice", "--config", config)

    made = [path for folder in (data, feeds) for path in folder.rglob("*")]
    ours = [path for path in made if path.name not in ("another", "link", "name")]
    assert {path.name for path in ours} >= {"kalends.db", "everyone.ics"}
    assert {(path.stat().st_uid, path.stat().st_gid) for path in ours} == {(SERVER, GROUP)}
    assert (data / "another").stat().st_uid == (tmp_path / "away").stat().st_uid == os.geteuid()
    assert (feeds / "link").lstat().st_uid == os.geteuid()


def test_files_in_a_folder_of_root_stay_roots(tmp_path: Path) -> None:
    config = str(Installation(tmp_path, feeds=FEEDS).config)
    kalends("feed", "refresh", "--config", config)
    assert {path.stat().st_uid for path in tmp_path.rglob("*")} == {os.geteuid()}
