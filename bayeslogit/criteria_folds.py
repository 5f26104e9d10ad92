"""Folds of cross-validation: what is dealt to them, and how a fit predicts what it was not shown.

What is dealt is the Bernoulli copy, as in leave-one-out: a row of weight w with y successes in m trials is ``w y``
copies of a success and ``w (m - y)`` of a failure, dealt separately, so that counts behave as their expanded rows.
Folds are stratified on the outcome. With ``unit="row"``, and for rows whose weight is not a whole number, rows stay
whole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit.checks import shown
from bayeslogit.criteria import UNITS
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError
from bayeslogit.logistic import expit, log_odds_terms
from bayeslogit.sources.memory import MemorySource

Array = NDArray[np.float64]
_LEAST = 2


@dataclass(frozen=True)
class Fold:
    """One fold: the design of the others, and what is held out of each row, weighted counts of shape (n,)."""

    train: Design
    successes: Array
    failures: Array


def deal(
    design: Design, folds: int | ArrayLike, rng: int | np.random.Generator = 0, *, unit: str = "observation"
) -> tuple[Fold, ...]:
    """Deal the observations of a design to folds, the same share of events to each.

    Parameters
    ----------
    design : Design
        In memory.
    folds : int or array_like of shape (n,)
        At least 2, at most as many as there are observations (or rows). Or the fold of each row, as labels: rows of one
        label are held out together, as patients of one hospital.
    rng : int or Generator
    unit : {"observation", "row"}

    Raises
    ------
    ArgumentError
        If there are not so many observations, or too few events of either kind for every fold to be fitted.
    """
    if unit not in UNITS:
        raise ArgumentError(
            f"unit={unit!r}: what is dealt to folds is an 'observation' (one Bernoulli copy) or a 'row'."
        )
    if not isinstance(folds, bool | int | np.integer):
        return _by_label(design, folds)
    if isinstance(folds, bool) or folds < _LEAST:
        raise ArgumentError(f"folds={folds!r}: a whole number of at least two folds is needed.")
    if not isinstance(design.source, MemorySource):
        raise ArgumentError("Cross-validation needs the rows in memory.")
    rng = np.random.default_rng(rng)
    y, trials, weights = design.outcome_arrays()
    ones, zeros = weights * y, weights * (trials - y)
    used = ones + zeros > 0.0
    splits = used & (weights == np.floor(weights)) & (unit == "observation")
    whole = np.flatnonzero(used & ~splits)
    total = int(whole.size + ones[splits].sum() + zeros[splits].sum())
    if folds > total:
        raise ArgumentError(f"folds={folds}: there are only {total} {unit}s to deal.")
    held = np.zeros((int(folds), 2, ones.size))
    # Events first, then the others, then rows that stay whole by their share of events, all in one circle of folds.
    seat = 0
    for kind, counts in enumerate((ones, zeros)):
        copies = np.repeat(np.flatnonzero(splits), counts[splits].astype(np.intp))
        places = (seat + np.arange(copies.size)) % folds
        np.add.at(held[:, kind], (rng.permutation(places), copies), 1.0)
        seat += copies.size
    rows = rng.permutation(whole)
    rows = rows[np.argsort(-(ones[rows] / (ones[rows] + zeros[rows])), kind="stable")]
    places = (seat + np.arange(rows.size)) % folds
    held[places, 0, rows], held[places, 1, rows] = ones[rows], zeros[rows]
    return tuple(Fold(_rest(design, ones - h[0], zeros - h[1]), h[0], h[1]) for h in held)


def _by_label(design: Design, labels: ArrayLike) -> tuple[Fold, ...]:
    """Rows of one label are one fold."""
    try:
        given = np.asarray(labels)
    except ValueError:  # lists of several lengths
        given = np.empty((0, 0))
    if given.ndim != 1 or isinstance(labels, str) or any(np.ndim(each) for each in given[:1]):
        raise ArgumentError(f"folds={shown(labels)}: a number of folds is needed, or the fold of each row as labels.")
    codes = design.group_codes(given)
    if not isinstance(design.source, MemorySource):
        raise ArgumentError("Cross-validation needs the rows in memory.")
    y, trials, weights = design.outcome_arrays()
    ones, zeros = weights * y, weights * (trials - y)
    counted = np.unique(codes[ones + zeros > 0.0])
    if counted.size < _LEAST:
        raise ArgumentError("folds=: all rows with weight have one label; at least two folds are needed.")
    dealt = []
    for code in counted:
        own = codes == code
        held = np.where(own, ones, 0.0), np.where(own, zeros, 0.0)
        dealt.append(Fold(_rest(design, ones - held[0], zeros - held[1]), *held))
    return tuple(dealt)


def _rest(design: Design, ones: Array, zeros: Array) -> Design:
    """The same rows with other counts; rows without any keep their place and weigh nothing."""
    total = ones + zeros
    kept = total > 1e-12
    assert isinstance(design.source, MemorySource)
    y, trials = np.where(kept, ones, 0.0), np.where(kept, total, 1.0)
    source = replace(design.source, y=y, trials=trials, weights=kept.astype(np.float64))
    return replace(design, source=source, frame=None)


@dataclass(frozen=True)
class FoldScores:
    """How one fit predicts weighted counts: log loss and Brier score an observation, area under the ROC curve."""

    n: float
    log_loss: float
    brier: float
    auc: float
    squares: tuple[float, float]

    @classmethod
    def of(cls, eta: Array, probability: Array, successes: Array, failures: Array) -> FoldScores:
        """From log-odds (for the order) and probabilities of every row; AUC is NaN without both outcomes."""
        n = float(successes.sum() + failures.sum())
        with np.errstate(divide="ignore"):
            loss = -np.log(probability), -np.log1p(-probability)
        error = np.square(1.0 - probability), np.square(probability)
        return cls(n, *_of(n, loss, error, eta, successes, failures))

    @classmethod
    def at(cls, eta: Array, successes: Array, failures: Array) -> FoldScores:
        """With the probabilities of these log-odds, exact in both tails."""
        used = successes + failures > 0.0
        eta, successes, failures = eta[used], successes[used], failures[used]
        n, one, none = float(successes.sum() + failures.sum()), np.ones(eta.size), np.zeros(eta.size)
        loss = -log_odds_terms(eta, one, none).log_density, -log_odds_terms(eta, none, one).log_density
        error = np.square(expit(-eta)), np.square(expit(eta))
        return cls(n, *_of(n, loss, error, eta, successes, failures))

    def rest_of(self, log_likelihood: float, n: float) -> FoldScores:
        """Log loss of the other ``n`` observations, from the log likelihood of all; nothing else of them."""
        loss = -(log_likelihood + self.n * self.log_loss) / n
        return FoldScores(n, loss, math.nan, math.nan, (math.nan, math.nan))


def _of(
    n: float, loss: tuple[Array, Array], error: tuple[Array, Array], eta: Array, s: Array, f: Array
) -> tuple[float, float, float, tuple[float, float]]:
    def mean(pair: tuple[Array, Array], power: int) -> float:
        ones, zeros = (
            np.where(count > 0.0, np.power(each, power), 0.0) for each, count in zip(pair, (s, f), strict=True)
        )
        return float(s @ ones + f @ zeros) / n

    return mean(loss, 1), mean(error, 1), auc(eta, s, f), (mean(loss, 2), mean(error, 2))


def auc(order: Array, successes: Array, failures: Array) -> float:
    """Share of pairs of an event and a non-event that are in the right order, ties counted half; NaN without pairs."""
    pairs = float(successes.sum()) * float(failures.sum())
    if pairs == 0.0 or not np.all(np.isfinite(order)):
        return math.nan
    _, place = np.unique(order, return_inverse=True)
    s, f = np.bincount(place, weights=successes), np.bincount(place, weights=failures)
    return float(s @ (np.cumsum(f) - 0.5 * f)) / pairs
