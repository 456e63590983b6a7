"""The period of a page, and what an occurrence looks like in it by its reader's clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from kalends.ical.contentlines import Component
from kalends.ical.recurrence.index import Interval
from kalends.store.objects.time_range import TimeRange
from kalends.webui.feed.occurrence import PageObject, PageOccurrence, cut, local_second


class Viewport:
    """A period by the clock of its reader.

    Args:
        within: the period.
        zone: the reader's.

    Attributes:
        asked: the period to ask the index for, where what is due stands a second early.
    """

    def __init__(self, within: TimeRange, zone: tzinfo) -> None:
        self.within, self.zone = within, zone
        self.asked = within._replace(start=within.start - 1, local_start=within.local_start - 1)
        self._bounds = {
            False: (within.start, within.end),
            True: (within.local_start, within.local_end),
        }
        self._local: dict[int, int] = {}

    def happening(
        self, item: PageObject, start: int, end: int, floating: bool, part: Component | None = None
    ) -> PageOccurrence | None:
        """What happens from ``start`` to before ``end``; None if that is not in the period."""
        first, until = self._bounds[floating]
        if start >= until or end <= first:
            return None
        begin, until = cut(start), cut(end)
        length = max(1, until - begin)
        if not floating:
            begin, until = self._shown_at(begin), self._shown_at(until)
        # Where the clock is turned back meanwhile, it may show the same at the end, or less.
        finish = until if until > begin else begin + length
        return PageOccurrence(item, start, floating, begin, finish, part, finish - until)

    def happenings(
        self, item: PageObject, intervals: Sequence[Interval]
    ) -> Iterator[PageOccurrence]:
        """The intervals and their repetitions that are in the period."""
        for begin, finish, floating, _, step, again in intervals:
            first = last = 0
            if step:
                start, end = self._bounds[floating]
                first = max(0, (start - finish) // step + 1)
                last = min(again, (end - 1 - begin) // step)
            for number in range(first, last + 1):
                later = number * step
                happening = self.happening(item, begin + later, finish + later, floating)
                if happening:
                    yield happening

    def _shown_at(self, instant: int) -> int:
        """What the reader's clock shows; many things begin and end at the same time."""
        local = self._local.get(instant)
        if local is None:
            local = self._local[instant] = local_second(instant, self.zone)
        return local
