"""A criterion along the logarithm of a scale: a curve through points with slopes, where it is largest, how surely.

Between points the curve is the cubic that has their values and their slopes. For the log evidence the slopes are exact
(Fisher's identity), so that few points give a curve whose optimum is right to the Monte-Carlo error of the slopes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_FINE = 400
# Half of the 95 % quantile of chi-squared with one degree of freedom: how much lower a log evidence may be.
SUPPORT = 1.92


@dataclass(frozen=True)
class Hermite:
    """The piecewise cubic through values with slopes.

    Attributes
    ----------
    x, value, slope : array, shape (S,)
        ``x`` ascends: logarithms of scales.
    """

    x: Array
    value: Array
    slope: Array

    def __call__(self, at: Array) -> Array:
        """Values at points between the first and the last x."""
        i = np.clip(np.searchsorted(self.x, at) - 1, 0, self.x.size - 2)
        width = self.x[i + 1] - self.x[i]
        t = (at - self.x[i]) / width
        rest = 1.0 - t
        result: Array = (
            (1.0 + 2.0 * t) * rest**2 * self.value[i]
            + t * rest**2 * width * self.slope[i]
            + t**2 * (3.0 - 2.0 * t) * self.value[i + 1]
            - t**2 * rest * width * self.slope[i + 1]
        )
        return result

    @cached_property
    def fine(self) -> Array:
        """Points from the first x to the last, the given ones among them."""
        return np.unique(np.concatenate([np.linspace(self.x[0], self.x[-1], _FINE), self.x]))

    def top(self) -> tuple[float, float]:
        """Where the curve is largest, and how large it is there."""
        x = self.fine
        y = self(x)
        k = int(np.argmax(y))
        if 0 < k < x.size - 1:
            low, high = x[k - 1], x[k + 1]
            for _ in range(60):  # golden section: two points a part in 1e-12 apart at the end
                a, b = high - 0.618 * (high - low), low + 0.618 * (high - low)
                low, high = (low, b) if self(np.array([a]))[0] >= self(np.array([b]))[0] else (a, high)
            found = 0.5 * (low + high)
            return found, float(self(np.array([found]))[0])
        return float(x[k]), float(y[k])

    def within(self, drop: float) -> tuple[float, float]:
        """Ends of the part about the top where the curve is at most ``drop`` lower; infinite where it does not end."""
        top, best = self.top()
        return ends(self.fine, self(self.fine) - (best - drop), top)


def ends(x: Array, above: Array, top: float) -> tuple[float, float]:
    """First sign changes of ``above`` on either side of ``top``, by straight lines; infinite where there is none.

    Parameters
    ----------
    x, above : array, shape (m,)
        ``above`` is positive near ``top``.
    """
    lower, upper = -math.inf, math.inf
    for k in range(x.size - 1):
        if above[k] < 0.0 <= above[k + 1] and x[k] < top:
            lower = float(x[k] + (x[k + 1] - x[k]) * above[k] / (above[k] - above[k + 1]))
        if above[k] >= 0.0 > above[k + 1] and x[k + 1] > top:
            return lower, float(x[k] + (x[k + 1] - x[k]) * above[k] / (above[k] - above[k + 1]))
    return lower, upper
