"""Apache that also serves without TLS (KALENDS_PLAIN_HTTP): Digest only, no readable password."""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.deployment import DeployedApache, DeployedWsgi
from support.digestclients import (
    TYPICAL_STATUSES,
    XML,
    Curl,
    CurlAny,
    CurlBasic,
    DigestClient,
    Requests,
    open_client,
    run_typical_requests,
)
from support.proxied import ProxiedKalends
from support.samples import event
from support.server import Sections, basic

USER, PASSWORD = "ann", "pass word"


class DigestWithoutTls(ProxiedKalends):
    """Kalends with the options that settings.conf requires for plain http."""

    def sections(self) -> Sections:
        """Return the configuration by section and option."""
        found = super().sections()
        found["auth"]["basic_over_http"] = "False"
        return found


class PlainApache(DeployedApache):
    """Apache as a proxy that serves both ports."""

    switches = ("PLAIN_HTTP", "DIGEST")


class PlainWsgi(DeployedWsgi):
    """Apache with Kalends in mod_wsgi that serves both ports."""

    switches = ("PLAIN_HTTP", "DIGEST")


@pytest.fixture(scope="module")
def kalends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedKalends]:
    with DigestWithoutTls(tmp_path_factory.mktemp("k") / "server", {USER: PASSWORD}) as running:
        yield running


@pytest.fixture(scope="module", params=[PlainApache, PlainWsgi], ids=["proxy", "mod_wsgi"])
def front(
    request: pytest.FixtureRequest,
    kalends: ProxiedKalends,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[DeployedApache]:
    folder = tmp_path_factory.mktemp("front")
    with request.param(folder, kalends.backend(), prefix="/dav") as running:
        yield running


def send_without_tls(
    front: DeployedApache, method: str, path: str, login: str = ""
) -> http.client.HTTPResponse:
    """Send a request without TLS and return the answer."""
    connection = http.client.HTTPConnection("localhost", front.http_port, timeout=60)
    with closing(connection):
        connection.request(method, path, headers={"Authorization": login} if login else {})
        answer = connection.getresponse()
        answer.read()
        return answer


def base_without_tls(front: DeployedApache) -> str:
    return f"http://localhost:{front.http_port}{front.prefix}"


@pytest.mark.parametrize("kind", [Curl, CurlAny, Requests], ids=lambda kind: kind.__name__)
def test_a_client_works_with_digest(front: DeployedApache, kind: type[DigestClient]) -> None:
    with open_client(kind, base_without_tls(front), USER, PASSWORD) as ask:
        assert run_typical_requests(ask, f"/{USER}") == TYPICAL_STATUSES


def test_basic_is_neither_offered_nor_accepted(front: DeployedApache) -> None:
    for login in ("", basic(USER, PASSWORD)):
        answer = send_without_tls(front, "PROPFIND", f"/dav/{USER}/", login)
        challenges = answer.headers.get_all("WWW-Authenticate") or []
        assert answer.status == 401
        assert {one.split()[0] for one in challenges} == {"Digest"}
    with open_client(CurlBasic, front.base, USER, PASSWORD) as ask:  # over TLS it is accepted
        assert ask("PROPFIND", f"/{USER}/", headers=XML) == 207


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1"])
@pytest.mark.parametrize("path", ["feeds/ann.ics", "published/owner/ann/mine.ics"])
def test_feeds_are_read_with_digest(
    front: DeployedApache, kalends: ProxiedKalends, path: str, version: str
) -> None:
    with open_client(Curl, front.base, USER, PASSWORD) as ask:
        assert ask("PUT", f"/{USER}/calendar/p.ics", event("p").encode()) in (201, 204)
    kalends.publish(USER)
    command = ["curl", "--silent", "--fail", version, "--config", "-"]
    url = f"{base_without_tls(front)}/{path}"
    login = f'user = "{USER}:{PASSWORD}"\n'.encode()
    read = subprocess.run(
        [*command, "--digest", url], input=login, capture_output=True, check=True, timeout=60
    )
    assert b"UID:p" in read.stdout
    refused = subprocess.run(
        [*command, "--basic", url], input=login, capture_output=True, check=False, timeout=60
    )
    assert (refused.returncode, refused.stdout) == (22, b"")


def test_well_known_stays_without_tls(front: DeployedApache) -> None:
    answer = send_without_tls(front, "PROPFIND", "/.well-known/caldav")
    assert (answer.status, answer.headers["Location"]) == (301, f"{base_without_tls(front)}/")


def test_without_the_switch_plain_http_redirects_to_tls(
    kalends: ProxiedKalends, tmp_path: Path
) -> None:
    with DeployedApache(tmp_path, kalends.backend()) as front:
        for path in ("/", f"/{USER}/calendar/a.ics", "/feeds/open.ics", "/.well-known/caldav"):
            answer = send_without_tls(front, "GET", path, basic(USER, PASSWORD))
            assert (answer.status, answer.headers["Location"]) == (301, f"https://localhost{path}")
