"""`kalends check` of a whole installation, which it does not change."""

from __future__ import annotations

import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kalends.app import container, health
from kalends.cli.check.installation import check_installation
from kalends.store.schema import HEAD
from support.installation import Installation, event
from support.server import htdigest_line

PUBLISHED = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"
publish = ["mine.ics"]
"""


def found(installation: Installation) -> list[str]:
    return list(check_installation(installation.config))


def change(installation: Installation, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(installation.folder / "kalends.db")) as connection:
        connection.execute(statement, values)
        connection.commit()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody on the machine can enter, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="kalends-check-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def careful(open_folder: Path) -> Installation:
    """An installation with the permissions that it should have, and some events."""
    old = os.umask(0o077)
    try:
        (open_folder / "users.htdigest").write_text(
            "".join(htdigest_line(name, "calendars", name) for name in ("alice", "bob"))
        )
        options = {
            "auth__schemes": "digest, basic",
            "auth__htdigest_filename": str(open_folder / "users.htdigest"),
        }
        installation = Installation(open_folder, options=options)
        with installation.client() as client:
            assert client("PUT", "/alice/calendar/a.ics", event("a")).status == 201
        (open_folder / "feeds").mkdir(exist_ok=True)
    finally:
        os.umask(old)
    return installation


def test_an_installation_with_careful_permissions_has_no_problem(careful: Installation) -> None:
    assert found(careful) == []


def test_only_the_owner_can_read_a_new_database_and_its_key(tmp_path: Path) -> None:
    options = {
        "auth__schemes": "digest, basic",
        "auth__htdigest_filename": str(tmp_path / "users.htdigest"),
    }
    (tmp_path / "users.htdigest").write_text("")
    with Installation(tmp_path, options=options).client() as client:
        client("PUT", "/alice/calendar/a.ics", event("a"))
        names = ("kalends.db", "kalends.db-wal", "nonce.key")
        assert {(tmp_path / name).stat().st_mode & 0o777 for name in names} == {0o600}


@pytest.mark.parametrize(
    ("name", "mode", "what"),
    [
        ("users.htpasswd", 0o644, "can read it"),
        ("users.htdigest", 0o604, "can read it"),
        ("kalends.db", 0o644, "can read it"),
        ("nonce.key", 0o644, "can read it"),
        ("users.htpasswd", 0o602, "can change it"),
        ("feeds.toml", 0o666, "can change it"),
        ("kalends.ini", 0o666, "can change it"),
        ("feeds", 0o777, "can change it"),
        (".", 0o777, "can change it"),
    ],
)
def test_files_that_everybody_can_read_or_change_are_reported(
    careful: Installation, name: str, mode: int, what: str
) -> None:
    path = careful.folder / name
    path.chmod(mode)
    lines = found(careful)
    assert any(line.startswith(f"{path}: everybody") and what in line for line in lines), lines
    careful.folder.chmod(0o700)  # others cannot reach it
    assert found(careful) == []


def test_everybody_may_read_files_without_secrets(careful: Installation) -> None:
    for name in ("kalends.ini", "feeds.toml"):
        (careful.folder / name).chmod(0o644)
    assert found(careful) == []
    careful.write(storage__database="postgresql+psycopg://kalends:word@127.0.0.1:1/kalends")
    (careful.folder / "kalends.ini").chmod(0o644)
    lines = subprocess.run(
        [str(Path(sys.executable).parent / "kalends"), "check", "--config", str(careful.config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert f"{careful.config}: everybody on this machine can read it" in lines.stdout
    assert "word" not in lines.stdout.replace("password", "") + lines.stderr


def test_root_sees_which_files_the_server_cannot_use(careful: Installation) -> None:
    if os.geteuid() != 0:  # only root can check for another account
        assert found(careful) == []
        return
    nobody = pwd.getpwnam("nobody")
    for path in careful.folder.rglob("*"):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    os.chown(careful.folder, nobody.pw_uid, nobody.pw_gid)
    assert found(careful) == []
    os.chown(careful.htpasswd, 0, 0)
    os.chown(careful.folder / "feeds", 0, 0)
    lines = found(careful)
    assert len(lines) == 2
    assert lines[0].startswith(
        f"{careful.htpasswd}: 'nobody', the owner of {careful.folder}/kalends.db"
    )
    assert lines[1].startswith(f"{careful.folder}/feeds: 'nobody'")
    assert "cannot write to it" in lines[1]


def test_root_sees_which_logs_the_server_cannot_write(careful: Installation) -> None:
    logs = careful.folder / "logs"
    logs.mkdir()
    there = logs / "access.log"
    there.write_text("")
    careful.write(logging__file=str(logs / "new.log"), logging__access_file=str(there))
    if os.geteuid() != 0:
        assert found(careful) == []
        return
    nobody = pwd.getpwnam("nobody")
    for path in (careful.folder, *careful.folder.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    assert found(careful) == []
    os.chown(logs, 0, nobody.pw_gid)
    logs.chmod(0o750)
    os.chown(there, 0, 0)
    second, first = sorted(found(careful))
    assert first.startswith(f"{logs}: 'nobody'")
    assert second.startswith(f"{there}: 'nobody'")


def test_a_password_for_ldap_that_everybody_can_read_is_reported(careful: Installation) -> None:
    secret = careful.folder / "ldap.secret"
    secret.write_text("word")
    ldap = {
        "auth__directories": "files, ldap",
        "auth__ldap_uri": "ldap://127.0.0.1:1",
        "auth__ldap_base": "dc=example,dc=org",
        "auth__ldap_reader_dn": "cn=reader,dc=example,dc=org",
    }
    careful.write(**ldap, auth__ldap_secret_file=str(secret))
    careful.config.chmod(0o644)
    secret.chmod(0o640)
    assert found(careful) == []
    secret.chmod(0o644)
    (line,) = found(careful)
    assert line.startswith(f"{secret}: everybody on this machine can read it")
    careful.write(**ldap, auth__ldap_secret="word")
    careful.config.chmod(0o644)
    (line,) = found(careful)
    assert line.startswith(f"{careful.config}: everybody on this machine can read it")


def test_a_check_creates_and_upgrades_no_database(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    assert found(installation) == []
    assert not (tmp_path / "kalends.db").exists()
    with installation.client():
        pass
    change(installation, "UPDATE alembic_version SET version_num = '0003'")
    (line,) = found(installation)
    assert f"has schema 0003, and this version of Kalends uses {HEAD}" in line
    assert not list(tmp_path.glob("*-before-*"))


def test_a_change_in_the_future_means_a_wrong_clock(careful: Installation) -> None:
    later = int((time.time() + 3600) * 1_000_000)
    change(careful, "UPDATE collection SET changed = ? WHERE path = 'alice/calendar'", later)
    (line,) = found(careful)
    assert line.startswith("the clock: the last change is dated 20")


def test_a_published_file_that_is_out_of_date_is_reported(careful: Installation) -> None:
    careful.feeds_file.write_text(PUBLISHED)
    with container.build(careful.config) as built:
        built.catch_up()
    change(careful, "UPDATE collection SET modseq = modseq + 1")
    assert found(careful) == []  # only a moment ago: a server may be about to publish it
    before = int((time.time() - 3600) * 1_000_000)
    change(careful, "UPDATE collection SET changed = ?", before)
    (line,) = found(careful)
    assert line.startswith("feed alice: owner/alice/mine.ics is out of date")
    assert "`kalends feed refresh alice`" in line


def test_a_full_disk_is_reported(careful: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "MIN_FREE_OCTETS", 1 << 62)
    lines = found(careful)
    assert {line.partition(":")[0] for line in lines} == {
        str(careful.folder),
        str(careful.folder / "feeds"),
    }
    assert all("MiB are free on its disk" in line for line in lines)


def test_private_files_and_folders_that_others_can_open_are_named(open_folder: Path) -> None:
    installation = Installation(open_folder, feeds=PUBLISHED)
    with installation.client() as client:
        assert client("GET", "/feeds/alice.ics").status == 200
    feeds = open_folder / "feeds"
    installation.htpasswd.chmod(0o600)
    opened = [feeds / ".versions", open_folder / "kalends.db", open_folder / "nonce.key"]
    assert not [line for line in found(installation) if "everybody on this machine" in line]
    for path in opened:
        path.chmod(0o755 if path.is_dir() else 0o644)
    lines = found(installation)
    for path in opened:
        assert any(line.startswith(f"{path}: everybody on this machine can") for line in lines)
