"""Our storage in a Radicale that runs by itself, and makes its parts by their names."""

from __future__ import annotations

from pathlib import Path

from radicale import config

from kalends.adapters.storage import Storage
from kalends.events import CommitEvents
from kalends.store.engine import open_database
from kalends.store.migrate import migrate


class StockStorage(Storage):
    """The store that ``[storage] database`` names, brought up to date.

    Nothing subscribes to what it writes: feeds are published by `kalends serve` alone.

    Args:
        configuration: Radicale's.

    Raises:
        KalendsError: the store cannot be used.
    """

    def __init__(self, configuration: config.Configuration) -> None:
        database = open_database(configuration.get("storage", "database"))
        own = configuration.get("auth", "nonce_folder") or (
            configuration.get("kalends", "feeds") and configuration.get("kalends", "feeds_folder")
        )
        migrate(database, Path(own).expanduser() if own else None)
        super().__init__(configuration, database, CommitEvents(()))
