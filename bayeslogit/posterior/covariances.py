"""Covariances of the coefficients under their four names: posterior, frequentist, robust, likelihood.

With V the posterior covariance, a sandwich ``V M V`` is worked out from ``U = V A'``, solved with the factor, as
``U'M U``. Where rounding of M could be seen in it (M is small beside the prior, or columns are nearly collinear), it is
the sum over rows of ``w (x'U)' (x'U)``, which needs the data; without them such numbers are NaN.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError, FitError, FitWarning
from bayeslogit.logistic import log_odds_terms, squared_residuals, variance
from bayeslogit.mode import Mode
from bayeslogit.posterior.laplace import LaplacePosterior
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.sources.matrix import Rows
from bayeslogit.sources.memory import Block
from bayeslogit.steps import Factor, cholesky_factor, dependencies, root_factor
from bayeslogit.target import LogPosterior, PriorTarget, Root

Array = NDArray[np.float64]
# Of each row, from its log-odds, successes and failures.
Weights = Callable[[Array, Array, Array], Array]
KINDS = ("posterior", "frequentist", "robust", "likelihood")
_EPS = float(np.finfo(np.float64).eps)
# Relative rounding of a variance above which it is worked out from the rows, and above which it is not given at all.
_SEEN = 1e-8
_LOST = 1e-4
# Up to this many columns a part of a covariance is taken out of the whole, so that its bits do not depend on the part.
_WHOLE = 5000
# The information of the data, as a share of the prior's, below which `wide` leaves a direction to the prior.
_DROPPED = 1e-14


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
        Gives the data, or raises `FitError` where there are none; only "robust" cannot do without.
    groups : array_like, shape (n,), optional
        Cluster of each row, for "robust".
    """
    check_kind(kind)
    if kind == "posterior":
        return posterior.covariance(picked)
    if kind != "robust" and mode.information is None:
        raise FitError("This fit formed no information matrix: fit again without covariance='none'.")
    data = design() if kind == "robust" else _at_hand(design)
    if kind == "likelihood" and prior.whole != "jeffreys":
        warnings.warn(
            "kind='likelihood' leaves the prior out: it is not the covariance of this fit's estimates.",
            FitWarning,
            stacklevel=4,
        )
    # With more columns than rows the data alone identify nothing.
    if posterior.factor is None or (kind == "likelihood" and mode.subspace is not None):
        return np.full((len(picked), len(picked)), np.nan)
    whole = posterior.subspace is None and posterior.mean.size <= _WHOLE
    ends = _Ends.of(posterior, posterior.functions(range(posterior.mean.size) if whole else picked))
    if kind == "likelihood":
        result = likelihood_covariance(mode, prior, ends, data)
    elif data is not None and groups is not None:
        result = clustered_covariance(ends, data, data.group_codes(groups))
    elif kind == "robust":
        assert data is not None
        meat = scatter(LogPosterior(data, replace(prior, whole="")), posterior)  # of the data, not of pseudo-data
        result = sampling_covariance(ends, meat, np.sqrt(meat.diagonal()), data, squared_residuals)
    else:
        total = mode.information
        assert total is not None
        meat = total - prior_information(mode, prior)
        result = sampling_covariance(ends, meat, np.sqrt(total.diagonal()), data, _curvature)
    return result[np.ix_(picked, picked)] if whole else result


def _at_hand(design: Callable[[], Design]) -> Design | None:
    try:
        return design()
    except FitError:
        return None


def prior_information(mode: Mode, prior: ResolvedPrior) -> Array:
    """Of the prior at the mode, in the coordinates of the factor."""
    if mode.subspace is not None:
        own = mode.subspace.prior_information
    else:
        own = PriorTarget(prior, mode.coordinates).information(mode.coordinates.gamma(mode.beta))
    return own if mode.whole is None or mode.whole.information is None else own + mode.whole.information


def _product(half: Array) -> Array:
    result: Array = half.T @ half
    return result


@dataclass(frozen=True)
class _Ends:
    """What stands on both sides of a meat.

    Attributes
    ----------
    functions : array, shape (m, p)
        Linear functions A of the working coordinates.
    solved : array, shape (k, m)
        ``U = V A'`` in the coordinates of the factor.
    outside : array, shape (m,)
        Variance of the functions across a subspace; NaN where they are held at a kink.
    """

    posterior: LaplacePosterior
    functions: Array
    solved: Array
    outside: Array

    @classmethod
    def of(cls, posterior: LaplacePosterior, functions: Array) -> _Ends:
        assert posterior.factor is not None
        solved = posterior.factor.unwhiten(posterior.factor.whiten_rows(posterior.project(functions)))
        none = np.zeros(functions.shape[0])
        subspace = posterior.subspace
        return cls(posterior, functions, solved, none if subspace is None else subspace.outside_variances(functions))

    def half(self, X: Rows) -> Array:
        """``x'V A'`` of each row x, shape (n, m)."""
        rows = X.toarray()
        result: Array = self.posterior.project(rows) @ self.solved
        if self.posterior.subspace is not None and np.any(self.outside > 0.0):
            # What the subspace leaves out of a row: nothing, or directions too short to count beside the prior.
            result += self.posterior.subspace.outside(np.vstack([rows, self.functions]))[: len(rows), len(rows) :]
        return result

    def given(self, result: Array) -> Array:
        """The covariance, without what does not exist."""
        held = np.isnan(self.outside)
        result[held], result[:, held] = np.nan, np.nan
        return result


