"""The names of the compared servers, and functions to select, fill, start and stop them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

from bench import cyrus
from bench.events import Event
from bench.operations import Session
from bench.peers import Empty, Kalends, Peer, Radicale, Xandikos

RADICALE = "Radicale"
XANDIKOS = "Xandikos"
CYRUS = "Cyrus"
KALENDS = "Kalends"
SMALL = "Kalends, small"
FEEDLESS = "Kalends, no feeds"
EMPTY = "empty answer"

OTHERS = (RADICALE, XANDIKOS, CYRUS)
"""The servers with which Kalends is compared."""

SERVERS = (*OTHERS, KALENDS, SMALL, FEEDLESS, EMPTY)

_MAKERS: dict[str, Callable[[str, Path], Peer]] = {
    RADICALE: Radicale,
    XANDIKOS: Xandikos,
    CYRUS: cyrus.Cyrus,
    KALENDS: Kalends,
    SMALL: Kalends,
    FEEDLESS: lambda name, path: Kalends(name, path, feeds=False),
    EMPTY: Empty,
}


def chosen(only: Iterable[str], among: Iterable[str] = SERVERS) -> list[str]:
    """Return the named servers that can run here; all if none is named.

    Args:
        only: names; those of other things than servers are ignored.
        among: the servers to choose from.
    """
    wanted = [name for name in SERVERS if name in set(only)] or SERVERS
    return [name for name in among if name in wanted and (name != CYRUS or cyrus.available())]


def make(name: str, folder: Path) -> Peer:
    """Return a server of this name with a folder of its own below the one given."""
    own = folder / name.replace(", ", "-").replace(" ", "-")
    own.mkdir()
    return _MAKERS[name](name, own)


@contextlib.contextmanager
def serving(peer: Peer, events: list[Event]) -> Iterator[Session]:
    """Fill and start a server and list its calendar once; stop it after the block."""

    def progress(given: Iterable[Event]) -> Iterable[Event]:
        return tqdm(given, desc=f"{peer.name}: events", unit="event", leave=False)

    peer.prepare(events, progress)
    peer.start()
    session = Session(peer)
    try:
        if not peer.answers_nothing:
            report_progress(f"{peer.name}: first listing")
            session.learn(len(events))
        yield session
    finally:
        session.connection.close()
        peer.stop()


def report_progress(text: str) -> None:
    """Print a progress message."""
    sys.stderr.write(f"{text}\n")
