"""Compiled statements for frequent queries: written in SQLAlchemy, run on the driver.

Fetching a row through SQLAlchemy costs several times what SQLite needs to find it. SQLAlchemy
compiles each statement once for each kind of database; after that it is bypassed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, ClauseElement, Connection, bindparam
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql.compiler import SQLCompiler

from kalends.store.batching import BATCH_SIZE, batched

_Arguments = Callable[[Mapping[str, Any]], Any]


class CompiledStatement:
    """A compiled statement; it has no list parameters, and its result columns need no conversion.

    Args:
        statement: a statement whose parameters are named by ``bindparam``.
        columns: the columns that an INSERT or UPDATE writes; each has a parameter of its name.
    """

    def __init__(self, statement: ClauseElement, columns: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._columns = columns
        self._texts: dict[str, tuple[str, _Arguments]] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> DBAPICursor:
        """Run the statement; return a cursor on its rows, valid while the transaction is open."""
        text, arguments = self._text(connection)
        driver: Any = connection.connection.dbapi_connection
        cursor: DBAPICursor = driver.execute(text, arguments(values))
        return cursor

    def run_many(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run the statement once for each row of values."""
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


class CompiledLookup:
    """A compiled statement that finds rows by a list of values of any length.

    Args:
        statement: returns the statement for a list of parameters.
    """

    # A list is padded to the next of these lengths with its last value, which adds no rows.
    _LENGTHS = (1, 20, 100, BATCH_SIZE)
    _NAMES = tuple(f"listed{number}" for number in range(BATCH_SIZE))

    def __init__(self, statement: Callable[[Sequence[BindParameter[Any]]], ClauseElement]) -> None:
        self._statements = [
            (length, CompiledStatement(statement([bindparam(n) for n in self._NAMES[:length]])))
            for length in self._LENGTHS
        ]

    def rows(
        self, connection: Connection, listed: Iterable[Any], values: Mapping[str, Any] | None = None
    ) -> Iterator[Any]:
        """Yield the rows for any number of values, a few hundred values in each query.

        Args:
            connection: the transaction to read in.
            listed: the values to look for, each once.
            values: the values of the other parameters.
        """
        for some in batched(listed):
            length, statement = next(pair for pair in self._statements if pair[0] >= len(some))
            padded = some + some[-1:] * (length - len(some))
            bound = dict(zip(self._NAMES, padded, strict=False))
            yield from iter(statement.run(connection, bound | dict(values or {})).fetchone, None)
