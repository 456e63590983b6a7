"""Data model of feed definitions; the `parse` module reads them from the definitions file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote

from kalends.common.names import GROUPS, folded_group

USER = "{user}"
"""The placeholder for the account in a definition that applies to each account."""

Members = Callable[[str], frozenset[str]]
"""A function that returns the accounts in a group, by the group's name."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that selects calendars.

    Examples: ``alice/work``, ``alice/*``, ``*/work``, ``@group/*``, ``GROUPS/family/*``.

    Attributes:
        segments: the two segments of the path, or three below ``GROUPS``; None matches any name, so
            that a pattern can name an account which is called ``*``.
    """

    segments: tuple[str | None, ...]

    def matches(self, path: str, accounts: frozenset[str], members: Members) -> bool:
        """Return True if the calendar at a path matches.

        Args:
            path: the path, without a slash at either end.
            accounts: the accounts that have a home; other homes never match.
            members: returns the accounts in a group; a group without members never matches.
        """
        names = path.split("/")
        if len(names) != len(self.segments) or not _fits(names[-1], self.segments[-1]):
            return False
        owner = self.segments[0]
        if owner == GROUPS:
            is_match = names[0] == GROUPS and _is_group(names[1], self.segments[1])
            return is_match and bool(members(names[1]))
        if names[0] not in accounts:
            return False
        if owner is not None and owner.startswith("@"):
            return names[0] in members(owner[1:])
        return _fits(names[0], owner)

    def covers(self, other: Pattern) -> bool:
        """Return True if this pattern matches all that another one does, for any accounts."""
        if len(self.segments) != len(other.segments):
            return False
        return all(map(_fits, other.segments, self.segments))

    def for_account(self, user: str) -> Pattern:
        """Return this pattern with the placeholder replaced by one account."""
        return Pattern(tuple(user if segment == USER else segment for segment in self.segments))

    def __str__(self) -> str:
        return "/".join("*" if segment is None else segment for segment in self.segments)


def _fits(name: str | None, segment: str | None) -> bool:
    return segment is None or segment == name


def _is_group(name: str, segment: str | None) -> bool:
    return segment is None or folded_group(segment) == folded_group(name)


@dataclass(frozen=True, slots=True)
class Access:
    """The rule for who may see a feed.

    Attributes:
        kind: ``owner``, ``login``, ``secret``, ``public`` or ``list``.
        names: the accounts and ``@groups`` of a ``list``.
    """

    kind: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """The part of a definition, besides the calendars, that the octets of a feed depend on.

    Attributes:
        title: the display name of the feed.
        private: the treatment of private objects: ``hide``, ``busy`` or ``show``.
        busy: whether only the times of events are shown.
        components: the component types that are shown, sorted.
        alarms: whether alarms are kept.
        categories: whether each event gets the name of its calendar as a category.
        refresh: the interval at which a subscriber should poll, seconds.
        color: ``#RRGGBB``; empty for the colour that the calendars share, if they do.
        past: the number of days for which an object is shown after its end; None for no limit.
        whole: whether it is one collection for those who may read it, with everything as stored.
    """

    title: str
    private: str
    busy: bool = False
    components: tuple[str, ...] = ("VEVENT",)
    alarms: bool = False
    categories: bool = False
    refresh: int = 3600
    color: str = ""
    past: int | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class PageRules:
    """The part of a definition that only the web page of a feed depends on.

    Attributes:
        embed: the sources that may show the page in a frame, as in a Content-Security-Policy
            (``https://example.org``, ``*``); empty if no other site may.
        timezone: the IANA time zone of the page; empty for the zone of the calendars.
        week_begins: the first day of the week, 0 for Monday to 6 for Sunday.
    """

    embed: tuple[str, ...] = ()
    timezone: str = ""
    week_begins: int = 0


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed: defined by name, or the instance for one account of a per-account definition.

    Attributes:
        name: the name in its addresses.
        owner: the account that it belongs to; None for a feed that is defined by name.
        calendars: the patterns of the calendars that it merges.
        access: the rule for who may see it.
        rules: the rules for merging them.
        publish: the names of the files that it is published as.
        remotes: the URLs on other servers that it is published at.
        page: the rules for its web page.
    """

    name: str
    owner: str | None
    calendars: tuple[Pattern, ...]
    access: Access
    rules: Rules
    publish: tuple[str, ...] = ()
    remotes: tuple[str, ...] = ()
    page: PageRules = PageRules()

    def for_account(self, user: str) -> Feed:
        """Return the feed of one account, from a per-account definition."""
        return Feed(
            name=user,
            owner=user,
            calendars=tuple(pattern.for_account(user) for pattern in self.calendars),
            access=replace(
                self.access, names=tuple(user if n == USER else n for n in self.access.names)
            ),
            rules=replace(self.rules, title=self.rules.title.replace(USER, user)),
            publish=tuple(name.replace(USER, user) for name in self.publish),
            remotes=tuple(url.replace(USER, quote(user, safe="")) for url in self.remotes),
            page=self.page,
        )

    def allows(self, user: str, members: Members) -> bool:
        """Return True if a user may see the feed; an empty name means that nobody is logged in."""
        kind = self.access.kind
        if kind == "public":
            return True
        if not user or kind == "secret":
            return False
        if kind == "owner":
            return user == self.owner
        return kind == "login" or any(
            user in members(name[1:]) if name.startswith("@") else user == name
            for name in self.access.names
        )


@dataclass(frozen=True, slots=True)
class Definitions:
    """The content of a definitions file.

    Attributes:
        named: the feeds that are defined by name.
        each: the definition that applies to each account, or None.
    """

    named: dict[str, Feed]
    each: Feed | None = None
