"""Rows of a design matrix behind a few verbs, dense or sparse, with the intercept and the centring written as algebra.

The matrix that the verbs speak of is ``[1, X - center]`` (with an intercept) or ``X`` (without). The stored ``X`` is
never copied or changed as a whole. Large blocks are worked by the compiled loops of `kernels`, small ones by their
NumPy twins, which need no compiler; which of the two depends on the size of the data alone, so the bits do too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.kernels import kernel
from bayeslogit.logistic import log_odds_terms

Array = NDArray[np.float64]
Outcome = tuple[Array, Array, Array]

# A sparse column stored in more than this share of the rows is kept dense: its mean may be large beside its sd, and
# centring it by rank-one identities would cancel digits.
_FULL = 0.5
# A pair of stored values costs about this many times a pair of a packed dense block (measured).
_PAIR_COST = 25.0


def _symmetric(upper: Array) -> Array:
    """The whole of a matrix of which the upper triangle is right."""
    result = np.triu(upper)
    result += np.triu(upper, 1).T
    return result


@dataclass(frozen=True)
class DenseRows:
    """Rows of a dense matrix of slopes, shape (n, k), any float type, any memory order."""

    X: NDArray[Any]
    intercept: bool
    center: Array | None = None
    compiled: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        return self.X.shape[0], self.X.shape[1] + self.intercept

    @property
    def stored(self) -> int:
        """Numbers read in one pass."""
        return self.X.size

    def centered(self, center: Array | None) -> DenseRows:
        return replace(self, center=center)

    def worked_out(self) -> DenseRows:
        """The same rows with the centring and the intercept carried out: a copy, for small data."""
        return DenseRows(np.asfortranarray(self.toarray()), False)

    def weighing(self, count: Array) -> DenseRows:
        """The same rows."""
        return self

    def restricted(self, picked: NDArray[np.intp]) -> DenseRows:
        """Some slope columns, a copy."""
        return replace(self, X=np.ascontiguousarray(self.X[:, picked]))

    def take(self, rows: slice | NDArray[Any]) -> DenseRows:
        return replace(self, X=self.X[rows])

    def columns(self, picked: NDArray[np.intp]) -> Array:
        """Some slope columns, centred; shape (n, len(picked))."""
        values = np.asarray(self.X[:, picked], dtype=np.float64)
        return values if self.center is None else values - self.center[picked]

    def toarray(self) -> Array:
        """The rows as float64, intercept column first."""
        n, p = self.shape
        out = np.empty((n, p))
        slopes = out[:, 1:] if self.intercept else out
        if self.intercept:
            out[:, 0] = 1.0
        if self.center is None:
            slopes[...] = self.X
        else:
            np.subtract(self.X, self.center, out=slopes)
        return out

    @property
    def _by_columns(self) -> bool:
        return self.compiled and self.X.flags.f_contiguous and not self.X.flags.c_contiguous

    def _kernel(self, name: str) -> Callable[..., Any]:
        return kernel(f"{name}_columns" if self._by_columns else name, self.compiled)

    def _pass(self, name: str) -> Callable[..., Any]:
        """The pass of that name over these rows; compiled, it reads them in the order in which they are stored."""
        center = np.zeros(self.X.shape[1]) if self.compiled and self.center is None else self.center
        return partial(self._kernel(name), self._stored, center)

    @property
    def _stored(self) -> NDArray[Any]:
        if self._by_columns:
            return self.X.T
        return np.ascontiguousarray(self.X) if self.compiled else self.X

    def _split(self, beta: Array) -> tuple[Array, float]:
        """Slopes and intercept."""
        return (beta[1:], float(beta[0])) if self.intercept else (beta, 0.0)

    def _joined(self, first: float, slopes: Array) -> Array:
        return np.concatenate([[first], slopes]) if self.intercept else slopes

    def predict(self, beta: Array) -> Array:
        result: Array = self._pass("predict")(*self._split(beta))
        return result

    def score(self, residual: Array) -> Array:
        return self._joined(residual.sum(), self._pass("score")(residual))

    def information(self, weight: Array) -> Array:
        upper: Array = self._pass("information")(weight, int(self.intercept))
        return _symmetric(upper) if self.compiled else upper

    def slope(self, beta: Array, outcome: Outcome) -> tuple[float, Array]:
        """Log likelihood and score, reading each row once; ``outcome`` is successes, failures, offset."""
        value, first, slopes = self._pass("slope")(*self._split(beta), *outcome)
        return value, self._joined(first, slopes)

    def expand(self, beta: Array, outcome: Outcome) -> tuple[float, Array, Array]:
        """Log likelihood, score and information, reading each row once."""
        value, first, slopes, upper = self._pass("expand")(*self._split(beta), *outcome, int(self.intercept))
        return value, self._joined(first, slopes), _symmetric(upper) if self.compiled else upper

    def moments(self, count: Array) -> tuple[Array, Array, Array, Array]:
        """Weighted mean, weighted sum of squares about it, minimum and maximum of each slope column."""
        result: tuple[Array, Array, Array, Array] = self._kernel("moments")(self._stored, count)
        return result


@dataclass(frozen=True)
class SparseRows:
    """Rows of a sparse matrix: a few dense columns first, then compressed rows; made by `SparseRows.of`.

    Attributes
    ----------
    full : array, shape (n, f)
        The columns that are hardly sparse.
    data, indices, indptr : arrays
        Compressed rows of the others; ``indptr`` may be part of a longer one.
    order : array of int, shape (k,)
        The slope column of each internal position: first those of ``full``, then the compressed ones.
    packed : bool
        So few zeros that blocks of rows are handed out as dense ones.
    """

    full: NDArray[Any]
    data: NDArray[Any]
    indices: NDArray[Any]
    indptr: NDArray[Any]
    order: NDArray[np.intp]
    intercept: bool
    packed: bool = False
    center: Array | None = None
    compiled: bool = False

    @classmethod
    def of(cls, csr: Any, intercept: bool, count: Array | None = None) -> SparseRows:
        """From a canonical SciPy CSR matrix; ``count`` says how much each row weighs."""
        n, k = csr.shape
        per_row = np.diff(csr.indptr).astype(np.float64)
        packed = _PAIR_COST * float(per_row @ per_row) > n * float(k) ** 2
        weight = np.ones(n) if count is None else count
        dense = np.bincount(csr.indices, np.repeat(weight, np.diff(csr.indptr)), minlength=k) > _FULL * weight.sum()
        if packed or not dense.any():
            nothing = np.empty((n, 0), dtype=csr.dtype)
            return cls(nothing, csr.data, csr.indices, csr.indptr, np.arange(k), intercept, packed)
        rest = csr[:, ~dense]
        order = np.concatenate([np.flatnonzero(dense), np.flatnonzero(~dense)])
        full = np.ascontiguousarray(csr[:, dense].toarray())
        return cls(full, rest.data, rest.indices, rest.indptr, order, intercept)

    @property
    def shape(self) -> tuple[int, int]:
        return self.indptr.size - 1, self.order.size + self.intercept

    @property
    def stored(self) -> int:
        rows, f = self.full.shape
        return rows * self.order.size if self.packed else int(rows * f + self.indptr[-1] - self.indptr[0])

    def centered(self, center: Array | None) -> SparseRows:
        return replace(self, center=center)

    def worked_out(self) -> SparseRows:
        """The same rows: they stay compressed."""
        return self

    def restricted(self, picked: NDArray[np.intp]) -> Rows:
        """Some slope columns, a copy."""
        from scipy.sparse import csr_array

        columns = self.columns_of_csr(picked)
        rows = SparseRows.of(csr_array(columns), self.intercept)
        return DenseRows(rows.toarray()[:, int(self.intercept) :], self.intercept) if rows.packed else rows

    def weighing(self, count: Array) -> SparseRows:
        """The same rows, with columns kept dense that are stored in most of the weight."""
        return SparseRows.of(self.columns_of_csr(np.arange(self.order.size)), self.intercept, count)

    def columns_of_csr(self, picked: NDArray[np.intp]) -> Any:
        """Some slope columns, compressed."""
        from scipy.sparse import csr_array, hstack

        whole = hstack([csr_array(self.full), self._csr], format="csc")
        return whole[:, np.argsort(self.order)[picked]].tocsr()

    def take(self, rows: slice | NDArray[Any]) -> Rows:
        if self.packed:
            return DenseRows(self._csr[rows].toarray(), self.intercept, self.center, self.compiled)
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(self.indptr.size - 1)
            return replace(self, full=self.full[rows], indptr=self.indptr[start : max(stop, start) + 1])
        part = self._csr[rows]
        return replace(self, full=self.full[rows], data=part.data, indices=part.indices, indptr=part.indptr)

    @cached_property
    def _csr(self) -> Any:
        from scipy.sparse import csr_array

        low, high = self.indptr[0], self.indptr[-1]
        columns = self.order.size - self.full.shape[1]
        return csr_array(
            (self.data[low:high], self.indices[low:high], self.indptr - low), shape=(self.indptr.size - 1, columns)
        )

    def columns(self, picked: NDArray[np.intp]) -> Array:
        """Some slope columns, centred; shape (n, len(picked))."""
        f = self.full.shape[1]
        position = np.argsort(self.order)[picked]
        out = np.empty((self.indptr.size - 1, picked.size))
        dense = position < f
        out[:, dense] = self.full[:, position[dense]]
        out[:, ~dense] = self._csr[:, position[~dense] - f].toarray()
        return out if self.center is None else out - self.center[picked]

    def toarray(self) -> Array:
        slopes = self.columns(np.arange(self.order.size))
        return np.column_stack([np.ones(slopes.shape[0]), slopes]) if self.intercept else slopes

    @property
    def _centers(self) -> tuple[Array, Array]:
        """Of the dense and of the compressed columns."""
        f = self.full.shape[1]
        center = np.zeros(self.order.size) if self.center is None else self.center[self.order]
        return center[:f], center[f:]

    def _loop(self, name: str) -> Callable[..., Any]:
        return kernel(name, self.compiled)

    def slope(self, beta: Array, outcome: Outcome) -> tuple[float, Array]:
        """Log likelihood and score."""
        successes, failures, offset = outcome
        terms = log_odds_terms(self.predict(beta) + offset, successes, failures)
        return float(terms.log_density.sum()), self.score(terms.residual)

    def expand(self, beta: Array, outcome: Outcome) -> tuple[float, Array, Array]:
        """Log likelihood, score and information."""
        successes, failures, offset = outcome
        terms = log_odds_terms(self.predict(beta) + offset, successes, failures)
        weight = (successes + failures) * terms.variance
        return float(terms.log_density.sum()), self.score(terms.residual), self.information(weight)

    def predict(self, beta: Array) -> Array:
        near, far = self._centers
        slopes = beta[int(self.intercept) :][self.order]
        start = (beta[0] if self.intercept else 0.0) - far @ slopes[near.size :]
        eta: Array = self._loop("sparse_predict")(self.full, near, self.data, self.indices, self.indptr, slopes)
        return eta + start

    def score(self, residual: Array) -> Array:
        near, far = self._centers
        k, total = self.order.size, residual.sum()
        inner = self._loop("sparse_score")(self.full, near, self.data, self.indices, self.indptr, residual, k)
        inner[near.size :] -= far * total
        slopes = np.empty(k)
        slopes[self.order] = inner
        return np.concatenate([[total], slopes]) if self.intercept else slopes

    def information(self, weight: Array) -> Array:
        near, far = self._centers
        k, f, total = self.order.size, near.size, weight.sum()
        matrix = (self.full, near, self.data, self.indices, self.indptr)
        inner = self._loop("sparse_information")(*matrix, weight, k)
        if self.compiled:
            inner = _symmetric(inner.T)
        column = self._loop("sparse_score")(*matrix, weight, k)
        if self.center is not None:
            # (z - c)(z - c)' summed with weights, where c is zero for the dense columns.
            shift = np.concatenate([np.zeros(f), far])
            cross = np.outer(column, shift)
            inner -= cross
            inner -= cross.T
            inner += total * np.outer(shift, shift)
            column -= total * shift
        p = k + self.intercept
        place = self.order + int(self.intercept)
        result = np.empty((p, p))
        result[np.ix_(place, place)] = inner
        if self.intercept:
            result[0, 0] = total
            result[0, place] = result[place, 0] = column
        return result

    def moments(self, count: Array) -> tuple[Array, Array, Array, Array]:
        csr, total, f, k = self._csr, count.sum(), self.full.shape[1], self.order.size
        entry = np.repeat(count, np.diff(csr.indptr))
        far = np.bincount(csr.indices, weights=entry * csr.data, minlength=k - f) / total
        deviation = entry * np.square(csr.data - far[csr.indices])
        # Zeros of a column are total - what is stored; exactly none where every row is stored.
        held = np.bincount(csr.indices, minlength=k - f)
        empty = total - np.bincount(csr.indices, weights=entry, minlength=k - f)
        zeros = np.where(held == csr.shape[0], 0.0, np.maximum(empty, 0.0))
        spread = np.bincount(csr.indices, weights=deviation, minlength=k - f) + zeros * np.square(far)
        low, high = (np.asarray(g(axis=0).toarray(), dtype=np.float64).ravel() for g in (csr.min, csr.max))
        near = DenseRows(self.full, False).moments(count)
        result = tuple(np.empty(k) for _ in range(4))
        for whole, dense, rest in zip(result, near, (far, spread, low, high), strict=True):
            whole[self.order] = np.concatenate([dense, rest])
        return result[0], result[1], result[2], result[3]


Rows = DenseRows | SparseRows


def as_rows(X: Any, intercept: bool) -> Rows:
    """Rows of a matrix, dense or CSR, whose first column is the intercept if there is one."""
    slopes = X[:, 1:] if intercept else X
    return DenseRows(slopes, intercept) if isinstance(X, np.ndarray) else SparseRows.of(slopes, intercept)


def stack(parts: Sequence[Rows]) -> Rows:
    """Rows below rows; all of one kind."""
    first = parts[0]
    if isinstance(first, DenseRows):
        return replace(first, X=np.concatenate([part.X for part in parts if isinstance(part, DenseRows)]))
    sparse = [part for part in parts if isinstance(part, SparseRows)]
    lengths = np.concatenate([np.diff(part.indptr) for part in sparse])
    ranges = [slice(part.indptr[0], part.indptr[-1]) for part in sparse]
    return replace(
        first,
        full=np.concatenate([part.full for part in sparse]),
        data=np.concatenate([part.data[r] for part, r in zip(sparse, ranges, strict=True)]),
        indices=np.concatenate([part.indices[r] for part, r in zip(sparse, ranges, strict=True)]),
        indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(first.indptr.dtype),
    )
