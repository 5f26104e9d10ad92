"""The matrix of a checked formula, and what formulaic learned while making it, as plain JSON values and back.

Of a transform that is its whole state (centres, knots, polynomial coefficients); of a categorical factor it is the list
of levels. The contrasts follow from the formula. Floats survive exactly: JSON writes them by repr.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.budget import check_memory
from bayeslogit.errors import DataError
from bayeslogit.formula_guard import Reading, plain_message

Array = NDArray[np.float64]
_MOST_COLUMNS = 50_000
_MOST_CELLS = 2 * 10**9
# From this many cells on, with fewer than one in this many filled, a matrix is held compressed.
_LARGE = 1 << 20
_NEARLY_EMPTY = 5


@dataclass(frozen=True)
class Matrix:
    """A right-hand side as numbers.

    Attributes
    ----------
    X : array or SciPy CSR, shape (n, p)
        Compressed when factors with many levels would make it large and nearly empty.
    columns : tuple of str
    terms : dict of str to tuple of int
        Formula term to the positions of its columns.
    reference_levels : dict of str to str
        Factor to the level that treatment coding left out.
    state : dict
        What the transforms learned, as plain values.
    """

    X: Any
    columns: tuple[str, ...]
    terms: Mapping[str, tuple[int, ...]]
    reference_levels: Mapping[str, str]
    state: Mapping[str, Any]


def materialise(
    reading: Reading, frame: Any, levels: Mapping[str, tuple[Any, ...]], state: Mapping[str, Any] | None = None
) -> Matrix:
    """The right-hand side of a checked formula. New rows take the same road, with the state already learned.

    Parameters
    ----------
    frame : pandas.DataFrame
        Numbers, booleans and categoricals, as `factors` makes them.
    levels : dict
        Levels of the data columns that are factors.
    state : dict, optional
        `Matrix.state` of the fit.

    Raises
    ------
    DataError
        If the terms cannot be computed, are not finite, or would be too many.
    """
    from formulaic import Formula, ModelSpec
    from formulaic.errors import DataMismatchWarning, FormulaicError

    failures = (FormulaicError, DataMismatchWarning, ValueError, TypeError, LookupError, ArithmeticError, SyntaxError)
    hidden = _hidden_levels(reading, levels)
    strings = {name: hidden.get(text, text) for name, text in reading.strings.items()}

    def shown(text: str) -> str:
        for level, name in hidden.items():
            text = text.replace(name, level)
        return reading.shown(text)

    try:
        right = Formula(reading.text)
        compressed = _is_sparse(reading, right, levels, len(frame))
        output = "sparse" if compressed else "pandas"
        spec = ModelSpec(formula=right, na_action="ignore", materializer="pandas", output=output, **decode_state(state))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", DataMismatchWarning)
            matrix = spec.get_model_matrix(_safe_frame(reading, frame, hidden), context={**_functions(), **strings})
    except DataError:
        raise
    except (*failures, RecursionError, RuntimeError, AttributeError) as error:
        cause = shown(plain_message(error))
        raise DataError(f"The terms of {reading.formula!r} cannot be computed from the data: {cause}") from None
    learned = matrix.model_spec
    names = [str(name) for name in learned.column_names]
    columns = tuple(map(shown, names))
    X = matrix.tocsr() if compressed else np.ascontiguousarray(matrix.to_numpy(dtype=np.float64))
    _check_matrix(X, columns, frame.index)
    index = {str(term): tuple(positions) for term, positions in learned.term_indices.items()}
    references = _references(learned.encoder_state, names)
    return Matrix(
        X,
        columns,
        terms={"Intercept" if term == "1" else shown(term): positions for term, positions in index.items()},
        reference_levels={shown(factor): shown(level) for factor, level in references.items()},
        state=encode_state({"transform_state": learned.transform_state, "encoder_state": learned.encoder_state}),
    )


def _functions() -> dict[str, Any]:
    """Transforms of ours that formulaic does not have."""
    return {"log1p": np.log1p, "expm1": np.expm1, "sqrt": np.sqrt, "abs": np.abs}


def _hidden_levels(reading: Reading, levels: Mapping[str, tuple[Any, ...]]) -> dict[str, str]:
    """Safe names for the levels that formulaic would leave out in silence: those that begin with two underscores."""
    texts = (level for each in levels.values() for level in each if isinstance(level, str))
    return {text: f"{reading.prefix}h{k}_" for k, text in enumerate(dict.fromkeys(texts)) if text.startswith("__")}


def _safe_frame(reading: Reading, frame: Any, hidden: Mapping[str, str]) -> Any:
    """Columns under their safe names: what arithmetic reads is floating, so that powers of integers never wrap."""
    columns = [column for column, _ in reading.columns.values()]
    safe = frame.reset_index(drop=True)[columns].set_axis(list(reading.columns), axis="columns")
    for name, (_, use) in reading.columns.items():
        values = safe[name]
        if values.dtype.name == "category":
            renamed = [hidden.get(level, level) for level in values.cat.categories.tolist()]
            safe[name] = values.cat.rename_categories(renamed) if hidden else values
        elif use != "level":
            safe[name] = values.astype(np.float64)
    return safe


def _is_sparse(reading: Reading, right: Any, levels: Mapping[str, tuple[Any, ...]], n: int) -> bool:
    """Whether the matrix is large and nearly empty.

    Raises
    ------
    DataError
        Interactions multiply columns; said before the memory is gone.
    """
    total, filled = 0, 0
    for term in right:
        width, full = 1, 1
        for factor in term.factors:
            columns = _width(reading, factor.expr, levels)
            width *= columns
            full *= 1 if _is_factor(reading, factor.expr, levels) else columns
        total, filled = total + width, filled + full
        if total > _MOST_COLUMNS or total * n > _MOST_CELLS:
            raise DataError(
                f"The terms of {reading.formula!r} would make at least {total:,} columns of {n:,} rows "
                f"({reading.shown(str(term))} alone {width:,}), more than can be held "
                f"({8e-9 * total * n:,.0f} GB); leave out interactions of factors with many levels."
            )

    sparse = total * n > _LARGE and _NEARLY_EMPTY * filled < total
    # A filled matrix is built column by column, and is once copied; of a sparse one, value and place of each number.
    cells = 12.0 * filled * n if sparse else 16.0 * total * n
    check_memory(
        cells,
        f"The design of {reading.formula!r}, {total:,} columns of {n:,} rows,",
        "Leave out terms, or give the rows as Parquet or CSV files with stream=True, which are read in parts.",
    )
    return sparse


def _is_factor(reading: Reading, expression: str, levels: Mapping[str, tuple[Any, ...]]) -> bool:
    """Whether one column of many is filled in each row."""
    call, safe = expression.partition("(")[0], re.search(rf"{reading.prefix}\d+_", expression)
    return call == "C" or (safe is not None and safe[0] == expression and reading.columns[safe[0]][0] in levels)


def _width(reading: Reading, expression: str, levels: Mapping[str, tuple[Any, ...]]) -> int:
    """About how many columns a factor makes."""
    call = expression.partition("(")[0]
    if call in ("poly", "bs", "cs", "cr", "cc"):
        return max([1, *map(int, re.findall(r"(?:df=|degree=|, )(\d{1,3})\b(?!\.)", expression))]) + expression.count(
            ","
        )
    safe = re.fullmatch(rf"(?:C\()?({reading.prefix}\d+_)(?:[,)].*)?", expression)
    column = reading.columns[safe[1]][0] if safe else ""
    return len(levels.get(column, (0, 1) if call == "C" else (0,)))


def _references(encoder_state: Mapping[str, Any], names: list[str]) -> dict[str, str]:
    """Factor to reference level, where treatment coding left one out."""
    found = {}
    for factor, (_, state) in encoder_state.items():
        contrasts = state.get("contrasts")
        if contrasts is not None and any(f"{factor}[T." in name for name in names):
            base = getattr(contrasts.contrasts, "base", None)
            levels = list(contrasts.levels)
            last = type(contrasts.contrasts).__name__.startswith("SAS")
            found[factor] = str(base if base in levels else levels[-1 if last else 0])
    return found


def _check_matrix(X: Any, columns: tuple[str, ...], index: Any) -> None:
    if not columns:
        raise DataError("The formula makes no columns: add a term or an intercept.")
    repeated = sorted({name for name in columns if columns.count(name) > 1}) if len(set(columns)) < len(columns) else []
    if repeated:
        names = ", ".join(map(repr, repeated[:8]))
        raise DataError(f"The design has the column name(s) {names} more than once; rename the data columns.")
    dense = isinstance(X, np.ndarray)
    if dense or not np.isfinite(X.data).all():
        X = X if dense else X.toarray()
        bad = ~np.isfinite(X)
        if not bad.any():
            return
        row, column = (int(where[0]) for where in np.nonzero(bad))
        raise DataError(
            f"Term {columns[column]!r} is not finite in row {index[row]} (value {X[row, column]}); "
            "transforms such as log need positive values."
        )


# --- state as JSON -----------------------------------------------------------------------------------------------


def encode_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values for the transform and encoder state of a formulaic model spec."""
    return {
        "transforms": _encode(state["transform_state"]),
        "encoders": {
            factor: [
                kind.value,
                [_encode(level) for level in learned["categories"]] if "categories" in learned else None,
            ]
            for factor, (kind, learned) in state["encoder_state"].items()
        },
    }


def decode_state(plain: Mapping[str, Any] | None) -> dict[str, Any]:
    """The inverse of `encode_state`, as keyword arguments of a formulaic model spec."""
    from formulaic.parser.types import Factor

    if plain is None:
        return {}
    return {
        "transform_state": _decode(plain["transforms"]),
        "encoder_state": {
            factor: (Factor.Kind(kind), {} if levels is None else {"categories": [_decode(level) for level in levels]})
            for factor, (kind, levels) in plain["encoders"].items()
        },
    }


def _encode(value: Any) -> Any:
    if isinstance(value, Mapping):
        # Keys of polynomial coefficients are numbers, which JSON objects cannot have.
        return {"pairs": [[_encode(key), _encode(item)] for key, item in value.items()]}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist()}
    if isinstance(value, np.generic):
        return {"scalar": value.item()}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, Mapping):
        if "pairs" in value:
            return {_decode(key): _decode(item) for key, item in value["pairs"]}
        if "array" in value:
            return np.asarray(value["array"])
        return np.float64(value["scalar"]) if isinstance(value["scalar"], float) else value["scalar"]
    if isinstance(value, list):
        return [_decode(item) for item in value]
    return value
