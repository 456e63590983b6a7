"""Leader/follower thread pool: one thread polls, and handles what is ready itself.

Since the leader handles what it finds, a quick request costs no change of threads. If handling
takes longer, `LeaderFollowerPool.watch` promotes another thread to leader: the slow request keeps
its thread, and the others do not wait for it.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress

_log = logging.getLogger("kalends.server")

WATCH_SECONDS = 0.010
"""How long the leader may handle what it found before another thread is promoted."""

_DOZE_SECONDS = 1.0
_DOZE_AFTER = 25


class LeaderFollowerPool:
    """Threads that take turns as the leader, which polls.

    Args:
        epoll: the epoll to poll; each file descriptor in it is armed for one event.
        handle: takes a descriptor that is ready.
        threads: the number of threads.
    """

    def __init__(self, epoll: select.epoll, handle: Callable[[int], None], threads: int) -> None:
        self._epoll = epoll
        self._handle = handle
        self._leadership = threading.Lock()
        self._leader: object = None
        self._guard = threading.Lock()
        self._turn = 0  # counts up with each poll that returns
        self._busy_turn = 0  # the turn that the leader is handling
        self._seen_turn = 0
        self._quiet_ticks = 0
        self._dozing = False
        self._wakeup, self._wakeup_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._threads = [
            threading.Thread(target=self._work, name=f"request-{n}", daemon=True)
            for n in range(threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    @property
    def wakeup_fd(self) -> int:
        """A file descriptor that is readable when `watch` should be called."""
        return self._wakeup

    def request_watch(self) -> None:
        """Have `watch` called soon."""
        with suppress(BlockingIOError):
            os.write(self._wakeup_end, b"!")

    def watch(self) -> float:
        """Promote another thread if the leader is busy; for the process's main thread.

        Returns:
            the seconds after which to call it again, unless `wakeup_fd` is readable before.
        """
        with suppress(BlockingIOError):
            os.read(self._wakeup, 1 << 10)
        turn, leader = self._turn, self._leader
        if turn != self._seen_turn:
            self._seen_turn, self._quiet_ticks = turn, 0
        elif self._busy_turn == turn:  # since the last call
            self._depose(leader)
        else:
            self._quiet_ticks += 1
        if self._quiet_ticks < _DOZE_AFTER:
            return WATCH_SECONDS
        self._dozing = True
        return _DOZE_SECONDS if turn == self._turn else WATCH_SECONDS

    def _work(self) -> None:
        while True:
            self._leadership.acquire()
            me = self._leader = object()
            while self._leader is me:
                try:
                    self._poll_and_handle()
                except Exception:  # noqa: BLE001 - a bug in Kalends must not end the thread
                    _log.exception("internal error between two requests")
                if self._leader is me:
                    self._busy_turn = 0

    def _poll_and_handle(self) -> None:
        ready = self._epoll.poll(-1, 1)
        self._turn += 1
        self._busy_turn = self._turn
        if self._dozing:
            self._dozing = False
            self.request_watch()
        for fd, _ in ready:
            self._handle(fd)

    def _depose(self, leader: object) -> None:
        """Let another thread become the leader, if ``leader`` still is."""
        with self._guard:
            if leader is not None and self._leader is leader:
                self._leader = None
                self._busy_turn = 0
                self._leadership.release()
