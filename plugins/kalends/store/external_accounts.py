"""Accounts that no user file names: the web server in front has logged them in."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, insert, select

from kalends.errors import StoreUnavailableError
from kalends.store.compiled import CompiledStatement
from kalends.store.engine import Database
from kalends.store.schema import collection, outsider

_ONE = select(outsider.c.name).where(outsider.c.name == bindparam("who"))
_WITH_HOME = CompiledStatement(
    select(outsider.c.name).join(collection, collection.c.path == outsider.c.name)
)
_FORGET = delete(outsider).where(outsider.c.name == bindparam("who"))


class ExternalAccounts:
    """Who has come from elsewhere; they count as accounts for as long as they have a home."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: frozenset[str] | None = None

    def record(self, name: str) -> None:
        """Remember that the web server has logged ``name`` in.

        Raises:
            StoreFullError: there is no room for it.
        """
        with self._database.read() as connection:
            if _is_noted(connection, name):
                return
        with self._database.write(name) as connection:
            if not _is_noted(connection, name):
                connection.execute(insert(outsider), {"name": name})

    def names(self) -> frozenset[str]:
        """Those who have a home; who had one when last seen, while the database is away.

        Raises:
            StoreUnavailableError: it is away, and this process has never seen it.
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
    """Let ``name`` be nobody, until it is logged in again."""
    connection.execute(_FORGET, {"who": name})


def _is_noted(connection: Connection, name: str) -> bool:
    return connection.execute(_ONE, {"who": name}).first() is not None
