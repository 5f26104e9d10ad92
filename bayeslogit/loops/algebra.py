"""Factorisations between passes: a BLAS would keep its threads spinning on the cores that the next pass needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslogit.loops.compile import SUMS, jit

Array = NDArray[np.float64]

_PANEL = 4


@jit(SUMS)
def cholesky(A: Array) -> Array:
    """Upper triangular R with ``R'R = A``; a pivot that is not positive becomes NaN, and all after it."""
    p = A.shape[0]
    R = np.zeros((p, p))
    for i in range(p):
        R[i, i:] = A[i, i:]
    for low in range(0, p, _PANEL):
        high = min(low + _PANEL, p)
        for i in range(low, high):
            for t in range(low, i):
                share = R[t, i]
                for j in range(i, p):
                    R[i, j] -= share * R[t, j]
            pivot = np.sqrt(R[i, i]) if R[i, i] > 0.0 else np.nan
            for j in range(i, p):
                R[i, j] /= pivot
        if high - low < _PANEL:
            break
        r0, r1, r2, r3 = R[low], R[low + 1], R[low + 2], R[low + 3]
        for i in range(high, p):
            s0, s1, s2, s3, row = r0[i], r1[i], r2[i], r3[i], R[i]
            for j in range(i, p):
                row[j] -= s0 * r0[j] + s1 * r1[j] + s2 * r2[j] + s3 * r3[j]
    return R


@jit(SUMS)
def solve(R: Array, b: Array) -> Array:
    """``(R'R)^-1 b`` for an upper triangular R, along its rows."""
    p = b.size
    z = b.copy()
    for i in range(p):
        z[i] /= R[i, i]
        share = z[i]
        for j in range(i + 1, p):
            z[j] -= share * R[i, j]
    for i in range(p - 1, -1, -1):
        total = 0.0
        for j in range(i + 1, p):
            total += R[i, j] * z[j]
        z[i] = (z[i] - total) / R[i, i]
    return z
