"""The Digest scheme: verification of headers against the digest file, nonces and their counts."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable

from kalends.authn.apache.htfiles import decode_name
from kalends.authn.backends.apache_files import DigestAccount, UserDirectory
from kalends.authn.nonces.replay_cache import NonceCounts, NonceUse
from kalends.authn.nonces.signing import SALT_BITS, Nonce, NonceSigner
from kalends.authn.schemes.base import Admit, AuthenticationFailed, Verified
from kalends.authn.schemes.digest import (
    ALGORITHMS,
    DigestCredentials,
    authentication_info,
    challenge,
    digest,
    expected_response,
    parse_digest,
)
from kalends.authn.schemes.digest_uri import designates
from kalends.common.wsgi import Environ

LIFETIME_SECONDS = 300.0
_NEXT_NONCE_SECONDS = 30.0
_CLOCK_SKEW_SECONDS = 5.0


class DigestScheme:
    """HTTP Digest with ``qop=auth`` against a user directory.

    Args:
        directory: the accounts, with the digest file.
        realm: of the digest file's lines.
        key: signs nonces; shared by all workers and hosts.
        counts: records the nonce counts that were used.
        lifetime: seconds that a nonce is valid; 0 for one request, None for ever.
        without_qop: True if answers as of RFC 2069 are accepted, one for each nonce.
        prefix: returns the part that a trusted proxy has cut off the client's target.
        now: seconds since 1970.
    """

    name = "digest"

    def __init__(
        self,
        directory: UserDirectory,
        realm: str,
        key: bytes,
        counts: NonceCounts,
        *,
        lifetime: float | None = LIFETIME_SECONDS,
        without_qop: bool = False,
        prefix: Callable[[Environ], str] = lambda _: "",
        now: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._realm = realm.encode()
        self._signer = NonceSigner(key, self._realm)
        self._counts = counts
        self._one_time = lifetime == 0
        self._lifetime = LIFETIME_SECONDS if self._one_time else lifetime
        self._without_qop = without_qop
        self._prefix = prefix
        self._now = now

    def challenges(self, environ: Environ, *, stale: bool = False) -> list[str]:
        """Return a challenge for SHA-256 where every account has it, and MD5 last.

        Some clients take the last challenge.
        """
        algorithms = ["MD5"]
        if self._directory.all_have_sha256(self._realm):
            algorithms.insert(0, "SHA-256")
        floor = self._counts.floor()
        return [challenge(self._realm, self._nonce(floor), a, stale=stale) for a in algorithms]

    def verify(
        self, environ: Environ, credentials: str, admit: Admit
    ) -> Verified | AuthenticationFailed:
        """Verify a Digest header, in the order in which Apache does."""
        sent = parse_digest(credentials)
        if sent is None:
            return AuthenticationFailed(self.name, None, "malformed Digest credentials")
        claimed = decode_name(sent.username)
        if not designates(sent.uri, environ, self._prefix(environ)):
            return AuthenticationFailed(
                self.name, claimed, "its uri names another request", bad_request=True
            )
        algorithm = self._algorithm(sent)
        if algorithm is None or sent.realm != self._realm or not self._qop_is_right(sent):
            return AuthenticationFailed(
                self.name, claimed, "a realm, algorithm or qop that was not offered"
            )
        admit(claimed)
        account = self._directory.digest_account(sent.username, self._realm)
        ha1 = account.ha1(algorithm) if account else None
        # An unknown name costs the same time.
        expected_ha1 = ha1 or digest(algorithm, secrets.token_bytes(16))
        method = environ["REQUEST_METHOD"].encode("latin-1")
        right = hmac.compare_digest(
            expected_response(algorithm, expected_ha1, sent, method), sent.response
        )
        if account is None or ha1 is None or not right:
            return AuthenticationFailed(self.name, claimed, "wrong name or password")
        return self._spend(sent, account, algorithm)

    def _spend(
        self, sent: DigestCredentials, account: DigestAccount, algorithm: str
    ) -> Verified | AuthenticationFailed:
        """Check the nonce of an answer whose password is right, and use up its count."""
        nonce = self._signer.read(sent.nonce)
        single = self._one_time or sent.qop is None
        count = 1 if single else sent.count
        if nonce is None or count is None:
            return AuthenticationFailed(self.name, account.user, "malformed nonce or nonce count")
        if not self._is_current(nonce) or b"opaque" in sent.other:
            return AuthenticationFailed(self.name, account.user, "its nonce is stale", stale=True)
        use = self._counts.use(nonce, count)
        if use is NonceUse.AGAIN and not single:
            return AuthenticationFailed(self.name, account.user, "this answer was used before")
        if use is not NonceUse.FIRST:
            return AuthenticationFailed(self.name, account.user, "its nonce is stale", stale=True)
        ha1 = account.ha1(algorithm)
        assert ha1 is not None
        info = authentication_info(algorithm, ha1, sent, self._next_nonce(nonce))
        return Verified(account.user, "Digest", (("Authentication-Info", info),))

    def _algorithm(self, sent: DigestCredentials) -> str | None:
        wanted = b"MD5" if sent.algorithm is None else sent.algorithm.upper()
        return next((name for name in ALGORITHMS if name.encode() == wanted), None)

    def _qop_is_right(self, sent: DigestCredentials) -> bool:
        if sent.qop is None:
            return self._without_qop
        return sent.qop.lower() == b"auth" and sent.cnonce != b""

    def _is_current(self, nonce: Nonce) -> bool:
        age = self._now() - nonce.issued
        return (
            nonce.genuine
            and age > -_CLOCK_SKEW_SECONDS
            and (self._lifetime is None or age <= self._lifetime)
        )

    def _next_nonce(self, nonce: Nonce) -> str | None:
        if self._one_time:
            return self._nonce(self._counts.floor())
        if self._lifetime is None:
            return None
        left = nonce.issued + self._lifetime - self._now()
        return self._nonce(self._counts.floor()) if left < _NEXT_NONCE_SECONDS else None

    def _nonce(self, floor: int) -> str:
        return self._signer.issue(self._now(), secrets.randbits(SALT_BITS), floor)
