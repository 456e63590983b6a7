"""Clients that write while their server is killed, and check its content afterwards."""

from __future__ import annotations

import http.client
import random
import threading
from dataclasses import dataclass, field

from support.samples import event
from support.server import Answer, KalendsServer

CONNECTION_LOST = (http.client.HTTPException, OSError)


class Gate:
    """A gate that is open while the server runs; clients that lost the server wait at it.

    It opens and closes by the number of writes, not by the clock: the server is killed after each
    of a few numbers of writes, which the test chooses at random beforehand.
    """

    def __init__(self, server: KalendsServer, moments: list[int]) -> None:
        self.server = server
        self.moments = sorted(moments)
        self.written = 0
        self.kills = 0
        self.broken = False
        self._condition = threading.Condition()
        self._up = True

    def count(self) -> None:
        """Count an acknowledged write, and wake the thread that kills the server."""
        with self._condition:
            self.written += 1
            self._condition.notify_all()

    def give_up(self) -> None:
        """Stop killing the server, because a client has found a fault, which the test reports."""
        with self._condition:
            self.broken = True
            self._condition.notify_all()

    def wait(self) -> None:
        """Return when the server runs."""
        with self._condition:
            assert self._condition.wait_for(lambda: self._up, timeout=120)

    def kill_at_moments(self) -> None:
        """Kill and restart the server at each moment (runs in the main thread)."""
        for moment in self.moments:
            with self._condition:
                while self.written < moment and not self.broken:
                    assert self._condition.wait(timeout=120), "the clients write no more"
                if self.broken:
                    return
                self._up = False
            self.server.kill9()
            self.kills += 1
            self.server.start()
            with self._condition:
                self._up = True
                self._condition.notify_all()


@dataclass
class Client:
    """An account that writes, and knows the objects that the server must have of it."""

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
        """Write so many times; keep a failure for the main thread."""
        try:
            for _ in range(writes):
                self.write_once()
        except Exception as error:  # noqa: BLE001 - a thread's failure is the test's failure
            self.failures.append(f"{self.user}: {error!r}")
            self.gate.give_up()

    def write_once(self) -> None:
        """Do one PUT, overwrite, DELETE or MOVE, until it is acknowledged or its state is known."""
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
        """Send one write; `after` holds the content of each path once it is done."""
        before = {name: self.held.get(name) for name in after}
        try:
            answer = self.ask(method, path, body=body, headers=headers)
        except CONNECTION_LOST:
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
        """Remember the content of the paths."""
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
        """Send a request on the kept connection; close it and raise the error if it is lost."""
        if self._connection is None:
            self._connection = self.server.connection()
        try:
            return self.server.request_on(
                self._connection, method, path, user=self.user, body=body, headers=headers
            )
        except CONNECTION_LOST:
            self._connection.close()
            self._connection = None
            raise

    def close(self) -> None:
        """Close the kept connection."""
        if self._connection is not None:
            self._connection.close()

    def read(self, path: str) -> str | None:
        """Return the content of a path, asking again until the server runs again."""
        while True:
            self.gate.wait()
            try:
                answer = self.ask("GET", path)
            except CONNECTION_LOST:
                continue
            if answer.status not in (200, 404):
                raise AssertionError(f"GET {path} answered {answer.status}")
            return answer.text if answer.status == 200 else None
