"""Verification of password hashes as in Apache, with cost limits that Apache lacks."""

from __future__ import annotations

import string

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from passlib.hash import apr_md5_crypt, des_crypt, md5_crypt, sha256_crypt, sha512_crypt

from kalends.authn.hashing import libcrypt
from kalends.authn.hashing.apr1 import apr1
from kalends.authn.hashing.verify import PasswordVerifier

CRYPT = libcrypt.load()
HERE = PasswordVerifier(CRYPT)
WITHOUT_LIBCRYPT = PasswordVerifier(None)


@pytest.fixture
def verifier_without_hashing(monkeypatch: pytest.MonkeyPatch) -> PasswordVerifier:
    """Return a verifier that fails a test if it computes more than a probe of a hash function."""

    def crypt(password: bytes, setting: bytes) -> bytes:
        assert password == b"", "this costs too much"
        return setting

    monkeypatch.setattr(bcrypt, "hashpw", crypt)
    return PasswordVerifier(crypt)


@given(st.binary(max_size=300).filter(lambda p: b"\0" not in p), st.text("./09AZaz", max_size=8))
def test_apr1_agrees_with_passlib(password: bytes, salt: str) -> None:
    assert apr1(password, salt.encode()).decode() == apr_md5_crypt.using(salt=salt).hash(password)


def test_apr1_accepts_any_bytes_as_salt() -> None:
    assert apr1(b"secret", b"my-salt!").startswith(b"$apr1$my-salt!$")
    assert HERE.verify(b"secret", apr1(b"secret", b"my-salt!"))


def test_libcrypt_is_installed() -> None:
    """Without it, the other tests would test passlib instead."""
    assert CRYPT is not None
    assert CRYPT(b"secret", b"$1$saltsalt$") == b"$1$saltsalt$9xy1btjgzLYfb7hivXtC//"
    assert CRYPT(b"secret", b"$nothing$") is None


@pytest.mark.parametrize("verifier", [HERE, WITHOUT_LIBCRYPT], ids=["libcrypt", "passlib"])
@pytest.mark.parametrize(
    "handler",
    [
        sha512_crypt.using(rounds=1000),
        sha256_crypt.using(rounds=1000),
        md5_crypt,
        des_crypt,
        apr_md5_crypt,
    ],
    ids=["sha512", "sha256", "md5", "des", "apr1"],
)
def test_hashes_of_passlib_are_verified(verifier: PasswordVerifier, handler: type) -> None:
    stored = handler.hash("pässwo").encode()  # type: ignore[attr-defined] # passlib is not typed
    assert verifier.refusal(stored) is None
    assert verifier.verify("pässwo".encode(), stored)
    assert not verifier.verify(b"passwo", stored)
    assert not verifier.verify("pässwo".encode(), stored[:-1])
    assert not verifier.verify(stored, stored)


@pytest.mark.parametrize("verifier", [HERE, WITHOUT_LIBCRYPT], ids=["libcrypt", "passlib"])
@pytest.mark.parametrize("prefix", [b"2a", b"2b", b"2y"])
def test_bcrypt_is_verified_with_each_prefix(verifier: PasswordVerifier, prefix: bytes) -> None:
    stored = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).replace(b"2b", prefix, 1)
    assert verifier.verify(b"secret", stored)
    assert not verifier.verify(b"Secret", stored)
    long = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).replace(b"2b", prefix, 1)
    assert verifier.verify(b"x" * 72 + b"whatever", long)
    assert not verifier.verify(b"x" * 71, long)


@pytest.mark.parametrize("prefix", [b"$2a$", b"$2b$", b"$2x$", b"$2y$"])
@pytest.mark.parametrize("cost", [b"18", b"31", b"99", b"03"])
def test_bcrypt_with_a_high_cost_is_refused_with_each_prefix(
    verifier_without_hashing: PasswordVerifier, prefix: bytes, cost: bytes
) -> None:
    stored = prefix + cost + b"$" + b"abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
    assert not verifier_without_hashing.verify(b"secret", stored)
    assert "cost" in (verifier_without_hashing.refusal(stored) or "")


