"""The outcome and its companions: which level is the event, and what trials, weights and offsets may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit.errors import DataError
from bayeslogit.missing import is_missing

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """A decoded outcome.

    Attributes
    ----------
    y, trials : array, shape (n,)
        Successes and trials; 0 or 1 out of 1 for a two-valued outcome.
    event, other : str or None
        Words for the level that counts as 1 and for the other; None when the data are 0/1 or counts.
    notes : tuple of str
        What was decided for the reader.
    """

    y: Array
    trials: Array
    event: str | None = None
    other: str | None = None
    notes: tuple[str, ...] = ()


def row_vector(name: str, values: ArrayLike, n: int, rows: NDArray[np.int64] | None = None) -> Array:
    """Weights, trials or offset as n finite numbers; weights and trials are checked for sense.

    ``rows`` are the row numbers that a message quotes, when some rows were dropped before.

    Raises
    ------
    DataError
        Naming the first row that cannot be right.
    """
    try:
        vector = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"{name} must be numbers, one for each row.") from None
    if vector.ndim == 0 and n == 1:
        vector = vector.reshape(1)
    if vector.shape != (n,):
        raise DataError(f"{name} has shape {vector.shape}; one number for each of the {n} rows is needed.")
    _first_bad(name, vector, rows, ~np.isfinite(vector), "is not a finite number")
    if name == "weights":
        _first_bad(name, vector, rows, vector < 0.0, "is negative; a weight is a number of equal rows")
        if n and not np.any(vector > 0.0):
            raise DataError("All weights are zero: no row counts.")
    if name == "trials":
        bad = (vector < 1.0) | (vector != np.floor(vector))
        _first_bad(name, vector, rows, bad, "is not a whole number of at least 1")
    return np.ascontiguousarray(vector)


def _first_bad(name: str, vector: Array, rows: NDArray[np.int64] | None, bad: NDArray[np.bool_], why: str) -> None:
    if np.any(bad):
        row = int(np.flatnonzero(bad)[0])
        raise DataError(f"{name}: the value {vector[row]:g} in row {_number(row, rows)} {why}.")


def _number(row: int, rows: NDArray[np.int64] | None) -> int:
    return row if rows is None else int(rows[row])


def decode_outcome(
    name: str,
    values: Any,
    *,
    trials: Array | None = None,
    event: Any = None,
    categories: Any = None,
    rows: NDArray[np.int64] | None = None,
) -> Outcome:
    """Successes out of trials from a column.

    Parameters
    ----------
    name : str
        Of the outcome, for messages.
    values : array_like, shape (n,)
        0/1, boolean, or two-valued numbers or text; whole numbers of successes with ``trials``.
    trials : array, shape (n,), optional
    event : optional
        The level that counts as 1. Without it that is 1 of 0/1 and True of booleans, always; of other levels the last
        in ``categories``, or the one that sorts last.
    categories : sequence, optional
        The order of the levels of a categorical.
    rows : array of int, optional
        The row numbers that messages quote.

    Raises
    ------
    DataError
        If the outcome is not two-valued, or successes are not whole numbers between 0 and the trials.
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise DataError(f"Outcome {name!r} must be one column; it has shape {array.shape}.")
    if trials is not None:
        return _counts(name, array, trials, event, rows)
    ones = np.broadcast_to(1.0, array.size)  # one number, however many rows
    if array.dtype == bool or (array.dtype == object and all(isinstance(v, bool | np.bool_) for v in array)):
        if event is None:
            notes = _order_note(name, categories)
            return Outcome(array.astype(np.float64, copy=False), ones, "True", "False", notes)
        array = array.astype(bool)
    if event is None and np.issubdtype(array.dtype, np.number):
        if np.iscomplexobj(array) or not np.all(np.isfinite(array)):
            raise DataError(f"Outcome {name!r} holds values that are not finite numbers.")
        if np.unique(array).size <= 2 and np.any((array > 0) & (array < 1)):
            raise DataError(
                f"Outcome {name!r} holds proportions, such as {array[(array > 0) & (array < 1)][0]:g}; "
                "give numbers of successes, and the trials as trials=."
            )
        if np.isin(array, (0, 1)).all():
            return Outcome(array.astype(np.float64, copy=False), ones, notes=_order_note(name, categories))
    levels = _levels(name, array, categories, event)
    if len(levels) == 1 and event is not None:
        return _one_class(name, array, levels[0], event, categories)
    chosen = levels[-1] if event is None else _named_level(name, levels, event)
    other = next((level for level in levels if level != chosen), None)
    y = np.array([value == chosen for value in array.tolist()], dtype=np.float64)
    words = f"outcome {name!r}: event = {chosen!r} (the other level is {other!r})"
    notes = () if event is not None else (f"{words}; name another with event= or --event.",)
    return Outcome(y, ones, str(chosen), None if other is None else str(other), notes)


