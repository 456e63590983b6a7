"""Kalends behind Apache and nginx with the files of ``deploy/``."""

from __future__ import annotations

import re
import ssl
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from support.awaiting import await_that
from support.deployment import Deployed, DeployedApache, DeployedNginx, DeployedWsgi
from support.digestclients import (
    TYPICAL_STATUSES,
    XML,
    Curl,
    CurlBasic,
    Requests,
    open_client,
    run_typical_requests,
)
from support.proxied import ProxiedKalends
from support.samples import event
from support.server import basic
from support.webserver import Certificate

USER, PASSWORD = "ann", "pass word"
USERS = {USER: PASSWORD, "bob": "builder"}
FRONTS = [
    pytest.param((DeployedApache, "", "unix"), id="apache"),
    pytest.param((DeployedApache, "/calendars", "port"), id="apache-prefix"),
    pytest.param((DeployedWsgi, "", "unix"), id="mod_wsgi"),
    pytest.param((DeployedWsgi, "/calendars", "unix"), id="mod_wsgi-prefix"),
    pytest.param((DeployedNginx, "", "unix"), id="nginx"),
    pytest.param((DeployedNginx, "/calendars", "port"), id="nginx-prefix"),
]


@pytest.fixture(scope="module")
def kalends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedKalends]:
    """Kalends on a port and a Unix socket, which trusts a web server on either."""
    with ProxiedKalends(tmp_path_factory.mktemp("behind") / "server", USERS) as running:
        yield running


@pytest.fixture(scope="module", params=FRONTS)
def front(
    request: pytest.FixtureRequest,
    kalends: ProxiedKalends,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployed]:
    """A web server in front of Kalends."""
    make, prefix, backend = request.param
    folder = tmp_path_factory.mktemp("front")
    with make(folder, kalends.backend(backend), prefix=prefix) as running:
        yield running


@pytest.fixture(autouse=True)
def _accept_the_test_certificate() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Unverified HTTPS request")
        yield


def ask(front: Deployed, method: str, path: str, **more: object) -> requests.Response:
    """Send a request without following redirects; ``path`` contains the prefix."""
    return requests.request(
        method,
        front.url.rstrip("/") + path,
        verify=str(front.certificate.chain),
        allow_redirects=False,
        timeout=30,
        **more,  # type: ignore[arg-type]
    )


def redirect_target(answer: requests.Response) -> str:
    """Return the absolute address that a redirect leads to."""
    return urljoin(answer.url, answer.headers["Location"])


