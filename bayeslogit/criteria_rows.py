"""Rows in the coordinates of a Gaussian, and the cubic terms that make the log posterior skew.

With C the covariance of the rows' log-odds under the Gaussian and a_j the third derivative of the log likelihood of
row j, the third cumulant of the log-odds of row i is ``sum_j a_j C_ij^3`` to leading order, and the covariance is
larger than the Gaussian's by the bubble ``S = 1/2 Z' M Z``, ``M_jk = a_j a_k C_jk^2`` (Z: whitened rows).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.errors import FitError
from bayeslogit.logistic import variance
from bayeslogit.mode import Mode
from bayeslogit.posterior.expected_prior import AVERAGES
from bayeslogit.posterior.ground import Ground
from bayeslogit.prior_target import PriorTarget
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.sources.memory import Block
from bayeslogit.sources.spread import Spread
from bayeslogit.steps import Factor, cholesky_factor
from bayeslogit.target import LogPosterior
from bayeslogit.wide import is_wide

Array = NDArray[np.float64]
# Numbers of one array of a pass, and products of all rows with all rows beyond which cubic terms are not worth it.
_AT_ONCE = 1 << 20
MOST_PRODUCTS = 2e10
_FEW_PRODUCTS = 2e8
# Step of the differences that bend a prior, in units of the narrower of its scale and the Gaussian's sd.
_STEP = 0.02


@dataclass(frozen=True)
class _Joined:
    """Arrays of consecutive blocks; two of them add by standing one after the other."""

    parts: tuple[tuple[Array, ...], ...]

    def __add__(self, other: _Joined) -> _Joined:
        return _Joined(self.parts + other.parts)

    def arrays(self) -> tuple[Array, ...]:
        return tuple(np.concatenate(each) for each in zip(*self.parts, strict=True))


def _scan(block: Block, mean: Array, half: Array) -> _Joined:
    X = block.X.toarray()
    white = X @ half
    return _Joined(((X @ mean + block.offset, np.einsum("ij,ij->i", white, white)),))


def _predict(block: Block, mean: Array) -> _Joined:
    return _Joined(((block.X.predict(mean) + block.offset,),))


def _white(block: Block, half: Array) -> _Joined:
    return _Joined(((block.X.toarray() @ half,),))


def _cross(block: Block, theta: Array, active: NDArray[np.intp]) -> Array:
    X = block.X.toarray()
    weight = block.count * variance(X @ theta + block.offset)
    result: Array = X.T @ (weight[:, None] * X[:, active])
    return result


def _pull(block: Block, values: Array) -> Array:
    return block.X.score(values[block.start : block.start + block.offset.size])


@dataclass(frozen=True)
class Field:
    """A log posterior in its core coordinates, with one row for each row of the design.

    Attributes
    ----------
    ground : Ground
    rows : Design
        The rows in core coordinates.
    plain : LogPosterior
        In core coordinates, with one row for each row of the design.
    theta : array, shape (k,)
        The mode.
    """

    ground: Ground
    rows: Design
    plain: LogPosterior
    theta: Array

    @classmethod
    def of(cls, design: Design, prior: ResolvedPrior, mode: Mode) -> Field:
        """Raises `FitError` if there is no mode."""
        if not mode.converged:
            raise FitError(f"There is no mode to leave anything out of. {mode.message}")
        short, plain = LogPosterior.of(design, prior), LogPosterior(design, prior)
        if is_wide(short) or is_wide(plain):
            ground = Ground.of(plain)
            plain = ground.target
        else:
            ground = Ground(short, short, None, np.zeros(0))
            plain = LogPosterior(design, prior, short.coordinates)
        theta = ground.core(ground.whole.coordinates.gamma(mode.beta))
        return cls(ground, plain.design.centered(plain.coordinates.center), plain, theta)

    def factor(self, mode: Mode, active: NDArray[np.intp]) -> Factor:
        """Of the information of the active coordinates at the mode."""
        if self.ground.subspace is None and mode.factor is not None and mode.factor.scale.size == active.size:
            return mode.factor
        target = self.ground.target
        information = target.expand(self.theta).information
        for own, curve in target.kinks.groups.curvature(self.theta):
            information[np.ix_(own, own)] += curve
        found = cholesky_factor(information[np.ix_(active, active)])
        if found is None:
            raise FitError("The information at the mode is singular to working precision: there are no leverages.")
        return found

    def scan(self, mean: Array, half: Array) -> tuple[Array, Array]:
        """Mean and variance of each row's log-odds under ``Normal(mean, half half')``, each shape (n,): one pass."""
        eta, variance = self.rows.reduce(_scan, mean, half).arrays()
        return eta, variance

    def predict(self, mean: Array) -> Array:
        """Log-odds of each row, shape (n,): one pass."""
        (eta,) = self.rows.reduce(_predict, mean).arrays()
        return eta

    def counts(self) -> Array:
        """Weighted trials of each row, without pseudo-observations of the prior; shape (n,)."""
        source = self.rows.source
        blocks = source.in_passing(1) if isinstance(source, Spread) else source.blocks()
        count = np.concatenate([block.count for block in blocks])
        result: Array = count / (1.0 + 2.0 * self.plain.pseudo)
        return result

    def white(self, half: Array) -> Array:
        """Rows times ``half``, shape (n, r): one pass."""
        if isinstance(self.rows.source, Spread):
            self.rows.source.check_held(half.shape[1])
        (result,) = self.rows.reduce(_white, half).arrays()
        return result

    def arrays(self) -> tuple[Array, Array, Array, Array]:
        """All rows, dense (n, k), with their offsets, weighted successes and failures, each shape (n,)."""
        blocks = list(self.rows.source.blocks())
        X = np.concatenate([block.X.toarray() for block in blocks])
        offset, s, f = (
            np.concatenate([getattr(b, key) for b in blocks]) for key in ("offset", "successes", "failures")
        )
        return X, offset, s, f

    def cross_information(self, active: NDArray[np.intp]) -> Array:
        """Of the log posterior's smooth part at the mode, the columns of the active coordinates, (k, a): one pass."""
        prior = self.ground.target.prior_target.smooth_information(self.theta)
        result: Array = self.plain.design.centered(self.plain.coordinates.center).reduce(_cross, self.theta, active)
        return result + prior[:, active]

    def pull(self, values: Array) -> Array:
        """``sum_i values_i x_i``: one pass."""
        result: Array = self.rows.reduce(_pull, values)
        return result

    def some(self, picked: NDArray[np.intp]) -> Array:
        """Some rows in core coordinates, shape (m, k)."""
        return self.some_rows(picked)[0]

    def row(self, index: int) -> tuple[Array, float]:
        """One row in core coordinates, and its offset."""
        X, offset = self.some_rows(np.array([index]))
        return X[0], float(offset[0])

    def some_rows(self, picked: NDArray[np.intp]) -> tuple[Array, Array]:
        """Some rows in core coordinates, shape (m, k), and their offsets, shape (m,)."""
        X, offset = np.empty((picked.size, self.theta.size)), np.empty(picked.size)
        source = self.rows.source
        for block in source.in_passing(0) if isinstance(source, Spread) else source.blocks():
            inside = np.flatnonzero((picked >= block.start) & (picked < block.start + block.offset.size))
            if inside.size:
                place = picked[inside] - block.start
                X[inside] = block.X.take(place).toarray()
                offset[inside] = block.offset[place]
        return X, offset


