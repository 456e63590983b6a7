"""`kalends check`, and a server that does TLS itself: its certificate and the options of TLS."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kalends.cli.check.installation import check_installation
from kalends.errors import ConfigurationError
from support.authority import Authority
from support.installation import Installation
from support.server import BIN
from support.webserver import Certificate


def found(folder: Path, made: Certificate, ssl: str = "True", **more: str) -> list[str]:
    """Return the problems of an installation with a certificate and options of `[server]`."""
    (folder / "feeds").mkdir(exist_ok=True)
    options = {
        "server__ssl": ssl,
        "server__certificate": str(made.chain),
        "server__key": str(made.key),
        **{f"server__{name}": value for name, value in more.items()},
    }
    return list(check_installation(Installation(folder, options=options).config))


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def test_a_certificate_valid_for_more_than_two_weeks_is_fine(tmp_path: Path) -> None:
    assert found(tmp_path, Certificate.create_in(tmp_path, days=15)) == []


def test_a_certificate_that_ends_soon_is_reported(tmp_path: Path) -> None:
    made = Certificate.create_in(tmp_path, days=13)
    ends = datetime.now(UTC) + timedelta(days=13)
    (line,) = found(tmp_path, made)
    assert line.startswith(f"{made.chain}: the certificate ends on {ends:%Y-%m-%d} ")
    assert found(tmp_path, made, ssl="False") == []  # it is not used


def test_a_certificate_that_has_ended_is_reported(tmp_path: Path) -> None:
    made = Certificate.create_in(tmp_path)
    request = str(tmp_path / "request")
    openssl("req", "-new", "-key", str(made.key), "-subj", "/CN=localhost", "-out", request)
    signed = ["x509", "-req", "-in", request, "-signkey", str(made.key), "-days", "-1"]
    openssl(*signed, "-out", str(made.chain))
    ended = datetime.now(UTC) - timedelta(days=1)
    (line,) = found(tmp_path, made)
    assert line.startswith(f"{made.chain}: the certificate ended on {ended:%Y-%m-%d} ")


def test_only_the_first_certificate_of_a_chain_counts(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    made = Certificate.create_in(tmp_path, days=100)
    other = Certificate.create_in(tmp_path / "other", days=1)
    made.chain.write_text("Bag Attributes\n" + made.chain.read_text() + other.chain.read_text())
    assert found(tmp_path, made) == []


def test_a_key_of_another_certificate_is_reported(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    made, other = Certificate.create_in(tmp_path), Certificate.create_in(tmp_path / "other")
    (line,) = found(tmp_path, Certificate(made.chain, other.key))
    assert line.startswith(f"{made.chain}: cannot be used with the key {other.key}: ")


@pytest.mark.parametrize("gone", ["chain", "key"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, gone: str) -> None:
    made = Certificate.create_in(tmp_path)
    path: Path = getattr(made, gone)
    path.unlink()
    assert found(tmp_path, made) == [f"{path}: cannot be read: No such file or directory"]
    path.write_text("nonsense\n")
    (line,) = found(tmp_path, made)
    assert line.startswith(f"{made.chain}: cannot be used with the key {made.key}: one of the two")


def test_a_key_with_a_passphrase_is_reported_without_a_prompt(tmp_path: Path) -> None:
    made = Certificate.create_in(tmp_path)
    locked = tmp_path / "locked"
    openssl("pkey", "-in", str(made.key), "-aes256", "-passout", "pass:x", "-out", str(locked))
    locked.replace(made.key)
    (line,) = found(tmp_path, made)
    assert line.startswith(f"{made.key}: the key is protected by a passphrase")


def test_a_certificate_without_a_readable_end_is_reported(tmp_path: Path) -> None:
    made = Certificate.create_in(tmp_path, days=100)
    openssl("x509", "-in", str(made.chain), "-trustout", "-out", str(made.chain))
    (line,) = found(tmp_path, made)
    assert line.startswith(f"{made.chain}: ")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"protocol": "TLSv9"}, "protocol: 'TLSv9' is not a protocol; known are ALL, TLSv1, "),
        ({"protocol": "ALL -ALL"}, "protocol: 'ALL -ALL' leaves no protocol; set for example "),
        ({"protocol": "SSLv3"}, "protocol: 'SSLv3' leaves no protocol; set for example TLSv1.2"),
        ({"ciphersuite": "none:such"}, "ciphersuite: 'none:such' matches no cipher for TLS 1.2; "),
        (
            {"ciphersuite": "ECDHE-RSA-AES128-GCM-SHA256", "protocol": "TLSv1.3"},
            "ciphersuite does not apply to TLS 1.3, the only version in protocol; leave it out, ",
        ),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else "",
)
def test_a_wrong_option_is_reported_with_its_line(
    tmp_path: Path, options: dict[str, str], why: str
) -> None:
    made = Certificate.create_in(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        found(tmp_path, made, **options)
    line = str(caught.value)
    assert line.startswith(f"{tmp_path}/kalends.ini:{caught.value.line}: [server] {why}")
    named = (tmp_path / "kalends.ini").read_text().splitlines()[(caught.value.line or 0) - 1]
    assert named.startswith(next(iter(options)))


@pytest.mark.parametrize(
    ("options", "step"),
    [
        ({"protocol": "TLSv1"}, "TLSv1 and TLSv1.1 need ciphersuite = DEFAULT:@SECLEVEL=0"),
        (
            {"ciphersuite": "ECDHE-RSA-AES128-GCM-SHA256", "protocol": "TLSv1.2"},
            "take one of them out, or name ciphers that fit the certificate",
        ),
    ],
    ids=["TLSv1", "RSA with an elliptic key"],
)
def test_options_that_let_nobody_connect_are_reported(
    tmp_path: Path, options: dict[str, str], step: str
) -> None:
    (line,) = found(tmp_path, Certificate.create_in(tmp_path), **options)
    start = f"{tmp_path}/kalends.ini: [server] protocol and ciphersuite let no client connect ("
    assert line.startswith(start)
    assert line.endswith(f"; {step}")


def test_valid_options_are_fine(tmp_path: Path) -> None:
    made = Certificate.create_in(tmp_path, days=15)
    authority = str(Authority.create_in(tmp_path / "ca").certificate)
    assert found(tmp_path, made, certificate_authority=authority) == []
    assert found(tmp_path, made, protocol="ALL -SSLv3 -TLSv1") == []
    old = {"protocol": "TLSv1 +TLSv1.2", "ciphersuite": "DEFAULT:@SECLEVEL=0"}
    assert found(tmp_path, made, certificate_authority=authority, **old) == []


def test_an_unusable_authority_is_reported_and_stops_the_start(tmp_path: Path) -> None:
    made, file = Certificate.create_in(tmp_path), tmp_path / "ca.pem"
    (line,) = found(tmp_path, made, certificate_authority=str(file))
    assert line == (
        f"{file}: [server] certificate_authority cannot be read: No such file or directory; "
        "name the file of a CA in PEM"
    )
    file.write_text("nonsense\n")
    (line,) = found(tmp_path, made, certificate_authority=str(file))
    why = "[server] certificate_authority: no certificate in it; store the CA's as PEM"
    assert line == f"{file}: {why}"
    serve = [str(BIN / "kalends"), "serve", "--config", str(tmp_path / "kalends.ini")]
    served = subprocess.run(serve, capture_output=True, text=True, check=False, timeout=60)
    assert served.returncode == 1
    assert served.stderr == f"kalends: {line}\n"
