"""CSRF tokens: only our own pages have them; bound to a user, valid for some days. Pure."""

from __future__ import annotations

from kalends.authn.nonces.signing import NonceSigner

DAYS = 7
"""Days that a page may stay open before its buttons stop working."""

_AHEAD = 60  # seconds that another host's clock may be ahead of ours


class CsrfTokens:
    """Maker and checker of tokens; hosts with the same key accept each other's.

    Args:
        key: secret octets, which may sign nonces too: no token is a valid nonce.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, user: str, now: float, salt: int) -> str:
        """Return a new token.

        Args:
            user: the user that it is for.
            now: seconds since 1970.
            salt: ``SALT_BITS`` random bits, so that no two tokens are the same: a secret that is
                the same in each page could be guessed from the length of compressed responses.
        """
        return self._signer(user).issue(now, salt)

    def is_valid(self, token: str, user: str, now: float) -> bool:
        """Return True if a token was made for this user and has not expired."""
        read = self._signer(user).read(token.encode("utf-8", "replace"))
        return (
            read is not None and read.genuine and -_AHEAD <= now - read.issued <= DAYS * 24 * 3600
        )

    def _signer(self, user: str) -> NonceSigner:
        # No realm of HTTP authentication contains an octet 0.
        return NonceSigner(self._key, b"account page\0" + user.encode("utf-8", "surrogatepass"))
