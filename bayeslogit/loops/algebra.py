"""Factorisations between passes: a BLAS would keep its threads spinning on the cores that the next pass needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslogit.loops.compile import SUMS, jit

Array = NDArray[np.float64]

_PANEL = 4
_TILE = 4


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
def _products(above: Array, below: Array, out: Array) -> None:
    """``above @ below.T`` of four rows each."""
    a0, a1, a2, a3 = above[0], above[1], above[2], above[3]
    b0, b1, b2, b3 = below[0], below[1], below[2], below[3]
    h00, h01, h02, h03 = 0.0, 0.0, 0.0, 0.0
    h10, h11, h12, h13 = 0.0, 0.0, 0.0, 0.0
    h20, h21, h22, h23 = 0.0, 0.0, 0.0, 0.0
    h30, h31, h32, h33 = 0.0, 0.0, 0.0, 0.0
    for t in range(a0.size):
        u0, u1, u2, u3 = a0[t], a1[t], a2[t], a3[t]
        v0, v1, v2, v3 = b0[t], b1[t], b2[t], b3[t]
        h00 += u0 * v0
        h01 += u0 * v1
        h02 += u0 * v2
        h03 += u0 * v3
        h10 += u1 * v0
        h11 += u1 * v1
        h12 += u1 * v2
        h13 += u1 * v3
        h20 += u2 * v0
        h21 += u2 * v1
        h22 += u2 * v2
        h23 += u2 * v3
        h30 += u3 * v0
        h31 += u3 * v1
        h32 += u3 * v2
        h33 += u3 * v3
    out[0, 0], out[0, 1], out[0, 2], out[0, 3] = h00, h01, h02, h03
    out[1, 0], out[1, 1], out[1, 2], out[1, 3] = h10, h11, h12, h13
    out[2, 0], out[2, 1], out[2, 2], out[2, 3] = h20, h21, h22, h23
    out[3, 0], out[3, 1], out[3, 2], out[3, 3] = h30, h31, h32, h33


@jit(SUMS)
def variances(R: Array) -> Array:
    """The diagonal of ``(R'R)^-1`` for an upper triangular R: squared lengths of the rows of R^-1, four at a time."""
    p = R.shape[0]
    whole = (p + _TILE - 1) // _TILE * _TILE
    L, tile, out = np.eye(whole), np.empty((_TILE, _TILE)), np.zeros(whole)
    for a in range(0, p, 16):
        for j in range(p):
            for i in range(max(a, j), min(a + 16, p)):
                L[i, j] = R[j, i]
    rows = np.zeros((_TILE, whole))
    for a in range(0, whole, _TILE):
        rows[:, a:] = 0.0
        for b in range(a, whole, _TILE):
            _products(rows[:, a:b], L[b : b + _TILE, a:b], tile)
            for r in range(_TILE):
                row = rows[r]
                for c in range(_TILE):
                    left = (1.0 if a + r == b + c else 0.0) - tile[r, c]
                    for d in range(c):
                        left -= row[b + d] * L[b + c, b + d]
                    row[b + c] = left / L[b + c, b + c]
        for r in range(_TILE):
            for i in range(a, whole):
                out[a + r] += rows[r, i] * rows[r, i]
    return out[:p]


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
