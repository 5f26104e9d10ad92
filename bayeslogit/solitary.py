"""Columns that separate the outcome alone: the range of each among successes and among failures, in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.plane import side
from bayeslogit.sources.memory import Block

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ranges:
    """Smallest and largest value of each column, by what a row holds; two of them add.

    Attributes
    ----------
    lower, upper : array, shape (3, p)
        Among rows of failures only, of both, and of successes only; infinite where there are none.
    """

    lower: Array
    upper: Array

    def __add__(self, other: Ranges) -> Ranges:
        return Ranges(np.minimum(self.lower, other.lower), np.maximum(self.upper, other.upper))


def _ranges(block: Block) -> Ranges:
    n, p = block.X.shape
    sides, first = side(block), int(block.X.intercept)
    lower, upper = np.full((3, p), np.inf), np.full((3, p), -np.inf)
    for i, kind in enumerate((-1.0, 0.0, 1.0)):
        rows = np.flatnonzero(sides == kind)
        if rows.size == 0:
            continue
        moments = (block.X if rows.size == n else block.X.take(rows)).moments(np.ones(rows.size))
        lower[i, :first] = upper[i, :first] = 1.0
        lower[i, first:], upper[i, first:] = moments[2], moments[3]
    return Ranges(lower, upper)


def ranges(design: Design) -> Ranges:
    """Of every column, by class: one pass."""
    return design.reduce(_ranges)


def solitary_separators(design: Design) -> NDArray[np.bool_]:
    """Which columns separate the outcome alone, with the intercept free to shift if there is one.

    Column j does if some direction that moves nothing but its coefficient (not at rest) and the intercept lets no row
    lose and some row gain. The comparison is that of the values as they are stored, and exact. Rows of weight 0 are
    left out, rows with 0 < y < trials count as both classes.

    Returns
    -------
    array of bool, shape (p,)
    """
    found = ranges(design)
    lower, upper = found.lower, found.upper
    result = _splits(lower, upper, design.has_intercept) | _splits(-upper, -lower, design.has_intercept)
    if design.has_intercept:
        # The intercept itself: one class only.
        held = np.isfinite(lower[:, 0])
        result[0] = not held[1] and held[0] != held[2]
    return result


def _splits(lower: Array, upper: Array, shift: bool) -> NDArray[np.bool_]:
    """Whether successes lie at or above some value, failures at or below, not all at it; the value is 0 if no shift."""
    least, most = np.maximum(upper[0], upper[1]), np.minimum(lower[2], lower[1])
    if not shift:
        least, most = np.maximum(least, 0.0), np.minimum(most, 0.0)
        least, most = np.where(least <= 0.0, 0.0, np.inf), np.where(most >= 0.0, 0.0, -np.inf)
    some = np.isfinite(lower[0]) | np.isfinite(lower[2])
    at = np.where(np.isfinite(least), least, most)
    beyond = (upper[2] > at) | (lower[0] < at)
    result: NDArray[np.bool_] = some & ((least < most) | ((least == most) & beyond))
    return result
