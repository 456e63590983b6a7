"""How many connections each worker process has, so that no core is left idle by chance.

The kernel wakes whichever process it likes for a new connection, and connections are kept: without
this, most of them can end up in one process.
"""

from __future__ import annotations

import mmap
import struct

_SLOTS = 512
_COUNT = struct.Struct("i")
_NOBODY = -1
_MORE = 1


class WorkerLoadTable:
    """A table in memory that the master process makes and its workers share."""

    def __init__(self) -> None:
        self._table = mmap.mmap(-1, _SLOTS * _COUNT.size)
        for number in range(_SLOTS):
            self.leave(number)

    def tell(self, worker: int, connections: int) -> None:
        """Note how many connections a worker has; workers are numbered as they are started."""
        _COUNT.pack_into(self._table, worker % _SLOTS * _COUNT.size, connections)

    def leave(self, worker: int) -> None:
        """Note that a worker is gone."""
        self.tell(worker, _NOBODY)

    def has_most(self, connections: int) -> bool:
        """Whether somebody else has clearly fewer than ``connections``."""
        counts = [count for (count,) in _COUNT.iter_unpack(self._table[:]) if count != _NOBODY]
        return connections > min(counts, default=connections) + _MORE
