"""Writers take their turns: the first come, the first served, over threads and processes."""

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


def await_in_line(queue: WriteQueue, length: int) -> None:
    await_that(lambda: queue.waiting == length)


def waits_for_a_lock(path: Path) -> bool:
    """Whether this process waits for another to release the lock of a file."""
    waiting = rf"-> FLOCK .* {os.getpid()} [0-9a-f]+:[0-9a-f]+:{path.stat().st_ino} "
    return re.search(waiting, Path("/proc/locks").read_text()) is not None


def in_a_thread(work: Callable[[], Result]) -> Result:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(30)


def test_threads_are_served_as_they_came(tmp_path: Path) -> None:
    queue = WriteQueue(tmp_path / "turns", 30)
    served: list[int] = []

    def write(number: int) -> None:
        with queue.acquire():
            served.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    with queue.acquire():
        for number, thread in enumerate(threads):
            thread.start()
            await_in_line(queue, number + 1)
    for thread in threads:
        thread.join(30)
    assert served == list(range(20))


def test_who_waits_too_long_is_told_and_holds_nobody_up(tmp_path: Path) -> None:
    queue = WriteQueue(tmp_path / "turns", 0.01)

    def wait_in_vain() -> bool:
        with pytest.raises(StoreBusyError), queue.acquire():
            pass
        return True

    with queue.acquire():
        assert in_a_thread(wait_in_vain)
    with queue.acquire():
        pass


def test_another_process_has_its_turn(tmp_path: Path) -> None:
    path = tmp_path / "turns"
    queue = WriteQueue(path, 30)
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


def test_where_no_lock_can_be_had_writes_go_on(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with installation.client() as client:
        client("PROPFIND", "/alice/")
        (lock,) = tmp_path.glob("*-turns")
        lock.unlink()
        lock.mkdir()  # nobody can open it
        assert client("PUT", "/alice/calendar/a.ics", event("a")).status == 201
        assert client("GET", "/alice/calendar/a.ics").status == 200


def test_a_put_that_waits_too_long_is_told_to_come_again(
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
