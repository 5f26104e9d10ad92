"""Leave-one-out from draws of the whole posterior: Pareto-smoothed importance sampling (Vehtari et al. 2017).

The weight of a draw without a site is that with it over the site's likelihood. It fails, and k-hat says so, where a
site moves the posterior by more than the draws can follow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from bayeslogit.criteria import FLAG, Sites, SiteScores
from bayeslogit.design import Design
from bayeslogit.logistic import log_odds_terms
from bayeslogit.posterior.psis import khat_limit, smooth

Array = NDArray[np.float64]
_AT_ONCE = 1 << 21


def draws_scores(design: Design, sites: Sites, points: Array, log_weights: Array) -> SiteScores:
    """From weighted points of the user's columns, shape (S, p), with log weights of any normalisation, shape (S,)."""
    m, S = len(sites), points.shape[0]
    scores, within, khat = np.empty(m), np.empty(m), np.empty(m)
    flags, variance = np.zeros(m, dtype=FLAG), 0.0
    normal = log_weights - logsumexp(log_weights)
    order = np.argsort(sites.row, kind="stable")
    for block in design.source.blocks():
        low, high = np.searchsorted(sites.row[order], [block.start, block.start + block.offset.size])
        for lower in range(low, high, max(1, _AT_ONCE // S)):
            picked = order[lower : min(lower + max(1, _AT_ONCE // S), high)]
            place = sites.row[picked] - block.start
            eta = block.X.take(place).toarray() @ points.T + block.offset[place, None]
            out = _log_likelihood(eta, sites.out_successes[picked], sites.out_failures[picked])
            into = _log_likelihood(eta, sites.in_successes[picked], sites.in_failures[picked])
            within[picked] = logsumexp(normal + into, axis=1)
            for i, removed, kept in zip(picked, out, into, strict=True):
                scores[i], khat[i], error = _one(normal - removed, kept)
                variance += (sites.copies[i] * error) ** 2
    flags[~(khat <= khat_limit(S))] = "Pareto k too high"
    return SiteScores(scores, within, flags, 0, _notes(S, flags), khat, float(np.sqrt(variance)))


def _log_likelihood(eta: Array, successes: Array, failures: Array) -> Array:
    return log_odds_terms(eta, successes[:, None], failures[:, None]).log_density


def _one(log_weights: Array, log_likelihood: Array) -> tuple[float, float, float]:
    """Log of the weighted mean, k-hat, and the Monte-Carlo error as if the points were independent."""
    smoothed = smooth(log_weights)
    weight = np.exp(smoothed.log_weights - logsumexp(smoothed.log_weights))
    top = float(log_likelihood.max())
    values = np.exp(log_likelihood - top)
    mean = float(weight @ values)
    error = float(np.sqrt(np.square(weight) @ np.square(values - mean))) / mean
    return top + float(np.log(mean)), smoothed.khat, error


def _notes(draws: int, flags: NDArray[np.str_]) -> tuple[str, ...]:
    bad = int(np.count_nonzero(flags != ""))
    words = f"By Pareto-smoothed importance sampling from {draws:,} draws of the whole posterior."
    return (
        (words,) if not bad else (words, f"k-hat is above {khat_limit(draws):.2f} for {bad:,}: those are unreliable.")
    )
