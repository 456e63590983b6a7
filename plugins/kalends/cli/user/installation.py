"""The installation that ``kalends user`` works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kalends.app import container
from kalends.app.container import Container
from kalends.config import loader
from kalends.config.settings import Settings
from kalends.errors import ConfigurationError
from kalends.store.account_data import NOTHING, AccountData, data_of
from kalends.store.engine import Database, open_database


@dataclass(frozen=True)
class UserCommandContext:
    """What is worked on.

    Attributes:
        store: its database, or None if there is none yet. It is not made here: it must belong to
            the account that the server runs as, and the first user is mostly added by root.
    """

    built: Container
    settings: Settings
    store: Database | None

    def data_of(self, name: str) -> AccountData:
        """What the store holds of an account."""
        if self.store is None:
            return NOTHING
        with self.store.read() as connection:
            return data_of(connection, name)


@contextmanager
def installation(config: Path) -> Iterator[UserCommandContext]:
    """The installation that a configuration file describes, for as long as the block.

    Raises:
        KalendsError: it is not as it must be, or names no user file.
    """
    loaded = loader.load(config)
    settings = loaded.settings
    if not settings.htpasswd and not settings.htdigest:
        raise ConfigurationError(
            str(settings.path), "[auth] names neither htpasswd_filename nor htdigest_filename"
        )
    database = open_database(settings.database)
    if database.exists():
        with container.build(config) as built:
            yield UserCommandContext(built, settings, built.database)
    else:
        yield UserCommandContext(Container(loaded, database), settings, None)
