"""What a feed shows of stored objects: pure, and the one answer for every way out of a feed.

Whoever renders a feed, as one file or as a page, asks `select_visible` with all copies of the UIDs
in question that the feed's calendars hold (``FeedSnapshot.copies`` has them): visibility, private
times, meetings that several people hold, the feed's window and the stamps are settled here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date

from kalends.errors import IcalendarSyntaxError, ObjectRefusedError
from kalends.feeds.compose.deduplicate import deduplicate
from kalends.feeds.compose.stamps import finalize
from kalends.feeds.compose.visibility import VisibleObject, apply_visibility
from kalends.feeds.compose.window import leaving_date
from kalends.feeds.definitions.model import Rules
from kalends.store.objects.read import ObjectRow

__all__ = ["Selection", "UnreadableObject", "VisibleObject", "select_visible"]


@dataclass(frozen=True, slots=True)
class UnreadableObject:
    """An object that is left out because it cannot be read."""

    path: str
    uid: str
    id: int
    why: str

    def __str__(self) -> str:
        return f"/{self.path}/ UID {self.uid!r}: {self.why}"


@dataclass(slots=True)
class Selection:
    """What a feed shows of some objects, and what it could not read of them."""

    copies: list[VisibleObject] = field(default_factory=list)
    unreadable: list[UnreadableObject] = field(default_factory=list)


def select_visible(
    objects: Iterable[ObjectRow], paths: Mapping[int, str], rules: Rules, today: date
) -> Selection:
    """What a feed shows of objects, in the feed's order.

    Args:
        objects: of each UID among them all objects that the feed's calendars have.
        paths: of the feed's calendars, by their numbers.
        rules: the feed's.
        today: the UTC date, which matters where the feed has a window.
    """
    found = Selection()
    groups: dict[str, list[VisibleObject]] = {}
    for stored in objects:
        path = paths[stored.collection_id]
        try:
            copy = apply_visibility(stored, path, rules)
        except (IcalendarSyntaxError, UnicodeDecodeError, ObjectRefusedError) as error:
            found.unreadable.append(UnreadableObject(path, stored.uid, stored.id, str(error)))
            continue
        if copy:
            groups.setdefault(stored.uid, []).append(copy)
    for same in groups.values():
        for copy in deduplicate(same):
            _place_in_window(copy, rules)
            if copy.leaving_date is None or today < copy.leaving_date:
                finalize(copy, rules)
                found.copies.append(copy)
    found.copies.sort(key=lambda copy: (copy.path, copy.stored.uid, copy.stored.id))
    return found


def _place_in_window(copy: VisibleObject, rules: Rules) -> None:
    if rules.past is not None:
        with suppress(ObjectRefusedError):  # when it happens cannot be told, so it stays
            copy.leaving_date = leaving_date(copy, rules.past)
