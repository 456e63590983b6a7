"""Tokens that only our own page has: bound to its user, good for some days. Pure."""

from __future__ import annotations

from kalends.authn.nonces.signing import NonceSigner

DAYS = 7
"""How long a page may stay open before its buttons stop working."""

_AHEAD = 60  # seconds that another host's clock may be ahead of ours


class CsrfTokens:
    """Makes and checks tokens; all hosts with one key take each other's.

    Args:
        key: secret octets. What is signed differs from every nonce that the same key signs.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, user: str, now: float, salt: int) -> str:
        """A new token.

        Args:
            now: seconds since 1970.
            salt: ``noncesigning.SALT_BITS`` random bits, so that no two are the same: what is
                always the same on a page could be guessed from the length of compressed answers.
        """
        return self._signer(user).issue(now, salt)

    def is_good(self, token: str, user: str, now: float) -> bool:
        """Whether a token was made for this user, and not too long ago."""
        read = self._signer(user).read(token.encode("utf-8", "replace"))
        return (
            read is not None and read.genuine and -_AHEAD <= now - read.issued <= DAYS * 24 * 3600
        )

    def _signer(self, user: str) -> NonceSigner:
        # No realm of HTTP authentication holds an octet 0.
        return NonceSigner(self._key, b"account page\0" + user.encode("utf-8", "surrogatepass"))
