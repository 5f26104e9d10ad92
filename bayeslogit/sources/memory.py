"""Row blocks of arrays that are already in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.sources.matrix import Rows, SparseRows

Array = NDArray[np.float64]

# A block of this many bytes stays in a core's second-level cache while it is centred, multiplied and squared.
_BLOCK_BYTES = 1 << 20
# Numbers from which on the compiled loops are worth the half second of loading them, once a process.
COMPILED_FROM = 1 << 20
# A block's information matrix is as large as the whole; rows enough to outweigh it, blocks enough for the cores.
_LEAST_ROWS = 1024
_SPARSE_BLOCKS = 8


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

    @property
    def stored(self) -> int:
        """Numbers read in one pass."""
        return self.X.stored

    @property
    def compiled(self) -> bool:
        """Whether blocks are worked by compiled loops, side by side; it depends on the size of the data alone."""
        return self.stored >= COMPILED_FROM

    @property
    def _size(self) -> int:
        n, p = self.X.shape
        if self.block_rows:
            return self.block_rows
        least = _LEAST_ROWS if self.compiled else 256
        if isinstance(self.X, SparseRows) and not self.X.packed:
            least = max(least, -(-n // _SPARSE_BLOCKS))
        return max(least, _BLOCK_BYTES // (8 * max(p, 1)))

    def blocks(self) -> Iterator[Block]:
        n, size = self.n_rows, self._size
        X = replace(self.X, compiled=self.compiled)
        for lower in range(0, n, size):
            rows = slice(lower, lower + size)
            y, trials, weights, offset = self.y[rows], self.trials[rows], self.weights[rows], self.offset[rows]
            yield Block(X.take(rows), y, trials, weights, offset, lower)
