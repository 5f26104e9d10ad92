"""Formulas: text and a data frame become a matrix with names, and a coding that new rows go through unchanged."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit.coding import decode_state, encode_state
from bayeslogit.data import one_person, to_pandas
from bayeslogit.errors import ArgumentError, DataError, FormulaError
from bayeslogit.factors import Factors, check_levels, listed, same_levels
from bayeslogit.formula_guard import check_formula, columns_named, functions_called, plain_message
from bayeslogit.outcome import decode_outcome, row_vector
from bayeslogit.sources.matrix import DenseRows, Rows

Array = NDArray[np.float64]


class Arrays(NamedTuple):
    """A formula's data as arrays; see `build`."""

    X: Array
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
    offset : str or None
        Name of the offset column, when it came by name.
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

    @property
    def has_intercept(self) -> bool:
        return bool(self.columns) and self.columns[0] == "Intercept"

    @property
    def variables(self) -> tuple[str, ...]:
        """Data columns that the right-hand side needs."""
        return tuple(self.factors.kinds)

    def transform(self, new: Any) -> Array:
        """New rows coded as the data of the fit were, shape (n, p).

        Raises
        ------
        DataError
            If a column is missing, a value is missing or not finite, or a level was not in the data of the fit.
        """
        frame = _needed(to_pandas(one_person(new)), self.variables, "new data")
        _no_missing(frame, "new data")
        frame = same_levels(frame, self.factors)
        X, columns = _materialise(self.formula, frame, decode_state(self.state))[:2]
        _check_matrix(X, columns)
        if columns != self.columns:
            raise DataError(f"new data: coded as {listed(columns)}, but the fit has {listed(self.columns)}.")
        return X

    def rows(self, new: Any) -> Rows:
        """`transform` as rows of a design."""
        X = self.transform(new)
        return DenseRows(X[:, 1:] if self.has_intercept else X, self.has_intercept)

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
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> FormulaSpec:
        # A saved fit may have been edited: its formula is checked like any other.
        check_formula(record["formula"])
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
    check_formula(formula)
    given = to_pandas(native)
    outcome, variables = _sides(formula, tuple(given.columns))
    extras = {"trials": trials, "weights": weights, "offset": offset}
    by_name = {role: value for role, value in extras.items() if isinstance(value, str)}
    needed = tuple(dict.fromkeys((outcome, *variables, *by_name.values())))
    frame = _needed(given, needed, "data")
    _no_clash(formula, tuple(given.columns), outcome, variables, tuple(by_name.values()))
    vectors = {role: _vector(role, value, frame) for role, value in extras.items()}
    kept, notes = _kept(frame, vectors, missing)
    frame = frame[kept].reset_index(drop=True)
    values = {role: None if v is None else row_vector(role, v[kept], int(kept.sum())) for role, v in vectors.items()}
    result = decode_outcome(
        outcome,
        frame[outcome].to_numpy(),
        trials=values["trials"],
        event=event,
        categories=list(frame[outcome].cat.categories) if frame[outcome].dtype.name == "category" else None,
    )
    coded, factors, level_notes = check_levels(frame, variables, formula)
    X, columns, terms, references, state = _materialise(formula, coded, None)
    _check_matrix(X, columns)
    n = X.shape[0]
    spec = FormulaSpec(
        formula=formula,
        outcome=outcome,
        event=result.event,
        other=result.other,
        columns=columns,
        terms=terms,
        reference_levels=references,
        factors=factors,
        state=encode_state(state),
        offset=by_name.get("offset"),
    )
    w, o = values["weights"], values["offset"]
    arrays = Arrays(
        X,
        result.y,
        result.trials,
        np.ones(n) if w is None else w,
        np.zeros(n) if o is None else o,
        kept,
        int((~kept).sum()),
        (*notes, *result.notes, *level_notes),
    )
    return spec, arrays


# --- the two sides -----------------------------------------------------------------------------------------------


def _parsed(formula: str) -> Any:
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    try:
        return Formula(formula)
    except (FormulaicError, SyntaxError, ValueError, TypeError, AttributeError, RecursionError) as error:
        hint = " Name the columns: '.' is not supported." if "`.`" in str(error) else ""
        raise FormulaError(f"The formula {formula!r} cannot be read: {plain_message(error)}{hint}") from None


