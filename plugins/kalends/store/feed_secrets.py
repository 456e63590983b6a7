"""Records of feeds: the secret of each person, and the published versions."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from kalends.common.masking import SECRET_LENGTH
from kalends.errors import StoreUnavailableError
from kalends.store.engine import Database
from kalends.store.schema import feed_secret, publication

FEEDS = "feeds"
"""The name that is locked to write secrets, publications and deliveries; never an account."""


class SecretBook:
    """The secret of each person for each feed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: Sequence[Row[Any]] = ()

    def secret_for(self, feed: str, person: str) -> str:
        """Return the secret of a person for a feed; create it if there is none."""
        where = (feed_secret.c.feed == feed, feed_secret.c.person == person)
        with self._database.read() as connection:
            found = connection.execute(select(feed_secret.c.secret).where(*where)).scalar()
        return found or self.rotate(feed, person, keep=True)

    def rotate(self, feed: str, person: str, *, keep: bool = False) -> str:
        """Create a new secret in place of the old one.

        Args:
            feed: the name of the feed.
            person: the name of the account.
            keep: return the existing secret if another process has created one meanwhile.

        Returns:
            the secret that holds from now on.
        """
        where = (feed_secret.c.feed == feed, feed_secret.c.person == person)
        with self._database.write(FEEDS) as connection:
            found = connection.execute(select(feed_secret.c.secret).where(*where)).scalar()
            if found and keep:
                return str(found)
            secret = secrets.token_urlsafe(SECRET_LENGTH * 3 // 4)
            if found:
                connection.execute(update(feed_secret).where(*where).values(secret=secret))
            else:
                values = {"feed": feed, "person": person, "secret": secret}
                connection.execute(insert(feed_secret), values)
        return secret

    def secrets_of_feed(self, feed: str) -> dict[str, str]:
        """Return the secrets of a feed, by person."""
        query = select(feed_secret).where(feed_secret.c.feed == feed)
        with self._database.read() as connection:
            return {row.person: row.secret for row in connection.execute(query)}

    def secrets_of_person(self, person: str) -> dict[str, str]:
        """Return the secrets of a person, by feed."""
        query = select(feed_secret).where(feed_secret.c.person == person)
        with self._database.read() as connection:
            return {row.feed: row.secret for row in connection.execute(query)}

    def find_holder(self, secret: str) -> tuple[str, str] | None:
        """Return the feed and the person of a secret, or None, in constant time.

        While the database is unavailable, the secrets of the last `refresh` count.

        Raises:
            StoreUnavailableError: the database is unavailable, and the secret may be newer.
        """
        try:
            self.refresh()
        except StoreUnavailableError:
            if held := _holder(self._seen, secret):
                return held
            raise
        return _holder(self._seen, secret)

    def refresh(self) -> None:
        """Read the secrets of all people again.

        Raises:
            StoreUnavailableError: the database is unavailable.
        """
        with self._database.read() as connection:
            self._seen = connection.execute(select(feed_secret)).all()


def _holder(rows: Iterable[Row[Any]], secret: str) -> tuple[str, str] | None:
    """Return the feed and person of a secret; compare it with all, to take constant time."""
    given = secret.encode()
    match = None
    for row in rows:
        if hmac.compare_digest(row.secret.encode(), given):
            match = (row.feed, row.person)
    return match


class PublicationLog:
    """The published version at each target; the publisher works on the differences."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def published_keys(self) -> dict[str, str]:
        """Return the key of the published version at each target."""
        with self._database.read() as connection:
            return {row.target: row.key for row in connection.execute(select(publication))}

    def record(self, target: str, key: str) -> None:
        """Record that the version ``key`` is at ``target`` now."""
        where = publication.c.target == target
        with self._database.write(FEEDS) as connection:
            done = connection.execute(update(publication).where(where).values(key=key))
            if not done.rowcount:
                connection.execute(insert(publication), {"target": target, "key": key})

    def remove(self, target: str) -> None:
        """Delete the record of ``target``, which no longer exists."""
        with self._database.write(FEEDS) as connection:
            connection.execute(delete(publication).where(publication.c.target == target))
