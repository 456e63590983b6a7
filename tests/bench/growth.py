"""The section `growth`: comparison of Kalends with few events and with very many."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import Any

from bench.events import grown
from bench.interleave import measure
from bench.operations import OPERATIONS, UnexpectedAnswerError, selected
from bench.peers import Kalends
from bench.servers import KALENDS, SMALL, serving
from bench.targets import Medians, Target, Times, format_number, markdown, verdicts

KEYS = ("ctag", "home", "put", "overwrite", "delete", "change", "month", "multiget")
BOUND = 1.5


def run(given: argparse.Namespace, folder: Path) -> tuple[str, dict[str, Any]]:
    """Return the tables, and all times.

    The large calendar begins with the events of the small one; all others are in other years, so
    that the requested month has the same events in both.
    """
    operations = selected(given.only, KEYS)
    sizes = {SMALL: given.small, KALENDS: given.growth}
    with contextlib.ExitStack() as stack:
        sessions = {}
        for name, size in sizes.items():
            own = folder / str(size)
            own.mkdir()
            peer = Kalends(f"Kalends, {size:,} events", own)
            wanted = list(grown(given.small, size))
            sessions[name] = stack.enter_context(serving(peer, wanted))
        times: Times = {name: {} for name in sessions}
        for name, key, seconds in measure(sessions, operations, given.repeat):
            times[name].setdefault(key, []).append(seconds)
        hits = {name: session.hits for name, session in sessions.items()}
    if hits[SMALL] != hits[KALENDS]:
        raise UnexpectedAnswerError(f"the month holds {hits[SMALL]} and {hits[KALENDS]} events")
    text = report(Medians(times), given.small, given.growth)
    return text, {"sizes": sizes, "hits in the month": hits[SMALL], "seconds": times}


def report(medians: Medians, small: int, large: int) -> str:
    """Return the table of medians and the targets, as Markdown."""
    rows = [
        [
            operation.title,
            format_number(medians.of(SMALL, operation.key)),
            format_number(medians.of(KALENDS, operation.key)),
            format_number(medians.ratio(KALENDS, SMALL, operation.key), " x"),
        ]
        for operation in OPERATIONS
        if operation.key in KEYS
    ]
    head = ["Kalends, ms", f"{small:,} events", f"{large:,} events", "growth"]
    return markdown(head, rows) + "\n" + verdicts(each.verdict(medians) for each in TARGETS)


def _target(key: str, title: str) -> Target:
    return Target(
        f"{title}: with very many events within {BOUND:g} times",
        lambda medians: medians.ratio(KALENDS, SMALL, key),
        BOUND,
    )


TARGETS = tuple(_target(each.key, each.title) for each in OPERATIONS if each.key in KEYS)
