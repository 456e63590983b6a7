"""Logins on the wire, with several workers: replays, secrets in the log, challenges of a 401."""

from __future__ import annotations

import base64
import hashlib
import http.client
import itertools
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.apache import RealApache, proxy_directives
from support.server import REALM, Answer, KalendsServer, basic, create_digest_server
from support.webserver import Certificate

PASSWORD = "correct horse"
FEEDS = '[feed."{user}"]\ncalendars = ["{user}/*"]\naccess = "owner"\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KalendsServer]:
    """Yield a server with three workers and the most detailed log."""
    running = create_digest_server(
        tmp_path_factory.mktemp("login") / "server",
        {**{f"user{number}": PASSWORD for number in range(40)}, "bob": "builder"},
        workers=3,
        feeds=FEEDS,
        options={
            "logging": {"level": "debug", "request_header_on_debug": "True"},
            "kalends": {"trusted_proxies": "127.0.0.1"},
        },
    )
    yield running
    running.close()


_numbers = itertools.count()


class Person:
    """A separate account and client address, so that the throttle of one test affects no other."""

    def __init__(self, server: KalendsServer) -> None:
        self.server = server
        number = next(_numbers)
        self.name = f"user{number}"
        self.address = f"192.0.2.{number + 1}"
        self.home = f"/{self.name}/calendar/"

    def ask(self, authorization: str = "", method: str = "GET", path: str = "") -> Answer:
        """Send a request on a new connection, so that any worker may get it."""
        headers = {"X-Forwarded-For": self.address}
        if authorization:
            headers["Authorization"] = authorization
        return self.server.request(method, path or self.home, headers=headers)

    def nonce(self) -> str:
        """Return a fresh nonce."""
        return nonce_of(self.ask())

    def answer(self, nonce: str, method: str = "GET", **said: str) -> str:
        """Return the Authorization field of this person's client, with the given values changed."""
        return answer_to(nonce, method, **{"user": self.name, "uri": self.home, **said})


@pytest.fixture
def person(server: KalendsServer) -> Person:
    return Person(server)


def nonce_of(answer: Answer) -> str:
    """Return the nonce of a challenge."""
    found = re.search(r'nonce="([^"]+)"', answer.headers["WWW-Authenticate"])
    assert found
    return found[1]


