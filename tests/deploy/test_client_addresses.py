"""The client's address gets through each front: into the log, and to who counts wrong passwords."""

from __future__ import annotations

import http.client
import itertools
import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.behind import Behind
from support.deployment import Deployed, DeployedApache, DeployedNginx, DeployedWsgi
from support.process import ServerProcess
from support.server import basic

FREE, SLOW = 5, 2
"""Tries that cost no time, and further ones: the second of those waits a second."""


class OneProcess(DeployedWsgi):
    """Apache with Kalends inside of one process: each counts for itself."""

    def _made(self) -> ServerProcess:
        made = super()._made()
        file = self.folder / "kalends" / "global.conf"
        text = file.read_text()
        assert "processes=2" in text
        file.write_text(text.replace("processes=2", "processes=1"))
        return made


FRONTS = [
    pytest.param((DeployedApache, "unix"), id="apache-unix"),
    pytest.param((DeployedApache, "port"), id="apache-port"),
    pytest.param((OneProcess, "unix"), id="mod_wsgi"),
    pytest.param((DeployedNginx, "unix"), id="nginx-unix"),
    pytest.param((DeployedNginx, "port"), id="nginx-port"),
    pytest.param((None, "port"), id="no front"),
]
_network = itertools.count(1)


@pytest.fixture(scope="module")
def kalends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """Kalends with one worker, which believes a web server on this machine."""
    folder = tmp_path_factory.mktemp("behind") / "server"
    with Behind(folder, {"ann": "pass word"}, workers=1) as running:
        yield running


@pytest.fixture(params=FRONTS)
def front(
    request: pytest.FixtureRequest, kalends: Behind, tmp_path: Path
) -> Iterator[Deployed | None]:
    """A web server in front of it, if any is."""
    make, backend = request.param
    if make is None:
        yield None
        return
    with make(tmp_path, kalends.place(backend)) as running:
        yield running


def seconds_of_a_wrong_password(
    front: Deployed | None, kalends: Behind, address: str, name: str, claim: str
) -> float:
    """How long the answer takes.

    Args:
        address: where the request comes from.
        claim: where it says that it comes from.
    """
    source = (address, 0)
    connection: http.client.HTTPConnection
    if front is None:
        connection = http.client.HTTPConnection(kalends.host, kalends.port, source_address=source)
    else:
        connection = http.client.HTTPSConnection(
            front.host, front.port, source_address=source, context=front.certificate.trusted()
        )
    headers = {"Authorization": basic(name, "wrong"), "Forwarded": f"for={claim}"}
    headers |= dict.fromkeys(("X-Forwarded-For", "X-Real-IP", "X-Remote-Addr", "Client-IP"), claim)
    began = time.monotonic()
    with closing(connection):
        connection.request("PROPFIND", f"/{name}/", headers=headers)
        assert connection.getresponse().status == 401
    return time.monotonic() - began


def test_wrong_passwords_slow_down_whoever_sends_them(
    front: Deployed | None, kalends: Behind
) -> None:
    network = next(_network)
    guesser, other = f"127.0.{network}.2", f"127.0.{network}.3"
    for number in range(FREE + SLOW):  # of another account each time
        name, claim = f"a{network}-{number}", f"192.0.2.{number}"
        seconds = seconds_of_a_wrong_password(front, kalends, guesser, name, claim)
    assert seconds >= 1
    quickest = min(
        seconds_of_a_wrong_password(front, kalends, other, f"a{network}-b{number}", guesser)
        for number in range(3)
    )
    assert quickest < 0.5
    expected = [guesser] * (FREE + SLOW) + [other] * 3
    is_inside = front is not None and front.way == "WSGI"
    until = time.monotonic() + 20
    while True:  # the lines of a request are there a moment after its answer
        log = front.error_log() if front and is_inside else kalends.log
        failed = re.findall(rf"login failed from (\S+): .*'a{network}-", log)
        told = front.access() if front and is_inside else kalends.log
        answered = re.findall(rf'(?m)^(\S+) .*"PROPFIND /a{network}-', told)
        if len(failed) >= len(expected) <= len(answered) or time.monotonic() > until:
            break
        time.sleep(0.05)
    assert (failed, answered) == (expected, expected)
