"""The last good version of a feed while the database server is down, from every worker.

Each request has its own connection, so any worker may get it; only one account has logged in before
the database server stops.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from requests import Session
from requests.auth import HTTPDigestAuth

from kalends.store.engine import open_database
from kalends.store.feed_secrets import SecretBook
from support.awaiting import await_that
from support.postgres import PostgresServer
from support.samples import event
from support.server import Answer, KalendsServer, create_digest_server

WORKERS = 3
EACH = 4 * WORKERS
"""The number of requests that very likely reach every worker."""

FEEDS = """
[feed.family]
calendars = ["alice/*"]
access = ["alice", "bob", "carol", "dave"]

[feed."{user}"]
calendars = ["alice/*"]
access = "owner"

[feed.open]
calendars = ["alice/*"]
access = "public"

[feed.hidden]
calendars = ["alice/*"]
access = "secret"
"""
USERS = {"alice": "wonderland", "bob": "builder", "carol": "carol", "dave": "dave", "eve": "eve"}


@pytest.fixture
def server(own_postgres: PostgresServer, tmp_path: Path) -> Iterator[KalendsServer]:
    """Yield a server with several workers and an event; each feed was composed once."""
    running = start_server(own_postgres.store(), tmp_path / "server")
    yield running
    running.close()


def start_server(url: str, folder: Path) -> KalendsServer:
    """Return a server on the database at a URL, started and with an event."""
    options = {
        "storage": {"database": url},
        "kalends": {"trusted_proxies": "127.0.0.1"},
    }
    server = create_digest_server(
        folder, USERS, feeds=FEEDS, workers=WORKERS, options=options, start=False
    )
    address = secret_address(server, "bob")
    server.start()
    text = event("lunch", "Lunch", "20260601T090000Z")
    put = server.request("PUT", "/alice/calendar/lunch.ics", user="alice", body=text)
    family = server.request("GET", "/feeds/family.ics", user="alice")
    others = [server.request("GET", path) for path in ("/feeds/open.ics", address)]
    assert [answer.status for answer in (put, family, *others)] == [201, 200, 200, 200]
    return server


def secret_address(server: KalendsServer, person: str) -> str:
    """Return the path of the secret feed for a person; create its secret."""
    database = open_database(server.options["storage"]["database"])
    secret = SecretBook(database).secret_for("hidden", person)
    database.close()
    return f"/feeds/s/{secret}/hidden.ics"


class SilentServer:
    """A server that accepts connections and never sends anything."""

    def __init__(self, port: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", port), backlog=64)
        self._taken: list[socket.socket] = []
        self.count = 0
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        try:
            while True:
                self._taken.append(self._listening.accept()[0])
                self.count += 1
        except OSError:
            return  # closed

    def close(self) -> None:
        """Close all connections."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._taken:
            connection.close()


def all_of(answers: Iterable[Answer]) -> set[tuple[int, bool]]:
    """Return the distinct statuses, each with True if the event was in the body."""
    return {(answer.status, b"SUMMARY:Lunch" in answer.body) for answer in answers}


def test_an_account_that_never_logged_in_before_gets_the_last_good_version(
    server: KalendsServer, own_postgres: PostgresServer
) -> None:
    own_postgres.stop()

    def ask(user: str, password: str | None = None, times: int = EACH) -> list[Answer]:
        path = "/feeds/family.ics"
        return [server.request("GET", path, user=user, password=password) for _ in range(times)]

    assert all_of(ask("bob")) == {(200, True)}
    assert all_of(ask("eve")) == {(403, False)}
    assert all_of(ask("carol", "wrong", 4)) == {(401, False)}
    assert all_of(ask("carol")) == {(200, True)}
    assert "Traceback" not in server.log


def test_an_external_account_still_sees_a_feed(
    server: KalendsServer, own_postgres: PostgresServer
) -> None:
    """The web server in front has logged it in."""
    zoe = {"X-Remote-User": "zoe"}
    assert server.request("PROPFIND", "/zoe/", headers={**zoe, "Depth": "1"}).status == 207
    assert server.request("GET", "/feeds/zoe.ics", headers=zoe).status == 200
    server.restart()  # each worker reads the accounts before it serves
    own_postgres.stop()
    answers = [server.request("GET", "/feeds/zoe.ics", headers=zoe) for _ in range(EACH)]
    assert all_of(answers) == {(200, True)}
    nobody = [server.request("GET", "/feeds/nobody.ics", headers=zoe) for _ in range(EACH)]
    assert all_of(nobody) == {(404, False)}


