"""A few centred columns of a design, kept where a pass over them costs least; columns are added as they are needed.

The rows stand in panels, shape (blocks, columns, rows of a block): see `loops.panels`. Sums over blocks run in fixed
parts and in order, so the bits do not depend on the number of threads.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.kernels import kernel
from bayeslogit.sources.matrix import DenseRows, Rows
from bayeslogit.target import LogPosterior
from bayeslogit.workers import in_order

Array = NDArray[np.float64]
_ROWS = 1024
# Numbers of an information from which on it is worked out in parts.
_WORTH_PARTS = 1 << 12
_PARTS = 8
_FIRST = 64
_FOUR = 4
# Numbers from which on loading a compiler is worth it for the many passes of a path.
_WORTH_COMPILING = 1 << 16


def _by_rows(rows: Rows, compiled: bool) -> Rows:
    """Rows that the compiled loops would have to copy into their order at every pass, copied once."""
    if isinstance(rows, DenseRows) and compiled and not rows.X.flags.c_contiguous:
        return replace(rows, X=np.ascontiguousarray(rows.X))
    return rows


def _fours(count: int) -> int:
    return -(-count // _FOUR) * _FOUR


class Panels:
    """Columns of a target's rows, with the outcome beside them.

    Parameters
    ----------
    single : bool
        Keep the columns, centred, in single precision: half of the traffic. Scores are then off by about 1e-7 of their
        sds, and informations by 1e-6 of themselves.

    Attributes
    ----------
    columns : array of int, shape (k,)
        Working coordinates, in the order in which they were added.
    residual, variance : array, shape (blocks, rows)
        Of each row at the last `slope`; rows beyond the data count nothing.
    compiled : bool
        Whether the passes are compiled loops; it depends on the size of the data alone.
    passes : int
        Passes over the panels, and over all columns, so far.
    """

    def __init__(self, target: LogPosterior, *, single: bool = False) -> None:
        blocks = list(target.design.source.blocks())
        self._n = target.design.source.n_rows
        self._first = int(target.design.has_intercept)
        self._pooled = target.design.source.compiled
        self.compiled = self._pooled or target.design.source.stored >= _WORTH_COMPILING
        center = target.coordinates.center
        self._blocks = [
            replace(block, X=replace(_by_rows(block.X, self.compiled).centered(center), compiled=self.compiled))
            for block in blocks
        ]
        count = -(-self._n // _ROWS)
        self._rows = -(-self._n // (8 * count)) * 8
        outcome = zip(*(block.outcome for block in blocks), strict=True)
        self._outcome = tuple(self._paneled(np.concatenate(part)) for part in outcome)
        edges = np.unique(np.linspace(0, count, min(_PARTS if self._pooled else 1, count) + 1).astype(int))
        self._parts = [slice(low, high) for low, high in itertools.pairwise(edges)]
        self._P = np.zeros((count, _FIRST, self._rows), dtype=np.float32 if single else np.float64)
        self.columns = np.empty(0, dtype=np.intp)
        self.residual, self.variance = np.zeros((count, self._rows)), np.zeros((count, self._rows))
        self.passes = 0

    def _paneled(self, values: Array) -> Array:
        padded = np.zeros(-(-self._n // self._rows) * self._rows)
        padded[: self._n] = values
        return padded.reshape(-1, self._rows)

    def _each(self, work: Callable[[Any], Any], parts: list[Any]) -> list[Any]:
        return list(in_order(work, parts) if self._pooled and len(parts) > 1 else map(work, parts))

    def add(self, columns: NDArray[np.intp]) -> None:
        """Further columns, after the others."""
        k, more = self.columns.size, columns.size
        if more == 0:
            return
        if _fours(k + more) > self._P.shape[1]:
            wider = np.zeros((self._P.shape[0], _fours(max(k + more, 2 * k)), self._rows), self._P.dtype)
            wider[:, :k] = self._P[:, :k]
            self._P = wider
        slopes = columns[columns >= self._first] - self._first
        values = np.ones((self._P.shape[0] * self._rows, more))
        low = 0
        for block in self._blocks:
            high = low + block.y.size
            values[low:high, columns >= self._first] = block.X.columns(slopes)
            low = high
        values[low:] = 0.0
        self._P[:, k : k + more] = values.reshape(-1, self._rows, more).transpose(0, 2, 1)
        self.columns = np.concatenate([self.columns, columns])

    def slope(self, gamma: Array) -> tuple[float, Array]:
        """Log likelihood and its score in these columns at ``gamma``, shape (k,); the other columns are at zero."""
        self.passes += 1
        loop = kernel("panel_slope", self.compiled)

        def work(part: slice) -> Any:
            outcome = (each[part] for each in self._outcome)
            return loop(self._P[part], gamma, *outcome, self.residual[part], self.variance[part])

        values, scores = zip(*self._each(work, self._parts), strict=True)
        return float(sum(values)), np.asarray(sum(scores))

    def information(self, weight: Array, first: int = 0) -> Array:
        """``sum_i weight_i z_i z_i'``: its columns from ``first`` on, shape (k, k - first).

        Parameters
        ----------
        weight : array, shape (blocks, rows)
            Such as `variance` of a pass.
        """
        k, loop = self.columns.size, kernel("panel_information", self.compiled)
        begin, end = first // _FOUR * _FOUR, _fours(k)
        # Parts by rows of the result, each as much work: nothing is added up, whatever the number of threads.
        parts = _PARTS if self._pooled and (end - begin) * end >= _WORTH_PARTS else 1
        edges = np.unique([_fours(int(edge)) for edge in np.sqrt(np.linspace(begin**2, end**2, parts + 1))])
        low = np.zeros((end - begin, end), self._P.dtype)

        def work(rows: tuple[int, int]) -> None:
            low[rows[0] - begin : rows[1] - begin, : rows[1]] = loop(self._P, weight, *rows)

        self._each(work, list(itertools.pairwise(edges.tolist())))
        low = low[first - begin : k - begin, :k]
        square = np.tril(low[:, first:])
        return np.vstack([low[:, :first].T, square + np.tril(square, -1).T])

    def score_of_all(self) -> Array:
        """The score of the log likelihood in all working coordinates where the last `slope` was taken: one pass."""
        self.passes += 1
        residual = self.residual.reshape(-1)[: self._n]

        def work(block: Any) -> Array:
            result: Array = block.X.score(residual[block.start : block.start + block.y.size])
            return result

        parts = in_order(work, self._blocks) if self._pooled else map(work, self._blocks)
        return np.asarray(sum(parts))
