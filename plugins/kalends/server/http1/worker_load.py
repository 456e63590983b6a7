"""Table of each worker's connections, by which new connections are spread over the workers.

The kernel wakes an arbitrary process for a new connection, and connections are kept open: without
this table, most of them could end up in one process while other cores are idle.
"""

from __future__ import annotations

import mmap
import struct

_SLOTS = 512
_COUNT = struct.Struct("i")
_FREE = -1
_MORE = 1


class WorkerLoadTable:
    """A table in memory that the master process creates and its workers share."""

    def __init__(self) -> None:
        self._table = mmap.mmap(-1, _SLOTS * _COUNT.size)
        for number in range(_SLOTS):
            self.remove(number)

    def record(self, worker: int, connections: int) -> None:
        """Record how many connections a worker has.

        Args:
            worker: the worker's number; workers are numbered in the order of their start.
            connections: how many connections it has now.
        """
        _COUNT.pack_into(self._table, worker % _SLOTS * _COUNT.size, connections)

    def remove(self, worker: int) -> None:
        """Remove a worker that ends."""
        self.record(worker, _FREE)

    def has_most(self, connections: int) -> bool:
        """Return True if another worker has clearly fewer than ``connections``."""
        counts = [count for (count,) in _COUNT.iter_unpack(self._table[:]) if count != _FREE]
        return connections > min(counts, default=connections) + _MORE
