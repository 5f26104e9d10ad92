"""Factors of an information matrix and the Newton step they give.

A `Factor` is an upper triangular R with R'R = S H S, S the diagonal that gives H a unit diagonal. It comes from a
Cholesky factorisation, or, where H is too ill conditioned for that to keep eight digits, from a QR factorisation of the
weighted rows themselves, which does not square the condition number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dtrtri

from bayeslogit.kernels import THREADS_PAY, kernel, own_products

Array = NDArray[np.float64]

# The smallest pivot of a Cholesky factor whose inverse still carries about nine digits: a pivot is 1 - R^2 of a
# coefficient's column on those before it, and rounding perturbs it by about 1e-16.
WELL_CONDITIONED = 1e-7
_COLUMNS_AT_ONCE = 512
_LARGEST_COMPILED = 1024


@dataclass(frozen=True)
class Factor:
    """A factorised information matrix.

    Attributes
    ----------
    R : array, shape (p, p)
        Upper triangular, of the scaled matrix.
    scale : array, shape (p,)
        Root of the diagonal of the information.
    """

    R: Array
    scale: Array

    @cached_property
    def smallest_pivot(self) -> float:
        """``min_j R_jj^2``: one minus the largest multiple correlation of a column with those before it."""
        return float((self.R.diagonal() ** 2).min(initial=1.0))

    @property
    def log_determinant(self) -> float:
        return float(2.0 * (np.log(np.abs(np.diag(self.R))).sum() + np.log(self.scale).sum()))

    def solve(self, b: Array, compiled: bool = False) -> Array:
        """``H^-1 b``; compiled between passes of our own threads, whose cores a BLAS would keep busy for a while."""
        if self.R.size == 0:  # every coefficient at its kink
            return b
        z: Array = kernel("solve", compiled)(self.R, b / self.scale)
        return z / self.scale

    def whiten(self, b: Array) -> Array:
        """``z`` with ``z'z = b' H^-1 b``."""
        result: Array = solve_triangular(self.R, b / self.scale, trans="T", check_finite=False)
        return result

    def whiten_rows(self, rows: Array) -> Array:
        """``Z`` with ``Z'Z = A H^-1 A'`` for rows A, shape (p, k)."""
        if rows.size < THREADS_PAY:
            half = self._inverse_root
            small: Array = ((rows / self.scale) @ half).T
            return small
        result: Array = solve_triangular(self.R, (rows / self.scale).T, trans="T", check_finite=False)
        return result

    def unwhiten(self, z: Array) -> Array:
        """``b`` with covariance ``H^-1`` if ``z`` is standard normal; z of shape (p,) or (p, draws)."""
        scale = self.scale if z.ndim == 1 else self.scale[:, None]
        result: Array = solve_triangular(self.R, z, check_finite=False) / scale
        return result

    @property
    def _inverse_root(self) -> Array:
        """``R^-1``."""
        if self.R.size == 0:  # every coefficient at its kink; LAPACK would print a complaint
            return self.R
        half: Array = dtrtri(self.R)[0]
        return half

    @cached_property
    def inverse(self) -> Array:
        """``H^-1``, shape (p, p)."""
        half = solve_triangular(self.R, np.eye(self.scale.size), check_finite=False) / self.scale[:, None]
        return own_products(half.T)

    def coordinate_variances(self, compiled: bool = False) -> Array:
        """The diagonal of ``H^-1``, shape (p,): squared lengths of the rows of R^-1; compiled as in `solve`."""
        if self.R.size == 0:  # every coefficient at its kink; LAPACK would print a complaint
            return np.zeros(0)
        result: Array = kernel("variances", compiled)(self.R) / np.square(self.scale)
        return result

    def variances(self, rows: Array) -> Array:
        """``a' H^-1 a`` of each row a, shape (k,); the inverse is never formed."""
        parts = [
            np.square(solve_triangular(self.R, (rows[i : i + _COLUMNS_AT_ONCE] / self.scale).T, trans="T")).sum(axis=0)
            for i in range(0, rows.shape[0], _COLUMNS_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)


def cholesky_factor(information: Array, compiled: bool = False) -> Factor | None:
    """The factor of a positive definite matrix, or None if it is not positive definite to working precision.

    Compiled (up to some size) between passes of our own threads, as in `Factor.solve`.
    """
    diagonal = information.diagonal()
    if not (diagonal.min(initial=1.0) > 0.0 and diagonal.max(initial=1.0) < np.inf):
        return None
    scale = np.sqrt(diagonal)
    own = compiled and information.shape[0] <= _LARGEST_COMPILED
    factor = kernel("cholesky", own)(information / scale / scale[:, None])
    return Factor(factor, scale) if np.isfinite(factor.diagonal()).all() else None


def root_factor(root: Array) -> Factor | None:
    """The factor of ``root' root``, or None if a column is zero or the root has fewer rows than columns."""
    if root.shape[0] < root.shape[1]:
        return None
    scale = np.sqrt(np.square(root).sum(axis=0))
    if np.any(scale <= 0.0) or not np.all(np.isfinite(scale)):
        return None
    factor = np.ascontiguousarray(root / scale)
    return Factor(factor, scale) if np.all(np.diag(factor) != 0.0) else None


@dataclass(frozen=True)
class Dependency:
    """A column that others make up: ``column = sum_k weights[k] others[k]``, to rounding."""

    column: int
    others: tuple[int, ...]
    weights: tuple[float, ...]


def dependencies(root: Array, noise: Array) -> tuple[Dependency, ...]:
    """The columns that are linear combinations of columns before them.

    Parameters
    ----------
    root : array, shape (k, p)
        Upper triangular (or trapezoidal) factor of the rows.
    noise : array, shape (p,)
        For each column, the length that rounding alone would leave of it.
    """
    found: list[Dependency] = []
    independent: list[int] = []
    # Orthonormal directions of the independent columns, in the rows of the root; modified Gram-Schmidt, twice.
    basis = np.zeros((root.shape[0], 0))
    norms = np.sqrt(np.square(root).sum(axis=0))
    for j in range(root.shape[1]):
        rest = root[:, j].copy()
        for _ in range(2):
            rest -= basis @ (basis.T @ rest)
        size = math.sqrt(float(rest @ rest))
        if norms[j] > 0.0 and size > noise[j] and len(independent) < root.shape[0]:
            basis = np.column_stack([basis, rest / size])
            independent.append(j)
            continue
        weights = np.zeros(0)
        if independent and norms[j] > noise[j]:
            scaled = root[:, independent] / norms[independent]
            weights = np.linalg.lstsq(scaled, root[:, j] / norms[j], rcond=None)[0]
        used = np.flatnonzero(np.abs(weights) > 1e-6)
        others = tuple(independent[k] for k in used)
        found.append(Dependency(j, others, tuple(float(weights[k] * norms[j] / norms[independent[k]]) for k in used)))
    return tuple(found)
