"""The period of a page in its reader's time zone, and the occurrences that are in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from kalends.ical.contentlines import Component
from kalends.ical.recurrence.index import Interval
from kalends.store.objects.time_range import TimeRange
from kalends.webui.feed.occurrence import PageObject, PageOccurrence, clamp, local_second


class Viewport:
    """A period of time in the time zone of its reader.

    Args:
        time_range: the period.
        zone: the reader's time zone.

    Attributes:
        index_range: the period to ask the index for: it has due times a second early.
    """

    def __init__(self, time_range: TimeRange, zone: tzinfo) -> None:
        self.time_range, self.zone = time_range, zone
        self.index_range = time_range._replace(
            start=time_range.start - 1, local_start=time_range.local_start - 1
        )
        self._bounds = {
            False: (time_range.start, time_range.end),
            True: (time_range.local_start, time_range.local_end),
        }
        self._local: dict[int, int] = {}

    def occurrence(
        self, item: PageObject, start: int, end: int, floating: bool, part: Component | None = None
    ) -> PageOccurrence | None:
        """Return the occurrence from ``start`` to before ``end``; None if it is not in the period.

        Args:
            item: the object.
            start: seconds since 1970, UTC, or local if it is floating.
            end: the same.
            floating: whether the times have no time zone.
            part: the component that describes the occurrence, if it is known already.
        """
        first, until = self._bounds[floating]
        if start >= until or end <= first:
            return None
        begin, until = clamp(start), clamp(end)
        length = max(1, until - begin)
        if not floating:
            begin, until = self._local_second(begin), self._local_second(until)
        # If the clock is set back meanwhile, it may show the same time at the end, or an earlier.
        finish = until if until > begin else begin + length
        return PageOccurrence(item, start, floating, begin, finish, part, finish - until)

    def occurrences(
        self, item: PageObject, intervals: Sequence[Interval]
    ) -> Iterator[PageOccurrence]:
        """Yield the occurrences in the period, from an object's intervals and their repetitions."""
        for begin, finish, floating, _, step, again in intervals:
            first = last = 0
            if step:
                start, end = self._bounds[floating]
                first = max(0, (start - finish) // step + 1)
                last = min(again, (end - 1 - begin) // step)
            for number in range(first, last + 1):
                later = number * step
                occurrence = self.occurrence(item, begin + later, finish + later, floating)
                if occurrence:
                    yield occurrence

    def _local_second(self, instant: int) -> int:
        # Remembered, because many occurrences begin and end at the same time.
        local = self._local.get(instant)
        if local is None:
            local = self._local[instant] = local_second(instant, self.zone)
        return local
