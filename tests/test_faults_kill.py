"""Killed at random moments while clients write: what was acknowledged is there, nothing is half."""

from __future__ import annotations

import http.client
import random
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import icalendar
import pytest

from support.samples import event
from support.server import BIN, Answer, KalendsServer

CLIENTS = 4
WRITES = 2000
KILLS = 6
SEED = 20261123
FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"

[feed.everyone]
calendars = ["*/*"]
access = "login"
publish = ["everyone.ics"]
"""
LOST = (http.client.HTTPException, OSError)


class Gate:
    """Open while the server runs; the clients that lost it wait here for its return.

    It opens and closes by how much the clients have written, not by the clock: after each of a
    few numbers of writes, chosen at random beforehand, the server is killed.
    """

    def __init__(self, server: KalendsServer, moments: list[int]) -> None:
        self.server = server
        self.moments = sorted(moments)
        self.written = 0
        self.kills = 0
        self._condition = threading.Condition()
        self._up = True

    def count(self) -> None:
        """One write more has been acknowledged; wake the killer where its moment has come."""
        with self._condition:
            self.written += 1
            self._condition.notify_all()

    def wait(self) -> None:
        """Return when the server runs."""
        with self._condition:
            assert self._condition.wait_for(lambda: self._up, timeout=120)

    def kill_at_moments(self) -> None:
        """Kill and restart the server at each moment (runs in the main thread)."""
        for moment in self.moments:
            with self._condition:
                while self.written < moment:
                    assert self._condition.wait(timeout=120), "the clients write no more"
                self._up = False
            self.server.kill9()
            self.kills += 1
            self.server.start()
            with self._condition:
                self._up = True
                self._condition.notify_all()


@dataclass
class Client:
    """One account that writes, and knows what the server must hold of it."""

    server: KalendsServer
    gate: Gate
    user: str
    dice: random.Random
    held: dict[str, str] = field(default_factory=dict)
    in_doubt: int = 0
    failures: list[str] = field(default_factory=list)
    _made: int = 0
    _connection: http.client.HTTPConnection | None = None

    def run(self, writes: int) -> None:
        """Write so many times; what goes wrong is kept for the main thread."""
        try:
            for _ in range(writes):
                self.write_once()
        except Exception as error:  # noqa: BLE001 - a thread's failure is the test's failure
            self.failures.append(f"{self.user}: {error!r}")

    def write_once(self) -> None:
        """Do one PUT, overwrite, DELETE or MOVE, until it was acknowledged or found done."""
        chance = self.dice.random()
        if chance < 0.5 or not self.held:
            self.put(self.new_path(), 201)
        elif chance < 0.7:
            self.put(self.dice.choice(sorted(self.held)), 204)
        elif chance < 0.85:
            path = self.dice.choice(sorted(self.held))
            self.attempt("DELETE", path, {path: None})
        else:
            path, target = self.dice.choice(sorted(self.held)), self.new_path()
            headers = {"Destination": f"{self.server.url.rstrip('/')}{target}"}
            after = {path: None, target: self.held[path]}
            self.attempt("MOVE", path, after, headers=headers)

    def new_path(self) -> str:
        """Return a path of this client's home where nothing was ever stored."""
        self._made += 1
        calendar = self.dice.choice(("calendar", "second"))
        return f"/{self.user}/{calendar}/{self._made}.ics"

    def put(self, path: str, expected: int) -> None:
        """Store a new version at the path."""
        known = self.held.get(path)
        uid = f"{self.user}-{self._made}"
        if known:
            uid = known.split("UID:")[1].split()[0]
        filling = "DESCRIPTION:" + "x" * self.dice.randrange(10, 20_000)
        version = f"{self.dice.randrange(10**9)}"
        text = event(uid, f"Version {version}", "20260601T090000Z", filling)
        answer = self.attempt("PUT", path, {path: text}, body=text)
        if answer is not None and answer.status != expected:
            raise AssertionError(f"PUT {path} answered {answer.status}, not {expected}")

    def attempt(
        self,
        method: str,
        path: str,
        after: dict[str, str | None],
        *,
        body: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer | None:
        """Send one write; `after` is what the paths must hold once it is done."""
        before = {name: self.held.get(name) for name in after}
        try:
            answer = self.ask(method, path, body=body, headers=headers)
        except LOST:
            self.in_doubt += 1
            now = {name: self.read(name) for name in after}
            if now not in (before, after):
                raise AssertionError(f"{method} {path} is half done") from None
            self.hold(now)
            self.gate.count()
            return None
        if answer.status >= 300:
            raise AssertionError(f"{method} {path} answered {answer.status}: {answer.body[:300]!r}")
        self.hold(after)
        self.gate.count()
        return answer

    def hold(self, state: dict[str, str | None]) -> None:
        """Remember what the paths hold."""
        for path, text in state.items():
            if text is None:
                self.held.pop(path, None)
            else:
                self.held[path] = text

    def ask(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request on the kept connection; a lost one is closed and the error goes on."""
        if self._connection is None:
            self._connection = self.server.connection()
        try:
            return self.server.request_on(
                self._connection, method, path, user=self.user, body=body, headers=headers
            )
        except LOST:
            self._connection.close()
            self._connection = None
            raise

    def close(self) -> None:
        """Close the kept connection."""
        if self._connection is not None:
            self._connection.close()

    def read(self, path: str) -> str | None:
        """Return what the server holds at the path, asking again until it lives again."""
        while True:
            self.gate.wait()
            try:
                answer = self.ask("GET", path)
            except LOST:
                continue
            if answer.status not in (200, 404):
                raise AssertionError(f"GET {path} answered {answer.status}")
            return answer.text if answer.status == 200 else None


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KalendsServer, list[Client]]]:
    """A server that was killed several times while clients wrote, and the clients' knowledge."""
    users = {f"client{number}": "secret" for number in range(CLIENTS)}
    server = KalendsServer(tmp_path_factory.mktemp("storm"), users=users, feeds=FEEDS, workers=3)
    dice = random.Random(SEED)
    gate = Gate(server, dice.sample(range(50, WRITES - 50), KILLS))
    clients = [Client(server, gate, user, random.Random(f"{SEED} {user}")) for user in users]
    for client in clients:
        made = server.request("MKCALENDAR", f"/{client.user}/second/", user=client.user)
        assert made.status == 201, made.body
    threads = [threading.Thread(target=client.run, args=(WRITES // CLIENTS,)) for client in clients]
    for thread in threads:
        thread.start()
    gate.kill_at_moments()
    for thread in threads:
        thread.join(300)
    server.kill9()
    server.start()
    yield server, clients
    for client in clients:
        client.close()
    server.close()


Storm = tuple[KalendsServer, list[Client]]


def test_the_storm_was_one(storm: Storm) -> None:
    _, clients = storm
    assert [failure for client in clients for failure in client.failures] == []
    assert clients[0].gate.kills == KILLS
    assert clients[0].gate.written == WRITES
    assert 0 < sum(client.in_doubt for client in clients) <= KILLS * CLIENTS


def test_every_acknowledged_write_is_there_and_none_half(storm: Storm) -> None:
    server, clients = storm
    for client in clients:
        listed = set()
        for calendar in ("calendar", "second"):
            folder = f"/{client.user}/{calendar}/"
            answer = server.request("PROPFIND", folder, user=client.user, headers={"Depth": "1"})
            parts = answer.text.split("href>")
            listed |= {part.removesuffix("</") for part in parts if part.endswith(".ics</")}
        assert listed == set(client.held)
        assert {path: client.read(path) for path in client.held} == client.held


def test_check_finds_nothing(storm: Storm) -> None:
    server, _ = storm
    command = [str(BIN / "kalends"), "check", "--config", str(server.config_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_feeds_hold_exactly_what_was_acknowledged(storm: Storm) -> None:
    server, clients = storm
    for client in clients:
        feed = server.request("GET", f"/feeds/{client.user}.ics", user=client.user)
        shown = {
            (str(found["UID"]), str(found["SUMMARY"]))
            for found in icalendar.Calendar.from_ical(feed.body).walk("VEVENT")
        }
        assert shown == {uid_and_summary(text) for text in client.held.values()}


def uid_and_summary(text: str) -> tuple[str, str]:
    """Return both as they stand in one event's text."""
    return text.split("UID:")[1].split("\r\n")[0], text.split("SUMMARY:")[1].split("\r\n")[0]


def test_feeds_equal_feeds_composed_from_scratch(storm: Storm, tmp_path: Path) -> None:
    server, clients = storm
    paths = [f"/feeds/{client.user}.ics" for client in clients]
    users = [client.user for client in clients]
    before = {p: server.request("GET", p, user=u).body for p, u in zip(paths, users, strict=True)}
    everyone = server.request("GET", "/feeds/everyone.ics", user=users[0]).body
    fresh = KalendsServer(
        tmp_path / "fresh",
        users=server.users,
        feeds=FEEDS,
        options={"storage": {"database": f"sqlite:///{server.database}"}},
    )
    try:
        after = {p: fresh.request("GET", p, user=u).body for p, u in zip(paths, users, strict=True)}
        assert after == before
        assert fresh.request("GET", "/feeds/everyone.ics", user=users[0]).body == everyone
    finally:
        fresh.close()


def test_the_published_file_follows_by_itself_after_the_restart(storm: Storm) -> None:
    server, clients = storm
    user = clients[0].user
    wanted = server.request("GET", "/feeds/everyone.ics", user=user).body
    (published,) = list(server.feeds_folder.glob("*/everyone.ics")) or [Path("/nonexistent")]
    for _ in range(200):
        if published.exists() and published.read_bytes() == wanted:
            return
        threading.Event().wait(0.1)  # the file appears in another process, which tells nobody
    assert published.read_bytes() == wanted
