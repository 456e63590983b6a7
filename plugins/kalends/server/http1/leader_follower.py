"""The threads of a worker process: one looks for what is ready and deals with it at once.

The leader serves what it finds, so that a quick request costs no change of threads. If that takes
longer than a moment, `LeaderFollowerPool.watch` promotes another thread to leader: the slow request
keeps its thread, and the others do not wait for it.
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
"""How long what was found may keep the one who looks before somebody else does."""

_DOZE_SECONDS = 1.0
_DOZE_AFTER = 25


class LeaderFollowerPool:
    """Threads that take turns at looking.

    Args:
        epoll: where they look; each file descriptor in it is armed for one event.
        deal_with: what to do with a descriptor that is ready.
        threads: how many there are.
    """

    def __init__(self, epoll: select.epoll, deal_with: Callable[[int], None], threads: int) -> None:
        self._epoll = epoll
        self._deal_with = deal_with
        self._lead = threading.Lock()
        self._leader: object = None
        self._guard = threading.Lock()
        self._turn = 0  # counts up with each thing that was found ready
        self._at_work = 0  # the turn that somebody who looks is at
        self._seen_turn = 0
        self._quiet_ticks = 0
        self._dozing = False
        self._ear, self._bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._threads = [
            threading.Thread(target=self._work, name=f"request-{n}", daemon=True)
            for n in range(threads)
        ]

    def start(self) -> None:
        """Begin to look."""
        for thread in self._threads:
            thread.start()

    @property
    def ear(self) -> int:
        """A file descriptor that is readable when `watch` should be called."""
        return self._ear

    def ring(self) -> None:
        """Have `watch` called soon."""
        with suppress(BlockingIOError):
            os.write(self._bell, b"!")

    def watch(self) -> float:
        """See to it that somebody looks; for the process's main thread.

        Returns:
            in how many seconds to call it again, if nobody rings before.
        """
        with suppress(BlockingIOError):
            os.read(self._ear, 1 << 10)
        turn, leader = self._turn, self._leader
        if turn != self._seen_turn:
            self._seen_turn, self._quiet_ticks = turn, 0
        elif self._at_work == turn:  # since the last time
            self._relieve(leader)
        else:
            self._quiet_ticks += 1
        if self._quiet_ticks < _DOZE_AFTER:
            return WATCH_SECONDS
        self._dozing = True
        return _DOZE_SECONDS if turn == self._turn else WATCH_SECONDS

    def _work(self) -> None:
        while True:
            self._lead.acquire()
            me = self._leader = object()
            while self._leader is me:
                try:
                    self._look()
                except Exception:  # noqa: BLE001 - a bug of ours must not end the thread
                    _log.exception("an error of ours between two requests")
                if self._leader is me:
                    self._at_work = 0

    def _look(self) -> None:
        ready = self._epoll.poll(-1, 1)
        self._turn += 1
        self._at_work = self._turn
        if self._dozing:
            self._dozing = False
            self.ring()
        for fd, _ in ready:
            self._deal_with(fd)

    def _relieve(self, leader: object) -> None:
        """Let another thread look, if ``leader`` still does."""
        with self._guard:
            if leader is not None and self._leader is leader:
                self._leader = None
                self._at_work = 0
                self._lead.release()
