"""Row blocks of arrays that are already in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeslogit.sources.matrix import Rows, SparseRows

Array = NDArray[np.float64]

# A block of this many bytes stays in a core's second-level cache while it is centred, multiplied and squared.
_BLOCK_BYTES = 1 << 20
# Numbers from which on the compiled loops are worth the half second of loading them, once a process.
COMPILED_FROM = 1 << 20
SPARSE_COMPILED_FROM = 1 << 17
# The compiled loops keep to the cache by themselves; their blocks only have to be enough for the cores to share, and
# rows enough to outweigh a block's own information matrix.
_COMPILED_BLOCKS = 32
_COMPILED_NUMBERS = 1 << 18
_LEAST_ROWS = 1024
_SPARSE_BLOCKS = 4


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
    counted : tuple of two arrays, shape (n,), optional
        Weighted successes and failures, where they are at hand.
    """

    X: Rows
    y: Array
    trials: Array
    weights: Array
    offset: Array
    start: int = 0
    counted: tuple[Array, Array] | None = None

    @property
    def outcome(self) -> tuple[Array, Array, Array]:
        """What the likelihood needs besides the rows: weighted successes and failures, and the offset."""
        return self.successes, self.failures, self.offset

    @cached_property
    def successes(self) -> Array:
        return self.weights * self.y if self.counted is None else self.counted[0]

    @cached_property
    def failures(self) -> Array:
        return self.weights * (self.trials - self.y) if self.counted is None else self.counted[1]

    @cached_property
    def count(self) -> Array:
        return self.weights * self.trials


@dataclass(frozen=True)
class MemorySource:
    """Arrays in memory, handed out as blocks of consecutive rows.

    ``block_rows`` and ``loops`` override the size of the blocks and whether they are worked by compiled loops.
    """

    X: Rows
    y: Array
    trials: Array
    weights: Array
    offset: Array
    block_rows: int | None = None
    loops: bool | None = None

    @classmethod
    def weighed(cls, X: Rows, y: Array, trials: Array, weights: Array, offset: Array) -> MemorySource:
        """Rows as they were given, told how much each weighs."""
        count = weights * trials
        return cls(X.weighing(count) if np.any(count != 1.0) else X, y, trials, weights, offset)

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
        if self.loops is not None:
            return self.loops
        sparse = isinstance(self.X, SparseRows) and not self.X.packed
        return self.stored >= (SPARSE_COMPILED_FROM if sparse else COMPILED_FROM)

    @property
    def _size(self) -> int:
        n, p = self.X.shape
        if self.block_rows:
            return self.block_rows
        if isinstance(self.X, SparseRows) and not self.X.packed:
            return max(_LEAST_ROWS, -(-n // _SPARSE_BLOCKS))
        if self.compiled:
            blocks = min(_COMPILED_BLOCKS, max(2, self.stored // _COMPILED_NUMBERS))
            return max(_LEAST_ROWS, -(-n // blocks))
        return max(256, _BLOCK_BYTES // (8 * max(p, 1)))

    @cached_property
    def counts(self) -> tuple[Array, Array]:
        """Weighted successes and failures of every row."""
        if np.all(self.weights == 1.0):
            return self.y, self.trials - self.y
        return self.weights * self.y, self.weights * (self.trials - self.y)

    def blocks(self) -> Iterator[Block]:
        n, size = self.n_rows, self._size
        X = replace(self.X, compiled=self.compiled)
        for lower in range(0, n, size):
            rows = slice(lower, lower + size)
            y, trials, weights, offset = self.y[rows], self.trials[rows], self.weights[rows], self.offset[rows]
            counts = self.counts[0][rows], self.counts[1][rows]
            yield Block(X.take(rows), y, trials, weights, offset, lower, counts)
