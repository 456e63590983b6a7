"""One line for each request that was answered, on standard output or in a file that may be renamed.

Every request passes here, so the line is written by one system call and nothing in between:
``logging`` took 21 to 29 microseconds for it.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kalends.errors import ConfigurationError

_log = logging.getLogger("kalends.server")

_TEXT = '%s %s "%s %s %s" %s %s %dus "%s" %s\n'
_NAMES = (
    *("client", "user", "method", "path", "protocol", "status", "octets", "microseconds"),
    *("agent", "request"),
)
_NUMBERS = frozenset({"status", "octets", "microseconds"})
_STDOUT = 1


class AccessLog:
    """Where answered requests are told.

    Args:
        form: ``text`` or ``json``.
        file: whoever rotates logs may rename it at any time: a new one is begun then, which only
            its owner and group may read. None for standard output.

    Raises:
        ConfigurationError: the file cannot be written.
    """

    def __init__(self, form: str, file: Path | None) -> None:
        # Whoever reads standard output, such as systemd's journal, notes the time.
        text = _TEXT.__mod__ if file is None else _dated
        self._line: Callable[[Sequence[object]], str] = _json if form == "json" else text
        self._file = file
        self._opened = (_STDOUT, 0, 0)
        self._complained = False
        self._lock = threading.Lock()
        if file is not None:
            try:
                self._opened = self._open(file)
            except OSError as error:
                raise ConfigurationError(
                    str(file), f"cannot be written: {error.strerror}"
                ) from None

    def tell(self, *values: object) -> None:
        """Tell of one request: ``_NAMES`` in their order."""
        line = self._line(values).encode("utf-8", "backslashreplace")
        try:
            os.write(self._descriptor(), line)
        except OSError as error:
            if not self._complained:
                self._complained = True
                _log.error("the access log cannot be written: %s", error.strerror)

    def _descriptor(self) -> int:
        if self._file is None:
            return _STDOUT
        descriptor, device, inode = self._opened
        try:
            there = os.stat(self._file)  # noqa: PTH116 - for each request
            if (there.st_dev, there.st_ino) == (device, inode):
                return descriptor
        except FileNotFoundError:
            pass
        with self._lock:
            if self._opened[0] == descriptor:  # else another thread was faster
                self._opened = self._open(self._file)
                os.close(descriptor)
            return self._opened[0]

    def _open(self, file: Path) -> tuple[int, int, int]:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(file, flags, 0o640)
        there = os.fstat(descriptor)
        return descriptor, there.st_dev, there.st_ino


_current = AccessLog("text", None)


def configure(form: str, file: Path | None) -> None:
    """Say where this process and those that it starts tell of requests; see `AccessLog`."""
    global _current
    _current = AccessLog(form, file)


def tell(*values: object) -> None:
    """Tell of one request that was answered; see `AccessLog.tell`."""
    _current.tell(*values)


def _dated(values: Sequence[object]) -> str:
    now = time.time()
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    return f"{moment},{int(now % 1 * 1000):03d} {_TEXT % values}"


def _json(values: Sequence[object]) -> str:
    now = time.time()
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    said: dict[str, object] = {
        "time": f"{moment}.{int(now % 1 * 1000):03d}Z",
        "level": "INFO",
        "logger": "kalends.access",
        "process": os.getpid(),
    }
    for name, value in zip(_NAMES, values, strict=True):
        if value != "-":
            said[name] = int(str(value)) if name in _NUMBERS else value
    return json.dumps(said) + "\n"
