"""The data columns of a right-hand side: which are numbers, which are factors, and the levels that they may have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
        Of the factors, in order.
    """

    kinds: Mapping[str, str]
    levels: Mapping[str, tuple[Any, ...]]

    def to_dict(self) -> dict[str, Any]:
        return {"kinds": dict(self.kinds), "levels": {name: list(levels) for name, levels in self.levels.items()}}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Factors:
        return cls(dict(record["kinds"]), {name: tuple(levels) for name, levels in record["levels"].items()})


def listed(names: Sequence[str]) -> str:
    """Names for a message, not too many."""
    shown = ", ".join(repr(str(name)) for name in names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def kind_of(values: Any) -> str:
    """Kind of a pandas column."""
    dtype = values.dtype
    if dtype.kind == "b" or str(dtype) in ("boolean", "bool[pyarrow]"):
        return "boolean"
    if dtype.name == "category":
        return "factor"
    if dtype.kind in "iuf" or _is_numeric(values):
        return "number"
    if dtype.kind in "mM":
        raise DataError(
            f"Column {values.name!r} holds dates or times; turn it into a number, such as days since a date."
        )
    return "factor"


def _is_numeric(values: Any) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_numeric_dtype(values.dtype)) and values.dtype.kind != "c"


def check_levels(frame: Any, variables: Sequence[str], formula: str) -> tuple[Any, Factors, tuple[str, ...]]:
    """The columns as formulaic should see them: plain numbers, booleans, and categoricals with the levels in use.

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
        values = frame[name]
        kinds[name] = kind_of(values)
        if kinds[name] == "number":
            coded[name] = _finite_numbers(name, values)
            continue
        if kinds[name] == "boolean":
            coded[name] = values.astype(bool)
            continue
        present = _levels(name, values)
        if values.dtype.name == "category" and len(present) < len(values.cat.categories):
            unused = [level for level in values.cat.categories if level not in present]
            notes.append(f"{name}: the unused level(s) {listed(unused)} were left out.")
        _sensible(name, present, values, formula)
        levels[name] = present
        coded[name] = pd.Series(pd.Categorical(values.tolist(), categories=list(present)), index=frame.index)
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
        values = frame[name]
        if kind == "number":
            if kind_of(values) == "factor":
                raise DataError(f"new data: {name!r} was a number in the fit, here it holds {values.iloc[0]!r}.")
            coded[name] = _finite_numbers(name, values)
        elif kind == "boolean":
            if not all(value in (True, False) for value in values.tolist()):
                raise DataError(f"new data: {name!r} was True or False in the fit, here it holds {values.iloc[0]!r}.")
            coded[name] = values.astype(bool)
        else:
            known = factors.levels[name]
            for row, value in enumerate(values.tolist()):
                if value not in known:
                    raise DataError(
                        f"new data: {name!r} has the level {value!r} in row {row}, which the fit has not seen; "
                        f"it knows {listed(known)}."
                    )
            coded[name] = pd.Series(pd.Categorical(values.tolist(), categories=list(known)), index=frame.index)
    return pd.DataFrame(coded, index=frame.index)


def _finite_numbers(name: str, values: Any) -> Any:
    """Numbers as plain NumPy integers or floats; nullable and Arrow columns included."""
    integers = values.dtype.kind in "iu" and "64" in values.dtype.name.lower()
    array = values.to_numpy(dtype=np.int64 if integers and "u" not in values.dtype.name.lower() else np.float64)
    bad = ~np.isfinite(array)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(f"Column {name!r} has the value {array[row]} in row {row}; values must be finite.")
    import pandas as pd

    return pd.Series(array, index=values.index)


def _levels(name: str, values: Any) -> tuple[Any, ...]:
    found = set(values.tolist())
    if values.dtype.name == "category":
        return tuple(_plain(level) for level in values.cat.categories if level in found)
    try:
        return tuple(_plain(level) for level in sorted(found))
    except TypeError:
        kinds = sorted({type(value).__name__ for value in found})
        raise DataError(f"Column {name!r} mixes {' and '.join(kinds)}; make it all numbers or all text.") from None


def _plain(level: Any) -> Any:
    return level.item() if isinstance(level, np.generic) else level


def _sensible(name: str, levels: tuple[Any, ...], values: Any, formula: str) -> None:
    if len(levels) < 2:
        raise DataError(f"Factor {name!r} has the single level {levels[0]!r}: it says nothing; leave it out.")
    n = len(values)
    forced = re.search(rf"C\(\s*`?{re.escape(name)}`?\s*[,)]", formula) is not None
    if forced or not (len(levels) > _MOST_LEVELS or (len(levels) == n and n > _FEW_ROWS)):
        return
    if all(_looks_numeric(level) for level in levels):
        raise DataError(f"Column {name!r} holds numbers as text, such as {levels[0]!r}; turn it into numbers first.")
    raise DataError(
        f"Factor {name!r} has {len(levels)} levels in {n} rows, like an identifier; leave it out, or write C({name}) "
        "if every level is meant to get a coefficient."
    )


def _looks_numeric(level: Any) -> bool:
    try:
        float(level)
    except (TypeError, ValueError):
        return False
    return True
