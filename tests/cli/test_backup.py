"""`kalends backup` and `--restore`: under load, and between databases."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Self

import pytest

from kalends.cli.main import main
from support.awaiting import await_that
from support.installation import Client, Installation, event
from support.postgres import PostgresServer
from support.server import BIN, KalendsServer, htdigest_line

FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"
publish = ["mine.ics"]
"""
SYNC = (
    '<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><sync-level>1</sync-level>'
    "<prop><getetag/></prop></sync-collection>"
)


def kalends(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "kalends"), arguments[0], "--config", str(config), *arguments[1:]]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def run(
    capsys: pytest.CaptureFixture[str], installation: Installation, *arguments: str
) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["backup", "--config", str(installation.config), *arguments])
    printed = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, printed.out, printed.err


def hrefs_in(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [href for (href,) in connection.execute("SELECT href FROM object ORDER BY id")]


def unpack(backup: Path, folder: Path) -> Path:
    folder.mkdir()
    with tarfile.open(backup) as tar:
        tar.extractall(folder, filter="data")
    return folder


@pytest.fixture
def served(tmp_path: Path) -> Iterator[KalendsServer]:
    server = KalendsServer(
        tmp_path / "server", users={"alice": "a", "bob": "b"}, feeds=FEEDS, workers=2
    )
    yield server
    server.close()


class Writers:
    """Threads that store numbered events until the block ends."""

    def __init__(self, server: KalendsServer) -> None:
        self._server = server
        self._stop = threading.Event()
        self.acknowledged: dict[str, int] = {"alice": 0, "bob": 0}
        self.failures: list[object] = []
        self._threads = [threading.Thread(target=self._write, args=(u,)) for u in ("alice", "bob")]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, user: str) -> None:
        connection = self._server.connection()
        with closing(connection):
            while not self._stop.is_set():
                number = self.acknowledged[user] + 1
                path = f"/{user}/calendar/{number}.ics"
                answer = self._server.request_on(
                    connection, "PUT", path, user=user, body=event(f"{user}-{number}")
                )
                if answer.status != 201:
                    self.failures.append(answer)
                    return
                self.acknowledged[user] = number

    def wait_for(self, number: int) -> None:
        """Wait until each thread has stored that many events."""
        await_that(lambda: self.failures or min(self.acknowledged.values()) >= number)


