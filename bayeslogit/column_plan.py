"""How the columns of a formula come from numbers and levels by arithmetic alone: what a stream does for every block.

formulaic says once what each term makes of each combination of levels; the rest is a product of numbers and a look-up.
Where a term is more than that and arithmetic the plan is None, and formulaic codes every block.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.arithmetic import names_in, worked_out
from bayeslogit.errors import DataError, FormulaError
from bayeslogit.formula import FormulaSpec
from bayeslogit.formula_guard import Reading, read_formula

Array = NDArray[np.float64]
# What learns from all rows at once; sums over blocks cannot give it, or would give other digits.
_STATEFUL = {
    "poly": "write out I(x**2), I(x**3)",
    "bs": "write out the powers or the pieces, such as I((x > 5) * (x - 5))",
    "cs": "write out the powers or the pieces, such as I((x > 5) * (x - 5))",
    "cr": "write out the powers or the pieces, such as I((x > 5) * (x - 5))",
    "cc": "write out the powers or the pieces, such as I((x > 5) * (x - 5))",
    "center": "write the mean as a number: I(x - 12.3)",
    "scale": "write mean and sd as numbers: I((x - 12.3) / 4.5)",
    "standardize": "write mean and sd as numbers: I((x - 12.3) / 4.5)",
}
_MOST_COMBINATIONS = 1 << 16


@dataclass(frozen=True)
class Piece:
    """Columns of one term.

    Attributes
    ----------
    place : array of int
        Positions among the slope columns.
    numbers, factors : tuple of str
        Data columns (or expressions of them) that are multiplied, and those whose levels are looked up.
    table : array, shape (combinations of levels, len(place))
    """

    place: NDArray[np.intp]
    numbers: tuple[str, ...]
    factors: tuple[str, ...]
    table: Array


@dataclass(frozen=True)
class Plan:
    """Every slope column of a design as a piece of some term.

    Attributes
    ----------
    sizes : dict of str to int
        Numbers of levels.
    expressions : dict of str to dict
        An expression in safe names, to the data column of each.
    """

    pieces: tuple[Piece, ...]
    width: int
    sizes: Mapping[str, int]
    expressions: Mapping[str, Mapping[str, str]]

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Data columns that are read as numbers."""
        named = [name for piece in self.pieces for name in piece.numbers if name not in self.expressions]
        inside = [column for columns in self.expressions.values() for column in columns.values()]
        return tuple(dict.fromkeys((*named, *inside)))

    def with_expressions(self, numbers: Mapping[str, Array]) -> dict[str, Array]:
        """The numbers, and the expressions of them."""
        more = {
            text: worked_out(text, {safe: numbers[column].astype(np.float64) for safe, column in columns.items()})
            for text, columns in self.expressions.items()
        }
        return {**numbers, **more}

    @cached_property
    def exact(self) -> bool:
        """Whether single precision holds every column when it holds the numbers: no products of them."""
        return all(
            len(piece.numbers) < 2 and bool(np.isin(piece.table, (-1.0, 0.0, 1.0)).all()) for piece in self.pieces
        )

    def fill(self, numbers: Mapping[str, Array], codes: Mapping[str, NDArray[np.int64]], n: int) -> Array:
        """The slope columns of n rows, shape (n, width), stored column by column."""
        # Single precision where it holds the same numbers: half as much to write and to read.
        single = self.exact and all(values.dtype == np.float32 for values in numbers.values())
        # Column by column, as files hold them and as the loops read them.
        columns = np.empty((self.width, n), dtype=np.float32 if single else np.float64)
        for piece in self.pieces:
            factor = None
            for name in piece.numbers:
                own = numbers[name]
                factor = own if factor is None else factor * own.astype(np.float64)
            combination = self._combination(piece, codes)
            if combination is None:
                columns[piece.place[0]] = 1.0 if factor is None else factor
                continue
            for place, values in zip(piece.place, piece.table.T, strict=True):
                found = values[combination]
                columns[place] = found if factor is None else found * factor
        return columns.T

    def _combination(self, piece: Piece, codes: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64] | None:
        result = None
        for name in piece.factors:
            result = codes[name] if result is None else result * self.sizes[name] + codes[name]
        return result


