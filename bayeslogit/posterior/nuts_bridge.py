"""The log evidence from draws of the posterior, by bridge sampling (Meng and Wong 1996; Meng and Schilling 2002)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

Array = NDArray[np.float64]
_MOST_STEPS = 200


def bridge_evidence(
    log_density: Callable[[Array], Array], z: Array, ess: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Log of the integral of ``exp(log_density)``, and its Monte-Carlo standard error.

    The first half of the draws sets a Gaussian, the second half and as many draws of the Gaussian are bridged. Both
    densities are made symmetric about its mean first (draws and their mirror images at once), which takes the skewness
    out of the ratio.

    Parameters
    ----------
    log_density : function
        Of points of shape (S, r); shape (S,).
    z : array, shape (S, r)
        Draws from the normalised density, in the order they were drawn.
    ess : float
        Effective number of independent draws among them.
    """
    half = z.shape[0] // 2
    mean, root = _gaussian(z[:half])
    drawn = rng.standard_normal(z[half:].shape)
    log_root = float(np.log(np.abs(np.diag(root))).sum())

    def ratio(moved: Array, white: Array) -> Array:
        target = np.logaddexp(log_density(mean + moved), log_density(mean - moved)) - math.log(2.0)
        gaussian = -0.5 * np.square(white).sum(axis=1) - log_root - 0.5 * white.shape[1] * math.log(2.0 * math.pi)
        return np.asarray(target - gaussian)

    away = z[half:] - mean
    of_posterior = ratio(away, np.linalg.solve(root, away.T).T)
    of_gaussian = ratio(drawn @ root.T, drawn)
    effective = max(ess * (1.0 - half / z.shape[0]), 1.0)
    return _optimal_bridge(of_posterior, of_gaussian, effective)


def _gaussian(z: Array) -> tuple[Array, Array]:
    """Mean and lower root of the covariance; that of the whitening, the unit matrix, if draws are too few for it."""
    mean = z.mean(axis=0)
    if z.shape[0] < 10 * z.shape[1]:
        return mean, np.eye(z.shape[1])
    return mean, np.linalg.cholesky(np.atleast_2d(np.cov(z.T)))


def _optimal_bridge(of_posterior: Array, of_gaussian: Array, effective: float) -> tuple[float, float]:
    """Iterate to the optimal bridge; its relative mean squared error is that of Fruehwirth-Schnatter (2004)."""
    count = of_gaussian.size
    s1, s2 = effective / (effective + count), count / (effective + count)
    log_r = float(np.median(of_gaussian))
    for _ in range(_MOST_STEPS):
        top = logsumexp(of_gaussian - np.logaddexp(math.log(s1) + of_gaussian, math.log(s2) + log_r)) - math.log(count)
        below = -np.logaddexp(math.log(s1) + of_posterior, math.log(s2) + log_r)
        new = float(top - (logsumexp(below) - math.log(of_posterior.size)))
        if abs(new - log_r) < 1e-10:
            break
        log_r = new
    first = 1.0 / (s1 + s2 * np.exp(np.clip(log_r - of_gaussian, -700.0, 700.0)))
    second = 1.0 / (s1 * np.exp(np.clip(of_posterior - log_r, -700.0, 700.0)) + s2)
    error = np.var(first) / np.mean(first) ** 2 / count + np.var(second) / np.mean(second) ** 2 / effective
    return log_r, math.sqrt(float(error))
