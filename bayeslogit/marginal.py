"""Average effects on the probability: what moving one variable does, averaged over rows; on arrays only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.logistic import expit

Array = NDArray[np.float64]
# Numbers of a matrix of points times rows that is held at once.
_AT_ONCE = 1 << 21


@dataclass(frozen=True)
class Move:
    """One variable moved from one value to another in every row.

    Attributes
    ----------
    name : str
        In words, such as "arsenic: 0.5 to 1".
    low, high : array, shape (n, p)
        The rows before and after, coded; for a slope a little below and above.
    offset : array, shape (n,)
    weights : array, shape (n,)
        Observations that each row stands for.
    step : float
        Of a slope, the distance from low to high in units of the variable; 0 for a change.
    """

    name: str
    low: Array
    high: Array
    offset: Array
    weights: Array
    step: float = 0.0

    def average(self, points: Array, kind: str) -> Array:
        """The effect under each point, shape (S, p) to (S,).

        Parameters
        ----------
        kind : {"slope", "difference", "ratio"}
            Mean of the derivative of the probability; difference of the mean probabilities; their ratio.
        """
        share = self.weights / self.weights.sum()
        result = np.empty(points.shape[0])
        size = max(1, _AT_ONCE // max(self.offset.size, 1))
        for lower in range(0, points.shape[0], size):
            some = points[lower : lower + size]
            low, high = some @ self.low.T + self.offset, some @ self.high.T + self.offset
            if kind == "slope":
                middle = 0.5 * (low + high)
                found = (expit(middle) * expit(-middle) * (high - low)) @ share / self.step
            elif kind == "ratio":
                found = (expit(high) @ share) / (expit(low) @ share)
            else:
                found = (expit(high) - expit(low)) @ share
            result[lower : lower + size] = found
        return result
