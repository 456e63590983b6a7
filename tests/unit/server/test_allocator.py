"""Blocks of memory that go back to the system."""

from __future__ import annotations

import subprocess
import sys

# A freed block raises the threshold of the C library: the next block, half as large, is no longer
# mapped by itself unless the threshold is fixed. The fourth field of mallinfo2 counts such blocks.
PROGRAM = """
import ctypes, sys
from kalends.server.allocator import give_large_blocks_back

class Mallinfo(ctypes.Structure):
    _fields_ = [(f"field{n}", ctypes.c_size_t) for n in range(10)]

mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Mallinfo
if sys.argv[1] == "fixed":
    assert give_large_blocks_back()
large = bytearray(16 << 20)
del large
before = mallinfo().field3
half = bytearray(8 << 20)
print(mallinfo().field3 - before)
"""


def mapped(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_a_large_block_is_mapped_by_itself_whatever_was_freed_before() -> None:
    assert mapped("fixed") == 1
    assert mapped("default") == 0
