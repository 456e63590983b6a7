"""The plug-ins for a stock Radicale, which creates them by name.

There is no middleware in front: passwords are verified here, and no header is believed.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from radicale import config

from kalends.adapters.collection import Collection
from kalends.adapters.group_homes import GroupHomes
from kalends.adapters.item import RadicaleItem
from kalends.adapters.radicale_compat import AuthBase
from kalends.adapters.rights import Rights
from kalends.adapters.storage import Storage
from kalends.authn.backends.apache_files import (
    UserDirectory,
    htdigest_file,
    htgroup_file,
    htpasswd_file,
)
from kalends.config.schema import stock_schema
from kalends.errors import ConfigurationError
from kalends.events import CommitEvents
from kalends.store.engine import Database, open_database
from kalends.store.migrate import migrate

_OPTION = "[storage] database"
_AUTH = "kalends.auth"
_STORAGE = "kalends.storage"


class StockCollection(Collection):
    """A collection that can still be read after the transaction that found it.

    Radicale releases its lock before it has read everything that it answers with; each later read
    opens a snapshot.
    """

    def sync(self, old_token: str = "") -> tuple[str, Iterable[str]]:
        """Return the current sync-token, and the names changed since an earlier one (RFC 6578).

        Raises:
            ValueError: the token is not of this collection, or too old.
        """
        with self._transactions.snapshot():
            token, names = super().sync(old_token)
            return token, list(names)

    def get_multi(self, hrefs: Iterable[str]) -> Iterator[tuple[str, RadicaleItem | None]]:
        """Return the named items; None for a name without one."""
        with self._transactions.snapshot():
            return iter(list(super().get_multi(hrefs)))

    def get_all(self) -> Iterator[RadicaleItem]:
        """Return all items, by href."""
        with self._transactions.snapshot():
            return iter(list(super().get_all()))

    def get_filtered(self, filters: Iterable[ET.Element]) -> Iterator[tuple[RadicaleItem, bool]]:
        """Return the items that can match, each with True if it is known to match."""
        with self._transactions.snapshot():
            return iter(list(super().get_filtered(filters)))

    def serialize(self, *args: Any, **kwargs: Any) -> str:
        """Return the whole collection as one file, every object as it was stored."""
        with self._transactions.snapshot():
            return super().serialize(*args, **kwargs)


class StockStorage(Storage):
    """The store of ``[storage] database``, migrated.

    Nothing subscribes to its writes: feeds are published by `kalends serve` alone.

    Args:
        configuration: Radicale's.

    Raises:
        KalendsError: the store cannot be used.
        RuntimeError: an option is unknown or of the wrong kind.
    """

    collection_type = StockCollection

    def __init__(self, configuration: config.Configuration) -> None:
        ours = configuration.copy(stock_schema("storage"))
        super().__init__(ours, _database(ours.get("storage", "database")), CommitEvents(()))


class StockAuth(AuthBase):
    """A login with HTTP Basic against Apache's user files.

    Args:
        configuration: Radicale's.

    Raises:
        RuntimeError: an option is unknown or of the wrong kind.
    """

    def __init__(self, configuration: config.Configuration) -> None:
        super().__init__(configuration)
        self._directory = _user_directory(configuration)
        self._homes = _group_homes(configuration, self._directory)

    def groups_of_login(self, name: str, password: str, address: str) -> tuple[str, set[str]]:
        """Check a password.

        Raises:
            UserFileUnavailableError: a user file cannot be read.
        """
        if not self._directory.check_password(name.encode(), password.encode()):
            return "", set()
        return name, self._homes.ensure_of(name) if self._homes else set()


class StockRights(Rights):
    """Rights to the homes of accounts, and of their groups with our login and storage.

    Args:
        configuration: Radicale's.
    """

    def __init__(self, configuration: config.Configuration) -> None:
        homes = None
        if configuration.get("auth", "type") == _AUTH:
            homes = _group_homes(configuration, _user_directory(configuration))
        super().__init__(configuration, frozenset, homes.ensure_of if homes else lambda _: ())


def _user_directory(configuration: config.Configuration) -> UserDirectory:
    ours = configuration.copy(stock_schema("auth"))
    htpasswd, htdigest, htgroup = (
        ours.get("auth", f"{kind}_filename") for kind in ("htpasswd", "htdigest", "htgroup")
    )
    return UserDirectory(
        htpasswd_file(Path(htpasswd).expanduser()) if htpasswd else None,
        htdigest=htdigest_file(Path(htdigest).expanduser()) if htdigest else None,
        htgroup=htgroup_file(Path(htgroup).expanduser()) if htgroup else None,
        realm=ours.get("auth", "realm"),
        basic_by_htdigest=ours.get("auth", "basic_from_htdigest"),
    )


def _group_homes(
    configuration: config.Configuration, directory: UserDirectory
) -> GroupHomes | None:
    """Return the homes of groups; None if another store is configured."""
    if configuration.get("storage", "type") != _STORAGE:
        return None
    return GroupHomes(StockStorage(configuration), directory.groups_of)


@cache
def _database(url: str) -> Database:
    """Return the one database of a process; Radicale creates several storages."""
    if not url:
        why = "is missing; for example database = sqlite:////var/lib/radicale/kalends.db"
        raise ConfigurationError(_OPTION, why)
    database = open_database(url)
    migrate(database, None)
    return database
