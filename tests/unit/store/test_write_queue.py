"""The write queue: first come, first served, across threads and processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from kalends.app.stack import ApplicationStack
from kalends.errors import StoreBusyError
from kalends.store.write_queue import WriteQueue
from support.awaiting import await_that
from support.installation import Client, Installation, event

Result = TypeVar("Result")

OTHER_PROCESS = """
import fcntl, sys
with open(sys.argv[1], "a") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("locked", flush=True)
    sys.stdin.readline()
"""


def await_waiting(queue: WriteQueue, length: int) -> None:
    await_that(lambda: queue.waiting == length)


def waits_for_a_lock(path: Path) -> bool:
    """Return True if this process waits for the lock of a file."""
    waiting = rf"-> FLOCK .* {os.getpid()} [0-9a-f]+:[0-9a-f]+:{path.stat().st_ino} "
    return re.search(waiting, Path("/proc/locks").read_text()) is not None


def in_a_thread(work: Callable[[], Result]) -> Result:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(30)


def test_threads_write_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    queue = WriteQueue(tmp_path / "turns", tmp_path / "db", 30)
    served: list[int] = []

    def write(number: int) -> None:
        with queue.acquire():
            served.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    with queue.acquire():
        for number, thread in enumerate(threads):
            thread.start()
            await_waiting(queue, number + 1)
    for thread in threads:
        thread.join(30)
    assert served == list(range(20))


def test_a_writer_that_waits_too_long_gives_up_and_blocks_nobody(tmp_path: Path) -> None:
    queue = WriteQueue(tmp_path / "turns", tmp_path / "db", 0.01)

    def wait_too_long() -> bool:
        with pytest.raises(StoreBusyError), queue.acquire():
            pass
        return True

    with queue.acquire():
        assert in_a_thread(wait_too_long)
    with queue.acquire():
        pass


def test_a_writer_waits_for_another_process(tmp_path: Path) -> None:
    path = tmp_path / "turns"
    queue = WriteQueue(path, tmp_path / "db", 30)
    entered = threading.Event()

    def write() -> None:
        with queue.acquire():
            entered.set()

    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "locked\n"
        thread = threading.Thread(target=write)
        thread.start()
        await_that(lambda: waits_for_a_lock(path))
        assert not entered.is_set()
        other.stdin.write("\n")
        other.stdin.close()
        assert entered.wait(30)
        thread.join(30)


def test_writes_work_without_the_file_lock(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with installation.client() as client:
        client("PROPFIND", "/alice/")
        (lock,) = tmp_path.glob("*-turns")
        lock.unlink()
        lock.mkdir()  # opening it fails
        assert client("PUT", "/alice/calendar/a.ics", event("a")).status == 201
        assert client("GET", "/alice/calendar/a.ics").status == 200


def test_a_put_that_waits_too_long_is_answered_with_retry_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kalends.store.sqlite.BUSY_SECONDS", 0.05)
    with Installation(tmp_path).client() as client:
        client("PROPFIND", "/alice/")
        other = Client(client.app, "alice", client.passwords)
        assert isinstance(client.app, ApplicationStack)
        with client.app.container.database.write():
            answer = in_a_thread(lambda: other("PUT", "/alice/calendar/a.ics", event("a")))
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert client("PUT", "/alice/calendar/a.ics", event("a")).status == 201
