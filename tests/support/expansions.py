"""Expansion of a calendar's occurrences by two independent libraries.

An occurrence is (start, end, summary); times are text: a date, a floating time, or UTC with a Z.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import warnings
from collections import Counter
from pathlib import Path
from typing import Self

import icalendar
import recurring_ical_events

FROM, UNTIL = dt.date(2026, 1, 1), dt.date(2028, 1, 1)
"""The two years that are expanded, unless a test names others."""

SCRIPT = Path(__file__).resolve().parents[1] / "js" / "occurrences.mjs"

Occurrences = Counter[tuple[str, str, str]]


def expand_with_icalendar(text: str, first: dt.date = FROM, until: dt.date = UNTIL) -> Occurrences:
    """Return the occurrences according to icalendar and recurring_ical_events."""
    icalendar.use_zoneinfo()  # type: ignore[no-untyped-call]  # forgets the zones of other texts
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", icalendar.error.GloballyUniqueTZIDGuessed)
        calendar = icalendar.Calendar.from_ical(text)
    found: Occurrences = Counter()
    for part in recurring_ical_events.of(calendar).between(first, until):
        start, end = part["DTSTART"].dt, part["DTEND"].dt
        if first.isoformat() <= iso_time(start) < until.isoformat():
            found[iso_time(start), iso_time(end), str(part.get("SUMMARY", ""))] += 1
    return found


def iso_time(value: dt.date | dt.datetime) -> str:
    """Return a day, a floating time or a UTC time in the format that our ical.js scripts write."""
    if not isinstance(value, dt.datetime):
        return value.isoformat()
    if value.tzinfo is None:
        return value.isoformat(timespec="seconds")
    utc = value.astimezone(dt.UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="seconds") + "Z"


class IcalJs:
    """A process with ical.js that expands one text after another.

    Args:
        first: the first day that is expanded.
        until: the day after the last.
    """

    def __init__(self, first: dt.date = FROM, until: dt.date = UNTIL) -> None:
        self._days = [first.isoformat(), until.isoformat()]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["node", str(SCRIPT), *self._days],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=SCRIPT.parent,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def __call__(self, text: str) -> Occurrences:
        """Return the occurrences according to ical.js."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(text) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert isinstance(answer, list), answer
        return Counter((start, end, summary or "") for start, end, summary in answer)
