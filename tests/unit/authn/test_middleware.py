"""Statuses, headers and bodies of the authentication middleware around a small application."""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from wsgiref.types import WSGIEnvironment

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.authn.backends.apache_files import UserDirectory, htpasswd_file
from kalends.authn.hashing.apr1 import apr1
from kalends.authn.middleware import USER_KEY
from kalends.authn.schemes.base import Admit, Verified
from support.vectors import Vector, htpasswd_vectors
from support.wsgisite import Site

ALICE = "Basic " + base64.b64encode(b"alice:secret").decode()
WRONG = "Basic " + base64.b64encode(b"alice:hunter2").decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    path.write_bytes(b"alice:" + apr1(b"secret", b"salt") + b"\n")
    return path


def site_of(path: Path, realm: str = "calendars") -> Site:
    return Site(UserDirectory(htpasswd_file(path)), realm)


@pytest.fixture
def site(path: Path) -> Site:
    return site_of(path)


CHALLENGED = [
    ("WWW-Authenticate", 'Basic realm="calendars", charset="UTF-8"'),
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Length", "15"),
]


def test_the_user_is_passed_to_the_application(site: Site) -> None:
    answer = site.ask(ALICE)
    assert answer.status == 200
    assert answer.headers == [("Content-Type", "text/plain; charset=utf-8")]
    assert answer.body == b"alice"
    assert site.application.seen is not None
    assert site.application.seen["REMOTE_USER"] == "alice"
    assert site.application.seen["AUTH_TYPE"] == "Basic"


def test_the_application_never_sees_the_header(site: Site) -> None:
    for authorization in (ALICE, WRONG, "Bearer x", "Basic !!!"):
        site.ask(authorization, "/open")
        assert site.application.seen is not None
        assert "HTTP_AUTHORIZATION" not in site.application.seen


@pytest.mark.parametrize(
    "authorization",
    [None, WRONG, "Basic !!!", "Basic", "", "Bearer abc", "Digest username=alice", "\xff\xfe"],
)
def test_a_request_without_a_valid_login_is_challenged(
    site: Site, authorization: str | None
) -> None:
    answer = site.ask(authorization)
    assert answer.status == 401
    assert answer.headers == CHALLENGED
    assert answer.body == b"Please log in.\n"
    assert site.application.seen is None


def test_an_answer_to_head_has_no_body(site: Site) -> None:
    answer = site.ask(REQUEST_METHOD="HEAD")
    assert (answer.status, answer.headers, answer.body) == (401, CHALLENGED, b"")


def test_quotes_in_the_realm_are_escaped(path: Path) -> None:
    answer = site_of(path, 'my "own"').ask()
    assert answer.headers[0][1] == 'Basic realm="my \\"own\\"", charset="UTF-8"'


@pytest.mark.parametrize(
    ("authorization", "body"), [(None, b"nobody"), (WRONG, b"nobody"), (ALICE, b"alice")]
)
def test_an_open_path_needs_no_login(site: Site, authorization: str | None, body: bytes) -> None:
    answer = site.ask(authorization, "/open")
    assert (answer.status, answer.body) == (200, body)


@pytest.mark.parametrize("key", [USER_KEY, "REMOTE_USER", "AUTH_TYPE"])
def test_the_servers_environ_does_not_set_the_user(site: Site, key: str) -> None:
    site.ask(WRONG, "/open", **{key: "root"})
    assert site.application.seen is not None
    assert key not in site.application.seen
    assert site.ask(None, **{key: "root"}).status == 401


def test_edits_of_the_file_take_effect_at_the_next_request(site: Site, path: Path) -> None:
    assert site.ask(ALICE).status == 200
    path.write_bytes(b"alice:" + apr1(b"other", b"salt") + b"\n")
    assert site.ask(ALICE).status == 401
    path.write_bytes(b"alice:" + apr1(b"secret", b"salt") + b"\n")
    assert site.ask(ALICE).status == 200
    path.write_bytes(b"bob:" + apr1(b"secret", b"salt") + b"\n")
    assert site.ask(ALICE).status == 401


