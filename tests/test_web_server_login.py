"""A web server that has authenticated already: mod_wsgi's REMOTE_USER, a proxy's X-Remote-User."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import apache, nginx
from support.apache import RealApache
from support.digestclients import A_GOOD_DAY, CLIENTS, XML, CurlBasic, a_day, opened
from support.installation import Installation
from support.nginx import RealNginx
from support.samples import event
from support.server import REALM, KalendsServer, htdigest_line, htpasswd_line
from support.webserver import WebServer

PUBLIC = '[feed.all]\ncalendars = ["*/*"]\naccess = "public"\n'


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """The web server's own user file, which Kalends does not know."""
    file = tmp_path / "web.htpasswd"
    file.write_text(htpasswd_line("ann", "secret") + htpasswd_line("bob", "builder"))
    return file


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KalendsServer]:
    """Kalends without accounts of its own."""
    running = KalendsServer(
        tmp_path / "kalends",
        users={},
        feeds=PUBLIC,
        options={
            "auth": {"schemes": "none", "htpasswd_filename": ""},
            "kalends": {"trusted_proxies": "127.0.0.1"},
        },
    )
    yield running
    running.close()


@pytest.fixture(params=["apache", "nginx"])
def front(
    request: pytest.FixtureRequest, server: KalendsServer, users: Path, tmp_path: Path
) -> Iterator[WebServer]:
    """A web server that asks for the login itself."""
    kind, make = {"apache": (apache, RealApache), "nginx": (nginx, RealNginx)}[request.param]
    config = kind.behind_proxy(server.url, login=kind.login(users, "web"))
    with make(tmp_path / "front", config) as running:
        yield running


def test_the_web_server_says_who_it_is(front: WebServer) -> None:
    with opened(CurlBasic, front.url, "ann", "secret") as ask:
        assert a_day(ask, "/ann") == A_GOOD_DAY
        assert ask("PROPFIND", "/bob/", headers=XML) == 403
    with opened(CurlBasic, front.url, "ann", "wrong") as ask:
        assert ask("PROPFIND", "/ann/", headers=XML) == 401


def test_a_client_cannot_say_it_in_its_place(front: WebServer) -> None:
    with opened(CurlBasic, front.url, "ann", "secret") as ask:
        assert a_day(ask, "/ann") == A_GOOD_DAY
        claim = {**XML, "X-Remote-User": "bob"}
        assert ask("PROPFIND", "/bob/", headers=claim) == 403


def test_who_came_that_way_counts_as_an_account(front: WebServer, server: KalendsServer) -> None:
    with opened(CurlBasic, front.url, "ann", "secret") as ask:
        a_day(ask, "/ann")
        assert ask("PUT", "/ann/calendar/e.ics", event("counts").encode()) == 201
    assert b"counts" in server.request("GET", "/feeds/all.ics").body


def test_nobody_logs_in_past_the_web_server(server: KalendsServer) -> None:
    answer = server.request("PROPFIND", "/ann/", headers={"X-Remote-User": ""})
    assert answer.status == 403
    assert answer.headers["WWW-Authenticate"] is None


def test_a_stranger_is_not_believed(tmp_path: Path) -> None:
    with Installation(tmp_path).client() as client:
        headers = {"X-Remote-User": "alice"}
        assert client("PROPFIND", "/alice/", user="", headers=headers).status == 401
        # Not even together with a login of its own.
        assert client("PROPFIND", "/alice/", user="bob", headers=headers).status == 403
        assert client("PROPFIND", "/bob/", user="bob", headers=headers).status == 207


def test_a_trusted_proxy_is_believed(tmp_path: Path) -> None:
    installation = Installation(tmp_path, options={"kalends__trusted_proxies": "127.0.0.1, unix"})
    with installation.client() as client:
        for environ in ({}, {"REMOTE_ADDR": ""}):
            headers = {"X-Remote-User": "alice"}
            answer = client("PROPFIND", "/alice/", user="", headers=headers, environ=environ)
            assert answer.status == 207
        elsewhere = {"REMOTE_ADDR": "127.0.0.2"}
        answer = client("PROPFIND", "/alice/", user="", headers=headers, environ=elsewhere)
        assert answer.status == 401


def test_names_come_as_they_are_written_in_files(tmp_path: Path) -> None:
    installation = Installation(tmp_path, options={"kalends__trusted_proxies": "127.0.0.1"})
    with installation.client() as client:
        for raw in ("ålice".encode().decode("latin-1"), "ålice"):
            answer = client("PROPFIND", "/", user="", headers={"X-Remote-User": raw})
            assert b"/%C3%A5lice/" in answer.body


def test_an_account_from_elsewhere_counts_while_it_has_a_home(tmp_path: Path) -> None:
    installation = Installation(tmp_path, options={"kalends__trusted_proxies": "127.0.0.1"})
    visit = {"X-Remote-User": "visitor"}
    with installation.client() as client:
        assert client("GET", "/feeds/visitor.ics", user="", headers=visit).status == 404
        client("PROPFIND", "/", user="", headers=visit)
        assert client("GET", "/feeds/visitor.ics", user="", headers=visit).status == 200
        assert client("DELETE", "/visitor/", user="", headers=visit).status == 200
        # The next request of any user but that one does not make the home again.
        assert client("GET", "/feeds/visitor.ics").status in (403, 404)


@pytest.mark.parametrize("prefix", ["/", "/dav/"])
def test_within_mod_wsgi_kalends_authenticates(tmp_path: Path, prefix: str) -> None:
    installation = Installation(tmp_path, options=both_schemes(tmp_path))
    config = apache.in_wsgi(installation.config, tmp_path / "wsgi", prefix=prefix)
    with RealApache(tmp_path / "apache", config) as front:
        base = front.url.rstrip("/") + prefix.rstrip("/")
        for kind in CLIENTS:
            with opened(kind, base, "alice", "wonderland") as ask:
                assert a_day(ask, "/alice") == A_GOOD_DAY, kind
            with opened(kind, base, "alice", "wrong") as ask:
                assert ask("PROPFIND", "/alice/", headers=XML) == 401


def test_within_mod_wsgi_apache_authenticates(tmp_path: Path, users: Path) -> None:
    installation = Installation(tmp_path, {}, options={"auth__schemes": "none"})
    config = apache.in_wsgi(
        installation.config,
        tmp_path / "wsgi",
        pass_authorization=False,
        login=apache.login(users, "web"),
    )
    with (
        RealApache(tmp_path / "apache", config) as front,
        opened(CurlBasic, front.url, "ann", "secret") as ask,
    ):
        assert a_day(ask, "/ann") == A_GOOD_DAY
        assert ask("PROPFIND", "/bob/", headers={**XML, "X-Remote-User": "bob"}) == 403
        assert ask("GET", "/feeds/ann.ics") == 200


def both_schemes(folder: Path) -> dict[str, str]:
    file = folder / "users.htdigest"
    file.write_text(htdigest_line("alice", REALM, "wonderland"))
    return {
        "auth__htdigest_filename": str(file),
        "auth__schemes": "digest, basic",
        "auth__realm": REALM,
    }
