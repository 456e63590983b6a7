"""Fuzz targets that store an object by PUT, and then read it in every way that there is."""

from __future__ import annotations

import atexit
import cProfile
import logging
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from unittest.mock import patch
from zlib import crc32

from fuzz.lines import ALARM
from fuzz.readers import CALENDAR, CARDS, Reading, readings_of
from kalends.common.budget import OBJECT_STEPS, REQUEST_STEPS, Budget
from support.installation import Answer, Client, Installation, event
from support.samples import card as card_of

LARGEST = 40_000
"""The largest object that repetitions may make, octets."""

MOST_TIMES = 400
"""The most repetitions of a part of an object."""

_FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"
alarms = true
components = ["VEVENT", "VTODO", "VJOURNAL"]

[feed.busy]
calendars = ["alice/*"]
access = "login"
private = "busy"
past = "99y"
"""
_START = "20260601T100000Z"
_ODD = ("RRULE:FREQ=DAILY;COUNT=300", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:e@x", *ALARM)
_CARD = card_of("a", "Alice").replace("END:VCARD", "TEL;TYPE=home:1\r\nEND:VCARD").encode()
# The methods that read a body of XML, and change no object.
_METHODS = ("PROPFIND", "PROPPATCH", "REPORT", "MKCALENDAR", "MKCOL")
# A coverage-guided fuzzer calls a function of its own at each branch; it would be counted too.
_IS_TRACED = "atheris" in sys.modules
# What a request costs at most, in calls of functions, beside those that its steps stand for. A time
# zone of the system is read once in a process, by 80,000 calls.
_CALLS = 300_000
_CALLS_A_STEP = 12
_CALLS_AN_OCTET = 6


@dataclass
class Cost:
    """The cost of one request.

    Attributes:
        steps: drawn from budgets.
        calls: of functions.
    """

    steps: int = 0
    calls: int = 0


class _Bugs(logging.Handler):
    """What the server logs of its own bugs, and of objects that a feed cannot show."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or "cannot be read" in record.msg:
            self.found.append(logging.Formatter().format(record))

    def note(self, unraisable: sys.UnraisableHookArgs) -> None:
        self.found.append(
            f"{unraisable.err_msg}: {unraisable.exc_value!r} in {unraisable.object!r}"
        )


@dataclass
class StoredObjects:
    """An installation that has one object at a time.

    Attributes:
        client: the client of its account.
        bugs: what the server has logged since it was last looked at.
    """

    client: Client
    bugs: _Bugs = field(default_factory=_Bugs)
    _numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        logging.getLogger("kalends").addHandler(self.bugs)
        sys.unraisablehook = self.bugs.note
        assert self.client("PROPFIND", "/alice/").status == 207
        assert self.client("MKCALENDAR", CALENDAR).status == 201
        # What threads in the background do is the feeds' composition, which a request does too.
        self.client.app.container.feeds.stop()  # type: ignore[attr-defined]
        todo = event("warm").replace(b"VEVENT", b"VTODO")
        for data in (event("warm"), todo):
            self._warm(data, CALENDAR)
        self._warm(card_of("warm", "A").encode(), CARDS)

    def _warm(self, data: bytes, folder: str) -> None:
        """Read an object, so that templates are compiled before anything is counted."""
        path = f"{folder}{next(self._numbers)}"
        stored = _send(self.client, _put(path, data))
        assert stored.status == 201, stored
        for reading in readings_of(data, folder):
            _send(self.client, reading.at(path))
        assert self.client("DELETE", path).status == 204

    def check(self, data: bytes, folder: str, *, all_readings: bool = False) -> dict[str, Cost]:
        """Store an object, read it, and remove it; return what each request costs.

        Args:
            data: the object.
            folder: the path of the collection.
            all_readings: whether to read it also in the ways that cost a second or more.
        """
        path = f"{folder}{next(self._numbers)}"
        answer, cost = self._ask(_put(path, data), len(data))
        costs = {"PUT": cost}
        assert answer.status in (201, 400, 403, 409, 413), answer
        assert cost.steps <= OBJECT_STEPS, cost
        if answer.status == 201:
            try:
                for reading in readings_of(data, folder):
                    if reading.is_costly and not all_readings:
                        continue
                    self._read(reading.at(path), len(data), costs)
            finally:
                removed = self.client("DELETE", path)
            assert removed.status in (200, 204), removed
        return costs

    def ask(self, reading: Reading) -> None:
        """Send any request to the collections, which have a calendar object and a card."""
        answer, cost = self._ask(reading, len(reading.body))
        assert cost.steps <= REQUEST_STEPS, (reading, cost)
        if answer.headers.get("Content-Type", "").startswith("text/xml"):
            answer.xml()

    def _read(self, reading: Reading, octets: int, costs: dict[str, Cost]) -> None:
        answer, cost = self._ask(reading, octets)
        costs[reading.title] = cost
        # An expansion repeats the whole object in each instance.
        possible = (200, 207, 403) if reading.counts_instances else (200, 207)
        assert answer.status in possible, (reading.title, answer)
        most = REQUEST_STEPS if reading.counts_instances else OBJECT_STEPS
        assert cost.steps <= most, (reading.title, cost)
        if answer.headers.get("Content-Type", "").startswith("text/xml"):
            answer.xml()

    def _ask(self, reading: Reading, octets: int) -> tuple[Answer, Cost]:
        cost = Cost()
        with ExitStack() as counting:
            counting.enter_context(counted_steps(cost))
            profile = None if _IS_TRACED else counting.enter_context(cProfile.Profile())
            answer = _send(self.client, reading)
        cost.calls = sum(entry.callcount for entry in profile.getstats()) if profile else 0
        assert answer.status < 500, (reading.title, answer)
        assert not self.bugs.found, (reading.title, self.bugs.found)
        size = octets + len(answer.body)
        most = _CALLS + _CALLS_A_STEP * cost.steps + _CALLS_AN_OCTET * size
        assert cost.calls <= most, (reading.title, cost, size)
        return answer, cost


