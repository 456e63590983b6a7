"""Of which UIDs a feed may look otherwise than in the version before: pure, over a snapshot."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from kalends.feeds.compose.part_index import PartIndex
from kalends.store.feed_queries import CalendarState, FeedSnapshot


class ComposedCalendar(NamedTuple):
    """How a calendar stood in a version; its change numbers count within one incarnation."""

    path: str
    incarnation: str
    modseq: int


def serialize_calendars(calendars: Iterable[CalendarState]) -> str:
    """How calendars stand now, as text for the next version."""
    return json.dumps({c.id: [c.path, c.incarnation, c.modseq] for c in calendars})


def changed_uids(
    snapshot: FeedSnapshot,
    parts: PartIndex,
    before: str,
    calendars: Mapping[int, CalendarState],
    today: date,
) -> set[str] | None:
    """The UIDs in question, those of calendars that came or left among them.

    Args:
        snapshot: the store now.
        parts: what the version before consists of.
        before: what `serialize_calendars` said of its calendars.
        calendars: what the feed merges now, by number.
        today: the UTC date.

    Returns:
        The UIDs; None if they cannot be told any more.
    """
    uids = set(parts.uids_leaving(today))
    stood = {int(number): ComposedCalendar(*state) for number, state in json.loads(before).items()}
    for number, (path, incarnation, modseq) in stood.items():
        now = calendars.get(number)
        if now is None or (now.path, now.incarnation) != (path, incarnation):
            uids.update(parts.uids_in_calendar(path, number))
        elif now.modseq != modseq:
            if modseq < snapshot.oldest_change(number):
                return None
            uids.update(snapshot.uids_changed_since(number, modseq))
            uids.update(snapshot.uids_removed_since(number, modseq))
    for number, now in calendars.items():
        then = stood.get(number)
        if then is None or (now.path, now.incarnation) != (then.path, then.incarnation):
            uids.update(snapshot.uids(number))
    return uids
