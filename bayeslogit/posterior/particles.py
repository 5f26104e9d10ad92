"""Particles in batches: what they say of the posterior, with errors from how the batches differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from bayeslogit.posterior.functions import weighted_quantile
from bayeslogit.posterior.ground import Ground
from bayeslogit.posterior.rung import Estimator, Moments
from bayeslogit.posterior.variational import Gaussian

Array = NDArray[np.float64]
_COLUMNS_AT_ONCE = 128


@dataclass(frozen=True, eq=False)
class Particles(Estimator):
    """Points of batches that share nothing; a batch weighs by its own estimate of the evidence.

    Attributes
    ----------
    ground : Ground
    gaussian : Gaussian
        Points are ``mean + root z`` in core coordinates.
    z, score : array, shape (k, S)
        And the gradient of the log posterior in z.
    batch : array of int, shape (S,)
    log_evidence : array, shape (batches,)
    seed : int
        Of what lies across the core coordinates.
    """

    ground: Ground
    gaussian: Gaussian
    z: Array
    score: Array
    batch: NDArray[np.intp]
    log_evidence: Array
    seed: int

    @cached_property
    def _thetas(self) -> Array:
        return np.asarray(self.gaussian.mean + (self.gaussian.root @ self.z).T)

    @cached_property
    def _points(self) -> Array:
        return self.ground.lift(self._thetas, np.random.default_rng(self.seed))

    @cached_property
    def _share(self) -> Array:
        """Weight of each batch, in all 1."""
        return np.asarray(np.exp(self.log_evidence - logsumexp(self.log_evidence)))

    @cached_property
    def _members(self) -> list[NDArray[np.intp]]:
        return [np.flatnonzero(self.batch == b) for b in range(self.log_evidence.size)]

    def points(self) -> Array:
        return self._points

    def log_weights(self) -> Array:
        sizes = np.array([own.size for own in self._members])
        result: Array = np.log(self._share / sizes)[self.batch]
        return result

    def _over(self, values: Array) -> tuple[Array, Array]:
        """Mean of values, (S, m), and its error from batches: that of a ratio of two sums over them."""
        each = np.array([values[own].mean(axis=0) for own in self._members])
        mean = self._share @ each
        off = self._share[:, None] * (each - mean)
        B = self._share.size
        return mean, np.sqrt(B / (B - 1.0) * np.square(off).sum(axis=0))

    def moments(self, rows: Array | None = None) -> Moments:
        count = len(self.ground.columns) if rows is None else rows.shape[0]
        parts = []
        for lower in range(0, max(count, 1), _COLUMNS_AT_ONCE):
            part = slice(lower, min(lower + _COLUMNS_AT_ONCE, count))
            linear = self.ground.column(part) if rows is None else self.ground.linear(rows[part])
            values = self._thetas @ linear.core.T + linear.constant
            mean, error = self._over(values)
            square, square_error = self._over(np.square(values - mean))
            sd = np.sqrt(square + np.square(linear.across))
            parts.append((mean, sd, error, square_error / np.maximum(2.0 * sd, 1e-300)))
        return Moments(*(np.concatenate(each) for each in zip(*parts, strict=True)))

    def quantiles(self, probs: Array, rows: Array | None = None) -> tuple[Array, Array]:
        values = self._points if rows is None else self._points @ rows.T
        found = weighted_quantile(values, self.log_weights(), probs)
        each = np.array([np.quantile(values[own], probs, axis=0) for own in self._members])
        middle = each.mean(axis=0)
        spread = self._share[:, None, None] * (each - middle)
        B = self._share.size
        return found, np.sqrt(B / (B - 1.0) * np.square(spread).sum(axis=0))

    def expect(self, function: Callable[[Array], Array]) -> tuple[Array, Array]:
        values = np.asarray(function(self._points), dtype=np.float64)
        mean, error = self._over(values.reshape(values.shape[0], -1))
        return mean.reshape(values.shape[1:]), error.reshape(values.shape[1:])

    def squares(self, columns: NDArray[np.intp], center: Array, scale: Array) -> tuple[float, float]:
        """``E sum_j ((b_j - center_j) / scale_j)^2`` over some columns, and its error.

        With v half the gradient of that sum, ``E[v' score] = -E[div v]`` (Stein), so that the difference is a control:
        where the likelihood is flat one of the two hardly varies, and where it rules the other.
        """
        rows = np.zeros((columns.size, len(self.ground.columns)))
        rows[np.arange(columns.size), columns] = 1.0 / scale
        linear = self.ground.linear(rows)
        away = self._thetas @ linear.core.T + linear.constant - center / scale
        across = float(np.square(linear.across).sum())
        values = np.square(away).sum(axis=1) + across
        score = np.linalg.solve(self.gaussian.root.T, self.score)
        control = np.einsum("sj,js->s", away @ linear.core, score) + float(np.square(linear.core).sum())
        both = np.column_stack([values, control])
        weight = np.exp(self.log_weights())
        off = both - weight @ both
        slope = float(weight @ (off[:, 0] * off[:, 1])) / max(float(weight @ np.square(off[:, 1])), 1e-300)
        mean, error = self._over((values - slope * control)[:, None])
        return float(mean[0]), float(error[0])

    def resample(self, draws: int, rng: np.random.Generator) -> Array:
        """Equally weighted draws, shape (draws, p): systematic, in random order."""
        cumulated = np.cumsum(np.exp(self.log_weights()))
        at = (np.arange(draws) + rng.random()) / draws * cumulated[-1]
        index = np.minimum(np.searchsorted(cumulated, at), cumulated.size - 1)
        return self._points[rng.permutation(index)]
