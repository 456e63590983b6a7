"""Real clients reach Kalends through a real Apache and a real nginx, with all that these change."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator

import pytest

from support import apache, nginx
from support.apache import RealApache
from support.digestclients import A_GOOD_DAY, CLIENTS, XML, AbstractAsk, Curl, a_day, opened
from support.nginx import RealNginx
from support.samples import event
from support.server import KalendsServer, with_digest
from support.webserver import Certificate, WebServer

USER, PASSWORD = "ann", "pass word"
TRUSTING = {"kalends": {"trusted_proxies": "127.0.0.1"}}
FRONTS = [
    (name, prefix, tls)
    for name in ("apache", "nginx")
    for prefix in ("/", "/dav/")
    for tls in (False, True)
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KalendsServer]:
    """Kalends with three workers, which believes proxies on this machine."""
    running = with_digest(
        tmp_path_factory.mktemp("behind") / "server",
        {USER: PASSWORD},
        workers=3,
        options=TRUSTING,
    )
    yield running
    running.close()


@pytest.fixture(scope="module", params=FRONTS, ids=lambda f: f"{f[0]}{f[1]}{'tls' * f[2]}")
def front(
    request: pytest.FixtureRequest,
    server: KalendsServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The address of Kalends behind a web server, without a slash at its end."""
    name, prefix, tls = request.param
    folder = tmp_path_factory.mktemp("front")
    certificate = Certificate.made_in(folder) if tls else None
    make: type[WebServer] = {"apache": RealApache, "nginx": RealNginx}[name]
    config = {"apache": apache, "nginx": nginx}[name].behind_proxy(server.url, prefix=prefix)
    with make(folder / name, config, certificate=certificate) as running:  # type: ignore[call-arg]
        yield running.url.rstrip("/") + prefix.rstrip("/")


@pytest.fixture(autouse=True)
def _accept_a_certificate_of_our_own() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Unverified HTTPS request")
        yield


@pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.__name__)
def test_a_client_works_all_day(front: str, kind: type[AbstractAsk]) -> None:
    with opened(kind, front, USER, PASSWORD) as ask:
        assert a_day(ask, "/ann") == A_GOOD_DAY


def test_an_event_moves(front: str) -> None:
    with opened(Curl, front, USER, PASSWORD) as ask:
        a_day(ask, "/ann")
        ask("PUT", "/ann/calendar/from.ics", event("moves").encode())
        to = {"Destination": f"{front}/ann/calendar/to.ics", "Overwrite": "T"}
        assert ask("MOVE", "/ann/calendar/from.ics", headers=to) == 201
        assert ask("DELETE", "/ann/calendar/to.ics") == 204


def test_the_log_names_the_client(front: str, server: KalendsServer) -> None:
    with opened(Curl, front, USER, "wrong") as ask:
        assert ask("PROPFIND", "/ann/", headers=XML) == 401
    assert re.search(
        r"login failed from 127\.0\.0\.1: wrong name or password, name 'ann'", server.log
    )


def test_a_client_cannot_say_who_it_is(front: str) -> None:
    with opened(Curl, front, USER, "wrong") as ask:
        claim = {"X-Remote-User": USER, "X-Forwarded-User": USER, "Remote-User": USER}
        assert ask("PROPFIND", "/ann/", headers={**XML, **claim}) == 401
