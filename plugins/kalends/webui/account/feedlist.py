"""The feeds that somebody may see, as the page and the profile show them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from kalends.common.names import GROUPS, folded_group
from kalends.feeds.access import PREFIX
from kalends.feeds.definitions.model import Feed
from kalends.webui.account.mobileconfig import Subscription

_WHO = {
    "owner": "For you alone.",
    "login": "For everyone with an account.",
    "public": "For everybody, without a login.",
    "secret": "For whoever has its address.",
    "list": "For chosen people.",
}
_PRIVATE = {
    "hide": "Private events are left out.",
    "busy": "Private events show as busy.",
    "show": "Private events are shown.",
}


@dataclass(frozen=True, slots=True)
class VisibleFeed:
    """A feed that a person may see.

    Attributes:
        name: its name in addresses.
        title: its name for people.
        who: who may see it, in words.
        shows: what it shows of events, in words.
        path: its address for those who log in, or whom a public feed asks nothing; None where it
            has none. Addresses are below the root, decoded.
        secret: the person's own secret address; None where none was made.
        asks: whether ``path`` asks for a login.
        is_more: whether it shows what the person's own account does not.
    """

    name: str
    title: str
    who: str
    shows: str
    path: str | None
    secret: str | None
    asks: bool
    is_more: bool

    @property
    def anchor(self) -> str:
        """Its place on the page, in letters that an address takes."""
        return "feed-" + quote(self.name, safe="")

    @property
    def best(self) -> str | None:
        """The address to subscribe to by hand, where one is known."""
        return self.secret if self.path is None else self.path

    @property
    def page(self) -> str | None:
        """Where it is shown as a web page, where an address is known."""
        return self.best.removesuffix(".ics") + "/" if self.best else None

    @property
    def subscription(self) -> Subscription | None:
        """It as a part of a profile, where an address is known."""
        return Subscription(self.name, self.title, self.best, self.asks) if self.best else None


def seen(feed: Feed, person: str, secret: str | None, groups: Collection[str]) -> VisibleFeed:
    """A feed as ``person``, who may see it, sees it.

    Args:
        secret: the person's secret for it, if there is one.
        groups: the groups whose calendars stand in the person's account.
    """
    kind = feed.access.kind
    shows = "Times only, as busy." if feed.rules.busy else _PRIVATE[feed.rules.private]
    return VisibleFeed(
        name=feed.name,
        title=feed.rules.title or feed.name,
        who=_WHO[kind],
        shows=shows,
        path=None if kind == "secret" else f"{PREFIX}{feed.name}.ics",
        secret=secret_path(feed.name, secret) if secret else None,
        asks=kind not in ("secret", "public"),
        is_more=not _is_own(feed, person, groups),
    )


def secret_path(name: str, secret: str) -> str:
    """The secret address of a feed."""
    return f"{PREFIX}s/{secret}/{name}.ics"


def chosen(
    feeds: Collection[VisibleFeed], query: Mapping[str, Collection[str]]
) -> list[VisibleFeed]:
    """The feeds for a profile: those that a form named, or all that show more than the account.

    Args:
        query: the query of the profile's address, each name with its values.
    """
    if "feeds" not in query:
        return [feed for feed in feeds if feed.is_more]
    wanted = query.get("feed", ())
    return [feed for feed in feeds if feed.name in wanted]


def _is_own(feed: Feed, person: str, groups: Collection[str]) -> bool:
    """Whether all that it merges stands in the person's own account."""
    places = {folded_group(group) for group in groups}
    for pattern in feed.calendars:
        owner, group = pattern.segments[0], pattern.segments[1]
        is_groups = owner == GROUPS and group is not None and folded_group(group) in places
        if owner != person and not is_groups:
            return False
    return True
