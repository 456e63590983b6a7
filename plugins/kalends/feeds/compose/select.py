"""Selection of the objects that a feed shows: pure, and shared by the file and the page of a feed.

Pass all copies of each UID in the calendars of the feed (`FeedSnapshot.objects_with_uids` returns
them): `select_visible` applies visibility, deduplication, the window of the feed and stamps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import date

from kalends.common.budget import Budget, Steps
from kalends.errors import BudgetSpentError, IcalendarSyntaxError, ObjectRefusedError
from kalends.feeds.compose.deduplicate import deduplicate
from kalends.feeds.compose.stamps import finalize
from kalends.feeds.compose.visibility import VisibleObject, apply_visibility
from kalends.feeds.compose.whole import CARD, whole_card
from kalends.feeds.compose.window import leaving_date
from kalends.feeds.definitions.model import Rules
from kalends.store.objects.read import ObjectRow

_UNREADABLE = (IcalendarSyntaxError, UnicodeDecodeError, ObjectRefusedError, BudgetSpentError)

__all__ = ["Selection", "UnreadableObject", "VisibleObject", "select_visible"]


@dataclass(frozen=True, slots=True)
class UnreadableObject:
    """An object that is omitted because it cannot be read."""

    path: str
    uid: str
    id: int
    why: str

    def __str__(self) -> str:
        return f"/{self.path}/ UID {self.uid!r}: {self.why}"


@dataclass(slots=True)
class Selection:
    """The visible part of some objects, and those of them that cannot be read."""

    copies: list[VisibleObject] = field(default_factory=list)
    unreadable: list[UnreadableObject] = field(default_factory=list)


def select_visible(
    objects: Iterable[ObjectRow],
    paths: Mapping[int, str],
    rules: Rules,
    today: date,
    budget: Budget | Steps,
) -> Selection:
    """Return the visible part of objects, in the order of the feed.

    Args:
        objects: the objects; for each UID all that the calendars of the feed have.
        paths: the paths of the calendars of the feed, by id.
        rules: the rules of the feed.
        today: the UTC date, which matters for a feed with a window.
        budget: the steps of a request, of which each object may take its share; or, for a version
            that is made for everybody, the steps that each object has of its own.
    """
    found = Selection()
    if rules.components == CARD:
        return _select_cards(objects, paths)
    groups: dict[str, list[VisibleObject]] = {}
    for stored in objects:
        path = paths[stored.collection_id]
        try:
            with _of_object(budget) as own:
                copy = apply_visibility(stored, path, rules, own)
        except _UNREADABLE as error:
            found.unreadable.append(UnreadableObject(path, stored.uid, stored.id, str(error)))
            continue
        if copy:
            groups.setdefault(stored.uid, []).append(copy)
    for same in groups.values():
        for copy in same if rules.whole else deduplicate(same):
            with _of_object(budget) as own:
                _set_leaving_date(copy, rules, own)
            if copy.leaving_date is None or today < copy.leaving_date:
                finalize(copy, rules)
                found.copies.append(copy)
    found.copies.sort(key=lambda copy: (copy.path, copy.stored.uid, copy.stored.id))
    return found


def _of_object(budget: Budget | Steps) -> AbstractContextManager[Budget]:
    return (budget.of_object() if isinstance(budget, Steps) else budget).for_object()


def _select_cards(cards: Iterable[ObjectRow], paths: Mapping[int, str]) -> Selection:
    found = Selection()
    for stored in cards:
        path = paths[stored.collection_id]
        try:
            found.copies.append(whole_card(stored, path))
        except IcalendarSyntaxError as error:
            found.unreadable.append(UnreadableObject(path, stored.uid, stored.id, str(error)))
    found.copies.sort(key=lambda copy: copy.stored.uid)
    return found


def _set_leaving_date(copy: VisibleObject, rules: Rules, budget: Budget) -> None:
    if rules.past is not None:
        # If its time cannot be determined, it stays.
        with suppress(ObjectRefusedError, BudgetSpentError):
            copy.leaving_date = leaving_date(copy, rules.past, budget)
