"""A chunk of a stream as a block: the same coding for every block of every part, wherever it is worked on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.column_plan import Plan
from bayeslogit.errors import DataError
from bayeslogit.formula import FormulaSpec
from bayeslogit.outcome import decode_outcome, row_vector
from bayeslogit.sources.matrix import DenseRows
from bayeslogit.sources.memory import Block
from bayeslogit.sources.parts import Chunk

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RowCoder:
    """Codes tables by a formula that is known.

    Attributes
    ----------
    spec : FormulaSpec
    plan : Plan or None
        None if formulaic codes every block.
    event : object
        The level of the outcome that counts as 1; None if it is a number, a boolean or a count.
    drop : bool
        Whether rows with missing values are left out; else they are an error.
    compiled : bool
        Whether blocks are worked by compiled loops.
    starts : dict of str to (int, tuple of int or None)
        Where a part begins among the rows that are used, and where its chunks do if rows were left out.
    """

    spec: FormulaSpec
    plan: Plan | None
    event: Any
    drop: bool
    compiled: bool = False
    starts: Mapping[str, tuple[int, tuple[int, ...] | None]] = field(default_factory=dict, repr=False)

    def __call__(self, chunk: Chunk) -> Block:
        spec = self.spec
        roles = {role: getattr(spec, role) for role in ("trials", "weights", "offset")}
        table, rows = chunk.table, None
        try:
            whole = None if any(roles.values()) else self._whole(chunk)
            if whole is not None:
                y = self._outcome(table[spec.outcome], None, np.arange(0))
                return self._block(whole, y, {}, self._start(chunk))
        except DataError as error:
            raise DataError(f"{chunk.part}: {error}") from None
        keep = kept(chunk, (spec.outcome, *spec.variables, *filter(None, roles.values())), spec.weights, self.drop)
        if keep is not None:
            rows = np.flatnonzero(keep)
            table = table.take(rows)
        n = table.num_rows
        numbers = np.arange(chunk.first, chunk.first + n) if rows is None else rows + chunk.first
        try:
            vectors = {
                role: row_vector(role, as_numbers(table[name]), n, numbers)
                for role, name in roles.items()
                if name and n
            }
            y = self._outcome(table[spec.outcome], vectors.get("trials"), numbers) if n else np.zeros(0)
            X = self._slopes(table, n, numbers)
        except DataError as error:
            raise DataError(f"{chunk.part}: {error}") from None
        return self._block(X, y, vectors, self._start(chunk))

    def _block(self, X: Array, y: Array, vectors: Mapping[str, Array], start: int) -> Block:
        ones, zeros = np.broadcast_to(1.0, y.size), np.zeros(y.size)
        single = "trials" not in vectors and "weights" not in vectors
        return Block(
            DenseRows(X, self.spec.has_intercept, compiled=self.compiled),
            y,
            vectors.get("trials", ones),
            vectors.get("weights", ones),
            vectors.get("offset", zeros),
            start,
            (y, 1.0 - y) if single else None,
        )

    def _whole(self, chunk: Chunk) -> Array | None:
        """The slope columns of rows that are all there, as almost all are: found out by one sum of them.

        None if a value may be missing, which no number tells: then each column is looked at by itself.
        """
        import pyarrow as pa

        table, spec, plan = chunk.table, self.spec, self.plan
        if plan is None or plan.expressions or not table.num_rows:
            return None
        # What does not end in a number of X as it is.
        apart = [name for name in (spec.outcome, *spec.variables) if name not in plan.numbers]
        if any(table[name].null_count for name in (*apart, *plan.numbers)):
            return None
        if any(pa.types.is_floating(table[name].type) and missing_in(table[name]) is not None for name in apart):
            return None
        rows = np.arange(chunk.first, chunk.first + table.num_rows)
        levelled = {name for piece in plan.pieces for name in piece.factors}
        codes = {name: as_codes(table[name], spec.levels[name], name, rows) for name in levelled}
        X = plan.fill({name: as_stored(table[name]) for name in plan.numbers}, codes, table.num_rows)
        return X if sound(X.T.ravel()) else None

    def _start(self, chunk: Chunk) -> int:
        begin, chunks = self.starts.get(chunk.part, (0, None))
        return begin + (chunk.first if chunks is None else chunks[chunk.number])

    def _outcome(self, column: Any, trials: Array | None, numbers: NDArray[np.int64]) -> Array:
        if trials is not None:
            return decode_outcome(self.spec.outcome, as_numbers(column), trials=trials, rows=numbers).y
        if self.event is None:
            return as_numbers(column)
        coded = encoded(column)
        happened = np.array([value == self.event for value in coded.dictionary.to_pylist()], dtype=np.float64)
        return np.asarray(happened[coded.indices.to_numpy()])

    def _slopes(self, table: Any, n: int, numbers: NDArray[np.int64]) -> Array:
        spec, first = self.spec, int(self.spec.has_intercept)
        if n == 0:
            return np.empty((0, len(spec.columns) - first))
        if self.plan is None:
            frame = table.select(list(spec.variables)).to_pandas().set_axis(numbers, axis="index")
            X = spec.coded(frame).X
            whole = X if isinstance(X, np.ndarray) else X.toarray()
            return np.ascontiguousarray(whole[:, first:])
        levelled = {name for piece in self.plan.pieces for name in piece.factors}
        values = {name: as_stored(table[name]) for name in self.plan.numbers}
        for name, each in values.items():
            bad = ~np.isfinite(each) if not sound(each) else np.zeros(1, dtype=bool)
            if bad.any():
                row = int(np.flatnonzero(bad)[0])
                raise DataError(
                    f"Column {name!r} has the value {each[row]} in row {numbers[row]}; values must be finite."
                )
        codes = {name: as_codes(table[name], spec.levels[name], name, numbers) for name in levelled}
        X = self.plan.fill(self.plan.with_expressions(values), codes, n)
        if self.plan.expressions and not sound(X.T.ravel()):
            row, column = (int(where[0]) for where in np.nonzero(~np.isfinite(X)))
            raise DataError(
                f"Term {spec.columns[column + first]!r} is not finite in row {numbers[row]} (value {X[row, column]}); "
                "transforms such as log need positive values."
            )
        return X


def kept(chunk: Chunk, names: tuple[str, ...], weights: str | None, drop: bool) -> NDArray[np.bool_] | None:
    """Which rows stay; None if all do.

    Raises
    ------
    DataError
        For a missing value in a row that counts, unless such rows are dropped.
    """
    table = chunk.table
    keep, counted = np.ones(table.num_rows, dtype=bool), np.ones(table.num_rows, dtype=bool)
    if weights is not None:
        counted = as_numbers(table[weights]) != 0.0
        keep &= counted
    for name in dict.fromkeys(names):
        gone = missing_in(table[name])
        if gone is None:
            continue
        if not drop and np.any(gone & counted):
            row = chunk.first + int(np.flatnonzero(gone & counted)[0])
            raise DataError(f"{chunk.part}: {name} has a missing value in row {row}. Impute it, or say missing='drop'.")
        keep &= ~gone
    return None if keep.all() else keep


def missing_in(column: Any) -> NDArray[np.bool_] | None:
    """Where a column is null or NaN; None if nowhere."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(column.type):
        values = as_stored(column)
        if sound(values):
            return None
        gone = values != values
        return gone if gone.any() else None
    if not column.null_count:
        return None
    return np.asarray(pc.is_null(column).to_numpy())


