"""What must hold, and whether it does by what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Times = dict[str, dict[str, list[float]]]  # server -> operation -> seconds


@dataclass(frozen=True)
class Medians:
    """The median of each server's times for each operation, milliseconds."""

    times: Times

    def of(self, server: str, operation: str) -> float | None:
        """Return the median in milliseconds, or None where nothing was measured."""
        taken = self.times.get(server, {}).get(operation)
        return statistics.median(taken) * 1000 if taken else None

    def best(self, servers: Iterable[str], operation: str) -> float | None:
        """Return the smallest of these servers' medians in milliseconds."""
        found = [self.of(server, operation) for server in servers]
        return min((value for value in found if value is not None), default=None)

    def ratio(self, one: str, other: str, operation: str) -> float | None:
        """Return how many times as long the first server takes as the second."""
        return quotient(self.of(one, operation), self.of(other, operation))


def quotient(one: float | None, other: float | None) -> float | None:
    """Divide, or return None where either is not there or nothing."""
    return one / other if one and other else None


def shown(value: float | None, unit: str = "") -> str:
    """Return a number with about three digits, or a dash."""
    if value is None:
        return "-"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f}{unit}"


def verdict(text: str, value: float | None, bound: float, *, at_least: bool = False) -> str:
    """Return a table row: the target, what was measured, and whether it holds."""
    if value is None:
        return f"| {text} | - | not measured |"
    holds = value >= bound if at_least else value <= bound
    return f"| {text} | {shown(value)} | {'holds' if holds else 'DOES NOT HOLD'} |"


@dataclass(frozen=True)
class Target:
    """What must hold of medians: a measured value, and the bound on its side of it."""

    text: str
    value: Callable[[Medians], float | None]
    bound: float
    at_least: bool = False

    def verdict(self, medians: Medians) -> str:
        """Return a table row: the target, what was measured, and whether it holds."""
        return verdict(self.text, self.value(medians), self.bound, at_least=self.at_least)


def markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    """Return a Markdown table whose first column holds words and whose others hold numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def verdicts(rows: Iterable[str]) -> str:
    """Return rows of `verdict` as a Markdown table."""
    return "\n".join(["| target | measured | |", "|---|---:|---|", *rows]) + "\n"
