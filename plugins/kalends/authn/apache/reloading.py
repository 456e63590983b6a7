"""A file that is parsed once and checked with one stat for each request.

An edit counts at the next request. A file that is being rewritten in place (as Apache's own
``htpasswd`` does it) is read when it is complete.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import signal
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NoReturn, TypeVar

from kalends.errors import UserFileUnavailableError

_log = logging.getLogger("kalends.htauth")

T = TypeVar("T")

_GRACE_SECONDS = 2.0
_QUIET_SECONDS = 0.05
_RETRY_SECONDS = 0.01
# The granularity of file system clocks: an edit within one tick of a reading leaves no trace.
_TICK_SECONDS = 0.05

Fingerprint = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Loaded(Generic[T]):
    """The value in use, valid for as long as the file has the fingerprint, if there is one."""

    fingerprint: Fingerprint | None
    digest: bytes
    value: T


@dataclass(frozen=True, slots=True)
class _Reading:
    """One reading of the file: torn if it changed meanwhile; writing is None if unknown."""

    data: bytes
    fingerprint: Fingerprint
    modified: float
    torn: bool
    writing: bool | None


def is_open_for_writing(descriptor: int) -> bool | None:
    """Return True if any process has the file open for writing; None if the system cannot say.

    Linux grants a read lease only on a file that nobody writes to, and only to its owner (or root).
    """
    try:
        # The kernel announces a new writer with a signal: SIGURG is ignored by default.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except (OSError, AttributeError):
        return None
    return False


class ReloadingFile(Generic[T]):
    """A file's parsed content, as it is now; safe to share between threads.

    Args:
        path: the file, as the administrator named it; symbolic links are followed.
        parse: makes the value; must accept any bytes.
        look: the one system call for an unchanged file.
        writing: see `is_open_for_writing`.
        now: the wall clock, seconds since 1970.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        parse: Callable[[bytes], T],
        *,
        look: Callable[[Path], os.stat_result] = os.stat,
        writing: Callable[[int], bool | None] = is_open_for_writing,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = Path(path)
        self._parse = parse
        self._look = look
        self._writing = writing
        self._now = now
        self._lock = threading.Lock()
        self._loaded: _Loaded[T] | None = None
        self._torn: tuple[float, float] | None = None
        self._complaint: str | None = None

    def current(self) -> T:
        """Return the value of the file as it is now.

        While the file is being rewritten, the previous value is returned, for two seconds at most.

        Raises:
            UserFileUnavailableError: it is missing, unreadable, not a file, or never complete.
        """
        try:
            seen = _fingerprint(self._look(self.path))
        except OSError as error:
            self._unavailable(error.strerror or "cannot be checked")
        loaded = self._loaded
        if loaded is not None and loaded.fingerprint == seen:
            return loaded.value
        with self._lock:
            loaded = self._loaded
            if loaded is not None and loaded.fingerprint == seen:
                return loaded.value
            return self._reload()

    def _reload(self) -> T:
        while True:
            reading = self._read()
            wait = self._still_to_wait(reading)
            if wait == 0:
                return self._accept(reading)
            if self._loaded is not None and wait is None:
                return self._loaded.value
            time.sleep(wait or _RETRY_SECONDS)

    def _read(self) -> _Reading:
        try:
            # A FIFO must not make a request wait for its writer.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                before = os.fstat(descriptor)
                if not stat.S_ISREG(before.st_mode) and str(self.path) != os.devnull:
                    self._unavailable("is not a regular file")
                data = file.read()
                writing = self._writing(descriptor)
                after = os.fstat(descriptor)
        except OSError as error:
            self._unavailable(error.strerror or "cannot be read")
        torn = _fingerprint(before) != _fingerprint(after)
        return _Reading(data, _fingerprint(after), after.st_mtime, torn, writing)

    def _still_to_wait(self, reading: _Reading) -> float | None:
        """Return 0 if the reading is usable, None if the file is being written, or seconds to wait.

        Raises:
            UserFileUnavailableError: it has been written to for too long.
        """
        if reading.torn or reading.writing:
            if not self._out_of_grace():
                return None
            if reading.torn:
                self._unavailable("has been written to for more than two seconds")
        elif reading.writing is None:
            # Without leases, a file counts as complete when it has not changed for a moment, or for
            # longer if it does not end in a line end.
            age = self._now() - reading.modified
            if 0 <= age < _GRACE_SECONDS and self._loaded and not reading.data.endswith(b"\n"):
                return None
            if 0 <= age < _QUIET_SECONDS:
                return _QUIET_SECONDS - age
        return 0

    def _out_of_grace(self) -> bool:
        now = time.monotonic()
        first, last = self._torn or (now, now)
        if now - last > _GRACE_SECONDS:  # no request for a while: another rewrite
            first = now
        self._torn = (first, now)
        return now - first > _GRACE_SECONDS

    def _accept(self, reading: _Reading) -> T:
        if self._complaint is not None:
            _log.info("%s can be read again", self.path)
        self._torn = self._complaint = None
        digest = hashlib.blake2b(reading.data).digest()
        if self._loaded is not None and self._loaded.digest == digest:
            value = self._loaded.value
        else:
            value = self._parse(reading.data)
        changed_at = reading.fingerprint[-1] / 1e9
        settled = not 0 <= self._now() - changed_at < _TICK_SECONDS
        self._loaded = _Loaded(reading.fingerprint if settled else None, digest, value)
        return value

    def _unavailable(self, why: str) -> NoReturn:
        """Raise the error, and log each reason once."""
        if self._complaint != why:
            self._complaint = why
            _log.error("%s: %s; nobody can log in with it", self.path, why)
        raise UserFileUnavailableError(str(self.path), why)


def _fingerprint(status: os.stat_result) -> Fingerprint:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )
