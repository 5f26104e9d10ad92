"""The scale of a prior as one more unknown: weights of scales under a hyperprior, and the mixture of their posteriors.

``p(c | y)`` is proportional to ``p(y | c) h(c)``, and the posterior of a coefficient is the mixture of those given c.
On a grid even in ``log c`` sums are as good as integrals; both ends get what lies beyond them, where the weight falls
like a power of c.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from bayeslogit.errors import FitError
from bayeslogit.hyperpriors import HalfNormal as HalfNormal
from bayeslogit.hyperpriors import HalfT as HalfT
from bayeslogit.hyperpriors import Hyperprior as Hyperprior
from bayeslogit.scale_curves import Hermite

Array = NDArray[np.float64]
# Weights are followed until they are this many nats below the largest; what is beyond is added by its power.
_DROP = 7.5
_FAR = 40.0
# Normal scores at which the distribution of each component is tabulated.
_SCORES = np.concatenate([[-3.5, -3.0, -2.6], np.linspace(-2.25, 2.25, 19), [2.6, 3.0, 3.5]])


def log_weight(curve: Hermite, hyperprior: Hyperprior, x: Array) -> Array:
    """Log posterior density of the log scale, up to a constant, also beyond the ends of the curve."""
    inside = np.clip(x, curve.x[0], curve.x[-1])
    beyond = np.where(x < inside, curve.slope[0], curve.slope[-1]) * (x - inside)
    result: Array = curve(inside) + beyond + hyperprior.log_density(np.exp(x)) + x
    return result


def grid(curve: Hermite, hyperprior: Hyperprior, count: int) -> Array:
    """Log scales, evenly spaced, from end to end of what weighs anything; shape (count,).

    Raises
    ------
    FitError
        If the weights do not fall off on either side: the posterior of the scale is not proper.
    """
    x = np.linspace(curve.x[0] - _FAR, curve.x[-1] + _FAR, 20_001)
    y = log_weight(curve, hyperprior, x)
    used = np.flatnonzero(y > y.max() - _DROP)
    if used[0] == 0 or used[-1] == x.size - 1:
        raise FitError(
            f"The posterior of the scale under {hyperprior!r} does not fall off: give a hyperprior with lighter tails."
        )
    return np.linspace(x[used[0]], x[used[-1]], count)


def weights(x: Array, log_evidence: Array, hyperprior: Hyperprior) -> tuple[Array, float]:
    """Posterior probabilities of the nodes of an even grid, shape (S,), and the log evidence with the scale unknown."""
    y = log_evidence + hyperprior.log_density(np.exp(x)) + x
    top = float(y.max())
    density = np.exp(y - top)
    step = x[1] - x[0]
    mass = density * step
    for end, inner in ((0, 1), (-1, -2)):
        # The trapezoid rule has half of the last node; beyond it the density falls like exp(-rate |x - end|).
        rate = max((y[inner] - y[end]) / step, 0.1)
        mass[end] = density[end] * (0.5 * step + 1.0 / rate)
    total = float(mass.sum())
    return mass / total, top + math.log(total)


@dataclass(frozen=True)
class Mixture:
    """Posterior of each coefficient with the scale unknown; every array has shape (p,)."""

    mean: Array
    sd: Array
    median: Array
    lower: Array
    upper: Array


def scores() -> Array:
    """The probabilities at which `mix` needs the quantiles of each component."""
    result: Array = ndtr(_SCORES)
    return result


def mix(weight: Array, mean: Array, sd: Array, quantiles: Array, probs: Sequence[float]) -> Mixture:
    """The mixture of posteriors.

    Parameters
    ----------
    weight : array, shape (S,)
    mean, sd : array, shape (S, p)
    quantiles : array, shape (S, Q, p)
        At the probabilities of `scores`.
    probs : sequence of three floats
        Median, lower and upper.
    """
    whole = weight @ mean
    variance = weight @ (np.square(sd) + np.square(mean - whole))
    found = np.array([[_quantile(weight, quantiles[:, :, j], prob) for j in range(whole.size)] for prob in probs])
    return Mixture(whole, np.sqrt(variance), *found)


def _quantile(weight: Array, table: Array, prob: float) -> float:
    """Where the mixture of tabulated distributions reaches a probability, by halving."""
    from scipy.interpolate import PchipInterpolator

    # Quantiles that coincide, or cross by Monte-Carlo error, are set a hair apart.
    hair = 1e-9 * np.maximum(table[:, -1] - table[:, 0], 1e-300)[:, None] * np.arange(_SCORES.size)
    parts = [PchipInterpolator(row, _SCORES) for row in np.maximum.accumulate(table, axis=1) + hair]
    at = [float(np.interp(ndtri(prob), _SCORES, row)) for row in table]
    low, high = min(at), max(at)
    while high - low > 1e-10 * max(abs(low), abs(high)):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        below = float(weight @ ndtr([_score(part, middle) for part in parts]))
        low, high = (middle, high) if below < prob else (low, middle)
    return 0.5 * (low + high)


def _score(part: Any, at: float) -> float:
    """Normal score of a value under a tabulated distribution, straight on beyond its ends."""
    first, last = part.x[0], part.x[-1]
    if first <= at <= last:
        return float(part(at))
    end, near, a, b = (first, part.x[1], 0, 1) if at < first else (last, part.x[-2], -1, -2)
    return float(_SCORES[a] + (at - end) / (near - end) * (_SCORES[b] - _SCORES[a]))
