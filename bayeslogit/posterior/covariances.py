"""Covariances of the coefficients under their four names: posterior, frequentist, robust, likelihood."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError, FitError, FitWarning
from bayeslogit.logistic import log_odds_terms, squared_residuals
from bayeslogit.mode import Mode
from bayeslogit.posterior.laplace import LaplacePosterior
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.sources.memory import Block
from bayeslogit.steps import cholesky_factor
from bayeslogit.target import Coordinates, LogPosterior, PriorTarget

Array = NDArray[np.float64]
KINDS = ("posterior", "frequentist", "robust", "likelihood")


def check_kind(kind: str) -> None:
    """Refuse a covariance that has no single meaning, naming the ones that do."""
    if kind == "sandwich":
        raise ArgumentError(
            "kind='sandwich' could mean two things: 'frequentist', (H+L)^-1 H (H+L)^-1, or 'robust', "
            "(H+L)^-1 (sum w r^2 x x') (H+L)^-1. Name one of them."
        )
    if kind not in KINDS:
        raise ArgumentError(f"kind={kind!r}: a covariance is one of {', '.join(map(repr, KINDS))}.")


def coefficient_covariance(
    kind: str,
    mode: Mode,
    posterior: LaplacePosterior,
    prior: ResolvedPrior,
    picked: Sequence[int],
    *,
    design: Callable[[], Design],
    groups: ArrayLike | None = None,
) -> Array:
    """Covariance of that name of the coefficients picked, shape (len(picked), len(picked)).

    Parameters
    ----------
    design : function
        Gives the data; called for "robust" alone.
    groups : array_like, shape (n,), optional
        Cluster of each row, for "robust".
    """
    check_kind(kind)
    if kind == "posterior":
        return posterior.covariance(picked)
    if kind == "robust":
        data = design()
        target = LogPosterior(data, prior)
        meat = (
            scatter(target, posterior)
            if groups is None
            else cluster_scatter(target, posterior, data.group_codes(groups))
        )
        return sampling_covariance(posterior, meat, picked)
    if mode.information is None:
        raise FitError("This fit formed no information matrix: fit again without covariance='none'.")
    likelihood = mode.information - prior_information(mode, prior)
    if kind == "frequentist":
        return sampling_covariance(posterior, likelihood, picked)
    warnings.warn(
        "kind='likelihood' leaves the prior out: it is not the covariance of this fit's estimates.",
        FitWarning,
        stacklevel=4,
    )
    if mode.subspace is not None:  # more columns than rows: the data alone identify nothing
        return np.full((len(picked), len(picked)), np.nan)
    return likelihood_covariance(likelihood, mode.coordinates)[np.ix_(picked, picked)]


def prior_information(mode: Mode, prior: ResolvedPrior) -> Array:
    """Of the prior at the mode, in the coordinates of the factor."""
    if mode.subspace is not None:
        return mode.subspace.prior_information
    return PriorTarget(prior, mode.coordinates).information(mode.coordinates.gamma(mode.beta))


def sampling_covariance(posterior: LaplacePosterior, meat: Array, picked: Sequence[int]) -> Array:
    """``(H+L)^-1 M (H+L)^-1`` of the coefficients picked, for a meat M in the coordinates of the factor.

    The meat is a sum over rows, so across the subspace of a wide design it is zero.
    """
    if posterior.factor is None:
        return np.full((len(picked), len(picked)), np.nan)
    V = posterior.factor.inverse
    if posterior.subspace is None:
        return posterior.coordinates.covariance(V @ meat @ V)[np.ix_(picked, picked)]
    half = posterior.project(posterior.functions(picked)) @ V
    result: Array = half @ meat @ half.T
    return result


def _projected_scatter(block: Block, gamma: Array, center: Array | None, posterior: LaplacePosterior) -> Array:
    X = block.X.centered(center)
    weight = squared_residuals(X.predict(gamma) + block.offset, block.successes, block.failures)
    rows = posterior.project(X.toarray())
    return rows.T @ (weight[:, None] * rows)


def scatter(target: LogPosterior, posterior: LaplacePosterior) -> Array:
    """``sum w r^2 x x'`` at the mode, in the coordinates of the factor."""
    gamma, center = posterior.coordinates.gamma(posterior.mean), posterior.coordinates.center
    if posterior.subspace is None:
        return target.scatter(gamma)
    return target.design.reduce(_projected_scatter, gamma, center, posterior)


def likelihood_covariance(information: Array, coordinates: Coordinates) -> Array:
    """``H^-1`` of the likelihood alone; NaN where the data do not identify the coefficients."""
    factor = cholesky_factor(information)
    if factor is None:
        return np.full(information.shape, np.nan)
    return coordinates.covariance(factor.inverse)


@dataclass(frozen=True)
class _GroupScores:
    """Score of each group, shape (groups, p); two of them add."""

    scores: Array

    def __add__(self, other: _GroupScores) -> _GroupScores:
        return _GroupScores(self.scores + other.scores)


def _group_scores(block: Block, posterior: LaplacePosterior, codes: NDArray[np.int64], n_groups: int) -> _GroupScores:
    gamma, center = posterior.coordinates.gamma(posterior.mean), posterior.coordinates.center
    X = block.X.centered(center)
    residual = log_odds_terms(X.predict(gamma) + block.offset, block.successes, block.failures).residual
    rows = posterior.project(X.toarray())
    scores = np.zeros((n_groups, rows.shape[1]))
    np.add.at(scores, codes[block.start : block.start + residual.size], residual[:, None] * rows)
    return _GroupScores(scores)


def cluster_scatter(target: LogPosterior, posterior: LaplacePosterior, groups: NDArray[np.int64]) -> Array:
    """``sum_g s_g s_g'`` with s_g the score of group g, in the coordinates of the factor: a clustered meat."""
    n_groups = int(groups.max()) + 1
    scores = target.design.reduce(_group_scores, posterior, groups, n_groups).scores
    return scores.T @ scores
