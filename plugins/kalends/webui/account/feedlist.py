"""The feeds that a user may see, as the page and the profile show them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from kalends.common.names import GROUPS, folded_group
from kalends.feeds.access import PREFIX
from kalends.feeds.definitions.model import Feed
from kalends.webui.account.mobileconfig import Subscription

_ACCESS = {
    "owner": "Only for you.",
    "login": "For everyone with an account.",
    "public": "For everybody, without a login.",
    "secret": "For everybody who has its address.",
    "list": "For selected accounts.",
}
_PRIVATE = {
    "hide": "Private events are left out.",
    "busy": "Private events show as busy.",
    "show": "Private events are shown.",
}


@dataclass(frozen=True, slots=True)
class VisibleFeed:
    """A feed that a user may see.

    Attributes:
        name: its name in addresses.
        title: its name for people.
        access: who may see it, in words.
        shows: which details of events it shows, in words.
        path: its address with a login, or without one if it is public; None if it has only secret
            addresses. Addresses are below the root, decoded.
        secret: the user's own secret address; None if none was made.
        needs_login: whether ``path`` needs a login.
        is_more: whether it shows calendars that the user's own account does not have.
    """

    name: str
    title: str
    access: str
    shows: str
    path: str | None
    secret: str | None
    needs_login: bool
    is_more: bool

    @property
    def anchor(self) -> str:
        """Its anchor on the page, percent-encoded."""
        return "feed-" + quote(self.name, safe="")

    @property
    def best(self) -> str | None:
        """The address to subscribe to by hand, or None if there is none yet."""
        return self.secret if self.path is None else self.path

    @property
    def page(self) -> str | None:
        """The address of its web page, or None if there is none yet."""
        return self.best.removesuffix(".ics") + "/" if self.best else None

    @property
    def subscription(self) -> Subscription | None:
        """The subscription for a profile, or None if there is no address yet."""
        return (
            Subscription(self.name, self.title, self.best, self.needs_login) if self.best else None
        )


def visible_feed(feed: Feed, user: str, secret: str | None, groups: Collection[str]) -> VisibleFeed:
    """Return a feed as a user who may see it sees it.

    Args:
        feed: the feed.
        user: the user.
        secret: the user's secret for it, if there is one.
        groups: the groups whose calendars are in the user's account.
    """
    kind = feed.access.kind
    shows = "Times only, as busy." if feed.rules.busy else _PRIVATE[feed.rules.private]
    return VisibleFeed(
        name=feed.name,
        title=feed.rules.title or feed.name,
        access=_ACCESS[kind],
        shows=shows,
        path=None if kind == "secret" else f"{PREFIX}{feed.name}.ics",
        secret=secret_path(feed.name, secret) if secret else None,
        needs_login=kind not in ("secret", "public"),
        is_more=not _is_own(feed, user, groups),
    )


def secret_path(name: str, secret: str) -> str:
    """Return the secret address of a feed."""
    return f"{PREFIX}s/{secret}/{name}.ics"


def feeds_for_profile(
    feeds: Collection[VisibleFeed], query: Mapping[str, Collection[str]]
) -> list[VisibleFeed]:
    """Return the feeds for a profile: those that the form named, or all that show more.

    Args:
        feeds: the feeds that the user may see.
        query: the query of the profile's address, each name with its values.
    """
    if "feeds" not in query:
        return [feed for feed in feeds if feed.is_more]
    wanted = query.get("feed", ())
    return [feed for feed in feeds if feed.name in wanted]


def _is_own(feed: Feed, user: str, groups: Collection[str]) -> bool:
    """Return True if all calendars that it merges are in the user's own account."""
    places = {folded_group(group) for group in groups}
    for pattern in feed.calendars:
        owner, group = pattern.segments[0], pattern.segments[1]
        is_groups = owner == GROUPS and group is not None and folded_group(group) in places
        if owner != user and not is_groups:
            return False
    return True
