"""Nonces that any worker and any host with the same key can check. Pure: no clock, no randomness.

They have the shape of Apache's: eight bytes in base64 (here milliseconds and some random bits),
then twenty bytes of a keyed hash in hex. So the old nonce of a client that used an Apache at the
same address before is stale, and its password is not called wrong.
"""

from __future__ import annotations

import base64
import hmac
import re
from typing import NamedTuple

SALT_BITS = 22
"""Random bits of a nonce, so that two of one millisecond differ."""

_SHAPE = re.compile(rb"([A-Za-z0-9+/]{11}=)([0-9a-fA-F]{40})")
_MAC_BYTES = 20


class Nonce(NamedTuple):
    """A nonce as a client sent it.

    Attributes:
        issued: seconds since 1970; meaningless unless it is genuine.
        mac: twenty bytes, unique among genuine nonces.
        genuine: True if it was signed with this key, for this realm.
    """

    issued: float
    mac: bytes
    genuine: bool


class NonceSigner:
    """A signer and reader of the nonces of one realm.

    Args:
        key: shared by all that accept each other's nonces.
        realm: the only one in which its nonces are genuine.
    """

    def __init__(self, key: bytes, realm: bytes) -> None:
        self._key = key
        self._realm = realm

    def issue(self, now: float, salt: int, floor: int = 0) -> str:
        """Return a new nonce.

        Args:
            now: seconds since 1970.
            salt: `SALT_BITS` random bits.
            floor: milliseconds since 1970; the nonce is dated later, whatever `now` is.
        """
        number = max(int(now * 1000), floor + 1) << SALT_BITS | salt
        stamp = base64.b64encode(number.to_bytes(8, "big"))
        return (stamp + self._mac(stamp).hex().encode()).decode()

    def read(self, text: bytes) -> Nonce | None:
        """Parse and verify a nonce; return None if it does not have the shape of one."""
        match = _SHAPE.fullmatch(text)
        if match is None:
            return None
        stamp, digits = match[1], match[2]
        mac = self._mac(stamp)
        number = int.from_bytes(base64.b64decode(stamp), "big")
        genuine = hmac.compare_digest(mac.hex().encode(), digits)
        return Nonce((number >> SALT_BITS) / 1000, mac, genuine)

    def _mac(self, stamp: bytes) -> bytes:
        return hmac.digest(self._key, stamp + self._realm, "sha256")[:_MAC_BYTES]
