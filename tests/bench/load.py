"""The section `load`: the requests per second that each server, running alone, answers.

Many clients ask at once.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench.events import events
from bench.operations import Session
from bench.servers import KALENDS, OTHERS, chosen, make, serving
from bench.targets import format_number, markdown, quotient, verdict, verdicts

KINDS = ("home", "ctag", "sync", "multiget", "get", "put", "delete")
TIMES = 4
TAIL = 10


@dataclass(frozen=True)
class Load:
    """The results of one server: seconds by kind of request, errors, and the clients' CPU use.

    Attributes:
        seconds: the seconds of each answer, by kind of request.
        errors: the messages of all errors.
        core: the share of one core that the clients used.
        lasted: the seconds of the measurement.
    """

    seconds: dict[str, list[float]]
    errors: list[str]
    core: float
    lasted: float

    @property
    def rate(self) -> float:
        """The answered requests per second."""
        return sum(map(len, self.seconds.values())) / self.lasted


def run(given: argparse.Namespace, folder: Path) -> tuple[str, dict[str, Any]]:
    """Return the tables, and the measurements of each server, which runs alone."""
    generated = list(events(given.load_events))
    found: dict[str, Load] = {}
    for name in chosen(given.only, (*OTHERS, KALENDS)):
        with serving(make(name, folder), generated) as session:
            found[name] = run_clients(session, given, folder / "plan.json")
    figures = {
        name: {"requests/s": load.rate, "errors": load.errors, "seconds": load.seconds}
        for name, load in found.items()
    }
    head = f"{given.load_clients} clients at once, {given.load_events:,} events in one calendar"
    return report(found, head), {"clients": given.load_clients, "servers": figures}


def run_clients(session: Session, given: argparse.Namespace, file: Path) -> Load:
    """Run the clients against a server, in a process of their own."""
    peer = session.peer
    plan = {
        "port": peer.port,
        "home": peer.home,
        "calendar": peer.calendar,
        "headers": peer.headers,
        "hrefs": session.hrefs,
        "token": session.token,
        "clients": given.load_clients,
        "warm_up": given.load_warm_up,
        "seconds": given.load_seconds,
    }
    file.write_text(json.dumps(plan))
    command = [sys.executable, str(Path(__file__).with_name("phones.py")), str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        length = given.load_warm_up + given.load_seconds
        for _ in tqdm(range(math.ceil(length)), desc=f"{peer.name}: load", unit="s", leave=False):
            time.sleep(min(1, length))
        printed = process.communicate()[0]
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Load(**json.loads(printed), lasted=given.load_seconds)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that this share of all values does not exceed."""
    return sorted(values)[max(math.ceil(len(values) * share) - 1, 0)]


def report(found: dict[str, Load], head: str) -> str:
    """Return the tables and the targets, as Markdown."""
    rows = []
    for name, load in found.items():
        mark = " (with errors)" if load.errors else ""
        rows.append(
            [
                name,
                f"{format_number(load.rate)}{mark}",
                f"{len(load.errors)}",
                f"{load.core * 100:.0f} %",
            ]
        )
    text = markdown([head, "requests/s", "errors", "of a core for the clients"], rows)
    text += "".join(f"\n{line}\n" for line in error_lines(found))
    text += "\nClients and server share the machine's cores.\n"
    held = []
    if KALENDS in found:
        best = max((load.rate for name, load in found.items() if name in OTHERS), default=None)
        times = quotient(found[KALENDS].rate, best)
        held.append(
            verdict(f"requests/s: at least {TIMES} of the best peer", times, TIMES, at_least=True)
        )
        tails = tail_rows(found[KALENDS])
        text += "\n" + markdown(
            ["Kalends under load, ms", "median", "99 %", "99 % / median"], tails
        )
        held += [
            verdict(f"{kind} under load: 99 % / median under {TAIL}", tail(seconds), TAIL)
            for kind, seconds in found[KALENDS].seconds.items()
        ]
    held += [verdict(f"{name}: no errors", len(load.errors), 0) for name, load in found.items()]
    return text + "\n" + verdicts(held)


def tail(seconds: list[float]) -> float:
    """Return the ratio of the 99th percentile to the median."""
    return percentile(seconds, 0.99) / statistics.median(seconds)


def tail_rows(load: Load) -> list[list[str]]:
    """Return a row of times for each kind of request."""
    return [
        [
            f"{kind} ({len(load.seconds[kind]):,})",
            format_number(statistics.median(load.seconds[kind]) * 1000),
            format_number(percentile(load.seconds[kind], 0.99) * 1000),
            format_number(tail(load.seconds[kind]), " x"),
        ]
        for kind in KINDS
        if load.seconds.get(kind)
    ]


def error_lines(found: dict[str, Load]) -> list[str]:
    """Return a line for each of the most frequent errors, with its count."""
    return [
        f"{name}: {count} times {error}"
        for name, load in found.items()
        for error, count in Counter(load.errors).most_common(3)
    ]
