"""The Gaussian nearest to the posterior in Kullback-Leibler divergence, by exact one-dimensional quadrature.

``KL(Normal(m, V) || posterior)`` needs the likelihood only through the mean and variance of each row's log-odds
(Challis and Barber 2013). At the optimum the expected score is zero and V^-1 is the expected information; the fixed
point is damped by a line search on the evidence lower bound (ELBO), without which it can diverge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeslogit.errors import FitError
from bayeslogit.expansion import Expansion
from bayeslogit.mode import Mode
from bayeslogit.posterior.expected_prior import kink_curves
from bayeslogit.posterior.ground import Ground
from bayeslogit.steps import cholesky_factor

Array = NDArray[np.float64]
_LOG_2PI = math.log(2.0 * math.pi)
_MOST_STEPS = 300
_SHORTEST = 2.0**-30
# Range of a first try of a step, in full steps of the fixed point.
_SHORT, _LONG = 0.25, 1.5
# Of the derivative of a marginal precision less its fixed point, which is at least a half without rounding.
_LEAST_BEND = 0.25
# Loss of the ELBO, relative to its size, that is rounding and not a step too far.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian in core coordinates.

    Attributes
    ----------
    mean : array, shape (k,)
    root : array, shape (k, k)
        Upper triangular, the covariance is ``root root'``.
    """

    mean: Array
    root: Array

    @classmethod
    def of_precision(cls, mean: Array, precision: Array) -> Gaussian | None:
        """None if the matrix is not positive definite to working precision."""
        factor = cholesky_factor(precision)
        return None if factor is None else cls(mean, factor.unwhiten(np.eye(mean.size)))

    @property
    def precision(self) -> Array:
        """The inverse of the covariance, shape (k, k)."""
        half = np.linalg.inv(self.root)
        result: Array = half.T @ half
        return result

    @property
    def log_determinant(self) -> float:
        """Of the root."""
        return float(np.log(np.abs(np.diag(self.root))).sum())

    @property
    def entropy(self) -> float:
        return self.log_determinant + 0.5 * self.mean.size * (1.0 + _LOG_2PI)


@dataclass(frozen=True)
class VariationalFit:
    """Where the search for the nearest Gaussian ended.

    Attributes
    ----------
    gaussian : Gaussian
    elbo : float
        Evidence lower bound, nats.
    decrement : float
        Length of the last full step of the mean, in sds of the Gaussian.
    bend : float
        Frobenius norm of what the expected information differs from the precision, in units of the precision.
    steps : int
        Passes over the rows.
    converged : bool
    """

    gaussian: Gaussian
    elbo: float
    decrement: float
    bend: float
    steps: int
    converged: bool


def fit_gaussian(ground: Ground, mode: Mode, *, tol: float = 1e-6, near: Gaussian | None = None) -> VariationalFit:
    """The nearest Gaussian, from the one at the mode or another one that is near.

    Parameters
    ----------
    tol : float
        Largest accepted step of the mean, in sds; the precision is held to ten times that, relative.
    near : Gaussian, optional
        In the same coordinates, such as that under a neighbouring prior.

    Raises
    ------
    FitError
        If there is no finite mode, or a prior has no expectation under a Gaussian here.
    """
    theta, information = ground.start(mode) if near is None else (near.mean, near.precision)
    now = Gaussian.of_precision(theta, information)
    assert now is not None  # `start` has seen to it
    precision = information
    state = ground.expected(now.mean, now.root)
    elbo, steps = state.log_density + now.entropy, 1
    decrement, bend = _distance(now, state)
    stride = 1.0
    while (decrement > tol or bend > 10.0 * tol) and steps < _MOST_STEPS:
        found = None
        joint = _joint(ground, now, precision, state)
        length = stride if joint is None else 1.0
        while found is None and length > _SHORTEST and steps < _MOST_STEPS:
            mixed = (1.0 - length) * precision + length * state.information
            if joint is not None:
                mixed[np.diag_indices(mixed.shape[0])] += length * joint.more
            there = Gaussian.of_precision(now.mean, mixed)
            if there is not None:
                moved = there.root @ (there.root.T @ state.score) if joint is None else joint.moved
                there = Gaussian(now.mean + length * moved, there.root)
                trial = ground.expected(there.mean, there.root)
                steps += 1
                value = trial.log_density + there.entropy
                if value >= elbo - _ROUNDING * abs(elbo):
                    found = there, mixed, trial, value
            length *= 0.5
        if found is None:
            break
        stride = _stride(2.0 * length, state.information - precision, found[2].information - found[1], precision)
        now, precision, state, elbo = found
        decrement, bend = _distance(now, state)
    return VariationalFit(now, elbo, decrement, bend, steps, decrement <= tol and bend <= 10.0 * tol)


