"""How well probabilities predict outcomes: log loss, Brier score and the area under the ROC curve; on arrays only.

Outcomes are counts of successes and failures a row (weights times trials), so that counts equal their expanded rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Three scores of the same predictions; lower is better for the first two.

    Attributes
    ----------
    log_loss : float
        Mean of minus the log probability of what happened, nats an observation.
    brier : float
        Mean squared difference between probability and outcome.
    auc : float
        Probability that a success was given a higher probability than a failure, ties counting half; NaN when all
        outcomes are alike.
    """

    log_loss: float
    brier: float
    auc: float


def scores(probability: Array, successes: Array, failures: Array) -> Scores:
    """Scores of probabilities, shape (n,), for so many successes and failures of each row.

    References
    ----------
    Hand and Till (2001), Machine Learning 45 (the area as a rank sum); Gneiting and Raftery (2007), JASA 102.
    """
    n = float(successes.sum() + failures.sum())
    with np.errstate(divide="ignore"):
        log_loss = -float(np.sum(xlogy(successes, probability) + xlogy(failures, 1.0 - probability))) / n
    brier = float(successes @ np.square(1.0 - probability) + failures @ np.square(probability)) / n
    return Scores(log_loss, brier, _area(probability, successes, failures))


def baseline(successes: Array, failures: Array) -> Scores:
    """Of giving every observation the event rate."""
    rate = float(successes.sum() / (successes.sum() + failures.sum()))
    return scores(np.full(successes.size, rate), successes, failures)


def _area(probability: Array, successes: Array, failures: Array) -> float:
    _, code = np.unique(probability, return_inverse=True)
    s, f = np.bincount(code, successes), np.bincount(code, failures)
    pairs = float(s.sum() * f.sum())
    if pairs == 0.0:
        return float("nan")
    below = np.cumsum(f) - 0.5 * f
    return float(s @ below) / pairs
