"""Do predicted probabilities come true? Observed event rates in bins of the prediction."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]


class Calibration(NamedTuple):
    """Bins of the prediction, each array of shape (bins,).

    Attributes
    ----------
    predicted : array
        Mean predicted probability of the observations in the bin.
    observed : array
        Share of them that are events.
    lower, upper : array
        Wilson's interval for that share.
    size : array
        Observations in the bin.
    """

    predicted: Array
    observed: Array
    lower: Array
    upper: Array
    size: Array


def calibration_bins(
    probability: Array, y: Array, trials: Array, weights: Array, *, bins: int = 10, prob: float = 0.95
) -> Calibration:
    """Event rates in bins that hold about equally many observations; rows with one prediction stay in one bin.

    The intervals are Wilson's (1927): they stay inside [0, 1] and hold for a bin without events.
    """
    count = weights * trials
    used = count > 0.0
    probability, events, count = probability[used], (weights * y)[used], count[used]
    values, code = np.unique(probability, return_inverse=True)
    n, k = np.bincount(code, count), np.bincount(code, events)
    middle = np.cumsum(n) - 0.5 * n
    bin_of = np.minimum((middle / n.sum() * bins).astype(int), bins - 1)
    _, bin_of = np.unique(bin_of, return_inverse=True)
    size, hits = np.bincount(bin_of, n), np.bincount(bin_of, k)
    share = hits / size
    z = float(ndtri(0.5 + prob / 2.0))
    center = (share + z * z / (2.0 * size)) / (1.0 + z * z / size)
    half = z / (1.0 + z * z / size) * np.sqrt(share * (1.0 - share) / size + (z / (2.0 * size)) ** 2)
    return Calibration(np.bincount(bin_of, n * values) / size, share, center - half, center + half, size)
