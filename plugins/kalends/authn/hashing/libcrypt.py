"""The system's libcrypt, through ctypes: Python 3.13 has no crypt module any more."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

_LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2")
# libxcrypt needs 32 KiB, the glibc that came before it 128 KiB and some.
_WORKSPACE = 256 * 1024

Crypt = Callable[[bytes, bytes], bytes | None]
"""(password, setting) to the hash field, or None for an unknown setting."""


@cache
def load() -> Crypt | None:
    """Load crypt(3) for bytes, or return None where the system has none.

    It is safe in threads and runs without the interpreter's lock. Neither argument may hold a NUL.
    """
    library = _library()
    if library is None:
        return None
    crypt_r = library.crypt_r
    crypt_r.restype = ctypes.c_char_p
    crypt_r.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]

    def crypt(password: bytes, setting: bytes) -> bytes | None:
        workspace = ctypes.create_string_buffer(_WORKSPACE)
        hashed: bytes | None = crypt_r(password, setting, workspace)
        # "*0" and "*1" are libcrypt's failure tokens.
        return None if hashed is None or hashed.startswith(b"*") else hashed

    return crypt


def _library() -> ctypes.CDLL | None:
    for name in _LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
