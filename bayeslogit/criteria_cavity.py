"""Bayesian leave-one-out from one Gaussian: its cavities, corrected for skewness.

Dividing a site out of the Gaussian gives the posterior of its row's log-odds without it, the cavity, and quadrature
in one dimension the prediction. Over n rows and p columns that errs by about ``p^2 / (3 n)`` nats in all, on the
optimistic side: the Gaussian is too narrow by the bubble of `criteria_rows`, and the cavity is skew. With both put in,
the cavity is what times the site has the mean and variance of the posterior, so corrected.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeslogit.criteria import Sites
from bayeslogit.criteria_rows import Field, bubble, prior_bends, third_cumulants, worth_it
from bayeslogit.logistic import expected_terms, log_odds_terms, variance_derivatives
from bayeslogit.mode import Mode
from bayeslogit.posterior.variational import Gaussian, checked, fit_gaussian

Array = NDArray[np.float64]
# Sum of squared shares of the own row's information below which the plain cavity is exact enough in total, nats, and
# the largest such share that goes with it.
CALM = 0.01
_CALM_EACH = 0.05
# Share of the information of its own row that a site may carry before the model is fitted again without it, and the
# largest change by the corrections, nats.
LEVERAGE = 0.2
_LARGE_CHANGE = 0.1
# Error of a score over the cube (corrected) and the square (plain) of that share, and over the size of the correction,
# of which the next one is a part. Beside exact scores of 200 random sets the total of a set without suspects erred by
# 0.3 of what these add up to in the median, by 1.1 in the twentieth worst of a hundred, and by 2.5 at most.
_AFTER, _AFTER_KINKS, _BEFORE, _OF_CORRECTION = 0.2, 0.4, 1.0, 0.25
# Rounds of the bubble, which widens what it is made of, and its size beyond which it is no correction.
_ROUNDS = 2
_LARGEST_BUBBLE = 0.5
# Nodes of the trapezoid rule, in sds of the posterior; step 0.25 errs below 1e-14 for the width of a Gaussian.
_NODES = np.arange(-36, 37) * 0.25
_ROWS_AT_ONCE = 4096
# Of the Gaussian, sds; at these the total is right to a few ten thousandths of a nat, and to thousandths.
_TOL, _QUICK_TOL = 1e-5, 3e-5
# Where a search that oscillates at the kinks of a prior is stopped by the number of its steps, this will do.
_ENOUGH = 2e-4
_MATCHES = 40
_MATCHED = 1e-9
_DERIVATIVE_NODES, _DERIVATIVE_WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
_DERIVATIVE_WEIGHTS = _DERIVATIVE_WEIGHTS / _DERIVATIVE_WEIGHTS.sum()


class Marginals(NamedTuple):
    """Mean, variance and third cumulant of each row's log-odds under the posterior; each shape (n,)."""

    mean: Array
    variance: Array
    third: Array


class CavityScores(NamedTuple):
    """What leaving out gives, one number a site.

    ``doubt`` is the size of the error to expect of a copy's score, nats; ``suspect`` says where it may be larger, and
    ``own`` what share of the information of its own row a site carries.
    """

    scores: Array
    within: Array
    doubt: Array
    suspect: NDArray[np.bool_]
    own: Array
    gaussian: Gaussian
    notes: tuple[str, ...]