def worth_it(n: int, k: int, *, quick: bool = False) -> bool:
    """Whether the cubic terms of n rows in k coordinates cost less than a few seconds, or a few milliseconds."""
    return min(float(n) * n * k, float(n) * k**3) <= (_FEW_PRODUCTS if quick else MOST_PRODUCTS)


def third_cumulants(white: Array, a: Array) -> Array:
    """``sum_j a_j C_ij^3`` with ``C = white white'``, shape (n,)."""
    n, k = white.shape
    if k * k < n:
        # T z z z: each pair of different coordinates stands for two.
        first, second = np.triu_indices(k)
        T = (_tensor(white, a)[:, first, second] * np.where(first == second, 1.0, 2.0)).T
        return np.concatenate([np.einsum("ij,ij->i", pairs @ T, z) for _, z, pairs in _products(white)])
    parts = []
    for lower in range(0, n, max(1, _AT_ONCE // n)):
        C = white[lower : lower + max(1, _AT_ONCE // n)] @ white.T
        parts.append((C * C * C) @ a)
    return np.concatenate(parts)


def bubble(white: Array, a: Array, K: Array) -> Array:
    """``1/2 Z' M Z`` with ``M_jk = a_j a_k C_jk^2`` and ``C = Z K Z'``, shape (k, k)."""
    n, k = white.shape
    if k * k < n:
        L = np.linalg.cholesky(K)
        inner = (L.T @ (_tensor(white, a) @ L)).reshape(k, k * k)
        small: Array = 0.5 * (inner @ inner.T)
        return small
    result = np.zeros((k, k))
    scaled, other = a[:, None] * white, K @ white.T
    size = max(1, _AT_ONCE // n)
    for lower in range(0, n, size):
        C = white[lower : lower + size] @ other
        result += scaled[lower : lower + size].T @ ((C * C) @ scaled)
    return 0.5 * result


def _products(white: Array) -> Iterator[tuple[slice, Array, Array]]:
    """Some rows, and all products of two of their coordinates, each pair once."""
    n, k = white.shape
    first, second = np.triu_indices(k)
    size = max(1, _AT_ONCE // first.size)
    for lower in range(0, n, size):
        part = slice(lower, min(lower + size, n))
        z = white[part]
        yield part, z, z[:, first] * z[:, second]


def _tensor(white: Array, a: Array) -> Array:
    """``T_abc = sum_j a_j z_ja z_jb z_jc``, shape (k, k, k)."""
    k = white.shape[1]
    half = np.zeros((k, k * (k + 1) // 2))
    for part, z, pairs in _products(white):
        half += (a[part, None] * z).T @ pairs
    first, second = np.triu_indices(k)
    result = np.empty((k, k, k))
    result[:, first, second] = half
    result[:, second, first] = half
    return result


class Bends(NamedTuple):
    """Linear functions of which a prior's log density is not quadratic: whitened rows, third and fourth derivatives."""

    white: Array
    third: Array
    fourth: Array


def prior_bends(prior: PriorTarget, mean: Array, half: Array, *, averaged: bool) -> Bends:
    """Of the separable terms, at ``mean`` or averaged over ``Normal(mean, half half')``; groups are left out."""
    parts = [_bend(term, rows, mean, half, averaged) for term, rows in prior.proper_terms]
    found = [part for part in parts if part is not None and np.any(part.third) | np.any(part.fourth)]
    if not found:
        return Bends(np.zeros((0, half.shape[1])), np.zeros(0), np.zeros(0))
    return Bends(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _bend(term: PriorTerm, rows: Array | None, mean: Array, half: Array, averaged: bool) -> Bends | None:
    if term.family in ("normal", "multivariate_normal") or term.family not in AVERAGES:
        return None
    index = list(term.columns)
    m, white = (mean[index], half[index]) if rows is None else (rows @ mean, rows @ half)
    variance = np.square(white).sum(axis=1)
    step = _STEP * np.minimum(np.sqrt(variance), term.parameters.get("scale", np.inf))

    def curve(at: Array) -> Array:
        if averaged:
            return AVERAGES[term.family](at, variance, term.parameters)[2]
        return term.density.information(at, **term.parameters)

    low, here, high = curve(m - step), curve(m), curve(m + step)
    safe = np.where(step > 0.0, step, 1.0)
    moving = step > 0.0
    third = np.where(moving, (low - high) / (2.0 * safe), 0.0)
    return Bends(white, third, np.where(moving, (2.0 * here - low - high) / np.square(safe), 0.0))
