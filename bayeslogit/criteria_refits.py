"""The mode without one site, exactly: chords of the full posterior less the site, or the whole search where these fail.

The log posterior without a site is the full one less the site's log likelihood, whatever the prior, so the factor of
the full information, downdated by one row, serves all steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.criteria import Sites
from bayeslogit.criteria_rows import Field
from bayeslogit.logistic import log_odds_terms
from bayeslogit.mode import Status
from bayeslogit.solve import find_mode
from bayeslogit.sources.memory import MemorySource
from bayeslogit.steps import Factor
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
_MOST_STEPS = 60
# Length of a step, posterior sds, at which chords end, and the least they have to shrink by.
_ARRIVED = 1e-9
_SHRINKS = 0.5
_SHORTEST = 1e-6
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Moved:
    """A row's log-odds at the mode without the site, and what to know about it.

    ``eta`` is minus infinity where the mode without the site is infinitely far on the other side, and NaN where
    nothing determines it.
    """

    eta: float
    flag: str


def mode_without(field: Field, sites: Sites, i: int, factor: Factor, active: NDArray[np.intp]) -> Moved:
    """Find the mode without site i; ``factor`` is that of the information of the active coordinates with it."""
    x, offset = field.row(int(sites.row[i]))
    chords = _Chords(field.ground.target, x, offset, sites.out_successes[i], sites.out_failures[i], factor, active)
    eta = chords.search(field.theta)
    return Moved(eta, "") if eta is not None else _searched(field, sites, i, x, offset)


@dataclass(frozen=True)
class _Chords:
    """Newton steps with one factor, for the log posterior less one site."""

    target: LogPosterior
    x: Array
    offset: float
    successes: float
    failures: float
    factor: Factor
    active: NDArray[np.intp]

    def at(self, gamma: Array) -> tuple[float, Array, float]:
        """Value, score (less what kinks take) and the site's own information."""
        slope = self.target.slope(gamma)
        eta, s, f = np.array([self.x @ gamma + self.offset]), np.array([self.successes]), np.array([self.failures])
        own = log_odds_terms(eta, s, f)
        score = slope.score - float(own.residual[0]) * self.x
        if self.target.kinks:
            score = self.target.kinks.violation(gamma, score)
        information = (self.successes + self.failures) * float(own.variance[0])
        return slope.log_density - float(own.log_density[0]), score, information

    def search(self, theta: Array) -> float | None:
        """The row's log-odds at the end; None if chords do not get there, or the active set is another."""
        gamma, (value, score, information) = theta.copy(), self.at(theta)
        lever = self.factor.solve(self.x[self.active])
        left = 1.0 - information * float(self.x[self.active] @ lever)
        if left < _ROUNDING**0.5:
            return None
        before = math.inf
        for _ in range(_MOST_STEPS):
            open_score = score[self.active]
            step = self.factor.solve(open_score) + information / left * lever * float(lever @ open_score)
            decrement = math.sqrt(max(float(step @ open_score), 0.0))
            if decrement <= _ARRIVED:
                return float(self.x @ gamma + self.offset) if self._same_set(theta, gamma, score) else None
            if decrement > _SHRINKS * before and before < 1.0:
                return None
            walked = self._walk(gamma, step, value)
            if walked is None:
                return None
            gamma, value, score = walked
            before = decrement
        return None

    def _walk(self, gamma: Array, step: Array, value: float) -> tuple[Array, float, Array] | None:
        length = 1.0
        while length > _SHORTEST:
            there = gamma.copy()
            there[self.active] += length * step
            found, score, _ = self.at(there)
            if found >= value - _ROUNDING * abs(value):
                return there, found, score
            length *= 0.5
        return None

    def _same_set(self, theta: Array, gamma: Array, score: Array) -> bool:
        """Whether no coefficient has crossed its kink and none at its kink wants to leave it."""
        kinks = self.target.kinks
        if not kinks:
            return True
        crossed = (kinks.rate > 0.0) & (np.sign(gamma - kinks.center) != np.sign(theta - kinks.center))
        held = np.ones(gamma.size, dtype=bool)
        held[self.active] = False
        return not np.any(crossed) and bool(np.all(score[held] == 0.0))


def _searched(field: Field, sites: Sites, i: int, x: Array, offset: float) -> Moved:
    """By the whole search, on rows from which the site is taken."""
    target = _target_without(field.plain, sites, i)
    if target is None:
        return Moved(math.nan, "could not be fitted without it")
    found = find_mode(target, start=target.coordinates.beta(field.theta), tol=1e-9, covariance=False)
    if found.converged:
        return Moved(float(x @ target.coordinates.gamma(found.beta) + offset), "")
    if found.status in (Status.NO_FINITE_MODE, Status.SINGLE_CLASS):
        # A direction along which the rest never loses has to lose here, or the full mode were not finite either.
        return Moved(-math.inf, "no finite mode without it")
    if found.status is Status.NOT_POSITIVE_DEFINITE:
        return Moved(math.nan, "columns not identified without it")
    return Moved(float(x @ target.coordinates.gamma(found.beta) + offset), "not converged without it")


def _target_without(target: LogPosterior, sites: Sites, i: int) -> LogPosterior | None:
    """The target with site i taken from its rows; None if they are not in memory, or the prior needs them all."""
    source, row = target.design.source, int(sites.row[i])
    if not isinstance(source, MemorySource) or target.prior.whole == "jeffreys":
        return None
    y, trials, weights = source.y.copy(), source.trials.copy(), source.weights.copy()
    ones = max(weights[row] * y[row] - sites.out_successes[i], 0.0)
    total = weights[row] * trials[row] - sites.out_successes[i] - sites.out_failures[i]
    y[row], trials[row], weights[row] = (ones, total, 1.0) if total > 1e-12 else (0.0, 1.0, 0.0)
    rest = replace(target.design, source=replace(source, y=y, trials=trials, weights=weights))
    return replace(target, design=rest, at=target.coordinates)
