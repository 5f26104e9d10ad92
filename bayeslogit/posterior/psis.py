"""Pareto-smoothed importance sampling (Vehtari, Simpson, Gelman, Yao and Gabry 2024): the tail of the weights.

The largest weights are fitted by a generalized Pareto distribution (Zhang and Stephens 2009); its shape, k-hat, says
how many moments the weights have, and its quantiles take the place of the weights themselves.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

Array = NDArray[np.float64]
_LEAST_TAIL = 5
# The prior on the shape: ten observations of 0.5 (Vehtari et al. 2024, appendix C).
_PRIOR_COUNT, _PRIOR_SHAPE = 10.0, 0.5


class Smoothed(NamedTuple):
    """Log weights with their tail smoothed, and the shape of that tail; NaN if it has none."""

    log_weights: Array
    khat: float


class Pareto(NamedTuple):
    """A generalized Pareto distribution of exceedances."""

    shape: float
    scale: float

    def quantile(self, probs: Array) -> Array:
        inner = -np.log1p(-probs)
        result: Array = self.scale * (inner if self.shape == 0.0 else np.expm1(self.shape * inner) / self.shape)
        return result


def khat_limit(draws: int) -> float:
    """The k-hat up to which as many weighted draws can be relied on: ``min(1 - 1 / log10(draws), 0.7)``."""
    return min(1.0 - 1.0 / math.log10(max(draws, 11)), 0.7)


def fit_pareto(exceedances: Array) -> Pareto:
    """The shape (positive is heavy) and scale of sorted exceedances, by the posterior mean of Zhang and Stephens.

    NaN where the lower quarter is all zero, or nothing varies.
    """
    n = exceedances.size
    quarter, largest = float(exceedances[int(n / 4.0 + 0.5) - 1]), float(exceedances[-1])
    if not quarter > 0.0 or not largest > exceedances[0]:
        return Pareto(math.nan, math.nan)
    count = 30 + int(math.sqrt(n))
    grid = 1.0 / largest + (1.0 - np.sqrt(count / (np.arange(1, count + 1) - 0.5))) / (3.0 * quarter)
    shapes = np.log1p(-grid[:, None] * exceedances).mean(axis=1)
    profile = n * (np.log(-grid / shapes) - shapes - 1.0)
    weight = np.exp(profile - logsumexp(profile))
    weight[weight < 10.0 * np.finfo(np.float64).eps] = 0.0
    best = float(grid @ weight / weight.sum())
    shape = float(np.log1p(-best * exceedances).mean())
    scale = -shape / best
    return Pareto((n * shape + _PRIOR_COUNT * _PRIOR_SHAPE) / (n + _PRIOR_COUNT), scale)


def smooth(log_weights: Array) -> Smoothed:
    """Smooth the tail of the *larger* weights; the sum is not normalised.

    Parameters
    ----------
    log_weights : array, shape (S,)
        Log of target over proposal, up to a constant. (ArviZ's ``psislw`` takes minus this.)
    """
    S = log_weights.size
    tail = math.floor(3.0 * math.sqrt(S)) if S > 225 else S // 5
    if tail < _LEAST_TAIL:
        return Smoothed(log_weights, math.nan)
    top = float(log_weights.max())
    order = np.argsort(log_weights, kind="stable")
    cutoff = math.exp(float(log_weights[order[S - tail - 1]]) - top)
    ids = order[S - tail :]
    found = fit_pareto(np.exp(log_weights[ids] - top) - cutoff)
    if not (math.isfinite(found.shape) and found.scale > 0.0):
        return Smoothed(log_weights, math.nan)
    result = log_weights.copy()
    steps = cutoff + found.quantile((np.arange(tail) + 0.5) / tail)
    result[ids] = np.minimum(np.log(steps), 0.0) + top  # no weight is made larger than the largest
    return Smoothed(result, found.shape)
