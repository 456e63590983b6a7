"""Asks several servers the same in turns, so that noise hits each alike."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from tqdm import tqdm

from bench.operations import WRITING, Operation, Session

BURST_SECONDS = 0.5  # in each round a server is asked the same again until this is spent …
BURST_TIMES = 40  # … or so many times


def measure(
    sessions: dict[str, Session], operations: Sequence[Operation], rounds: int
) -> Iterator[tuple[str, str, float]]:
    """Yield server, operation and seconds, asking the servers in turns."""
    steps = list(groups(operations))
    with tqdm(total=rounds * len(steps), unit="step", desc="measuring") as bar:
        for number in range(rounds + 1):  # the first round warms, and is thrown away
            for group in steps:
                for sample in in_turns(sessions, group, once=number == 0):
                    if number:
                        yield sample
                if number:
                    bar.update()


def groups(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    """Yield operations that belong together (what one stores the next changes), else one each."""
    for kind in dict.fromkeys(operation.kind for operation in operations if operation.kind):
        yield [operation for operation in WRITING if operation.kind == kind]
    yield from ([operation] for operation in operations if not operation.kind)


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
                yield name, operation.key, operation.take(sessions[name])
            spent[name] += time.perf_counter() - before