def test_the_web_server_accepts_its_configuration(front: Deployed) -> None:
    done = subprocess.run(front.check_command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not re.search(r"(?i)\bwarn", done.stderr), done.stderr


@pytest.mark.parametrize("kind", [Curl, CurlBasic, Requests], ids=lambda kind: kind.__name__)
def test_a_client_works(front: Deployed, kind: type) -> None:
    with open_client(kind, front.base, USER, PASSWORD) as ask_as:
        assert run_typical_requests(ask_as, "/ann") == TYPICAL_STATUSES


def test_an_event_moves_to_a_public_address(front: Deployed) -> None:
    with open_client(Curl, front.base, USER, PASSWORD) as ask_as:
        run_typical_requests(ask_as, "/ann")
        assert ask_as("MKCALENDAR", "/ann/trips/") == 201
        assert ask_as("PUT", "/ann/calendar/from.ics", event("moves").encode()) == 201
        to = {"Destination": f"{front.base}/ann/trips/to.ics", "Overwrite": "T"}
        assert ask_as("MOVE", "/ann/calendar/from.ics", headers=to) == 201
        assert ask_as("DELETE", "/ann/trips/") in (200, 204)


@pytest.mark.parametrize("method", ["GET", "PROPFIND"])
@pytest.mark.parametrize("name", ["caldav", "carddav"])
def test_well_known_redirects_to_kalends(front: Deployed, method: str, name: str) -> None:
    answer = ask(front, method, f"/.well-known/{name}")
    assert (answer.status_code, redirect_target(answer)) == (301, f"{front.base}/")


def test_the_prefix_without_a_slash_redirects_to_kalends(front: Deployed) -> None:
    if front.prefix:
        answer = ask(front, "GET", front.prefix)
        assert (answer.status_code, redirect_target(answer)) == (301, f"{front.base}/")
        assert ask(front, "GET", f"{front.prefix}s").status_code in (403, 404)
    with open_client(CurlBasic, front.base, USER, PASSWORD) as ask_as:
        assert ask_as("PROPFIND", "/", headers=XML) == 207


def test_the_log_names_the_client_and_forged_headers_are_ignored(
    front: Deployed, kalends: ProxiedKalends
) -> None:
    claims = {
        "X-Remote-User": USER,
        "X_Remote_User": USER,
        "X-Forwarded-User": USER,
        "Remote-User": USER,
        "X-Forwarded-For": "192.0.2.66",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "javascript",
        "X-Forwarded-Port": "1",
        "Forwarded": "for=192.0.2.66",
        "X-Script-Name": "//evil.example",
        "X-Remote-Addr": "192.0.2.66",
        "X-Request-ID": "chosen-by-a-client",
    }
    answer = ask(
        front, "PROPFIND", f"{front.prefix}/ann/", headers={**XML, **claims}, auth=(USER, "wrong")
    )
    assert answer.status_code == 401
    assert answer.headers["X-Request-ID"] != "chosen-by-a-client"
    assert (
        ask(front, "PROPFIND", f"{front.prefix}/ann/", headers={**XML, **claims}).status_code == 401
    )

    def log() -> str:
        return front.error_log() if front.way == "WSGI" else kalends.log

    line = r"login failed from 127\.0\.0\.1: wrong name or password, name 'ann'"
    await_that(lambda: re.search(line, log()), log)  # it may be written after the response
    assert "192.0.2.66" not in log()
    assert "chosen-by-a-client" not in log()
    known = ask(front, "GET", f"{front.prefix}/.well-known/caldav", headers=claims)
    assert "evil" not in known.headers["Location"]
    root = ask(front, "GET", f"{front.prefix}/.web", headers=claims)
    assert "evil" not in root.headers.get("Location", "")


def test_a_feed_is_not_sent_twice(front: Deployed) -> None:
    with open_client(Curl, front.base, USER, PASSWORD) as ask_as:
        run_typical_requests(ask_as, "/ann")
    first = ask(front, "GET", f"{front.prefix}/feeds/ann.ics", auth=(USER, PASSWORD))
    assert first.status_code == 200
    again = ask(
        front,
        "GET",
        f"{front.prefix}/feeds/ann.ics",
        auth=(USER, PASSWORD),
        headers={"If-None-Match": first.headers["ETag"]},
    )
    assert (again.status_code, again.content) == (304, b"")


def test_large_and_chunked_bodies_arrive(front: Deployed) -> None:
    with open_client(Curl, front.base, USER, PASSWORD) as ask_as:
        run_typical_requests(ask_as, "/ann")
    many = "".join(
        f"BEGIN:VEVENT\r\nUID:large-{n}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260601T090000Z\r\n"
        f"DESCRIPTION:{'x' * 60}\r\n" + f" {'y' * 70}\r\n" * 1400 + "END:VEVENT\r\n"
        for n in range(100)
    )
    calendar = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n{many}END:VCALENDAR\r\n"
    body = calendar.encode()
    assert len(body) > 10_000_000
    blocks = (body[at : at + 65536] for at in range(0, len(body), 65536))
    path = f"{front.prefix}/ann/large/"
    made = ask(front, "PUT", path, data=blocks, auth=(USER, PASSWORD))
    assert made.status_code == 201, made.text
    back = ask(front, "GET", path, auth=(USER, PASSWORD))
    assert back.text.count("BEGIN:VEVENT") == 100
    assert len(back.content) > 10_000_000
    assert ask(front, "DELETE", path, auth=(USER, PASSWORD)).status_code in (200, 204)


def test_slow_clients_do_not_delay_others(front: Deployed) -> None:
    head = f"PUT {front.prefix}/ann/calendar/s.ics HTTP/1.1\r\nHost: localhost\r\n"
    login = f"Authorization: {basic(USER, PASSWORD)}\r\nContent-Length: 1000\r\n\r\nBEGIN:VC"
    with ExitStack() as stack:
        for number in range(10):
            slow = stack.enter_context(front.connect())
            slow.sendall((head + login if number % 2 else head).encode())
        assert ask(front, "OPTIONS", f"{front.prefix}/").status_code == 200


def published_status(front: Deployed, name: str, user: str = "", password: str = "") -> int:
    """Fetch a published feed with curl and return the status."""
    login = ["--user", f"{user}:{password}"] if user else []
    done = subprocess.run(
        [
            *("curl", "--silent", "--cacert", str(front.certificate.chain)),
            *("--output", "/dev/null", "--path-as-is", "--write-out", "%{http_code}", *login),
            f"{front.base}/published/{name}",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return int(done.stdout)


def test_published_feeds_are_served_according_to_their_access(
    front: Deployed, kalends: ProxiedKalends
) -> None:
    kalends.publish(USER)
    ann, bob, wrong = (USER, PASSWORD), ("bob", "builder"), (USER, "wrong")
    assert published_status(front, "public/open.ics") == 200
    assert [published_status(front, "login/house.ics", *who) for who in ((), wrong, ann, bob)] == [
        401,
        401,
        200,
        200,
    ]
    assert [published_status(front, "owner/ann/mine.ics", *who) for who in ((), wrong, ann)] == [
        401,
        401,
        200,
    ]
    assert published_status(front, "owner/ann/mine.ics", *bob) in (401, 403)
    assert published_status(front, f"s/{kalends.secret}/family.ics") == 200
    for other in (
        "s/guess/family.ics",
        "s/",
        f"s/{kalends.secret}/",
        "public/",
        "public/.open.ics.x.tmp",
        ".versions/",
        ".publishing",
        "owner/bob/../ann/mine.ics",
        "public/../owner/ann/mine.ics",
        "public/%2e%2e/owner/ann/mine.ics",
        "owner/ann%2fmine.ics",
        "list/x.ics",
    ):
        assert published_status(front, other) in (400, 401, 403, 404), other


def test_a_published_feed_is_not_sent_twice(front: Deployed, kalends: ProxiedKalends) -> None:
    kalends.publish(USER)
    path = f"{front.prefix}/published/public/open.ics"
    first = ask(front, "GET", path)
    assert first.headers["Content-Type"].lower() == "text/calendar; charset=utf-8"
    assert first.headers["Cache-Control"] == "no-cache"
    assert first.content.startswith(b"BEGIN:VCALENDAR\r\n")
    again = ask(front, "GET", path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_no_log_contains_a_secret_address(front: Deployed, kalends: ProxiedKalends) -> None:
    kalends.publish(USER)
    secret = kalends.secret
    paths = [f"/feeds/s/{secret}/family.ics", f"/published/s/{secret}/family.ics"]
    for path in paths:
        assert ask(front, "GET", front.prefix + path).status_code == 200
        assert ask(front, "GET", front.prefix + path + "x").status_code == 404
    referred = {"Referer": f"{front.base}{paths[0]}"}
    ask(front, "GET", f"{front.prefix}/feeds/open.ics", headers=referred)
    ask(front, "GET", f"{front.prefix}/feeds//s/{secret}/family.ics")
    ask(front, "GET", f"{front.prefix}/feeds/%73/{secret}/family.ics")
    assert ask(front, "GET", f"{front.prefix}/feeds/open.ics").status_code == 200
    # A line is written after the response.
    await_that(lambda: "/feeds/open.ics" in front.read_access_log(), front.read_access_log)
    assert "(a secret feed)" in front.read_access_log()
    for log in (front.read_access_log(), front.error_log(), kalends.log):
        assert secret not in log


def test_a_renewed_certificate_is_used(front: Deployed, tmp_path: Path) -> None:
    # The last test of each web server: requests caches the previous certificate.
    renewed = Certificate.create_in(tmp_path)
    renewed.chain.replace(front.certificate.chain)
    renewed.key.replace(front.certificate.key)
    front.reload()
    assert await_that(lambda: status_trusting_only_the_renewed(front)) == b"200"


def status_trusting_only_the_renewed(front: Deployed) -> bytes | None:
    """Return the status of an OPTIONS; None while a process still has the previous certificate."""
    try:
        with front.connect() as connection:
            connection.sendall(f"OPTIONS {front.prefix}/ HTTP/1.0\r\nHost: x\r\n\r\n".encode())
            return connection.recv(1000).split()[1]
    except ssl.SSLCertVerificationError:
        return None
