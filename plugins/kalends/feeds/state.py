"""What each feed is at one moment: which calendars it merges, and which version that makes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256

from kalends.common.names import GROUPS
from kalends.feeds.accounts import Accounts
from kalends.feeds.compose.part_index import COMPOSER
from kalends.feeds.definitions.model import Feed, Members, Pattern
from kalends.store.feed_queries import CalendarState, FeedSnapshot

OWNER_ONLY = "{urn:x-kalends}feeds"
"""The property of a calendar that, set to ``owner``, keeps it out of all feeds but its owner's."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """What a feed is at one moment, before anything is composed.

    Attributes:
        key: names its version: equal keys, equal bytes.
        changed: seconds since 1970 of its last change, or None if it has no calendar.
        calendars: what it merges, by path.
        day: the UTC date that it is of.
    """

    key: str
    changed: int | None
    calendars: tuple[CalendarState, ...]
    day: date

    def etag(self, coding: str = "") -> str:
        """The strong entity tag of the version, in one coding, quoted."""
        return f'"{self.key}-{coding}"' if coding else f'"{self.key}"'


class StoreView:
    """The calendars and accounts of one moment, and what was asked about them.

    Args:
        calendars: all of them.
        names: who has a home.
        members: tells who is in a group, at any time.
    """

    def __init__(
        self, calendars: Collection[CalendarState], names: frozenset[str], members: Members
    ) -> None:
        self.calendars = calendars
        self.names = names
        self._members = members
        self._states: dict[object, FeedState] = {}
        self._by_first: dict[str, list[CalendarState]] = {}
        for calendar in calendars:
            first = calendar.path.partition("/")[0]
            self._by_first.setdefault(first, []).append(calendar)

    def state(self, feed: Feed, day: date) -> FeedState:
        """What a feed is on a UTC date."""
        asked = feed, day, self._members_of(feed)
        found = self._states.get(asked)
        if found is None:
            found = self._states[asked] = _state(feed, self.merged_calendars(feed), day)
        return found

    def merged_calendars(self, feed: Feed) -> tuple[CalendarState, ...]:
        """What a feed merges, by path."""
        found = {
            calendar.path: calendar
            for pattern in feed.calendars
            for calendar in self._candidates(pattern)
            if may_include(calendar, feed)
            and pattern.matches(calendar.path, self.names, self._members)
        }
        return tuple(found[path] for path in sorted(found))

    def _candidates(self, pattern: Pattern) -> Iterable[CalendarState]:
        """The calendars that a pattern may mean, found without looking at all of them."""
        first = pattern.segments[0]
        if first is None or first.startswith("@"):
            return (calendar for some in self._by_first.values() for calendar in some)
        return self._by_first.get(first, ())

    def _members_of(self, feed: Feed) -> tuple[frozenset[str], ...]:
        """Who is in the groups that the patterns of a feed are about."""
        groups: set[str] = set()
        for pattern in feed.calendars:
            first = pattern.segments[0]
            if first == GROUPS:
                groups |= {c.path.split("/")[1] for c in self._by_first.get(GROUPS, ())}
            elif first is not None and first.startswith("@"):
                groups.add(first[1:])
        return tuple(self._members(group) for group in sorted(groups))


class StoreViews:
    """The moments of one store: as long as nothing has changed it is the same.

    Args:
        accounts: who there is.
        now: tells the time.
    """

    def __init__(self, accounts: Accounts, now: Callable[[], datetime]) -> None:
        self._accounts = accounts
        self._now = now
        self._last: StoreView | None = None

    def for_snapshot(self, snapshot: FeedSnapshot) -> StoreView:
        """The moment of a snapshot.

        Raises:
            UserFileUnavailableError: who there is cannot be told now.
        """
        calendars, names = snapshot.calendars(), self._accounts.names()
        last = self._last
        if last is None or last.calendars is not calendars or last.names != names:
            last = self._last = StoreView(calendars, names, self._accounts.members)
        return last

    def state(self, feed: Feed, snapshot: FeedSnapshot) -> FeedState:
        """What a feed is in a snapshot, today.

        Raises:
            UserFileUnavailableError: who there is cannot be told now.
        """
        return self.for_snapshot(snapshot).state(feed, self.today())

    def today(self) -> date:
        """The UTC date."""
        return self._now().astimezone(UTC).date()


def is_owner_only(props: Mapping[str, str]) -> bool:
    """Return True if a calendar with these properties is in no feed but its owner's."""
    return props.get(OWNER_ONLY, "").strip().lower() == "owner"


def may_include(calendar: CalendarState, feed: Feed) -> bool:
    """Whether the owner of a calendar lets it be in a feed."""
    owner = calendar.path.partition("/")[0]
    return not is_owner_only(calendar.props) or owner == feed.owner


def _state(feed: Feed, calendars: tuple[CalendarState, ...], day: date) -> FeedState:
    has_window = feed.rules.past is not None
    text = repr(
        (
            COMPOSER,
            feed.name,
            feed.rules,
            [(c.id, c.path, c.incarnation, c.modseq, c.changed) for c in calendars],
            # The date is part of what a feed with a window is, and of nothing else.
            *([day.isoformat()] if has_window else []),
        )
    )
    changes = [c.changed // 1_000_000 for c in calendars]
    if has_window and changes:
        changes.append(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()))
    key = sha256(text.encode()).hexdigest()[:32]
    return FeedState(key, max(changes, default=None), calendars, day)
