"""A full disk: writes are refused, reads and feeds continue, and no data is lost."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.samples import event
from support.server import BIN, Answer, KalendsServer

FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"
"""
MEGABYTES = 12


class SmallDisk:
    """A server with its store and feeds on a file system of a few megabytes.

    The file system is in a mount namespace that a helper process keeps open and that the server
    runs in, so it does not have to be unmounted. `inside` is its folder as seen from here.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.disk = folder / "disk"
        self.disk.mkdir()
        root = os.geteuid() == 0
        mount = f'mount -t tmpfs -o size={MEGABYTES}m tmpfs "{self.disk}" && echo mounted && cat'
        self._holder = subprocess.Popen(
            ["unshare", "--mount", *([] if root else ["--map-root-user"]), "sh", "-c", mount],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"mounted\n"
        self.enter: tuple[str, ...] = ("nsenter", "--mount", f"--target={self._holder.pid}")
        if not root:
            self.enter += ("--user", "--preserve-credentials")
        self.inside = Path(f"/proc/{self._holder.pid}/root{self.disk}")
        self.filler = self.inside / "filler"
        self.server = KalendsServer(
            folder / "server",
            users={"alice": "wonderland"},
            feeds=FEEDS,
            workers=2,
            options={
                "storage": {"database": f"sqlite:///{self.disk / 'kalends.db'}"},
                "kalends": {"feeds_folder": str(self.disk / "feeds")},
            },
            prefix=self.enter,
        )

    def close(self) -> None:
        """Stop the server and end the file system."""
        self.server.close()
        self._holder.communicate(timeout=30)

    def enlarge(self) -> None:
        """Double the size of the file system."""
        options = f"remount,size={2 * MEGABYTES}m"
        subprocess.run([*self.enter, "mount", "-o", options, str(self.disk)], check=True)

    def fill(self) -> None:
        """Fill the disk to the last block."""
        with self.filler.open("ab", buffering=0) as filler:
            for size in (65536, 4096):
                with contextlib.suppress(OSError):
                    while filler.write(b"\0" * size) == size:
                        pass
        free = os.statvfs(self.inside)
        assert free.f_bavail == 0

    def free_space(self) -> None:
        """Delete the filler."""
        self.filler.unlink()

    def put(self, name: str, size: int = 100) -> Answer:
        """PUT an event of about this size in octets."""
        text = event(name, name, "20260601T090000Z", "DESCRIPTION:" + "x" * size)
        return self.server.request("PUT", f"/alice/calendar/{name}.ics", user="alice", body=text)

    def feed(self) -> Answer:
        """GET the feed of alice."""
        return self.server.request("GET", "/feeds/alice.ics", user="alice")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Yield a server on a small disk."""
    disk = SmallDisk(tmp_path / "small")
    yield disk
    disk.close()


def uids(text: str) -> set[str]:
    """Return the UIDs in the text of a calendar."""
    return {line.removeprefix("UID:") for line in text.splitlines() if line.startswith("UID:")}


def test_a_full_disk_refuses_writes_and_loses_nothing(small_disk: SmallDisk) -> None:
    server = small_disk.server
    for number in range(20):
        assert small_disk.put(f"before{number}").status == 201
    assert len(uids(small_disk.feed().text)) == 20
    assert small_disk.put("not-yet-in-the-feed").status == 201
    small_disk.fill()
    kept = {f"before{number}" for number in range(20)} | {"not-yet-in-the-feed"}
    answers = [small_disk.put(f"big{number}", 300_000) for number in range(10)]
    assert {answer.status for answer in answers} == {507}
    for _ in range(3):
        read = server.request("GET", "/alice/calendar/before7.ics", user="alice")
        assert (read.status, uids(read.text)) == (200, {"before7"})
        whole = server.request("GET", "/alice/calendar/", user="alice")
        assert (whole.status, uids(whole.text)) == (200, kept)
        feed = small_disk.feed()
        assert (feed.status, uids(feed.text)) == (200, kept)
    small_disk.free_space()
    assert small_disk.put("after", 300_000).status == 201
    feed = small_disk.feed()
    assert (feed.status, uids(feed.text)) == (200, kept | {"after"})
    assert "Traceback" not in server.log


def test_a_disk_that_fills_while_clients_write_loses_nothing(small_disk: SmallDisk) -> None:
    stored, refused = set(), 0
    for number in range(200):
        answer = small_disk.put(f"event{number}", 200_000)
        assert answer.status in (201, 507), answer.body
        if answer.status == 201:
            stored.add(f"event{number}")
        else:
            refused += 1
        if refused == 5:
            break
    assert refused == 5
    assert len(stored) > 5
    assert_holds_exactly(small_disk, stored)
    small_disk.enlarge()
    small_disk.server.kill9()
    small_disk.server.start()
    assert_holds_exactly(small_disk, stored)
    assert small_disk.put("after", 200_000).status == 201
    assert_holds_exactly(small_disk, stored | {"after"})
    command = [str(BIN / "kalends"), "check", "--config", str(small_disk.server.config_file)]
    checked = subprocess.run(
        [*small_disk.enter, *command], capture_output=True, text=True, check=False
    )
    # Such a small disk always has little free space; there must be no other problem.
    problems = [
        line for line in checked.stdout.splitlines() if not line.endswith("free some space")
    ]
    assert (problems, checked.stderr) == ([], "")


def assert_holds_exactly(small_disk: SmallDisk, stored: set[str]) -> None:
    """Assert that the calendar and the feed have exactly these UIDs."""
    whole = small_disk.server.request("GET", "/alice/calendar/", user="alice")
    assert (whole.status, uids(whole.text)) == (200, stored)
    feed = small_disk.feed()
    assert (feed.status, uids(feed.text)) == (200, stored)