def _order_note(name: str, categories: Any) -> tuple[str, ...]:
    """What to say of 0/1 or booleans whose categories are in the other order."""
    order = [level for level in (() if categories is None else categories) if level in (0, 1)]
    if len(order) != 2 or order[1] == 1:
        return ()
    words = f"outcome {name!r}: event = {order[0]!r}, although it is not the last of the categories "
    return (f"{words}({order[0]!r}, {order[1]!r}); name another with event= or --event.",)


def _one_class(name: str, array: NDArray[Any], level: Any, event: Any, categories: Any) -> Outcome:
    """All rows agree; the event is their level, or the one that did not occur."""
    ones = np.ones(array.size)
    declared = [level] if categories is None else list(categories)
    if level == _find(declared, event):
        return Outcome(ones, ones, str(level))
    if len(declared) > 1:
        event = _named_level(name, declared, event)
    note = f"outcome {name!r}: the event {event!r} does not occur; every row is {level!r}."
    return Outcome(0.0 * ones, ones, str(event), str(level), (note,))


def _levels(name: str, array: NDArray[Any], categories: Any, event: Any) -> list[Any]:
    found = set(array.tolist())
    try:
        levels = sorted(found) if categories is None else [level for level in categories if level in found]
    except TypeError:
        raise DataError(f"Outcome {name!r} mixes types: {_shown(array)}.") from None
    if len(levels) != 2 and not (len(levels) == 1 and event is not None):
        one = len(levels) == 1
        kind = "one value" if one else f"{len(levels)} values"
        raise DataError(
            f"Outcome {name!r} is not two-valued, it has {kind}: {_shown(array)}. "
            "A logistic regression needs 0/1, True/False or two levels; for successes out of trials give trials=."
            + (f" If all rows agree, say which level is the event with event={levels[0]!r} or another." * one)
        )
    return levels


def _named_level(name: str, levels: list[Any], event: Any) -> Any:
    found = _find(levels, event) if isinstance(event, str) or not np.iterable(event) else None  # a list names none
    if found is None:
        named = " and ".join(map(repr, levels))
        raise DataError(f"Outcome {name!r} has no level {event!r}; its levels are {named}.")
    return found


def _find(levels: list[Any], event: Any) -> Any:
    return next((v for v in levels if v == event or str(v) == str(event) or _same_number(v, event)), None)


def _same_number(level: Any, event: Any) -> bool:
    """Whether text, such as an argument of the command line, names a number."""
    try:
        return isinstance(event, str) and not isinstance(level, str | bool) and float(level) == float(event)
    except (TypeError, ValueError, OverflowError):
        return False


def _shown(array: NDArray[Any]) -> str:
    values, counts = np.unique(array.astype(str), return_counts=True)
    parts = [f"{value} ({count} rows)" for value, count in zip(values[:6], counts[:6], strict=True)]
    return ", ".join(parts) + (f" and {values.size - 6} more" if values.size > 6 else "")


def _counts(name: str, array: NDArray[Any], trials: Array, event: Any, rows: NDArray[np.int64] | None) -> Outcome:
    if event is not None:
        raise DataError(f"event={event!r} has no meaning with trials=: {name!r} counts successes.")
    try:
        y = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise DataError(
            f"Outcome {name!r} must count successes when trials= is given; it holds {array[0]!r}."
        ) from None
    if y.shape != trials.shape:
        raise DataError(f"Outcome {name!r} has {y.size} rows, trials has {trials.size}.")
    bad = ~np.isfinite(y) | (y != np.floor(y))
    if np.any(bad):
        row = int(np.flatnonzero(bad)[0])
        hint = " Proportions must be multiplied by the trials." if 0.0 < y[row] < 1.0 else ""
        where = _number(row, rows)
        raise DataError(f"Outcome {name!r}: {y[row]:g} in row {where} is not a whole number of successes.{hint}")
    outside = (y < 0.0) | (y > trials)
    if np.any(outside):
        row = int(np.flatnonzero(outside)[0])
        where = _number(row, rows)
        raise DataError(f"Outcome {name!r}: {y[row]:g} successes out of {trials[row]:g} trials in row {where}.")
    return Outcome(y, trials)


def outcome_of_array(y: ArrayLike, n: int, *, trials: Array | None = None, event: Any = None) -> Outcome:
    """`decode_outcome` of a bare array whose length must be ``n``."""
    try:
        array = np.asarray(y)
    except ValueError:
        raise DataError(f"y has rows of different lengths; one outcome for each of the {n} rows is needed.") from None
    if array.ndim != 1 or array.size != n:
        raise DataError(f"y has shape {array.shape}, X has {n} rows: one outcome for each row is needed.")
    missing = is_missing(array)
    if np.any(missing):
        raise DataError(f"y: {int(np.sum(missing))} of {n} outcomes are missing; drop these rows first.")
    return decode_outcome("y", array, trials=trials, event=event)
