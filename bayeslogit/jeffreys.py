"""Jeffreys' prior ``0.5 log |I|``, I the information of the likelihood: two-pass sums over row blocks.

The first pass, that of any expansion, gives ``I = X'WX``; its factor whitens the rows, ``z = half' x`` with
``half half' = I^-1``, and the second pass sums functions of z. With ``q_i = z_i'z_i`` (the leverage of row i is
``w_i q_i``) and dots for derivatives in the log-odds,

    score        = 0.5 sum_i w'_i q_i z_i                                          (Firth 1993)
    information  = 0.5 sum_kl T_kl T_kl' - 0.5 sum_i w''_i q_i z_i z_i',    T_kl = sum_i w'_i z_ik z_il z_i

in the coordinates of z.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dtrtri

from bayeslogit.expansion import Expansion
from bayeslogit.logistic import log_odds_terms, variance_derivatives
from bayeslogit.sources.matrix import Rows
from bayeslogit.sources.memory import Block

Array = NDArray[np.float64]
# Numbers of the whitened rows, or of their products, that are held at once.
_AT_ONCE = 1 << 19
# Up to this many columns all products of two whitened columns are held side by side.
_FEW_COLUMNS = 32
# Numbers of the third-derivative tensor that are summed in one pass.
_TENSOR = 1 << 22
# The smallest pivot of a Cholesky factor that still carries about nine digits.
_WELL_CONDITIONED = 1e-7
# The smallest pivot of a QR factor that is more than the rounding of the other rows.
_SINGULAR = 1e-24


@dataclass(frozen=True)
class Whitening:
    """An information matrix I by its factor.

    Attributes
    ----------
    half : array, shape (p, p)
        Upper triangular, ``half half' = I^-1``.
    R : array, shape (p, p)
        Upper triangular, ``R'R = I``.
    log_determinant : float
        Of I.
    smallest_pivot : float
        One minus the largest multiple correlation of a column with those before it.
    """

    half: Array
    R: Array
    log_determinant: float
    smallest_pivot: float

    @classmethod
    def of(cls, information: Array) -> Whitening | None:
        """None if the matrix is not positive definite to working precision."""
        R, failed = dpotrf(information, clean=1)
        return None if failed else cls._of(R, information.diagonal())

    @classmethod
    def of_root(cls, root: Array) -> Whitening | None:
        """Of ``root' root``, root upper triangular: no condition number is squared. None if it is singular."""
        if root.shape[0] < root.shape[1] or np.any(root.diagonal() == 0.0):
            return None
        found = cls._of(root * np.sign(root.diagonal())[:, None], np.square(root).sum(axis=0))
        return found if found is not None and found.smallest_pivot > _SINGULAR else None

    @classmethod
    def _of(cls, R: Array, diagonal: Array) -> Whitening | None:
        pivots = R.diagonal()
        log_determinant = 2.0 * float(np.log(pivots).sum())
        half, failed = dtrtri(R)
        if failed or not math.isfinite(log_determinant):
            return None
        return cls(half, R, log_determinant, float((pivots * pivots / diagonal).min(initial=1.0)))

    @property
    def well_conditioned(self) -> bool:
        return self.smallest_pivot >= _WELL_CONDITIONED

    @property
    def back(self) -> Array:
        """``C`` with ``x = C z``; ``C C' = I``."""
        return self.R.T

    def root(self, M: Array) -> Array | None:
        """Upper triangular U with ``U'U = C M C'``, the root of a matrix of z as one of x; None without one."""
        upper, failed = dpotrf(M, clean=1)
        return None if failed else upper @ self.R