def cavity_scores(
    field: Field, sites: Sites, mode: Mode, *, quick: bool = False, near: Gaussian | None = None
) -> CavityScores:
    """The log predictive density of every site from the posterior without it; ``quick`` forgoes dear corrections.

    The search for the nearest Gaussian begins at ``near``, if there is one, such as that under a neighbouring prior.
    """
    at_mode = _one_step(field, sites, mode)
    if at_mode is not None:
        return at_mode
    near_it = fit_gaussian(field.ground, mode, tol=_QUICK_TOL if quick else _TOL, near=near)
    if not max(near_it.decrement, 0.1 * near_it.bend) <= _ENOUGH:
        checked(near_it)
    gaussian = near_it.gaussian
    mean, variance = field.scan(gaussian.mean, gaussian.root)
    plain = _plain(sites, mean, variance)
    calm = float(sites.copies @ np.square(plain.own)) <= CALM
    notes: tuple[str, ...] = ()
    if calm or not worth_it(mean.size, gaussian.mean.size, quick=quick):
        if not calm:
            notes = ("Cavities without the correction for skewness, which so many rows and columns make too dear.",)
        return CavityScores(
            plain.scores, plain.within, _BEFORE * plain.own**2, plain.own > LEVERAGE, plain.own, gaussian, notes
        )
    found = corrected_marginals(field, field.counts(), gaussian, mean, variance)
    if found is None:
        notes = ("The posterior is too skew for cavities to be corrected: every number wants a refit.",)
        every = np.ones(len(sites), dtype=bool)
        return CavityScores(plain.scores, plain.within, _BEFORE * plain.own**2, every, plain.own, gaussian, notes)
    marginals, third = found
    own_third = (sites.out_successes + sites.out_failures) * third[sites.row] * marginals.variance[sites.row] ** 3
    scores, within, settled = _matched(sites, marginals, own_third, plain)
    suspect = (plain.own > LEVERAGE) | ~settled | (np.abs(scores - plain.scores) > _LARGE_CHANGE)
    scores = np.where(settled, scores, plain.scores)
    after = _AFTER_KINKS if field.ground.target.kinks else _AFTER
    doubt = np.maximum(after * plain.own**3, _OF_CORRECTION * np.abs(scores - plain.scores))
    return CavityScores(scores, within, doubt, suspect, plain.own, gaussian, notes)


class _Plain(NamedTuple):
    scores: Array
    within: Array
    own: Array


def _plain(sites: Sites, mean: Array, variance: Array) -> _Plain:
    """From ``Normal(mean, variance)`` of each row: scores of the cavities, of the Gaussian, and shares of the row's."""
    mu, v = mean[sites.row], variance[sites.row]
    s, f = sites.out_successes, sites.out_failures
    if sites.single and np.all(s + f == 1.0):
        # Of a single trial the residual is minus the chance of the other outcome, exact in both tails.
        other = expected_terms(mu, np.sqrt(v), f, s)
        chance = np.abs(other.residual)
        residual, spread, within = (s - f) * (1.0 - chance), other.variance, np.log(chance)
    else:
        terms = expected_terms(mu, np.sqrt(v), s, f)
        residual, spread, within = terms.residual, (s + f) * terms.variance, _predicted(sites, mu, v)
    own = spread * v
    wide = v / np.maximum(1.0 - own, 1e-12)
    return _Plain(_predicted(sites, mu - wide * residual, wide), within, own)


def _predicted(sites: Sites, mean: Array, variance: Array) -> Array:
    """``log E[likelihood of what is predicted]`` under ``Normal(mean, variance)``, site by site."""
    if sites.single:
        other = expected_terms(mean, np.sqrt(variance), 1.0 - sites.in_successes, 1.0 - sites.in_failures).residual
        result: Array = np.log(np.abs(other))
        return result
    parts = [np.empty(0)]
    for lower in range(0, len(sites), _ROWS_AT_ONCE):
        part = slice(lower, lower + _ROWS_AT_ONCE)
        m, v = mean[part], variance[part]
        s, f = sites.in_successes[part], sites.in_failures[part]
        at, width = _peak(m, v, s, f)
        eta = at[:, None] + width[:, None] * _NODES
        log_t = log_odds_terms(eta, s[:, None], f[:, None]).log_density - 0.5 * np.square(eta - m[:, None]) / v[:, None]
        top = log_t.max(axis=1)
        total = np.exp(log_t - top[:, None]).sum(axis=1) * 0.25 * width / np.sqrt(2.0 * np.pi * v)
        parts.append(top + np.log(total))
    return np.concatenate(parts)


def _peak(mean: Array, variance: Array, successes: Array, failures: Array) -> tuple[Array, Array]:
    """Mode and width of Normal times likelihood, by damped Newton steps in one dimension."""
    at = mean.copy()
    for _ in range(50):
        terms = log_odds_terms(at, successes, failures)
        curve = 1.0 / variance + (successes + failures) * terms.variance
        step = ((mean - at) / variance + terms.residual) / curve
        at = at + np.clip(step, -1.0, 1.0)
        if float(np.max(np.abs(step), initial=0.0)) < 1e-6:
            break
    curve = 1.0 / variance + (successes + failures) * log_odds_terms(at, successes, failures).variance
    return at, 1.0 / np.sqrt(curve)


