"""The store on a PostgreSQL server: writers to different homes side by side, from several hosts.

A write locks the homes that it is about before its first read, with advisory locks of its
transaction and in the order of their keys, so that no two writes wait for each other in a circle.
It shares one more lock with all such writes; a write that names no place takes that one alone, and
waits for all others. Advisory locks, not locks on rows: a home can be locked before it is there.

A write is READ COMMITTED: each of its statements sees what was committed before it, and what the
locks are about nobody else changes meanwhile. A read is REPEATABLE READ and READ ONLY. So neither
can fail for the sake of another transaction, and nothing is ever tried again.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, DisconnectionError

from kalends.common.names import GROUPS, folded_group, owner_of
from kalends.errors import (
    ConfigurationError,
    StoreBusyError,
    StoreFullError,
    StoreGoneError,
    StoreRefusedError,
)
from kalends.store.circuit_breaker import CircuitBreaker, CircuitOpenError
from kalends.store.cluster_state import Statements

BUSY_SECONDS = 60
"""How long a write waits for the ones before it."""

# For what the URL does not say. A server that does not answer must not hold a thread for long:
# not while it is connected to, nor if its host vanishes (milliseconds, then).
_CONNECT = {
    "connect_timeout": "5",
    "client_encoding": "utf8",
    "application_name": "kalends",
    "keepalives_idle": "5",
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "tcp_user_timeout": "10000",
}
# A host that vanished must not hold its locks: the server asks whether it is still there. A commit
# that is acknowledged is on the disk; whoever asks for more than that (a standby's) gets it.
_SESSION = f"""
SET lock_timeout = '{BUSY_SECONDS}s';
SET tcp_keepalives_idle = 30;
SET tcp_keepalives_interval = 10;
SET tcp_keepalives_count = 3;
SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'
"""
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; "
# A host that stands still keeps no home locked for ever. A write to everything may take its time.
_NO_LONGER = f"SET LOCAL idle_in_transaction_session_timeout = '{BUSY_SECONDS}s'; "

_CLOCKS_APART = 2.0
"""Seconds from which on `kalends check` tells that clocks differ."""

_FULL = "53100"
# What stands in an index has to fit into a third of a page.
_TOO_LONG = "54000"
_BUSY = frozenset({"55P03", "40001", "40P01"})
# By class: connection, authorisation, no such database, insufficient resources, operator's
# intervention; and a standby, an idle transaction that was ended, a missing privilege.
_GONE_CLASSES = ("08", "28", "3D", "53", "57", "58")
_GONE = frozenset({"25006", "25P03", "42501"})


class PostgresDatabase:
    """See ``engine.Database``.

    Args:
        url: ``postgresql+psycopg://USER@HOST/DATABASE``.
        name: the same as it may be shown.
    """

    def __init__(self, url: URL, name: str) -> None:
        self.url = url
        self.name = name
        self.folder: Path | None = None
        self.statements: Statements | None = self
        self.engine: Engine = create_engine(
            url,
            connect_args={name: value for name, value in _CONNECT.items() if name not in url.query},
            # As many connections as there are threads; those above this number are closed again.
            pool_size=16,
            max_overflow=-1,
            # Whoever gives one back has ended its transaction.
            pool_reset_on_return=None,
            use_native_hstore=False,
            # Values are calendars, secrets and keys: they are in no error.
            hide_parameters=True,
        )
        self._circuit_breaker = CircuitBreaker()
        event.listen(self.engine, "do_connect", self._connect)
        event.listen(self.engine, "connect", self._prepare)
        event.listen(self.engine, "checkout", _look)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot."""
        with self._translated(), self._begun(_READ) as connection:
            yield connection

    @contextmanager
    def write(self, *paths: str) -> Iterator[Connection]:
        """A write to the homes of some paths, or to anything."""
        with self._translated(), self._begun(_WRITE + _locking(paths)) as connection:
            yield connection

    def execute(self, text: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """See ``hosts.Statements``."""
        with self._translated(), self.engine.connect() as connection:
            cursor = connection.connection.cursor()
            try:
                cursor.execute(text, values)
                return [*cursor.fetchall()] if cursor.description else []
            except BaseException:
                connection.invalidate()
                raise

    def exists(self) -> bool:
        """Whether there is a database: a server has made it before anybody names it."""
        return True

    def close(self) -> None:
        """Close the connections that are not in use."""
        self.engine.dispose()

    @contextmanager
    def _begun(self, begin: str) -> Iterator[Connection]:
        # The driver begins nothing by itself; SQLAlchemy says when it ends.
        with self._connected(begin) as connection, connection.begin():
            yield connection

    def _connected(self, begin: str) -> Connection:
        """A connection on which a transaction has begun."""
        connection = self.engine.connect()
        try:
            connection.connection.cursor().execute(begin)
        except BaseException:
            _drop(connection)
            raise
        return connection

    def _connect(
        self, _dialect: object, _record: object, _args: object, options: dict[str, Any]
    ) -> psycopg.Connection[Any]:
        try:
            with self._circuit_breaker.attempt():
                return psycopg.connect(**options)
        except CircuitOpenError as error:
            raise psycopg.OperationalError(str(error)) from None

    def _prepare(self, connection: psycopg.Connection[Any], _record: object) -> None:
        connection.autocommit = True
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise ConfigurationError(self.name, f"its encoding is {encoding}; it must be UTF8")
        connection.execute(_SESSION)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, psycopg.Error) as error:
            origin = error.orig if isinstance(error, DBAPIError) else error
            state = getattr(origin, "sqlstate", None) or ""
            if state == _FULL:
                raise StoreFullError from error
            if state in _BUSY:
                raise StoreBusyError from error
            if state == _TOO_LONG:
                raise StoreRefusedError("a name or UID of more than 2,600 octets") from error
            if isinstance(origin, psycopg.DataError) and not state:  # it did not leave this host
                raise StoreRefusedError("a name with an octet 0") from error
            lost = isinstance(origin, psycopg.OperationalError) and not state
            if lost or state in _GONE or state.startswith(_GONE_CLASSES):
                if lost:  # those that wait in the pool are, too: each would be waited for
                    self.engine.dispose()
                why = "; ".join(line.strip() for line in str(origin).splitlines() if line.strip())
                raise StoreGoneError(self.name, why) from error
            raise


