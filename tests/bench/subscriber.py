"""Whoever waits for a feed: a program that fetches it, and somebody who watches a file."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.wire import Reader, request

PATIENCE_SECONDS = 120.0
_TICK_SECONDS = 0.001


@dataclass(frozen=True)
class Fetched:
    """A feed: seconds until the first octet of the answer and until the last, and the answer."""

    first: float
    whole: float
    status: int
    body: bytes


def fetch(port: int, path: str, headers: dict[str, str]) -> Fetched:
    """GET a feed without any coding, on a connection of its own: any worker may get it."""
    reader = Reader()
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as connection:
        began = time.perf_counter()
        connection.sendall(request("GET", path, headers))
        data = connection.recv(1 << 20)
        first = time.perf_counter() - began
        while not reader.feed(data):
            data = connection.recv(1 << 20)
        whole = time.perf_counter() - began
    return Fetched(first, whole, reader.status, reader.reply().body)


class _Looking:
    """Looks at something again and again in a thread, for as long as the block, and once more."""

    def __init__(self, tick: float) -> None:
        self._tick = tick
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def look(self) -> None:
        """Look once."""
        raise NotImplementedError

    def _run(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._over.wait(self._tick)
            self.look()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


class FileWatch(_Looking):
    """Counts how often a file is replaced, for as long as the block."""

    def __init__(self, path: Path) -> None:
        super().__init__(_TICK_SECONDS)
        self._path = path
        self._seen = inode(path)
        self.replaced = 0

    def look(self) -> None:
        """Count if another file stands there."""
        found = inode(self._path)
        if found != self._seen:
            self._seen = found
            self.replaced += 1


class Sampled(_Looking):
    """The most that a measured value comes to, for as long as the block."""

    def __init__(self, value: Callable[[], int]) -> None:
        super().__init__(0.1)
        self._value = value
        self.most = 0

    def look(self) -> None:
        """Measure."""
        self.most = max(self.most, self._value())


def inode(path: Path) -> int:
    """Which file stands at a path; 0 if none does."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def until_it_holds(path: Path, texts: set[bytes], began: float) -> float:
    """Wait until a file that is replaced again and again holds texts; the seconds since `began`."""
    looked_at = 0
    while True:
        found = inode(path)
        if found != looked_at:
            now = time.perf_counter()
            looked_at = found
            content = path.read_bytes()
            if all(text in content for text in texts):
                return now - began
        if time.perf_counter() - began > PATIENCE_SECONDS:
            raise TimeoutError(f"{path} did not follow")
        time.sleep(_TICK_SECONDS)  # a file tells nobody that it was replaced
