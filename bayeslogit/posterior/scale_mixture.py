"""The mixture of posteriors at several values of an unknown scale, as one posterior.

Draws of different parts are independent, so that Monte-Carlo errors add in squares, those of the weights included. The
rule with every other node says how far the sum over nodes is from the integral: its error is squared when nodes double.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from bayeslogit.posterior.rung import Estimator, Moments, Rung

Array = NDArray[np.float64]
# Normal scores at which the distribution of each component is tabulated, and looked up.
_SCORES = np.concatenate([[-3.7, -3.3, -3.0, -2.7], np.linspace(-2.4, 2.4, 17), [2.7, 3.0, 3.3, 3.7]])
_DENSE = np.linspace(-9.0, 9.0, 721)
_PLACES = 600
# Places at which a distribution is asked for, about a quantile: this part of an sd to either side.
_ASIDE = 0.06


@dataclass(frozen=True, eq=False)
class Mixture(Estimator):
    """The mixture of posteriors at the nodes.

    Attributes
    ----------
    parts : tuple of Rung
    weight, coarse : array, shape (S,)
        Posterior probability of each node, by all nodes and by every other one.
    weight_se : array, shape (S,)
        Monte-Carlo error of the log of each weight before they are normalised.
    """

    parts: tuple[Rung, ...]
    weight: Array
    coarse: Array
    weight_se: Array

    def points(self) -> Array:
        return np.vstack([part.points for part in self.parts])

    def log_weights(self) -> Array:
        with np.errstate(divide="ignore"):
            return np.concatenate(
                [part.log_weights + w for part, w in zip(self.parts, np.log(self.weight), strict=True)]
            )

    def _error(self, weight: Array, own: Array, value: Array, whole: Array) -> Array:
        """Of ``weight @ value``: from each part, and from the weights; shape (m,)."""
        of_weights = weight[:, None] * (value - whole) * self.weight_se[:, None]
        result: Array = np.sqrt(np.square(weight[:, None] * own).sum(axis=0) + np.square(of_weights).sum(axis=0))
        return result

    def moments(self, rows: Array | None = None) -> Moments:
        each = [part.estimator.moments(rows) for part in self.parts]
        mean, sd, mean_error, sd_error = (
            np.array([getattr(one, key) for one in each]) for key in ("mean", "sd", "mean_mcse", "sd_mcse")
        )
        whole, spread = self._pooled(self.weight, mean, sd)
        rough_mean, rough_spread = self._pooled(self.coarse, mean, sd)
        grid_mean, grid_sd = np.square(whole - rough_mean) / spread, np.square(spread - rough_spread) / spread
        square, square_error = (
            np.square(sd) + np.square(mean - whole),
            2.0 * np.hypot(sd * sd_error, (mean - whole) * mean_error),
        )
        of_mean = self._error(self.weight, mean_error, mean, whole)
        of_sd = self._error(self.weight, square_error, square, np.square(spread)) / (2.0 * spread)
        return Moments(whole, spread, np.hypot(of_mean, grid_mean), np.hypot(of_sd, grid_sd))

    @staticmethod
    def _pooled(weight: Array, mean: Array, sd: Array) -> tuple[Array, Array]:
        whole = weight @ mean
        return whole, np.sqrt(weight @ (np.square(sd) + np.square(mean - whole)))

    def quantiles(self, probs: Array, rows: Array | None = None) -> tuple[Array, Array]:
        from scipy.interpolate import PchipInterpolator

        if rows is None:
            return self._of_columns(probs)
        tables = [part.estimator.quantiles(ndtr(_SCORES), rows) for part in self.parts]
        smooth = [PchipInterpolator(_SCORES, np.maximum.accumulate(table, axis=0), axis=0) for table, _ in tables]
        lines = np.array([_straightened(each) for each in smooth])
        errors = np.array([error for _, error in tables])
        found = np.empty((2, probs.size, lines.shape[2]))
        for j in range(lines.shape[2]):
            found[:, :, j] = self._column(probs, lines[:, :, j], errors[:, :, j])
        return found[0], found[1]

    def _of_columns(self, probs: Array) -> tuple[Array, Array]:
        """Quantiles of every column and their errors.

        The bare points say where they are, within some hundredths of an sd; there the distributions of the parts, which
        are surer than their points, are asked at two values a little apart, and the straight line between (in normal
        scores) is followed to the probability.
        """
        points, log_weights = self.points(), self.log_weights()
        used = log_weights > -40.0
        points, share = points[used], np.exp(log_weights[used])
        sd = np.sqrt(np.maximum(share @ np.square(points) - np.square(share @ points), 1e-300))
        order = np.argsort(points, axis=0)
        columns = range(points.shape[1])
        below = np.cumsum(share[order], axis=0) - 0.5 * share[order]
        sorted_points = np.take_along_axis(points, order, axis=0)
        found = np.empty((2, probs.size, points.shape[1]))
        for i, prob in enumerate(probs):
            start = np.array([np.interp(prob, below[:, j], sorted_points[:, j]) for j in columns])
            found[:, i] = self._near(float(prob), start, _ASIDE * sd, sd)
        return found[0], found[1]

    def _near(self, prob: float, start: Array, aside: Array, sd: Array) -> tuple[Array, Array]:
        """The quantile of each column from the distribution at two places about ``start``, and its error."""
        columns = range(start.size)
        each = []
        for at in (start - aside, start + aside):
            parts = [part.estimator.distribution(columns, at) for part in self.parts]
            values, errors = (np.clip(np.array([part[k] for part in parts]), 0.0, 1.0) for k in (0, 1))
            whole = self.weight @ values
            each.append((whole, self.coarse @ values, self._error(self.weight, errors, values, whole)))
        (low, rough_low, low_error), (high, rough_high, high_error) = each
        left, right = (ndtri(np.clip(one, 1e-12, 1.0 - 1e-12)) for one in (low, high))
        slope = np.maximum(right - left, 1e-12) / (2.0 * aside)
        at = start + (ndtri(prob) - 0.5 * (left + right)) / slope
        density = np.maximum(high - low, 1e-12) / (2.0 * aside)
        moved = 0.5 * (rough_low + rough_high - low - high) / density
        return at, np.hypot(np.maximum(low_error, high_error) / density, np.square(moved) / sd)

    def _column(self, probs: Array, lines: Array, errors: Array) -> tuple[Array, Array]:
        """Quantiles of one function and their errors, from the normal scores of its parts."""
        heavy = self.weight > 1e-9
        x = np.linspace(lines[heavy].min(), lines[heavy].max(), _PLACES)
        ends = np.interp([1e-5, 1.0 - 1e-5], self._below(lines, x)[0], x)
        x = np.linspace(float(ends[0]), float(ends[1]), _PLACES)
        total, below = self._below(lines, x)
        at = np.interp(ndtri(probs), ndtri(np.clip(total, 1e-300, 1.0 - 1e-16)), x)
        rough = np.interp(ndtri(probs), ndtri(np.clip(self.coarse @ below, 1e-300, 1.0 - 1e-16)), x)
        slope = np.interp(at, x, np.gradient(total, x))
        scores = np.array([np.interp(at, line, _DENSE) for line in lines])
        density = np.array([np.interp(at, x, np.gradient(one, x)) for one in below])
        each = np.array([np.interp(score, _SCORES, error) for score, error in zip(scores, errors, strict=True)])
        own = np.minimum(density * each, 0.5)
        error = self._error(self.weight, own, np.array([np.interp(at, x, one) for one in below]), probs) / slope
        sd = (ends[1] - ends[0]) / 8.5
        return at, np.hypot(error, np.square(at - rough) / sd)

    def _below(self, lines: Array, x: Array) -> tuple[Array, Array]:
        below = np.array([ndtr(np.interp(x, line, _DENSE)) for line in lines])
        return self.weight @ below, below

    def expect(self, function: Callable[[Array], Array]) -> tuple[Array, Array]:
        return self._mixed([part.expect(function) for part in self.parts])

    def average(self, values: Array) -> tuple[Array, Array]:
        ends = np.cumsum([part.log_weights.size for part in self.parts])[:-1]
        pieces = np.split(values, ends)
        return self._mixed([part.estimator.average(own) for part, own in zip(self.parts, pieces, strict=True)])

    def distribution(self, columns: Sequence[int], at: Array) -> tuple[Array, Array]:
        return self._mixed([part.estimator.distribution(columns, at) for part in self.parts])

    def _mixed(self, each: list[tuple[Array, Array]]) -> tuple[Array, Array]:
        """Averages in every part, and their errors, as those of the whole."""
        values = np.array([np.asarray(value, dtype=np.float64) for value, _ in each])
        shape = values.shape[1:]
        flat = values.reshape(values.shape[0], -1)
        own = np.array([np.asarray(error, dtype=np.float64) for _, error in each]).reshape(flat.shape)
        whole = self.weight @ flat
        error = np.hypot(self._error(self.weight, own, flat, whole), np.abs(whole - self.coarse @ flat))
        return whole.reshape(shape), error.reshape(shape)

    @cached_property
    def ess(self) -> float:
        """Of all parts together."""
        each = np.array([float(np.min(part.ess)) for part in self.parts])
        each = np.where(np.isnan(each), np.inf, each)
        return float(1.0 / np.sum(np.square(self.weight) / each)) if np.isfinite(each).any() else math.nan


def _straightened(smooth: Callable[[Array], Array]) -> Array:
    """Values at the dense scores, ascending, straight on beyond the ends of the table; shape (len(_DENSE), m)."""
    inside = smooth(np.clip(_DENSE, _SCORES[0], _SCORES[-1]))
    low, high = smooth(np.array([_SCORES[0], _SCORES[1]])), smooth(np.array([_SCORES[-2], _SCORES[-1]]))
    slopes = (low[1] - low[0]) / (_SCORES[1] - _SCORES[0]), (high[1] - high[0]) / (_SCORES[-1] - _SCORES[-2])
    below, above = np.minimum(_DENSE - _SCORES[0], 0.0), np.maximum(_DENSE - _SCORES[-1], 0.0)
    values = inside + below[:, None] * slopes[0] + above[:, None] * slopes[1]
    # Quantiles that coincide are set a hair apart.
    hair = 1e-9 * np.maximum(values[-1] - values[0], 1e-300) * np.arange(_DENSE.size)[:, None] / _DENSE.size
    result: Array = values + hair
    return result
