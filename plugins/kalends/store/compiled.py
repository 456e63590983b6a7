"""Statements that every request needs: written in SQLAlchemy, and run without it.

SQLAlchemy's way to a row costs several times what SQLite takes to find it. It still says what the
statement is for a database; that is asked once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ClauseElement, Connection
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql.compiler import SQLCompiler

_Arguments = Callable[[Mapping[str, Any]], Any]


class CompiledStatement:
    """A statement without lists among its parameters, and without columns to be translated.

    Args:
        statement: its parameters are named by ``bindparam``.
        columns: the columns that an INSERT or UPDATE writes; their parameters have their names.
    """

    def __init__(self, statement: ClauseElement, columns: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._columns = columns
        self._texts: dict[str, tuple[str, _Arguments]] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> DBAPICursor:
        """A cursor on the rows, for as long as the transaction is open."""
        text, arguments = self._text(connection)
        driver: Any = connection.connection.dbapi_connection
        cursor: DBAPICursor = driver.execute(text, arguments(values))
        return cursor

    def run_many(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run it once for each row of values."""
        text, arguments = self._text(connection)
        connection.connection.cursor().executemany(text, [arguments(values) for values in rows])

    def _text(self, connection: Connection) -> tuple[str, _Arguments]:
        dialect = connection.dialect
        found = self._texts.get(dialect.name)
        if found is None:
            compiled = self._statement.compile(dialect=dialect, column_keys=self._columns)
            assert isinstance(compiled, SQLCompiler)
            own = compiled.params
            names = compiled.positiontup

            def by_place(values: Mapping[str, Any]) -> Any:
                return [values[name] if name in values else own[name] for name in names or ()]

            def by_name(values: Mapping[str, Any]) -> Any:
                return {**own, **values}

            found = (compiled.string, by_place if compiled.positional else by_name)
            self._texts[dialect.name] = found
        return found
