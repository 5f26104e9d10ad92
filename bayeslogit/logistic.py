"""The logistic function and its tails: the only room that exponentiates a linear predictor.

Shapes: every argument and result is an array of one shape, elementwise. ``successes`` and ``failures`` already carry
the frequency weight, so a row with weight 3 and a row repeated three times give the same numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit as expit
from scipy.special import ndtr

Array = NDArray[np.float64]

# Trapezoid rule in z: the integrand expit(m + s z) phi(z) is analytic in a strip of half-width pi / s, so step h errs
# by about exp(-2 pi^2 / (s h)): with s <= WIDE and this step that is below 1e-16.
_WIDE = 4.0
_STEP = 0.125
_HALF_RANGE = 9.0
# Gauss-Legendre on [0, 45] for what is left after the step function is integrated in closed form (s > WIDE).
_TAIL = 45.0
_TAIL_NODES = 128
_CHUNK = 4096


class Terms(NamedTuple):
    """What one pass needs of each row: the log density, its score in eta, and the variance of one trial."""

    log_density: Array
    residual: Array
    variance: Array


def logit(probability: Array | float) -> Array:
    """``log(p / (1 - p))``."""
    p = np.asarray(probability, dtype=np.float64)
    return np.log(p) - np.log1p(-p)


def log_odds_terms(eta: Array, successes: Array, failures: Array) -> Terms:
    """Log density, score and variance of binomial rows, with one exponential for all three.

    Both tails are kept: 1 - mu is computed as such, never by subtraction, so residuals of rows fitted to |eta| = 800
    keep their relative accuracy.

    Parameters
    ----------
    eta : array, shape (n,)
        Linear predictor, log-odds.
    successes, failures : array, shape (n,)
        Weighted counts of ones and zeros.
    """
    decay = np.exp(-np.abs(eta))
    near = 1.0 / (1.0 + decay)
    far = decay * near
    positive = eta >= 0.0
    residual = np.where(positive, successes * far - failures * near, successes * near - failures * far)
    shared = np.log1p(decay)
    log_density = successes * (np.minimum(eta, 0.0) - shared) - failures * (np.maximum(eta, 0.0) + shared)
    return Terms(log_density, residual, near * far)


def squared_residuals(eta: Array, successes: Array, failures: Array) -> Array:
    """Squared residuals of every Bernoulli copy: successes left ``1 - mu``, failures left ``mu``."""
    mu, complement = expit(eta), expit(-eta)
    result: Array = successes * complement**2 + failures * mu**2
    return result


def variance(eta: Array) -> Array:
    """``mu (1 - mu)`` with an exact tail."""
    decay = np.exp(-np.abs(eta))
    return decay / (1.0 + decay) ** 2


def majorant_variance(eta: Array) -> Array:
    """The curvature of the tightest quadratic lower bound of the log density that touches it at ``eta``.

    ``tanh(eta / 2) / (2 eta)`` (Jaakkola and Jordan 2000). It falls like 1/|eta| where the variance falls like
    exp(-|eta|), so a step made with it is finite and never goes downhill, however far out it starts.
    """
    size = np.abs(eta)
    safe = np.where(size < 1e-4, 1.0, size)
    return np.where(size < 1e-4, 0.25 - size * size / 48.0, np.tanh(safe / 2.0) / (2.0 * safe))


def expected_expit(mean: Array, sd: Array) -> Array:
    """``E[expit(eta)]`` for ``eta ~ Normal(mean, sd)``, by one-dimensional quadrature.

    Parameters
    ----------
    mean, sd : array, shape (n,)
        Moments of the linear predictor, log-odds; ``sd >= 0``.

    Returns
    -------
    array, shape (n,)
        Relative error below 1e-12 for sd <= 4 and abs(mean) <= 650, absolute error below 1e-12 beyond: past 650 the
        terms of the sum fall below 1e-308 and lose digits (a relative error up to 1e-5 at 700).
    """
    mean, sd = np.broadcast_arrays(np.asarray(mean, dtype=np.float64), np.asarray(sd, dtype=np.float64))
    flat_mean, flat_sd = mean.ravel(), sd.ravel()
    # The smaller side is integrated and the other obtained from it, so that small probabilities stay relatively exact.
    flipped = flat_mean > 0.0
    below = -np.abs(flat_mean)
    result = np.empty_like(below)
    for lower in range(0, below.size, _CHUNK):
        rows = slice(lower, lower + _CHUNK)
        m, s = below[rows], flat_sd[rows]
        wide = s > _WIDE
        part = np.empty_like(m)
        part[~wide] = _trapezoid(m[~wide], s[~wide])
        part[wide] = _step_plus_tail(m[wide], s[wide])
        result[rows] = part
    return np.where(flipped, 1.0 - result, result).reshape(mean.shape)


def _trapezoid(mean: Array, sd: Array) -> Array:
    # The upper end reaches past z = sd, where exp(eta) phi(z) peaks when the whole mass sits in the lower tail.
    z = np.arange(-_HALF_RANGE, _HALF_RANGE + _WIDE + _STEP, _STEP)
    density = np.exp(-0.5 * z * z) * (_STEP / np.sqrt(2.0 * np.pi))
    result: Array = expit(mean[:, None] + sd[:, None] * z) @ density
    return result


def _step_plus_tail(mean: Array, sd: Array) -> Array:
    nodes, weights = np.polynomial.legendre.leggauss(_TAIL_NODES)
    x = 0.5 * _TAIL * (nodes + 1.0)
    scale = (0.5 * _TAIL) * weights * expit(-x)
    m, s = mean[:, None], sd[:, None]
    left = np.exp(-0.5 * ((-x - m) / s) ** 2)
    right = np.exp(-0.5 * ((x - m) / s) ** 2)
    result: Array = ndtr(mean / sd) + ((left - right) @ scale) / (sd * np.sqrt(2.0 * np.pi))
    return result
