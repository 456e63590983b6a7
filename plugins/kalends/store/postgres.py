"""The store on a PostgreSQL server: several hosts write to different homes at the same time.

Before its first read, a write locks the homes that it names, with advisory locks of its
transaction and in the order of their keys, so that writes cannot deadlock. It also shares one more
lock with all such writes; a write that names no path takes that lock exclusively, and waits for all
others. These are advisory locks instead of row locks, since a home can be locked before it exists.

A write is READ COMMITTED: each of its statements sees everything committed before it, and nobody
else changes the locked homes meanwhile. A read is REPEATABLE READ and READ ONLY. So neither can
fail because of another transaction, and transactions are never repeated.
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
from kalends.limit_names import Limit
from kalends.store.circuit_breaker import CircuitBreaker, CircuitOpenError
from kalends.store.cluster_state import Statements

BUSY_SECONDS = 60
"""The time for which a write waits for earlier writes."""

# Defaults for options that the URL does not set. A server that does not answer must not block a
# thread for long, neither during connecting nor if its host vanishes (`tcp_user_timeout`, in
# milliseconds).
_CONNECT = {
    "connect_timeout": "5",
    "client_encoding": "utf8",
    "application_name": "kalends",
    "keepalives_idle": "5",
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "tcp_user_timeout": "10000",
}
# A host that vanished must not keep its locks, so the server probes the connection. An acknowledged
# commit must be on the disk; a stricter setting (of a standby) is kept.
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
# A host that hangs must not lock a home forever. A write to everything has no limit.
_NO_LONGER = f"SET LOCAL idle_in_transaction_session_timeout = '{BUSY_SECONDS}s'; "

_CLOCKS_APART = 2.0
"""The difference of clocks, in seconds, above which `kalends check` reports it."""

_FULL = "53100"
# An index entry must fit into a third of a page.
_TOO_LONG = "54000"
_BUSY = frozenset({"55P03", "40001", "40P01"})
# Classes: connection, authorization, missing database, insufficient resources, operator
# intervention, system error. Codes: a standby, an ended idle transaction, a missing privilege.
_GONE_CLASSES = ("08", "28", "3D", "53", "57", "58")
# 0A000: a hot standby, which cannot read unlogged tables.
_GONE = frozenset({"0A000", "25006", "25P03", "42501"})


class PostgresDatabase:
    """A database on a PostgreSQL server; see ``engine.Database``.

    Args:
        url: ``postgresql+psycopg://USER@HOST/DATABASE``.
        name: the URL without a password, for messages.
    """

    def __init__(self, url: URL, name: str) -> None:
        self.url = url
        self.name = name
        self.folder: Path | None = None
        self.statements: Statements | None = self
        self.engine: Engine = create_engine(
            url,
            connect_args={name: value for name, value in _CONNECT.items() if name not in url.query},
            # One connection for each thread; those above this number are closed after use.
            pool_size=16,
            max_overflow=-1,
            # A transaction ends before its connection is returned.
            pool_reset_on_return=None,
            use_native_hstore=False,
            # Values are calendars, secrets and keys: errors must not contain them.
            hide_parameters=True,
        )
        self._circuit_breaker = CircuitBreaker()
        event.listen(self.engine, "do_connect", self._connect)
        event.listen(self.engine, "connect", self._configure)
        event.listen(self.engine, "checkout", _check_alive)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read transaction on one snapshot."""
        with self._translating_errors(), self._transaction(_READ) as connection:
            yield connection

    @contextmanager
    def write(self, *paths: str) -> Iterator[Connection]:
        """Open a write transaction on the homes of some paths, or on everything."""
        with (
            self._translating_errors(),
            self._transaction(_WRITE + _lock_statements(paths)) as connection,
        ):
            yield connection

    def execute(self, text: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Run a single statement; see ``cluster_state.Statements``."""
        with self._translating_errors(), self.engine.connect() as connection:
            cursor = connection.connection.cursor()
            try:
                cursor.execute(text, values)
                return [*cursor.fetchall()] if cursor.description else []
            except BaseException:
                connection.invalidate()
                raise

    def exists(self) -> bool:
        """Return True: the database of a server always exists."""
        return True

    def close(self) -> None:
        """Close the connections that are not in use."""
        self.engine.dispose()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        # The driver does not begin transactions by itself; SQLAlchemy ends them.
        with self._begin(begin) as connection, connection.begin():
            yield connection

    def _begin(self, begin: str) -> Connection:
        """Return a connection on which a transaction has begun."""
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

    def _configure(self, connection: psycopg.Connection[Any], _record: object) -> None:
        connection.autocommit = True
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise ConfigurationError(self.name, f"its encoding is {encoding}; create it with UTF8")
        connection.execute(_SESSION)

    @contextmanager
    def _translating_errors(self) -> Iterator[None]:
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
                raise StoreRefusedError(
                    "a name or UID of more than 2,600 octets", limit=Limit.STORED_NAMES
                ) from error
            if isinstance(origin, psycopg.DataError) and not state:  # the driver refused it
                raise StoreRefusedError("a name with an octet 0") from error
            lost = isinstance(origin, psycopg.OperationalError) and not state
            if lost or state in _GONE or state.startswith(_GONE_CLASSES):
                if (
                    lost
                ):  # the idle connections in the pool are lost, too, and each would cost a wait
                    self.engine.dispose()
                why = "; ".join(line.strip() for line in str(origin).splitlines() if line.strip())
                raise StoreGoneError(self.name, why) from error
            raise


def lock_homes(connection: Connection) -> None:
    """Keep other writes from creating or deleting homes; the last lock that a write takes."""
    connection.connection.cursor().execute(f"SELECT pg_advisory_xact_lock({_HOMES})")


def check_database(connection: Connection) -> Iterator[str]:
    """Yield the settings of the server that can lose acknowledged writes or break logins."""
    for name in ("fsync", "full_page_writes"):
        if connection.exec_driver_sql(f"SHOW {name}").scalar() != "on":
            yield f"database: {name} is off on the server; turn it on, or a crash can lose data"
    now = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())::float8")
    apart = time.time() - now.scalar_one()
    if abs(apart) > _CLOCKS_APART:
        where = "ahead of" if apart > 0 else "behind"
        yield (
            f"database: this host's clock is {abs(apart):.0f} s {where} the server's; "
            "hosts refuse each other's nonces if their clocks differ; synchronize them"
        )


def _check_alive(connection: psycopg.Connection[Any], _record: object, _proxy: object) -> None:
    """Discard a connection that the server has closed while it was idle in the pool.

    On an idle connection, the server sends only that, or a change of its settings.

    Raises:
        DisconnectionError: there is something to read on the connection.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        raise DisconnectionError


def _drop(connection: Connection) -> None:
    """Close a connection in an unknown state."""
    connection.invalidate()
    connection.close()


def _lock_statements(paths: Iterable[str]) -> str:
    keys = sorted({_key(_home(path)) for path in paths})
    if not keys:
        return f"SELECT pg_advisory_xact_lock({_ALL})"
    each = ", ".join(f"pg_advisory_xact_lock({key})" for key in keys)
    return f"{_NO_LONGER}SELECT pg_advisory_xact_lock_shared({_ALL}), {each}"


def _home(path: str) -> str:
    """Return the home of a path, with the name of a group in its folded spelling."""
    owner = owner_of(path.strip("/"))
    group = owner.removeprefix(f"{GROUPS}/")
    return owner if group == owner else f"{GROUPS}/{folded_group(group).decode()}"


def _key(name: str) -> int:
    """Return the number of a lock; two names with the same number merely wait for each other."""
    octets = blake2b(name.encode(), digest_size=8, person=b"kalends").digest()
    return int.from_bytes(octets, "big", signed=True)


# A home never has such a name.
_ALL = _key("/")
_HOMES = _key("//")
