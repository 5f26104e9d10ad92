"""The ground the rungs stand on: a log posterior in as few coordinates as it lives in, at many points at once.

These *core* coordinates are the working ones, or, for a wide design with normal priors, those of its reduction to the
span of the rows; across that span the posterior is the prior.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.errors import FitError
from bayeslogit.expansion import Expansion
from bayeslogit.mode import Mode
from bayeslogit.posterior.chunks import (
    Chunk as Chunk,
)
from bayeslogit.posterior.chunks import (
    block_all,
    block_cubes,
    block_expectation,
    block_likelihoods,
    block_linear,
    chunks_of,
    cubes,
    expectation,
    likelihoods,
    skewness,
)
from bayeslogit.posterior.expected_prior import expected_prior
from bayeslogit.sources.spread import Spread
from bayeslogit.steps import cholesky_factor
from bayeslogit.subspace import Subspace
from bayeslogit.target import LogPosterior
from bayeslogit.wide import is_wide, reduce_wide
from bayeslogit.workers import in_order

Array = NDArray[np.float64]

# Dense rows up to this many bytes are kept between passes.
_KEPT_BYTES = 1 << 28
# Rows of a chunk, and numbers of the products of a chunk with some points: these stay in the second-level cache.
_LEAST_ROWS, _MOST_ROWS = 64, 512
_PRODUCTS = 1 << 16
# Share of a prior sd that may be rounding.
_ROUNDING = 1e-7
_WIDE_PRODUCTS = 1 << 20
# Products of matrices up to this many multiplications stay on one thread of the BLAS; so do those of NARROW targets.
_ONE_THREAD, _NARROW = 1 << 18, 32
# Products of all rows with all points from which on the pool of threads pays.
_POOL_PAYS = 1 << 18


def _slices(count: int, size: int) -> Iterator[slice]:
    size = max(size, 16)
    return (slice(lower, min(lower + size, count)) for lower in range(0, count, size))


def _apply(chunk: Chunk, cubic: Array | None, base: Array, moved: Array, part: slice) -> Array:
    return likelihoods(chunk, cubic, base, moved[:, part])


@dataclass(frozen=True)
class Cubic:
    """What makes the log posterior skew, to leading order: ``sum_i c_i He3(x_i' d)``, d Normal.

    Attributes
    ----------
    coefficients : tuple of arrays
        Of each chunk: c_i, a sixth of the expected third derivative of the likelihood of row i; empty where the rows
        are not in memory.
    linear : array, shape (k,)
        ``sum_i c_i var(x_i' d) x_i``: three times it is what the Hermite form lacks to the sum of cubes.
    around : tuple of two arrays
        Mean and root of the Normal.
    along : array, shape (p,), optional
        Its cubes along the user's columns, each an sd long, where they are known already.
    """

    coefficients: tuple[Array, ...]
    linear: Array
    around: tuple[Array, Array]
    along: Array | None = None


@dataclass(frozen=True)
class Linear:
    """Linear functions of the user's coefficients as ``core @ theta + constant + across * standard normal``.

    Attributes
    ----------
    core : array, shape (m, k)
    constant, across : array, shape (m,)
    """

    core: Array
    constant: Array
    across: Array


@dataclass(frozen=True)
class Ground:
    """A log posterior in its core coordinates theta, shape (k,).

    Attributes
    ----------
    whole : LogPosterior
        In all columns, in the working coordinates of the reduction if there is one.
    target : LogPosterior
        In the core coordinates.
    subspace : Subspace or None
        Of a wide design.
    center : array
        Prior means of the reduced columns.
    """

    whole: LogPosterior
    target: LogPosterior
    subspace: Subspace | None
    center: Array

    @classmethod
    def of(cls, target: LogPosterior) -> Ground:
        if not is_wide(target):
            return cls(target, target, None, np.zeros(0))
        wide = reduce_wide(target)
        k = len(wide.target.design.columns)
        subspace = Subspace(wide.kept, wide.reduced, wide.scale, wide.basis, np.zeros((k, k)))
        return cls(wide.whole, wide.target, subspace, wide.mean)

    @property
    def size(self) -> int:
        """Number of core coordinates k."""
        return len(self.target.design.columns)

    @property
    def columns(self) -> tuple[str, ...]:
        return self.whole.design.columns

    @cached_property
    def n_rows(self) -> int:
        if self.elsewhere:
            return self.target.design.n_rows
        return sum(chunk.offset.size for chunk in self.chunks())

    def chunks(self) -> Iterator[Chunk]:
        """The rows that count, in their order."""
        return iter(self._kept) if self._small else self._cut()

    @property
    def _small(self) -> bool:
        return 8 * self.target.design.source.n_rows * self.size <= _KEPT_BYTES

    @cached_property
    def _kept(self) -> tuple[Chunk, ...]:
        return tuple(self._cut())

    def _cut(self) -> Iterator[Chunk]:
        for block in self._rows.source.blocks():
            yield from chunks_of(block, self._size_of_chunk)

    @property
    def _rows(self) -> Design:
        return self.target.design.centered(self.target.coordinates.center)

    @property
    def _size_of_chunk(self) -> int:
        return min(max(-(-self.target.design.source.n_rows // 4), _LEAST_ROWS), _MOST_ROWS)

    @property
    def elsewhere(self) -> bool:
        """Whether the rows are not in memory, and too many to be brought there: every sum is a pass of its own."""
        return isinstance(self.target.design.source, Spread) and not self._small

    def core(self, gamma: Array) -> Array:
        """Working coordinates of ``whole`` as core coordinates; what lies across is left out."""
        if self.subspace is None:
            return gamma
        z = self.subspace.basis.T @ ((gamma[self.subspace.reduced] - self.center) / self.subspace.scale)
        return np.concatenate([gamma[self.subspace.kept], z])

    def start(self, mode: Mode) -> tuple[Array, Array]:
        """The mode in core coordinates, and a positive definite information there: kinks lend that of their variance.

        Raises
        ------
        FitError
            If the search ended without a mode, or nothing bounds some direction.
        """
        if not mode.converged:
            raise FitError(f"There is no finite mode to put a Gaussian at. {mode.message}")
        theta = self.core(self.whole.coordinates.gamma(mode.beta))
        kinks = self.target.kinks
        information = self.target.likelihood(theta).information
        information = information + self.target.prior_target.smooth_information(theta, majorant=True)
        information[np.diag_indices(theta.size)] += 0.5 * np.square(kinks.rate)
        for own, rate in zip(kinks.groups, kinks.groups.rate, strict=True):
            information[own, own] += rate**2 / (own.size + 1.0)
        if cholesky_factor(information) is None:
            raise FitError("Neither the data nor the prior bounds some combination of the columns: no Gaussian there.")
        return theta, information

    def expected(self, mean: Array, root: Array) -> Expansion:
        """The log posterior averaged over ``Normal(mean, root root')``, with derivatives in the mean: one pass.

        Raises
        ------
        FitError
            If a term of the prior has no such average.
        """
        if self.target.prior.whole == "jeffreys":
            raise FitError("The variational rung does not know Jeffreys' prior: use 'laplace', 'importance' or 'nuts'.")
        value, score = 0.0, np.zeros(self.size)
        information = np.zeros((self.size, self.size))
        if self.elsewhere:
            whole = self._rows.reduce(block_expectation, self._size_of_chunk, mean, root)
            value, score, information = whole.log_density, whole.score, whole.information
        for chunk in () if self.elsewhere else self.chunks():
            own = expectation(chunk, mean, root)
            value += own[0]
            score += own[1]
            information += own[2]
        data = Expansion(value, score, 0.5 * (information + information.T))
        return data + expected_prior(self.target.prior_target, mean, root)

    def log_densities(self, thetas: Array) -> Array:
        """The log posterior at many points, shape (S, k) to (S,)."""
        result: Array = self._prior(thetas) + self._likelihoods(np.zeros(self.size), thetas.T, None)[0]
        return result

    def pair_log_densities(self, mean: Array, away: Array, cubic: Cubic) -> tuple[Array, Array]:
        """The log posterior at ``mean + away`` and ``mean - away``, and ``sum_i c_i (x_i' away)^3``.

        Shapes: (k, S) to (2, S) and (S,).
        """
        result = self._likelihoods(mean, away, cubic)
        result[0] += self._prior(mean + away.T)
        result[1] += self._prior(mean - away.T)
        return result[:2], result[2]

    def all_at_once(self, mean: Array, root: Array, away: Array) -> tuple[Array, Array, Array]:
        """`pair_log_densities` and the linear part of the cubic form, shape (k,), in one pass over rows elsewhere."""
        found = self._rows.reduce(block_all, self._size_of_chunk, mean, root, away)
        result = found[: 3 * away.shape[1]].reshape(3, -1)
        result[0] += self._prior(mean + away.T)
        result[1] += self._prior(mean - away.T)
        return result[:2], result[2], found[3 * away.shape[1] :]

    def cubic(self, mean: Array, root: Array) -> Cubic:
        """The cubic form of the likelihood under ``Normal(mean, root root')``: one pass."""
        parts, linear = [], np.zeros(self.size)
        if self.elsewhere:
            linear = self._rows.reduce(block_linear, self._size_of_chunk, mean, root)
        for chunk in () if self.elsewhere else self.chunks():
            own, pull = skewness(chunk, mean, root)
            parts.append(own)
            linear += pull
        return Cubic(tuple(parts), linear, (mean, root))

    def cubes(self, cubic: Cubic, directions: Array) -> Array:
        """``sum_i c_i (x_i' a)^3`` of each direction a, shape (k, m) to (m,)."""
        if self.elsewhere:
            return self._rows.reduce(block_cubes, self._size_of_chunk, cubic.around, directions)
        result = np.zeros(directions.shape[1])
        for chunk, c in zip(self.chunks(), cubic.coefficients, strict=True):
            result += cubes(chunk, c, directions)
        return result

    def _prior(self, thetas: Array) -> Array:
        return self.target.prior_target.log_densities(thetas) + self.target.whole_log_densities(thetas)

    def _likelihoods(self, mean: Array, away: Array, form: Cubic | None) -> Array:
        """At ``mean + away`` alone, or with ``mean - away`` and the cubes."""
        count, kinds = away.shape[1], 1 if form is None else 3
        if self.elsewhere:
            around = None if form is None else form.around
            return self._rows.reduce(block_likelihoods, self._size_of_chunk, mean, away, around)

        def of_chunk(work: tuple[Chunk, Array | None]) -> Array:
            chunk, cubic = work
            base, result = (chunk.X @ mean + chunk.offset)[:, None], np.empty((kinds, count))
            for part in _slices(count, min(_PRODUCTS, _ONE_THREAD // self.size) // max(base.size, 1)):
                result[:, part] = likelihoods(chunk, cubic, base, chunk.X @ away[:, part])
            return result

        pool: Any = in_order if self.target.design.source.n_rows * count >= _POOL_PAYS else map
        total = np.zeros((kinds, count))
        works = zip(self.chunks(), repeat(None) if form is None else form.coefficients, strict=False)
        if self.size <= _NARROW:
            for found in pool(of_chunk, works):
                total += found
            return total
        # Large products are left to the threads of the BLAS, and the pool has what follows, never both at once.
        for chunk, cubic in works:
            base = (chunk.X @ mean + chunk.offset)[:, None]
            for wide in _slices(count, _WIDE_PRODUCTS // max(base.size, 1)):
                moved = chunk.X @ away[:, wide]
                parts = list(_slices(moved.shape[1], _PRODUCTS // max(base.size, 1)))
                todo = partial(_apply, chunk, cubic, base, moved)
                for part, found in zip(parts, pool(todo, parts), strict=True):
                    total[:, wide][:, part] += found
        return total

    def linear(self, rows: Array) -> Linear:
        """Rows of shape (m, p), linear functions of the user's columns."""
        functions = self.whole.coordinates.functions(rows)
        if self.subspace is None:
            return Linear(functions, np.zeros(rows.shape[0]), np.zeros(rows.shape[0]))
        across = np.sqrt(self.subspace.outside_variances(functions))
        alone = np.sqrt(np.square(functions[:, self.subspace.reduced] * self.subspace.scale).sum(axis=1))
        across = np.where(across < _ROUNDING * alone, 0.0, across)
        return Linear(self.subspace.project(functions), functions[:, self.subspace.reduced] @ self.center, across)

    def column(self, part: slice) -> Linear:
        """Some of the user's columns."""
        picked = np.arange(len(self.columns))[part]
        rows = np.zeros((picked.size, len(self.columns)))
        rows[np.arange(picked.size), picked] = 1.0
        return self.linear(rows)

    def user(self, theta: Array) -> Array:
        """A point of the user's columns, shape (p,); across the subspace it is at the prior mean."""
        gamma = theta
        if self.subspace is not None:
            gamma = self.subspace.lift(theta[:, None], np.zeros((self.subspace.across, 1)))[:, 0]
            gamma[self.subspace.reduced] += self.center
        return self.whole.coordinates.beta(gamma)

    def lift(self, thetas: Array, rng: np.random.Generator) -> Array:
        """Points of the user's columns, shape (S, p); across the subspace they are draws of the prior."""
        gamma = thetas
        if self.subspace is not None:
            noise = rng.standard_normal((self.subspace.across, thetas.shape[0]))
            gamma = self.subspace.lift(np.ascontiguousarray(thetas.T), noise).T
            gamma[:, self.subspace.reduced] += self.center
        if self.whole.coordinates.center is None:
            return np.array(gamma)
        beta = np.array(gamma)
        beta[:, 0] -= gamma[:, 1:] @ self.whole.coordinates.center
        return beta
