"""Passwords that were found right, so that a slow hash is paid once and not for each request."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable


class VerifiedPasswords:
    """For each of the latest users, a keyed digest of the password and the hash it was right for.

    The key is this process's own and never leaves it. When the line changes, the digest fits no
    more. Safe to share between threads.

    Args:
        capacity: users at most; who was away longest is forgotten.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._key = secrets.token_bytes(32)
        self._capacity = capacity
        self._digests: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def holds(self, user: bytes, stored: bytes, password: bytes) -> bool:
        """Whether this password was right for this user and this hash field."""
        digest = self._digest(user, stored, password)
        with self._lock:
            known = self._digests.get(user)
            if known is None or not hmac.compare_digest(known, digest):
                return False
            self._digests.move_to_end(user)
            return True

    def add(self, user: bytes, stored: bytes, password: bytes) -> None:
        """Remember a password that was verified."""
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
    """Basic headers that were found right, by a keyed digest: the same one comes with each request.

    Safe to share between threads.

    Args:
        capacity: headers at most; all are forgotten together when there are more.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._key = secrets.token_bytes(32)
        self._capacity = capacity
        self._names: dict[bytes, tuple[tuple[object, ...], str]] = {}

    def name(self, header: str, version: Callable[[], tuple[object, ...]]) -> str | None:
        """Whose header it is, if it was right by what judges it now.

        Args:
            version: tells what that is; equal in each of its parts means the same judgement.
        """
        found = self._names.get(self._digest(header))
        if found is None or any(a is not b for a, b in zip(found[0], version(), strict=True)):
            return None
        return found[1]

    def add(self, header: str, version: tuple[object, ...], name: str) -> None:
        """Remember a header that was verified by a version of what judges it."""
        if len(self._names) >= self._capacity:
            self._names = {}
        self._names[self._digest(header)] = (version, name)

    def _digest(self, header: str) -> bytes:
        return hashlib.blake2b(header.encode("utf-8", "replace"), key=self._key).digest()
