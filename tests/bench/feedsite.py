"""A site with many calendars and feeds over all of them, for the section `feeds`."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from bench.events import Event, calendar_object, new_event
from bench.peers import PASSWORD, Kalends, Progress
from bench.wire import Connection
from kalends.app import container
from kalends.transfer.import_file import import_data
from support.server import basic, htpasswd_line

EVERYONE = "/feeds/everyone.ics"
TEN = "/feeds/ten.ics"
FILE = "login/everyone.ics"

_FEEDS = """
[feed.everyone]
calendars = ["*/calendar"]
access = "login"
publish = ["everyone.ics"]

[feed.ten]
calendars = ["*/ten"]
access = "public"

[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"
"""
_MORE = """
[feed.more{number}]
calendars = ["*/calendar"]
access = "login"
private = "{private}"
busy = {busy}
alarms = {alarms}
"""
_CHOICES = [
    (private, busy, alarms)
    for private in ("hide", "busy", "show")
    for busy in ("false", "true")
    for alarms in ("false", "true")
]


def definitions() -> str:
    """Return ten definitions: a large feed, a small one, one for each account, seven over all."""
    more = (
        _MORE.format(number=number, private=private, busy=busy, alarms=alarms)
        for number, (private, busy, alarms) in enumerate(_CHOICES[:7])
    )
    return "".join([_FEEDS, *more])


@dataclass(frozen=True)
class Size:
    """The numbers of calendars and of events in each, for the large feed and the small one."""

    calendars: int
    events: int
    ten: int = 10
    ten_events: int = 500

    @property
    def users(self) -> list[str]:
        """The accounts, each with a calendar of the large feed."""
        return [f"user{number:03}" for number in range(max(self.calendars, self.ten))]


class Site(Kalends):
    """Kalends with many accounts, and ten definitions of feeds or none."""

    def __init__(self, name: str, folder: Path, size: Size, *, feeds: bool = True) -> None:
        super().__init__(name, folder, feeds=feeds)
        self.size = size

    @property
    def file(self) -> Path:
        """The published file of the large feed."""
        return self.folder / "feeds" / FILE

    @property
    def exports(self) -> list[Path]:
        """The files from which the calendars of the small feed were imported."""
        return [self.folder / f"ten-{number}.ics" for number in range(self.size.ten)]

    def prepare(self, events: list[Event], progress: Progress) -> None:
        """Write the configuration, and import calendars that are the same on each run."""
        self.configure()
        line = htpasswd_line("bench", PASSWORD)
        lines = [line, *(f"{user}:{line.partition(':')[2]}" for user in self.size.users)]
        (self.folder / "users").write_text("".join(lines))
        (self.folder / "feeds.toml").write_text(definitions() if self.has_feeds else "")
        size = self.size
        wanted = [("ten", number, size.ten_events) for number in range(size.ten)]
        wanted += [("calendar", number, size.events) for number in range(size.calendars)]
        with container.build(self.folder / "config") as built:
            for name, number, count in tqdm(wanted, desc=self.name, unit="calendar", leave=False):
                export = self.folder / f"{name}-{number}.ics"
                import_events(
                    built, _events(name, number, count), export, f"{size.users[number]}/{name}"
                )

    def put(self, connection: Connection, user: str, uid: str, calendar: str = "calendar") -> float:
        """Put a new event into a user's calendar; return the seconds of the request."""
        headers = {"Authorization": basic(user, PASSWORD), "Content-Type": "text/calendar"}
        body = new_event(uid).encode()
        began = time.perf_counter()
        reply = connection.ask("PUT", f"/{user}/{calendar}/{uid}.ics", headers, body)
        taken = time.perf_counter() - began
        if reply.status != 201:
            raise RuntimeError(f"{self.name} answered a PUT with {reply.status}")
        return taken

    def private_memory(self) -> int:
        """Return the private memory of the largest worker in octets."""
        main = self.process.pid
        workers = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return max(map(_private, workers), default=0)


def import_events(
    built: container.Container, events: Iterable[Event], export: Path, target: str
) -> None:
    """Write events to a file and import it in this process, as the command does."""
    with export.open("w", newline="") as file:
        file.writelines(event.text for event in events)
    import_data(
        built.database,
        export.read_bytes(),
        export,
        target,
        limits=built.settings.object_limits,
        first_collections={},
        imported={},
    )


def _events(name: str, number: int, count: int) -> Iterable[Event]:
    """Return the events of a calendar, with UIDs that no other calendar has."""
    dice = random.Random(f"{name} {number}")
    first = (number + 1000 * (name == "ten")) * 100_000
    return (calendar_object(first + each, dice) for each in range(count))


def _private(worker: str) -> int:
    try:
        text = Path(f"/proc/{worker}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return 0
    return sum(int(kb) for kb in re.findall(r"(?m)^Private_\w+:\s+(\d+) kB", text)) * 1024
