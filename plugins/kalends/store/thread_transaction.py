"""Thread transactions: the transaction, if any, that each thread is in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType

from sqlalchemy import Connection

from kalends.events import Change, CommitEvents
from kalends.store.engine import Database


class ThreadTransactions:
    """Transactions on one database, of which each thread is in one at a time.

    Args:
        database: the database.
        commits: notified of the changes of each committed transaction.
    """

    def __init__(self, database: Database, commits: CommitEvents) -> None:
        self._database = database
        self._commits = commits
        self._local = threading.local()

    @property
    def connection(self) -> Connection:
        """The connection of the transaction that this thread is in.

        Raises:
            RuntimeError: it is not in a transaction.
        """
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            raise RuntimeError("the store is used outside of a transaction")
        return connection

    def snapshot(self) -> ReadTransaction:
        """Return a context: the transaction that this thread is in, or a new read transaction."""
        return ReadTransaction(self._database, self._local)

    @contextmanager
    def write(self, user: str | None, *paths: str) -> Iterator[None]:
        """Open a write transaction, as ``Database.write``, for as long as the block.

        Args:
            user: the account that writes, or None.
            paths: the paths that are written to.

        Raises:
            RuntimeError: this thread is already in a transaction.
        """
        if getattr(self._local, "connection", None) is not None:
            raise RuntimeError("a write began within another transaction")
        with self._database.write(*paths) as connection:
            self._local.connection = connection
            changes: list[Change] = []
            self._local.changes = changes
            try:
                yield
            finally:
                self._local.connection = None
        self._commits.publish(changes, user)

    def record(self, change: Change) -> None:
        """Record a change in the write transaction that this thread is in."""
        changes: list[Change] = self._local.changes
        changes.append(change)


class ReadTransaction:
    """A read transaction as a context manager, faster than one made of a generator."""

    __slots__ = ("_database", "_local", "_opened")

    def __init__(self, database: Database, local: threading.local) -> None:
        self._database = database
        self._local = local
        self._opened: AbstractContextManager[Connection] | None = None

    def __enter__(self) -> Connection:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            opened = self._database.read()
            connection = opened.__enter__()
            self._opened = opened
            self._local.connection = connection
        return connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            self._local.connection = None
            self._opened.__exit__(kind, error, trace)
