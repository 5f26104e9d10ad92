"""Passes over dense rows, and the elementwise functions they need."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.loops.compile import ELEMENTS, SUMS, jit

Array = NDArray[np.float64]
Values = NDArray[Any]

_ROWS = 64
_TERMS = 7  # what log_odds_terms writes, and its scratch
# Rows packed at a time: columns x rows stay in the second-level cache.
_PACK = 256
_PACKED = 1 << 17
# Columns of a tile: 4 x 4 running sums stay in the vector registers.
_TILE = 4

_LOG2E = 1.4426950408889634
_LN2_HIGH = 0.6931471803691238  # 21 bits short, so that its product with a small integer is exact
_LN2_LOW = 1.9082149292705877e-10
_LN2 = 0.6931471805599453
_FARTHEST = 744.0  # exp(-744) is the last number before zero
_HALVES = 0.5 ** np.arange(1080.0)
_SQRT2_LESS_1 = 0.41421356237309503


@jit(ELEMENTS)
def _exp_minus(size: Array, out: Array) -> None:
    """``exp(-|size|)`` as 2^-k exp(-r) with |r| <= log(2) / 2, where the Taylor polynomial is good to an ulp."""
    for i in range(size.size):
        x = abs(size[i])
        x = x if x < _FARTHEST else _FARTHEST  # a NaN too: it must not become a place in a table
        k = np.int32(x * _LOG2E + 0.5)
        r = (k * _LN2_HIGH - x) + k * _LN2_LOW
        s = 1.0 / 6227020800.0
        s = s * r + 1.0 / 479001600.0
        s = s * r + 1.0 / 39916800.0
        s = s * r + 1.0 / 3628800.0
        s = s * r + 1.0 / 362880.0
        s = s * r + 1.0 / 40320.0
        s = s * r + 1.0 / 5040.0
        s = s * r + 1.0 / 720.0
        s = s * r + 1.0 / 120.0
        s = s * r + 1.0 / 24.0
        s = s * r + 1.0 / 6.0
        s = s * r + 0.5
        s = s * r + 1.0
        s = s * r + 1.0
        out[i] = s * _HALVES[k]


@jit(ELEMENTS)
def _log1p_unit(x: Array, out: Array) -> None:
    """``log(1 + x)`` for ``0 <= x <= 1``: base + 2 atanh(t) with |t| <= 0.172."""
    for i in range(x.size):
        d = x[i]
        upper = d > _SQRT2_LESS_1
        t = (d - 1.0 if upper else d) / (d + 3.0 if upper else d + 2.0)
        q = t * t
        a = 1.0 / 21.0
        a = a * q + 1.0 / 19.0
        a = a * q + 1.0 / 17.0
        a = a * q + 1.0 / 15.0
        a = a * q + 1.0 / 13.0
        a = a * q + 1.0 / 11.0
        a = a * q + 1.0 / 9.0
        a = a * q + 1.0 / 7.0
        a = a * q + 1.0 / 5.0
        a = a * q + 1.0 / 3.0
        a = a * q + 1.0
        out[i] = (_LN2 if upper else 0.0) + 2.0 * t * a


@jit(ELEMENTS)
def log_odds_terms(eta: Array, successes: Array, failures: Array, out: Array) -> None:
    """`logistic.log_odds_terms`: log density, residual and variance of all trials into the rows of ``out``.

    Short loops over few arrays each: with more of them the compiler gives up proving that they do not overlap.
    """
    n = eta.size
    density, residual, variance = out[0], out[1], out[2]
    decay, shared, mu, complement = out[3], out[4], out[5], out[6]
    _exp_minus(eta, decay[:n])
    _log1p_unit(decay[:n], shared[:n])
    for i in range(n):
        near = 1.0 / (1.0 + decay[i])
        far = decay[i] * near
        mu[i] = near if eta[i] >= 0.0 else far
        complement[i] = far if eta[i] >= 0.0 else near
    for i in range(n):
        density[i] = -successes[i] * (shared[i] - min(eta[i], 0.0)) - failures[i] * (shared[i] + max(eta[i], 0.0))
    for i in range(n):
        density[i] += 0.0 * eta[i]  # what is not finite says so
    for i in range(n):
        residual[i] = successes[i] * complement[i] - failures[i] * mu[i]
    for i in range(n):
        variance[i] = (successes[i] + failures[i]) * (mu[i] * complement[i])


@jit(SUMS)
def predict(X: Values, center: Array, slopes: Array, start: float) -> Array:
    """``start + (x_i - center)' slopes`` of each row."""
    n, k = X.shape
    out = np.empty(n)
    # One row after the other: several at a time are quicker in the cache and half as quick from memory (measured).
    for i in range(n):
        total = 0.0
        for j in range(k):
            total += (X[i, j] - center[j]) * slopes[j]
        out[i] = start + total
    return out


@jit(SUMS)
def _add_score(X: Values, center: Array, residual: Array, out: Array) -> None:
    n, k = X.shape
    whole = n - n % 8
    for i in range(0, whole, 8):
        r0, r1, r2, r3 = residual[i], residual[i + 1], residual[i + 2], residual[i + 3]
        r4, r5, r6, r7 = residual[i + 4], residual[i + 5], residual[i + 6], residual[i + 7]
        for j in range(k):
            c = center[j]
            first = r0 * (X[i, j] - c) + r1 * (X[i + 1, j] - c) + r2 * (X[i + 2, j] - c) + r3 * (X[i + 3, j] - c)
            rest = r4 * (X[i + 4, j] - c) + r5 * (X[i + 5, j] - c) + r6 * (X[i + 6, j] - c) + r7 * (X[i + 7, j] - c)
            out[j] += first + rest
    for i in range(whole, n):
        for j in range(k):
            out[j] += residual[i] * (X[i, j] - center[j])


