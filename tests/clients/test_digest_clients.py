"""Logins of real clients with HTTP Digest and Basic, at one worker and at three."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from caldav.davclient import DAVClient

from support.awaiting import await_that
from support.digestclients import (
    CLIENTS,
    TYPICAL_STATUSES,
    XML,
    DigestClient,
    Httpx,
    Requests,
    open_client,
    run_neon,
    run_typical_requests,
)
from support.samples import event
from support.server import KalendsServer, create_digest_server

USER, PASSWORD = "ann smith", "pass word:with%colon"


@pytest.fixture(scope="module", params=[1, 3], ids=["one worker", "three workers"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KalendsServer]:
    """Run a server with both schemes."""
    running = create_digest_server(
        tmp_path_factory.mktemp("digest") / "server",
        {USER: PASSWORD},
        workers=request.param,
    )
    yield running
    running.close()


@pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.__name__)
def test_typical_requests_of_a_client_succeed(
    server: KalendsServer, kind: type[DigestClient]
) -> None:
    with open_client(kind, server.url, USER, PASSWORD) as ask:
        assert run_typical_requests(ask) == TYPICAL_STATUSES
        assert run_typical_requests(ask) == TYPICAL_STATUSES


@pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("user", "password"), [(USER, "wrong"), ("nobody", PASSWORD)])
def test_a_wrong_login_is_refused(
    server: KalendsServer, kind: type[DigestClient], user: str, password: str
) -> None:
    with open_client(kind, server.url, user, password) as ask:
        assert ask("PROPFIND", "/ann%20smith/", headers=XML) == 401


@pytest.mark.parametrize("kind", [Requests, Httpx], ids=lambda kind: kind.__name__)
def test_a_login_outlives_a_restart(tmp_path: Path, kind: type[DigestClient]) -> None:
    server = create_digest_server(tmp_path / "server", {USER: PASSWORD}, workers=3)
    try:
        with open_client(kind, server.url, USER, PASSWORD) as ask:
            assert run_typical_requests(ask) == TYPICAL_STATUSES
            before = challenges(server)
            server.restart()
            assert run_typical_requests(ask) == TYPICAL_STATUSES
            # The old nonce is still valid: the server has not sent another challenge.
            assert challenges(server) == before
    finally:
        server.close()


def challenges(server: KalendsServer) -> int:
    return len(re.findall('" 401 ', server.log))


def test_parallel_connections_share_a_login(server: KalendsServer) -> None:
    path = "/ann%20smith/parallel/"

    def lines(method: str, status: int) -> int:
        return server.log.count(f'"{method} /ann smith/parallel/ HTTP/1.1" {status} ')

    with open_client(Httpx, server.url, USER, PASSWORD) as ask, ThreadPoolExecutor(8) as threads:
        assert ask("MKCALENDAR", path) == 201
        # In any order, each count is among the latest 64, which the server remembers.
        found = threads.map(lambda _: ask("PROPFIND", path, headers=XML), range(60))
        assert set(found) == {207}
        await_that(lambda: lines("PROPFIND", 207) == 60)  # a line is written after its answer
        assert lines("PROPFIND", 401) == 0
        assert lines("MKCALENDAR", 401) == 1


@pytest.mark.parametrize("how", ["digest", "basic", None])
def test_the_caldav_library_logs_in(server: KalendsServer, how: str | None) -> None:
    with DAVClient(
        url=f"{server.url}ann%20smith/", username=USER, password=PASSWORD, auth_type=how
    ) as client:
        made: Any = client.get_principal().make_calendar(name=f"By {how}", cal_id=f"by-{how}")
        made.save_event(event("by-library"))
        assert "by-library" in made.event_by_uid("by-library").data
        made.delete()


def test_neon_accepts_the_servers_rspauth(server: KalendsServer, tmp_path: Path) -> None:
    """Neon, on which litmus is built, checks rspauth and fails if it does not match."""
    done = subprocess.run(
        ["litmus", "--keep-going", f"{server.url}ann%20smith/", USER, PASSWORD],
        env={"PATH": "/usr/bin:/bin", "TESTS": "basic copymove props locks http"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    log = (tmp_path / "debug.log").read_text()
    assert done.stdout.count(" 0 failed. 100.0%") >= 4, done.stdout
    assert log.count("auth: response-digest match: yes") >= 8
    assert "response-digest match: no" not in log
    assert "Could not authenticate" not in done.stdout + log


def test_cadaver_works_in_a_calendar(server: KalendsServer, tmp_path: Path) -> None:
    (tmp_path / "n.ics").write_bytes(event("neon").encode())
    url = f"{server.url}ann%20smith/calendar/"
    script = "put n.ics\nget n.ics back.ics\nmove n.ics m.ics\nls\ndelete m.ics\nquit\n"
    output = run_neon(tmp_path, "cadaver", url, f'"{USER}"', f'"{PASSWORD}"', script)
    assert output.count("succeeded.") == 5, output
    assert (tmp_path / "back.ics").read_bytes() == event("neon").encode()
