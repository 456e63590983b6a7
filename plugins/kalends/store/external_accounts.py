"""External accounts: logged in by the web server in front, and named in no user file."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, insert, select

from kalends.errors import StoreUnavailableError
from kalends.store.compiled import CompiledStatement
from kalends.store.engine import Database
from kalends.store.schema import collection, external_account

_ONE = select(external_account.c.name).where(external_account.c.name == bindparam("who"))
_WITH_HOME = CompiledStatement(
    select(external_account.c.name).join(collection, collection.c.path == external_account.c.name)
)
_DELETE = delete(external_account).where(external_account.c.name == bindparam("who"))


class ExternalAccounts:
    """The external accounts, which count as accounts for as long as they have a home."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: frozenset[str] | None = None

    def record(self, name: str) -> None:
        """Record that the web server has logged ``name`` in.

        Raises:
            StoreFullError: the disk is full.
        """
        with self._database.read() as connection:
            if _is_recorded(connection, name):
                return
        with self._database.write(name) as connection:
            if not _is_recorded(connection, name):
                connection.execute(insert(external_account), {"name": name})

    def names(self) -> frozenset[str]:
        """Return the external accounts that have a home.

        While the database is unavailable, the result of the last successful call is returned.

        Raises:
            StoreUnavailableError: it is unavailable, and no call of this process succeeded yet.
        """
        try:
            with self._database.read() as connection:
                rows = _WITH_HOME.run(connection, {}).fetchall()
        except StoreUnavailableError:
            if self._seen is None:
                raise
        else:
            self._seen = frozenset(name for (name,) in rows)
        return self._seen


def delete_external_account(connection: Connection, name: str) -> None:
    """Delete the record of ``name``, until the web server logs it in again."""
    connection.execute(_DELETE, {"who": name})


def _is_recorded(connection: Connection, name: str) -> bool:
    return connection.execute(_ONE, {"who": name}).first() is not None
