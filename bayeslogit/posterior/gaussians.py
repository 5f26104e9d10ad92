"""The rungs that are one Gaussian: at the mode (Laplace), and the nearest one (variational)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from bayeslogit.errors import FitError
from bayeslogit.logistic import variance_derivatives
from bayeslogit.mode import Mode
from bayeslogit.posterior.certificate import checks_of
from bayeslogit.posterior.expected_prior import expected_prior
from bayeslogit.posterior.ground import Ground
from bayeslogit.posterior.laplace import LaplacePosterior
from bayeslogit.posterior.rung import Estimator, Moments, Rung
from bayeslogit.posterior.variational import Gaussian, checked, fit_gaussian
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
Rng = int | np.random.Generator
_COLUMNS_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class GaussianEstimator(Estimator):
    """Of a Gaussian: every number of a linear function is exact, and nothing has a Monte-Carlo error.

    Attributes
    ----------
    known : callable
        Mean and sd of linear functions, rows of shape (m, p); of all columns for None.
    draws : array, shape (S, p)
    """

    known: Callable[[Array | None], tuple[Array, Array]]
    draws: Array

    def points(self) -> Array:
        return self.draws

    def log_weights(self) -> Array:
        return np.full(self.draws.shape[0], -math.log(self.draws.shape[0]))

    def moments(self, rows: Array | None = None) -> Moments:
        mean, sd = self.known(rows)
        return Moments(mean, sd, np.zeros_like(mean), np.zeros_like(mean))

    def quantiles(self, probs: Array, rows: Array | None = None) -> tuple[Array, Array]:
        mean, sd = self.known(rows)
        values = mean + ndtri(probs)[:, None] * sd
        return values, np.zeros_like(values)

    def expect(self, function: Callable[[Array], Array]) -> tuple[Array, Array]:
        return self.average(np.asarray(function(self.draws), dtype=np.float64))

    def average(self, values: Array) -> tuple[Array, Array]:
        count = values.shape[0]
        if count < 2:
            return values.mean(axis=0), np.full(values.shape[1:], np.nan)
        return values.mean(axis=0), values.std(axis=0, ddof=1) / math.sqrt(count)

    def distribution(self, columns: Sequence[int], at: Array) -> tuple[Array, Array]:
        mean, sd = (each[list(columns)] for each in self._columns)
        return ndtr((at - mean) / sd), np.zeros(at.size)

    @cached_property
    def _columns(self) -> tuple[Array, Array]:
        return self.known(None)


def sample_laplace(target: LogPosterior, mode: Mode, draws: int = 4000, rng: Rng = 0) -> Rung:
    """The Gaussian at the mode; never certified.

    Raises
    ------
    FitError
        If the mode has no finite covariance.
    """
    began = time.perf_counter()
    posterior = LaplacePosterior.at(mode)
    values = posterior.sample(draws, rng)

    def known(rows: Array | None) -> tuple[Array, Array]:
        if rows is None:
            return posterior.mean, posterior.sd
        return rows @ posterior.mean, np.sqrt(posterior.variances(posterior.coordinates.functions(rows)))

    k = mode.beta.size
    evidence = mode.log_density + 0.5 * k * math.log(2.0 * math.pi) - 0.5 * posterior.log_determinant
    reasons = ["the mean is the mode and the sd that of the curvature there: nothing bounds their error"]
    notes = []
    if target.prior.whole:
        evidence = math.nan
    elif target.kinks:
        evidence = math.nan
        notes.append("No log evidence: at the kink of a prior there is no curvature to integrate.")
        reasons.append("coefficients at the kink of their prior are held there: draws are given the zero set")
    estimator = GaussianEstimator(known, values)
    return _rung("laplace", target.design.columns, estimator, evidence, math.nan, (began, 0), reasons, notes)


def sample_variational(target: LogPosterior, mode: Mode, draws: int = 4000, rng: Rng = 0, *, tol: float = 1e-6) -> Rung:
    """The Gaussian nearest to the posterior; never certified. Its ELBO is a lower bound of the log evidence.

    Parameters
    ----------
    tol : float
        Largest accepted step of the mean, in sds.

    Raises
    ------
    FitError
        If there is no finite mode, the prior is Jeffreys', or the search does not end.
    """
    began = time.perf_counter()
    ground = Ground.of(target)
    fit = checked(fit_gaussian(ground, mode, tol=tol))
    gaussian, rng = fit.gaussian, np.random.default_rng(rng)
    z = rng.standard_normal((gaussian.mean.size, draws))
    values = ground.lift(gaussian.mean + (gaussian.root @ z).T, rng)

    def known(rows: Array | None) -> tuple[Array, Array]:
        count = len(ground.columns) if rows is None else rows.shape[0]
        means, sds = [np.zeros(0)], [np.zeros(0)]
        for lower in range(0, count, _COLUMNS_AT_ONCE):
            part = slice(lower, min(lower + _COLUMNS_AT_ONCE, count))
            linear = ground.column(part) if rows is None else ground.linear(rows[part])
            means.append(linear.core @ gaussian.mean + linear.constant)
            sds.append(np.sqrt(np.square(linear.core @ gaussian.root).sum(axis=1) + np.square(linear.across)))
        return np.concatenate(means), np.concatenate(sds)

    evidence = math.nan if target.prior.whole else fit.elbo
    reasons = ["a Gaussian is not the posterior: how far off its numbers are is not known on this rung"]
    notes = ["The log evidence is a lower bound (ELBO)."]
    estimator = GaussianEstimator(known, values)
    return _rung("variational", ground.columns, estimator, evidence, evidence, (began, fit.steps), reasons, notes)


def one_step_mean(target: LogPosterior, mode: Mode) -> Array:
    """The mode moved to the posterior mean, to leading order; shape (p,), in the user's columns.

    ``mode + V sum_i l'''_i q_i x_i / 2`` with V the inverse information, q_i the variance of row i's log-odds and
    ``l''' = -w (1 - 2 s)`` the third derivative of the log likelihood; terms of the prior other than normal ones add
    the shift of their expected score. The mode of a likelihood is off its mean by 0.1 to 0.8 sd in ordinary data.

    Raises
    ------
    FitError
        If there is no finite mode, or a coefficient sits at the kink of its prior.
    """
    if target.kinks or target.prior.whole == "jeffreys":
        raise FitError("The one-step mean needs a smooth prior on coefficients; use the variational rung.")
    ground = Ground.of(target)
    theta, _ = ground.start(mode)
    prior = ground.target.prior_target
    here = Gaussian.of_precision(theta, ground.target.likelihood(theta).information + prior.information(theta))
    if here is None:
        raise FitError("The information at the mode is not positive definite: there is no Gaussian to step from.")
    pull = expected_prior(prior, theta, here.root).score - prior.slope(theta).score
    for chunk in ground.chunks():
        count = 1.0 if chunk.failures is None else chunk.successes + chunk.failures
        _, slope, _ = variance_derivatives(chunk.X @ theta + chunk.offset)
        pull -= 0.5 * (count * slope * np.square(chunk.X @ here.root).sum(axis=1)) @ chunk.X
    return ground.user(theta + here.root @ (here.root.T @ pull))


def _rung(
    method: str,
    columns: tuple[str, ...],
    estimator: GaussianEstimator,
    log_evidence: float,
    elbo: float,
    work: tuple[float, int],
    reasons: list[str],
    notes: list[str],
) -> Rung:
    moments, checks = checks_of(columns, estimator)
    began, passes = work
    return Rung(
        method=method,
        columns=columns,
        mean=moments.mean,
        sd=moments.sd,
        mean_mcse=moments.mean_mcse,
        sd_mcse=moments.sd_mcse,
        values=estimator.draws,
        checks=checks,
        khat=math.nan,
        ess=float(estimator.draws.shape[0]),
        log_evidence=log_evidence,
        log_evidence_se=0.0 if not math.isnan(log_evidence) else math.nan,
        n_pairs=0,
        n_evaluations=passes,
        elbo=elbo,
        seconds=time.perf_counter() - began,
        level="approximate",
        reasons=tuple(reasons),
        notes=tuple(notes),
        estimator=estimator,
    )
