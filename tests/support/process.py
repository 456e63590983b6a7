"""A server in a process group of its own, which tests start, kill and start again."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import IO

from support.awaiting import happens_within

READY_SECONDS = 60.0
STOP_SECONDS = 30.0


class ServerDiedError(Exception):
    """A server that ended, or was not ready in time; the message holds its output."""


class ReservedPort:
    """A port of 127.0.0.1 that the system assigns to nobody else until it is released.

    A socket that is bound but does not listen keeps the port from being assigned again; a server
    that binds with SO_REUSEADDR, as all of them do, can use it nevertheless.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def release(self) -> None:
        """Release the port."""
        self._socket.close()


class ServerProcess:
    """A command that prints a line containing `ready` on stdout or stderr when it serves.

    Its output is in `log`. It has a process group of its own, so that all its workers can be
    killed at once, and no other process is.
    """

    def __init__(
        self, command: list[str], *, ready: str, folder: Path, environment: dict[str, str]
    ) -> None:
        self.command = command
        self.ready = ready
        self.folder = folder
        self.environment = environment
        self._lines: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._pump: threading.Thread | None = None

    @property
    def log(self) -> str:
        """The output of the server so far, over all its starts."""
        return "".join(self._lines)

    @property
    def pid(self) -> int:
        """The process id, which is also that of its group."""
        if self._process is None:
            raise ServerDiedError("the server was not started")
        return self._process.pid

    @property
    def runs(self) -> bool:
        """True if it was started and has not ended since."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the command and return when it has printed that it serves."""
        first = len(self._lines)
        self._process = subprocess.Popen(
            self.command,
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if self._process.stdout is None:
            raise ServerDiedError("the server's output is not a pipe")
        events: queue.Queue[str] = queue.Queue()
        self._pump = threading.Thread(
            target=self._collect, args=(self._process.stdout, events), daemon=True
        )
        self._pump.start()
        try:
            event = events.get(timeout=READY_SECONDS)
        except queue.Empty:
            event = f"not ready after {READY_SECONDS:.0f} s"
        if event != "ready":
            self.kill9()
            printed = "".join(self._lines[first:])
            raise ServerDiedError(f"{' '.join(self.command)}: {event}; it printed:\n{printed}")

    def _collect(self, pipe: IO[bytes], events: queue.Queue[str]) -> None:
        with pipe:
            for raw in pipe:
                line = raw.decode(errors="replace")
                self._lines.append(line)
                if self.ready in line:
                    events.put("ready")
        events.put("ended")

    def stop(self) -> int:
        """End the server as an administrator does (SIGTERM) and return its exit status."""
        if self._process is None:
            return 0
        process = self._process
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill9()
                raise ServerDiedError(
                    f"did not stop within {STOP_SECONDS:.0f} s; it printed:\n{self.log[-4000:]}"
                ) from None
        self._finish()
        return process.returncode

    def kill9(self) -> None:
        """Kill every process of the group at once with SIGKILL."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._finish()

    def _finish(self) -> None:
        if self._pump is not None:
            self._pump.join(STOP_SECONDS)
        if self._process is not None:
            wait_until_group_ended(self._process.pid)
        self._process = None


def wait_until_group_ended(group: int) -> None:
    """Wait until no process of the group is left; kill it after `STOP_SECONDS`."""
    if not happens_within(STOP_SECONDS, lambda: not _is_there(group)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
