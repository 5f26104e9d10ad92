"""The modes without each of several sites, abreast: chords for all of them at once, with one factor less a site each.

A site changes the score by one row and the information by one product, so all searches share every pass over the rows.
At kinks the active set of each site is found by the primal-dual rule (Hintermueller, Ito and Kunisch 2002). What does
not arrive so is searched for alone (`criteria_refits`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeslogit.abreast import lengths, search_abreast
from bayeslogit.criteria import Sites
from bayeslogit.criteria_refits import Moved, mode_without
from bayeslogit.criteria_rows import Field
from bayeslogit.logistic import expit, variance
from bayeslogit.steps import Factor

Array = NDArray[np.float64]
# Length of a step, posterior sds, at which chords end, and the most of them.
_ARRIVED, _MOST_STEPS = 1e-9, 60
# Share of the information in some direction that a site must leave.
_LEFT = 1e-6
# Log-odds of all rows without some sites, and informations without them, that are held at once.
_AT_ONCE = 1 << 20
_MOST_COLUMNS = 200


def modes_without(
    field: Field, sites: Sites, picked: NDArray[np.intp], factor: Factor, active: NDArray[np.intp]
) -> Iterator[Moved]:
    """The mode without each of some sites, in their order.

    Parameters
    ----------
    picked : array of int, shape (m,)
    factor : Factor
        Of the information of the active coordinates with all sites.
    active : array of int
        Coordinates that are not at a kink.
    """
    target = field.ground.target
    kinks, k = target.kinks, field.theta.size
    plain = not target.prior.whole and not len(kinks.groups)
    size = max(1, _AT_ONCE // (field.rows.source.n_rows + (k * k if kinks else 0)))
    for lower in range(0, picked.size, size):
        part = picked[lower : lower + size]
        eta = np.full(part.size, np.nan)
        if plain:
            eta = _Without(field, sites, part).chords(factor, active)
            lost = np.isnan(eta)
            if kinks and k <= _MOST_COLUMNS and lost.any():
                eta[lost] = _Without(field, sites, part[lost]).sets()
        for i, found in zip(part, eta, strict=True):
            yield (
                Moved(float(found), "") if math.isfinite(found) else mode_without(field, sites, int(i), factor, active)
            )


@dataclass(frozen=True)
class _Without:
    """The log posterior less one site, for each of m sites."""

    field: Field
    sites: Sites
    picked: NDArray[np.intp]

    @cached_property
    def _data(self) -> tuple[Array, Array, Array, Array]:
        return self.field.arrays()

    @property
    def _row(self) -> NDArray[np.intp]:
        return self.sites.row[self.picked]

    def _residuals(self, eta: Array, some: NDArray[np.intp]) -> Array:
        _, _, successes, failures = self._data
        out, other = self.sites.out_successes[self.picked[some]], self.sites.out_failures[self.picked[some]]
        chance = expit(eta)
        result: Array = successes[:, None] - (successes + failures)[:, None] * chance
        at = self._row[some], np.arange(some.size)
        result[at] -= out - (out + other) * chance[at]
        return result

    def _own(self) -> Array:
        """Information of each site alone at the mode, shape (m,)."""
        X, offset, _, _ = self._data
        size = (self.sites.out_successes + self.sites.out_failures)[self.picked]
        result: Array = size * variance(X[self._row] @ self.field.theta + offset[self._row])
        return result

    def chords(self, factor: Factor, active: NDArray[np.intp]) -> Array:
        """Log-odds of each site's row, shape (m,); NaN where steps fail or the active set is another."""
        X, offset, _, _ = self._data
        theta, kinks = self.field.theta, self.field.ground.target.kinks
        prior, m = self.field.ground.target.prior_target, self.picked.size
        held = np.setdiff1d(np.arange(theta.size), active)
        inside, fixed = X[:, active], offset + X[:, held] @ theta[held]
        root = factor.unwhiten(np.eye(active.size))
        lever, own = root @ (root.T @ inside[self._row].T), self._own()
        left = 1.0 - own * np.sum(inside[self._row].T * lever, axis=0)
        gain = np.where(left > _LEFT, own / np.maximum(left, _LEFT), np.nan)
        pull = -kinks.rate * np.sign(theta - kinks.center)

        def whole(gammas: Array) -> Array:
            points = np.repeat(theta[None], gammas.shape[1], axis=0)
            points[:, active] = gammas.T
            return points

        def prior_scores(gammas: Array, some: NDArray[np.intp]) -> Array:
            return np.asarray((prior.scores(whole(gammas)) + pull)[:, active].T)

        def solve(gammas: Array, scores: Array, some: NDArray[np.intp]) -> tuple[Array, Array]:
            along = np.sum(lever[:, some] * scores, axis=0)
            step: Array = root @ (root.T @ scores) + lever[:, some] * (gain[some] * along)
            return step, lengths(step, scores)

        start = np.repeat(theta[active, None], m, axis=1)
        found = search_abreast(
            inside, fixed, self._residuals, prior_scores, solve, start, enough=_ARRIVED, most=_MOST_STEPS
        )
        eta = np.where(found.arrived, found.eta[self._row, np.arange(m)], np.nan)
        if kinks:
            points = whole(found.gammas)
            other_side = np.sign(points - kinks.center) != np.sign(theta - kinks.center)
            score = X[:, held].T @ self._residuals(found.eta, np.arange(m)) + prior.scores(points)[:, held].T
            lost = np.any(other_side & (kinks.rate > 0.0), axis=1)
            eta[lost | np.any(np.abs(score) > kinks.rate[held, None], axis=0)] = np.nan
        return eta

    def sets(self) -> Array:
        """The same where active sets change: what the score would push over its kink is active, the rest is held."""
        X, offset, _, _ = self._data
        theta, kinks = self.field.theta, self.field.ground.target.kinks
        prior, m = self.field.ground.target.prior_target, self.picked.size
        x = X[self._row]
        whole = self.field.cross_information(np.arange(theta.size))
        H = whole - self._own()[:, None, None] * (x[:, :, None] * x[:, None, :])
        curves = np.diagonal(H, axis1=1, axis2=2)
        away = np.repeat((theta - kinks.center)[None], m, axis=0)
        result, before = np.full(m, np.nan), np.full(m, np.inf)
        sets, inverse = np.zeros(away.shape, dtype=bool), np.zeros_like(H)
        open_ = np.arange(m)[(curves > 0.0).all(axis=1)]
        for _ in range(_MOST_STEPS):
            points = away[open_] + kinks.center
            eta = X @ points.T + offset[:, None]
            score = (X.T @ self._residuals(eta, open_)).T + prior.scores(points)
            beyond = away[open_] + score / curves[open_]
            on = (kinks.rate == 0.0) | (np.abs(beyond) > kinks.rate / curves[open_])
            other = open_[np.any(on != sets[open_], axis=1) | np.isinf(before[open_])]
            sets[open_] = on
            both = sets[other, :, None] & sets[other, None, :]
            try:
                inverse[other] = np.linalg.inv(np.where(both, H[other], np.eye(theta.size)))
            except np.linalg.LinAlgError:
                break
            # Newton steps of the coordinates that are on, the others going to zero.
            off = np.where(on, 0.0, -away[open_])
            left = np.where(on, score - kinks.rate * np.sign(beyond) - _times(H[open_], off), off)
            step = _times(inverse[open_], left)
            length = np.sqrt(np.maximum(np.sum(step * _times(H[open_], step), axis=1), 0.0))
            there = (length <= _ARRIVED) & np.all(on == (away[open_] != 0.0), axis=1, where=kinks.rate > 0.0)
            result[open_[there]] = eta[self._row[open_[there]], np.flatnonzero(there)]
            going = ~there & np.isfinite(length) & (length <= np.maximum(before[open_], 1.0))
            before[open_] = length
            away[open_] = np.where(on, away[open_] + step, 0.0)
            open_ = open_[going]
            if not open_.size:
                break
        return result


def _times(matrices: Array, vectors: Array) -> Array:
    """Each matrix times its vector, shapes (m, k, k) and (m, k)."""
    result: Array = (matrices @ vectors[:, :, None])[:, :, 0]
    return result
