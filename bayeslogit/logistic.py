"""The logistic function and its tails: the only room that exponentiates a linear predictor.

Shapes: every argument and result is an array of one shape, elementwise. ``successes`` and ``failures`` already carry
the frequency weight, so a row with weight 3 and a row repeated three times give the same numbers.
"""

from __future__ import annotations

from functools import cache
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
# Range of a standard normal beyond which 1e-14 of it is left.
_NORMAL_RANGE = 7.7
# Factors between 1 and 2 that can be multiplied without overflow.
_FACTORS = 1000


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


def variance_derivatives(eta: Array) -> tuple[Array, Array, Array]:
    """``mu (1 - mu)`` and its first and second derivatives in ``eta``, with exact tails."""
    decay = np.exp(-np.abs(eta))
    near = 1.0 / (1.0 + decay)
    first = np.copysign((1.0 - decay) * near, -eta)  # 1 - 2 mu
    value = decay * near * near
    return value, value * first, value * (first * first - 2.0 * value)


def log_variance(eta: Array) -> Array:
    """``log(mu (1 - mu))``, which does not overflow."""
    size = np.abs(eta)
    result: Array = -size - 2.0 * np.log1p(np.exp(-size))
    return result


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


@cache
def _tail_rule() -> tuple[Array, Array]:
    """Nodes and weights on [0, 45]: finding them costs as much as a chunk of rows."""
    nodes, weights = np.polynomial.legendre.leggauss(_TAIL_NODES)
    return 0.5 * _TAIL * (nodes + 1.0), 0.5 * _TAIL * weights


def _step_plus_tail(mean: Array, sd: Array) -> Array:
    x, weights = _tail_rule()
    scale = weights * expit(-x)
    m, s = mean[:, None], sd[:, None]
    left = np.exp(-0.5 * ((-x - m) / s) ** 2)
    right = np.exp(-0.5 * ((x - m) / s) ** 2)
    result: Array = ndtr(mean / sd) + ((left - right) @ scale) / (sd * np.sqrt(2.0 * np.pi))
    return result


def log_likelihoods(eta: Array, successes: Array, failures: Array | None) -> Array:
    """Log densities of the same rows at many points: the sum over rows of each column of ``eta``.

    Parameters
    ----------
    eta : array, shape (n, points)
        Log-odds; it is overwritten.
    successes : array, shape (n,)
        Weighted counts of ones.
    failures : array, shape (n,), or None
        Weighted counts of zeros; None says that every row is a single trial of weight 1.

    Returns
    -------
    array, shape (points,)
        Absolute error about 1e-16 times the sum of ``abs(eta)``.
    """
    # s eta - c log(1 + exp(eta)) = (s - c / 2) eta - c (|eta| / 2 + log(1 + exp(-|eta|))).
    count = None if failures is None else successes + failures
    result: Array = (successes - 0.5 * (1.0 if count is None else count)) @ eta
    np.abs(eta, out=eta)
    result -= 0.5 * (eta.sum(axis=0) if count is None else count @ eta)
    np.negative(eta, out=eta)
    np.exp(eta, out=eta)
    if count is not None:
        np.log1p(eta, out=eta)
        result -= count @ eta
        return result
    eta += 1.0
    for lower in range(0, eta.shape[0], _FACTORS):  # a product of factors up to 2 costs less than their logarithms
        result -= np.log(np.multiply.reduce(eta[lower : lower + _FACTORS], axis=0))
    return result