def lock_homes(connection: Connection) -> None:
    """Keep other writes from making or removing homes; the last lock that a write takes."""
    connection.connection.cursor().execute(f"SELECT pg_advisory_xact_lock({_PLACES})")


def check_database(connection: Connection) -> Iterator[str]:
    """What makes this server one on which an acknowledged write can be lost, or logins fail."""
    for name in ("fsync", "full_page_writes"):
        if connection.exec_driver_sql(f"SHOW {name}").scalar() != "on":
            yield f"database: {name} is off on the server; a crash of it can lose what was stored"
    now = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())::float8")
    apart = time.time() - now.scalar_one()
    if abs(apart) > _CLOCKS_APART:
        where = "ahead of" if apart > 0 else "behind"
        yield (
            f"database: this host's clock is {abs(apart):.0f} s {where} the server's; "
            "hosts whose clocks differ refuse each other's nonces"
        )


def _look(connection: psycopg.Connection[Any], _record: object, _proxy: object) -> None:
    """Let go of a connection that the server has ended while it waited in the pool.

    Of one that nobody uses the server has nothing to say but that, or that it has new settings.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        raise DisconnectionError


def _drop(connection: Connection) -> None:
    """Close a connection of which nobody knows what state it is in."""
    connection.invalidate()
    connection.close()


def _locking(paths: Iterable[str]) -> str:
    keys = sorted({_key(_home(path)) for path in paths})
    if not keys:
        return f"SELECT pg_advisory_xact_lock({_ALL})"
    each = ", ".join(f"pg_advisory_xact_lock({key})" for key in keys)
    return f"{_NO_LONGER}SELECT pg_advisory_xact_lock_shared({_ALL}), {each}"


def _home(path: str) -> str:
    """What is locked for a path: the home, or the place of a group however its name is spelt."""
    owner = owner_of(path.strip("/"))
    group = owner.removeprefix(f"{GROUPS}/")
    return owner if group == owner else f"{GROUPS}/{folded_group(group).decode()}"


def _key(name: str) -> int:
    """The number of a lock; two names that share one would only wait for each other."""
    octets = blake2b(name.encode(), digest_size=8, person=b"kalends").digest()
    return int.from_bytes(octets, "big", signed=True)


# No home has such a name.
_ALL = _key("/")
_PLACES = _key("//")
