"""The section `attacks`: the cost of each request of each attack, in a worker of its own server."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench.targets import format_number, markdown, verdict, verdicts
from support.attacks import ATTACKS, Attacker
from support.attacks_model import Attack
from support.awaiting import await_that
from support.server import KalendsServer

MEGABYTE = 1 << 20
SECONDS_BOUND, LEFT_BOUND, PEAK_BOUND = 2, 20, 150
_TICKS = os.sysconf("SC_CLK_TCK")
_FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"
"""


@dataclass
class Cost:
    """The cost of an attack.

    Attributes:
        title: the attack.
        statuses: the status of each answer.
        seconds: the CPU time of its dearest request.
        peak: the most memory that a request needed beyond that at rest, in megabytes.
        left: the memory that the attack left occupied, in megabytes.
        died: True if a worker did not survive it.
    """

    title: str
    statuses: list[int]
    seconds: float = 0.0
    peak: float = 0.0
    left: float = 0.0
    died: bool = False


def run(given: argparse.Namespace, folder: Path) -> tuple[str, dict[str, Any]]:
    """Return the table and the targets, and the cost of each attack."""
    chosen = [attack for attack in ATTACKS if any(text in attack.title for text in given.attacks)]
    users = {"alice": "wonderland", "mallory": "mallory"}
    server = KalendsServer(folder / "server", users=users, feeds=_FEEDS, workers=1)
    with closing(server):
        for path in ("/mallory/", "/feeds/mallory.ics", "/feeds/mallory/"):
            server.request("GET", path, user="mallory")
        costs = list(measure(server, tqdm(chosen, desc="attacks", leave=False)))
    return report(costs), {"costs": [asdict(cost) for cost in costs]}


def measure(server: KalendsServer, attacks: Iterable[Attack]) -> Iterator[Cost]:
    """Yield the cost of each attack, one after the other."""
    attacker = Attacker(server.port)
    for attack in attacks:
        before = _worker(server.process.pid)
        cost = Cost(attack.title, [])
        at_rest = _resident(before)
        statuses = attacker.attack(attack)
        try:
            while True:
                _reset_peak(before)
                began = _cpu_seconds(before)
                status = next(statuses, None)
                if status is None:
                    break
                cost.statuses.append(status)
                cost.seconds = max(cost.seconds, _cpu_seconds(before) - began)
                cost.peak = max(cost.peak, _status(before, "VmHWM") - at_rest)
            cost.left = _resident(before) - at_rest
        except OSError:
            cost.died = True
        yield cost


def report(costs: list[Cost]) -> str:
    """Return the table and the targets, as Markdown."""
    head = ["attack", "CPU s", "peak MB", "left MB", "answers"]
    rows = [
        [
            cost.title,
            "worker died" if cost.died else format_number(cost.seconds),
            format_number(cost.peak),
            format_number(cost.left),
            " ".join(map(str, dict.fromkeys(cost.statuses))),
        ]
        for cost in costs
    ]
    worst = {
        "CPU seconds of the dearest request": (max(c.seconds for c in costs), SECONDS_BOUND),
        "megabytes at its peak": (max(c.peak for c in costs), PEAK_BOUND),
        "megabytes left by one attack": (max(c.left for c in costs), LEFT_BOUND),
        "workers that died": (sum(c.died for c in costs), 0),
    }
    targets = verdicts(verdict(text, value, bound) for text, (value, bound) in worst.items())
    return markdown(head, rows) + "\n" + targets


def _worker(master: int) -> int:
    """Return the process id of the worker, as soon as it runs."""

    def running() -> int | None:
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        runs = (pid for pid in map(int, children) if _runs(pid))
        return next(runs, None)

    return await_that(running)


def _runs(pid: int) -> bool:
    with suppress(OSError):
        return bool(_resident(pid))
    return False


def _status(pid: int, name: str) -> float:
    """Return a line of the process's status, in megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise FileNotFoundError(f"{name} of {pid}")  # a process that has ended has no such line


def _resident(pid: int) -> float:
    return _status(pid, "VmRSS")


def _reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