def _sides(formula: str, available: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Name of the outcome, and the data columns of the right-hand side."""
    parsed = _parsed(formula)
    left, right = getattr(parsed, "lhs", None), getattr(parsed, "rhs", None)
    if left is None or right is None:
        raise FormulaError(f"The formula {formula!r} has no outcome: write 'outcome ~ terms'.")
    factors = [factor for term in left for factor in term.factors] if hasattr(left, "__iter__") else []
    if len(factors) != 1 or factors[0].eval_method.value != "lookup":
        raise FormulaError(f"The formula {formula!r}: the left side must be the name of one column, the outcome.")
    if not hasattr(right, "required_variables"):
        raise FormulaError(f"The formula {formula!r} has several parts on the right; one is needed.")
    if not formula.partition("~")[2].strip():
        raise FormulaError(f"The formula {formula!r} has no terms; for an intercept alone write 'outcome ~ 1'.")
    names: set[str] = set()
    for factor in (factor for term in right for factor in term.factors):
        method = factor.eval_method.value
        names |= (
            {str(factor.expr)} if method == "lookup" else columns_named(factor.expr) if method == "python" else set()
        )
    order = {name: position for position, name in enumerate(available)}
    return str(factors[0].expr), tuple(sorted(names, key=lambda name: order.get(name, -1)))


def _needed(frame: Any, names: tuple[str, ...], what: str) -> Any:
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise DataError(
            f"{what}: there is no column {listed(absent)}; needed are {listed(names)}, "
            f"there are {listed([str(name) for name in frame.columns])}."
        )
    return frame[list(names)]


def _no_clash(
    formula: str, available: tuple[str, ...], outcome: str, variables: tuple[str, ...], named: tuple[str, ...]
) -> None:
    hidden = sorted(functions_called(formula) & set(available))
    if hidden:
        raise DataError(f"data: a column is called {listed(hidden)}, like a transform in {formula!r}; rename it.")
    if outcome in variables:
        raise FormulaError(f"The formula {formula!r} has the outcome {outcome!r} on both sides.")
    both = sorted(set(named) & {outcome})
    if both:
        raise DataError(f"The outcome {outcome!r} cannot also be trials, weights or offset.")


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


def _kept(frame: Any, vectors: Mapping[str, Any], missing: str) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    lost = {
        role: np.array([value is None or value != value for value in v]) for role, v in vectors.items() if v is not None
    }
    counts = _missing_counts(frame) | {
        role: int(mask.sum()) for role, mask in lost.items() if mask.any() and not isinstance(vectors[role], str)
    }
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


# --- the matrix --------------------------------------------------------------------------------------------------


def _materialise(
    formula: str, frame: Any, state: Mapping[str, Any] | None
) -> tuple[Array, tuple[str, ...], dict[str, tuple[int, ...]], dict[str, str], dict[str, Any]]:
    """The right-hand side as a matrix. New rows take the same road with the state already learned."""
    from formulaic import ModelSpec
    from formulaic.errors import DataMismatchWarning, FormulaicError

    right = _parsed(formula).rhs
    spec = ModelSpec(formula=right, na_action="ignore", materializer="pandas", output="pandas", **(state or {}))
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", DataMismatchWarning)
            matrix = spec.get_model_matrix(frame, context={})
    except (FormulaicError, DataMismatchWarning, ValueError, TypeError, KeyError, IndexError, ArithmeticError) as error:
        raise DataError(f"The terms of {formula!r} cannot be computed from the data: {plain_message(error)}") from None
    learned = matrix.model_spec
    columns = tuple(str(name) for name in matrix.columns)
    X = np.ascontiguousarray(matrix.to_numpy(dtype=np.float64))
    terms = {
        "Intercept" if str(term) == "1" else str(term): tuple(index) for term, index in learned.term_indices.items()
    }
    references = _references(learned.encoder_state, columns)
    return (
        X,
        columns,
        terms,
        references,
        {
            "transform_state": learned.transform_state,
            "encoder_state": learned.encoder_state,
        },
    )


def _references(encoder_state: Mapping[str, Any], columns: tuple[str, ...]) -> dict[str, str]:
    """Factor to reference level, where treatment coding left one out."""
    found = {}
    for factor, (_, state) in encoder_state.items():
        contrasts = state.get("contrasts")
        if contrasts is not None and any(f"{factor}[T." in name for name in columns):
            base = getattr(contrasts.contrasts, "base", None)
            levels = list(contrasts.levels)
            last = type(contrasts.contrasts).__name__.startswith("SAS")
            found[factor] = str(base if base in levels else levels[-1 if last else 0])
    return found


def _check_matrix(X: Array, columns: tuple[str, ...]) -> None:
    if not columns:
        raise DataError("The formula makes no columns: add a term or an intercept.")
    repeated = sorted({name for name in columns if columns.count(name) > 1}) if len(set(columns)) < len(columns) else []
    if repeated:
        raise DataError(
            f"The design has the column name(s) {listed(repeated)} more than once; rename the data columns."
        )
    bad = ~np.isfinite(X)
    if bad.any():
        row, column = (int(where[0]) for where in np.nonzero(bad))
        raise DataError(
            f"Term {columns[column]!r} is not finite in row {row} (value {X[row, column]}); "
            "transforms such as log need positive values."
        )
