"""Statements that every request needs: written in SQLAlchemy, and run without it.

SQLAlchemy's way to a row costs several times what SQLite takes to find it. It still says what the
statement is for a database; that is asked once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select
from sqlalchemy.engine.interfaces import DBAPICursor


class Prepared:
    """A SELECT without lists among its parameters, and without columns that need translation.

    Args:
        statement: its parameters are named by ``bindparam``.
    """

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement
        self._texts: dict[str, tuple[str, tuple[str, ...] | None, Mapping[str, Any]]] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> DBAPICursor:
        """A cursor on the rows, for as long as the transaction is open."""
        cursor = connection.connection.cursor()
        text, names, own = self._text(connection)
        if names is None:
            cursor.execute(text, {**own, **values})
        else:
            cursor.execute(text, [values[name] if name in values else own[name] for name in names])
        return cursor

    def _text(
        self, connection: Connection
    ) -> tuple[str, tuple[str, ...] | None, Mapping[str, Any]]:
        dialect = connection.dialect
        found = self._texts.get(dialect.name)
        if found is None:
            compiled = self._statement.compile(dialect=dialect)
            names = compiled.positiontup if compiled.positional else None
            found = (compiled.string, None if names is None else tuple(names), compiled.params)
            self._texts[dialect.name] = found
        return found
