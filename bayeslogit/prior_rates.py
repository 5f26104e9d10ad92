"""Which event rates a prior expects over the rows of a design, before their outcomes are looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.logistic import expit

Array = NDArray[np.float64]
# Probabilities (draws times rows) that are looked at; of more rows, evenly spaced ones.
_MOST = 2_000_000
_EXTREME = 0.01


@dataclass(frozen=True)
class PriorRates:
    """What draws from a prior say of the rows.

    Attributes
    ----------
    rates : array, shape (S,)
        The event rate over the rows under each draw.
    extreme : float
        Share of rows with a probability below 0.01 or above 0.99, averaged over the draws.
    n_rows : int
        Rows looked at.
    """

    rates: Array
    extreme: float
    n_rows: int


def prior_rates(values: Array, design: Design) -> PriorRates:
    """From draws of the coefficients, shape (S, p), weighted by the observations of each row."""
    total, count, extreme, rows = np.zeros(values.shape[0]), 0.0, 0.0, 0
    step = max(1, -(-design.source.n_rows * values.shape[0] // _MOST))
    for block in design.source.blocks():
        some = np.arange(0, block.offset.size, step)
        weights = block.count[some]
        p = expit(values @ block.X.take(some).toarray().T + block.offset[some])
        total += p @ weights
        extreme += float(((p < _EXTREME) | (p > 1.0 - _EXTREME)).mean(axis=0) @ weights)
        count += float(weights.sum())
        rows += some.size
    return PriorRates(total / count, extreme / count, rows)
