"""Chunks of arrays as blocks, and an outcome that is learned from the values that occur."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from bayeslogit.arrays import ArraySpec
from bayeslogit.errors import DataError
from bayeslogit.missing import is_missing
from bayeslogit.outcome import decode_outcome, row_vector
from bayeslogit.sources.dask import DaskParts
from bayeslogit.sources.matrix import DenseRows
from bayeslogit.sources.memory import Block
from bayeslogit.sources.parts import Chunk

# Different outcomes that a message shows.
_FEW = 8


@dataclass(frozen=True)
class ArrayCoder:
    """Checks and codes chunks of arrays; see `row_coder.RowCoder`.

    Attributes
    ----------
    spec : ArraySpec
    event : object
        The value of the outcome that counts as 1; None if it is numbers.
    """

    spec: ArraySpec
    event: Any
    compiled: bool
    starts: Mapping[str, tuple[int, tuple[int, ...] | None]] = field(default_factory=dict, repr=False)

    def __call__(self, chunk: Chunk) -> Block:
        given: Mapping[str, Any] = chunk.table
        y, X = np.asarray(given["y"]), np.asarray(given["X"])
        n = y.shape[0]
        rows = np.arange(chunk.first, chunk.first + n)
        if X.dtype not in (np.float32, np.float64):
            X = X.astype(np.float64)
        if not np.isfinite(X.sum(dtype=np.float64)) and not np.isfinite(X).all():
            row, column = (int(place[0]) for place in np.nonzero(~np.isfinite(X)))
            raise DataError(
                f"X: column {self.spec.names[column]!r} has a value that is not finite, NaN or infinity "
                f"({X[row, column]}), at row {rows[row]} of {chunk.part}. Drop or impute missing values first."
            )
        try:
            vectors = {role: row_vector(role, given[role], n, rows) for role in given if role not in ("X", "y")}
            trials = vectors.get("trials")
            if trials is not None:
                y = decode_outcome("y", y, trials=trials, rows=rows).y
            elif self.event is None:
                y = y.astype(np.float64)
            else:
                y = np.array([value == self.event for value in y.tolist()], dtype=np.float64)
        except DataError as error:
            raise DataError(f"{chunk.part}: {error}") from None
        ones = np.broadcast_to(1.0, n)
        begin, _ = self.starts.get(chunk.part, (0, None))
        return Block(
            DenseRows(X, self.spec.has_intercept, compiled=self.compiled),
            y,
            ones if trials is None else trials,
            vectors.get("weights", ones),
            vectors.get("offset", np.zeros(n)),
            begin + chunk.first,
        )


class Decoded(NamedTuple):
    """An outcome: words for its levels, the value that counts as 1 (None for numbers), notes."""

    event: str | None
    other: str | None
    chosen: Any
    notes: tuple[str, ...]


def values_of(parts: DaskParts, counts: bool) -> tuple[dict[Any, int], tuple[str, ...]]:
    """Values of the outcome with their numbers of rows (none where it counts), and the parts that have rows."""
    found = list(zip(parts.names, parts.each(_values, counts), strict=True))
    total: dict[Any, int] = {}
    for _, own in found:
        for value, number in (own or {}).items():
            total[value] = total.get(value, 0) + number
    return total, tuple(name for name, own in found if own is not None)


def _values(part: Any, counts: bool) -> dict[Any, int] | None:
    y = np.asarray(part.arrays["y"])
    if y.size == 0:
        return None
    if counts:
        return {}
    gone = is_missing(y)
    if np.any(gone):
        raise DataError(f"y: {int(gone.sum())} outcomes of {part.name} are missing; drop these rows first.")
    values, numbers = np.unique(y, return_counts=True)
    return dict(zip(values[: _FEW + 1].tolist(), numbers[: _FEW + 1].tolist(), strict=True))


def outcome_of_values(values: Mapping[Any, int], counts: bool, event: Any) -> Decoded:
    """What `outcome.decode_outcome` makes of the values that occur.

    Raises
    ------
    DataError
    """
    if counts:
        if event is not None:
            raise DataError(f"event={event!r} has no meaning with trials=: 'y' counts successes.")
        return Decoded(None, None, None, ())
    if len(values) > 2:
        shown = ", ".join(f"{value} ({count} rows)" for value, count in list(values.items())[:6])
        raise DataError(
            f"Outcome 'y' is not two-valued, it has values such as {shown}. A logistic regression needs 0/1, True/"
            "False or two levels; for successes out of trials give trials=."
        )
    result = decode_outcome("y", np.array(list(values)), event=event)
    if event is None and all(isinstance(value, bool | int | float) for value in values) and set(values) <= {0, 1}:
        return Decoded(result.event, result.other, None, result.notes)
    chosen = next((value for value in values if str(value) == result.event), result.event)
    return Decoded(result.event, result.other, chosen, result.notes)
