"""The Gaussian approximation at the mode: mean = mode, precision = information there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bayeslogit.errors import ArgumentError, FitError
from bayeslogit.logistic import log_odds_terms
from bayeslogit.solve import Mode
from bayeslogit.sources.matrix import Rows
from bayeslogit.sources.memory import Block
from bayeslogit.steps import Factor, cholesky_factor
from bayeslogit.target import Coordinates, LogPosterior

Array = NDArray[np.float64]
_ROWS_AT_ONCE = 2048

KINDS = ("posterior", "frequentist", "robust", "likelihood")


@dataclass(frozen=True)
class LaplacePosterior:
    """A Gaussian with mean at the mode; sds are NaN when the fit has no finite covariance.

    Attributes
    ----------
    mean : array, shape (p,)
        The mode, in the user's columns.
    factor : Factor or None
        Of the precision, in working coordinates.
    coordinates : Coordinates
    """

    mean: Array
    factor: Factor | None
    coordinates: Coordinates

    @classmethod
    def at(cls, mode: Mode) -> LaplacePosterior:
        return cls(mode.beta, mode.factor if mode.converged else None, mode.coordinates)

    @cached_property
    def sd(self) -> Array:
        """Root of the diagonal of the covariance, shape (p,); the whole matrix is never formed."""
        if self.factor is None:
            return np.full(self.mean.size, np.nan)
        return np.sqrt(np.concatenate([self.factor.variances(rows) for rows in self._unit_rows()]))

    def _unit_rows(self) -> Iterator[Array]:
        p = self.mean.size
        for lower in range(0, p, _ROWS_AT_ONCE):
            size = min(_ROWS_AT_ONCE, p - lower)
            rows = np.zeros((size, p))
            rows[np.arange(size), lower + np.arange(size)] = 1.0
            yield self.coordinates.functions(rows)

    def covariance(self) -> Array:
        """Covariance of the coefficients, shape (p, p)."""
        if self.factor is None:
            return np.full((self.mean.size, self.mean.size), np.nan)
        return self.coordinates.covariance(self.factor.inverse)

    def quantile(self, probability: float) -> Array:
        """Of each coefficient, shape (p,)."""
        return self.mean + float(ndtri(probability)) * self.sd

    def sample(self, draws: int, rng: int | np.random.Generator) -> Array:
        """Independent draws, shape (draws, p)."""
        if self.factor is None:
            raise FitError("This fit has no finite covariance, so there is nothing to draw from.")
        z = np.random.default_rng(rng).standard_normal((self.mean.size, draws))
        moved = self.factor.unwhiten(z)
        gamma = self.coordinates.gamma(self.mean)[:, None] + moved
        if self.coordinates.center is not None:
            gamma[0] -= self.coordinates.center @ gamma[1:]
        return gamma.T

    def linear_predictor(self, rows: Rows, offset: Array) -> tuple[Array, Array]:
        """Mean and sd of the log-odds of new rows, each shape (n,)."""
        centered = rows.centered(self.coordinates.center)
        mean = centered.predict(self.coordinates.gamma(self.mean)) + offset
        sd = np.full(mean.size, np.nan)
        if self.factor is not None:
            for lower in range(0, mean.size, _ROWS_AT_ONCE):
                part = slice(lower, lower + _ROWS_AT_ONCE)
                sd[part] = np.sqrt(self.factor.variances(centered.take(part).toarray()))
        return mean, sd


def check_kind(kind: str) -> None:
    """Refuse a covariance that has no single meaning, naming the ones that do."""
    if kind == "sandwich":
        raise ArgumentError(
            "kind='sandwich' could mean two things: 'frequentist', (H+L)^-1 H (H+L)^-1, or 'robust', "
            "(H+L)^-1 (sum w r^2 x x') (H+L)^-1. Name one of them."
        )
    if kind not in KINDS:
        raise ArgumentError(f"kind={kind!r}: a covariance is one of {', '.join(map(repr, KINDS))}.")


def sampling_covariance(posterior: LaplacePosterior, meat: Array) -> Array:
    """``(H+L)^-1 M (H+L)^-1`` for a meat M in working coordinates, as a covariance of beta."""
    if posterior.factor is None:
        return np.full((posterior.mean.size, posterior.mean.size), np.nan)
    V = posterior.factor.inverse
    return posterior.coordinates.covariance(V @ meat @ V)


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


def _group_scores(
    block: Block, gamma: Array, center: Array | None, codes: NDArray[np.int64], n_groups: int
) -> _GroupScores:
    X = block.X.centered(center)
    residual = log_odds_terms(X.predict(gamma) + block.offset, block.successes, block.failures).residual
    scores = np.zeros((n_groups, X.shape[1]))
    np.add.at(scores, codes[block.start : block.start + residual.size], residual[:, None] * X.toarray())
    return _GroupScores(scores)


def cluster_scatter(target: LogPosterior, gamma: Array, groups: NDArray[np.int64]) -> Array:
    """``sum_g s_g s_g'`` with s_g the score of group g: the meat of a clustered covariance, shape (p, p)."""
    n_groups = int(groups.max()) + 1
    scores = target.design.reduce(_group_scores, gamma, target.coordinates.center, groups, n_groups).scores
    return scores.T @ scores
