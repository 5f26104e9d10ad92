"""Does the mode exist? The recession directions of the likelihood along which no proper prior holds the coefficients.

A direction d with ``s_i x_i'd >= 0`` for every row (s = +1 for a success, -1 for a failure, 0 = both must be level)
along which at least one row gains, and which no proper prior sees, makes the log posterior rise for ever (Albert and
Anderson 1984). It is found by a linear programme (Konis 2007) and then verified on the data: what the programme says is
only believed if every row agrees to the rounding of its own inner product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.sources.memory import Block

Array = NDArray[np.float64]
# What rounding may make of an inner product, relative to the sizes of its terms: the values were rounded when
# they were stored (37.1 is not a binary fraction), whatever is taken from them afterwards.
_ROUNDING = 64.0 * np.finfo(np.float64).eps
# A gain must be so many times what rounding may make.
_SURE = 16.0
# In the units of the programmes: a coefficient that is none, and a row that is level to their tolerance.
_NOTHING = 1e-12
_LEVEL = 1e-8


@dataclass(frozen=True)
class Recession:
    """A verified direction of separation.

    Attributes
    ----------
    direction : array, shape (p,)
        In the user's columns; the coefficients move along it without bound.
    complete : bool
        Whether every row gains (complete separation) or some stay on the plane (quasi-complete).
    """

    direction: Array
    complete: bool


@dataclass(frozen=True)
class _Sides:
    """Signed rows of one class, and rows that hold both classes; two of them add."""

    signed: tuple[Array, ...]
    level: tuple[Array, ...]

    def __add__(self, other: _Sides) -> _Sides:
        return _Sides(self.signed + other.signed, self.level + other.level)


def _sides(block: Block) -> _Sides:
    rows = block.X.toarray()
    used = block.weights > 0.0
    ones, zeros = used & (block.y == block.trials), used & (block.y == 0.0)
    return _Sides((rows[ones], -rows[zeros]), (rows[used & ~ones & ~zeros],))


@dataclass(frozen=True)
class _Columns:
    """The columns in which the programmes run: ``d = T (z / scale)`` with T the centring.

    Their tolerances are absolute, and a year is 2000 plus a little.
    """

    center: Array | None
    scale: Array

    def rows(self, rows: Array) -> Array:
        """Linear functions of d as functions of z."""
        return _centered(rows, self.center) / self.scale

    def direction(self, z: Array) -> Array:
        d = z / self.scale
        if self.center is not None:
            d[0] -= self.center @ d[1:]
        return d

    def exact(self, d: Array) -> Array:
        """Zero for an intercept that is rounding of the shift by the centre."""
        if self.center is not None and abs(d[0]) < _ROUNDING * (np.abs(self.center) @ np.abs(d[1:])):
            d[0] = 0.0
        return d


def _centered(rows: Array, center: Array | None) -> Array:
    if center is None:
        return rows
    result = rows.copy()
    result[:, 1:] -= rows[:, :1] * center
    return result


def recession_direction(design: Design, prior: ResolvedPrior) -> Recession | None:
    """A direction along which the log posterior rises for ever, or None if none could be verified.

    Parameters
    ----------
    design : Design
        Rows with weight 0 are left out; rows with 0 < y < trials count as both classes.
    prior : ResolvedPrior
        Only directions that its proper terms do not see are of interest.
    """
    center = design.moments.mean if design.has_intercept else None
    sides = design.reduce(_sides)
    signed, level = np.vstack(sides.signed), np.vstack([*sides.level, prior.constraints()])
    mixed = sum(rows.shape[0] for rows in sides.level)
    scale = np.abs(_centered(np.vstack([signed, level[:mixed]]), center)).max(axis=0)
    scale[scale == 0.0] = 1.0
    columns = _Columns(center, scale)
    gaining, equal = np.unique(columns.rows(signed), axis=0), columns.rows(level)
    sizes = np.abs(equal).max(axis=1, initial=0.0, keepdims=True)
    equal /= np.where(sizes > 0.0, sizes, 1.0)
    # The first programme looks for a direction along which every row gains, the second for any gain at all.
    for programme in (_widest_margin, _largest_gain):
        candidate = programme(gaining, equal)
        for d in () if candidate is None else _meant(candidate, signed, level, columns):
            if _holds(d, signed, level):
                return Recession(d, mixed == 0 and bool(np.all(_margins(signed, d) > 1.0)))
    return None


def _largest_gain(signed: Array, equal: Array) -> Array | None:
    """Maximise the total gain of the rows over the unit box."""
    return _solve(-signed.sum(axis=0), -signed, equal, signed.shape[1])


def _widest_margin(signed: Array, equal: Array) -> Array | None:
    """Maximise the smallest gain of the rows over the unit box."""
    p = signed.shape[1]
    objective = np.concatenate([np.zeros(p), [-1.0]])
    rows = np.column_stack([-signed, np.ones(signed.shape[0])])
    return _solve(objective, rows, np.column_stack([equal, np.zeros(equal.shape[0])]), p)


def _solve(objective: Array, rows: Array, equal: Array, p: int) -> Array | None:
    from scipy.optimize import linprog

    solution = linprog(
        objective,
        A_ub=rows,
        b_ub=np.zeros(rows.shape[0]),
        A_eq=equal if equal.size else None,
        b_eq=np.zeros(equal.shape[0]) if equal.size else None,
        bounds=[(-1.0, 1.0)] * objective.size,
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if solution.x is None or solution.fun is None or solution.fun > -1e-7:
        return None
    return np.asarray(solution.x[:p], dtype=np.float64)


def _meant(z: Array, signed: Array, level: Array, columns: _Columns) -> tuple[Array, Array]:
    """The direction that a programme found, made level to the last digit on the rows that it left nearly so; and as is.

    What is left of each row is worked out in the user's columns, where it carries the row's own digits.
    """
    z = np.where(np.abs(z) < _NOTHING, 0.0, z)
    d = columns.direction(z)
    rows = np.vstack([signed[np.abs(columns.rows(signed) @ z) < _LEVEL], level])
    used = z != 0.0
    used[:1] |= columns.center is not None
    U, size, Vt = np.linalg.svd(columns.rows(rows)[:, used], full_matrices=False)
    seen = size > _LEVEL
    step = np.zeros_like(z)
    step[used] = Vt[seen].T @ (U[:, seen].T @ -(rows @ d) / size[seen])
    return columns.exact(d + columns.direction(step)), columns.exact(d)


def _margins(rows: Array, d: Array) -> Array:
    """Gain of each row as a multiple of what rounding of its stored values may make of it."""
    rounding = _ROUNDING * (np.abs(rows) @ np.abs(d))
    return np.divide(rows @ d, rounding, out=np.zeros(rows.shape[0]), where=rounding > 0.0)


def _holds(d: Array, signed: Array, level: Array) -> bool:
    """Whether no row loses, those that hold both classes and the priors do not see d, and some row truly gains."""
    gains = _margins(signed, d)
    return bool(np.all(gains >= -1.0) and np.all(np.abs(_margins(level, d)) <= 1.0) and np.any(gains > _SURE))
