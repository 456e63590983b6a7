"""Difference between a snapshot and the previous version of a feed: the UIDs that changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from kalends.feeds.compose.part_index import PartIndex
from kalends.store.feed_queries import CalendarState, FeedSnapshot


class ComposedCalendar(NamedTuple):
    """State of a calendar in a version; a change number is valid within one incarnation."""

    path: str
    incarnation: str
    modseq: int


def serialize_calendars(calendars: Iterable[CalendarState]) -> str:
    """Return the states of calendars as text, for the next call of `changed_uids`."""
    return json.dumps({c.id: [c.path, c.incarnation, c.modseq] for c in calendars})


def changed_uids(
    snapshot: FeedSnapshot,
    parts: PartIndex,
    before: str,
    calendars: Mapping[int, CalendarState],
    today: date,
) -> set[str] | None:
    """Return the UIDs that may have changed in a feed since its previous version.

    Args:
        snapshot: the store now.
        parts: the parts of the previous version.
        before: the calendars of the previous version, from `serialize_calendars`.
        calendars: the calendars that the feed merges now, by id.
        today: the UTC date.

    Returns:
        The UIDs, with those of calendars that were added or removed; None if the store no longer
        knows all changes since then.
    """
    uids = set(parts.uids_leaving(today))
    previous = {
        int(number): ComposedCalendar(*state) for number, state in json.loads(before).items()
    }
    for number, (path, incarnation, modseq) in previous.items():
        now = calendars.get(number)
        if now is None or (now.path, now.incarnation) != (path, incarnation):
            uids.update(parts.uids_in_calendar(path, number))
        elif now.modseq != modseq:
            if modseq < snapshot.oldest_change(number):
                return None
            uids.update(snapshot.uids_changed_since(number, modseq))
            uids.update(snapshot.uids_removed_since(number, modseq))
    for number, now in calendars.items():
        then = previous.get(number)
        if then is None or (now.path, now.incarnation) != (then.path, then.incarnation):
            uids.update(snapshot.uids(number))
    return uids
