"""All folds of a cross-validation along an axis of scales, abreast: they share rows and differ in counts.

At each scale every fold starts from where its last modes point, and goes on by chords with the information of an
earlier scale: Newton's step, or with kinks the maximum of the quadratic less the kinks. A fold whose chords fail is
searched for alone. The modes are those of separate fits, to the tolerance of a fit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.abreast import Abreast, lengths, products, search_abreast, weighted
from bayeslogit.criteria_folds import Fold, FoldScores
from bayeslogit.design import Design
from bayeslogit.errors import FitError
from bayeslogit.families import Prior
from bayeslogit.kernels import kernel
from bayeslogit.logistic import expit, log_likelihoods, variance
from bayeslogit.mode import Mode
from bayeslogit.multiples import Base
from bayeslogit.prior_target import Kinks, PriorTarget
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.separable import serves as separable
from bayeslogit.solve import find_mode
from bayeslogit.sources.memory import MemorySource
from bayeslogit.steps import Factor, cholesky_factor
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
# Newton decrement at which a fold has arrived, posterior sds: that of a fit.
_ENOUGH = 1e-6
# Numbers of the rows, and of their log-odds in all folds, up to which they are held.
_HELD = 1 << 24
# Steps at one scale beyond which the informations are worked out anew.
_SLOW = 3
# Sweeps of a coordinate descent, its tolerance in sds, and numbers from which on loading a compiler is worth it.
_SWEEPS, _FINE, _WORTH_COMPILING = 500, 0.01 * _ENOUGH, 1 << 16


def serves(design: Design, prior: ResolvedPrior) -> bool:
    """Whether the folds of this model go abreast: log-concave, kinks of coordinates, rows that fit and more of them."""
    source = design.source
    if not isinstance(source, MemorySource) or prior.whole or design.condensed is not design:
        return False
    target = LogPosterior(design, prior)
    n, p = source.n_rows, len(design.columns)
    # Coordinate descent crawls where columns are not centred, beside the kink of an intercept.
    centred = target.coordinates.center is not None or not design.has_intercept
    steps = separable(target) and centred if target.kinks else target.concave
    return steps and p < n and n * p <= _HELD and 4 * n * p >= source.X.stored


@dataclass
class FoldsAbreast:
    """The folds of one design; ``at`` goes from one scale to the next.

    Attributes
    ----------
    folds : sequence of Fold
    priors, bases : list
        Resolved against the training rows of each fold.
    X : array, shape (n, p)
        Rows in working coordinates.
    """

    design: Design
    folds: Sequence[Fold]
    priors: list[ResolvedPrior]
    bases: list[Base]

    @classmethod
    def of(cls, design: Design, folds: Sequence[Fold], prior: Prior, kind: str | None) -> FoldsAbreast:
        priors = [prior.resolve(fold.train) for fold in folds]
        return cls(design, folds, priors, [Base.of(f.train, p, kind) for f, p in zip(folds, priors, strict=True)])

    def __post_init__(self) -> None:
        design = self.design
        whole = LogPosterior(design, self.priors[0])
        self.coordinates, self.kinked = whole.coordinates, bool(whole.kinks)
        blocks = list(design.centered(self.coordinates.center).source.blocks())
        self.X: Array = np.concatenate([block.X.toarray() for block in blocks])
        self.offset: Array = np.concatenate([block.offset for block in blocks])
        self.successes: Array = np.concatenate([block.successes for block in blocks])
        self.failures: Array = np.concatenate([block.failures for block in blocks])
        self.inside = np.stack([self.successes - fold.successes for fold in self.folds], axis=1)
        self.count = self.inside + np.stack([self.failures - fold.failures for fold in self.folds], axis=1)
        self.held = [np.flatnonzero(fold.successes + fold.failures > 0.0) for fold in self.folds]
        self.informations: list[Array] = []
        self.past: list[tuple[float, Array]] = []
        self.stale = True

    def along(self, scales: Array) -> Iterator[list[tuple[FoldScores, FoldScores]]]:
        """Of every fold at each scale, ascending: how it predicts what was held out, and what it was made of.

        Raises
        ------
        FitError
            If some fold has no mode.
        """
        for scale in scales:
            eta = self._modes(float(scale))
            yield self._scores(eta)

    def _modes(self, scale: float) -> Array:
        resolved = [base.multiple(prior, scale) for base, prior in zip(self.bases, self.priors, strict=True)]
        targets = [LogPosterior(self.design, prior, self.coordinates) for prior in resolved]
        priors = [target.prior_target for target in targets]
        kinks = [target.kinks for target in targets] if self.kinked else []
        start = self._start(scale, kinks)
        if self.stale:
            self._renew(start)
        found = self._search(priors, kinks, start)
        if not found.arrived.all() and np.isfinite(found.eta).all():
            self._renew(found.gammas)
            found = self._search(priors, kinks, found.gammas)
        for k in np.flatnonzero(~found.arrived):
            mode = self._alone(int(k), scale, start[:, k])
            found.gammas[:, k] = self.coordinates.gamma(mode.beta)
            found.eta[:, k] = self.X @ found.gammas[:, k] + self.offset
        self.stale = found.steps > _SLOW or not found.arrived.all()
        self.past = [*self.past[-2:], (math.log(scale), found.gammas)]
        return found.eta

    def _start(self, scale: float, kinks: Sequence[Kinks]) -> Array:
        """Where the last modes point: the polynomial in the logarithm of the scale through up to three of them.

        With kinks a coefficient that was at its own stays there.
        """
        if not self.past:
            target = LogPosterior.of(self.design, self.bases[0].multiple(self.priors[0], scale))
            mode = find_mode(target, covariance=False)
            gamma = self.coordinates.gamma(mode.beta) if mode.converged else np.zeros(self.X.shape[1])
            return np.repeat(gamma[:, None], len(self.folds), axis=1)
        at, result = math.log(scale), np.zeros_like(self.past[-1][1])
        for i, (x, gammas) in enumerate(self.past):
            others = [other for j, (other, _) in enumerate(self.past) if j != i]
            result += math.prod((at - other) / (x - other) for other in others) * gammas
        for k, own in enumerate(kinks):
            held = (self.past[-1][1][:, k] == own.center) & (own.rate > 0.0)
            result[held, k] = own.center[held]
        return result

    def _renew(self, gammas: Array) -> None:
        """The information of every fold's likelihood, with the weights where their modes have their mean.

        The modes of the folds are near one another: rows are then multiplied twice, not once a fold.
        """
        spread = variance(products(self.X, gammas.mean(axis=1)[:, None])[:, 0] + self.offset)
        whole = weighted(self.X, (self.successes + self.failures) * spread)
        self.informations = [
            whole - weighted(self.X[rows], (fold.successes + fold.failures)[rows] * spread[rows])
            for fold, rows in zip(self.folds, self.held, strict=True)
        ]
        self.stale = False

    def _search(self, priors: Sequence[PriorTarget], kinks: Sequence[Kinks], start: Array) -> Abreast:
        informations = [
            own + prior.smooth_information(start[:, k])
            for k, (own, prior) in enumerate(zip(self.informations, priors, strict=True))
        ]
        factors = [] if kinks else [cholesky_factor(each) for each in informations]
        descend = kernel("descend", self.X.size >= _WORTH_COMPILING)

        def residuals(eta: Array, picked: NDArray[np.intp]) -> Array:
            whole = picked.size == len(priors)
            inside, count = (self.inside, self.count) if whole else (self.inside[:, picked], self.count[:, picked])
            chance = expit(eta)
            np.multiply(chance, count, out=chance)
            return np.subtract(inside, chance, out=chance)

        def prior_scores(gammas: Array, picked: NDArray[np.intp]) -> Array:
            return np.stack([priors[k].slope(gammas[:, j]).score for j, k in enumerate(picked)], axis=1)

        def solve(gammas: Array, scores: Array, picked: NDArray[np.intp]) -> tuple[Array, Array]:
            step = np.empty_like(scores)
            if not kinks:
                for j, k in enumerate(picked):
                    step[:, j] = _solved(factors[k], scores[:, j])
                return step, lengths(step, scores)
            expected = np.empty_like(scores)
            for j, k in enumerate(picked):
                here, H, own = gammas[:, j].copy(), informations[k], kinks[k]
                step[:, j] = descend(H, scores[:, j].copy(), here, own.center, own.rate, _FINE, _SWEEPS) - here
                expected[:, j] = H @ step[:, j]
            return step, lengths(step, expected)

        return search_abreast(self.X, self.offset, residuals, prior_scores, solve, start, enough=_ENOUGH)

    def _alone(self, k: int, scale: float, start: Array) -> Mode:
        target = LogPosterior.of(self.folds[k].train, self.bases[k].multiple(self.priors[k], scale))
        mode = find_mode(target, start=self.coordinates.beta(start) if np.isfinite(start).all() else None)
        if not mode.converged:
            raise FitError(f"At scale {scale:.3g} there is no mode. {mode.message}")
        return mode

    def _scores(self, eta: Array) -> list[tuple[FoldScores, FoldScores]]:
        whole = np.concatenate(
            [log_likelihoods(eta[:, k : k + 1].copy(), self.successes, self.failures) for k in range(eta.shape[1])]
        )
        result = []
        for k, (fold, rows) in enumerate(zip(self.folds, self.held, strict=True)):
            held = FoldScores.at(eta[rows, k], fold.successes[rows], fold.failures[rows])
            result.append((held, held.rest_of(float(whole[k]), float(self.count[:, k].sum()))))
        return result


def _solved(factor: Factor | None, score: Array) -> Array:
    return np.full_like(score, np.nan) if factor is None else factor.solve(score)