def test_a_backup_under_load_shows_one_moment_and_restores_it(
    served: KalendsServer, tmp_path: Path
) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    with Writers(served) as writers:
        writers.wait_for(20)
        before = dict(writers.acknowledged)
        done = kalends(served.config_file, "backup", str(backups))
        during = dict(writers.acknowledged)
        writers.wait_for(max(during.values()) + 10)
    assert writers.failures == []
    assert (done.returncode, done.stderr) == (0, "")
    (file,) = backups.iterdir()
    assert "found complete" in done.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    content = unpack(file, tmp_path / "content")
    # All writes that were acknowledged before are in it, and there is no gap.
    stored = {"alice": 0, "bob": 0}
    with closing(sqlite3.connect(content / "kalends.db")) as connection:
        for user in stored:
            rows = connection.execute("SELECT uid FROM object WHERE uid LIKE ?", (f"{user}-%",))
            numbers = sorted(int(uid.partition("-")[2]) for (uid,) in rows)
            assert numbers == list(range(1, len(numbers) + 1))
            stored[user] = len(numbers)
            assert before[user] <= stored[user] <= during[user] + 1
    assert (content / "settings" / "feeds.toml").read_text() == FEEDS
    assert (content / "settings" / "users.htpasswd").read_text() == served.users_file.read_text()
    token = sync_token(served, "")
    refused = kalends(served.config_file, "backup", "--restore", str(file))
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "a server runs on it" in refused.stderr
    assert served.request("GET", "/alice/calendar/1.ics", user="alice").status == 200

    served.stop()
    done = kalends(served.config_file, "backup", "--restore", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    (kept,) = served.folder.glob("kalends.db-before-restore-*")
    assert str(kept) in done.stdout
    assert len(hrefs_in(kept)) == sum(writers.acknowledged.values())
    served.start()
    for user, number in stored.items():
        for n, status in ((number, 200), (number + 1, 404)):
            assert served.request("GET", f"/{user}/calendar/{n}.ics", user=user).status == status
    # A sync-token from before the restore is not valid any more.
    for number in range(stored["alice"] + 1, writers.acknowledged["alice"] + 3):
        path = f"/alice/calendar/{number}.ics"
        answer = served.request("PUT", path, user="alice", body=event(f"new-{number}"))
        assert answer.status == 201
    answer = served.request("REPORT", "/alice/calendar/", user="alice", body=SYNC.format(token))
    assert answer.status == 403
    assert "valid-sync-token" in answer.text
    feed = served.request("GET", "/feeds/alice.ics", user="alice").text
    assert "UID:new-" in feed
    assert f"UID:alice-{stored['alice']}\r\n" in feed
    assert f"UID:alice-{stored['alice'] + 1}\r\n" not in feed
    served.stop()
    kalends(served.config_file, "feed", "url", "alice", "--user", "alice")  # publishes the feeds
    published = served.feeds_folder / "owner" / "alice" / "mine.ics"
    assert published.read_bytes().decode() == feed


def sync_token(server: KalendsServer, old: str) -> str:
    answer = server.request("REPORT", "/alice/calendar/", user="alice", body=SYNC.format(old))
    return answer.text.partition("sync-token>")[2].partition("<")[0]


def test_a_file_that_was_published_after_the_backup_is_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unpublished = FEEDS.replace("publish", "#publish")
    installation = Installation(tmp_path, feeds=unpublished)
    with installation.client() as client:
        client("PUT", "/alice/calendar/a.ics", event("a"))
    file = tmp_path / "b.tar.gz"
    assert run(capsys, installation, str(file))[0] == 0
    installation.feeds_file.write_text(FEEDS)
    kalends(installation.config, "feed", "url", "bob", "--user", "bob")
    published = tmp_path / "feeds" / "owner" / "bob" / "mine.ics"
    assert published.exists()
    assert run(capsys, installation, "--restore", str(file))[0] == 0
    installation.feeds_file.write_text(unpublished)
    kalends(installation.config, "feed", "url", "alice", "--user", "alice")
    assert not published.exists()


def test_keep_removes_only_old_backups(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    installation = Installation(tmp_path)
    folder = tmp_path / "backups"
    folder.mkdir()
    other = folder / "kalends-notes.tar.gz"
    other.write_text("mine")
    for day in (1, 2, 3):
        (folder / f"kalends-2026010{day}T000000Z.tar.gz").write_text("old")
    status, out, _ = run(capsys, installation, "--keep", "2", str(folder))
    assert status == 0
    assert "2 older ones removed" in out
    names = sorted(path.name for path in folder.iterdir())
    assert names[0] == "kalends-20260103T000000Z.tar.gz"
    assert names[2] == other.name
    assert len(names) == 3


def test_verify_lists_the_members_and_restore_brings_the_key_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "users.htdigest").write_text(htdigest_line("alice", "calendars", "wonderland"))
    options = {
        "auth__schemes": "digest, basic",
        "auth__htdigest_filename": str(tmp_path / "users.htdigest"),
    }
    installation = Installation(tmp_path, options=options)
    with installation.client():
        pass  # creates the key
    file = tmp_path / "b.tar.gz"
    assert run(capsys, installation, str(file))[0] == 0
    status, out, err = run(capsys, installation, "--verify", str(file))
    assert (status, err) == (0, "")
    for name in ("kalends.db", "keys/nonce.key", "settings/kalends.ini", "settings/users.htdigest"):
        assert f"  {name} from {tmp_path}/" in out
    key = tmp_path / "nonce.key"
    was = key.read_bytes()
    key.unlink()
    status, out, _ = run(capsys, installation, "--restore", str(file))
    assert status == 0
    assert f"the key of nonces was restored to {key}" in out
    assert (key.read_bytes(), key.stat().st_mode & 0o777) == (was, 0o600)
    assert f"tar -xzf {file} settings/" in out
    bare = tmp_path / "bare.tar.gz"
    assert run(capsys, installation, "--data-only", str(bare))[0] == 0
    with tarfile.open(bare) as tar:
        assert tar.getnames() == ["kalends-backup.json", "kalends.db"]


def damage(file: Path, how: str) -> None:
    data = bytearray(file.read_bytes())
    if how == "cut off":
        del data[len(data) // 2 :]
    elif how == "another file":
        data = bytearray(b"a letter\n" * 1000)
    elif how == "an octet changed":
        data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))


