"""The client's address behind each web server: in the logs and in the throttle of logins."""

from __future__ import annotations

import http.client
import itertools
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from kalends.authn.throttle import FREE_FAILURES
from support.awaiting import await_that
from support.deployment import Deployed, DeployedApache, DeployedNginx, DeployedWsgi
from support.process import ServerProcess
from support.proxied import ProxiedKalends
from support.server import basic


class OneProcess(DeployedWsgi):
    """Apache with Kalends in a single process, since each process has its own throttle."""

    def _create_process(self) -> ServerProcess:
        made = super()._create_process()
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
    pytest.param((None, "port"), id="no web server"),
]
_network = itertools.count(1)


@pytest.fixture(scope="module")
def kalends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedKalends]:
    """Kalends with one worker, which trusts a web server on this machine."""
    folder = tmp_path_factory.mktemp("behind") / "server"
    with ProxiedKalends(folder, {"ann": "pass word"}, workers=1) as running:
        yield running


@pytest.fixture(params=FRONTS)
def front(
    request: pytest.FixtureRequest, kalends: ProxiedKalends, tmp_path: Path
) -> Iterator[Deployed | None]:
    """A web server in front of Kalends, or None."""
    make, backend = request.param
    if make is None:
        yield None
        return
    with make(tmp_path, kalends.backend(backend)) as running:
        yield running


@dataclass
class Guesses:
    """Sender of wrong passwords, each for another account, with the statuses of the answers."""

    front: Deployed | None
    kalends: ProxiedKalends
    accounts: str
    answers: list[tuple[str, int]] = field(default_factory=list)

    def send(self, address: str, claim: str, together: int) -> list[int]:
        """Send some guesses at the same time, and return their statuses.

        Args:
            address: the address to connect from.
            claim: the address that the headers claim.
            together: the number of guesses.
        """
        numbers = range(len(self.answers), len(self.answers) + together)
        with ThreadPoolExecutor(together) as pool:
            statuses = [*pool.map(partial(self._guess, address, claim), numbers)]
        self.answers += [(address, status) for status in statuses]
        return statuses

    def _guess(self, address: str, claim: str, number: int) -> int:
        source, front = (address, 0), self.front
        connection: http.client.HTTPConnection
        if front is None:
            connection = http.client.HTTPConnection(
                self.kalends.host, self.kalends.port, source_address=source
            )
        else:
            connection = http.client.HTTPSConnection(
                front.host, front.port, source_address=source, context=front.certificate.trusted()
            )
        name = f"{self.accounts}{number}"
        claims = ("X-Forwarded-For", "X-Real-IP", "X-Remote-Addr", "Client-IP")
        headers = {"Authorization": basic(name, "wrong"), "Forwarded": f"for={claim}"}
        with closing(connection):
            connection.request(
                "PROPFIND", f"/{name}/", headers=headers | dict.fromkeys(claims, claim)
            )
            return connection.getresponse().status

    def logged_addresses(self) -> tuple[list[str], list[str]]:
        """Return the addresses of failed logins and of requests, as logged."""
        front = self.front
        is_inside = front is not None and front.way == "WSGI"
        log = front.error_log() if front and is_inside else self.kalends.log
        access_log = front.read_access_log() if front and is_inside else self.kalends.log
        failed = re.findall(rf"login failed from (\S+): .*'{self.accounts}", log)
        answered = re.findall(rf'(?m)^(\S+) .*"PROPFIND /{self.accounts}', access_log)
        return sorted(failed), sorted(answered)


def test_wrong_passwords_slow_down_their_sender_only(
    front: Deployed | None, kalends: ProxiedKalends
) -> None:
    """Two throttled logins wait at a time; a third gets 503."""
    network = next(_network)
    guesser, other = f"127.0.{network}.2", f"127.0.{network}.3"
    guesses = Guesses(front, kalends, f"a{network}-")
    for number in range(FREE_FAILURES):
        assert guesses.send(guesser, f"192.0.2.{number}", 1) == [401]
    claims = (f"198.51.100.{number}" for number in itertools.count(1))
    await_that(lambda: 503 in guesses.send(guesser, next(claims), 4))
    assert guesses.send(other, guesser, 3) == [401] * 3
    failed = sorted(address for address, status in guesses.answers if status == 401)
    answered = sorted(address for address, _ in guesses.answers)
    # The lines are logged a moment after the response.
    await_that(
        lambda: guesses.logged_addresses() == (failed, answered),
        lambda: str(guesses.logged_addresses()),
    )
