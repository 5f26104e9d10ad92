"""SQL: the answer of a query to a DuckDB file, or to any file of data under the name ``data``, as one pandas frame."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bayeslogit.boundary import guarded
from bayeslogit.errors import DataError
from bayeslogit.files import DATABASES, FileTable, read_table, repeated_names


@dataclass(frozen=True)
class Query:
    """A question to a file, in DuckDB's SQL.

    Attributes
    ----------
    sql : str
        One SELECT.
    path : Path
        A DuckDB file, or a file that `read_table` reads: its rows are then the table ``data``.
    """

    sql: str
    path: Path

    @property
    def source(self) -> str:
        return f"{self.path.name} (query)"


def read_query(query: Query) -> FileTable:
    """The rows of the answer, with the SHA-256 of the file that was asked.

    Nothing but that file can be read, and nothing can be written.

    Raises
    ------
    DataError
        If the file cannot be read, DuckDB is not installed, or the query is not one SELECT with rows and names that
        differ.
    """
    path, name = query.path, query.path.name
    labels: dict[str, str] = {}
    frame = None
    if path.suffix.lower() in DATABASES:
        if not path.is_file():
            raise DataError(f"{name}: {'is a folder, not a file' if path.is_dir() else 'there is no such file'}.")
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    else:
        frame, labels, sha256 = read_table(path)
    answer = _answer(query, frame)
    if answer.shape[0] == 0:
        raise DataError(f"{name}: the query gives no rows.")
    return FileTable(answer, {key: text for key, text in labels.items() if key in answer.columns}, sha256)


@guarded
def read_sql(sql: str, path: str | os.PathLike[str]) -> Any:
    """The answer of an SQL query to a file, as a pandas frame ready for `fit`.

    Parameters
    ----------
    sql : str
        One SELECT in DuckDB's SQL.
    path : str or Path
        A DuckDB file (``.duckdb``, ``.ddb``); or a file of data that `fit` reads, whose rows are the table ``data``.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    DataError
        If the file cannot be read, DuckDB is not installed, or the query is not one SELECT with rows and names that
        differ.
    """
    return read_query(Query(sql, Path(path))).frame


def _answer(query: Query, frame: Any) -> Any:
    name = query.path.name
    try:
        import duckdb
    except ImportError:
        raise DataError(
            f"{name}: a query is answered by the package duckdb, which is not installed: pip install 'bayeslogit[io]'."
        ) from None
    try:
        with duckdb.connect(
            ":memory:" if frame is not None else str(query.path), read_only=frame is None
        ) as connection:
            connection.execute("SET python_enable_replacements = false; SET enable_external_access = false")
            statements = connection.extract_statements(query.sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise DataError(f"{name}: --query {query.sql!r}: a query is one SELECT.")
            if frame is not None:
                connection.register("data", frame)
            result = connection.execute(query.sql)
            repeated = repeated_names([each[0] for each in result.description or ()])
            if repeated:  # pandas would get the second under another name
                raise DataError(f"{name}: the query names the column(s) {', '.join(map(repr, repeated))} twice.")
            return result.df()
    except duckdb.Error as error:
        first = str(error).strip().splitlines()[0]
        raise DataError(f"{name}: the query has no answer ({first}).") from None
