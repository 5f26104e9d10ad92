"""Coordinate descent on a quadratic with kinks, on the p x p matrix: it never sees the rows.

Sweeps crawl along directions of little curvature, by a steady factor; a few of them in a row tell where they are going
(Anderson acceleration of coordinate descent: Bertrand and Massias 2021). The slope of the quadratic is linear in the
place, so both the guess and its height cost next to nothing, and a guess that is no higher is dropped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.loops.compile import SUMS, jit

Array = NDArray[np.float64]
Values = NDArray[Any]
# Sweeps from which a guess is made, and what keeps its equations from being singular.
_KEPT = 4
_RIDGE = 1e-10


@jit(SUMS)
def descend(H: Values, score: Array, start: Array, center: Array, rate: Array, tol: float, most: int) -> Array:
    """The x that maximises ``score'(x - start) - (x - start)' H (x - start) / 2 - sum_j rate_j |x_j - center_j|``.

    Sweeps over all coordinates alternate with sweeps over those away from their kink. It ends when a sweep over all
    moves none by more than ``tol`` times its own sd, ``1 / sqrt(H_jj)``, or after ``most`` sweeps.
    """
    p = start.size
    x, slope, curves = start.copy(), score.copy(), np.empty(p)
    for j in range(p):
        curves[j] = H[j, j]
    places, slopes = np.empty((_KEPT + 1, p)), np.empty((_KEPT + 1, p))
    whole, kept = True, 0
    for _ in range(most):
        if kept == 0:
            places[0], slopes[0], kept = x, slope, 1
        largest = _sweep(H, curves, center, rate, whole, x, slope)
        if largest <= tol:
            if whole:
                break
            whole = True
            continue
        whole = False
        places[kept], slopes[kept] = x, slope
        kept += 1
        if kept > _KEPT:
            _look_ahead(places, slopes, curves, score, start, center, rate, x, slope)
            kept = 0
    return x


@jit(SUMS)
def _sweep(H: Values, curves: Array, center: Array, rate: Array, whole: bool, x: Array, slope: Array) -> float:
    """Each coordinate to its maximum, in turn; the longest step, in sds."""
    p, largest = x.size, 0.0
    for j in range(p):
        curve = curves[j]
        if curve <= 0.0 or (not whole and x[j] == center[j] and rate[j] > 0.0):
            continue
        # The maximum along this coordinate: a soft threshold about the kink.
        away = x[j] - center[j] + slope[j] / curve
        cut = rate[j] / curve
        size = max(abs(away) - cut, 0.0)
        new = center[j] + (size if away > 0.0 else -size)
        step = new - x[j]
        if step != 0.0:
            x[j] = new
            row = H[j]
            for i in range(p):
                slope[i] -= step * row[i]
            largest = max(largest, abs(step) * np.sqrt(curve))
    return largest


@jit(SUMS)
def _look_ahead(
    places: Array,
    slopes: Array,
    curves: Array,
    score: Array,
    start: Array,
    center: Array,
    rate: Array,
    x: Array,
    slope: Array,
) -> None:
    """Moves x to the mixture of the last places whose last steps would have cancelled, if that is higher."""
    p = x.size
    products = np.zeros((_KEPT, _KEPT))
    for a in range(_KEPT):
        for b in range(a + 1):
            total = 0.0
            for j in range(p):
                total += (places[a + 1, j] - places[a, j]) * (places[b + 1, j] - places[b, j]) * curves[j]
            products[a, b] = products[b, a] = total
    share = _shares(products)
    if not np.isfinite(share.sum()):
        return
    there, slope_there = np.zeros(p), np.zeros(p)
    for a in range(_KEPT):
        for j in range(p):
            there[j] += share[a] * (places[a + 1, j] - center[j])  # exactly zero where all are at the kink
            slope_there[j] += share[a] * slopes[a + 1, j]
    for j in range(p):
        there[j] += center[j]
    if _height(there, slope_there, score, start, center, rate) > _height(x, slope, score, start, center, rate):
        x[:] = there
        slope[:] = slope_there


@jit(SUMS)
def _shares(products: Array) -> Array:
    """``A^-1 1``, of sum one; by elimination, for a matrix of a few rows."""
    n = products.shape[0]
    A, w = products.copy(), np.ones(n)
    for i in range(n):
        A[i, i] += _RIDGE * np.trace(products)
    for i in range(n):
        for r in range(i + 1, n):
            factor = A[r, i] / A[i, i]
            for c in range(i, n):
                A[r, c] -= factor * A[i, c]
            w[r] -= factor * w[i]
    for i in range(n - 1, -1, -1):
        for c in range(i + 1, n):
            w[i] -= A[i, c] * w[c]
        w[i] /= A[i, i]
    return w / w.sum()


@jit(SUMS)
def _height(x: Array, slope: Array, score: Array, start: Array, center: Array, rate: Array) -> float:
    """What is maximised, from the slope at x: the quadratic is half of the two slopes times the way."""
    value = 0.0
    for j in range(x.size):
        value += 0.5 * (score[j] + slope[j]) * (x[j] - start[j]) - rate[j] * abs(x[j] - center[j])
    return value