@pytest.mark.parametrize("how", ["cut off", "another file", "an octet changed", "later", "newer"])
def test_a_backup_that_cannot_be_restored_changes_nothing_and_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    installation = Installation(tmp_path)
    with installation.client() as client:
        client("PUT", "/alice/calendar/a.ics", event("a"))
    file = tmp_path / "b.tar.gz"
    assert run(capsys, installation, str(file))[0] == 0
    if how in ("later", "newer"):
        content = unpack(file, tmp_path / "content")
        manifest = json.loads((content / "kalends-backup.json").read_text())
        manifest |= {"format": 9} if how == "later" else {"schema": "9999"}
        (content / "kalends-backup.json").write_text(json.dumps(manifest))
        with tarfile.open(file, "w:gz") as tar:
            for name in ("kalends-backup.json", *manifest["members"]):
                tar.add(content / name, name)
    else:
        damage(file, how)
    for option in ("--verify", "--restore") if how != "newer" else ("--restore",):
        status, out, err = run(capsys, installation, option, str(file))
        assert (status, out, err.count("\n")) == (1, "", 1), err
    with installation.client() as client:
        assert client("GET", "/alice/calendar/a.ics").status == 200
    assert not list(tmp_path.glob("*before-restore*"))


def test_a_damaged_store_is_kept_beside_the_restored_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = Installation(tmp_path)
    with installation.client() as client:
        client("PUT", "/alice/calendar/a.ics", event("a"))
    file = tmp_path / "b.tar.gz"
    assert run(capsys, installation, str(file))[0] == 0
    database = tmp_path / "kalends.db"
    database.write_bytes(b"not a database at all" * 100)
    assert run(capsys, installation, "--restore", str(file))[0] == 0
    with installation.client() as client:
        assert client("GET", "/alice/calendar/a.ics").status == 200
    (kept,) = tmp_path.glob("kalends.db-before-restore-*")
    assert kept.read_bytes().startswith(b"not a database at all")


@pytest.mark.parametrize("way", ["to PostgreSQL", "to a file"])
def test_a_backup_goes_from_one_database_to_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], postgres: PostgresServer, way: str
) -> None:
    (tmp_path / "feeds").mkdir()
    urls = [f"sqlite:///{tmp_path}/kalends.db", postgres.store()]
    source, target = urls if way == "to PostgreSQL" else urls[::-1]
    options = {"storage__database": source, "kalends__feeds_folder": str(tmp_path / "feeds")}
    installation = Installation(tmp_path, options=options)
    with installation.client() as client:
        for number in range(3):
            assert client("PUT", f"/alice/calendar/{number}.ics", event(f"u{number}")).status == 201
        client("DELETE", "/alice/calendar/2.ics")
        address = secret(installation)
        was = shown(client, address)
    file = tmp_path / "b.tar.gz"
    status, _, err = run(capsys, installation, str(file))
    assert (status, err) == (0, "")
    installation.write(storage__database=target)
    status, out, err = run(capsys, installation, "--restore", str(file))
    assert (status, err) == (0, "")
    assert "with 2 objects" in out
    with installation.client() as client:
        assert shown(client, address) == was
        assert client("PUT", "/alice/calendar/9.ics", event("u9")).status == 201
        assert client("MKCALENDAR", "/alice/further/").status == 201
        assert b"UID:u9" in client("GET", address).body


def secret(installation: Installation) -> str:
    return kalends(installation.config, "feed", "url", "alice", "--user", "alice").stdout.strip()


def shown(client: Client, address: str) -> list[object]:
    feed = client("GET", address)
    return [
        client("GET", "/alice/calendar/1.ics").body,
        client.props("/alice/", "D:displayname", "C:supported-calendar-component-set", depth="1"),
        (feed.status, feed.body),
    ]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "name a FOLDER or a FILE"),
        (("--keep", "3", "{}/x.tar.gz"), "is not a folder"),
        (("{}/none/x.tar.gz",), "no such folder"),
        (("--restore", "{}/x.tar.gz", "{}"), "take a FILE and no other argument"),
        (("--restore", "{}/none"), "No such file"),
        (("--verify", "{}/none"), "No such file"),
    ],
)
def test_arguments_that_do_not_fit_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], why: str
) -> None:
    words = [word.format(tmp_path) for word in arguments]
    status, out, err = run(capsys, Installation(tmp_path), *words)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert why in err
