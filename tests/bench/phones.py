"""Many clients at once, in one process that sends requests as fast as the server answers.

    phones.py PLAN      (`load.py` starts it; the plan is a file of JSON, the result JSON on stdout)

Each client has a connection of its own, and sends a request as soon as it has its answer. All
clients are devices of one account, which has one calendar. The next request of a client is drawn
with a fixed seed. A hundred requests consist of these, as phones and desktop programs send them:

    60  polls: the calendar home at depth 1, then the calendar's ctag and sync-token (30 of each)
    15  sync-collection with the token of the client's last one
    10  calendar-multiget of 10 events
     5  GET of an event
    10  writes: PUT of a new event in Europe/Berlin, then DELETE of it the next time (5 of each)

One process is enough because it does very little: requests are prepared octets, and it reads only
the status and length of answers. Since it shares the machine with the server, its share of a core
is printed beside the result.
"""

from __future__ import annotations

import json
import random
import re
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.events import new_event
from bench.operations import CTAG, HOME, MULTIGET, SYNC
from bench.wire import BrokenAnswerError, Reader, request

SEED = 4792
WEIGHTS = {"poll": 30, "sync": 15, "multiget": 10, "get": 5, "write": 10}  # a poll is two requests
GIVE_UP = 30.0  # seconds until a missing answer is an error
TOKEN = re.compile(rb"sync-token>([^<]+)</")

Question = tuple[str, bytes]  # its kind and its octets


class Results:
    """The measurements of all clients, of requests that end in the measured period."""

    def __init__(self, begin: float, end: float) -> None:
        self.begin = begin
        self.end = end
        self.seconds: dict[str, list[float]] = {}
        self.errors: list[str] = []

    def add(self, kind: str, start: float, error: str = "") -> None:
        """Record an answer, or the error instead of it."""
        now = time.perf_counter()
        if error:
            self.errors.append(f"{kind}: {error}")
        elif self.begin <= now < self.end:
            self.seconds.setdefault(kind, []).append(now - start)


class Phone:
    """A client: its state, its next request, and the answer that it is reading."""

    def __init__(self, number: int, plan: dict[str, Any], results: Results) -> None:
        self._plan = plan
        self._results = results
        self._dice = random.Random(SEED * 1000 + number)
        self._token: str = plan["token"]
        self._questions = self._ask(number)
        self._socket: socket.socket | None = None
        self._kind, self._octets = next(self._questions)
        self._reader = Reader()
        self.start = 0.0

    def _ask(self, number: int) -> Iterator[Question]:
        """Yield its requests, without end."""
        home, calendar, hrefs = (self._plan[key] for key in ("home", "calendar", "hrefs"))
        actions, weights = list(WEIGHTS), list(WEIGHTS.values())
        written = 0
        while True:
            action = self._dice.choices(actions, weights)[0]
            if action == "poll":
                yield "home", self._request("PROPFIND", home, HOME, "1")
                yield "ctag", self._request("PROPFIND", calendar, CTAG, "0")
            elif action == "sync":
                yield "sync", self._request("REPORT", calendar, SYNC.format(self._token), "1")
            elif action == "multiget":
                chosen = self._dice.sample(hrefs, min(10, len(hrefs)))
                body = MULTIGET.format("".join(f"<href>{href}</href>" for href in chosen))
                yield "multiget", self._request("REPORT", calendar, body, "1")
            elif action == "get":
                yield "get", self._request("GET", self._dice.choice(hrefs))
            else:
                uid = f"phone-{number}-{written // 2}"
                path = f"{calendar}{uid}.ics"
                if written % 2:
                    yield "delete", self._request("DELETE", path)
                else:
                    yield "put", self._request("PUT", path, new_event(uid, 0, "berlin"))
                written += 1

    def _request(self, method: str, path: str, body: str = "", depth: str = "") -> bytes:
        headers = dict(self._plan["headers"])
        if depth:
            headers["Depth"] = depth
        if body:
            kind = "text/calendar" if method == "PUT" else "application/xml"
            headers["Content-Type"] = f"{kind}; charset=utf-8"
        return request(method, path, headers, body.encode() if body else None)

    def begin(self, selector: selectors.BaseSelector) -> None:
        """Send the request, on a new connection if there is none."""
        self._reader = Reader()
        self.start = time.perf_counter()
        if self._socket is None:
            self._socket = socket.socket()
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.connect_ex(("127.0.0.1", self._plan["port"]))
            selector.register(self._socket, selectors.EVENT_WRITE, self)
        else:
            self._socket.send(self._octets)  # fits into the buffer of an idle socket

    def step(self, selector: selectors.BaseSelector, events: int) -> None:
        """Continue after an event on the connection: send, or read and send the next request."""
        assert self._socket is not None
        try:
            if events & selectors.EVENT_WRITE:
                selector.modify(self._socket, selectors.EVENT_READ, self)
                self._socket.send(self._octets)  # raises an error if connecting has failed
                return
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # see `wire.py`
            whole = self._reader.add(self._socket.recv(1 << 18))
        except (OSError, BrokenAnswerError) as error:
            self.fail(selector, str(error))
            return
        if whole:
            self._take(selector)

    def fail(self, selector: selectors.BaseSelector, error: str) -> None:
        """Count an error and send the next request on a new connection."""
        self._results.add(self._kind, self.start, error)
        self.hang_up(selector)
        self._next(selector)

    def hang_up(self, selector: selectors.BaseSelector) -> None:
        """Close the connection."""
        if self._socket is not None:
            selector.unregister(self._socket)
            self._socket.close()
            self._socket = None

    def _take(self, selector: selectors.BaseSelector) -> None:
        status = self._reader.status
        bad = "" if status < 300 else f"answered {status}"
        self._results.add(self._kind, self.start, bad)
        if self._kind == "sync" and not bad:
            found = TOKEN.search(self._reader.reply().body)
            self._token = found[1].decode() if found else self._token
        if self._reader.closes:
            self.hang_up(selector)
        self._next(selector)

    def _next(self, selector: selectors.BaseSelector) -> None:
        self._kind, self._octets = next(self._questions)
        self.begin(selector)


def run(plan: dict[str, Any]) -> Results:
    """Let all clients send requests until the time is over."""
    begin = time.perf_counter() + plan["warm_up"]
    results = Results(begin, begin + plan["seconds"])
    phones = [Phone(number, plan, results) for number in range(plan["clients"])]
    with selectors.DefaultSelector() as selector:
        for phone in phones:
            phone.begin(selector)
        overdue = time.perf_counter() + 1
        while (now := time.perf_counter()) < results.end:
            for key, events in selector.select(0.1):
                key.data.step(selector, events)
            if now > overdue:
                overdue = now + 1
                for phone in phones:
                    if now - phone.start > GIVE_UP:
                        phone.fail(selector, f"no answer in {GIVE_UP:g} s")
        for phone in phones:
            phone.hang_up(selector)
    return results


def main() -> None:
    """Run the plan and print the measurements."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    before = time.process_time()
    results = run(plan)
    core = (time.process_time() - before) / (plan["warm_up"] + plan["seconds"])
    found = {"seconds": results.seconds, "errors": results.errors, "core": core}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