def _one_step(field: Field, sites: Sites, mode: Mode) -> CavityScores | None:
    """With very many rows a column: the Gaussian at the mode, its mean moved by one step; None where that is too crude.

    The posterior mean is ``-1/2 V sum_i w_i (1 - 2 mu_i) h_i x_i`` from the mode, to leading order.
    """
    target = field.ground.target
    smooth = not target.kinks and target.concave and not target.prior.whole
    if not smooth or field.rows.source.n_rows < 100 * field.theta.size:
        return None
    factor = field.factor(mode, np.arange(field.theta.size))
    root = factor.unwhiten(np.eye(field.theta.size))
    eta, h = field.scan(field.theta, root)
    value, slope, _ = variance_derivatives(eta)
    count = field.counts()
    own = (sites.out_successes + sites.out_failures) * (value * h)[sites.row]
    if float(sites.copies @ np.square(own)) > CALM or float(own.max(initial=0.0)) > _CALM_EACH:
        return None
    moved = field.theta + factor.solve(field.pull(-0.5 * count * slope * h))
    mean = field.predict(moved)
    plain = _plain(sites, mean, h)
    gaussian = Gaussian(moved, root)
    none = np.zeros(len(sites), dtype=bool)
    return CavityScores(plain.scores, plain.within, _BEFORE * plain.own**2, none, plain.own, gaussian, ())


def corrected_marginals(
    field: Field, count: Array, gaussian: Gaussian, mean: Array, variance: Array
) -> tuple[Marginals, Array] | None:
    """The marginals of the posterior to the next order, and each trial's own third derivative; or None.

    Parameters
    ----------
    count : array, shape (n,)
        Weighted trials of each row.
    gaussian : Gaussian
        The nearest to the posterior; ``mean`` and ``variance`` are those of its log-odds, each shape (n,).
    """
    n, k = mean.size, gaussian.mean.size
    target = field.ground.target
    bends = prior_bends(target.prior_target, gaussian.mean, gaussian.root, averaged=True)
    white = np.vstack([field.white(gaussian.root), bends.white])
    third, fourth = _derivatives(mean, variance)
    count = count + 2.0 * target.pseudo * field.counts()
    a = np.concatenate([count * third, bends.third])
    b = np.concatenate([count * fourth, bends.fourth])
    first = np.square(white).sum(axis=1)
    K, widened = np.eye(k), first
    for _ in range(_ROUNDS):
        S = bubble(white, a, K) + 0.5 * (white.T * (b * (widened - first))) @ white
        if float(np.linalg.eigvalsh(S)[-1]) > _LARGEST_BUBBLE:
            return None
        K = np.linalg.inv(np.eye(k) - S)
        K = 0.5 * (K + K.T)
        widened = np.einsum("ij,ij->i", white @ K, white)
    cubed = third_cumulants(white @ np.linalg.cholesky(K), a)
    shift = white @ (K @ (white.T @ (0.5 * a * (widened - first) + b * cubed / 6.0)))
    return Marginals(mean + shift[:n], widened[:n], cubed[:n]), third


def predicted_under(marginals: Marginals, sites: Sites, i: int) -> tuple[float, float]:
    """The log predictive density of site i under its row's marginal, and how skew that is."""
    row, part = int(sites.row[i]), slice(i, i + 1)
    mean, variance, third = (each[row : row + 1] for each in marginals)
    out, into = (
        (sites.out_successes[part], sites.out_failures[part]),
        (sites.in_successes[part], sites.in_failures[part]),
    )
    work = _Cavities(mean, variance, third, third, out, into)
    return float(work.within()[0]), float(third[0] / variance[0] ** 1.5)


def _derivatives(mean: Array, variance: Array) -> tuple[Array, Array]:
    """Third and fourth derivative of the log likelihood of one trial, averaged over ``Normal(mean, variance)``."""
    third, fourth = np.empty_like(mean), np.empty_like(mean)
    for lower in range(0, mean.size, _ROWS_AT_ONCE):
        part = slice(lower, lower + _ROWS_AT_ONCE)
        eta = mean[part, None] + np.sqrt(variance[part])[:, None] * _DERIVATIVE_NODES
        _, slope, bend = variance_derivatives(eta)
        third[part], fourth[part] = -(slope @ _DERIVATIVE_WEIGHTS), -(bend @ _DERIVATIVE_WEIGHTS)
    return third, fourth


