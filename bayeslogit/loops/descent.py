"""Coordinate descent on a quadratic with kinks, on the p x p matrix: it never sees the rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslogit.loops.compile import SUMS, jit

Array = NDArray[np.float64]


@jit(SUMS)
def descend(H: Array, score: Array, start: Array, center: Array, rate: Array, tol: float, most: int) -> Array:
    """The x that maximises ``score'(x - start) - (x - start)' H (x - start) / 2 - sum_j rate_j |x_j - center_j|``.

    Sweeps over all coordinates alternate with sweeps over those away from their kink. It ends when a sweep over all
    moves none by more than ``tol`` times its own sd, ``1 / sqrt(H_jj)``, or after ``most`` sweeps.
    """
    p = start.size
    x = start.copy()
    slope = score.copy()
    whole = True
    for _ in range(most):
        largest = 0.0
        for j in range(p):
            curve = H[j, j]
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
        if largest <= tol:
            if whole:
                break
            whole = True
        else:
            whole = False
    return x