@jit(SUMS)
def score(X: Values, center: Array, residual: Array) -> Array:
    """``sum_i residual_i (x_i - center)``."""
    out = np.zeros(X.shape[1])
    _add_score(X, center, residual, out)
    return out


@jit(SUMS)
def slope(
    X: Values, center: Array, slopes: Array, start: float, successes: Array, failures: Array, offset: Array
) -> tuple[float, float, Array]:
    """Log density, sum of the residuals and score of the slopes; each row is read once."""
    n, k = X.shape
    out = np.zeros(k)
    value, total = 0.0, 0.0
    work = np.empty((_TERMS, _ROWS))
    density, residual = work[0], work[1]
    for low in range(0, n, _ROWS):
        high = min(low + _ROWS, n)
        m = high - low
        eta = predict(X[low:high], center, slopes, start)
        for i in range(m):
            eta[i] += offset[low + i]
        log_odds_terms(eta, successes[low:high], failures[low:high], work)
        for i in range(m):
            value += density[i]
            total += residual[i]
        _add_score(X[low:high], center, residual[:m], out)
    return value, total, out


@jit(SUMS)
def _pack(X: Values, center: Array, first: int, low: int, m: int, P: Array) -> None:
    """Rows ``low .. low + m`` as columns of P, so that the vector units run along rows."""
    for j in range(first):
        for i in range(m):
            P[j, i] = 1.0
    for start in range(0, m, 8):
        stop = min(start + 8, m)
        for j in range(X.shape[1]):
            c = center[j]
            for i in range(start, stop):
                P[first + j, i] = X[low + i, j] - c


@jit(SUMS)
def _add_information(P: Array, weight: Array, m: int, Q: Array, H: Array) -> None:
    """Adds ``P diag(weight) P'`` to H, upper triangle, in tiles that stay in the registers."""
    padded = H.shape[0]
    for a in range(0, padded, _TILE):
        for t in range(_TILE):
            for i in range(m):
                Q[t, i] = weight[i] * P[a + t, i]
        q0, q1, q2, q3 = Q[0], Q[1], Q[2], Q[3]
        r0, r1, r2, r3 = H[a], H[a + 1], H[a + 2], H[a + 3]
        for b in range(a, padded, _TILE):
            h00, h01, h02, h03 = 0.0, 0.0, 0.0, 0.0
            h10, h11, h12, h13 = 0.0, 0.0, 0.0, 0.0
            h20, h21, h22, h23 = 0.0, 0.0, 0.0, 0.0
            h30, h31, h32, h33 = 0.0, 0.0, 0.0, 0.0
            p0, p1, p2, p3 = P[b], P[b + 1], P[b + 2], P[b + 3]
            for i in range(m):
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


@jit(SUMS)
def information(X: Values, center: Array, weight: Array, first: int) -> Array:
    """``sum_i weight_i z_i z_i'``, z_i the row after ``first`` ones; only the upper triangle is right."""
    n, p = X.shape[0], X.shape[1] + first
    padded = (p + _TILE - 1) // _TILE * _TILE
    rows = max(32, min(_PACK, _PACKED // padded))
    H, P, Q = np.zeros((padded, padded)), np.zeros((padded, rows)), np.empty((_TILE, rows))
    for low in range(0, n, rows):
        m = min(rows, n - low)
        _pack(X, center, first, low, m, P)
        _add_information(P, weight[low : low + m], m, Q, H)
    return H[:p, :p]


@jit(SUMS)
def expand(
    X: Values,
    center: Array,
    slopes: Array,
    start: float,
    successes: Array,
    failures: Array,
    offset: Array,
    first: int,
) -> tuple[float, float, Array, Array]:
    """Log density, sum of the residuals, score of the slopes, and information (upper triangle); rows are read once."""
    n, k = X.shape
    p = k + first
    padded = (p + _TILE - 1) // _TILE * _TILE
    rows = max(32, min(_PACK, _PACKED // padded))
    H, P, Q = np.zeros((padded, padded)), np.zeros((padded, rows)), np.empty((_TILE, rows))
    out, value, total = np.zeros(k), 0.0, 0.0
    work = np.empty((_TERMS, rows))
    density, residual, variance = work[0], work[1], work[2]
    for low in range(0, n, rows):
        high = min(low + rows, n)
        m = high - low
        eta = predict(X[low:high], center, slopes, start)  # brings the rows into the cache in their order
        for i in range(m):
            eta[i] += offset[low + i]
        _pack(X, center, first, low, m, P)
        log_odds_terms(eta, successes[low:high], failures[low:high], work)
        for i in range(m):
            value += density[i]
            total += residual[i]
        for j in range(k):
            s, column = 0.0, P[first + j]
            for i in range(m):
                s += residual[i] * column[i]
            out[j] += s
        _add_information(P, variance, m, Q, H)
    return value, total, out, H[:p, :p]


@jit(SUMS)
def moments(X: Values, count: Array) -> tuple[Array, Array, Array, Array]:
    """Weighted mean, weighted sum of squares about it, minimum and maximum of each column."""
    n, k = X.shape
    total = 0.0
    mean, squares = np.zeros(k), np.zeros(k)
    lower, upper = np.full(k, np.inf), np.full(k, -np.inf)
    for i in range(n):
        w = count[i]
        total += w
        for j in range(k):
            x = np.float64(X[i, j])
            mean[j] += w * x
            lower[j] = min(lower[j], x)
            upper[j] = max(upper[j], x)
    for j in range(k):
        mean[j] /= total
    for i in range(n):
        w = count[i]
        for j in range(k):
            d = X[i, j] - mean[j]
            squares[j] += w * (d * d)
    return mean, squares, lower, upper
