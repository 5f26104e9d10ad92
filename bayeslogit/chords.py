"""Many fits of one design under one prior with kinks, more and more of it taken away: each starts where the last ended.

A step maximises the quadratic of an information that was formed some fits ago. Four things keep such steps good: the
information is multiplied by the ratio of the curvature that the last step met to the one it expected; what the last fit
ended away from its prediction is expected again; columns are added without touching the others; and it is formed anew
when that costs less than the steps it would save. The end is the optimality condition, on every column.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.kernels import kernel
from bayeslogit.panels import Panels
from bayeslogit.separable import Separable, strength
from bayeslogit.steps import cholesky_factor
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
_SWEEPS = 5000
_ARMIJO = 1e-4
_LEVEL = 1e4
_SHORTEST = 1e-3
# Where there are fewer columns coordinate descent in plain Python costs less than loading a compiler.
_FEW = 16
# Columns whose score is expected to come so near their rate are added, and with them those that come less near.
_EXPECTED, _BESIDES = 0.97, 0.85
# A step this much shorter than the error it leaves is made with an information that is worth forming anew.
_STUCK = 0.9
# Sds by an information that is off by more than this are not to be trusted.
_OFF = 1.5
# An information of k columns costs about as much as k / _COST steps (measured).
_COST = 50.0
# Sds are worked out again when the set away from the kinks has changed by this share.
_CHANGED = 0.15
_FIRST = 32
_MOST_COLUMNS = 6000
_FORESEEN, _BLIND = 10.0, 1e3
# Where columns are so nearly dependent, sds so much longer than one column says, single precision is too little.
_BLURRED = 30.0
# With so many of the columns inside, the others are taken in too: there is nothing left to look at outside.
_ALMOST_ALL = 0.85


@dataclass(frozen=True)
class Arrived:
    """The end of one fit.

    Attributes
    ----------
    gamma : array, shape (p,)
    log_density : float
        Log posterior.
    score : array, shape (p,)
        Of its smooth part.
    violation : float
        Of the optimality condition, in posterior sds by the information at hand.
    steps, passes, informations : int
    information : array, shape (a, a), optional
        Of the smooth part there, away from the kinks.
    """

    gamma: Array
    log_density: float
    score: Array
    violation: float
    steps: int
    passes: int
    informations: int
    information: Array | None = None


class Chords:
    """The state between fits; `fit` moves it on.

    With ``single`` the columns are kept in single precision, which is good for violations of 1e-5 posterior sds.

    The likelihood's part of everything (score, information) is kept apart from the prior's, which changes.
    """

    def __init__(self, target: LogPosterior, gamma: Array, *, single: bool = False) -> None:
        self._panels, self._p, self._single = Panels(target, single=single), gamma.size, single
        self._compiled = self._panels.compiled
        self._inside = np.zeros(gamma.size, dtype=bool)
        center = target.coordinates.center
        self._center = np.zeros(gamma.size) if center is None else np.concatenate([[0.0], center])
        self._strength = math.nan
        self._last: tuple[Array, Array, float] | None = None  # where the last fit began: gamma, score and strength
        kinks = target.kinks
        wanted = (kinks.center != 0.0) | (kinks.rate == 0.0)
        wanted[kinks.active(gamma)] = True
        self._panels.add(np.flatnonzero(wanted))
        self._inside |= wanted
        self._formed = 0
        self._evaluate(gamma[self._columns])
        self._refresh()
        self.scores = self._panels.score_of_all()

    @property
    def passes(self) -> int:
        """So far, over all columns or over some."""
        return self._panels.passes

    @property
    def informations(self) -> int:
        """Formed so far."""
        return self._formed

    @property
    def _columns(self) -> NDArray[np.intp]:
        return self._panels.columns

    def fit(self, target: LogPosterior, tol: float, most: int, *, information: bool = False) -> Arrived | None:
        """The mode of a target that differs from those before in its prior alone; None if these steps do not find it.

        Parameters
        ----------
        tol : float
            Largest violation of the optimality condition, in posterior sds.
        most : int
            Steps.
        information : bool
            Whether that of the smooth part at the end is wanted.
        """
        began, formed = self._panels.passes, self._formed
        begin = self._scattered(self._gamma), self.scores.copy()
        self._prior = Separable(target, self._columns)
        drift = self._expect(target)
        # How far off the first step is expected to be, and so how closely it is worth working out.
        worst, steps = (_BLIND if drift is None else _FORESEEN) * tol, 0
        while True:
            trail: list[float] = []
            while not trail or worst > tol:
                blurred = self._single and self._inflation > _BLURRED
                if steps >= most or self._columns.size > _MOST_COLUMNS or blurred:
                    return None
                steps += 1
                moved = self._step(drift, worst, tol)
                drift = None
                if moved is None:
                    return None
                worst = moved
                trail.append(worst)
                if worst > tol and self._worth_forming(trail, tol):
                    self._refresh()
            self.scores = self._scattered(self._score) if self._inside.all() else self._panels.score_of_all()
            if not self._take_in(target, self.scores, 1.0 + 1e-12):
                break
            worst = _FORESEEN * tol
        self._age += 1
        self._last = (*begin, self._strength)
        self._strength = strength(target)
        return self._arrived(target, worst, steps, began, formed, information)

    # --- one step ---------------------------------------------------------------------------------------------------

    def _step(self, drift: Array | None, worst: float, tol: float) -> float | None:
        """To where the quadratic less the kinks is largest; the violation there, or None if nothing rises."""
        while True:
            start, score, prior = self._gamma, self._score, self._prior
            end = self._best(drift, 0.03 * max(worst, tol) / self._inflation)
            before, length = self._violation(tol), 1.0
            if np.array_equal(end, start):
                return before
            here = self._log_likelihood + prior.log_density(start)
            step, slack = end - start, 1e-13 * (1.0 + abs(here))
            gain = float(step @ (score + prior.score(start)))
            gain -= float(prior.rate @ (np.abs(end - prior.center) - np.abs(start - prior.center)))
            fresh = self._fresh
            while length >= (_SHORTEST if fresh else 1.0):
                self._evaluate(end if length == 1.0 else start + length * step)
                rise = self._log_likelihood + prior.log_density(self._gamma) - here
                there = self._violation(tol)
                level = abs(rise) <= _LEVEL * slack and there < before
                if level or (rise >= _ARMIJO * length * max(gain, 0.0) and rise > slack):
                    self._measure(self._gamma - start, score - self._score)
                    return there
                length /= 2.0
            self._evaluate(start)
            if drift is None and fresh:
                return before if before <= tol else None
            if drift is None:
                self._refresh()
            drift = None

    def _evaluate(self, gamma: Array) -> None:
        self._log_likelihood, self._score = self._panels.slope(gamma)
        self._gamma, self._fresh = gamma, False

    def _best(self, drift: Array | None, tol: float) -> Array:
        prior, ratio = self._prior, self._ratio
        score = self._score + prior.score(self._gamma) + (0.0 if drift is None else drift)
        self._set_diagonal(prior.curvature(self._gamma) / ratio)
        compiled = self._compiled or self._gamma.size > _FEW
        result: Array = kernel("descend", compiled)(
            self._H, score / ratio, self._gamma, prior.center, prior.rate / ratio, tol / math.sqrt(ratio), _SWEEPS
        )
        return result

    def _set_diagonal(self, more: Array | float = 0.0) -> None:
        """Of the information: the likelihood's, and ``more``."""
        self._H.reshape(-1)[:: self._diagonal.size + 1] = self._diagonal + more

    def _along(self, step: Array) -> Array:
        """The likelihood's information, as it was formed, times a vector; without waking the threads of a BLAS."""
        self._set_diagonal()
        compiled = self._compiled and step.size > _FEW
        result: Array = kernel("predict", compiled)(self._H, np.zeros(step.size) if compiled else None, step, 0.0)
        return result

    def _measure(self, step: Array, change: Array) -> None:
        """The ratio of the curvature that a step has met to that of the information."""
        expected, met = float(step @ self._along(step)), float(step @ change)
        if expected > 0.0 and met > 0.0:
            self._ratio = min(max(met / expected, 0.1), 10.0)

    # --- the information --------------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Form the information where the last pass was made."""
        self._weight = self._panels.variance.copy()
        self._H = np.ascontiguousarray(self._panels.information(self._weight))
        self._diagonal = self._H.diagonal().copy()
        self._ratio, self._fresh, self._age, self._pain = 1.0, True, 0, 0.0
        self._known, self._inflation, self._swell = -1, 1.0, np.ones(self._columns.size)
        self._formed += 1

    def _worth_forming(self, trail: list[float], tol: float) -> bool:
        """Whether steps with this information go on for longer than it takes to form a new one."""
        if len(trail) < 2 or self._fresh:
            return False
        shrink = trail[-1] / trail[-2]
        if shrink >= _STUCK or not 1.0 / _OFF < self._ratio < _OFF:
            return True
        left = math.log(trail[-1] / tol) / max(-math.log(max(shrink, 1e-12)), 1e-3)
        self._pain += max(left - 1.0, 0.0)
        return self._pain > max(self._columns.size / _COST, 1.0)

    def _violation(self, tol: float) -> float:
        """The largest violation of the optimality condition in these columns, in posterior sds.

        In the user's columns as in the centred ones: what is left of the intercept's score counts in each column with
        its mean. Above ``tol`` a lower bound, by the curvature of each coordinate alone, will do.
        """
        prior, away = self._prior, self._gamma - self._prior.center
        score = self._score + prior.score(self._gamma)
        active = (away != 0.0) | (prior.rate == 0.0)
        left = np.where(active, np.abs(score - prior.rate * np.sign(away)), np.maximum(np.abs(score) - prior.rate, 0.0))
        center = self._center[self._columns]
        intercept = float(left[0]) if self._columns[0] == 0 and np.any(center) else 0.0
        left += intercept * np.abs(center)
        curve = self._ratio * self._diagonal + prior.curvature(self._gamma)
        with np.errstate(divide="ignore"):
            sd = np.where(curve > 0.0, 1.0 / np.sqrt(np.maximum(curve, 0.0)), 0.0)
        least = float(np.max(left * sd, initial=0.0))
        if least > tol:
            return least
        self._work_out(active)
        sd *= np.where(active, self._swell, 1.0)
        far = intercept * float(np.linalg.norm(sd * center * active))
        return max(float(np.max(left * sd, initial=0.0)), far)

    def _work_out(self, active: NDArray[np.bool_]) -> None:
        """How much longer sds are than the curvature of their own coordinate says."""
        number = int(active.sum())
        if self._known >= 0 and abs(number - self._known) <= _CHANGED * self._known:
            usual = float(np.median(self._swell))
            self._swell = np.concatenate([self._swell, np.full(active.size - self._swell.size, usual)])
            return
        self._set_diagonal(self._prior.curvature(self._gamma) / self._ratio)
        factor = cholesky_factor(self._H[np.ix_(active, active)], self._compiled)
        self._swell, self._known = np.ones(active.size), number
        if factor is not None:
            own = np.sqrt(factor.coordinate_variances(self._compiled)) * factor.scale
            self._swell[:] = float(np.median(own)) if own.size else 1.0
            self._swell[active] = own
        self._inflation = float(np.max(self._swell, initial=1.0))

    # --- columns ----------------------------------------------------------------------------------------------------

    def _scattered(self, values: Array) -> Array:
        result = np.zeros(self._p)
        result[self._columns] = values
        return result

    def _expect(self, target: LogPosterior) -> Array | None:
        """Takes in the columns that the next fit is likely to need; what the quadratic is expected to get wrong."""
        alike = math.inf
        if self._last is not None:
            gamma, scores, before = self._last
            was, now = self._strength - before, strength(target) - self._strength
            alike = now / was if was != 0.0 and math.isfinite(was) else math.inf
        if self._last is None or not 0.5 < alike < 2.0:
            self._take_in(target, self.scores, 1.0)
            return None
        self._take_in(target, self.scores + alike * (self.scores - scores), _EXPECTED)
        columns = self._columns
        self._ratio = 1.0
        wrong = (self.scores - scores)[columns] + self._along(self._gamma - gamma[columns])
        # The information changes evenly along the way: its error half a step ahead, from that half a step back.
        ahead = (self._age + 0.5) / (self._age - 0.5) if self._age else -1.0
        result: Array = alike**2 * ahead * wrong
        return result

    def _take_in(self, target: LogPosterior, scores: Array, share: float) -> bool:
        """Adds the columns whose score, of those given, beats that share of their rate; whether there were any."""
        size, rate = np.abs(scores), target.kinks.rate
        if not np.any((size > share * rate) & ~self._inside):
            return False
        more = np.flatnonzero((size > _BESIDES * rate) & ~self._inside)
        most = max(_FIRST, int(np.count_nonzero(self._gamma)))
        if self._columns.size + more.size > _ALMOST_ALL * self._p:
            more = np.flatnonzero(~self._inside)
        elif more.size > most:  # after a long stride many pull that will not stay
            pull = size[more] / rate[more]
            more = np.sort(more[np.argsort(-pull, kind="stable")[:most]])
        k = self._columns.size
        self._panels.add(more)
        self._inside[more] = True
        grown = np.empty((k + more.size, k + more.size), self._H.dtype)
        grown[:k, :k] = self._H
        grown[:, k:] = self._panels.information(self._weight, k)
        grown[k:, :k] = grown[:k, k:].T
        self._H = grown
        self._diagonal = np.concatenate([self._diagonal, grown.diagonal()[k:]])
        self._gamma = np.concatenate([self._gamma, target.kinks.center[more]])
        self._score = np.concatenate([self._score, self.scores[more]])
        self._prior = Separable(target, self._columns)
        return True

    def _arrived(
        self, target: LogPosterior, worst: float, steps: int, began: int, formed: int, information: bool
    ) -> Arrived:
        gamma = target.kinks.center.copy()
        gamma[self._columns] = self._gamma
        block = None
        if information:
            self._refresh()
            place = np.empty(self._p, dtype=np.intp)
            place[self._columns] = np.arange(self._columns.size)
            own = place[target.kinks.active(gamma)]
            self._set_diagonal(self._prior.curvature(self._gamma))
            block = self._H[np.ix_(own, own)].astype(np.float64)
        prior = target.prior_target.slope(gamma)
        return Arrived(
            gamma,
            self._log_likelihood + prior.log_density,
            self.scores + prior.score,
            worst,
            steps,
            self._panels.passes - began,
            self._formed - formed,
            block,
        )