def test_a_missing_file_answers_logins_with_503(
    site: Site, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.unlink()
    answer = site.ask(ALICE)
    assert answer.status == 503
    assert dict(answer.headers) == {
        "Retry-After": "5",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": str(len(answer.body)),
    }
    assert site.ask(None).status == 401
    assert site.ask(ALICE, "/open").body == b"nobody"
    assert str(path) in caplog.text


def test_an_overlong_header_is_a_bad_request(site: Site) -> None:
    longest = 8191 - len("Authorization: Basic ")
    assert site.ask("Basic " + "A" * longest).status == 401
    answer = site.ask("Basic " + "A" * (longest + 1))
    assert answer.status == 400
    assert "WWW-Authenticate" not in dict(answer.headers)
    assert site.ask("Basic " + "A" * (longest + 1), "/open").status == 200


def test_a_failed_login_is_one_line_without_the_password(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    site.ask(WRONG)
    assert [record.getMessage() for record in caplog.records] == [
        "login failed from 192.0.2.7: wrong name or password, name 'alice'"
    ]


def test_a_name_cannot_forge_a_line(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    name = "x\nlogin failed from 198.51.100.1: wrong\x1b[31må".encode() + b"y" * 1000
    site.ask("Basic " + base64.b64encode(name + b":p").decode())
    (record,) = caplog.records
    line = record.getMessage()
    assert line.isascii()
    assert line.isprintable()
    assert line.startswith("login failed from 192.0.2.7: wrong name or password, name 'x\\nlogin")
    assert len(line) < 300


def test_a_request_without_credentials_is_not_a_failed_login(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    site.ask(None)
    site.ask(ALICE)
    assert caplog.records == []


def test_a_schemes_headers_are_sent_with_the_answer() -> None:
    class Always:
        name = "always"

        def verify(self, environ: WSGIEnvironment, credentials: str, admit: Admit) -> Verified:
            return Verified("alice", "Always", (("Authentication-Info", "x=1"),))

        def challenges(self, environ: WSGIEnvironment, *, stale: bool = False) -> list[str]:
            return ["Always", "Always more"]

    site = Site(UserDirectory(None), "R", [Always()])
    assert ("Authentication-Info", "x=1") in site.ask("ALWAYS whatever").headers
    challenged = site.ask().headers
    assert challenged[:2] == [("WWW-Authenticate", "Always"), ("WWW-Authenticate", "Always more")]


@given(st.text(st.characters(max_codepoint=255)))
def test_no_header_raises(value: str) -> None:
    site = site_of(Path(os.devnull))
    assert site.ask(value).status in (400, 401)


@contextmanager
def installed(vector: Vector, folder: Path) -> Iterator[Path]:
    """Create the user file of a vector with its setup; ``unreadable`` applies to root too."""
    path = folder / "users"
    if vector.file is not None:
        path.write_bytes(vector.file)
    if vector.setup == "symlink":
        path = path.rename(folder / "target")
        (folder / "users").symlink_to(path)
        path = folder / "users"
    if vector.setup != "unreadable":
        yield path
        return
    path.chmod(0)
    if os.geteuid() != 0:
        yield path
        return
    os.seteuid(65534)
    try:
        yield path
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("vector", htpasswd_vectors(), ids=lambda vector: str(vector.id))
def test_verdicts_are_those_of_apache(vector: Vector, tmp_path: Path) -> None:
    with installed(vector, tmp_path) as path:
        site = site_of(path, vector.realm)
        answer = site.ask(vector.authorization, vector.uri, REQUEST_METHOD=vector.method)
    assert answer.status == vector.expected_status, vector.note
    if answer.status == 200:
        assert answer.body.decode() == vector.user