def answer_to(
    nonce: str,
    method: str = "GET",
    *,
    uri: str,
    user: str,
    password: str = PASSWORD,
    nc: str = "00000001",
) -> str:
    """Return the value of an Authorization field for HTTP Digest (RFC 7616 section 3.4)."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    ha1, ha2 = md5(f"{user}:{REALM}:{password}"), md5(f"{method}:{uri}")
    response = md5(f"{ha1}:{nonce}:{nc}:c0ffee:auth:{ha2}")
    return (
        f'Digest username="{user}", realm="{REALM}", nonce="{nonce}", uri="{uri}", '
        f'response="{response}", qop=auth, nc={nc}, cnonce="c0ffee", algorithm=MD5'
    )


def stale(answer: Answer) -> bool:
    return "stale=true" in str(answer.headers.get_all("WWW-Authenticate"))


def test_a_captured_request_is_refused_by_every_worker(person: Person) -> None:
    captured = person.answer(person.nonce())
    assert person.ask(captured).status == 200
    for _ in range(4):
        assert person.ask(captured).status == 401


def test_a_captured_request_is_refused_after_a_restart(person: Person) -> None:
    captured = person.answer(person.nonce())
    assert person.ask(captured).status == 200
    person.server.restart()
    assert person.ask(captured).status == 401
    # The next count of the same nonce is still the client's to use.
    nonce = captured.split('nonce="')[1].split('"')[0]
    assert person.ask(person.answer(nonce, nc="00000002")).status == 200


def test_lost_nonce_counts_make_nonces_stale(
    person: Person,
) -> None:
    nonce = person.nonce()
    captured = person.answer(nonce)
    assert person.ask(captured).status == 200
    person.server.stop()
    (person.server.folder / "nonce.counts").unlink()
    person.server.start()
    for again in (captured, person.answer(nonce, nc="00000002")):
        answer = person.ask(again)
        assert answer.status == 401
        assert stale(answer)


def test_a_nonce_of_another_key_is_stale(person: Person) -> None:
    nonce = person.nonce()
    person.server.stop()
    (person.server.folder / "nonce.key").unlink()
    person.server.start()
    answer = person.ask(person.answer(nonce))
    assert answer.status == 401
    assert stale(answer)


@pytest.mark.parametrize(
    ("said", "method", "path", "status"),
    [
        ({}, "PUT", "", 401),
        ({}, "GET", "/bob/", 400),
        ({"uri": "/bob/"}, "GET", "", 400),
        ({"user": "bob"}, "GET", "", 401),
        ({"user": "nobody"}, "GET", "", 401),
        ({"password": "wrong"}, "GET", "", 401),
        ({"nc": "00000000"}, "GET", "", 401),
        ({"nc": "-1"}, "GET", "", 401),
        ({"nc": "zz"}, "GET", "", 401),
    ],
)
def test_an_answer_that_does_not_match_its_request_is_refused(
    person: Person, said: dict[str, str], method: str, path: str, status: int
) -> None:
    answer = person.ask(person.answer(person.nonce(), **said), method, path)
    assert answer.status == status
    assert not stale(answer)


def test_forged_and_old_nonces_are_stale(person: Person) -> None:
    nonce = person.nonce()
    forged = nonce[:-1] + ("0" if nonce[-1] != "0" else "1")
    old = base64.b64encode(bytes(8)).decode() + nonce[12:]
    for bad in (forged, old):
        answer = person.ask(person.answer(bad))
        assert answer.status == 401
        assert stale(answer)


def test_a_failed_answer_does_not_use_up_the_count(person: Person) -> None:
    nonce = person.nonce()
    assert person.ask(person.answer(nonce, password="wrong")).status == 401
    assert person.ask(person.answer(nonce)).status == 200


def test_counts_may_come_late_and_leave_gaps(person: Person) -> None:
    nonce = person.nonce()
    for count in (7, 3, 5, 1, 40, 2):
        assert person.ask(person.answer(nonce, nc=f"{count:08x}")).status == 200, count
    for count in (7, 3, 1, 40):
        assert person.ask(person.answer(nonce, nc=f"{count:08x}")).status == 401, count


def test_digest_is_offered_before_basic_in_separate_fields(person: Person) -> None:
    offered = person.ask(method="PROPFIND").headers.get_all("WWW-Authenticate") or []
    assert [line.split()[0] for line in offered] == ["Digest", "Basic"]
    assert 'qop="auth"' in offered[0]
    assert "algorithm=MD5" in offered[0]


def test_over_tls_a_failed_digest_answer_gets_only_basic(person: Person, tmp_path: Path) -> None:
    """The web server in front has the certificate, and the cause of the failure does not matter."""
    certificate = Certificate.create_in(tmp_path)
    with RealApache(
        tmp_path / "apache", proxy_directives(person.server.url), certificate=certificate
    ) as tls:
        bodies = set()
        for said in ({"password": "wrong"}, {"user": "nobody"}, {"user": "bob"}):
            connection = http.client.HTTPSConnection(
                "127.0.0.1", tls.port, context=certificate.trusted()
            )
            connection.request("PROPFIND", person.home)
            first = connection.getresponse()
            offered = first.headers.get_all("WWW-Authenticate") or []
            first.read()
            nonce = offered[0].split('nonce="')[1].split('"')[0]
            value = person.answer(nonce, "PROPFIND", **said)
            connection.request("PROPFIND", person.home, headers={"Authorization": value})
            second = connection.getresponse()
            assert second.status == 401
            assert second.headers.get_all("WWW-Authenticate") == [
                f'Basic realm="{REALM}", charset="UTF-8"'
            ]
            bodies.add(second.read())
            connection.close()
        assert len(bodies) == 1


def test_no_secret_is_in_any_log(person: Person) -> None:
    """The log has the most detailed level, with Radicale's lines about request headers."""
    captured = person.answer(person.nonce(), password="hidden horse")
    secrets = [PASSWORD, "hidden horse", basic(person.name, PASSWORD).split()[1]]
    secrets += re.findall(r'(?:response|nonce)="([0-9a-zA-Z+/=]{32,})"', captured)
    secrets.append(hashlib.md5(f"{person.name}:{REALM}:{PASSWORD}".encode()).hexdigest())
    for value in (
        basic(person.name, PASSWORD),
        basic(person.name, "hidden horse"),
        basic("nobody", PASSWORD),
        "basic " + basic(person.name, PASSWORD).split()[1],
        "Bearer " + basic(person.name, PASSWORD).split()[1],
        "Basic !!! " + PASSWORD,
        captured,
        captured.replace("Digest", "dIGEST"),
        person.answer(person.nonce(), uri="/elsewhere/"),
        captured + '"',
    ):
        person.ask(value)
        person.ask(value, "PUT", "/bob/calendar/x.ics")
        person.ask(value, "GET", "/.web/")  # Radicale answers that, and logs headers
    key = (person.server.folder / "nonce.key").read_bytes()
    secrets += [key.hex(), base64.b64encode(key).decode(), repr(key)[2:-1]]
    assert f"login failed from {person.address}" in person.server.log
    assert "Request header" in person.server.log  # Radicale did log headers
    for secret in secrets:
        assert secret not in person.server.log, secret


def test_two_authorization_fields_are_refused(person: Person) -> None:
    with socket.create_connection(("127.0.0.1", person.server.port), 30) as connection:
        connection.sendall(
            b"GET /bob/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            + f"Authorization: {basic('alice', PASSWORD)}\r\n".encode()
            + f"Authorization: {basic('bob', 'builder')}\r\n\r\n".encode()
        )
        assert b" 401 " in connection.recv(4096).split(b"\r\n")[0]


def test_only_the_account_whose_password_is_guessed_is_slowed_down(
    person: Person, server: KalendsServer
) -> None:
    other = Person(server)
    wrong = basic(person.name, "wrong")
    # Each worker counts separately, and lets two requests wait.
    with ThreadPoolExecutor(16) as threads:
        tries = [threads.submit(person.ask, wrong) for _ in range(48)]
        # Requests that wait do not delay another account.
        assert other.ask(basic(other.name, PASSWORD)).status == 200
        answers = [done.result() for done in tries]
        assert {answer.status for answer in answers} == {401, 503}
        refused = [answer for answer in answers if answer.status == 503]
        assert refused
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    # A request without credentials neither waits nor is refused.
    bare = person.ask()
    assert bare.status == 401
    assert "WWW-Authenticate" in bare.headers
