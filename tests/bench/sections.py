"""Command line of the benchmark, which selects the sections and their sizes."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import account, attacks, compare, feeds, growth, load, page, whole
from bench.operations import OPERATIONS
from bench.servers import SERVERS, report_progress

SECTIONS: dict[str, Callable[[argparse.Namespace, Path], tuple[str, dict[str, Any]]]] = {
    "requests": compare.run,
    "growth": growth.run,
    "load": load.run,
    "account": account.run,
    "page": page.run,
    "feeds": feeds.run,
    "whole": whole.run,
    "attacks": attacks.run,
}


def options(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Compare Kalends with stock Radicale, Xandikos and Cyrus with the same data.",
        epilog="Radicale and Xandikos have environments of their own below .venv-bench/, created "
        "on first use; Cyrus is Debian's package, installed on first use by root.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--sections", nargs="+", choices=[*SECTIONS], default=[*SECTIONS], help="what to run")
    add("--only", nargs="+", metavar="NAME", default=[], help="only these servers and requests")
    add("--events", type=int, default=10_000, help="requests: in the calendar")
    add("--small", type=int, default=1000, help="requests, growth: in the small calendar")
    add("--repeat", type=int, default=5, help="requests, growth: rounds of measuring")
    add("--growth", type=int, default=100_000, metavar="N", help="growth: in the large calendar")
    add("--load-events", type=int, default=1000, metavar="N", help="load: in the calendar")
    add("--load-clients", type=int, default=50, metavar="N", help="load: clients at once")
    add("--load-seconds", type=float, default=20, metavar="S", help="load: measured")
    add("--load-warm-up", type=float, default=5, metavar="S", help="load: before that")
    add("--account-events", type=int, default=10_000, metavar="N", help="account: in the calendar")
    add("--account-repeat", type=int, default=3, metavar="N", help="account: first starts")
    add("--page-calendars", type=int, default=100, metavar="N", help="page: in the feed")
    add("--page-events", type=int, default=1000, metavar="N", help="page: in each calendar")
    add("--page-repeat", type=int, default=40, metavar="N", help="page: rounds of measuring")
    add("--feed-calendars", type=int, default=100, metavar="N", help="feeds: of the large feed")
    add("--feed-events", type=int, default=1000, metavar="N", help="feeds: in each calendar")
    add(
        "--feed-ten-events", type=int, default=500, metavar="N", help="feeds: in the ten small ones"
    )
    add("--feed-repeat", type=int, default=20, metavar="N", help="feeds: writes to measure")
    add("--feed-burst", type=int, default=2000, metavar="N", help="feeds: PUTs in the burst")
    add("--feed-asked", type=int, default=200, metavar="N", help="feeds: 304s, and PUTs in turn")
    add("--whole-repeat", type=int, default=40, metavar="N", help="whole: rounds of measuring")
    add("--attacks", nargs="+", metavar="TEXT", default=[""], help="attacks: titles with TEXT")
    add("--json", type=Path, metavar="FILE", help="write everything measured to FILE")
    given = parser.parse_args(arguments)
    known = [*SERVERS, *(operation.key for operation in OPERATIONS)]
    for name in given.only:
        if name not in known:
            parser.error(f"--only knows {', '.join(map(repr, known))}, not {name!r}")
    return given


def machine() -> str:
    """Return a description of the machine, on which the figures depend."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def main(arguments: list[str] | None = None) -> int:
    """Run the sections in turn and print the results of each."""
    given = options(arguments)
    found: dict[str, Any] = {"machine": machine()}
    sys.stdout.write(f"Measured on {machine()}.\n")
    for name in given.sections:
        report_progress(f"section {name}")
        with tempfile.TemporaryDirectory(prefix="kalends-bench-") as folder:
            text, found[name] = SECTIONS[name](given, Path(folder))
        sys.stdout.write(f"\n## {name}\n\n{text}")
        sys.stdout.flush()
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0
