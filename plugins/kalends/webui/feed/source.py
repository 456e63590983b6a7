"""What the page asks of the store beyond what feeds do; what has this shape is handed in."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from kalends.feeds.ports import FeedSnapshot, StoredObject
from kalends.ical.recurrence.index import Interval


class PageRange(NamedTuple):
    """A time range, seconds since 1970, ends exclusive: UTC, and by the clock of its reader."""

    start: int
    end: int
    local_start: int
    local_end: int


class PageSnapshot(FeedSnapshot, Protocol):
    """One consistent moment of the store."""

    def meeting(
        self, calendar: int, within: tuple[int, int, int, int]
    ) -> Iterator[tuple[int, Interval]]:
        """When objects of a calendar happen, or may happen, in a time range, by their ids."""

    def object_at(self, number: int) -> StoredObject | None:
        """The object with this id."""

    def repeated(self, ids: Collection[int]) -> Iterator[tuple[int, str]]:
        """Those of the objects whose UID another calendar has too, whichever, and the UID."""

    def objects_at(self, ids: Collection[int]) -> Iterator[StoredObject]:
        """The objects with these ids, in no particular order."""


class PageSource(Protocol):
    """The store, as pages see it."""

    def snapshot(self) -> AbstractContextManager[PageSnapshot]:
        """One consistent moment, for as long as the block lasts."""
