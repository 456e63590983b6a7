"""Access of ``kalends user`` to the installation."""

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
from kalends.store.account_data import NO_DATA, AccountData, read_account_data
from kalends.store.engine import Database, open_database


@dataclass(frozen=True)
class UserCommandContext:
    """The installation that a command works on.

    Attributes:
        built: the parts of the installation.
        settings: its settings.
        store: its database, or None if it does not exist yet. It is not created here: it must
            belong to the account that the server runs as, but usually root adds the first user.
    """

    built: Container
    settings: Settings
    store: Database | None

    def data_of(self, name: str) -> AccountData:
        """Return the collections and secret addresses of an account."""
        if self.store is None:
            return NO_DATA
        with self.store.read() as connection:
            return read_account_data(connection, name)


@contextmanager
def open_installation(config: Path) -> Iterator[UserCommandContext]:
    """Open the installation of a configuration file for the block.

    Raises:
        KalendsError: it cannot be used, or has no user file for logins.
    """
    loaded = loader.load(config)
    settings = loaded.settings
    if not settings.htpasswd and not settings.htdigest:
        raise ConfigurationError(
            str(settings.path),
            "[auth] has no user file; set htpasswd_filename, htdigest_filename or both",
        )
    database = open_database(settings.database)
    if database.exists():
        with container.build(config) as built:
            yield UserCommandContext(built, settings, built.database)
    else:
        yield UserCommandContext(Container(loaded, database), settings, None)
