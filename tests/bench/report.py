"""Table of the time of each request on each server, and its targets."""

from __future__ import annotations

from bench import cyrus
from bench.operations import OPERATIONS, WRITING
from bench.servers import CYRUS, EMPTY, FEEDLESS, KALENDS, OTHERS, RADICALE, SMALL, XANDIKOS
from bench.targets import Medians, Target, format_number, markdown, quotient, verdicts


def table(medians: Medians, count: int, small: int) -> str:
    """Return the table of medians in milliseconds, as Markdown."""
    head = [f"{count:,} events in one calendar, ms"]
    head += [
        "Radicale 3.9.0",
        "Xandikos 0.4.10",
        f"Cyrus {cyrus.version()}" if CYRUS in medians.times else "Cyrus",
        "Kalends",
    ]
    head += ["Kalends / best peer", "Kalends / empty answer"]
    head += [f"Kalends, {small:,} events", "growth", "Kalends, no feeds"]
    rows = []
    for operation in OPERATIONS:
        key = operation.key
        cells = [
            format_number(medians.of(RADICALE, key)),
            format_number(medians.of(XANDIKOS, key)),
            format_number(medians.of(CYRUS, key)),
            format_number(medians.of(KALENDS, key)),
            format_number(_of_best(medians, key), " x"),
            format_number(medians.ratio(KALENDS, EMPTY, key), " x"),
            format_number(medians.of(SMALL, key)),
            format_number(medians.ratio(KALENDS, SMALL, key), " x"),
            format_number(medians.of(FEEDLESS, key)),
        ]
        if any(cell != "-" for cell in cells):
            rows.append([operation.title, *cells])
    return markdown(head, rows)


def _of_best(medians: Medians, key: str) -> float | None:
    return quotient(medians.of(KALENDS, key), medians.best(OTHERS, key))


def _against_best(key: str, bound: float) -> Target:
    return Target(
        f"{_TITLES[key]}: at most {bound:g} of the best peer's time",
        lambda medians: _of_best(medians, key),
        bound,
    )


def _faster(key: str, times: float) -> Target:
    return Target(
        f"{_TITLES[key]}: at most 1/{times:.0f} of Radicale's time",
        lambda medians: medians.ratio(RADICALE, KALENDS, key),
        times,
        at_least=True,
    )


def _flat(key: str) -> Target:
    return Target(
        f"{_TITLES[key]}: the same at both sizes within 1.3",
        lambda medians: medians.ratio(KALENDS, SMALL, key),
        1.3,
    )


def _feed_growth(medians: Medians) -> float | None:
    """Return the ratio of PUT-then-feed at the large size to that at the small size.

    Both are without the time of a copy of the feed.
    """
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
_OF_BEST = {"ctag": 0.5, "home": 0.5, "change": 0.3, "sync": 0.4, "etags": 0.4}
_OF_BEST |= {"month": 0.2, "multiget": 0.4, "get": 0.5}

TARGETS = (
    *(_against_best(operation.key, 0.5) for operation in WRITING),
    *(_against_best(key, bound) for key, bound in _OF_BEST.items()),
    *(_faster(key, 20) for key in _TWENTIETH),
    *(_faster(key, 8) for key in _EIGHTH),
    *(_flat(key) for key in (*_TWENTIETH[:-1], *_EIGHTH)),
    Target(
        f"{_TITLES['feed']}: without its copy, the same at both sizes within 1.3",
        _feed_growth,
        1.3,
    ),
    Target(
        "PUT of a new event: with feeds at most 1.1 times as long as without",
        lambda medians: medians.ratio(KALENDS, FEEDLESS, "put"),
        1.1,
    ),
)


def targets(medians: Medians) -> str:
    """Return the targets as a Markdown table."""
    return verdicts(target.verdict(medians) for target in TARGETS)
