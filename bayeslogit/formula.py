"""Formulas: text and a data frame become a matrix with names, and a coding that new rows go through unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit.coding import materialise
from bayeslogit.data import one_person, to_pandas
from bayeslogit.errors import ArgumentError, DataError
from bayeslogit.factors import Factors, check_levels, listed, same_levels
from bayeslogit.formula_guard import read_formula
from bayeslogit.outcome import decode_outcome, row_vector
from bayeslogit.sources.matrix import Rows, as_rows

Array = NDArray[np.float64]


class Arrays(NamedTuple):
    """A formula's data as arrays; see `build`."""

    X: Any
    y: Array
    trials: Array
    weights: Array
    offset: Array
    kept: NDArray[np.bool_]
    n_dropped: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class FormulaSpec:
    """A formula with what it learned from the data: everything that new rows need.

    Attributes
    ----------
    formula : str
        As given.
    outcome : str
        Name of the outcome column.
    event, other : str or None
        The level that counts as 1, and the other.
    columns : tuple of str
        Design columns, "Intercept" first when there is one.
    terms : dict of str to tuple of int
        Formula term to the positions of its columns.
    factors : Factors
        Kind and levels of the data columns on the right-hand side.
    state : dict
        formulaic's transform and encoder state, as plain values.
    offset, trials, weights : str or None
        Names of these columns, when they came by name.
    """

    formula: str
    outcome: str
    event: str | None
    other: str | None
    columns: tuple[str, ...]
    terms: Mapping[str, tuple[int, ...]]
    reference_levels: Mapping[str, str]
    factors: Factors
    state: Mapping[str, Any] = field(repr=False)
    offset: str | None = None
    trials: str | None = None
    weights: str | None = None

    @property
    def has_intercept(self) -> bool:
        return bool(self.columns) and self.columns[0] == "Intercept"

    @property
    def variables(self) -> tuple[str, ...]:
        """Data columns that the right-hand side needs."""
        return tuple(self.factors.kinds)

    @property
    def levels(self) -> Mapping[str, tuple[Any, ...]]:
        """Levels of the factors, in order."""
        return self.factors.levels

    def transform(self, new: Any) -> Any:
        """New rows coded as the data of the fit were, dense or compressed, shape (n, p).

        Raises
        ------
        DataError
            If a column is missing, a value is missing or not finite, or a level was not in the data of the fit.
        """
        frame = _needed(to_pandas(one_person(new)), self.variables, "new data")
        _no_missing(frame, "new data")
        frame = same_levels(frame, self.factors)
        reading = read_formula(self.formula, self.factors.texts())
        made = materialise(reading, frame, self.factors.levels, self.state)
        if made.columns != self.columns:
            raise DataError(f"new data: coded as {listed(made.columns)}, but the fit has {listed(self.columns)}.")
        return made.X

    def rows(self, new: Any) -> Rows:
        """`transform` as rows of a design."""
        return as_rows(self.transform(new), self.has_intercept)

    def offset_of(self, new: Any) -> Array | None:
        """The offset of new rows when the design's came by name, else None."""
        if self.offset is None:
            return None
        frame = _needed(to_pandas(one_person(new)), (self.offset,), "new data")
        return row_vector("offset", frame[self.offset].to_numpy(), frame.shape[0])

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "formula",
            "formula": self.formula,
            "outcome": self.outcome,
            "event": self.event,
            "other": self.other,
            "columns": list(self.columns),
            "terms": {term: list(index) for term, index in self.terms.items()},
            "reference_levels": dict(self.reference_levels),
            "factors": self.factors.to_dict(),
            "state": dict(self.state),
            "offset": self.offset,
            "trials": self.trials,
            "weights": self.weights,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> FormulaSpec:
        # A saved fit may have been edited: its formula is checked like any other.
        read_formula(record["formula"])
        return cls(
            formula=record["formula"],
            outcome=record["outcome"],
            event=record["event"],
            other=record["other"],
            columns=tuple(record["columns"]),
            terms={term: tuple(index) for term, index in record["terms"].items()},
            reference_levels=dict(record["reference_levels"]),
            factors=Factors.from_dict(record["factors"]),
            state=record["state"],
            offset=record["offset"],
            trials=record.get("trials"),
            weights=record.get("weights"),
        )


