"""The data columns of a right-hand side: which are numbers, which are factors, and the levels that they may have."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from bayeslogit.errors import DataError

_MOST_LEVELS = 200
_FEW_ROWS = 20


@dataclass(frozen=True)
class Factors:
    """Kind and levels of each data column.

    Attributes
    ----------
    kinds : dict of str to str
        "number", "boolean" or "factor".
    levels : dict of str to tuple
        In order, of the factors and of the numbers that ``C()`` makes factors of.
    """

    kinds: Mapping[str, str]
    levels: Mapping[str, tuple[Any, ...]]

    def to_dict(self) -> dict[str, Any]:
        return {"kinds": dict(self.kinds), "levels": {name: list(levels) for name, levels in self.levels.items()}}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Factors:
        return cls(dict(record["kinds"]), {name: tuple(levels) for name, levels in record["levels"].items()})

    def texts(self) -> list[str]:
        """Every level as text."""
        return [str(level) for levels in self.levels.values() for level in levels]


def listed(names: Sequence[Any]) -> str:
    """Names for a message, not too many."""
    shown = ", ".join(repr(name) for name in names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def kind_of(values: Any) -> str:
    """Kind of a pandas column: what its values are counts, not how they are stored."""
    import pandas as pd

    dtype = values.dtype
    if dtype.name == "category":
        return "factor"
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_complex_dtype(dtype):
        raise DataError(f"Column {values.name!r} holds complex numbers; a design needs real ones.")
    if pd.api.types.is_numeric_dtype(dtype):
        return "number"
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    if dtype.kind in "mM" or inferred.startswith(("date", "time", "period")):
        raise DataError(
            f"Column {values.name!r} holds dates or times; turn it into a number, such as days since a date."
        )
    if inferred == "boolean":
        return "boolean"
    if inferred in ("integer", "floating", "mixed-integer-float", "decimal"):
        return "number"
    return "factor"


def as_text(values: Any) -> Any:
    """A categorical whose levels are no text, numbers or booleans (the intervals of `pandas.cut`), with their text."""
    if values.dtype.name != "category" or all(isinstance(v, str | Real) for v in values.cat.categories.tolist()):
        return values
    return values.cat.rename_categories([str(level) for level in values.cat.categories])


def check_levels(
    frame: Any, variables: Sequence[str], levelled: Collection[str]
) -> tuple[Any, Factors, tuple[str, ...]]:
    """The columns as formulaic should see them: plain numbers, booleans, and categoricals with the levels in use.

    Parameters
    ----------
    frame : pandas.DataFrame
        Without missing values; its index holds the row numbers that messages quote.
    levelled : collection of str
        Columns that the formula makes factors of by ``C()``.

    Raises
    ------
    DataError
        For infinite values, factors with one level, and factors that look like identifiers.
    """
    import pandas as pd

    kinds: dict[str, str] = {}
    levels: dict[str, tuple[Any, ...]] = {}
    notes: list[str] = []
    coded = {}
    for name in variables:
        values = as_text(frame[name])
        kinds[name] = kind_of(values)
        if kinds[name] == "factor":
            present = levels[name] = _levels(name, values)
            notes += _unused(name, values, present)
            if name not in levelled and len(present) > 2 and all(_looks_numeric(level) for level in present):
                notes.append(
                    f"{name}: text that reads as numbers, such as {present[0]!r}, is a factor with {len(present)} "
                    "levels; turn it into numbers if they are meant as numbers."
                )
            sensible(name, present, len(values), name in levelled)
            coded[name] = pd.Series(pd.Categorical(values.tolist(), categories=list(present)), index=frame.index)
            continue
        coded[name] = finite_numbers(name, values) if kinds[name] == "number" else values.astype(bool)
        if name in levelled:
            levels[name] = _levels(name, coded[name])
            sensible(name, levels[name], len(values), True)
    return pd.DataFrame(coded, index=frame.index), Factors(kinds, levels), tuple(notes)


def same_levels(frame: Any, factors: Factors) -> Any:
    """New rows with the kinds and levels of the data of the fit.

    Raises
    ------
    DataError
        Naming the column, the row and the level that the fit has not seen.
    """
    import pandas as pd

    coded = {}
    for name, kind in factors.kinds.items():
        values = as_text(frame[name])
        if kind == "number":
            if len(values) and kind_of(values) == "factor":
                raise DataError(f"new data: {name!r} was a number in the fit, here it holds {values.iloc[0]!r}.")
            coded[name] = finite_numbers(name, values)
        elif kind == "boolean":
            strange = [value for value in values.tolist() if value not in (True, False)]
            if strange:
                raise DataError(f"new data: {name!r} was True or False in the fit, here it holds {strange[0]!r}.")
            coded[name] = values.astype(bool)
        else:
            coded[name] = values
        if name in factors.levels:
            _all_known(name, coded[name], factors.levels[name])
        if kind == "factor":
            levels = list(factors.levels[name])
            coded[name] = pd.Series(pd.Categorical(values.tolist(), categories=levels), index=frame.index)
    return pd.DataFrame(coded, index=frame.index)


def _all_known(name: str, values: Any, known: tuple[Any, ...]) -> None:
    levels = set(known)
    for row, value in enumerate(values.tolist()):
        if isinstance(value, list | dict | set) or value not in levels:
            hint = ""
            if str(value) in {str(level) for level in known}:
                hint = f" (there {type(known[0]).__name__}, here {type(value).__name__})"
            raise DataError(
                f"new data: {name!r} has the level {value!r} in row {row}, which the fit has not seen; "
                f"it knows {listed(known)}{hint}."
            )


def finite_numbers(name: str, values: Any) -> Any:
    """Numbers as plain NumPy integers or floats; nullable, decimal and Arrow columns included.

    Integers stay what they are for the names of levels. `coding` makes floats of them for arithmetic.
    """
    import pandas as pd

    whole = pd.api.types.is_integer_dtype(values.dtype) and not pd.api.types.is_unsigned_integer_dtype(values.dtype)
    whole = whole or pd.api.types.infer_dtype(values, skipna=True) == "integer"
    try:
        array = values.to_numpy(dtype=np.int64 if whole else np.float64)
    except (TypeError, ValueError, OverflowError):
        try:
            array = values.astype(object).to_numpy().astype(np.float64)
        except OverflowError:
            raise DataError(
                f"Column {name!r} holds whole numbers too large for arithmetic; give it a larger unit."
            ) from None
    bad = ~np.isfinite(array)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"Column {name!r} has the value {array[row]} in row {values.index[row]}; values must be finite."
        )
    return pd.Series(array, index=values.index, name=name)


def _levels(name: str, values: Any) -> tuple[Any, ...]:
    try:
        found = set(values.tolist())
        if values.dtype.name == "category":
            return tuple(_plain(level) for level in values.cat.categories if level in found)
        return tuple(_plain(level) for level in sorted(found))
    except TypeError:
        kinds = sorted({type(value).__name__ for value in values.tolist()})
        raise DataError(f"Column {name!r} holds {' and '.join(kinds)}; make it all numbers or all text.") from None


def _plain(level: Any) -> Any:
    return level.item() if isinstance(level, np.generic) else level


def _unused(name: str, values: Any, present: tuple[Any, ...]) -> list[str]:
    if values.dtype.name != "category" or len(present) == len(values.cat.categories):
        return []
    unused = [level for level in values.cat.categories.tolist() if level not in present]
    return [f"{name}: the unused level(s) {listed(unused)} were left out."]


def sensible(name: str, levels: tuple[Any, ...], n: int, forced: bool) -> None:
    """Refuse a factor of one level, and one of so many in n rows that it looks like an identifier."""
    if len(levels) < 2:
        raise DataError(f"Factor {name!r} has the single level {levels[0]!r}: it says nothing; leave it out.")
    if forced or not (len(levels) > _MOST_LEVELS or (len(levels) == n and n > _FEW_ROWS)):
        return
    if all(_looks_numeric(level) for level in levels):
        raise DataError(f"Column {name!r} holds numbers as text, such as {levels[0]!r}; turn it into numbers first.")
    quoted = name if name.isidentifier() else f"`{name}`"
    raise DataError(
        f"Factor {name!r} has {len(levels)} levels in {n} rows, like an identifier; leave it out, or write C({quoted}) "
        "if every level is meant to get a coefficient."
    )


def _looks_numeric(level: Any) -> bool:
    if not isinstance(level, str):
        return False
    try:
        float(level)
    except (TypeError, ValueError):
        return False
    return True
