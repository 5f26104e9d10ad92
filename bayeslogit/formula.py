"""Formulas: text and a data frame become a matrix with names, and a coding that new rows go through unchanged."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit.coding import Matrix, materialise
from bayeslogit.data import one_person, separator_hint, to_pandas
from bayeslogit.errors import DataError
from bayeslogit.factors import Factors, check_levels, listed, same_levels
from bayeslogit.formula_guard import Reading, read_formula
from bayeslogit.missing import check_missing, kept_rows, left_out, no_missing, no_stray_text, plain_vector
from bayeslogit.outcome import Outcome, decode_outcome, row_vector
from bayeslogit.sources.matrix import Rows, as_rows

Array = NDArray[np.float64]

# Transforms learn from repeated rows up to these many rows and numbers.
_MOST_REPEATED = 3_000_000
_MOST_NUMBERS = 100_000_000


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
        no_missing(frame, "new data")
        made = self.coded(frame)
        if made.columns != self.columns:
            raise DataError(f"new data: coded as {listed(made.columns)}, but the fit has {listed(self.columns)}.")
        return made.X

    def coded(self, frame: Any) -> Matrix:
        """The matrix of checked rows, its intercept column first."""
        reading = read_formula(self.formula, self.factors.texts())
        return materialise(reading, same_levels(frame, self.factors), self.factors.levels, self.state)

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
            terms={term: _places(index) for term, index in record["terms"].items()},
            reference_levels=dict(record["reference_levels"]),
            factors=Factors.from_dict(record["factors"]),
            state=record["state"],
            offset=record["offset"],
            trials=record.get("trials"),
            weights=record.get("weights"),
        )


def _places(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list):
        raise TypeError(f"{values!r} is not a list of columns")
    return tuple(values)


def build(
    formula: str,
    native: Any,
    *,
    trials: str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    event: Any = None,
    missing: str = "raise",
    from_text: bool = False,
) -> tuple[FormulaSpec, Arrays]:
    """A formula and a data frame as arrays, and the coding for new rows.

    Everything is learned from the rows with weight, and a row of weight w and m trials teaches as w m rows do. Rows of
    weight zero are coded like new rows; if that fails for one of them they are all left out, with a note.

    Raises
    ------
    FormulaError, DataError
        If the formula or the data cannot be right.
    """
    check_missing(missing)
    reading = read_formula(formula)
    given = to_pandas(native)
    outcome, variables = reading.outcome, reading.variables
    extras = {"trials": trials, "weights": weights, "offset": offset}
    by_name = {role: value for role, value in extras.items() if isinstance(value, str)}
    needed = tuple(dict.fromkeys((outcome, *variables, *by_name.values())))
    frame = _needed(given, needed, "data")
    if from_text:
        no_stray_text(frame, [name for name in variables if name not in reading.levelled])
    if outcome in by_name.values():
        raise DataError(f"The outcome {outcome!r} cannot also be trials, weights or offset.")
    vectors = {role: _vector(role, value, frame) for role, value in extras.items() if value is not None}
    beside = {role: vector for role, vector in vectors.items() if role not in by_name}
    kept = kept_rows(frame, beside, vectors.get("weights"), missing, from_text=from_text)
    result, numbers = _companions(outcome, frame, vectors, event, kept.counted)
    used = frame[kept.counted]
    coded, factors, level_notes = check_levels(used, variables, reading.levelled)
    reading = read_formula(formula, factors.texts())
    made, learning_notes = _learned(reading, coded, factors, numbers["weights"] * result.trials)
    if ("Intercept", "plain") in reading.columns.values():
        raise DataError(
            "The data column 'Intercept' cannot be a term: that name stands for the column of ones; rename the column."
        )
    roles = (by_name.get("offset"), by_name.get("trials"), by_name.get("weights"))
    learned = (made.columns, made.terms, made.reference_levels, factors, made.state)
    spec = FormulaSpec(formula, outcome, result.event, result.other, *learned, *roles)
    X, rows, idle_notes = made.X, kept.counted, []
    if kept.rows.sum() > rows.sum():
        try:
            everyone, all_numbers = _companions(outcome, frame, vectors, event, kept.rows)
            if (everyone.event, everyone.other) != (result.event, result.other):
                raise DataError(f"Outcome {outcome!r} has a level there that no row with weight has.")
            X = spec.coded(frame[kept.rows]).X
            result, numbers, rows = replace(everyone, notes=result.notes), all_numbers, kept.rows
        except DataError as error:
            idle_notes = [left_out(int((kept.rows & ~rows).sum()), str(error))]
    notes = (*kept.notes, *idle_notes, *result.notes, *level_notes, *learning_notes)
    w, o = numbers["weights"], numbers["offset"]
    return spec, Arrays(X, result.y, result.trials, w, o, rows, kept.n_dropped, notes)


def _companions(
    outcome: str, frame: Any, vectors: Mapping[str, Any], event: Any, mask: NDArray[np.bool_]
) -> tuple[Outcome, dict[str, Array]]:
    """Outcome, weights and offset of some rows; messages quote the rows as they were given."""
    rows, column = np.flatnonzero(mask), frame[outcome][mask]
    n = rows.size
    numbers = {role: row_vector(role, vector[mask], n, rows) for role, vector in vectors.items()}
    result = decode_outcome(
        outcome,
        column.to_numpy(),
        trials=numbers.get("trials"),
        event=event,
        categories=list(column.cat.categories) if column.dtype.name == "category" else None,
        rows=rows,
    )
    return result, {"weights": np.ones(n), "offset": np.zeros(n)} | numbers


def _learned(reading: Reading, coded: Any, factors: Factors, counts: Array) -> tuple[Matrix, list[str]]:
    """The matrix, with what its transforms learn from rows that count as many."""
    made = materialise(reading, coded, factors.levels)
    transforms = sorted(reading.shown(name) for name, learned in made.state["transforms"]["pairs"] if learned["pairs"])
    if not transforms or np.all(counts == 1.0):
        return made, []
    whole, total = bool(np.all(counts == np.floor(counts))), counts.sum()
    if whole and total <= min(_MOST_REPEATED, _MOST_NUMBERS / len(made.columns)):
        repeated = coded.iloc[np.repeat(np.arange(counts.size), counts.astype(np.int64))]
        state = materialise(reading, repeated, factors.levels).state
        return replace(made, X=materialise(reading, coded, factors.levels, state).X, state=state), []
    if counts.min() == counts.max():
        return made, []
    why = "make too many rows to repeat" if whole else "are not whole numbers"
    return made, [f"{', '.join(transforms)}: learned from the rows without their weights, which {why}."]


# --- columns -----------------------------------------------------------------------------------------------------


def _needed(frame: Any, names: tuple[str, ...], what: str) -> Any:
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise DataError(
            f"{what}: there is no column {listed(absent)}; needed are {listed(names)}, "
            f"there are {listed([str(name) for name in frame.columns])}.{_nearest(absent[0], frame.columns)}"
            f"{separator_hint(list(frame.columns))}"
        )
    return frame[list(names)]


def _nearest(name: str, columns: Any) -> str:
    """The column that may be meant: another spelling, or one with more words."""
    known = [str(each) for each in columns]
    near = [each for each in known if re.match(rf"{re.escape(name)}\b", each, re.IGNORECASE)]
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    if not near:
        return ""
    quoted = near[0] if near[0].isidentifier() else f"`{near[0]}`"
    return f" Did you mean {quoted}?"


def _vector(role: str, value: Any, frame: Any) -> Any:
    if isinstance(value, str):
        value = frame[value].to_numpy(dtype=object, na_value=np.nan)
    return plain_vector(role, value, frame.shape[0])
