"""Apache's verdicts compared with those of the whole application with its configuration."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kalends.authn import authenticator
from kalends.authn.throttle import Throttle
from support.differences import DENIED_DIGESTS
from support.installation import Answer, Client, Installation
from support.vectors import (
    DigestVector,
    Vector,
    digest_vectors,
    file_bytes,
    htpasswd_vectors,
    raw_vectors,
)

HTGROUP = [raw for raw in raw_vectors() if raw["kind"] == "htgroup"]
# Cases of one request with a fresh nonce and without special directives. Cases of several requests
# need a clock: test_digest.py has them.
DIGEST = [
    vector
    for vector in digest_vectors()
    if not vector.conf and len(vector.steps) == 1 and vector.steps[0].nonce == "fresh"
]
OPEN = {"OPTIONS"}


@pytest.fixture(autouse=True)
def _do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not delay the hundreds of failed logins of one account at one address."""
    monkeypatch.setattr(authenticator, "Throttle", partial(Throttle, sleep=lambda _: None))


@pytest.fixture
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """Open the application with user files that the test fills.

    ``request.param`` is the realm and the schemes.
    """
    realm, schemes = getattr(request, "param", ("R", "basic"))
    for name in ("users.htdigest", "groups"):
        (tmp_path / name).write_bytes(b"")
    options = {
        "auth__htdigest_filename": str(tmp_path / "users.htdigest"),
        "auth__htgroup_filename": str(tmp_path / "groups"),
        "auth__schemes": schemes,
        "auth__realm": realm,
    }
    with Installation(tmp_path, {}, feeds="", options=options).client("") as client:
        yield client


NAMES = b'<sync-collection xmlns="DAV:"><sync-token/><prop><getetag/></prop></sync-collection>'
"""A report without which a REPORT would be malformed."""


def may_enter(answer: Answer) -> bool:
    """Return True if the login succeeded; a 403 is for a user who is logged in too."""
    assert answer.status not in (500, 503)
    return answer.status not in (400, 401)


def environ(authorization: str | None, **more: Any) -> Mapping[str, Any]:
    return more if authorization is None else {"HTTP_AUTHORIZATION": authorization, **more}


@pytest.mark.parametrize(
    "vector", [v for v in htpasswd_vectors() if v.method not in OPEN], ids=lambda v: str(v.id)
)
def test_verdicts_on_password_files_agree(vector: Vector, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "users.htpasswd"
    unreadable = vector.file is None or vector.setup in ("unreadable", "directory")
    file.unlink()
    if not unreadable:
        assert vector.file is not None
        file.write_bytes(vector.file)
    answer = client(vector.method, vector.uri, environ=environ(vector.authorization))
    if unreadable:
        assert answer.status == (503 if vector.authorization else 401)
    else:
        assert may_enter(answer) is (vector.expected_status == 200), vector.note


@pytest.mark.parametrize(("switched", "word"), [("True", "secret"), ("False", "secret")])
def test_basic_logins_use_the_digest_file_if_enabled(
    switched: str, word: str, tmp_path: Path
) -> None:
    """These are the cases of AuthBasicUseDigestAlgorithm in Apache."""
    file = tmp_path / "users.htdigest"
    file.write_text("alice:R:1f7ce4d4f6b2495234041d7f73be0c20\n")
    options = {
        "auth__htdigest_filename": str(file),
        "auth__basic_from_htdigest": switched,
        "auth__realm": "R",
    }
    with Installation(tmp_path, {}, feeds="", options=options).client() as client:
        client.passwords = {"alice": word}
        assert may_enter(client("PROPFIND", "/alice/")) is (switched == "True")
        client.passwords = {"alice": "bad"}
        assert not may_enter(client("PROPFIND", "/alice/"))


@pytest.mark.parametrize(
    ("vector", "client"),
    [pytest.param(vector, (vector.realm, "digest"), id=vector.id) for vector in DIGEST],
    indirect=["client"],
)
def test_verdicts_on_digest_files_agree(
    vector: DigestVector, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "users.htdigest").write_bytes(vector.file)
    challenged = client("PROPFIND", vector.uri).headers["WWW-Authenticate"]
    nonce = re.search(r'nonce="([^"]*)"', challenged)
    assert nonce
    (step,) = vector.steps
    header = vector.header(step, nonce[1])
    sent = environ(header, RAW_URI=vector.uri, HTTP_HOST="127.0.0.1:8191")
    body = NAMES if vector.method == "REPORT" else b""
    answer = client(vector.method, vector.uri, body, environ=sent)
    assert may_enter(answer) is (step.allowed and vector.id not in DENIED_DIGESTS), vector.note


@pytest.mark.parametrize("raw", HTGROUP, ids=lambda raw: str(raw["id"]))
def test_verdicts_on_group_files_agree(raw: dict[str, Any], client: Client, tmp_path: Path) -> None:
    """If Apache admits the members of a group, they may read the group's home."""
    (tmp_path / "users.htpasswd").write_text(raw["password_file"])
    data = file_bytes(raw["file"], raw["file_encoding"])
    if data is None:
        (tmp_path / "groups").unlink()
    else:
        (tmp_path / "groups").write_bytes(data)
    kind, *names = shlex.split(raw["require"])
    paths = [f"/GROUPS/{name}/" for name in names] if kind == "group" else ["/"]
    header = ", ".join(raw["authorization"]).encode().decode("latin-1")
    answers = [client("PROPFIND", path, environ=environ(header)) for path in paths]
    if kind == "user" and raw["expect"] == "deny":
        # Kalends has no option that admits one account alone.
        return
    allowed = any(may_enter(answer) and answer.status == 207 for answer in answers)
    assert allowed is (raw["expect"] == "allow"), raw.get("note")
