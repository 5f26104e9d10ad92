"""Passes over a few columns in panels: shape (blocks, columns, rows of a block), so that vector units run along rows.

A block of a panel stays in the cache between the linear predictor and the score, columns are added at the end without
moving the others, and a column whose coefficient is zero is not read for the predictor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.loops.compile import SUMS, jit
from bayeslogit.loops.dense import log_odds_terms

Array = NDArray[np.float64]
Values = NDArray[Any]
_TERMS = 7


@jit(SUMS)
def panel_slope(
    P: Values,
    gamma: Array,
    successes: Array,
    failures: Array,
    offset: Array,
    residual: Array,
    variance: Array,
) -> tuple[float, Array]:
    """Log density and score of the rows of some blocks; their residuals and variances are written.

    Parameters
    ----------
    P : array, shape (blocks, columns, rows)
        Of single or double precision.
    gamma : array, shape (columns,)
    successes, failures, offset, residual, variance : arrays, shape (blocks, rows)
    """
    blocks, _, rows = P.shape
    k = gamma.size
    value, score = 0.0, np.zeros(k)
    work, eta = np.empty((_TERMS, rows)), np.empty(rows)
    used = np.flatnonzero(gamma)
    whole = used.size - used.size % 4
    for b in range(blocks):
        block = P[b]
        for i in range(rows):
            eta[i] = offset[b, i]
        for u in range(0, whole, 4):
            p0, p1, p2, p3 = block[used[u]], block[used[u + 1]], block[used[u + 2]], block[used[u + 3]]
            g0, g1, g2, g3 = gamma[used[u]], gamma[used[u + 1]], gamma[used[u + 2]], gamma[used[u + 3]]
            for i in range(rows):
                eta[i] += g0 * p0[i] + g1 * p1[i] + g2 * p2[i] + g3 * p3[i]
        for u in range(whole, used.size):
            p0, g0 = block[used[u]], gamma[used[u]]
            for i in range(rows):
                eta[i] += g0 * p0[i]
        log_odds_terms(eta, successes[b], failures[b], work)
        density, r, v = work[0], work[1], work[2]
        for i in range(rows):
            value += density[i]
        for i in range(rows):
            residual[b, i] = r[i]
            variance[b, i] = v[i]
        full = k - k % 4
        for j in range(0, full, 4):
            p0, p1, p2, p3 = block[j], block[j + 1], block[j + 2], block[j + 3]
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for i in range(rows):
                s0 += r[i] * p0[i]
                s1 += r[i] * p1[i]
                s2 += r[i] * p2[i]
                s3 += r[i] * p3[i]
            score[j] += s0
            score[j + 1] += s1
            score[j + 2] += s2
            score[j + 3] += s3
        for j in range(full, k):
            s0, p0 = 0.0, block[j]
            for i in range(rows):
                s0 += r[i] * p0[i]
            score[j] += s0
    return value, score


@jit(SUMS)
def panel_information(P: Values, weight: Array, first: int, last: int) -> Values:
    """``sum_i weight_i z_i z_i'``: its rows ``first .. last``, up to the diagonal, in the precision of the panels.

    Parameters
    ----------
    P : array, shape (blocks, columns, rows)
        Zero in columns from the last that counts up to the next multiple of four.
    weight : array, shape (blocks, rows)
    first, last : int
        Multiples of four.

    Returns
    -------
    array, shape (last - first, last)
    """
    blocks, _, rows = P.shape
    H, Q = np.zeros((last - first, last), P.dtype), np.empty((4, rows), P.dtype)
    zero = P.dtype.type(0.0)  # a sum over one block keeps the precision of the panels
    for n in range(blocks):
        block, w = P[n], weight[n]
        for a in range(first, last, 4):
            for t in range(4):
                for i in range(rows):
                    Q[t, i] = w[i] * block[a + t, i]
            q0, q1, q2, q3 = Q[0], Q[1], Q[2], Q[3]
            r0, r1, r2, r3 = H[a - first], H[a - first + 1], H[a - first + 2], H[a - first + 3]
            for b in range(0, a + 4, 4):
                h00, h01, h02, h03 = zero, zero, zero, zero
                h10, h11, h12, h13 = zero, zero, zero, zero
                h20, h21, h22, h23 = zero, zero, zero, zero
                h30, h31, h32, h33 = zero, zero, zero, zero
                p0, p1, p2, p3 = block[b], block[b + 1], block[b + 2], block[b + 3]
                for i in range(rows):
                    u0, u1, u2, u3 = q0[i], q1[i], q2[i], q3[i]
                    v0, v1, v2, v3 = p0[i], p1[i], p2[i], p3[i]
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
                r0[b] += h00
                r0[b + 1] += h01
                r0[b + 2] += h02
                r0[b + 3] += h03
                r1[b] += h10
                r1[b + 1] += h11
                r1[b + 2] += h12
                r1[b + 3] += h13
                r2[b] += h20
                r2[b + 1] += h21
                r2[b + 2] += h22
                r2[b + 3] += h23
                r3[b] += h30
                r3[b + 1] += h31
                r3[b + 2] += h32
                r3[b + 3] += h33
    return H
