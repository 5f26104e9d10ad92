"""Whether designs are of the same rows, and what a comparison takes from them row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit._compare import slope_values
from bayeslogit.data import to_pandas
from bayeslogit.design import Design
from bayeslogit.errors import DataError
from bayeslogit.formula import FormulaSpec
from bayeslogit.sources.memory import MemorySource

Array = NDArray[np.float64]
# How far a column may be from a multiple of its namesake plus a constant, relative.
_AFFINE = 1e-9
# Of the rows of arrays, the share that must differ from each other before the same ones in another order are no chance.
_DISTINCT = 0.5


def alike(names: Sequence[str], designs: Sequence[Design]) -> tuple[str, ...]:
    """Columns of one name that differ in their values, if all designs are of the same rows.

    Raises
    ------
    DataError
        If rows, their order, outcomes, trials or weights differ from those of the first design.
    """
    apart: list[str] = []
    for name, other in zip(names[1:], designs[1:], strict=True):
        if other is not designs[0]:
            _same_rows(names[0], designs[0], name, other)
            differ = _columns_apart(names[0], designs[0], name, other)
            _same_order(names[0], designs[0], name, other, differ)
            apart += differ
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
    a, b = first.row_index, other.row_index
    if a is not None and b is not None and not a.equals(b):
        labels = [list(map(str, index)) for index in (a, b)]
        if labels[0] != labels[1] and Counter(labels[0]) == Counter(labels[1]):
            row, (one, another) = next(
                (k, pair) for k, pair in enumerate(zip(*labels, strict=True)) if pair[0] != pair[1]
            )
            raise DataError(
                f"compare(): {pair} have the same rows in another order, by the index of the data: row {row} is {one} "
                f"in the first and {another} in the second. Give both the rows in one order."
            )
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


def _same_order(first_name: str, first: Design, name: str, other: Design, apart: Sequence[str]) -> None:
    """Refuse rows in another order where outcomes and index do not tell: by what the data of both hold.

    Two columns of one name may hold the same few values by chance in arrays, whose names may be no more than x1 and x2;
    whole rows that hardly repeat do not.
    """
    by_name = first.frame is not None and other.frame is not None
    if not (by_name or apart):
        return
    y = first.outcome_arrays()[0]
    n, moved = y.size, False
    codes: list[NDArray[Any]] = [np.stack([y, y])]
    pairs: Iterable[tuple[NDArray[Any], NDArray[Any]]] = _slopes_of_both(first, other)
    if by_name:
        pairs = list(_held_by_both(first, other))
        if all(np.array_equal(a, b) for a, b in pairs):
            return
    for a, b in pairs:
        code = np.unique(np.concatenate([a, b]), return_inverse=True)[1].reshape(2, n)
        if not np.array_equal(np.sort(code[0]), np.sort(code[1])):
            return
        moved = moved or not np.array_equal(code[0], code[1])
        codes.append(code)
    left, right = (np.column_stack([code[k] for code in codes]) for k in (0, 1))
    left, right = (rows[np.lexsort(rows.T)] for rows in (left, right))
    if not moved or not np.array_equal(left, right):
        return
    distinct = 1 + np.count_nonzero(np.any(left[1:] != left[:-1], axis=1))
    if by_name or distinct > _DISTINCT * n:
        raise DataError(
            f"compare(): {first_name!r} and {name!r} have the same rows in another order. Give both the rows in one "
            "order."
        )


def _slopes_of_both(first: Design, other: Design) -> Iterator[tuple[Array, Array]]:
    for column in first.columns[int(first.has_intercept) :]:
        if column in other.columns:
            a, b = (slope_values(design, [design.columns.index(column)])[:, 0] for design in (first, other))
            yield a, b


def _held_by_both(first: Design, other: Design) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """The variables of either formula in the data of both."""
    if first.frame is other.frame or first.provenance.sha256 == other.provenance.sha256:
        return
    frames = [to_pandas(design.frame) for design in (first, other)]
    variables = dict.fromkeys(v for d in (first, other) if isinstance(d.spec, FormulaSpec) for v in d.spec.variables)
    for name in variables:
        if all(name in frame for frame in frames):
            a, b = (frame[name].to_numpy() for frame in frames)
            numbers = all(values.dtype.kind in "biuf" for values in (a, b))
            a, b = (values if numbers else values.astype(str) for values in (a, b))
            yield (
                a if first.kept is None else a[first.kept],
                b if other.kept is None else b[other.kept],
            )


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