def plain(column: Any) -> Any:
    """A column whose texts or categories are written out."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column


def sound(values: NDArray[Any]) -> bool:
    """Whether all values are finite, quickly: a sum is, unless one of them is not, or it overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.add.reduce(values)))


def as_stored(column: Any) -> NDArray[Any]:
    """A column as floats of its own precision, NaN where it is missing, shape (n,)."""
    import pyarrow as pa

    return np.asarray(column.to_numpy()) if column.type == pa.float32() else as_numbers(column)


def as_numbers(column: Any) -> Array:
    """A column as floats, NaN where it is missing, shape (n,)."""
    import pyarrow as pa

    column = plain(column)
    try:
        floats = column if column.type == pa.float64() else column.cast(pa.float64())
    except (ValueError, NotImplementedError, TypeError):
        values = np.array([np.nan if value is None else value for value in column.to_pylist()], dtype=object)
        try:
            return values.astype(np.float64)
        except (TypeError, ValueError):
            shown = next(value for value in values if isinstance(value, str))
            raise DataError(f"a column that should hold numbers holds {shown!r}.") from None
    return np.asarray(floats.to_numpy(), dtype=np.float64)


def encoded(column: Any) -> Any:
    """A column as one Arrow dictionary array: codes into the values that occur."""
    import pyarrow as pa

    merged = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    coded = merged if pa.types.is_dictionary(merged.type) else merged.dictionary_encode()
    return coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded


def as_codes(column: Any, levels: tuple[Any, ...], name: str, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The position of each value among the levels, shape (n,).

    Raises
    ------
    DataError
        For a level that the first pass has not met: the data have changed since.
    """
    place = {level: position for position, level in enumerate(levels)}
    coded = encoded(column)
    known = coded.dictionary.to_pylist()
    translated = np.array([place.get(level, -1) for level in known], dtype=np.int64)
    codes: NDArray[np.int64] = translated[coded.indices.to_numpy()]
    if codes.min(initial=0) < 0:
        row = int(np.flatnonzero(codes < 0)[0])
        value = known[int(coded.indices[row].as_py())]
        raise DataError(
            f"{name} has the level {value!r} in row {numbers[row]}, which was not there when the design was made: "
            "the data have changed."
        )
    return codes
