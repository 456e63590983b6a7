"""Starts the servers, gives them the events, and measures them in turns."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

from bench.events import Event, events
from bench.operations import OPERATIONS, Operation, Session
from bench.peers import Kalends, Peer, Radicale, Xandikos
from bench.report import (
    FEEDLESS,
    KALENDS,
    RADICALE,
    SMALL,
    XANDIKOS,
    Medians,
    Times,
    table,
    targets,
)

SMALL_EVENTS = 1000
TARGET_EVENTS = 10_000
BURST_SECONDS = 0.5  # in each round a server is asked the same again until this is spent …
BURST_TIMES = 40  # … or so many times

SERVERS = (RADICALE, XANDIKOS, KALENDS, SMALL, FEEDLESS)


def options(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Compare Kalends with stock Radicale and Xandikos, holding the same events.",
        epilog="Peers live in environments of their own below .venv-bench/, made on first use. "
        "All servers run at once and are asked in turns, so that noise hits each alike.",
    )
    parser.add_argument("--events", type=int, default=TARGET_EVENTS, help="in the calendar (10000)")
    parser.add_argument("--repeat", type=int, default=5, help="rounds of measuring (5)")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=[*SERVERS, *(operation.key for operation in OPERATIONS)],
        help="only these servers and operations: %(choices)s",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all times to FILE")
    return parser.parse_args(arguments)


def peers(folder: Path, wanted: Iterable[str]) -> dict[str, Peer]:
    """Return the servers that are wanted, each with a folder of its own."""
    makers: dict[str, Callable[[str, Path], Peer]] = {
        RADICALE: Radicale,
        XANDIKOS: Xandikos,
        KALENDS: Kalends,
        SMALL: Kalends,
        FEEDLESS: lambda name, path: Kalends(name, path, feeds=False),
    }
    found: dict[str, Peer] = {}
    for number, name in enumerate(SERVERS):
        if name in wanted:
            own = folder / str(number)
            own.mkdir()
            found[name] = makers[name](name, own)
    return found


@contextlib.contextmanager
def running(found: dict[str, Peer], count: int) -> Iterator[dict[str, Session]]:
    """Fill and start the servers, warm them, and end them after."""
    generated = list(events(count))
    sessions: dict[str, Session] = {}
    started: list[Peer] = []
    try:
        for name, peer in found.items():
            wanted = generated[:SMALL_EVENTS] if name == SMALL else generated

            def progress(given: Iterable[Event], name: str = name) -> Iterable[Event]:
                return tqdm(given, desc=f"{name}: events", unit="event", leave=False)

            peer.prepare(wanted, progress)
            peer.start()
            started.append(peer)
            say(f"{name}: first listing")
            sessions[name] = Session(peer)
            sessions[name].learn(len(wanted))
        yield sessions
    finally:
        for peer in started:
            peer.stop()


def measure(
    sessions: dict[str, Session], operations: list[Operation], rounds: int
) -> Iterator[tuple[str, str, float]]:
    """Yield server, operation and seconds, asking the servers in turns."""
    steps = tqdm(total=rounds * len(operations), unit="step", desc="measuring")
    with steps:
        for number in range(rounds + 1):  # the first round warms, and is thrown away
            for group in groups(operations):
                for sample in in_turns(sessions, group, once=number == 0):
                    if number:
                        yield sample
                if number:
                    steps.update(len(group))


def groups(operations: list[Operation]) -> Iterator[list[Operation]]:
    """Yield operations that belong together (what one stores the next changes), else one each."""
    writing = [operation for operation in OPERATIONS if operation.key in WRITES]
    if any(operation in operations for operation in writing):
        yield writing
    yield from ([operation] for operation in operations if operation not in writing)


WRITES = ("put", "overwrite", "delete")


def in_turns(
    sessions: dict[str, Session], group: list[Operation], *, once: bool
) -> Iterator[tuple[str, str, float]]:
    """Ask each server in turn until each has spent its time; yield each answer's seconds."""
    spent = {
        name: 0.0
        for name, session in sessions.items()
        if all(operation.fits(session.peer) for operation in group)
    }
    for turn in range(1 if once else BURST_TIMES):
        left = [name for name, seconds in spent.items() if seconds < BURST_SECONDS]
        first = turn % len(left) if left else 0  # nobody is always the one after a slow one
        for name in (*left[first:], *left[:first]):
            before = time.perf_counter()
            for operation in group:
                yield name, operation.key, operation.run(sessions[name])
            spent[name] += time.perf_counter() - before


def say(text: str) -> None:
    """Tell the person what goes on."""
    sys.stderr.write(f"{text}\n")


def machine() -> str:
    """Return what the figures depend on."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison and print its tables."""
    given = options(arguments)
    only = given.only or []
    names = [name for name in SERVERS if name in only] or list(SERVERS)
    operations = [each for each in OPERATIONS if each.key in only] or list(OPERATIONS)
    times: Times = {name: {} for name in names}
    with (
        tempfile.TemporaryDirectory(prefix="kalends-bench-") as folder,
        running(peers(Path(folder), names), given.events) as sessions,
    ):
        for name, key, seconds in measure(sessions, operations, given.repeat):
            times[name].setdefault(key, []).append(seconds)
    medians = Medians(times)
    sys.stdout.write(table(medians, given.events, SMALL_EVENTS) + "\n")
    sys.stdout.write(targets(medians) + "\n")
    if given.events != TARGET_EVENTS:
        sys.stdout.write(f"The targets are meant for {TARGET_EVENTS:,} events. ")
    sys.stdout.write(f"Medians of {given.repeat} rounds, one client; {machine()}.\n")
    if given.json:
        result = {"events": given.events, "machine": machine(), "seconds": times}
        given.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0
