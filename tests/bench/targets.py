"""Targets, and their verdicts by the measurements."""

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
        """Return the median in milliseconds, or None if nothing was measured."""
        taken = self.times.get(server, {}).get(operation)
        return statistics.median(taken) * 1000 if taken else None

    def best(self, servers: Iterable[str], operation: str) -> float | None:
        """Return the smallest of these servers' medians in milliseconds."""
        found = [self.of(server, operation) for server in servers]
        return min((value for value in found if value is not None), default=None)

    def ratio(self, one: str, other: str, operation: str) -> float | None:
        """Return the ratio of the first server's median to that of the second."""
        return quotient(self.of(one, operation), self.of(other, operation))


def quotient(one: float | None, other: float | None) -> float | None:
    """Return the quotient, or None if either value is missing or zero."""
    return one / other if one and other else None


def format_number(value: float | None, unit: str = "") -> str:
    """Return a number with about three digits, or a dash."""
    if value is None:
        return "-"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f}{unit}"


def verdict(text: str, value: float | None, bound: float, *, at_least: bool = False) -> str:
    """Return a table row: the target, the measured value, and the verdict."""
    if value is None:
        return f"| {text} | - | not measured |"
    holds = value >= bound if at_least else value <= bound
    return f"| {text} | {format_number(value)} | {'holds' if holds else 'DOES NOT HOLD'} |"


@dataclass(frozen=True)
class Target:
    """A target for a value of the medians, which is an upper bound, or a lower one."""

    text: str
    value: Callable[[Medians], float | None]
    bound: float
    at_least: bool = False

    def verdict(self, medians: Medians) -> str:
        """Return a table row: the target, the measured value, and the verdict."""
        return verdict(self.text, self.value(medians), self.bound, at_least=self.at_least)


def markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    """Return a Markdown table with words in the first column and numbers in the others."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def verdicts(rows: Iterable[str]) -> str:
    """Return rows of `verdict` as a Markdown table."""
    return "\n".join(["| target | measured | |", "|---|---:|---|", *rows]) + "\n"
