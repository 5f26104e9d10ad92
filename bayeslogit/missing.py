"""Rows that cannot be used: missing values are counted by column, and refused or left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeslogit.errors import ArgumentError, DataError

# Of the cells of a column that is taken for numbers: the largest share that may be text, and of how many kinds.
_FEW, _KINDS = 0.1, 3


class Kept(NamedTuple):
    """Which rows stay.

    Attributes
    ----------
    rows : array of bool, shape (n,)
        Without missing values.
    counted : array of bool, shape (n,)
        Those of them whose weight is not zero.
    n_dropped : int
        Rows with weight that were dropped.
    notes : tuple of str
    """

    rows: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    n_dropped: int
    notes: tuple[str, ...]


def check_missing(missing: str) -> None:
    """Refuse an unknown way to treat missing values."""
    if missing not in ("raise", "drop"):
        raise ArgumentError(f"missing={missing!r}: rows with missing values 'raise' an error or are dropped ('drop').")


def is_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Where an array of any kind holds None, NaN or NA."""
    if values.dtype.kind != "O":
        return np.asarray(values != values)
    import pandas as pd

    return np.asarray(pd.isna(values))


def plain_vector(role: str, value: Any, n: int) -> NDArray[Any]:
    """Trials, weights or offset as floats with NaN for what is missing, shape (n,); objects where they are no numbers.

    Raises
    ------
    DataError
        If it is not one value a row.
    """
    vector = np.asarray(value, dtype=object)
    if vector.shape != (n,):
        raise DataError(f"{role} has shape {vector.shape}; one number for each of the {n} rows is needed.")
    vector = np.where(is_missing(vector), np.nan, vector)
    try:
        return vector.astype(np.float64)
    except (TypeError, ValueError):
        return vector


def no_missing(frame: Any, what: str) -> None:
    """Refuse a frame with missing values."""
    counts = _counts(_holes(frame, {}))
    if counts:
        raise DataError(f"{what}: missing values in {_counted(counts)}.")


def no_stray_text(frame: Any, names: Iterable[str]) -> None:
    """Refuse columns of a text file that are numbers but for a few cells: they would be factors of many levels.

    Raises
    ------
    DataError
        With the first such cell.
    """
    import pandas as pd

    for name in names:
        values = frame[name]
        if isinstance(values.dtype, pd.CategoricalDtype) or pd.api.types.is_numeric_dtype(values.dtype):
            continue
        there = values[values.notna()]
        numbers = pd.to_numeric(there, errors="coerce")
        stray = there[numbers.isna()]
        if 0 < len(stray) <= _FEW * len(there) and stray.nunique() <= _KINDS and numbers.nunique() > _KINDS:
            raise DataError(
                f"data: {len(there) - len(stray)} of the {len(there)} values of {name} are numbers, but row "
                f"{stray.index[0]} holds {str(stray.iloc[0])!r}. Correct it, leave the cell empty if it is missing, or "
                f"write C({name}) if {name} is a factor."
            )


def kept_rows(frame: Any, given: Mapping[str, Any], weights: Any, missing: str, *, from_text: bool = False) -> Kept:
    """Refuse or drop rows with missing values; in a row of weight zero they are no error.

    Parameters
    ----------
    frame : pandas.DataFrame
        The columns in use.
    given : dict of str to array
        Trials, weights and offset that are no columns, as `plain_vector` makes them.
    weights : array, shape (n,), or None
    from_text : bool
        Whether the data come from a text file, in which some words mean missing.
    """
    counted = np.ones(len(frame), dtype=bool) if weights is None else weights != 0.0
    if not counted.any():
        raise DataError("All weights are zero: no row counts.")
    holes = _holes(frame, given)
    gone = np.logical_or.reduce([np.zeros(len(frame), dtype=bool), *holes.values()])
    if not gone.any():
        return Kept(~gone, counted, 0, ())
    counts, idle = (_counts({name: hole & part for name, hole in holes.items()}) for part in (counted, ~counted))
    n_lost, n_idle = int((gone & counted).sum()), int((gone & ~counted).sum())
    notes = []
    if counts:
        named, hint = _counted(counts), _words_hint(frame, counts) if from_text else ""
        if missing == "raise":
            raise DataError(
                f"data: missing values in {named}: {n_lost} of {gone.size} rows. "
                f"Impute them, or say missing='drop'.{hint}"
            )
        if gone[counted].all():
            raise DataError(f"data: every row has a missing value: {named}.{hint}")
        notes.append(f"Missing values: {n_lost} of {gone.size} rows dropped: {named}.{hint}")
    if n_idle:
        notes.append(left_out(n_idle, f"missing values in {', '.join(idle)}."))
    return Kept(~gone, counted & ~gone, n_lost, tuple(notes))


def left_out(n: int, why: str) -> str:
    """The note about rows of weight zero that are not coded."""
    return f"{n} row{'s' if n > 1 else ''} of weight 0 {'were' if n > 1 else 'was'} left out: {why}"


def _holes(frame: Any, given: Mapping[str, Any]) -> dict[str, NDArray[np.bool_]]:
    """Where each column and each given vector is missing."""
    holes = {str(name): frame[name].isna().to_numpy(dtype=bool) for name in frame.columns}
    for role, vector in given.items():
        holes[role] = holes.get(role, False) | (vector != vector)
    return holes


def _counts(holes: Mapping[str, NDArray[np.bool_]]) -> dict[str, int]:
    return {name: int(hole.sum()) for name, hole in holes.items() if hole.any()}


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count} row{'s' if count > 1 else ''})" for name, count in counts.items())


def _words_hint(frame: Any, counts: Mapping[str, int]) -> str:
    import pandas as pd

    text = [name for name in counts if name in frame and not pd.api.types.is_numeric_dtype(frame[name].dtype)]
    if not text:
        return ""
    return (
        " In a text file the words NA, None, null and nan mean missing; give "
        f"pandas.read_csv(path, keep_default_na=False) if one of them is a level of {text[0]}."
    )
