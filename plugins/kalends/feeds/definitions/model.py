"""What a feed definition says, typed; ``spec`` reads these from the file of definitions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote

from kalends.common.names import GROUPS, folded_group

USER = "{user}"
"""Stands for each account in the name and the patterns of a feed that each account has."""

Members = Callable[[str], frozenset[str]]
"""The accounts in a group, by its name."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which calendars: ``alice/work``, ``alice/*``, ``*/work``, ``@group/*``, ``GROUPS/family/*``.

    Attributes:
        segments: the path in two segments, or three below ``GROUPS``; None stands for any name, so
            that an account which is called ``*`` is one account.
    """

    segments: tuple[str | None, ...]

    def matches(self, path: str, accounts: frozenset[str], members: Members) -> bool:
        """Whether the calendar at ``path`` is meant.

        Args:
            path: without a slash at either end.
            accounts: who has a home; the calendars of anybody else are in no feed.
            members: tells who is in a group; the calendars of a group without members are in none.
        """
        names = path.split("/")
        if len(names) != len(self.segments) or not _fits(names[-1], self.segments[-1]):
            return False
        owner = self.segments[0]
        if owner == GROUPS:
            is_meant = names[0] == GROUPS and _is_group(names[1], self.segments[1])
            return is_meant and bool(members(names[1]))
        if names[0] not in accounts:
            return False
        if owner is not None and owner.startswith("@"):
            return names[0] in members(owner[1:])
        return _fits(names[0], owner)

    def covers(self, other: Pattern) -> bool:
        """Whether everything that ``other`` names is named here too, whoever there is."""
        if len(self.segments) != len(other.segments):
            return False
        return all(map(_fits, other.segments, self.segments))

    def for_account(self, user: str) -> Pattern:
        """The same for one account."""
        return Pattern(tuple(user if segment == USER else segment for segment in self.segments))

    def __str__(self) -> str:
        return "/".join("*" if segment is None else segment for segment in self.segments)


def _fits(name: str | None, segment: str | None) -> bool:
    return segment is None or segment == name


def _is_group(name: str, segment: str | None) -> bool:
    return segment is None or folded_group(segment) == folded_group(name)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may see a feed.

    Attributes:
        kind: ``owner``, ``login``, ``secret``, ``public`` or ``list``.
        names: the accounts and ``@groups`` of a list.
    """

    kind: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """All of a definition that a feed's bytes depend on, apart from its calendars.

    Attributes:
        title: its name in a list of calendars.
        private: ``hide``, ``busy`` or ``show`` what is marked as private.
        busy: shows the times of events and nothing else.
        components: which are shown, in the order of their names.
        alarms: whether alarms are kept.
        categories: whether each event tells its calendar as a category.
        refresh: how often a subscriber should look, seconds.
        color: ``#RRGGBB``, or empty for the colour that its calendars share.
        past: for how many days something is shown after its end; None: for ever.
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


@dataclass(frozen=True, slots=True)
class PageRules:
    """What a definition says of the feed's web page alone.

    Attributes:
        embed: the sources that may show it in a frame, as in a Content-Security-Policy
            (``https://example.org``, ``*``); none: nobody may.
        timezone: the IANA time zone that it shows times in; empty: that of its calendars.
        week_begins: 0 for Monday to 6 for Sunday.
    """

    embed: tuple[str, ...] = ()
    timezone: str = ""
    week_begins: int = 0


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed: a definition by name, or one for each account as it is for one of them.

    Attributes:
        name: its name in addresses.
        owner: the account that it was made for, or None.
        calendars: which calendars it merges.
        access: who may see it.
        rules: how they are merged.
        publish: names of the files that it is published as.
        remotes: addresses on other servers that it is brought to.
        page: what its web page is like.
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
        """The feed of one account, from a definition that each account has."""
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
        """Whether ``user``, who logged in (empty: nobody did), may see it."""
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
    """A file of definitions.

    Attributes:
        named: the feeds that are defined by name.
        each: the feed that each account has, or None.
    """

    named: dict[str, Feed]
    each: Feed | None = None
