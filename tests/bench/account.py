"""The section `account`: the first synchronisation of a calendar by Thunderbird.

It requests the calendar's properties, lists all names and etags (sync-collection without a token),
and then fetches everything, 100 events in each request.
"""

from __future__ import annotations

import argparse
import re
import statistics
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench.events import events
from bench.operations import MULTIGET, Session, UnexpectedAnswerError
from bench.servers import KALENDS, OTHERS, chosen, make, serving
from bench.targets import format_number, markdown, quotient, verdict, verdicts

AT_A_TIME = 100
BOUND = 1 / 3
CALENDAR = """<propfind xmlns="DAV:" xmlns:CS="http://calendarserver.org/ns/"
xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><resourcetype/><owner/><displayname/>
<current-user-principal/><current-user-privilege-set/><supported-report-set/>
<C:supported-calendar-component-set/><CS:getctag/></prop></propfind>"""
LISTING = """<sync-collection xmlns="DAV:"><sync-token/><sync-level>1</sync-level><prop>
<getcontenttype/><getetag/></prop></sync-collection>"""


def run(given: argparse.Namespace, folder: Path) -> tuple[str, dict[str, Any]]:
    """Return the tables, and the seconds of each server, which runs alone."""
    generated = list(events(given.account_events))
    seconds: dict[str, list[float]] = {}
    for name in chosen(given.only, (*OTHERS, KALENDS)):
        with serving(make(name, folder), generated) as session:
            seconds[name] = [
                first_start(session, len(generated)) for _ in range(given.account_repeat)
            ]
    return report(seconds, given.account_events), {
        "events": given.account_events,
        "seconds": seconds,
    }


def first_start(session: Session, expected: int) -> float:
    """Fetch everything; return the seconds of the requests, without the client's own work."""
    calendar = session.peer.calendar
    taken = session.ask("PROPFIND", calendar, CALENDAR, "0")[0]
    seconds, data = session.ask("REPORT", calendar, LISTING, "1")
    taken += seconds
    found = re.findall(r"href>([^<]+\.ics)</", data.decode())
    if len(found) != expected:
        raise UnexpectedAnswerError(f"{session.peer.name} lists {len(found)}, not {expected}")
    received = 0
    starts = range(0, len(found), AT_A_TIME)
    for start in tqdm(starts, desc=session.peer.name, unit="request", leave=False):
        hrefs = "".join(f"<href>{href}</href>" for href in found[start : start + AT_A_TIME])
        seconds, data = session.ask("REPORT", calendar, MULTIGET.format(hrefs), "1")
        taken += seconds
        received += data.count(b"BEGIN:VCALENDAR")
    if received != expected:
        raise UnexpectedAnswerError(f"{session.peer.name} sends {received}, not {expected}")
    return taken


def report(seconds: dict[str, list[float]], count: int) -> str:
    """Return the table and the target, as Markdown."""
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    best = min((medians[name] for name in OTHERS if name in medians), default=None)
    share = quotient(medians.get(KALENDS), best)
    head = [f"first start of an account, {count:,} events, s", *medians, "Kalends / best peer"]
    row = ["PROPFIND, sync-collection, multiget of all", *map(format_number, medians.values())]
    text = "first start of an account: at most a third of the best peer's time"
    return "\n".join(
        [
            markdown(head, [[*row, format_number(share, " x")]]),
            verdicts([verdict(text, share, BOUND)]),
        ]
    )
