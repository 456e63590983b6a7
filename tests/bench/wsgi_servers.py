"""Comparison of WSGI servers: their features and their speed.

    python tests/bench/wsgi_servers.py [--only NAME ...] [--facts | --figures]

Each candidate has an environment of its own below .venv-bench/, created on first use. The first
table has features, each tested on the running server; the second has figures, each a median.
"""

from __future__ import annotations

import argparse
import selectors
import socket
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.wsgi_facts import STALLS, facts
from bench.wsgi_start import CANDIDATES, Candidate, Plan, answer, connect, request, running, tcp


def latency(listener: str, octets: bytes, times: int) -> float:
    """Return the median seconds of one request on a kept-alive connection."""
    with connect(listener) as sock:
        taken = []
        for _ in range(times + 50):
            start = time.perf_counter()
            sock.sendall(octets)
            answer(sock)
            taken.append(time.perf_counter() - start)
    return statistics.median(taken[50:])


def throughput(listener: str, connections: int, seconds: float) -> float:
    """Return answers per second over several connections, each with one pending request."""
    octets = request("PROPFIND", "/")
    done = 0
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            sock = connect(listener)
            sock.sendall(octets)
            selector.register(sock, selectors.EVENT_READ)
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            for key, _ in selector.select(1):
                assert isinstance(key.fileobj, socket.socket)
                answer(key.fileobj)
                done += 1
                key.fileobj.sendall(octets)
        taken = time.perf_counter() - start
        for key in list(selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
    return done / taken


def beside_slow(listener: str, octets: bytes, clients: int) -> str:
    """Return the milliseconds of a request while other clients have unfinished requests."""
    slow = [connect(listener) for _ in range(clients)]
    for sock in slow:
        sock.sendall(octets)
    time.sleep(0.3)
    taken = []
    try:
        for _ in range(20):
            start = time.perf_counter()
            with connect(listener) as sock:
                sock.settimeout(20)
                sock.sendall(request("PROPFIND", "/"))
                answer(sock)
            taken.append(time.perf_counter() - start)
    except OSError:
        return "blocked > 20 s"
    finally:
        for sock in slow:
            sock.close()
    return f"{statistics.median(taken) * 1000:.2f} (max {max(taken) * 1000:.0f})"


def figures(candidate: Candidate) -> dict[str, str]:
    """Measure one worker's latency, two workers' throughput, and the effect of slow clients."""
    found = {}
    with running(candidate, plan := Plan((tcp(),))):
        listener = plan.listeners[0]
        empty = latency(listener, request("PROPFIND", "/"), 3000) * 1000
        found["empty PROPFIND, ms"] = f"{empty:.2f}"
        found["1 MB answer, ms"] = f"{latency(listener, request('GET', '/big'), 100) * 1000:.2f}"
    with running(candidate, replace(plan, workers=2)):
        found["16 connections, 2 workers, 1/s"] = f"{throughput(listener, 16, 4):.0f}"
    for clients, stall in ((1, "half a header"), (8, "half a header"), (8, "half a body")):
        with running(candidate, plan):
            beside = beside_slow(listener, STALLS[stall], clients)
        found[f"beside {clients} x {stall}, ms"] = beside
    return found


def table(rows: dict[str, dict[str, str]]) -> str:
    """Return a Markdown table with one column for each candidate."""
    lines = ["| | " + " | ".join(rows) + " |", "|---" * (len(rows) + 1) + "|"]
    lines += [
        f"| {name} | " + " | ".join(found[name] for found in rows.values()) + " |"
        for name in next(iter(rows.values()))
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    parser.add_argument("--facts", action="store_true", help="only the first table")
    parser.add_argument("--figures", action="store_true", help="only the second table")
    options = parser.parse_args()
    for wanted, collect in ((options.figures, facts), (options.facts, figures)):
        if not wanted:
            rows = {}
            for name in options.only:
                sys.stderr.write(f"{collect.__name__} of {name}\n")
                rows[name] = collect(CANDIDATES[name])
            sys.stdout.write(table(rows) + "\n")


if __name__ == "__main__":
    main()
