"""Deduplication of the copies of one meeting in several calendars.

Copies with the same UID are one meeting if they have the same ORGANIZER, or if they have none and
are equal but for stamps and alarms; then one of them stays. Other copies all stay, so that nobody
can hide or replace the event of another person by using its UID.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256

from kalends.feeds.compose.stamps import last_modified
from kalends.feeds.compose.visibility import VisibleObject
from kalends.ical.contentlines import Component, Property

# The properties that may differ in copies of one meeting.
_INCIDENTAL = frozenset({"UID", "DTSTAMP", "LAST-MODIFIED", "CREATED", "SEQUENCE"})
# The form of the UIDs made here; a client's own UID of this form gets another UID.
_MADE = re.compile(r".*-[0-9a-f]{16}", re.DOTALL)


def deduplicate(copies: Iterable[VisibleObject]) -> list[VisibleObject]:
    """Return the copies of one UID that stay, each with its UID in the feed.

    Of one meeting, a copy with the series is preferred to one with single occurrences, then the
    one with the highest SEQUENCE, then LAST-MODIFIED, then DTSTAMP, then the first by path.
    """
    in_order = sorted(copies, key=lambda copy: copy.path)
    kept = [copy for copy in in_order if copy.is_private]
    for number, same in enumerate(_meetings([c for c in in_order if not c.is_private])):
        best = max(same, key=_recency)  # the first of equal ones
        uid = best.stored.uid
        if number or _MADE.fullmatch(uid):
            best.uid = f"{uid}-{sha256(same[0].path.encode()).hexdigest()[:16]}"
        kept.append(best)
    return kept


def _meetings(copies: Sequence[VisibleObject]) -> list[list[VisibleObject]]:
    if len(copies) < 2:
        return [[copy] for copy in copies]
    found: dict[str, list[VisibleObject]] = {}
    whole = {_organizer(copy) for copy in copies if _is_whole(copy)}
    for copy in copies:
        organizer = _organizer(copy)
        if organizer and (_is_whole(copy) or organizer in whole):
            found.setdefault(organizer, []).append(copy)
        else:
            # Copies with different occurrences of a series do not replace each other.
            same = _times(copy) if organizer else _content(copy)
            found.setdefault(f"{organizer}\n{same}", []).append(copy)
    return list(found.values())


def _organizer(copy: VisibleObject) -> str:
    # An occurrence that is shown as busy has no ORGANIZER.
    named = (component.value("ORGANIZER").strip().lower() for component in copy.components)
    organizer = next(filter(None, named), "")
    return f"{copy.components[0].name} {organizer}" if organizer else ""


def _is_whole(copy: VisibleObject) -> bool:
    """Return True if a copy has the master, not only single occurrences of a series."""
    return copy.components[0].first("RECURRENCE-ID") is None


def _times(copy: VisibleObject) -> str:
    return "\n".join(component.value("RECURRENCE-ID") for component in copy.components)


def _content(copy: VisibleObject) -> str:
    """Return the content of a copy, without stamps and alarms."""
    zones = [f"{tzid} {use.zone.digest}" for tzid, use in copy.zones.items()]
    return "\n".join([*zones, *map(_content_of, copy.components)])


def _content_of(component: Component) -> str:
    own = sorted(p.text() for p in component.properties if not _is_incidental(p))
    children = [child for child in component.children if child.name != "VALARM"]
    return "\n".join([component.name, *own, *sorted(map(_content_of, children))])


def _is_incidental(prop: Property) -> bool:
    return prop.name in _INCIDENTAL or prop.name.startswith("X-MOZ-")


def _recency(copy: VisibleObject) -> tuple[bool, int, str, str]:
    first = copy.components[0]
    sequence = first.value("SEQUENCE").strip()
    number = (
        int(sequence) if sequence.isascii() and sequence.isdigit() and len(sequence) < 10 else 0
    )
    return (
        _is_whole(copy),
        number,
        last_modified(first, copy.stored),
        first.value("DTSTAMP").strip(),
    )
