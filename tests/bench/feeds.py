"""The section `feeds`: a feed over very many events, and the delay until it shows a write."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench.feedsite import EVERYONE, TEN, Site, Size
from bench.load import percentile
from bench.peers import Empty, environment
from bench.subscriber import FileWatch, MaximumOf, fetch, wait_for_texts
from bench.targets import quotient, verdict, verdicts
from bench.wire import Connection

MERGECAL = "mergecal==0.5.0"
WRITERS = 8

Found = dict[str, Any]

_numbers = itertools.count()


def run(given: argparse.Namespace, folder: Path) -> tuple[str, Found]:
    """Return the targets and the measurements."""
    size = Size(given.feed_calendars, given.feed_events, ten_events=given.feed_ten_events)
    found: Found = {"calendars": size.calendars, "events": size.events}
    with contextlib.ExitStack() as stack:
        site = stack.enter_context(_served(Site("Kalends, ten feeds", folder / "feeds", size)))
        memory = stack.enter_context(MaximumOf(site.private_memory))
        fetch(site.port, EVERYONE, site.headers)  # composes everything for the first time
        found["fresh"] = list(_fresh(site, given.feed_repeat))
        found["file"] = list(_published(site, given.feed_repeat))
        found["burst"] = _burst(site, given.feed_burst)
        found["small"] = list(_small(site, given.feed_repeat))
        none = stack.enter_context(
            _served(Site("Kalends, no feeds", folder / "none", size, feeds=False))
        )
        empty = stack.enter_context(_served(Empty("empty answer", folder / "empty")))
        found["304"] = _not_modified(site, empty, given.feed_asked)
        found["PUT"] = _puts(site, none, given.feed_asked)
        found["mergecal"] = _mergecal(site)
    found["memory"] = memory.most
    return report(found), found


@contextlib.contextmanager
def _served(peer: Any) -> Iterator[Any]:
    peer.folder.mkdir()
    peer.prepare([], iter)
    peer.start()
    try:
        yield peer
    finally:
        peer.stop()


def _uid() -> str:
    return f"bench-{next(_numbers)}"


def _fresh(site: Site, rounds: int) -> Iterator[float]:
    """Yield the seconds to the first octet of a feed that shows the last write."""
    writer = Connection(site.port)
    for number in tqdm(range(rounds), desc="fresh feeds", leave=False):
        uid = _uid()
        site.put(writer, site.size.users[number % site.size.calendars], uid)
        fetched = fetch(site.port, EVERYONE, site.headers)
        if fetched.status != 200 or uid.encode() not in fetched.body:
            raise RuntimeError(f"the feed (status {fetched.status}) is behind")
        yield fetched.first
    writer.close()


def _published(site: Site, rounds: int) -> Iterator[float]:
    """Yield the seconds until the published file shows the last write."""
    writer = Connection(site.port)
    for number in tqdm(range(rounds), desc="published files", leave=False):
        uid = _uid()
        site.put(writer, site.size.users[number % site.size.calendars], uid)
        yield wait_for_texts(site.file, {uid.encode()}, time.perf_counter())
    writer.close()


def _burst(site: Site, puts: int) -> Found:
    """Send many writes at once; return the number of rebuilds of the file, and its final delay."""
    last: set[bytes] = set()
    local = threading.local()
    connections: list[Connection] = []

    def write(number: int) -> None:
        if not hasattr(local, "connection"):
            local.connection = Connection(site.port)
            connections.append(local.connection)
        uid = _uid()
        site.put(local.connection, site.size.users[number % site.size.calendars], uid)
        if number >= puts - WRITERS:
            last.add(uid.encode())

    with FileWatch(site.file) as watch:
        began = time.perf_counter()
        with ThreadPoolExecutor(WRITERS) as pool:
            written = pool.map(write, range(puts))
            for _ in tqdm(written, desc="burst", total=puts, unit="PUT", leave=False):
                pass
        seconds = time.perf_counter() - began
        behind = wait_for_texts(site.file, last, began + seconds)
    for connection in connections:
        connection.close()
    return {"PUTs": puts, "seconds": seconds, "rebuilds": watch.replaced, "behind": behind}


def _small(site: Site, rounds: int) -> Iterator[float]:
    """Yield the seconds until the small feed is complete after a write."""
    writer = Connection(site.port)
    for _ in range(rounds):
        uid = _uid()
        site.put(writer, site.size.users[0], uid, "ten")
        fetched = fetch(site.port, TEN, {})
        if uid.encode() not in fetched.body:
            raise RuntimeError("the small feed is behind")
        yield fetched.whole
    writer.close()


def _not_modified(site: Site, empty: Empty, times: int) -> dict[str, list[float]]:
    """Return the seconds of a 304, and of an empty answer of the same web server, in turn."""
    etag = _etag(site)
    taken: dict[str, list[float]] = {"304": [], "empty": []}
    asked = {
        "304": (Connection(site.port), {**site.headers, "If-None-Match": etag}, 304),
        "empty": (Connection(empty.port), {**site.headers, "If-None-Match": etag}, 207),
    }
    for _ in range(times):
        for name, (connection, headers, status) in asked.items():
            began = time.perf_counter()
            reply = connection.ask("GET", EVERYONE, headers)
            taken[name].append(time.perf_counter() - began)
            if reply.status != status:
                raise RuntimeError(f"{name} was answered {reply.status}")
    for connection, _, _ in asked.values():
        connection.close()
    return taken


def _etag(site: Site) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", site.port)
    connection.request("HEAD", EVERYONE, headers=site.headers)
    etag = connection.getresponse().getheader("ETag") or ""
    connection.close()
    return etag


def _puts(site: Site, none: Site, times: int) -> dict[str, list[float]]:
    """Return the seconds of a PUT with ten feeds and with none, in turn."""
    taken: dict[str, list[float]] = {"ten": [], "none": []}
    asked = [("ten", site, Connection(site.port)), ("none", none, Connection(none.port))]
    for number in tqdm(range(times), desc="PUT", leave=False):
        for name, one, connection in asked if number % 2 else asked[::-1]:
            user = one.size.users[number % one.size.calendars]
            taken[name].append(one.put(connection, user, _uid()))
    for _, _, connection in asked:
        connection.close()
    return taken


def _mergecal(site: Site) -> list[float]:
    """Return the seconds of mergecal for the calendars of the small feed."""
    python = environment(MERGECAL) / "python"
    script = Path(__file__).with_name("merge.py")
    command = [str(python), str(script), *map(str, site.exports)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [float(line) for line in done.stdout.split()]


def report(found: Found) -> str:
    """Return the targets and their verdicts as a Markdown table."""
    burst = found["burst"]
    rebuild = statistics.median(found["file"])
    events = found["calendars"] * found["events"]
    extra = statistics.median(found["304"]["304"]) - statistics.median(found["304"]["empty"])
    puts = {name: statistics.median(taken) for name, taken in found["PUT"].items()}
    merged = quotient(statistics.median(found["mergecal"]), statistics.median(found["small"]))
    rows = [
        verdict(
            f"a feed of {events:,} events after one PUT: first octet within 150 ms (95 of 100)",
            percentile(found["fresh"], 0.95) * 1000,
            150,
        ),
        verdict(
            "its published file after one PUT: within 500 ms (95 of 100)",
            percentile(found["file"], 0.95) * 1000,
            500,
        ),
        verdict(
            "PUT: with ten feeds at most 1.1 times as long as with none",
            quotient(puts["ten"], puts["none"]),
            1.1,
        ),
        verdict("304: at most 0.5 ms more than an empty answer", extra * 1000, 0.5),
        verdict(
            f"{burst['PUTs']:,} PUTs in {burst['seconds']:.1f} s: rebuilds of its file, "
            "at most as many as fit one after the other",
            burst["rebuilds"],
            (burst["seconds"] + burst["behind"]) / rebuild + 1,
        ),
        verdict(
            "… and after the last one its file is there within two rebuilds and the poll of 3 s",
            burst["behind"],
            2 * rebuild + 3,
        ),
        verdict("private memory of a worker: under 250 MB", found["memory"] / 1e6, 250),
        verdict(
            "a feed of 10 calendars after one change: at least 50 times as fast as mergecal",
            merged,
            50,
            at_least=True,
        ),
    ]
    return verdicts(rows)