def build(
    formula: str,
    native: Any,
    *,
    trials: str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    event: Any = None,
    missing: str = "raise",
) -> tuple[FormulaSpec, Arrays]:
    """A formula and a data frame as arrays, and the coding for new rows.

    Raises
    ------
    FormulaError, DataError
        If the formula or the data cannot be right.
    """
    if missing not in ("raise", "drop"):
        raise ArgumentError(f"missing={missing!r}: rows with missing values 'raise' an error or are dropped ('drop').")
    reading = read_formula(formula)
    given = to_pandas(native)
    outcome, variables = reading.outcome, reading.variables
    extras = {"trials": trials, "weights": weights, "offset": offset}
    by_name = {role: value for role, value in extras.items() if isinstance(value, str)}
    needed = tuple(dict.fromkeys((outcome, *variables, *by_name.values())))
    frame = _needed(given, needed, "data")
    if outcome in by_name.values():
        raise DataError(f"The outcome {outcome!r} cannot also be trials, weights or offset.")
    vectors = {role: _vector(role, value, frame) for role, value in extras.items()}
    kept, notes = _kept(frame, vectors, by_name, missing)
    frame, rows = frame[kept], np.flatnonzero(kept)  # messages quote the rows as they were given
    values = {role: None if v is None else row_vector(role, v[kept], rows.size, rows) for role, v in vectors.items()}
    result = decode_outcome(
        outcome,
        frame[outcome].to_numpy(),
        trials=values["trials"],
        event=event,
        categories=list(frame[outcome].cat.categories) if frame[outcome].dtype.name == "category" else None,
        rows=rows,
    )
    coded, factors, level_notes = check_levels(frame, variables, reading.levelled)
    made = materialise(read_formula(formula, factors.texts()), coded, factors.levels)
    n = made.X.shape[0]
    roles = (by_name.get("offset"), by_name.get("trials"), by_name.get("weights"))
    learned = (made.columns, made.terms, made.reference_levels, factors, made.state)
    spec = FormulaSpec(formula, outcome, result.event, result.other, *learned, *roles)
    w = np.ones(n) if values["weights"] is None else values["weights"]
    o = np.zeros(n) if values["offset"] is None else values["offset"]
    notes = (*notes, *result.notes, *level_notes)
    return spec, Arrays(made.X, result.y, result.trials, w, o, kept, int((~kept).sum()), notes)


# --- columns -----------------------------------------------------------------------------------------------------


def _needed(frame: Any, names: tuple[str, ...], what: str) -> Any:
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise DataError(
            f"{what}: there is no column {listed(absent)}; needed are {listed(names)}, "
            f"there are {listed([str(name) for name in frame.columns])}."
        )
    return frame[list(names)]


def _vector(role: str, value: Any, frame: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, str):
        return frame[value].to_numpy(dtype=object, na_value=np.nan)
    vector = np.asarray(value, dtype=object)
    if vector.shape != (frame.shape[0],):
        raise DataError(f"{role} has shape {vector.shape}; one number for each of the {frame.shape[0]} rows is needed.")
    return vector


# --- missing values ----------------------------------------------------------------------------------------------


def _missing_counts(frame: Any) -> dict[str, int]:
    counts = frame.isna().sum()
    return {str(name): int(count) for name, count in counts.items() if count}


def _no_missing(frame: Any, what: str) -> None:
    counts = _missing_counts(frame)
    if counts:
        raise DataError(f"{what}: missing values in {_counted(counts)}.")


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count} row{'s' if count > 1 else ''})" for name, count in counts.items())


def _kept(
    frame: Any, vectors: Mapping[str, Any], by_name: Mapping[str, str], missing: str
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    lost = {
        role: np.array([value is None or value != value for value in v]) for role, v in vectors.items() if v is not None
    }
    counts = _missing_counts(frame) | {role: int(mask.sum()) for role, mask in lost.items() if role not in by_name}
    named = {name: count for name, count in counts.items() if count}
    gone = frame.isna().any(axis=1).to_numpy(dtype=bool)
    for mask in lost.values():
        gone = gone | mask
    if not gone.any():
        return ~gone, ()
    if missing == "raise":
        raise DataError(
            f"data: missing values in {_counted(named)}: {int(gone.sum())} of {gone.size} rows. "
            "Impute them, or say missing='drop'."
        )
    if gone.all():
        raise DataError(f"data: every row has a missing value: {_counted(named)}.")
    return ~gone, (f"Missing values: {int(gone.sum())} of {gone.size} rows dropped: {_counted(named)}.",)
