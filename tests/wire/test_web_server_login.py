"""Logins at a web server: mod_wsgi's REMOTE_USER, and X-Remote-User of a proxy."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from support.deployment import Backend, Deployed, DeployedApache, DeployedNginx, DeployedWsgi
from support.digestclients import (
    TYPICAL_STATUSES,
    XML,
    Curl,
    CurlBasic,
    DigestClient,
    open_client,
    run_typical_requests,
)
from support.installation import Installation
from support.proxied import ProxiedKalends
from support.samples import event
from support.server import htpasswd_line

USERS = {"ann": "secret", "bob": "builder"}


@pytest.fixture(scope="module")
def kalends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedKalends]:
    """Run a Kalends that leaves all logins to the web server."""
    folder = tmp_path_factory.mktemp("behind") / "server"
    with ProxiedKalends(folder, USERS, schemes="none") as running:
        yield running


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((DeployedApache, "Basic", CurlBasic), id="apache-basic"),
        pytest.param((DeployedApache, "Digest", Curl), id="apache-digest"),
        pytest.param((DeployedWsgi, "Digest", Curl), id="mod_wsgi-digest"),
        pytest.param((DeployedNginx, "Basic", CurlBasic), id="nginx-basic"),
    ],
)
def front(
    request: pytest.FixtureRequest,
    kalends: ProxiedKalends,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Front]:
    """Run a web server that asks for the login itself, with the files of ``deploy/``."""
    make, login, curl = request.param
    folder = tmp_path_factory.mktemp("front")
    with make(folder, kalends.backend(), login=login) as running:
        yield Front(running, curl)


@dataclass(frozen=True)
class Front:
    """A web server, and curl with the login that it asks for."""

    server: Deployed
    curl: type[DigestClient]

    def as_user(self, name: str, password: str) -> AbstractContextManager[DigestClient]:
        """Return curl with a login."""
        return open_client(self.curl, self.server.base, name, password)


def test_a_user_of_the_web_server_is_logged_in(front: Front) -> None:
    with front.as_user("ann", "secret") as ask:
        assert run_typical_requests(ask, "/ann") == TYPICAL_STATUSES
        assert ask("PROPFIND", "/bob/", headers=XML) == 403
    with front.as_user("ann", "wrong") as ask:
        assert ask("PROPFIND", "/ann/", headers=XML) == 401


def test_a_client_cannot_claim_to_be_another_user(front: Front) -> None:
    with front.as_user("ann", "secret") as ask:
        assert run_typical_requests(ask, "/ann") == TYPICAL_STATUSES
        claim = {**XML, "X-Remote-User": "bob"}
        assert ask("PROPFIND", "/bob/", headers=claim) == 403
    with open_client(CurlBasic, front.server.base, "nobody", "") as ask:
        assert ask("PROPFIND", "/bob/", headers=claim) == 401


def test_a_secret_feed_needs_no_login(front: Front, kalends: ProxiedKalends) -> None:
    if not kalends.secret:
        with front.as_user("ann", "secret") as ask:
            assert ask("PUT", "/ann/calendar/p.ics", event("p").encode()) in (201, 204)
        kalends.publish("ann")
    bare = open_client(CurlBasic, front.server.base, "", "")
    with bare as ask:
        assert ask("GET", f"/feeds/s/{kalends.secret}/family.ics") == 200
        assert ask("GET", f"/published/s/{kalends.secret}/family.ics") == 200
        assert ask("GET", "/feeds/open.ics") == 401
        assert ask("GET", "/published/public/open.ics") == 200


def test_a_published_feed_is_for_its_owner_only(front: Front, kalends: ProxiedKalends) -> None:
    test_a_secret_feed_needs_no_login(front, kalends)
    with front.as_user("ann", "secret") as ask:
        assert ask("GET", "/published/owner/ann/mine.ics") == 200
    with front.as_user("bob", "builder") as ask:
        assert ask("GET", "/published/login/house.ics") == 200
        assert ask("GET", "/published/owner/ann/mine.ics") in (401, 403)
    with front.as_user("ann", "wrong") as ask:
        assert ask("GET", "/published/owner/ann/mine.ics") == 401


def test_a_request_past_the_web_server_is_not_logged_in(kalends: ProxiedKalends) -> None:
    answer = kalends.request("PROPFIND", "/ann/", headers={"X-Remote-User": ""})
    assert answer.status == 403
    assert answer.headers["WWW-Authenticate"] is None


def test_the_well_known_redirect_needs_no_login(front: Front) -> None:
    done = subprocess.run(
        [
            *("curl", "--silent", "--cacert", str(front.server.certificate.chain)),
            *("--output", "/dev/null", "--write-out", "%{http_code} %{redirect_url}"),
            f"{front.server.base}/.well-known/caldav",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == f"301 {front.server.base}/"


def test_a_user_of_the_web_server_has_an_account(tmp_path: Path) -> None:
    with (
        ProxiedKalends(tmp_path / "server", {}, schemes="none") as kalends,
        DeployedNginx(tmp_path / "front", nginx_backend(kalends, tmp_path), login="Basic") as nginx,
        open_client(CurlBasic, nginx.base, "ann", "secret") as ask,
    ):
        run_typical_requests(ask, "/ann")
        assert ask("PUT", "/ann/calendar/e.ics", event("counts").encode()) == 201
        assert b"counts" in kalends.request("GET", "/feeds/open.ics").body


def nginx_backend(kalends: ProxiedKalends, folder: Path) -> Backend:
    """Return a backend with a user file that only the web server reads."""
    file = folder / "web.htpasswd"
    file.write_text(htpasswd_line("ann", "secret"))
    return replace(kalends.backend(), passwords=file)


def test_x_remote_user_of_an_untrusted_client_is_ignored(tmp_path: Path) -> None:
    with Installation(tmp_path).client() as client:
        headers = {"X-Remote-User": "alice"}
        assert client("PROPFIND", "/alice/", user="", headers=headers).status == 401
        # The header does not count with a login of bob's own either.
        assert client("PROPFIND", "/alice/", user="bob", headers=headers).status == 403
        assert client("PROPFIND", "/bob/", user="bob", headers=headers).status == 207


def test_x_remote_user_of_a_trusted_proxy_is_accepted(tmp_path: Path) -> None:
    installation = Installation(tmp_path, options={"kalends__trusted_proxies": "127.0.0.1, unix"})
    with installation.client() as client:
        for environ in ({}, {"REMOTE_ADDR": ""}):
            headers = {"X-Remote-User": "alice"}
            answer = client("PROPFIND", "/alice/", user="", headers=headers, environ=environ)
            assert answer.status == 207
        elsewhere = {"REMOTE_ADDR": "127.0.0.2"}
        answer = client("PROPFIND", "/alice/", user="", headers=headers, environ=elsewhere)
        assert answer.status == 401


def test_names_are_decoded_from_utf_8_or_latin_1(tmp_path: Path) -> None:
    installation = Installation(tmp_path, options={"kalends__trusted_proxies": "127.0.0.1"})
    with installation.client() as client:
        for raw in ("ålice".encode().decode("latin-1"), "ålice"):
            answer = client("PROPFIND", "/", user="", headers={"X-Remote-User": raw})
            assert b"/%C3%A5lice/" in answer.body


def test_a_user_of_the_web_server_has_an_account_while_the_home_exists(tmp_path: Path) -> None:
    installation = Installation(tmp_path, options={"kalends__trusted_proxies": "127.0.0.1"})
    visit = {"X-Remote-User": "visitor"}
    with installation.client() as client:
        assert client("GET", "/feeds/visitor.ics", user="", headers=visit).status == 404
        client("PROPFIND", "/", user="", headers=visit)
        assert client("GET", "/feeds/visitor.ics", user="", headers=visit).status == 200
        assert client("DELETE", "/visitor/", user="", headers=visit).status == 204
        # A request of another user does not create the home again.
        assert client("GET", "/feeds/visitor.ics").status in (403, 404)
