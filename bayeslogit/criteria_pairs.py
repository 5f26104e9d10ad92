"""Leave-one-out of all sites from one set of symmetric pairs drawn around the nearest Gaussian, with control variates.

Where the series behind the cavities is too short the posterior itself is asked: the score of a site that is left out
and predicted is minus the log of the posterior mean of ``1 / likelihood``, and the weights of a few thousand pairs give
that mean for every site at once. Drawn are only differences: the mean under the Gaussian is known. The base weights and
the quadratic forms of the deviation are regressed out, by the same slopes for all sites, so that their corrections add
up to that of the total, whose Monte-Carlo error is then known too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.criteria import Sites
from bayeslogit.criteria_rows import Field
from bayeslogit.posterior.pairs import Pairs, Proposal
from bayeslogit.posterior.psis import khat_limit, smooth
from bayeslogit.posterior.variational import Gaussian

Array = NDArray[np.float64]
# Pairs of the first batch and at most, and numbers of one array: sites times pairs.
_PAIRS, _MOST_PAIRS, _MOST_NUMBERS = 1000, 16000, 1 << 22
# Coordinates up to which the quadratic forms are controls: all products of two.
_MOST_COORDINATES = 16
_FOLDS = 5
# Batches, and the share by which one has to be worth its while.
_BATCHES, _LEAST_MORE = 3, 0.2
# Sum of squares of a control that would pull its slope halfway from zero.
_PRIOR_SQUARES = 5.0
# Standard errors of a variance by which it is widened: a sample of heavy tails has mostly missed a part of them.
_CAUTION = 4.0
# Share of the pairs that the weights without a site have to be worth.
_LEAST_WORTH = 0.1
# Nodes of the averages under the Gaussian, in sds.
_NODES = np.arange(-80, 81) * 0.125
_BELL = np.exp(-0.5 * np.square(_NODES)) / np.exp(-0.5 * np.square(_NODES)).sum()


@dataclass(frozen=True)
class Drawn:
    """Scores of all sites, and what the regression leaves of each pair.

    Attributes
    ----------
    scores, error : array, shape (m,)
        Log predictive densities, and their Monte-Carlo errors.
    poor : array of bool, shape (m,)
        Where few pairs carry the weight without the site.
    rest : array, shape (m, S)
    """

    scores: Array
    error: Array
    poor: NDArray[np.bool_]
    rest: Array

    def total_error(self, copies: Array) -> float:
        """Monte-Carlo error of so many copies of each site together."""
        return float(_errors((copies @ self.rest)[None])[0])


def drawn_scores(
    field: Field, sites: Sites, gaussian: Gaussian, about: Array, enough: float, rng: np.random.Generator
) -> Drawn | None:
    """The scores of all sites to a Monte-Carlo error of the total of ``enough`` nats, if so many pairs reach it.

    Parameters
    ----------
    gaussian : Gaussian
        The nearest to the posterior.
    about : array, shape (m,)
        The scores, roughly.

    Returns
    -------
    Drawn or None
        None where the weights are too wild, or there are too many sites.
    """
    if len(sites) * _PAIRS > _MOST_NUMBERS or field.ground.elsewhere:
        return None
    x, offset = field.some_rows(sites.row)
    proposal = Proposal.around(field.ground, gaussian)
    most = min(_MOST_PAIRS, _MOST_NUMBERS // len(sites))
    pairs = Pairs.drawn(field.ground, proposal, _PAIRS, rng)
    for _ in range(_BATCHES):
        found = _estimated(proposal, pairs, sites, x, offset, about)
        if found is None:
            return None
        wanted = 1.2 * pairs.count * (found.total_error(sites.copies * ~found.poor) / enough) ** 2
        more = min(int(wanted), most) - pairs.count
        if wanted <= 1.2 * pairs.count or more < _LEAST_MORE * pairs.count:
            break
        pairs = Pairs.joined([pairs, Pairs.drawn(field.ground, proposal, more, rng)])
    return found


def _estimated(proposal: Proposal, pairs: Pairs, sites: Sites, x: Array, offset: Array, about: Array) -> Drawn | None:
    smoothed = smooth(pairs.log_weights)
    if not smoothed.khat <= khat_limit(pairs.count):
        return None
    weight = np.exp(smoothed.log_weights - smoothed.log_weights.max())
    weight /= weight.mean()
    work = _Ratios.of(proposal, pairs, weight, sites, x, offset)
    out = sites.out_successes, sites.out_failures
    rest, under, worth = work.influence(out, None, about)
    scores = about - np.log(under)
    if not sites.single or np.any(sites.out_successes + sites.out_failures != sites.in_successes + sites.in_failures):
        above, over, _ = work.influence(out, (sites.in_successes, sites.in_failures), np.zeros(len(sites)))
        rest, scores = rest - above, scores + np.log(over)
    rest = _regressed(rest, work.shared())
    return Drawn(scores - rest.mean(axis=1), _errors(rest), ~(worth >= _LEAST_WORTH), rest)


@dataclass(frozen=True)
class _Ratios:
    """Likelihoods of the sites at the pairs; log-odds are ``at``, (m, 1), with ``moved`` added or taken off."""

    pairs: Pairs
    weight: Array
    odd: Array
    base: Array
    skew: Array
    at: Array
    moved: Array
    sd: Array

    @classmethod
    def of(cls, proposal: Proposal, pairs: Pairs, weight: Array, sites: Sites, x: Array, offset: Array) -> _Ratios:
        gaussian, form = proposal.gaussian, proposal.cubic
        base = np.exp(pairs.log_normal - pairs.log_proposal)
        # To leading order what the two weights of a pair differ by; it is orthogonal to all linear functions.
        skew = base * (pairs.cubes - 3.0 * ((gaussian.root.T @ form.linear) @ pairs.z))
        along = x @ gaussian.root
        at, sd = (x @ gaussian.mean + offset)[:, None], np.linalg.norm(along, axis=1)[:, None]
        return cls(pairs, weight, weight * pairs.lean, base, skew, at, along @ pairs.z, sd)

    def influence(
        self, out: tuple[Array, Array], into: tuple[Array, Array] | None, lift: Array
    ) -> tuple[Array, Array, Array]:
        """Of ``E[into / out]`` times ``exp(lift)``: what each pair adds to the log, the plain mean, and its worth."""
        successes, trials = out[0][:, None], (out[0] + out[1])[:, None]
        if into is not None:
            successes, trials = successes - into[0][:, None], trials - (into[0] + into[1])[:, None]
        one = bool(np.all(trials == 1.0) and np.all((successes == 0.0) | (successes == 1.0)))
        sign, top = 1.0 - 2.0 * successes, np.exp(lift)[:, None]

        def ratio(eta: Array) -> Array:
            if one:  # 1 / likelihood of one trial
                return np.asarray(top * (1.0 + np.exp(np.minimum(sign * eta, 600.0))))
            value = lift[:, None] - successes * eta + trials * (np.maximum(eta, 0.0) + np.log1p(np.exp(-np.abs(eta))))
            return np.asarray(np.exp(np.minimum(value, 600.0)))

        plus, minus = ratio(self.at + self.moved), ratio(self.at - self.moved)
        even, lean = 0.5 * (plus + minus), 0.5 * (plus - minus)
        values = self.weight * even + self.odd * lean
        mean = values.mean(axis=1)
        worth = np.square(values.sum(axis=1)) / np.square(values).sum(axis=1) / self.pairs.count
        pull = self.base * self.moved
        slope = np.einsum("ij,ij->i", pull, lean) / np.maximum(np.einsum("ij,ij->i", pull, self.moved), 1e-300)
        known = ratio(self.at + self.sd * _NODES) @ _BELL
        values -= mean[:, None] * self.weight
        values -= self.base * (even - known[:, None])
        values -= slope[:, None] * self.moved * self.skew
        return values / mean[:, None], mean, worth

    def shared(self) -> Array:
        """Controls, shape (q, S): the base, products of two coordinates, and the square of the squared length."""
        z, base = self.pairs.z, self.base
        k = z.shape[0]
        length = (np.einsum("ij,ij->j", z, z) - k) / math.sqrt(2.0 * k)
        parts = [base[None] - 1.0, (base * length)[None], (base * (np.square(length) - 1.0))[None]]
        if k <= _MOST_COORDINATES:
            first, second = np.triu_indices(k)
            scale = np.where(first == second, math.sqrt(2.0), 1.0)[:, None]
            quadratic = (z[first] * z[second] - (first == second)[:, None]) / scale
            parts[1] = base * quadratic
        return np.concatenate(parts)


def _regressed(values: Array, controls: Array) -> Array:
    """What the controls leave of the values, shape (m, S), the slopes of a fold of pairs being those of the others."""
    S, q = values.shape[1], controls.shape[0]
    folds = [slice(f, S, _FOLDS) for f in range(_FOLDS)]
    both = np.concatenate([controls, values])
    products = [controls[:, part] @ both[:, part].T for part in folds]
    sums = [both[:, part].sum(axis=1) for part in folds]
    whole, level = np.sum(products, axis=0), np.sum(sums, axis=0)
    result = np.empty_like(values)
    for part, product, own in zip(folds, products, sums, strict=True):
        there = level - own
        others = whole - product - np.outer(there[:q], there) / (S - len(range(*part.indices(S))))
        scale = np.sqrt(np.diag(others[:, :q]) + _PRIOR_SQUARES)
        gram = others[:, :q] / np.outer(scale, scale)
        gram[np.diag_indices(q)] += _PRIOR_SQUARES / np.square(scale) + 1e-8
        slope = np.linalg.solve(gram, others[:, q:] / scale[:, None]) / scale[:, None]
        result[:, part] = values[:, part] - slope.T @ controls[:, part]
    return result


def _errors(rest: Array) -> Array:
    """Monte-Carlo errors of means, shape (m, S) to (m,), widened where few pairs carry the variance."""
    S = rest.shape[1]
    squares = np.square(rest - rest.mean(axis=1, keepdims=True))
    variance = squares.mean(axis=1)
    fourth = np.square(squares).mean(axis=1) / np.maximum(np.square(variance), 1e-300)
    result: Array = np.sqrt(variance * (1.0 + _CAUTION * np.sqrt(np.maximum(fourth - 1.0, 0.0) / S)) / S)
    return result