def _parts(block: Block, width: int) -> Iterator[tuple[Rows, Array, Array, slice]]:
    """Some rows at a time: the rows, their counts and offsets."""
    n, most = block.count.size, max(64, _AT_ONCE // width)
    if n <= most:
        yield block.X, block.count, block.offset, slice(None)
        return
    for lower in range(0, n, most):
        part = slice(lower, lower + most)
        yield block.X.take(part), block.count[part], block.offset[part], part


def leverage_score(block: Block, gamma: Array, half: Array) -> Array:
    """The score of ``0.5 log |I|``."""
    total = np.zeros(gamma.size)
    for X, count, offset, _ in _parts(block, gamma.size):
        rows = X.toarray()
        _, first, _ = variance_derivatives(rows @ gamma + offset)
        Z = rows @ half
        total += (count * first * np.einsum("ij,ij->i", Z, Z)) @ rows
    return 0.5 * total


@cache
def _pairs(p: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Array, NDArray[np.intp]]:
    """The pairs k <= l, how often each stands in a symmetric matrix, and which stands where."""
    k, j = np.triu_indices(p)
    where = np.empty((p, p), dtype=np.intp)
    where[k, j] = where[j, k] = np.arange(k.size)
    return k, j, np.where(k == j, 1.0, 2.0)[:, None], where


def _products(X: Array, first: Array, second: Array, half: Array) -> Array:
    """``sum_i z_ik z_il (w'_i z_i, w''_i q_i)`` for the pairs k <= l, shape (pairs, p + 1); X is of shape (p, n)."""
    p, n = X.shape
    k, j, _, _ = _pairs(p)
    Z = half.T @ X
    products = Z[k]
    products *= Z[j]
    right = np.empty((p + 1, n))
    np.multiply(Z, first, out=right[:p])
    np.multiply(second, np.einsum("ij,ij->j", Z, Z), out=right[p])
    result: Array = products @ right.T
    return result


def _block_products(block: Block, gamma: Array, half: Array) -> Array:
    p = gamma.size
    total = np.zeros((p * (p + 1) // 2, p + 1))
    for X, count, offset, _ in _parts(block, p * p):
        rows = X.toarray()
        _, first, second = variance_derivatives(rows @ gamma + offset)
        total += _products(rows.T, count * first, count * second, half)
    return total


@dataclass(frozen=True)
class Curvature:
    """``0.5 log |I|`` to second order, in whitened coordinates.

    Attributes
    ----------
    score : array, shape (p,)
    information : array, shape (p, p)
    tensor : array, shape (pairs, p), or None
        Minus the third derivative of the log likelihood, where it was formed whole; counted as often as each pair
        stands in it.
    """

    score: Array
    information: Array
    tensor: Array | None = None

    def bent(self, step: Array) -> Array | None:
        """The third derivative along ``step`` twice: ``sum_i w'_i (z_i'step)^2 z_i``, shape (p,)."""
        if self.tensor is None:
            return None
        k, j, _, _ = _pairs(step.size)
        result: Array = (step[k] * step[j]) @ self.tensor
        return result


def _of_products(sums: Array) -> Curvature:
    p = sums.shape[1] - 1
    _, _, often, where = _pairs(p)
    tensor = sums[:, :p]
    counted = tensor * often
    square = counted.T @ tensor
    square -= sums[where, p]
    square *= 0.5
    return Curvature(0.5 * tensor[where.diagonal()].sum(axis=0), square, counted)


@dataclass(frozen=True)
class _Bend:
    """Score of ``0.5 log |I|`` and the second part of its information; two of them add."""

    score: Array
    bend: Array

    def __add__(self, other: _Bend) -> _Bend:
        return _Bend(self.score + other.score, self.bend + other.bend)


def _bend(block: Block, gamma: Array, half: Array) -> _Bend:
    slope, weight = np.empty(block.count.size), np.empty(block.count.size)
    for X, count, offset, part in _parts(block, gamma.size):
        rows = X.toarray()
        _, first, second = variance_derivatives(rows @ gamma + offset)
        Z = rows @ half
        q = count * np.einsum("ij,ij->i", Z, Z)
        slope[part], weight[part] = first * q, second * q
    return _Bend(block.X.score(slope), block.X.information(weight))


def _slices(block: Block, gamma: Array, columns: Array) -> Array:
    """``sum_i w'_i z_ik x_i x_i'`` for some columns k of ``half``, shape (columns, p, p)."""
    X = block.X
    _, first, _ = variance_derivatives(X.predict(gamma) + block.offset)
    first *= block.count
    return np.stack([X.information(first * X.predict(column)) for column in columns.T])


def curvature(reduce: Callable[..., Any], gamma: Array, whitening: Whitening) -> Curvature:
    """``0.5 log |I|`` at ``gamma``: one more pass, or several where columns are many.

    Parameters
    ----------
    reduce : function
        `Design.reduce` of the centred rows.
    whitening : Whitening
        Of the information at ``gamma``.
    """
    p, half = gamma.size, whitening.half
    if p <= _FEW_COLUMNS:
        return _of_products(reduce(_block_products, gamma, half))
    found = reduce(_bend, gamma, half)
    square = -(half.T @ found.bend @ half)
    most = max(1, _TENSOR // (p * p))
    for lower in range(0, p, most):
        for one in reduce(_slices, gamma, half[:, lower : lower + most]):
            white = half.T @ one @ half
            square += white @ white
    return Curvature(0.5 * (half.T @ found.score), 0.5 * square)


class OneBlock:
    """The same sums over one small block in memory, whose rows are laid out once and whose exponentials serve twice."""

    def __init__(self, block: Block) -> None:
        self.X = np.ascontiguousarray(block.X.toarray().T)
        self.outcome = block.successes, block.failures
        self.count, self.offset = block.count, block.offset

    @staticmethod
    def serves(block: Block) -> bool:
        n, p = block.X.shape
        return p <= _FEW_COLUMNS and n * p * p <= _AT_ONCE

    def likelihood(self, gamma: Array) -> tuple[Expansion, tuple[Array, Array]]:
        """Of the log likelihood, and what `curvature` needs: weights and log-odds."""
        eta = gamma @ self.X
        eta += self.offset
        terms = log_odds_terms(eta, *self.outcome)
        weight = self.count * terms.variance
        information = (self.X * weight) @ self.X.T
        return Expansion(float(terms.log_density.sum()), self.X @ terms.residual, information), (weight, eta)

    def curvature(self, terms: tuple[Array, Array], whitening: Whitening) -> Curvature:
        """As `curvature`, at the point that gave these weights and log-odds."""
        weight, eta = terms
        # w' = w t and w'' = w (t^2 - 2 v) = w (3 t^2 - 1) / 2 with t = 1 - 2 mu and v = (1 - t^2) / 4.
        t = np.tanh(-0.5 * eta)
        return _of_products(_products(self.X, weight * t, weight * (1.5 * t * t - 0.5), whitening.half))


@dataclass(frozen=True)
class _Informations:
    """Information matrices at several points, as one row of products a point; two of them add."""

    values: Array

    def __add__(self, other: _Informations) -> _Informations:
        return _Informations(self.values + other.values)


def _informations(block: Block, gammas: Array) -> _Informations:
    p = gammas.shape[1]
    total = np.zeros((gammas.shape[0], p * p))
    for X, count, offset, _ in _parts(block, p * p + gammas.shape[0]):
        rows = X.toarray()
        value, _, _ = variance_derivatives(gammas @ rows.T + offset)
        total += (value * count) @ (rows[:, :, None] * rows[:, None, :]).reshape(-1, p * p)
    return _Informations(total)


def log_densities(reduce: Callable[..., Any], gammas: Array) -> Array:
    """``0.5 log |I|`` at several points, shape (points,); minus infinity where I is singular. One pass.

    Parameters
    ----------
    gammas : array, shape (points, p)
    """
    found = reduce(_informations, gammas)
    points, p = gammas.shape
    matrices = found.values.reshape(points, p, p)
    scale = np.sqrt(np.einsum("ijj->ij", matrices))
    if p == 0:
        return np.zeros(points)
    safe = np.where(scale > 0.0, scale, 1.0)
    sign, logs = np.linalg.slogdet(matrices / safe[:, :, None] / safe[:, None, :])
    good = (sign > 0.0) & np.all(scale > 0.0, axis=1)
    result: Array = np.where(good, 0.5 * np.where(good, logs, 0.0) + np.log(safe).sum(axis=1), -np.inf)
    return result
