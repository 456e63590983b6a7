"""The section `requests`: the time of each request on all servers, which are asked in turn."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import Any

from bench.events import events
from bench.interleave import measure
from bench.operations import OPERATIONS, selected
from bench.report import table, targets
from bench.servers import EMPTY, SMALL, chosen, make, serving
from bench.targets import Medians, Times, format_number

TARGET_EVENTS = 10_000


def run(given: argparse.Namespace, folder: Path) -> tuple[str, dict[str, Any]]:
    """Return the tables, and all times."""
    generated = list(events(given.events))
    with contextlib.ExitStack() as stack:
        sessions = {}
        for name in chosen(given.only):
            wanted = generated[: given.small] if name == SMALL else generated
            sessions[name] = stack.enter_context(serving(make(name, folder), wanted))
        times: Times = {name: {} for name in sessions}
        for name, key, seconds in measure(sessions, selected(given.only), given.repeat):
            times[name].setdefault(key, []).append(seconds)
    medians = Medians(times)
    text = table(medians, given.events, given.small) + "\n" + empty_line(medians)
    text += f"Medians of {given.repeat} rounds, one client, all servers running.\n\n"
    text += targets(medians)
    if given.events != TARGET_EVENTS:
        text += f"\nThe targets are meant for {TARGET_EVENTS:,} events.\n"
    return text, {"events": given.events, "small": given.small, "seconds": times}


def empty_line(medians: Medians) -> str:
    """Return a sentence about the time of the empty answer, measured beside every request."""
    found = [medians.of(EMPTY, operation.key) for operation in OPERATIONS]
    taken = sorted(value for value in found if value is not None)
    if not taken:
        return ""
    least, most = format_number(taken[0]), format_number(taken[-1])
    return (
        f"An empty answer of the same web server takes {least} to {most} ms, depending on the "
        "requests beside it. "
    )
