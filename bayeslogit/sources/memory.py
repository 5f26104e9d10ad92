"""Row blocks of arrays that are already in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.sources.matrix import Rows

Array = NDArray[np.float64]

# A block of this many bytes stays in a core's second-level cache while it is centred, multiplied and squared.
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Block:
    """Some rows of the data: everything a sum over rows may look at.

    Attributes
    ----------
    X : DenseRows or SparseRows, shape (n, p)
    y, trials, weights, offset : array, shape (n,)
        Successes, trials, frequency weights, offset in log-odds.
    start : int
        Position of the first row among all rows.
    """

    X: Rows
    y: Array
    trials: Array
    weights: Array
    offset: Array
    start: int = 0

    @property
    def successes(self) -> Array:
        return self.weights * self.y

    @property
    def failures(self) -> Array:
        return self.weights * (self.trials - self.y)

    @property
    def count(self) -> Array:
        return self.weights * self.trials


@dataclass(frozen=True)
class MemorySource:
    """Arrays in memory, handed out as blocks of consecutive rows."""

    X: Rows
    y: Array
    trials: Array
    weights: Array
    offset: Array
    block_rows: int | None = None

    @property
    def n_rows(self) -> int:
        return self.X.shape[0]

    def blocks(self) -> Iterator[Block]:
        n, p = self.X.shape
        size = self.block_rows or max(256, _BLOCK_BYTES // (8 * max(p, 1)))
        for lower in range(0, n, size):
            rows = slice(lower, lower + size)
            y, trials, weights, offset = self.y[rows], self.trials[rows], self.weights[rows], self.offset[rows]
            yield Block(self.X.take(rows), y, trials, weights, offset, lower)