def _matched(
    sites: Sites, marginals: Marginals, own_third: Array, plain: _Plain
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Scores of skew cavities which times their site have the posterior's mean and variance; and whether they do."""
    m = len(sites)
    scores, within, settled = np.empty(m), np.empty(m), np.empty(m, dtype=bool)
    for lower in range(0, m, _ROWS_AT_ONCE):
        part = slice(lower, lower + _ROWS_AT_ONCE)
        row = sites.row[part]
        mean, variance, third = (each[row] for each in marginals)
        work = _Cavities(
            mean,
            variance,
            (third - own_third[part]),
            third,
            (sites.out_successes[part], sites.out_failures[part]),
            (sites.in_successes[part], sites.in_failures[part]),
        )
        scores[part], settled[part] = work.scores(plain.own[part])
        within[part] = work.within()
    return scores, within, settled


class _Cavities(NamedTuple):
    """Some sites: the posterior of their rows' log-odds, third cumulants of the rest and of all, what is left out."""

    mean: Array
    variance: Array
    rest: Array
    third: Array
    out: tuple[Array, Array]
    into: tuple[Array, Array]

    def _nodes(self) -> Array:
        result: Array = self.mean[:, None] + np.sqrt(self.variance)[:, None] * _NODES
        return result

    def _site(self, eta: Array, counts: tuple[Array, Array]) -> Array:
        return log_odds_terms(eta, counts[0][:, None], counts[1][:, None]).log_density

    def scores(self, own: Array) -> tuple[Array, NDArray[np.bool_]]:
        eta = self._nodes()
        site = self._site(eta, self.out)
        lift = site.max(axis=1, keepdims=True)
        likelihood = np.exp(site - lift)
        variance = self.variance / np.maximum(1.0 - own, 1e-3)
        residual = (log_odds_terms(eta, self.out[0][:, None], self.out[1][:, None]).residual * _BELL).sum(axis=1)
        mean = self.mean - variance * residual
        third = self.rest * (variance / self.variance) ** 3
        settled = np.zeros(mean.size, dtype=bool)
        for _ in range(_MATCHES):
            density = _skewed(eta, mean, variance, third)
            tilted = density * likelihood
            total = tilted.sum(axis=1)
            tilted_mean = (tilted * eta).sum(axis=1) / total
            tilted_variance = (tilted * np.square(eta - tilted_mean[:, None])).sum(axis=1) / total
            off = np.abs(tilted_mean - self.mean) / np.sqrt(self.variance) + np.abs(tilted_variance / self.variance - 1)
            settled = off < _MATCHED
            if settled.all():
                break
            with np.errstate(invalid="ignore", divide="ignore"):
                gain = 1.0 / tilted_variance - 1.0 / variance
                pull = tilted_mean / tilted_variance - mean / variance
                new_variance = 1.0 / (1.0 / self.variance - gain)
                new_mean = new_variance * (self.mean / self.variance - pull)
            good = ~settled & (total > 0.0) & (new_variance > 0.2 * variance) & (new_variance < 5.0 * variance)
            variance, mean = np.where(good, new_variance, variance), np.where(good, new_mean, mean)
        density = _skewed(eta, mean, variance, third)
        into = self._site(eta, self.into)
        top = into.max(axis=1)
        step = 0.25 * np.sqrt(self.variance)
        total = (density * np.exp(into - top[:, None])).sum(axis=1) * step
        settled = (off < 1e-4) & (total > 0.0)
        return top + np.log(np.where(settled, total, 1.0)), settled

    def within(self) -> Array:
        eta = self._nodes()
        into = self._site(eta, self.into)
        top = into.max(axis=1)
        density = _skewed(eta, self.mean, self.variance, self.third)
        total = (density * np.exp(into - top[:, None])).sum(axis=1) * 0.25 * np.sqrt(self.variance)
        return top + np.log(np.maximum(total, 1e-300))


_BELL = np.exp(-0.5 * np.square(_NODES)) / np.exp(-0.5 * np.square(_NODES)).sum()


def _skewed(eta: Array, mean: Array, variance: Array, third: Array) -> Array:
    """Normal density times ``1 + third / 6 He3``, the first terms of an Edgeworth series."""
    sd = np.sqrt(variance)[:, None]
    z = (eta - mean[:, None]) / sd
    skew = (third / variance**1.5)[:, None] / 6.0
    result: Array = np.exp(-0.5 * np.square(z)) * (1.0 + skew * (z * z * z - 3.0 * z)) / (sd * np.sqrt(2.0 * np.pi))
    return result
