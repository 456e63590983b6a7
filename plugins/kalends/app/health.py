"""How an installation is, as far as it can be told at any moment."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kalends.app.container import Container
from kalends.errors import KalendsError, StoreUnavailableError
from kalends.store import statistics

LEAST_ROOM = 64 << 20
"""Octets below which a disk counts as full."""


@dataclass(frozen=True, slots=True)
class PublicationLag:
    """Feeds that are published, and what of it is not there yet.

    Attributes:
        places: where one should stand.
        behind: where an older version stands, or none.
        failing: other servers that refused the last time.
        seconds: since the oldest change that is not everywhere; 0 if all are.
    """

    places: int
    behind: int
    failing: int
    seconds: float


def folders(built: Container) -> list[Path]:
    """The folders that Kalends writes to on this host."""
    settings = built.settings
    found = [built.database.folder, settings.nonce_folder]
    if settings.feeds:
        found.append(settings.feeds_folder)
    return [folder for folder in dict.fromkeys(found) if folder is not None]


def room(built: Container) -> dict[Path, int]:
    """Free octets of each folder's disk; a folder that is missing counts as its parent."""
    found = {}
    for folder in folders(built):
        there = folder if folder.is_dir() else folder.parent
        found[folder] = shutil.disk_usage(there).free
    return found


def store_counts(built: Container) -> tuple[int, int]:
    """Collections and objects in the store.

    Raises:
        KalendsError: the store cannot be used.
    """
    with built.database.read() as connection:
        return statistics.count_collections(connection), statistics.count_objects(connection)


def feeds_behind(built: Container) -> PublicationLag:
    """Where published feeds are not what they should be.

    Raises:
        KalendsError: who there is cannot be told, or the store cannot be used.
    """
    feeds = built.feeds
    if feeds is None:
        return PublicationLag(0, 0, 0, 0.0)
    standing = feeds.publisher.expected_files()
    late = [file.feed for file in standing if not file.is_current]
    wanted, known = feeds.remote_publisher.feeds_by_url(), feeds.remote_publisher.deliveries()
    states = feeds.cache.states(list(wanted.values()))
    failing = 0
    for (url, feed), newest in zip(wanted.items(), states, strict=True):
        delivery = known.get(url)
        if delivery is None or delivery.key != newest.key:
            late.append(feed)
        failing += bool(delivery and delivery.failures)
    changes = [state.changed for state in feeds.cache.states(late) if state.changed]
    seconds = max(0.0, time.time() - min(changes)) if changes else 0.0
    return PublicationLag(len(standing) + len(wanted), len(late), failing, seconds)


def failures(built: Container) -> Iterator[tuple[str, str]]:
    """What keeps this host from serving now: the part, and what is wrong with it."""
    try:
        _require_database(built)
    except KalendsError as error:
        yield "database", str(error)
    try:
        built.directory.names()
        built.directory.members()
    except KalendsError as error:
        yield "user files", str(error)
    try:
        for folder, free in room(built).items():
            if free < LEAST_ROOM:
                yield "disk", f"{folder}: {free >> 20} MiB free"
    except OSError as error:
        yield "disk", f"{error.filename}: {error.strerror}"


def _require_database(built: Container) -> None:
    """See to it that the store answers.

    Raises:
        KalendsError: it does not.
    """
    database = built.database
    # What is open already is read and written on, wherever its file has gone.
    if database.folder and not os.access(database.name, os.R_OK | os.W_OK):
        raise StoreUnavailableError(f"{database.name}: it is gone, or cannot be read and written")
    with database.read() as connection:
        statistics.count_collections(connection)
