"""Caches of verified passwords, so that a slow hash is paid once and not for each request."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable

from kalends.common.bounded_cache import LONGEST_KEY


class VerifiedPasswords:
    """A cache of keyed digests over password and hash, one for each of the latest users.

    The key never leaves this process. When the user's line changes, the digest no longer matches.
    Safe to share between threads.

    Args:
        capacity: the most users; the least recent is evicted.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._key = secrets.token_bytes(32)
        self._capacity = capacity
        self._digests: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def holds(self, user: bytes, stored: bytes, password: bytes) -> bool:
        """Return True if this password was right for this user and this hash field."""
        digest = self._digest(user, stored, password)
        with self._lock:
            cached = self._digests.get(user)
            if cached is None or not hmac.compare_digest(cached, digest):
                return False
            self._digests.move_to_end(user)
            return True

    def add(self, user: bytes, stored: bytes, password: bytes) -> None:
        """Remember a password that was verified, unless the name is longer than names are."""
        if len(user) > LONGEST_KEY:
            return
        digest = self._digest(user, stored, password)
        with self._lock:
            self._digests[user] = digest
            self._digests.move_to_end(user)
            if len(self._digests) > self._capacity:
                self._digests.popitem(last=False)

    def _digest(self, *parts: bytes) -> bytes:
        mac = hashlib.blake2b(key=self._key, digest_size=32)
        for part in parts:
            mac.update(len(part).to_bytes(8, "big") + part)
        return mac.digest()


class VerifiedHeaders:
    """A cache of verified Basic headers by a keyed digest: a client repeats the same header.

    Safe to share between threads.

    Args:
        capacity: the most headers; all are dropped together when there are more.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._key = secrets.token_bytes(32)
        self._capacity = capacity
        self._names: dict[bytes, tuple[tuple[object, ...], str]] = {}

    def name(self, header: str, version: Callable[[], tuple[object, ...]]) -> str | None:
        """Return the user of a header that was verified by the current version, or None.

        Args:
            header: the Authorization header.
            version: returns the current version of the user files; identical parts mean that
                the verdict still holds.
        """
        found = self._names.get(self._digest(header))
        if found is None or any(a is not b for a, b in zip(found[0], version(), strict=True)):
            return None
        return found[1]

    def add(self, header: str, version: tuple[object, ...], name: str) -> None:
        """Cache a header that a version of the user files has verified, except for long names."""
        if len(name) > LONGEST_KEY:
            return
        if len(self._names) >= self._capacity:
            self._names = {}
        self._names[self._digest(header)] = (version, name)

    def _digest(self, header: str) -> bytes:
        return hashlib.blake2b(header.encode("utf-8", "replace"), key=self._key).digest()