def _put(path: str, data: bytes) -> Reading:
    kind = "text/vcard" if path.startswith(CARDS) else "text/calendar"
    return Reading("PUT", path, data, (("Content-Type", kind),), "PUT")


def _send(client: Client, reading: Reading) -> Answer:
    return client(reading.method, reading.path, reading.body, headers=dict(reading.headers))


@contextmanager
def counted_steps(cost: Cost) -> Iterator[None]:
    """Count the steps that this thread takes from any budget in the block."""
    own, take = threading.get_ident(), Budget.take

    def counted(budget: Budget, steps: int = 1) -> bool:
        granted = take(budget, steps)
        if granted and threading.get_ident() == own:
            cost.steps += steps
        return granted

    with patch.object(Budget, "take", counted):
        yield


@contextmanager
def stored_objects() -> Iterator[StoredObjects]:
    """Open an installation for the block."""
    hook = sys.unraisablehook
    with tempfile.TemporaryDirectory(prefix="kalends-fuzz-") as folder:
        installation = Installation(Path(folder), users={"alice": "wonderland"}, feeds=_FEEDS)
        with installation.client() as client:
            opened = StoredObjects(client)
            try:
                yield opened
            finally:
                sys.unraisablehook = hook
                logging.getLogger("kalends").removeHandler(opened.bugs)


def repeated(data: bytes) -> bytes:
    """Return an object with each part between ``@REPEAT@`` and the next many times.

    In such a part ``@DAY@`` is another day, and ``@N@`` another number, each time.
    """
    pieces = data[:LARGEST].split(b"@REPEAT@")
    made = []
    for place, piece in enumerate(pieces):
        times = min(MOST_TIMES, LARGEST // (len(piece) + 8) + 1) if place % 2 else 1
        made += [_numbered(piece, number) for number in range(times)]
    return b"".join(made)[: 2 * LARGEST]


def _numbered(piece: bytes, number: int) -> bytes:
    if b"@" not in piece:
        return piece
    day = f"{2026 + number // 336:04}{number // 28 % 12 + 1:02}{number % 28 + 1:02}".encode()
    return piece.replace(b"@DAY@", day).replace(b"@N@", b"%d" % number)


def _open() -> StoredObjects:
    """Open an installation for as long as this process lives."""
    opening = stored_objects()
    atexit.register(opening.__exit__, None, None, None)
    return opening.__enter__()


@cache
def _empty() -> StoredObjects:
    """Return an installation that has nothing between the runs."""
    return _open()


def calendar_object(data: bytes) -> None:
    """Store a calendar object and read it, a few of them in all ways."""
    _empty().check(repeated(data), CALENDAR, all_readings=crc32(data) % 32 == 0)


def card(data: bytes) -> None:
    """Store a card and read it."""
    _empty().check(repeated(data), CARDS)


@cache
def _filled() -> StoredObjects:
    """Return an installation that has a calendar object and a card."""
    opened = _open()
    for folder, data in ((CALENDAR, event("a", _START, *_ODD)), (CARDS, _CARD)):
        assert _send(opened.client, _put(f"{folder}fixed", data)).status == 201
    return opened


def dav_request(data: bytes) -> None:
    """Send a request: method, path and depth in a line, and then a body of XML."""
    line, _, body = data.partition(b"\n")
    method, path, depth, *_ = (*line.decode("latin-1").split(" "), "", "", "")
    if method in _METHODS and path.startswith("/") and depth.isprintable():
        headers = (("Depth", depth), ("Content-Type", "application/xml"))
        _filled().ask(Reading(method, path, body, headers, method))
