"""What is noted of feeds: the secrets of people, and which version stands where."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from kalends.errors import StoreUnavailableError
from kalends.store.engine import Database
from kalends.store.schema import feed_secret, publication

FEEDS = "feeds"
"""What is locked for secrets, publications and deliveries: no account has that name."""


class SecretBook:
    """The secret of each person for each feed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: Sequence[Row[Any]] = ()

    def secret_for(self, feed: str, person: str) -> str:
        """The secret, made at the first time of asking."""
        where = (feed_secret.c.feed == feed, feed_secret.c.person == person)
        with self._database.read() as connection:
            found = connection.execute(select(feed_secret.c.secret).where(*where)).scalar()
        return found or self.rotate(feed, person, keep=True)

    def rotate(self, feed: str, person: str, *, keep: bool = False) -> str:
        """Make a new secret; the old one ends.

        Args:
            keep: return the one that is there, if another process was faster.
        """
        where = (feed_secret.c.feed == feed, feed_secret.c.person == person)
        with self._database.write(FEEDS) as connection:
            found = connection.execute(select(feed_secret.c.secret).where(*where)).scalar()
            if found and keep:
                return str(found)
            secret = secrets.token_urlsafe(24)
            if found:
                connection.execute(update(feed_secret).where(*where).values(secret=secret))
            else:
                values = {"feed": feed, "person": person, "secret": secret}
                connection.execute(insert(feed_secret), values)
        return secret

    def secrets_of_feed(self, feed: str) -> dict[str, str]:
        """The secrets that were made for a feed, by person."""
        query = select(feed_secret).where(feed_secret.c.feed == feed)
        with self._database.read() as connection:
            return {row.person: row.secret for row in connection.execute(query)}

    def secrets_of_person(self, person: str) -> dict[str, str]:
        """The secrets that were made for a person, by feed."""
        query = select(feed_secret).where(feed_secret.c.person == person)
        with self._database.read() as connection:
            return {row.feed: row.secret for row in connection.execute(query)}

    def find_holder(self, secret: str) -> tuple[str, str] | None:
        """The feed and the person that a secret belongs to, or None; takes constant time.

        While the database is away, it is the one whose it was at the last `look`.

        Raises:
            StoreUnavailableError: the database is away, and the secret may have come since.
        """
        try:
            self.refresh()
        except StoreUnavailableError:
            if held := _holder(self._seen, secret):
                return held
            raise
        return _holder(self._seen, secret)

    def refresh(self) -> None:
        """See whose each secret is.

        Raises:
            StoreUnavailableError: the database is away.
        """
        with self._database.read() as connection:
            self._seen = connection.execute(select(feed_secret)).all()


def _holder(rows: Iterable[Row[Any]], secret: str) -> tuple[str, str] | None:
    """Compare with every one, so that how long it took tells nothing of how much was right."""
    given = secret.encode()
    match = None
    for row in rows:
        if hmac.compare_digest(row.secret.encode(), given):
            match = (row.feed, row.person)
    return match


class PublicationLog:
    """Which version of a feed stands at which target; what is still to do is what differs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def published_keys(self) -> dict[str, str]:
        """The key of the version at each target."""
        with self._database.read() as connection:
            return {row.target: row.key for row in connection.execute(select(publication))}

    def record(self, target: str, key: str) -> None:
        """Note that ``target`` has the version ``key`` now."""
        where = publication.c.target == target
        with self._database.write(FEEDS) as connection:
            done = connection.execute(update(publication).where(where).values(key=key))
            if not done.rowcount:
                connection.execute(insert(publication), {"target": target, "key": key})

    def remove(self, target: str) -> None:
        """Note that nothing stands at ``target`` any more."""
        with self._database.write(FEEDS) as connection:
            connection.execute(delete(publication).where(publication.c.target == target))
