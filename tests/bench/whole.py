"""The section `whole`: GET of a whole calendar, as a program subscribes to it."""

from __future__ import annotations

import argparse
import http.client
import statistics
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench.events import events
from bench.load import percentile
from bench.operations import Session, UnexpectedAnswerError
from bench.peers import Kalends, Peer
from bench.servers import serving
from bench.subscriber import fetch
from bench.targets import verdict, verdicts

Found = dict[str, Any]


def run(given: argparse.Namespace, folder: Path) -> tuple[str, Found]:
    """Return the targets and the measurements."""
    peer = Kalends("Kalends", folder)
    with serving(peer, list(events(given.events))) as session:
        first = fetch(peer.port, peer.calendar, peer.headers)
        found: Found = {"events": given.events, "from scratch": first.whole}
        for kind in ("unchanged", "changed", "whole", "304", "ctag"):
            found[kind] = []
        for _ in tqdm(range(given.whole_repeat), desc="whole calendars", leave=False):
            _measure(session, found)
    return report(found), found


def _measure(session: Session, found: Found) -> None:
    """Measure a GET without and after a change, its 304, and a ctag for comparison."""
    peer = session.peer
    found["unchanged"].append(fetch(peer.port, peer.calendar, peer.headers).first)
    session.put_new()
    fetched = fetch(peer.port, peer.calendar, peer.headers)
    if f"UID:bench-{session.written}".encode() not in fetched.body:
        raise UnexpectedAnswerError(f"the calendar (status {fetched.status}) is behind")
    found["changed"].append(fetched.first)
    found["whole"].append(fetched.whole)
    headers = {**peer.headers, "If-None-Match": _etag(peer)}
    began = time.perf_counter()
    reply = session.connection.ask("GET", peer.calendar, headers)
    found["304"].append(time.perf_counter() - began)
    if reply.status != 304:
        raise UnexpectedAnswerError(f"a known calendar was answered {reply.status}")
    found["ctag"].append(session.ctag())


def _etag(peer: Peer) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", peer.port)
    connection.request("HEAD", peer.calendar, headers=peer.headers)
    etag = connection.getresponse().getheader("ETag") or ""
    connection.close()
    return etag


def report(found: Found) -> str:
    """Return the targets and their verdicts as a Markdown table."""
    name = f"a calendar of {found['events']:,} events"
    extra = statistics.median(found["304"]) - statistics.median(found["ctag"])
    rows = [
        verdict(
            f"{name}: first octet within 20 ms (95 of 100)",
            percentile(found["unchanged"], 0.95) * 1000,
            20,
        ),
        verdict(
            f"{name} after one PUT: first octet within 50 ms (95 of 100)",
            percentile(found["changed"], 0.95) * 1000,
            50,
        ),
        verdict("304: at most 0.5 ms more than a ctag", extra * 1000, 0.5),
    ]
    first = f"\nComposed from scratch in {found['from scratch']:.1f} s.\n"
    return verdicts(rows) + first