def refuse_stateful(reading: Reading) -> None:
    """Transforms that learn from all rows at once.

    Raises
    ------
    FormulaError
    """
    found = re.search(rf"\b({'|'.join(_STATEFUL)})\(", reading.text)
    if found:
        name = found[1]
        raise FormulaError(
            f"{reading.formula!r}: {name}() learns from all rows at once, which streamed and distributed data never "
            f"are; {_STATEFUL[name]}, or read the data into a frame."
        )


def plan_of(spec: FormulaSpec) -> Plan | None:
    """The plan of a formula whose levels are known; None if some term needs formulaic for every row."""
    from formulaic import Formula

    reading = read_formula(spec.formula, spec.factors.texts())
    first, pieces, expressions = int(spec.has_intercept), [], dict[str, Mapping[str, str]]()
    sizes = {name: len(levels) for name, levels in spec.levels.items()}
    for term in Formula(reading.text):
        text = str(term)
        if text == "1":
            continue
        parts = [_part(reading, factor.expr, spec) for factor in term.factors]
        for factor, part in zip(term.factors, parts, strict=True):
            if part is not None and part[0] == factor.expr and factor.expr not in reading.columns:
                expressions[factor.expr] = {safe: reading.columns[safe][0] for safe in names_in(factor.expr) or ()}
        if any(part is None for part in parts):
            return None
        numbers = tuple(name for name, levelled in filter(None, parts) if not levelled)
        factors = tuple(dict.fromkeys(name for name, levelled in filter(None, parts) if levelled))
        place = np.array(spec.terms[reading.shown(text)], dtype=np.intp)
        combinations = int(np.prod([sizes[name] for name in factors], dtype=np.float64))
        if combinations > _MOST_COMBINATIONS or (factors and set(numbers) & set(spec.levels)):
            return None
        if factors and set(numbers) & set(expressions):
            return None
        try:
            table = _table(spec, factors, numbers)[:, place] if factors else np.ones((1, place.size))
        except DataError:  # some other term is not defined where all numbers are 1
            return None
        pieces.append(Piece(place - first, numbers, factors, table))
    return Plan(tuple(pieces), len(spec.columns) - first, sizes, expressions)


def _part(reading: Reading, expression: str, spec: FormulaSpec) -> tuple[str, bool] | None:
    """The data column of a factor and whether it is looked up by levels; None for anything but a column or ``C()``."""
    named = [name for name in re.findall(rf"{reading.prefix}\d+_", expression) if name in reading.columns]
    inside = names_in(expression)
    if inside is not None and expression not in reading.columns:
        numeric = all(spec.factors.kinds[reading.columns[name][0]] != "factor" for name in inside)
        return (expression, False) if numeric and set(inside) <= set(reading.columns) else None
    if len(named) != 1:
        return None
    column, use = reading.columns[named[0]]
    if expression == named[0]:
        return column, spec.factors.kinds[column] == "factor"
    return (column, True) if expression.startswith("C(") and use == "level" else None


def _table(spec: FormulaSpec, factors: Sequence[str], numbers: Sequence[str]) -> Array:
    """The whole design row of every combination of levels, with every number 1."""
    import pandas as pd

    rows = list(product(*(spec.levels[name] for name in factors)))
    values: dict[str, Any] = {}
    for name, kind in spec.factors.kinds.items():
        if name in factors:
            own = [row[factors.index(name)] for row in rows]
            values[name] = pd.Series(own, dtype=None if kind != "factor" else object)
        elif name in spec.levels:
            values[name] = pd.Series([spec.levels[name][0]] * len(rows), dtype=None if kind != "factor" else object)
        else:
            values[name] = np.ones(len(rows), dtype=bool if kind == "boolean" else np.float64)
    X = spec.coded(pd.DataFrame(values)).X
    return np.asarray(X if isinstance(X, np.ndarray) else X.toarray(), dtype=np.float64)
