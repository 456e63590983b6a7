"""Subscribers of a feed: a client that fetches it, and an observer of its file."""

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
    """A fetched feed: the seconds to the first octet and to the last, and the answer."""

    first: float
    whole: float
    status: int
    body: bytes


def fetch(port: int, path: str, headers: dict[str, str]) -> Fetched:
    """Get a feed without a content coding, on a new connection, which any worker may accept."""
    reader = Reader()
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as connection:
        began = time.perf_counter()
        connection.sendall(request("GET", path, headers))
        data = connection.recv(1 << 20)
        first = time.perf_counter() - began
        while not reader.add(data):
            data = connection.recv(1 << 20)
        whole = time.perf_counter() - began
    return Fetched(first, whole, reader.status, reader.reply().body)


class _Poller:
    """A thread that polls during the block, and once after it."""

    def __init__(self, tick: float) -> None:
        self._tick = tick
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def poll(self) -> None:
        """Poll once."""
        raise NotImplementedError

    def _run(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._over.wait(self._tick)
            self.poll()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


class FileWatch(_Poller):
    """A counter of the replacements of a file during the block."""

    def __init__(self, path: Path) -> None:
        super().__init__(_TICK_SECONDS)
        self._path = path
        self._seen = inode(path)
        self.replaced = 0

    def poll(self) -> None:
        """Count a replacement if the path has another file."""
        found = inode(self._path)
        if found != self._seen:
            self._seen = found
            self.replaced += 1


class MaximumOf(_Poller):
    """The maximum of a measured value during the block."""

    def __init__(self, value: Callable[[], int]) -> None:
        super().__init__(0.1)
        self._value = value
        self.most = 0

    def poll(self) -> None:
        """Measure the value once."""
        self.most = max(self.most, self._value())


def inode(path: Path) -> int:
    """Return the inode number of the file at a path; 0 if there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def wait_for_texts(path: Path, texts: set[bytes], began: float) -> float:
    """Wait until a file that is replaced repeatedly holds texts; return the seconds since `began`.

    Raises:
        TimeoutError: the file did not hold them within `PATIENCE_SECONDS`.
    """
    last_read = 0
    while True:
        found = inode(path)
        if found != last_read:
            now = time.perf_counter()
            last_read = found
            content = path.read_bytes()
            if all(text in content for text in texts):
                return now - began
        if time.perf_counter() - began > PATIENCE_SECONDS:
            raise TimeoutError(f"{path} does not show the last write")
        time.sleep(_TICK_SECONDS)  # nothing announces that the file was replaced