@pytest.mark.parametrize(
    "stored",
    [
        b"$6$rounds=5000001$salt$x",
        b"$5$rounds=999999999$salt$x",
        b"$5$rounds=99999999999999999999999$salt$x",
        b"$6$rounds=" + b"9" * 6000 + b"$salt$x",
        b"$md5,rounds=999999999$salt$$x",
        b"$sha1$999999999$salt$x",
        b"_zzzzsaltsaltsaltsal",
        b"$y$jNT$salt$x",  # 2^27 blocks of 4 KiB
        b"$y$j9T.zzzzzz$salt$x",
        b"$y$jzzzzzzzzzzzzzzzzz$salt$x",
        b"$gy$jNT$salt$x",
        b"$7$LU..../....salt$x",
        b"$7$z/..../....salt$x",
        b"$7$CU....zzzzzsalt$x",
    ],
)
def test_excessive_costs_are_refused_without_computing(
    verifier_without_hashing: PasswordVerifier, stored: bytes
) -> None:
    assert not verifier_without_hashing.verify(b"secret", stored)
    assert verifier_without_hashing.refusal(stored) is not None


def test_usual_costs_are_accepted() -> None:
    assert CRYPT is not None
    for setting in (b"$y$j9T$salt$", b"$y$jAT$salt$", b"$gy$j9T$salt$", b"$7$BU..../....salt$"):
        stored = CRYPT(b"secret", setting)
        assert stored is not None
        assert HERE.refusal(stored) is None, setting
        assert HERE.verify(b"secret", stored)
        assert not HERE.verify(b"Secret", stored)


@pytest.mark.parametrize(
    "stored",
    [b"", b"*", b"!", b"x", b"secret", b"{PLAIN}secret", b"{SSHA}abcd", b"$argon2id$v=19$x", b"*0"],
)
def test_an_unknown_format_matches_nothing(stored: bytes) -> None:
    assert HERE.refusal(stored) == "unknown format"
    for password in (stored, b"secret", b""):
        assert not HERE.verify(password, stored)


def test_des_refuses_a_password_that_it_would_truncate() -> None:
    stored = des_crypt.using(salt="ab").hash("12345678").encode()
    assert HERE.verify(b"12345678", stored)
    assert not HERE.verify(b"123456789", stored)


@pytest.mark.parametrize("password", [b"secret\0", b"\0", b"sec\0ret"])
def test_a_password_with_a_nul_never_matches(password: bytes) -> None:
    assert not HERE.verify(password, apr1(password, b"salt"))


def test_without_libcrypt_the_unsupported_format_is_named() -> None:
    why = WITHOUT_LIBCRYPT.refusal(b"$y$j9T$Z9/8MF2NXU9XiyLZzHzaO0$HY858eV7L")
    assert why == "yescrypt, which this system's libcrypt does not know"


SHAPES = st.sampled_from(
    ["$2y$", "$2a$05$", "$apr1$", "{SHA}", "$6$", "$5$rounds=", "$y$", "$gy$j", "$7$", "$1$", "_"]
)
FIELDS = st.tuples(SHAPES, st.text(string.printable + "ÿ", max_size=40)).map("".join)


@given(st.binary(max_size=40), FIELDS.map(str.encode) | st.binary(max_size=30))
@pytest.mark.parametrize("verifier", [HERE, WITHOUT_LIBCRYPT], ids=["libcrypt", "passlib"])
def test_no_field_raises_and_none_is_its_own_password(
    verifier: PasswordVerifier, password: bytes, stored: bytes
) -> None:
    stored = stored.replace(b"\0", b"")
    verifier.verify(password, stored)
    assert not verifier.verify(stored, stored)
