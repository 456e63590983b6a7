"""State of a feed at one moment: the calendars that it merges, and the resulting version."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256

from kalends.common.budget import Steps
from kalends.common.names import GROUPS
from kalends.feeds.accounts import Accounts
from kalends.feeds.compose.part_index import COMPOSER
from kalends.feeds.definitions.model import Feed, Members, Pattern
from kalends.store.feed_queries import CalendarState, FeedSnapshot

OWNER_ONLY = "{urn:x-kalends}feeds"
"""The property that, set to ``owner``, keeps a calendar out of all feeds but its owner's."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """State of a feed at one moment, known before anything is composed.

    Attributes:
        key: differs from the keys of all other states; equal states have equal octets.
        changed: the time of its last change, seconds since 1970; None if it has no calendar.
        calendars: the calendars that it merges, ordered by path.
        day: the UTC date of that moment.
    """

    key: str
    changed: int | None
    calendars: tuple[CalendarState, ...]
    day: date


class StoreView:
    """The calendars and accounts at one moment, with a cache of the states computed from them.

    Args:
        calendars: all calendars.
        names: the accounts that have a home.
        members: returns the accounts in a group, as of now.
        steps: what reading an object may cost, which decides if a feed shows it.
    """

    def __init__(
        self,
        calendars: Collection[CalendarState],
        names: frozenset[str],
        members: Members,
        steps: Steps,
    ) -> None:
        self.calendars = calendars
        self.names = names
        self._steps = steps
        self._members = members
        self._states: dict[object, FeedState] = {}
        self._by_first: dict[str, list[CalendarState]] = {}
        for calendar in calendars:
            first = calendar.path.partition("/")[0]
            self._by_first.setdefault(first, []).append(calendar)

    def state(self, feed: Feed, day: date) -> FeedState:
        """Return the state of a feed on a UTC date."""
        key = feed, day, self._members_of(feed)
        found = self._states.get(key)
        if found is None:
            found = self._states[key] = _state(feed, self.merged_calendars(feed), day, self._steps)
        return found

    def merged_calendars(self, feed: Feed) -> tuple[CalendarState, ...]:
        """Return the calendars that a feed merges, ordered by path."""
        found = {
            calendar.path: calendar
            for pattern in feed.calendars
            for calendar in self._candidates(pattern)
            if may_include(calendar, feed)
            and any(
                pattern.matches(path, self.names, self._members)
                for path in (calendar.path, *calendar.aliases)
            )
        }
        return tuple(found[path] for path in sorted(found))

    def _candidates(self, pattern: Pattern) -> Iterable[CalendarState]:
        """Return the calendars that may match a pattern; if possible only those of its owner."""
        first = pattern.segments[0]
        if first is None or first.startswith("@"):
            return (calendar for some in self._by_first.values() for calendar in some)
        return self._by_first.get(first, ())

    def _members_of(self, feed: Feed) -> tuple[frozenset[str], ...]:
        """Return the members of each group that a pattern of the feed names."""
        groups: set[str] = set()
        for pattern in feed.calendars:
            first = pattern.segments[0]
            if first == GROUPS:
                groups |= {c.path.split("/")[1] for c in self._by_first.get(GROUPS, ())}
            elif first is not None and first.startswith("@"):
                groups.add(first[1:])
        return tuple(self._members(group) for group in sorted(groups))


class StoreViews:
    """Views of one store; the same view is returned as long as nothing has changed.

    Args:
        accounts: the accounts and groups.
        now: returns the current time.
        steps: what reading an object may cost, which decides if a feed shows it.
    """

    def __init__(self, accounts: Accounts, now: Callable[[], datetime], steps: Steps) -> None:
        self._steps = steps
        self._accounts = accounts
        self._now = now
        self._last: StoreView | None = None

    def for_snapshot(self, snapshot: FeedSnapshot) -> StoreView:
        """Return the view of a snapshot.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """
        calendars, names = snapshot.calendars(), self._accounts.names()
        last = self._last
        if last is None or last.calendars is not calendars or last.names != names:
            last = self._last = StoreView(calendars, names, self._accounts.members, self._steps)
        return last

    def state(self, feed: Feed, snapshot: FeedSnapshot) -> FeedState:
        """Return the state of a feed in a snapshot, today.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """
        return self.for_snapshot(snapshot).state(feed, self.today())

    def today(self) -> date:
        """Return today's UTC date."""
        return self._now().astimezone(UTC).date()


def is_owner_only(props: Mapping[str, str]) -> bool:
    """Return True if a calendar with these properties is in no feed but its owner's."""
    return props.get(OWNER_ONLY, "").strip().lower() == "owner"


def may_include(calendar: CalendarState, feed: Feed) -> bool:
    """Return True if the owner of a calendar lets a feed include it."""
    owner = calendar.path.partition("/")[0]
    return not is_owner_only(calendar.props) or owner == feed.owner


def _state(feed: Feed, calendars: tuple[CalendarState, ...], day: date, steps: Steps) -> FeedState:
    has_window = feed.rules.past is not None
    text = repr(
        (
            COMPOSER,
            steps.object,
            feed.name,
            feed.rules,
            [(c.id, c.path, c.incarnation, c.modseq, c.changed) for c in calendars],
            # Only a feed with a window depends on the date.
            *([day.isoformat()] if has_window else []),
        )
    )
    changes = [c.changed // 1_000_000 for c in calendars]
    if has_window and changes:
        changes.append(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()))
    key = sha256(text.encode()).hexdigest()[:32]
    return FeedState(key, max(changes, default=None), calendars, day)
