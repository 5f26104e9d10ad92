"""Any function of the coefficients, described from weighted points with the help of the linear function nearest to it.

What a rung knows of linear functions is far more exact than what its points say by themselves. So a function is held
against the linear one that orders the points most nearly as it does: only where the two differ are points counted, and
the more nearly a function is a monotone one of a linear function (an odds ratio, a probability, an average effect), the
less is left to chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bayeslogit.errors import ArgumentError

Array = NDArray[np.float64]

# Of a companion: the least effective points for each of its coefficients, and the most functions that get one.
_POINTS_EACH, _MOST = 10.0, 256
# Rounds of the search for a quantile, and the largest correction of its probability that is believed: beyond it the
# function has steps.
_ROUNDS, _BELIEVED = 4, 0.05
_SPREAD = 0.02
# Largest part of one point in a moment that leaves its error known; of few points, as many times what one is worth.
_LARGEST, _FEW = 0.05, 20.0
_RIDGE = 1e-9
# Weight, in that of the heaviest point, of points that do not matter.
_NO_WEIGHT = 1e-9


@dataclass(frozen=True)
class Described:
    """Posterior of some quantities, with Monte-Carlo errors.

    Attributes
    ----------
    mean, sd, mean_mcse, sd_mcse : array, shape (m,)
    quantiles, quantile_mcse : array, shape (len(probs), m)
    """

    mean: Array
    sd: Array
    mean_mcse: Array
    sd_mcse: Array
    quantiles: Array
    quantile_mcse: Array


class _Moments(Protocol):
    @property
    def mean(self) -> Array: ...
    @property
    def sd(self) -> Array: ...
    @property
    def mean_mcse(self) -> Array: ...
    @property
    def sd_mcse(self) -> Array: ...


class Points(Protocol):
    """What is needed of an estimator."""

    def points(self) -> Array: ...
    def log_weights(self) -> Array: ...
    def moments(self, rows: Array | None = None) -> _Moments: ...
    def quantiles(self, probs: Array, rows: Array | None = None) -> tuple[Array, Array]: ...
    def average(self, values: Array) -> tuple[Array, Array]: ...


def finite_values(values: Array, points: Array, weight: Array) -> Array:
    """Values of functions, (S, m), with zeros where a point of next to no weight has none.

    Raises
    ------
    ArgumentError
        If some point that matters has none.
    """
    fine = np.isfinite(values).all(axis=1)
    strange = np.flatnonzero(~fine & (weight > _NO_WEIGHT * weight.max()))
    if strange.size:
        where = ", ".join(f"{value:.4g}" for value in points[strange[0], :6])
        raise ArgumentError(
            f"apply(function): the function is not finite at {strange.size:,} of {points.shape[0]:,} points of the "
            f"posterior, the first being ({where}{', ...' if points.shape[1] > 6 else ''})."
        )
    return values if fine.all() else np.where(fine[:, None], values, 0.0)


def weighted_quantile(values: Array, log_weights: Array, probs: Array) -> Array:
    """Inverse of the weighted distribution function, linear between mid-weights; (S, m) to (len(probs), m)."""
    sorted_values = [_Sorted.of(column, np.exp(log_weights - log_weights.max())) for column in values.T]
    result: Array = np.array([each.quantile(probs) for each in sorted_values]).reshape(-1, probs.size).T
    return result


@dataclass(frozen=True)
class _Sorted:
    """Values in order, and the middle of the weight of each in the sum of all."""

    values: Array
    middle: Array

    @classmethod
    def of(cls, values: Array, weights: Array) -> _Sorted:
        order = np.argsort(values, kind="stable")
        cumulated = np.cumsum(weights[order])
        return cls(values[order], (cumulated - 0.5 * weights[order]) / cumulated[-1])

    def quantile(self, probs: Array) -> Array:
        return np.asarray(np.interp(probs, self.middle, self.values))


def describe_points(estimator: Points, function: Callable[[Array], Array], probs: Array) -> Described:
    """Mean, sd and quantiles of a function of points, (S, p) to (S, m)."""
    points, weight = estimator.points(), np.exp(estimator.log_weights())
    u = finite_values(function(points), points, weight)
    with np.errstate(over="ignore", invalid="ignore"):  # a moment may be beyond what a float holds
        return _described(estimator, points, weight, u, probs)


def _described(estimator: Points, points: Array, weight: Array, u: Array, probs: Array) -> Described:
    ordered = [_Sorted.of(column, weight) for column in u.T]
    rows = _nearest(points, weight, u, ordered)
    companion = _Companion.of(estimator, rows, points, weight, probs)
    mean, mean_mcse = companion.mean(estimator, u)
    square, square_mcse = companion.mean(estimator, np.square(u - mean))
    sd = np.sqrt(np.maximum(square, 0.0))
    sd_mcse = square_mcse / np.maximum(2.0 * sd, 1e-300) * (sd > 0.0)
    # Where one point makes a moment, what no point has seen could make another.
    for error, parts in ((mean_mcse, np.abs(u - mean)), (sd_mcse, np.square(u - mean))):
        parts = weight[:, None] * parts
        error[parts.max(axis=0) > max(_LARGEST, _FEW * np.square(weight).sum()) * parts.sum(axis=0)] = np.nan
    found = [_quantile(estimator, u, ordered, companion, k, float(prob)) for k, prob in enumerate(probs)]
    quantiles, errors = (np.array(each).reshape(probs.size, -1) for each in zip(*found, strict=True))
    return Described(mean, sd, mean_mcse, sd_mcse, quantiles, errors)


def _nearest(points: Array, weight: Array, u: Array, ordered: list[_Sorted]) -> Array:
    """Linear functions that order the points as nearly as the functions do, rows of shape (m, p); zero for none.

    Normal scores of the ranks are regressed on the points: of a monotone function of a linear one under a Gaussian
    these are that linear function itself.
    """
    m, p = u.shape[1], points.shape[1]
    if m > _MOST or _POINTS_EACH * (p + 1) * np.square(weight).sum() > 1.0:
        return np.zeros((m, p))
    scores = np.empty_like(u)
    for k, one in enumerate(ordered):
        scores[:, k] = ndtri(np.clip(np.interp(u[:, k], one.values, one.middle), 1e-12, 1.0 - 1e-12))
    center = weight @ points
    away = points - center
    scale = np.sqrt(weight @ np.square(away))
    half = away / np.where(scale > 0.0, scale, 1.0) * np.sqrt(weight)[:, None]
    scores -= weight @ scores
    gram = half.T @ half
    gram[np.diag_indices(p)] += _RIDGE
    slopes = np.linalg.solve(gram, half.T @ (np.sqrt(weight)[:, None] * scores))
    return np.asarray((slopes / np.where(scale > 0.0, scale, 1.0)[:, None]).T)


@dataclass(frozen=True)
class _Companion:
    """Linear functions whose posterior is known better than the points tell it.

    Attributes
    ----------
    known : array of bool, shape (m,)
        Which functions have one.
    values : array, shape (S, m)
        Deviations from the mean.
    weight : array, shape (S,)
    moments : Moments
    quantiles, errors : array, shape (len(probs), m)
        Of the deviations.
    """

    known: NDArray[np.bool_]
    values: Array
    weight: Array
    moments: _Moments | None
    quantiles: Array
    errors: Array

    @cached_property
    def ordered(self) -> list[_Sorted]:
        return [_Sorted.of(column, self.weight) for column in self.values.T]

    @classmethod
    def of(cls, estimator: Points, rows: Array, points: Array, weight: Array, probs: Array) -> _Companion:
        known = np.any(rows != 0.0, axis=1)
        if not known.any():
            nothing = np.zeros((probs.size, rows.shape[0]))
            return cls(known, np.zeros((points.shape[0], rows.shape[0])), weight, None, nothing, nothing)
        rows = np.where(known[:, None], rows, rows[int(np.argmax(known))])  # one that is known, not to be used
        moments = estimator.moments(rows)
        quantiles, errors = estimator.quantiles(probs, rows)
        return cls(known, points @ rows.T - moments.mean, weight, moments, quantiles - moments.mean, errors)

    def mean(self, estimator: Points, u: Array) -> tuple[Array, Array]:
        """Means of functions, helped by the companion and its square; and their errors."""
        if self.moments is None:
            return estimator.average(u)
        first, second = self.values, np.square(self.values) - np.square(self.moments.sd)
        slopes, root = np.zeros((2, u.shape[1])), np.sqrt(self.weight)
        for k in np.flatnonzero(self.known):
            both = np.column_stack([np.ones(root.size), first[:, k], second[:, k]]) * root[:, None]
            slopes[:, k] = np.linalg.lstsq(both, root * u[:, k], rcond=None)[0][1:]
        value, error = estimator.average(u - slopes[0] * first - slopes[1] * second)
        # Added up and not squared: both come from the same points.
        error = error + np.abs(slopes[0]) * self.moments.mean_mcse
        return value, error + np.abs(slopes[1]) * 2.0 * self.moments.sd * self.moments.sd_mcse


def _quantile(
    estimator: Points, u: Array, ordered: list[_Sorted], companion: _Companion, k: int, prob: float
) -> tuple[Array, Array]:
    """The k-th quantile of each function and its error, each shape (m,).

    The distribution function at t is the weighted share of points below t, corrected by what the companion's share
    below its own quantile is off; it is inverted by taking the plain quantile at another probability.
    """
    below, weight = (companion.values <= companion.quantiles[k]) - prob, companion.weight
    spread = np.maximum(weight @ np.square(below), 1e-300)
    at = np.full(u.shape[1], prob)
    for _ in range(_ROUNDS):
        t = _at(ordered, at)
        share = (u <= t).astype(np.float64)
        slope = np.where(
            companion.known, (weight @ (share * below) - (weight @ share) * (weight @ below)) / spread, 0.0
        )
        value, error = estimator.average(share - slope * below)
        gap = np.where(np.abs(value - prob) <= _BELIEVED, value - prob, 0.0)
        if np.all(np.abs(gap) <= 0.1 * error):
            break
        at = np.clip(at - gap, 0.0, 1.0)
    # What lies between two points is not known better than the weight of one.
    half = 0.5 * _width(ordered, at, error + 0.5 * weight.max())
    with np.errstate(divide="ignore", invalid="ignore"):
        theirs = _width(companion.ordered, np.full(at.size, prob), _SPREAD)
        stretch = _width(ordered, at, _SPREAD) / theirs
        inherited = np.where(companion.known, np.abs(slope * stretch) * companion.errors[k], 0.0)
    return t, half + np.where(np.isfinite(inherited), inherited, 0.0)


def _width(ordered: list[_Sorted], probs: Array, side: Array | float) -> Array:
    return _at(ordered, probs + side) - _at(ordered, probs - side)


def _at(ordered: list[_Sorted], probs: Array) -> Array:
    return np.array([float(one.quantile(np.clip(p, 0.0, 1.0))) for one, p in zip(ordered, probs, strict=True)])
