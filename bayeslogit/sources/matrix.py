"""Rows of a design matrix behind four verbs, dense or sparse, with the intercept and the centring written as algebra.

The matrix that the verbs speak of is ``[1, X - center]`` (with an intercept) or ``X`` (without). The stored ``X`` is
never copied or changed as a whole: a dense block is centred into a temporary of block size, a sparse one by the
rank-one identities below.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_FULL = 0.9


@dataclass(frozen=True)
class DenseRows:
    """Rows of a dense matrix of slopes, shape (n, k), any float type, any memory order."""

    X: NDArray[Any]
    intercept: bool
    center: Array | None = None

    @property
    def shape(self) -> tuple[int, int]:
        return self.X.shape[0], self.X.shape[1] + self.intercept

    def centered(self, center: Array | None) -> DenseRows:
        return replace(self, center=center)

    def take(self, rows: slice | NDArray[Any]) -> DenseRows:
        return replace(self, X=self.X[rows])

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

    def predict(self, beta: Array) -> Array:
        result: Array = self.toarray() @ beta
        return result

    def score(self, residual: Array) -> Array:
        result: Array = self.toarray().T @ residual
        return result

    def information(self, weight: Array) -> Array:
        root = self.toarray()
        root *= np.sqrt(weight)[:, None]
        result: Array = root.T @ root
        return result

    def quadratic(self, covariance: Array) -> Array:
        """``x_i' V x_i`` of each row, shape (n,)."""
        rows = self.toarray()
        result: Array = np.einsum("ij,ij->i", rows @ covariance, rows)
        return result

    def moments(self, count: Array) -> tuple[Array, Array, Array, Array]:
        """Weighted mean, weighted sum of squares about it, minimum and maximum of each slope column."""
        X = np.asarray(self.X, dtype=np.float64)
        mean = count @ X / count.sum()
        return mean, count @ np.square(X - mean), X.min(axis=0), X.max(axis=0)


@dataclass(frozen=True)
class SparseRows:
    """Rows of a SciPy CSR matrix of slopes, shape (n, k)."""

    X: Any
    intercept: bool
    center: Array | None = None

    @property
    def shape(self) -> tuple[int, int]:
        return int(self.X.shape[0]), int(self.X.shape[1]) + self.intercept

    def centered(self, center: Array | None) -> SparseRows:
        return replace(self, center=center)

    def take(self, rows: slice | NDArray[Any]) -> SparseRows:
        return replace(self, X=self.X[rows])

    def toarray(self) -> Array:
        return self._dense().toarray()

    @property
    def _nearly_full(self) -> bool:
        """Whether some column has hardly a zero: only then can its mean be large beside its sd.

        Centring such a column by the rank-one identities would cancel its digits, so its block is worked as dense.
        """
        stored = np.bincount(self.X.indices, minlength=self.X.shape[1])
        return bool(np.any(stored > _FULL * self.X.shape[0]))

    def _dense(self) -> DenseRows:
        return DenseRows(self.X.toarray(), self.intercept, self.center)

    def predict(self, beta: Array) -> Array:
        if self._nearly_full:
            return self._dense().predict(beta)
        slopes = beta[1:] if self.intercept else beta
        shift = (beta[0] if self.intercept else 0.0) - (0.0 if self.center is None else self.center @ slopes)
        result: Array = self.X @ slopes + shift
        return result

    def score(self, residual: Array) -> Array:
        if self._nearly_full:
            return self._dense().score(residual)
        slopes = self.X.T @ residual
        total = residual.sum()
        if self.center is not None:
            slopes = slopes - self.center * total
        return np.concatenate([[total], slopes]) if self.intercept else slopes

    def information(self, weight: Array) -> Array:
        if self._nearly_full:
            return self._dense().information(weight)
        weighted = self.X.multiply(weight[:, None]).tocsr()
        gram = (self.X.T @ weighted).toarray()
        column, total = np.asarray(self.X.T @ weight), weight.sum()
        if self.center is not None:
            cross = np.outer(column, self.center)
            gram = gram - cross - cross.T + total * np.outer(self.center, self.center)
            column = column - total * self.center
        if not self.intercept:
            return np.asarray(gram, dtype=np.float64)
        return np.block([[np.array([[total]]), column[None, :]], [column[:, None], gram]])

    def quadratic(self, covariance: Array) -> Array:
        rows = [self.take(slice(i, i + 1024)).toarray() for i in range(0, self.shape[0], 1024)]
        return np.concatenate([np.einsum("ij,ij->i", part @ covariance, part) for part in rows])

    def moments(self, count: Array) -> tuple[Array, Array, Array, Array]:
        total = count.sum()
        mean = np.asarray(self.X.T @ count) / total
        deviation = self.X.copy()
        deviation.data = np.square(deviation.data - mean[deviation.indices])
        pattern = self.X.copy()
        pattern.data = np.ones_like(pattern.data)
        stored = np.bincount(self.X.indices, minlength=self.X.shape[1])
        zeros = np.where(stored == self.X.shape[0], 0.0, total - np.asarray(pattern.T @ count))
        spread = np.asarray(deviation.T @ count) + np.maximum(zeros, 0.0) * np.square(mean)
        lower, upper = (np.asarray(f(axis=0).toarray(), dtype=np.float64).ravel() for f in (self.X.min, self.X.max))
        return mean, spread, lower, upper


Rows = DenseRows | SparseRows
