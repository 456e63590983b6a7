"""The section `page`: a month of a feed over very many events as a web page, after each write."""

from __future__ import annotations

import argparse
import random
import re
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench.events import Event, calendar_object, new_event
from bench.feedsite import import_events
from bench.load import percentile
from bench.peers import Kalends, Progress
from bench.targets import format_number, markdown, verdict, verdicts
from bench.wire import Connection
from kalends.app import container

MONTH = "/feeds/everyone/?view=month&date=2025-03-01"
VIEWS = ("month", "week", "day", "agenda")
BOUND = 300


class Site(Kalends):
    """Kalends with many calendars in one feed."""

    def __init__(self, folder: Path, calendars: int, events: int) -> None:
        super().__init__("Kalends", folder)
        self.calendars = calendars
        self.events = events

    def prepare(self, events: list[Event], progress: Progress) -> None:
        self.configure()
        names = tqdm(range(self.calendars), desc="calendars", unit="calendar", leave=False)
        with container.build(self.folder / "config") as built:
            for number in names:
                dice = random.Random(number)
                first = number * self.events
                export = self.folder / "events.ics"
                made = (calendar_object(each, dice) for each in range(first, first + self.events))
                import_events(built, made, export, f"bench/calendar{number:03}")


def run(given: argparse.Namespace, folder: Path) -> tuple[str, dict[str, Any]]:
    """Return the table with the target, and the measurements."""
    site = Site(folder, given.page_calendars, given.page_events)
    site.prepare([], iter)
    site.start()
    try:
        months, events = _months(site, given.page_repeat)
        others = {view: list(_views(site, view, given.page_repeat)) for view in VIEWS[1:]}
    finally:
        site.stop()
    found = {
        "calendars": site.calendars,
        "events": site.events,
        "in the month": events,
        "seconds": {"month": months, **others},
    }
    return report(found), found


def _months(site: Site, rounds: int) -> tuple[list[float], int]:
    """Return the seconds of a month's page, each after a write into it, and its events."""
    connection = Connection(site.port)
    seconds: list[float] = []
    before: int | None = None
    for number in tqdm(range(rounds), desc="months", leave=False):
        put = connection.ask(
            "PUT",
            f"/bench/calendar000/bench-{number}.ics",
            {**site.headers, "Content-Type": "text/calendar"},
            new_event(f"bench-{number}").encode(),
        )
        began = time.perf_counter()
        reply = connection.ask("GET", MONTH, site.headers)
        seconds.append(time.perf_counter() - began)
        if (put.status, reply.status) != (201, 200):
            raise RuntimeError(f"a PUT was answered {put.status}, the page {reply.status}")
        now = _events_of(reply.body.decode())
        if before is not None and now != before + 1:
            raise RuntimeError(f"the page shows {now} events where there are {before + 1}")
        before = now
    connection.close()
    return seconds, before or 0


def _events_of(page: str) -> int:
    """Return the number of events that a month's page shows or counts.

    Events of several days count once for each week.
    """
    hidden = re.findall(r">\+(\d+)<", page)
    return page.count('<span class="what" dir="auto">') + sum(map(int, hidden))


def _views(site: Site, view: str, rounds: int) -> Iterator[float]:
    connection = Connection(site.port)
    for _ in range(rounds):
        began = time.perf_counter()
        reply = connection.ask("GET", f"/feeds/everyone/?view={view}&date=2025-03-12", site.headers)
        yield time.perf_counter() - began
        if reply.status != 200:
            raise RuntimeError(f"the page was answered {reply.status}")
    connection.close()


def report(found: dict[str, Any]) -> str:
    """Return the medians of the views, and the target for the month."""
    count = found["calendars"] * found["events"]
    seconds = found["seconds"]
    head = [f"the page of a feed of {count:,} events, ms", *seconds]
    row = [
        "median",
        *(format_number(statistics.median(taken) * 1000) for taken in seconds.values()),
    ]
    text = f"a month of it ({found['in the month']:,} events) after a PUT: within {BOUND} ms"
    slowest = percentile(seconds["month"], 0.95) * 1000
    return "\n".join([markdown(head, [row]), verdicts([verdict(text, slowest, BOUND)])])
