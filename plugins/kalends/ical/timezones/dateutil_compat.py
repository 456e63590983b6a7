"""The private attribute of dateutil that Kalends uses; a test checks it in the pinned version."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

OBSERVANCES = "_comps"
"""The attribute in which dateutil keeps the STANDARD and DAYLIGHT parts of a VTIMEZONE it read.

A part has ``tzoffsetto`` (a timedelta), ``isdst`` and ``rrule``, its onsets in local time.
"""


def observances_of(zone: tzinfo) -> list[Any]:
    """Return the parts of a time zone that dateutil has read; none for any other."""
    return getattr(zone, OBSERVANCES, None) or []
