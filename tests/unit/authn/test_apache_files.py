"""Accounts and passwords of the current user file."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from pathlib import Path

import bcrypt
import pytest

from kalends.authn.backends.apache_files import UserDirectory, htpasswd_file
from kalends.authn.hashing import libcrypt
from kalends.authn.hashing.apr1 import apr1
from kalends.authn.hashing.verify import PasswordVerifier
from kalends.errors import UserFileUnavailableError


def hashed(password: bytes) -> bytes:
    return bcrypt.hashpw(password, bcrypt.gensalt(4))


class CountingVerifier(PasswordVerifier):
    """A verifier that counts its computations."""

    def __init__(self) -> None:
        super().__init__(libcrypt.load())
        self.computed: Counter[bytes] = Counter()
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()

    def verify(self, password: bytes, stored: bytes) -> bool:
        with self._lock:
            self.computed[stored] += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        right = super().verify(password, stored)
        with self._lock:
            self.at_once -= 1
        return right


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    path.write_bytes(b"alice:" + hashed(b"secret") + b"\nbob:" + hashed(b"builder") + b"\n")
    return path


def test_only_the_right_name_and_password_match(path: Path) -> None:
    directory = UserDirectory(htpasswd_file(path))
    assert directory.names() == {"alice", "bob"}
    assert directory.check_password(b"alice", b"secret")
    assert not directory.check_password(b"alice", b"builder")
    assert not directory.check_password(b"carol", b"secret")
    assert not directory.check_password(b"Alice", b"secret")


def test_without_a_file_there_are_no_accounts() -> None:
    directory = UserDirectory(None)
    assert directory.names() == frozenset()
    assert directory.unverifiable() == {}
    assert not directory.check_password(b"alice", b"secret")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    directory = UserDirectory(htpasswd_file(tmp_path / "none"))
    with pytest.raises(UserFileUnavailableError):
        directory.check_password(b"alice", b"secret")
    with pytest.raises(UserFileUnavailableError):
        directory.names()


def test_edits_take_effect_at_once(path: Path) -> None:
    directory = UserDirectory(htpasswd_file(path))
    assert directory.check_password(b"alice", b"secret")
    path.write_bytes(b"alice:" + hashed(b"other") + b"\n")
    assert not directory.check_password(b"alice", b"secret")
    assert directory.check_password(b"alice", b"other")
    path.write_bytes(b"carol:" + hashed(b"secret") + b"\n")
    assert not directory.check_password(b"alice", b"other")
    assert directory.names() == {"carol"}


def test_a_right_password_is_hashed_once(path: Path) -> None:
    verifier = CountingVerifier()
    directory = UserDirectory(htpasswd_file(path), verifier=verifier)
    for _ in range(3):
        assert directory.check_password(b"alice", b"secret")
        assert directory.check_password(b"bob", b"builder")
    assert sorted(verifier.computed.values()) == [1, 1]


def test_a_right_password_is_hashed_again_for_a_changed_line(path: Path) -> None:
    verifier = CountingVerifier()
    directory = UserDirectory(htpasswd_file(path), verifier=verifier)
    assert directory.check_password(b"alice", b"secret")
    line = hashed(b"secret")
    path.write_bytes(b"alice:" + line + b"\n")
    assert directory.check_password(b"alice", b"secret")
    assert verifier.computed[line] == 1


def test_a_wrong_password_is_hashed_each_time(path: Path) -> None:
    verifier = CountingVerifier()
    directory = UserDirectory(htpasswd_file(path), verifier=verifier)
    directory.check_password(b"alice", b"secret")
    for _ in range(3):
        assert not directory.check_password(b"alice", b"wrong")
    assert sum(verifier.computed.values()) == 4


def test_one_users_password_is_not_remembered_for_another(tmp_path: Path) -> None:
    line = hashed(b"secret")
    (tmp_path / "users").write_bytes(b"alice:" + line + b"\nbob:" + line + b"\n")
    verifier = CountingVerifier()
    directory = UserDirectory(htpasswd_file(tmp_path / "users"), verifier=verifier)
    assert directory.check_password(b"alice", b"secret")
    assert directory.check_password(b"bob", b"secret")
    assert verifier.computed[line] == 2


@pytest.mark.parametrize("user", [b"carol", b"", b"\xff", b"locked"])
def test_an_unknown_or_locked_account_costs_one_hash_too(path: Path, user: bytes) -> None:
    with path.open("ab") as file:
        file.write(b"locked:!\n")
    verifier = CountingVerifier()
    directory = UserDirectory(htpasswd_file(path), verifier=verifier)
    assert not directory.check_password(user, b"secret")
    assert [stored[:7] for stored in verifier.computed] == [b"$2b$04$"]


def test_the_empty_name_cannot_log_in(tmp_path: Path) -> None:
    (tmp_path / "users").write_bytes(b":" + apr1(b"secret", b"salt") + b"\n")
    assert not UserDirectory(htpasswd_file(tmp_path / "users")).check_password(b"", b"secret")


def test_slow_hashes_are_computed_a_few_at_a_time(path: Path) -> None:
    verifier = CountingVerifier()
    directory = UserDirectory(htpasswd_file(path), verifier=verifier)
    threads = [
        threading.Thread(target=directory.check_password, args=(b"alice", b"wrong%d" % number))
        for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(verifier.computed.values()) == 12
    assert verifier.most_at_once <= 2


def test_an_unverifiable_line_is_logged_once_without_the_hash(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(b"alice:$argon2id$v=19$hush\nbob:$2b$31$" + b"a" * 53 + b"\n")
    directory = UserDirectory(htpasswd_file(path))
    for _ in range(3):
        assert not directory.check_password(b"alice", b"secret")
        assert not directory.check_password(b"bob", b"secret")
    assert [record.getMessage() for record in caplog.records] == [
        "no password can be verified for 'alice': unknown format",
        "no password can be verified for 'bob': bcrypt of cost 31, above 17",
    ]
    assert directory.unverifiable() == {
        "alice": "unknown format",
        "bob": "bcrypt of cost 31, above 17",
    }


def test_an_overlong_line_is_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(b"#" * 9000 + b"\nalice:" + hashed(b"secret") + b"\n")
    caplog.set_level(logging.WARNING)
    assert UserDirectory(htpasswd_file(path)).names() == frozenset()
    assert f"{path}:1: the line is too long" in caplog.text


def test_a_name_in_another_encoding_is_the_same_account(path: Path) -> None:
    latin = b"\xe5sa:" + hashed(b"latin") + b"\n"
    path.write_bytes(latin)
    directory = UserDirectory(htpasswd_file(path))
    assert directory.check_password(b"\xe5sa", b"latin")
    assert not directory.check_password("åsa".encode(), b"latin")
    path.write_bytes(latin + "åsa:".encode() + hashed(b"utf-8") + b"\n")
    assert directory.names() == {"åsa"}
    assert directory.check_password("åsa".encode(), b"utf-8")
    assert not directory.check_password(b"\xe5sa", b"latin")
