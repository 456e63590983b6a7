"""The feeds that a user may see, and the user's secret addresses of them."""

from __future__ import annotations

from collections.abc import Collection

from kalends.events import Change, CommitEvents
from kalends.feeds.definitions.registry import FeedRegistry
from kalends.store.feed_secrets import SecretBook
from kalends.webui.account.feedlist import VisibleFeed, visible_feed


class VisibleFeeds:
    """The feeds, as each user may see them.

    Args:
        registry: the registry of feeds.
        secrets: the users' secrets.
        commits: receives the secrets that are made.
    """

    def __init__(self, registry: FeedRegistry, secrets: SecretBook, commits: CommitEvents) -> None:
        self._registry = registry
        self._secrets = secrets
        self._commits = commits

    def list_for(self, user: str, groups: Collection[str]) -> list[VisibleFeed]:
        """Return the feeds that a user may see, the user's own first.

        Args:
            user: the user.
            groups: the groups whose calendars are in the user's account.

        Raises:
            UserFileUnavailableError: the accounts cannot be read now.
        """
        secrets = self._secrets.secrets_of_person(user)
        found = [
            visible_feed(feed, user, secrets.get(feed.name), groups)
            for feed in self._registry.visible_to(user, secrets)
        ]
        return sorted(found, key=lambda feed: (feed.is_more, feed.title.casefold(), feed.name))

    def make(self, name: str, user: str) -> bool:
        """Make a secret address if there is none.

        Returns:
            False if there is no such feed for this user.

        Raises:
            UserFileUnavailableError: the accounts cannot be read now.
        """
        is_visible = self._is_visible(name, user)
        if is_visible and name not in self._secrets.secrets_of_person(user):
            self._secrets.secret_for(name, user)
            self._publish(name, user)
        return is_visible

    def rotate(self, name: str, user: str) -> bool:
        """Make a new secret address; the old one stops working.

        Returns:
            False if there is no such feed for this user.

        Raises:
            UserFileUnavailableError: the accounts cannot be read now.
        """
        if is_visible := self._is_visible(name, user):
            self._secrets.rotate(name, user)
            self._publish(name, user)
        return is_visible

    def _publish(self, name: str, user: str) -> None:
        self._commits.publish([Change(f"feeds/{name}", "secret")], user)

    def _is_visible(self, name: str, user: str) -> bool:
        feed = self._registry.feed(name)
        return feed is not None and self._registry.is_visible_to(
            feed, user, self._secrets.secrets_of_person(user)
        )
