"""Interleaved measurement of several servers, so that noise affects all of them alike."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from tqdm import tqdm

from bench.operations import WRITING, Operation, Session

BURST_SECONDS = 0.5  # in each round, a server gets the same request until this time is spent …
BURST_TIMES = 40  # … or this many times


def measure(
    sessions: dict[str, Session], operations: Sequence[Operation], rounds: int
) -> Iterator[tuple[str, str, float]]:
    """Yield server, operation and seconds; the servers are asked in turn."""
    steps = list(groups(operations))
    with tqdm(total=rounds * len(steps), unit="step", desc="measuring") as bar:
        for number in range(rounds + 1):  # the first round fills caches and is not counted
            for group in steps:
                for sample in ask_in_turn(sessions, group, once=number == 0):
                    if number:
                        yield sample
                if number:
                    bar.update()


def groups(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    """Yield groups of operations; those of a group use the event that the first has stored."""
    for kind in dict.fromkeys(operation.kind for operation in operations if operation.kind):
        yield [operation for operation in WRITING if operation.kind == kind]
    yield from ([operation] for operation in operations if not operation.kind)


def ask_in_turn(
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
        first = turn % len(left) if left else 0  # so that no server always follows a slow one
        for name in (*left[first:], *left[:first]):
            before = time.perf_counter()
            for operation in group:
                yield name, operation.key, operation.take(sessions[name])
            spent[name] += time.perf_counter() - before
