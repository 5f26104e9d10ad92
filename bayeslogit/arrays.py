"""Designs from arrays: checks, names, and how new arrays are matched to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.data import Provenance, column_names, eager, one_person
from bayeslogit.errors import DataError
from bayeslogit.sources.matrix import DenseRows, Rows, SparseRows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ArraySpec:
    """Names and coding of a design made from arrays.

    Attributes
    ----------
    names : tuple of str
        The slope columns, in the order of the array.
    has_intercept : bool
        Whether a column of ones comes first.
    event, other : str or None
        The outcome level that counts as 1, and the other.
    """

    names: tuple[str, ...]
    has_intercept: bool
    event: str | None = None
    other: str | None = None

    outcome = "y"
    formula: str | None = None

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return ("Intercept", *self.names) if self.has_intercept else self.names

    @cached_property
    def terms(self) -> Mapping[str, tuple[int, ...]]:
        return {name: (j,) for j, name in enumerate(self.columns)}

    @property
    def reference_levels(self) -> Mapping[str, str]:
        return {}

    def rows(self, new: Any) -> Rows:
        """New rows in the order of the design; a frame or dict is matched by name, an array by position."""
        new = one_person(new)
        given = _named_columns(new)
        if given is not None:
            missing = [name for name in self.names if name not in given]
            if missing:
                raise DataError(
                    f"new data lack the columns {', '.join(missing[:8])}; the design has {', '.join(self.names[:8])}."
                )
            new = np.column_stack([given[name] for name in self.names]) if self.names else new
        rows, _, _ = array_rows(new, None, self.has_intercept, what="new data")
        k = rows.shape[1] - self.has_intercept
        if k != len(self.names):
            raise DataError(f"new data have {k} columns, the design has {len(self.names)} besides the intercept.")
        return rows

    def offset_of(self, new: Any) -> Array | None:
        """None: arrays carry no offset by name."""
        return None

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "arrays",
            "names": list(self.names),
            "has_intercept": self.has_intercept,
            "event": self.event,
            "other": self.other,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ArraySpec:
        return cls(tuple(record["names"]), record["has_intercept"], record["event"], record["other"])


def array_rows(
    X: Any, names: Sequence[str] | None, intercept: bool, *, what: str = "X"
) -> tuple[Rows, tuple[str, ...], Provenance]:
    """Check an array of slope columns and name them.

    Raises
    ------
    DataError
        If it is not a two-dimensional array of finite real numbers, or the names do not fit.
    """
    library, X = type(X).__module__.partition(".")[0], eager(X)
    frame_names = _frame_names(X)
    if frame_names is None:
        library = "numpy"
    else:
        names = frame_names if names is None else names
        X = X.to_numpy() if hasattr(X, "to_numpy") else np.column_stack([np.asarray(column) for column in X.columns])
    rows: Rows
    if hasattr(X, "tocsr"):
        csr = X.tocsr()
        if not csr.has_canonical_format:
            csr = csr.copy()
            csr.sum_duplicates()
        csr = _float(csr, what)
        _finite_columns(csr.data, csr.indices, what)
        rows = SparseRows.of(csr, intercept)
    else:
        rows = DenseRows(_dense(X, what), intercept)
    k = rows.shape[1] - intercept
    labels = tuple(f"x{j + 1}" for j in range(k)) if names is None else tuple(str(name) for name in names)
    check_names(labels, k, intercept)
    if isinstance(rows, DenseRows):
        column = _not_finite(rows.X)
        if column is not None:
            row = int(np.flatnonzero(~np.isfinite(rows.X[:, column]))[0])
            label = labels[column] if names is not None else str(column)
            raise DataError(
                f"{what}: column {label!r} has a value that is not finite, NaN or infinity "
                f"({rows.X[row, column]}), at row {row}. "
                "Drop or impute missing values first."
            )
    return rows, labels, Provenance("arrays", "arrays", library, rows.shape[0], labels, None)


def _not_finite(X: NDArray[Any]) -> int | None:
    """The first column with a value that is not finite."""
    # A sum over a column is finite unless a value is not, or it overflows: only then look at each value.
    with np.errstate(over="ignore", invalid="ignore"):
        suspects = np.flatnonzero(~np.isfinite(np.add.reduce(X, axis=0, dtype=np.float64)))
    found = [int(j) for j in suspects if not np.isfinite(X[:, j]).all()]
    return found[0] if found else None


def _frame_names(X: Any) -> list[str] | None:
    if not hasattr(X, "columns") or not (hasattr(X, "to_numpy") or hasattr(X, "column_names")):
        return None
    return [str(name) for name in column_names(X)]


def _named_columns(new: Any) -> Mapping[str, Any] | None:
    names = _frame_names(new)
    # Names as text, whatever the frame calls its columns.
    if names is None:
        return None
    return {name: np.asarray(new[key]) for name, key in zip(names, column_names(new), strict=True)}


def _dense(X: Any, what: str) -> NDArray[Any]:
    try:
        array = np.asarray(X)
    except (TypeError, ValueError):
        raise DataError(f"{what} must be a two-dimensional array of numbers; its rows differ in length.") from None
    if array.ndim != 2:
        raise DataError(
            f"{what} must have two dimensions (rows, columns); it has shape {array.shape}. "
            "Reshape your data: X.reshape(-1, 1) for one column, X.reshape(1, -1) for one row."
        )
    result: NDArray[Any] = _float(array, what)
    return result


def _float(array: Any, what: str) -> Any:
    if np.issubdtype(array.dtype, np.complexfloating):
        raise DataError(f"{what} holds complex numbers. Complex data not supported.")
    if array.dtype in (np.float32, np.float64):
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} must hold numbers; {error}.") from None


def _finite_columns(data: NDArray[Any], columns: NDArray[Any], what: str) -> None:
    bad = np.flatnonzero(~np.isfinite(data))
    if bad.size:
        raise DataError(f"{what}: column {int(columns[bad[0]])} has a value that is not finite, NaN or infinity.")


def check_names(labels: tuple[str, ...], k: int, intercept: bool) -> None:
    """Refuse names of slope columns that are too many, too few, or not all different."""
    if len(labels) != k:
        raise DataError(f"names has {len(labels)} entries, X has {k} columns.")
    if not intercept and "Intercept" in labels:
        raise DataError("names: 'Intercept' stands for the column of ones; give another name to this one.")
    taken = ("Intercept", *labels) if intercept else labels
    repeated = sorted({name for name in taken if taken.count(name) > 1}) if len(set(taken)) < len(taken) else []
    if repeated:
        raise DataError(f"names: {', '.join(repeated[:8])} stand(s) for more than one column; names must differ.")
