"""`kalends check` and the certificate of a server that does TLS itself."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kalends.cli.check.installation import problems
from support.installation import Installation
from support.webserver import Certificate


def found(folder: Path, made: Certificate, ssl: str = "True") -> list[str]:
    """What is said of an installation with a certificate."""
    (folder / "feeds").mkdir(exist_ok=True)
    options = {
        "server__ssl": ssl,
        "server__certificate": str(made.chain),
        "server__key": str(made.key),
    }
    return list(problems(Installation(folder, options=options).config))


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def test_a_certificate_of_a_month_is_well(tmp_path: Path) -> None:
    assert found(tmp_path, Certificate.made_in(tmp_path, days=15)) == []


def test_it_says_until_when_one_is_good(tmp_path: Path) -> None:
    made = Certificate.made_in(tmp_path, days=13)
    ends = datetime.now(UTC) + timedelta(days=13)
    (line,) = found(tmp_path, made)
    assert line.startswith(f"{made.chain}: the certificate ends on {ends:%Y-%m-%d} ")
    assert found(tmp_path, made, ssl="False") == []  # nobody is shown it


def test_it_says_since_when_one_is_not_good_any_more(tmp_path: Path) -> None:
    made = Certificate.made_in(tmp_path)
    request = str(tmp_path / "request")
    openssl("req", "-new", "-key", str(made.key), "-subj", "/CN=localhost", "-out", request)
    signed = ["x509", "-req", "-in", request, "-signkey", str(made.key), "-days", "-1"]
    openssl(*signed, "-out", str(made.chain))
    ended = datetime.now(UTC) - timedelta(days=1)
    (line,) = found(tmp_path, made)
    assert line.startswith(f"{made.chain}: the certificate ended on {ended:%Y-%m-%d} ")


def test_the_servers_own_certificate_counts_not_its_authoritys(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    made = Certificate.made_in(tmp_path, days=100)
    other = Certificate.made_in(tmp_path / "other", days=1)
    made.chain.write_text("Bag Attributes\n" + made.chain.read_text() + other.chain.read_text())
    assert found(tmp_path, made) == []


def test_a_key_of_another_is_told(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    made, other = Certificate.made_in(tmp_path), Certificate.made_in(tmp_path / "other")
    (line,) = found(tmp_path, Certificate(made.chain, other.key))
    assert line.startswith(f"{made.chain}: cannot be used with the key {other.key}: it belongs to")


@pytest.mark.parametrize("gone", ["chain", "key"])
def test_what_cannot_be_read_is_named(tmp_path: Path, gone: str) -> None:
    made = Certificate.made_in(tmp_path)
    path: Path = getattr(made, gone)
    path.unlink()
    assert found(tmp_path, made) == [f"{path}: cannot be read: No such file or directory"]
    path.write_text("nonsense\n")
    (line,) = found(tmp_path, made)
    assert line.startswith(f"{made.chain}: cannot be used with the key {made.key}: one of the two")


def test_a_key_with_a_passphrase_is_told_and_asks_nobody(tmp_path: Path) -> None:
    made = Certificate.made_in(tmp_path)
    locked = tmp_path / "locked"
    openssl("pkey", "-in", str(made.key), "-aes256", "-passout", "pass:x", "-out", str(locked))
    locked.replace(made.key)
    (line,) = found(tmp_path, made)
    assert line.startswith(f"{made.key}: it is protected by a passphrase")


def test_a_form_without_a_date_is_told(tmp_path: Path) -> None:
    made = Certificate.made_in(tmp_path, days=100)
    openssl("x509", "-in", str(made.chain), "-trustout", "-out", str(made.chain))
    (line,) = found(tmp_path, made)
    assert line.startswith(f"{made.chain}: ")
