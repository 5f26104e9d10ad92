"""Approximate leave-one-out for modes (ALO): one Newton step from the mode, to second order; refits where it is long.

Without a copy with residual r, information w and ``h = x' H^-1 x`` the mode's log-odds of that row move by
``-h r / (1 - w h)`` (Rad and Maleki 2020), to the next order by ``t^2 k / (2 (1 - w h))`` more, where
``t = r / (1 - w h)`` and k is the third cumulant of the rest. At kinks the same holds on the active set.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslogit.criteria import FLAG, Sites, SiteScores
from bayeslogit.criteria_abreast import modes_without
from bayeslogit.criteria_rows import Field, prior_bends, third_cumulants, worth_it
from bayeslogit.logistic import log_odds_terms, variance_derivatives
from bayeslogit.mode import Mode

Array = NDArray[np.float64]
# Share of the information of its own row that a copy may carry before the model is fitted again without it.
LEVERAGE = 0.2
_JEFFREYS = 0.05
# Sum of squared such shares below which the first order is exact enough in total, nats.
CALM = 0.05
# Second-order change of a score, nats, above which a site is fitted again.
_LARGE_CHANGE = 0.01
# First-order change of the log-odds of a row, above which it is fitted again where columns have flat priors.
_LONG = 0.5
# Share of its rate that the score of a coefficient at its kink may come to, by a linear guess.
_CLOSE = 0.98
_AT_ONCE = 1 << 20


def mode_scores(field: Field, sites: Sites, mode: Mode, most_refits: int) -> SiteScores:
    """The plug-in log score of every site at the mode without it."""
    kinks = field.ground.target.kinks
    active = kinks.active(field.theta) if kinks else np.arange(field.theta.size)
    factor = field.factor(mode, active)
    half = np.zeros((field.theta.size, active.size))
    half[active] = factor.unwhiten(np.eye(active.size))
    eta, h = field.scan(field.theta, half)
    at, lever = eta[sites.row], h[sites.row]
    terms = log_odds_terms(at, sites.out_successes, sites.out_failures)
    own = (sites.out_successes + sites.out_failures) * terms.variance * lever
    step = terms.residual / np.maximum(1.0 - own, 1e-12)
    first = at - lever * step
    within = _score(at, sites)
    second, notes = np.zeros(at.size), []
    if float(sites.copies @ np.square(own)) > CALM:
        if worth_it(eta.size, active.size, quick=most_refits == 0):
            cumulant = _third(field, sites, eta, half)[sites.row] - _own_third(at, sites) * lever**3
            second = 0.5 * np.square(step) * cumulant / np.maximum(1.0 - own, 1e-12)
        else:
            notes.append("ALO to first order: with so many rows and columns the second would cost more than refits.")
    bounded = np.clip(second, -0.5 * np.abs(lever * step), 0.5 * np.abs(lever * step))
    scores = _score(first + bounded, sites)
    # Jeffreys' own third derivative is not in the second order.
    far = (
        (own > (_JEFFREYS if field.ground.target.prior.whole == "jeffreys" else LEVERAGE))
        | (np.abs(scores - _score(first, sites)) > _LARGE_CHANGE)
        | (bounded != second)
    )
    if field.ground.target.prior.flat.any():
        # Such a row may be what alone keeps the others from having no finite mode.
        far |= np.abs(lever * step) > _LONG
    if kinks:
        far |= _leaves_set(field, sites, active, half, step)
    flags = np.zeros(len(sites), dtype=FLAG)
    flagged = np.flatnonzero(far)
    picked = flagged[np.argsort(-own[flagged], kind="stable")][:most_refits]
    for i, moved in zip(picked, modes_without(field, sites, picked, factor, active), strict=True):
        scores[i], flags[i] = _score_of(moved.eta, sites, int(i)), moved.flag
    flags[np.setdiff1d(flagged, picked)] = "high leverage, not fitted again"
    if flagged.size > picked.size:
        notes.append(
            f"{flagged.size - picked.size:,} sites of high leverage were not fitted again (refits={most_refits})."
        )
    return SiteScores(scores, within, flags, picked.size, tuple(notes))


def _leaves_set(field: Field, sites: Sites, active: NDArray[np.intp], half: Array, step: Array) -> NDArray[np.bool_]:
    """Sites without which a coefficient would cross its kink or leave it, by the first-order step; shape (m,).

    The step moves the active coordinates by ``-t V x`` and the score of those at their kinks by ``t (H V x - x)``.
    """
    kinks, theta = field.ground.target.kinks, field.theta
    cross, score = field.cross_information(active), field.ground.target.slope(theta).score
    held = np.setdiff1d(np.arange(theta.size), active)
    away = (theta - kinks.center)[active]
    kinked = kinks.rate[active] > 0.0
    result = np.zeros(len(sites), dtype=bool)
    size = max(1, _AT_ONCE // theta.size)
    for lower in range(0, len(sites), size):
        part = slice(lower, lower + size)
        x, t = field.some(sites.row[part]), step[part, None]
        moved = (x @ half) @ half[active].T
        result[part] = np.any((np.sign(away - t * moved) != np.sign(away)) & kinked, axis=1)
        now = score[held] + t * (moved @ cross[held].T - x[:, held])
        result[part] |= np.any((np.abs(now) > _CLOSE * kinks.rate[held]) & (kinks.rate[held] > 0.0), axis=1)
        whole = np.zeros((now.shape[0], theta.size))
        whole[:, held] = now
        for own, rate in zip(kinks.groups, kinks.groups.rate, strict=True):
            result[part] |= np.sqrt(np.square(whole[:, own]).sum(axis=1)) > _CLOSE * rate
    return result


def _score(eta: Array, sites: Sites) -> Array:
    with np.errstate(invalid="ignore"):
        return log_odds_terms(eta, sites.in_successes, sites.in_failures).log_density


def _score_of(eta: float, sites: Sites, i: int) -> float:
    """Minus infinity where the mode ran away from what was left out."""
    if not np.isfinite(eta):
        return float(eta)
    part = slice(i, i + 1)
    terms = log_odds_terms(np.array([eta]), sites.in_successes[part], sites.in_failures[part])
    return float(terms.log_density[0])


def _own_third(eta: Array, sites: Sites) -> Array:
    result: Array = -(sites.out_successes + sites.out_failures) * variance_derivatives(eta)[1]
    return result


def _third(field: Field, sites: Sites, eta: Array, half: Array) -> Array:
    """Third cumulant of each row's log-odds at the mode, shape (n,)."""
    target, white = field.ground.target, field.white(half)
    count = field.counts() * (1.0 + 2.0 * target.pseudo)
    bends = prior_bends(target.prior_target, field.theta, half, averaged=False)
    a = np.concatenate([-count * variance_derivatives(eta)[1], bends.third])
    return third_cumulants(np.vstack([white, bends.white]), a)[: eta.size]
