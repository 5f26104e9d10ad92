"""What is counted over rows: sums that a design knows of its data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.sources.memory import Block

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Weighted mean, squares about it, and range of each slope column; two of them add (Chan et al. 1983)."""

    count: float
    mean: Array
    squares: Array
    lower: Array
    upper: Array

    def __add__(self, other: Moments) -> Moments:
        if other.count == 0.0:
            return self
        if self.count == 0.0:
            return other
        total = self.count + other.count
        shift = other.mean - self.mean
        return Moments(
            total,
            self.mean + shift * (other.count / total),
            self.squares + other.squares + shift**2 * (self.count * other.count / total),
            np.minimum(self.lower, other.lower),
            np.maximum(self.upper, other.upper),
        )


def moments(block: Block) -> Moments:
    """Of the rows of a block that have weight, over expanded rows (weight x trials)."""
    count = block.count
    used = np.flatnonzero(count)
    k = block.X.shape[1] - block.X.intercept
    if used.size == 0:
        return Moments(0.0, np.zeros(k), np.zeros(k), np.full(k, np.inf), np.full(k, -np.inf))
    rows = block.X if used.size == count.size else block.X.take(used)
    return Moments(float(count.sum()), *rows.moments(count[used]))


@dataclass(frozen=True)
class Tally:
    """Counts over rows that have weight; two of them add."""

    rows: int
    nobs: float
    events: float
    fractional: bool
    grouped: bool
    offset: float

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.rows + other.rows,
            self.nobs + other.nobs,
            self.events + other.events,
            self.fractional or other.fractional,
            self.grouped or other.grouped,
            self.offset + other.offset,
        )


def tally(block: Block) -> Tally:
    """Of a block."""
    return Tally(
        int(np.count_nonzero(block.weights)),
        float(block.count.sum()),
        float(block.successes.sum()),
        bool(np.any(block.weights != np.floor(block.weights))),
        bool(np.any(block.trials != 1.0)),
        float(block.count @ block.offset),
    )
