"""Whether designs are of the same rows, and what a comparison takes from them row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit._compare import slope_values
from bayeslogit.design import Design
from bayeslogit.errors import DataError
from bayeslogit.formula import FormulaSpec
from bayeslogit.sources.memory import MemorySource

Array = NDArray[np.float64]
# How far a column may be from a multiple of its namesake plus a constant, relative.
_AFFINE = 1e-9


def alike(names: Sequence[str], designs: Sequence[Design]) -> tuple[str, ...]:
    """Columns of one name that differ in their values, if all designs are of the same rows.

    Raises
    ------
    DataError
        If rows, outcomes, trials or weights differ from those of the first design.
    """
    apart: list[str] = []
    for name, other in zip(names[1:], designs[1:], strict=True):
        if other is not designs[0]:
            _same_rows(names[0], designs[0], name, other)
            apart += _columns_apart(names[0], designs[0], name, other)
    return tuple(dict.fromkeys(apart))


def _same_rows(first_name: str, first: Design, name: str, other: Design) -> None:
    pair = f"{first_name!r} and {name!r}"
    n, m = first.source.n_rows, other.source.n_rows
    dropped = [
        f"{design.n_dropped:,} of {own!r}" for own, design in ((first_name, first), (name, other)) if design.n_dropped
    ]
    words = f" Missing values dropped {' and '.join(dropped)}: drop them from the data before both." if dropped else ""
    if n != m:
        raise DataError(f"compare(): {pair} rest on different rows, {n:,} and {m:,}.{words}")
    if first.kept is not None and other.kept is not None and not np.array_equal(first.kept, other.kept):
        raise DataError(f"compare(): {pair} rest on different rows, though as many ({n:,}).{words}")
    for role, a, b in zip(
        ("outcomes", "trials", "weights"), first.outcome_arrays(), other.outcome_arrays(), strict=True
    ):
        if not np.array_equal(a, b):
            row = int(np.flatnonzero(np.asarray(a) != np.asarray(b))[0])
            raise DataError(
                f"compare(): {pair} have different {role}, first in row {row} ({a[row]:g} and {b[row]:g}): what they "
                "say of the data cannot be compared."
            )


def _columns_apart(first_name: str, first: Design, name: str, other: Design) -> list[str]:
    shared = [column for column in first.columns if column in other.columns and column != "Intercept"]
    apart, strange = [], []
    for column in shared:
        a, b = (slope_values(d, [d.columns.index(column)])[:, 0] for d in (first, other))
        if np.array_equal(a, b):
            continue
        apart.append(column)
        x, y = a - a.mean(), b - b.mean()
        left = y - x * (float(x @ y) / max(float(x @ x), 1e-300))
        if np.linalg.norm(left) > _AFFINE * np.linalg.norm(y):
            strange.append(column)
    if strange and isinstance(first.spec, FormulaSpec) and isinstance(other.spec, FormulaSpec):
        raise DataError(
            f"compare(): {', '.join(strange[:6])} hold other values in {first_name!r} than in {name!r}: these are "
            "other rows, or rows in another order."
        )
    return apart


@dataclass(frozen=True)
class Units:
    """Rows in which one Bernoulli outcome is left out at a time.

    Attributes
    ----------
    design : Design
        Rows of one outcome each: a row of successes and failures is taken apart.
    used : array of bool
        Which of its rows have weight.
    copies : array, shape (units,)
        How many observations each stands for.
    """

    design: Design
    used: NDArray[np.bool_]
    copies: Array


def separate_units(design: Design) -> Units:
    """The observations of a design; two rows with the same columns and different outcomes are two units."""
    y, trials, weights = design.outcome_arrays()
    mixed = (y > 0.0) & (y < trials)
    source = design.source
    if np.any(mixed) and isinstance(source, MemorySource):
        n = y.size
        both = np.concatenate([np.arange(n), np.flatnonzero(mixed)])
        success = np.concatenate([(y > 0.0), np.zeros(int(mixed.sum()), dtype=bool)]).astype(np.float64)
        counts = np.where(success > 0.0, (weights * y)[both], (weights * (trials - y))[both])
        rows = MemorySource.weighed(
            source.X.take(both), success, np.ones(both.size), counts, np.asarray(source.offset)[both]
        )
        design = replace(design, source=rows)
        trials, weights = rows.trials, rows.weights
    count = np.asarray(weights * trials, dtype=np.float64)
    used = count > 0.0
    return Units(design, used, count[used])


def predictor_columns(designs: Sequence[Design], most: int = 100) -> list[tuple[str, Array]]:
    """The slopes of all designs by name, each once: (name, values of shape (n,))."""
    taken: dict[str, Array] = {}
    for design in designs:
        for j, name in enumerate(design.columns):
            if name in taken or (j == 0 and design.has_intercept):
                continue
            if len(taken) == most:
                return list(taken.items())
            taken[name] = slope_values(design, [j])[:, 0]
    return list(taken.items())


def label_of_row(design: Design, row: int) -> str:
    """What the data call a row: its label in a pandas frame, else its position among the rows given."""
    if design.row_index is not None:
        return str(design.row_index[row])
    return str(row if design.kept is None else int(np.flatnonzero(design.kept)[row]))