class _Joint(NamedTuple):
    """Newton's step of the mean, and what it adds to the step of the precision's diagonal; each shape (k,)."""

    moved: Array
    more: Array


def _joint(ground: Ground, now: Gaussian, precision: Array, state: Expansion) -> _Joint | None:
    """Newton's step for means and marginal precisions together, where kinks couple them; None where none do.

    By the fixed point each waits for the other, and coordinates a sd or two from their kinks zigzag or creep. For the
    variance v of a coordinate, with kink information q, the change of its precision P is taken as ``dv = -v^2 dP``.
    """
    curves = kink_curves(ground.target.prior_target, now.mean, now.root)
    if curves is None:
        return None
    in_mean, in_variance = curves
    v = np.square(now.root).sum(axis=1)
    off = np.diag(state.information) - np.diag(precision)
    # d score / d v is half the second derivative of the score in the mean, -in_mean / 2.
    gain = 1.0 / np.maximum(1.0 + np.square(v) * in_variance, _LEAST_BEND)
    half = 0.5 * in_mean * np.square(v) * gain
    inner = state.information - np.diag(half * in_mean)
    factor = cholesky_factor(inner)
    if factor is None:
        return None
    moved = factor.solve(state.score + half * off)
    return _Joint(moved, gain * (off + in_mean * moved) - off)


def _stride(length: float, before: Array, after: Array, unit: Array) -> float:
    """The step that would have ended the search along the slowest direction, if errors shrink by a constant factor."""
    scale = np.diag(unit)
    old = before / np.sqrt(np.outer(scale, scale))
    shrunk = float(np.sum(old * after / np.sqrt(np.outer(scale, scale))) / max(float(np.sum(old * old)), 1e-300))
    return min(max(length / max(1.0 - shrunk, 1e-3), _SHORT), _LONG)


def _distance(now: Gaussian, state: Expansion) -> tuple[float, float]:
    """From the fixed point: of the mean in sds, of the precision relative to itself."""
    step = now.root.T @ state.score
    off = now.root.T @ state.information @ now.root - np.eye(step.size)
    return math.sqrt(float(step @ step)), float(np.linalg.norm(off))


def checked(fit: VariationalFit) -> VariationalFit:
    """The fit, if its search came to an end.

    Raises
    ------
    FitError
        If it did not.
    """
    if not fit.converged:
        raise FitError(
            f"The nearest Gaussian was not found: after {fit.steps} passes the mean still moves by "
            f"{fit.decrement:.1e} sd and the precision by {fit.bend:.1e}. Use method='laplace' or 'nuts'."
        )
    return fit


def near_gaussian(ground: Ground, mode: Mode, *, tol: float) -> VariationalFit:
    """A Gaussian to draw from: the nearest one, as far as its search came, or under Jeffreys' prior that at the mode.

    Raises
    ------
    FitError
        If there is no finite mode, or nothing bounds some direction.
    """
    if ground.target.prior.whole != "jeffreys":
        return fit_gaussian(ground, mode, tol=tol)
    theta, information = ground.start(mode)
    there = Gaussian.of_precision(theta, ground.target.expand(theta).information)
    found = Gaussian.of_precision(theta, information) if there is None else there
    assert found is not None  # `start` has seen to it
    return VariationalFit(found, math.nan, math.nan, math.nan, 2, True)
