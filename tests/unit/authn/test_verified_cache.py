"""A bounded cache of verified passwords, each valid for one line of the user file."""

from __future__ import annotations

from kalends.authn.verified_cache import VerifiedPasswords


def test_the_least_recently_used_entry_is_dropped() -> None:
    remembered = VerifiedPasswords(capacity=2)
    for user in (b"alice", b"bob"):
        remembered.add(user, b"line", b"secret")
    assert remembered.holds(b"alice", b"line", b"secret")
    remembered.add(b"carol", b"line", b"secret")
    assert not remembered.holds(b"bob", b"line", b"secret")
    assert remembered.holds(b"alice", b"line", b"secret")
    assert remembered.holds(b"carol", b"line", b"secret")


def test_another_line_or_password_or_user_is_not_remembered() -> None:
    remembered = VerifiedPasswords()
    remembered.add(b"alice", b"line", b"secret")
    assert not remembered.holds(b"alice", b"new line", b"secret")
    assert not remembered.holds(b"alice", b"line", b"Secret")
    assert not remembered.holds(b"alic", b"eline", b"secret")
