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
_ROUNDING = 64.0 * np.finfo(np.float64).eps


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


def _sides(block: Block, center: Array | None) -> _Sides:
    rows = block.X.centered(center).toarray()
    used = block.weights > 0.0
    ones, zeros = used & (block.y == block.trials), used & (block.y == 0.0)
    return _Sides((rows[ones], -rows[zeros]), (rows[used & ~ones & ~zeros],))


def recession_direction(design: Design, prior: ResolvedPrior) -> Recession | None:
    """A direction along which the log posterior rises for ever, or None if none could be verified.

    Parameters
    ----------
    design : Design
        Rows with weight 0 are left out; rows with 0 < y < trials count as both classes.
    prior : ResolvedPrior
        Only directions that its proper terms do not see are of interest.
    """
    bounds = prior.constraints()
    # The slopes are centred for the programme: its tolerances are absolute, and a year is 2000 plus a little.
    center = design.moments.mean if design.has_intercept else None
    sides = design.reduce(_sides, center)
    signed, level = np.vstack(sides.signed), np.vstack(sides.level)
    if center is not None:
        bounds = bounds.copy()
        bounds[:, 1:] -= bounds[:, :1] * center
    scale = np.abs(np.vstack([signed, level])).max(axis=0)
    scale[scale == 0.0] = 1.0
    scaled = np.unique(signed / scale, axis=0)
    equal = np.vstack([level, bounds]) / scale
    # The first programme looks for a direction along which every row gains, the second for any gain at all.
    for programme in (_widest_margin, _largest_gain):
        candidate = programme(scaled, equal)
        found = None if candidate is None else _verified(candidate / scale, signed, level, bounds, center)
        if found is not None:
            return found
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


def _verified(d: Array, signed: Array, level: Array, bounds: Array, center: Array | None) -> Recession | None:
    d = np.where(np.abs(d) * np.abs(signed).max(axis=0, initial=0.0) < 1e-12, 0.0, d)
    if not np.any(d):
        return None
    gain = signed @ d
    rounding = _ROUNDING * (np.abs(signed) @ np.abs(d))
    flat = _ROUNDING * (np.abs(level) @ np.abs(d))
    held = _ROUNDING * (np.abs(bounds) @ np.abs(d))
    if np.any(gain < -rounding) or np.any(np.abs(level @ d) > flat) or np.any(np.abs(bounds @ d) > held):
        return None
    # A gain that rounding could have made is no gain.
    gains = gain > 1e3 * rounding
    if not np.any(gains):
        return None
    direction = d.copy()
    if center is not None:
        shift = center @ d[1:]
        direction[0] -= shift
        if abs(direction[0]) < 1e-12 * (abs(d[0]) + np.abs(center) @ np.abs(d[1:])):
            direction[0] = 0.0
    return Recession(direction, bool(gains.all() and level.shape[0] == 0))