def expected_terms(mean: Array, sd: Array, successes: Array, failures: Array) -> Terms:
    """`log_odds_terms` averaged over ``eta ~ Normal(mean, sd)``, row by row.

    The residual and the variance are the first and, negated, the second derivative of the log density in ``mean``.

    Parameters
    ----------
    mean, sd : array, shape (n,)
        Moments of the linear predictor, log-odds; ``sd >= 0``.
    successes, failures : array, shape (n,)
        Weighted counts of ones and zeros.

    Returns
    -------
    Terms
        Absolute error below 1e-11 a trial, and 1e-13 relative to the size of the log density.
    """
    log_density, residual, spread = np.empty_like(mean), np.empty_like(mean), np.empty_like(mean)
    order = np.argsort(sd, kind="stable")
    ends = np.searchsorted(sd[order], [*(rule.widest for rule in _RULES), np.inf])
    for rule, low, high in zip((*_RULES, None), [0, *ends[:-1]], ends, strict=True):
        size = _CHUNK if rule is None else max(64, (1 << 16) // rule.nodes.size)
        for lower in range(low, high, size):
            rows = order[lower : min(lower + size, high)]
            m, s = mean[rows], sd[rows]
            softplus, near, far, spread[rows] = _split_expectations(m, s) if rule is None else rule.expect(m, s)
            # near is E[mu] where the mean is positive, and E[1 - mu] elsewhere; far is the rest.
            positive = m >= 0.0
            ones, zeros = successes[rows], failures[rows]
            residual[rows] = np.where(positive, ones * far - zeros * near, ones * near - zeros * far)
            log_density[rows] = ones * np.minimum(m, 0.0) - zeros * np.maximum(m, 0.0) - (ones + zeros) * softplus
    return Terms(log_density, residual, spread)


class _Rule(NamedTuple):
    """Nodes and weights for a standard normal, good for sds up to ``widest``."""

    widest: float
    nodes: Array
    weights: Array

    def expect(self, mean: Array, sd: Array) -> tuple[Array, Array, Array, Array]:
        """Of log(1 + exp(-x)), expit(x), expit(-x) and their product, with x ~ Normal(abs(mean), sd)."""
        x = self.nodes * sd[:, None]
        x += np.abs(mean)[:, None]
        decay = np.exp(-np.abs(x))
        softplus = (np.log1p(decay) - np.minimum(x, 0.0)) @ self.weights
        near = 1.0 / (1.0 + decay)
        far = decay * near
        positive = x >= 0.0
        return (
            softplus,
            np.where(positive, near, far) @ self.weights,
            np.where(positive, far, near) @ self.weights,
            (near * far) @ self.weights,
        )


def _hermite(widest: float, count: int) -> _Rule:
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return _Rule(widest, nodes, weights / weights.sum())


def _even(widest: float, step: float) -> _Rule:
    z = np.arange(-np.ceil(_NORMAL_RANGE / step), np.ceil(_NORMAL_RANGE / step) + 1.0) * step
    density = np.exp(-0.5 * z * z)
    return _Rule(widest, z, density / density.sum())


# Gauss-Hermite with k nodes errs by about k! (sd / pi)^(2k), the trapezoid rule by exp(y^2 / 2 - 2 pi y / step) with
# y = pi / sd, the distance of the poles (or 2 pi / step where that is less). Up to the widest sd that is below 1e-11.
_RULES = (
    _hermite(0.06, 4),
    _hermite(0.25, 7),
    _even(0.5, 0.74),
    _even(0.9, 0.56),
    _even(2.0, 0.295),
    _even(_WIDE, 0.152),
)


def _split_expectations(mean: Array, sd: Array) -> tuple[Array, Array, Array, Array]:
    """As `_Rule.expect`, for wide normals: the kink at 0 in closed form, and the rest, which ends at 45, by nodes."""
    x, scale = _tail_rule()
    m, root = np.abs(mean), np.sqrt(2.0 * np.pi)
    above = np.exp(-0.5 * ((x - m[:, None]) / sd[:, None]) ** 2) / (sd[:, None] * root)
    below = np.exp(-0.5 * ((x + m[:, None]) / sd[:, None]) ** 2) / (sd[:, None] * root)
    decay = np.exp(-x)
    beyond = ndtr(-m / sd)
    # E[max(-x, 0)] for x ~ Normal(m, sd): softplus(-x), which is what softplus(|m| + s z) - (|m| + s z) is.
    kink = sd * np.exp(-0.5 * (m / sd) ** 2) / root - m * beyond
    softplus = kink + (above + below) @ (scale * np.log1p(decay))
    tail = (above - below) @ (scale * decay / (1.0 + decay))
    spread = (above + below) @ (scale * decay / np.square(1.0 + decay))
    return softplus, (1.0 - beyond) - tail, beyond + tail, spread
