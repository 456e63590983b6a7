"""Health checks: database, user files, free disk space, publication lag."""

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

MIN_FREE_OCTETS = 64 << 20
"""Octets below which a disk counts as full."""


@dataclass(frozen=True, slots=True)
class PublicationLag:
    """Published feeds that are not up to date.

    Attributes:
        places: the files and servers where feeds are published.
        behind: those that have an older version, or none.
        failing: other servers that refused a feed the last time.
        seconds: the age of the oldest unpublished change; 0 if there is none.
    """

    places: int
    behind: int
    failing: int
    seconds: float


def folders(container: Container) -> list[Path]:
    """Return the folders that Kalends writes to on this host."""
    settings = container.settings
    found = [container.database.folder, settings.nonce_folder]
    if settings.feeds:
        found.append(settings.feeds_folder)
    return [folder for folder in dict.fromkeys(found) if folder is not None]


def free_octets(container: Container) -> dict[Path, int]:
    """Return the free octets of each folder's disk; of the parent's if the folder is missing."""
    found = {}
    for folder in folders(container):
        existing = folder if folder.is_dir() else folder.parent
        found[folder] = shutil.disk_usage(existing).free
    return found


def store_counts(container: Container) -> tuple[int, int]:
    """Return the numbers of collections and objects in the store.

    Raises:
        KalendsError: the store cannot be used.
    """
    with container.database.read() as connection:
        return statistics.count_collections(connection), statistics.count_objects(connection)


def feeds_behind(container: Container) -> PublicationLag:
    """Return how far published feeds are behind.

    Raises:
        KalendsError: the accounts cannot be read, or the store cannot be used.
    """
    feeds = container.feeds
    if feeds is None:
        return PublicationLag(0, 0, 0, 0.0)
    expected = feeds.publisher.expected_files()
    late = [file.feed for file in expected if not file.is_current]
    wanted, known = feeds.remote_publisher.feeds_by_url(), feeds.remote_publisher.deliveries()
    states = feeds.cache.states(list(wanted.values()))
    failing = 0
    for (url, feed), newest in zip(wanted.items(), states, strict=True):
        delivery = known.get(url)
        if not feeds.remote_publisher.is_current(feed, newest, delivery):
            late.append(feed)
        failing += bool(delivery and delivery.failures)
    changes = [state.changed for state in feeds.cache.states(late) if state.changed]
    seconds = max(0.0, time.time() - min(changes)) if changes else 0.0
    return PublicationLag(len(expected) + len(wanted), len(late), failing, seconds)


def failures(container: Container) -> Iterator[tuple[str, str]]:
    """Yield the failures that keep this host from serving: the part, and what is wrong with it."""
    try:
        _require_database(container)
    except KalendsError as error:
        yield "database", str(error)
    try:
        container.directory.names()
        container.directory.members()
    except KalendsError as error:
        yield "user files", str(error)
    try:
        for folder, free in free_octets(container).items():
            if free < MIN_FREE_OCTETS:
                yield "disk", f"{folder}: {free >> 20} MiB free"
    except OSError as error:
        yield "disk", f"{error.filename}: {error.strerror}"


def _require_database(container: Container) -> None:
    """Check that the store answers.

    Raises:
        KalendsError: it does not.
    """
    database = container.database
    # An open database works on even if its file is gone.
    if database.folder and not os.access(database.name, os.R_OK | os.W_OK):
        raise StoreUnavailableError(
            f"{database.name}: the file is missing, or cannot be read and written"
        )
    with database.read() as connection:
        statistics.count_collections(connection)