def sampling_covariance(ends: _Ends, meat: Array, size: Array, data: Design | None, weights: Weights) -> Array:
    """``A V M V A'`` for a meat M in the coordinates of the factor.

    Parameters
    ----------
    meat : array, shape (k, k)
        With errors of some eps times ``size_i size_j``.
    data : Design, optional
        The rows, for when these errors could be seen.
    weights : function
        Those of the rows in the meat.
    """
    result: Array = ends.solved.T @ meat @ ends.solved
    # A subspace leaves out what moves no variance but those that have next to nothing else.
    rounding = 4.0 * _EPS * np.square(size @ np.abs(ends.solved)) + _DROPPED * ends.outside
    if not np.any(rounding > _SEEN * result.diagonal()):
        return ends.given(result)
    if data is not None:
        return ends.given(data.reduce(_row_products, ends, weights))
    lost = rounding > _LOST * result.diagonal()
    if np.any(lost):
        result[lost], result[:, lost] = np.nan, np.nan
        warnings.warn(
            "Some variances are NaN: a saved fit does not hold the data, and without them their digits are lost "
            "beside those of the prior. Fit again.",
            FitWarning,
            stacklevel=5,
        )
    return ends.given(result)


def _row_products(block: Block, ends: _Ends, weights: Weights) -> Array:
    weight, X = _weighted(block, ends.posterior, weights)
    return _product(np.sqrt(weight)[:, None] * ends.half(X))


def _weighted(block: Block, posterior: LaplacePosterior, weights: Weights) -> tuple[Array, Rows]:
    X = block.X.centered(posterior.coordinates.center)
    eta = X.predict(posterior.coordinates.gamma(posterior.mean)) + block.offset
    return weights(eta, block.successes, block.failures), X


def _curvature(eta: Array, successes: Array, failures: Array) -> Array:
    return (successes + failures) * variance(eta)


def _projected_scatter(block: Block, posterior: LaplacePosterior) -> Array:
    weight, X = _weighted(block, posterior, squared_residuals)
    return _product(np.sqrt(weight)[:, None] * posterior.project(X.toarray()))


def scatter(target: LogPosterior, posterior: LaplacePosterior) -> Array:
    """``sum w r^2 x x'`` at the mode, in the coordinates of the factor."""
    if posterior.subspace is None:
        return target.scatter(posterior.coordinates.gamma(posterior.mean))
    return target.design.reduce(_projected_scatter, posterior)


def likelihood_covariance(mode: Mode, prior: ResolvedPrior, ends: _Ends, data: Design | None) -> Array:
    """``A H^-1 A'`` of the likelihood; NaN where the data do not identify the coefficients, or digits are lost."""
    total = mode.information
    assert total is not None
    factor = cholesky_factor(total - prior_information(mode, prior))
    rounding = np.inf
    if factor is not None:
        shrunk = float((total.diagonal() / np.square(factor.scale)).max(initial=1.0))
        rounding = 4.0 * _EPS * total.shape[0] * shrunk / factor.smallest_pivot
    if data is not None and rounding > _SEEN:
        factor = _factor_of_rows(data, ends.posterior)
    elif rounding > _LOST:
        factor = None
    if factor is None:
        return np.full((len(ends.functions), len(ends.functions)), np.nan)
    return _product(factor.whiten_rows(ends.functions))


def _factor_of_rows(data: Design, posterior: LaplacePosterior) -> Factor | None:
    """Of the likelihood's information; None if rounding of the stored values could be all that tells columns apart."""
    root, total = data.reduce(_root, posterior).factor, data.reduce(_total, posterior)
    largest = np.maximum(np.abs(data.moments.lower), np.abs(data.moments.upper))
    if data.has_intercept:
        largest = np.concatenate([[1.0], largest])
    noise = 32.0 * _EPS * largest * math.sqrt(total * root.shape[1])
    return None if dependencies(root, noise) else root_factor(root)


def _root(block: Block, posterior: LaplacePosterior) -> Root:
    weight, X = _weighted(block, posterior, _curvature)
    return Root.of(np.sqrt(weight)[:, None] * X.toarray())


def _total(block: Block, posterior: LaplacePosterior) -> float:
    return float(_weighted(block, posterior, _curvature)[0].sum())


@dataclass(frozen=True)
class _Groups:
    """A sum over the rows of each group, shape (groups, m); two of them add."""

    sums: Array

    def __add__(self, other: _Groups) -> _Groups:
        return _Groups(self.sums + other.sums)


def _group_sums(block: Block, ends: _Ends, codes: NDArray[np.int64], n_groups: int) -> _Groups:
    residual, X = _weighted(block, ends.posterior, _residual)
    sums = np.zeros((n_groups, len(ends.functions)))
    np.add.at(sums, codes[block.start : block.start + residual.size], residual[:, None] * ends.half(X))
    return _Groups(sums)


def _residual(eta: Array, successes: Array, failures: Array) -> Array:
    return log_odds_terms(eta, successes, failures).residual


def clustered_covariance(ends: _Ends, data: Design, groups: NDArray[np.int64]) -> Array:
    """``A V M V A'`` with ``M = sum_g s_g s_g'``, s_g the score of group g at the mode."""
    return ends.given(_product(data.reduce(_group_sums, ends, groups, int(groups.max()) + 1).sums))