def test_a_worker_does_not_serve_before_it_has_read_the_accounts(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """Otherwise a worker that starts without the database would refuse what the others serve."""
    url = postgres.store()
    name = url.rpartition("/")[2]
    options = {"storage": {"database": url}}
    server = create_digest_server(
        tmp_path / "server", USERS, feeds=FEEDS, options=options, start=False
    )
    postgres.execute("REVOKE SELECT ON outsider FROM kalends", name)
    starting = threading.Thread(target=server.start)
    starting.start()
    try:
        await_that(lambda: "a worker cannot start yet" in server.log)
        assert server.process.ready not in server.log
        postgres.execute("GRANT SELECT ON outsider TO kalends", name)
        starting.join()
        assert server.request("GET", "/feeds/open.ics").status == 200
        assert "Traceback" not in server.log
    finally:
        server.close()


def test_digest_still_works_and_accepts_each_count_once(
    server: KalendsServer, own_postgres: PostgresServer
) -> None:
    own_postgres.stop()
    address = f"{server.url}feeds/family.ics"
    for _ in range(EACH):
        with Session() as subscriber:
            subscriber.auth = HTTPDigestAuth("bob", USERS["bob"])
            answer = subscriber.get(address)
            assert (answer.status_code, b"SUMMARY:Lunch" in answer.content) == (200, True)
            sent = answer.request.headers["Authorization"]
        replayed = server.request("GET", "/feeds/family.ics", headers={"Authorization": str(sent)})
        assert replayed.status == 401
    assert "Traceback" not in server.log


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_count_used_while_the_database_is_down_cannot_be_replayed_later(
    server: KalendsServer, own_postgres: PostgresServer, mode: str
) -> None:
    own_postgres.stop(mode)
    with Session() as subscriber:
        subscriber.auth = HTTPDigestAuth("bob", USERS["bob"])
        answer = subscriber.get(f"{server.url}feeds/family.ics")
        assert answer.status_code == 200
        sent = str(answer.request.headers["Authorization"])
        own_postgres.process.start()
        for _ in range(4):
            headers = {"Authorization": sent}
            assert server.request("GET", "/feeds/family.ics", headers=headers).status == 401
        assert subscriber.get(f"{server.url}feeds/family.ics").status_code == 200


def test_after_a_crash_one_challenge_is_enough(
    server: KalendsServer, own_postgres: PostgresServer
) -> None:
    """A client that is challenged twice asks its user for the password.

    The first client after the crash may have an old nonce, which is stale, or none.
    """
    address = f"{server.url}feeds/family.ics"
    with Session() as held:
        held.auth = HTTPDigestAuth("bob", USERS["bob"])
        assert held.get(address).status_code == 200
        for turn in range(20):
            own_postgres.crash()
            with Session() as new:
                new.auth = HTTPDigestAuth("carol", USERS["carol"])
                clients = [held, new] if turn % 2 else [new, held]
                answers = [client.get(address) for client in clients]
            assert [(answer.status_code, len(answer.history)) for answer in answers] == [
                (200, 1),
                (200, 1),
            ], turn
    assert "Traceback" not in server.log


def test_secret_and_public_feeds_are_still_served_until_the_account_is_removed(
    server: KalendsServer, own_postgres: PostgresServer
) -> None:
    address = secret_address(server, "bob")
    own_postgres.stop()
    for good in (address, "/feeds/open.ics"):
        assert all_of(server.request("GET", good) for _ in range(EACH)) == {(200, True)}
    # An unknown secret may be newer than the secrets that the workers have read.
    unknown = "/feeds/s/no-such-secret/hidden.ics"
    assert all_of(server.request("GET", unknown) for _ in range(EACH)) == {(503, False)}
    lines = server.users_file.read_text().splitlines(keepends=True)
    server.users_file.write_text("".join(line for line in lines if not line.startswith("bob:")))
    digests = server.folder / "users.htdigest"
    lines = digests.read_text().splitlines(keepends=True)
    digests.write_text("".join(line for line in lines if not line.startswith("bob:")))
    assert all_of(server.request("GET", address) for _ in range(EACH)) == {(404, False)}
    assert "Traceback" not in server.log


def test_not_every_request_waits_for_a_database_server_that_does_not_answer(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    server = start_server(f"{own_postgres.store()}?connect_timeout=2", tmp_path / "server")
    own_postgres.stop()
    silence = SilentServer(own_postgres.port)
    try:
        answers = [server.request("GET", "/feeds/family.ics", user="bob") for _ in range(EACH)]
        assert all_of(answers) == {(200, True)}
        # Without the circuit breaker, each request would connect four times; with it, once at most,
        # and the threads in the background from time to time.
        assert 0 < silence.count < 3 * EACH
    finally:
        silence.close()
        server.close()
