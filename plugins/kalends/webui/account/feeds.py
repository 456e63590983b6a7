"""The feeds that somebody may see, and their own secret addresses."""

from __future__ import annotations

from collections.abc import Collection

from kalends.events import Change, CommitEvents
from kalends.feeds.definitions.registry import FeedRegistry
from kalends.store.feed_secrets import SecretBook
from kalends.webui.account.feedlist import VisibleFeed, seen


class VisibleFeeds:
    """What each person may see of the feeds.

    Args:
        registry: which feeds there are.
        secrets: who has which secret.
        commits: is told of secrets that are made.
    """

    def __init__(self, registry: FeedRegistry, secrets: SecretBook, commits: CommitEvents) -> None:
        self._registry = registry
        self._secrets = secrets
        self._commits = commits

    def of(self, person: str, groups: Collection[str]) -> list[VisibleFeed]:
        """The feeds that ``person`` is shown, their own first.

        Args:
            groups: the groups whose calendars stand in the person's account.

        Raises:
            UserFileUnavailableError: who there is cannot be told now.
        """
        secrets = self._secrets.secrets_of_person(person)
        found = [
            seen(feed, person, secrets.get(feed.name), groups)
            for feed in self._registry.visible_to(person, secrets)
        ]
        return sorted(found, key=lambda feed: (feed.is_more, feed.title.casefold(), feed.name))

    def make(self, name: str, person: str) -> bool:
        """Make a secret address where there is none.

        Returns:
            False where there is no such feed for this person; so for `rotate`.

        Raises:
            UserFileUnavailableError: who there is cannot be told now; so for `rotate`.
        """
        is_seen = self._is_seen(name, person)
        if is_seen and name not in self._secrets.secrets_of_person(person):
            self._secrets.secret_for(name, person)
            self._publish(name, person)
        return is_seen

    def rotate(self, name: str, person: str) -> bool:
        """Make a new secret address; the old one ends."""
        if is_seen := self._is_seen(name, person):
            self._secrets.rotate(name, person)
            self._publish(name, person)
        return is_seen

    def _publish(self, name: str, person: str) -> None:
        self._commits.publish([Change(f"feeds/{name}", "secret")], person)

    def _is_seen(self, name: str, person: str) -> bool:
        feed = self._registry.feed(name)
        return feed is not None and self._registry.is_visible_to(
            feed, person, self._secrets.secrets_of_person(person)
        )
