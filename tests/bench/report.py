"""The measured times as a table with ratios, and against the targets."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from bench.operations import OPERATIONS

Times = dict[str, dict[str, list[float]]]  # server -> operation -> seconds

RADICALE = "Radicale"
XANDIKOS = "Xandikos"
KALENDS = "Kalends"
SMALL = "Kalends, small"
FEEDLESS = "Kalends, no feeds"


@dataclass(frozen=True)
class Medians:
    """The median of each server's times for each operation, milliseconds."""

    times: Times

    def of(self, server: str, operation: str) -> float | None:
        """Return the median in milliseconds, or None where nothing was measured."""
        taken = self.times.get(server, {}).get(operation)
        return statistics.median(taken) * 1000 if taken else None

    def ratio(self, one: str, other: str, operation: str) -> float | None:
        """Return how many times as long the first server takes as the second."""
        first, second = self.of(one, operation), self.of(other, operation)
        return first / second if first and second else None


def shown(value: float | None, unit: str = "") -> str:
    """Return a number with about three digits, or a dash."""
    if value is None:
        return "-"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f}{unit}"


def table(medians: Medians, count: int, small: int) -> str:
    """Return the table of medians in milliseconds, as Markdown."""
    head = [
        f"{count:,} events in one calendar, ms",
        "Radicale 3.9.0",
        "Xandikos 0.4.10",
        "Kalends",
        "Radicale / Kalends",
        f"Kalends, {small:,} events",
        "growth",
        "Kalends, no feeds",
    ]
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    for operation in OPERATIONS:
        key = operation.key
        cells = [
            operation.title,
            shown(medians.of(RADICALE, key)),
            shown(medians.of(XANDIKOS, key)),
            shown(medians.of(KALENDS, key)),
            shown(medians.ratio(RADICALE, KALENDS, key), " x"),
            shown(medians.of(SMALL, key)),
            shown(medians.ratio(KALENDS, SMALL, key), " x"),
            shown(medians.of(FEEDLESS, key)),
        ]
        if any(cell != "-" for cell in cells[1:]):
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Target:
    """What must hold: a measured value, and the bound on its side of it."""

    text: str
    value: Callable[[Medians], float | None]
    bound: float
    at_least: bool

    def verdict(self, medians: Medians) -> str:
        """Return a table row: the target, what was measured, and whether it holds."""
        value = self.value(medians)
        if value is None:
            return f"| {self.text} | - | not measured |"
        holds = value >= self.bound if self.at_least else value <= self.bound
        return f"| {self.text} | {shown(value)} | {'holds' if holds else 'DOES NOT HOLD'} |"


def _faster(operation: str, title: str, times: float) -> Target:
    return Target(
        f"{title}: at most 1/{times:.0f} of Radicale's time",
        lambda medians: medians.ratio(RADICALE, KALENDS, operation),
        times,
        at_least=True,
    )


def _flat(operation: str, title: str) -> Target:
    return Target(
        f"{title}: the same at both sizes within 1.3",
        lambda medians: medians.ratio(KALENDS, SMALL, operation),
        1.3,
        at_least=False,
    )


def _feed_growth(medians: Medians) -> float | None:
    """How much longer PUT-then-feed takes at the large size, each without the copy of its feed."""
    costs = []
    for server in (KALENDS, SMALL):
        both, copy = medians.of(server, "feed"), medians.of(server, "copy")
        if both is None or copy is None:
            return None
        costs.append(max(both - copy, 0.001))
    return costs[0] / costs[1]


_TITLES = {operation.key: operation.title for operation in OPERATIONS}
_TWENTIETH = ("put", "ctag", "home", "change", "feed")
_EIGHTH = ("overwrite", "delete")

TARGETS = (
    *(_faster(key, _TITLES[key], 20) for key in _TWENTIETH),
    *(_faster(key, _TITLES[key], 8) for key in _EIGHTH),
    *(_flat(key, _TITLES[key]) for key in (*_TWENTIETH[:-1], *_EIGHTH)),
    Target(
        f"{_TITLES['feed']}: without its copy, the same at both sizes within 1.3",
        _feed_growth,
        1.3,
        at_least=False,
    ),
    Target(
        "PUT of a new event: with feeds at most 1.1 times as long as without",
        lambda medians: medians.ratio(KALENDS, FEEDLESS, "put"),
        1.1,
        at_least=False,
    ),
)


def targets(medians: Medians) -> str:
    """Return the targets as a Markdown table."""
    lines = ["| target | measured | |", "|---|---:|---|"]
    return "\n".join([*lines, *(target.verdict(medians) for target in TARGETS)]) + "\n"
