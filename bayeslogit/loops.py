"""The compiled loops; `kernels` opens this room, with numba in it, when data are large enough to be worth it.

None of them starts a thread, holds a lock or calls a BLAS: blocks run side by side in `workers`. Rows are centred while
they are read, ``x - center``, so no centred copy is ever made. Every loop has a twin in NumPy, in `kernels`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Values = NDArray[Any]
Loop = Callable[..., Any]

# Sums may be reordered for the vector units; NaN and infinity keep their meaning. Elementwise functions keep their
# order too: the reduction of an argument modulo log 2 lives on it.
_SUMS = {"reassoc", "contract", "nsz", "arcp"}
_ELEMENTS = {"contract"}
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


def _jit(flags: set[str]) -> Callable[[Loop], Loop]:
    """A decorator: compiled without the lock of the interpreter, cached on disk where there is a place to write.

    Divisions follow IEEE: a check for zero would keep them out of the vector units.
    """

    def compile_(loop: Loop) -> Loop:
        try:
            compiled: Loop = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=flags)(loop)
        except RuntimeError:  # no place for a cache: a read-only installation without a home directory
            compiled = numba.njit(nogil=True, error_model="numpy", fastmath=flags)(loop)
        return compiled

    return compile_


@_jit(_ELEMENTS)
def _exp_minus(size: Array, out: Array) -> None:
    """``exp(-|size|)`` as 2^-k exp(-r) with |r| <= log(2) / 2, where the Taylor polynomial is good to an ulp."""
    for i in range(size.size):
        x = min(abs(size[i]), _FARTHEST)
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


@_jit(_ELEMENTS)
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


@_jit(_ELEMENTS)
def log_odds_terms(eta: Array, y: Array, trials: Array, weights: Array, out: Array) -> None:
    """`logistic.log_odds_terms` with weights: log density, residual and weighted variance into the rows of ``out``.

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
        density[i] = -y[i] * (shared[i] - min(eta[i], 0.0)) - (trials[i] - y[i]) * (shared[i] + max(eta[i], 0.0))
    for i in range(n):
        residual[i] = weights[i] * (y[i] * complement[i] - (trials[i] - y[i]) * mu[i])
    for i in range(n):
        variance[i] = weights[i] * (trials[i] * (mu[i] * complement[i]))
    for i in range(n):
        density[i] *= weights[i]


@_jit(_SUMS)
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


@_jit(_SUMS)
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


@_jit(_SUMS)
def score(X: Values, center: Array, residual: Array) -> Array:
    """``sum_i residual_i (x_i - center)``."""
    out = np.zeros(X.shape[1])
    _add_score(X, center, residual, out)
    return out


@_jit(_SUMS)
def slope(
    X: Values, center: Array, slopes: Array, start: float, y: Array, trials: Array, weights: Array, offset: Array
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
        log_odds_terms(eta, y[low:high], trials[low:high], weights[low:high], work)
        for i in range(m):
            value += density[i]
            total += residual[i]
        _add_score(X[low:high], center, residual[:m], out)
    return value, total, out


@_jit(_SUMS)
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


@_jit(_SUMS)
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


@_jit(_SUMS)
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


@_jit(_SUMS)
def expand(
    X: Values,
    center: Array,
    slopes: Array,
    start: float,
    y: Array,
    trials: Array,
    weights: Array,
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
        log_odds_terms(eta, y[low:high], trials[low:high], weights[low:high], work)
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


@_jit(_SUMS)
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


@_jit(_SUMS)
def sparse_predict(full: Values, center: Array, data: Values, indices: Values, indptr: Values, slopes: Array) -> Array:
    """``(full_i - center)' slopes`` plus the stored values of each compressed row times theirs."""
    n, f = full.shape
    out = np.empty(n)
    for i in range(n):
        total = 0.0
        for j in range(f):
            total += (full[i, j] - center[j]) * slopes[j]
        for e in range(indptr[i], indptr[i + 1]):
            total += data[e] * slopes[f + indices[e]]
        out[i] = total
    return out


@_jit(_SUMS)
def sparse_score(
    full: Values, center: Array, data: Values, indices: Values, indptr: Values, residual: Array, k: int
) -> Array:
    """``sum_i residual_i z_i``, z_i the dense columns, centred, and the compressed ones, not centred."""
    n, f = full.shape
    out = np.zeros(k)
    for i in range(n):
        r = residual[i]
        for j in range(f):
            out[j] += r * (full[i, j] - center[j])
        for e in range(indptr[i], indptr[i + 1]):
            out[f + indices[e]] += r * data[e]
    return out


@_jit(_SUMS)
def sparse_information(
    full: Values, center: Array, data: Values, indices: Values, indptr: Values, weight: Array, k: int
) -> Array:
    """``sum_i weight_i z_i z_i'`` over the stored pairs of each row; only the lower triangle is right."""
    n, f = full.shape
    H = np.zeros((k, k))
    z = np.empty(f)
    for i in range(n):
        w = weight[i]
        for j in range(f):
            z[j] = full[i, j] - center[j]
        for j in range(f):
            wz = w * z[j]
            row = H[j]
            for b in range(j + 1):
                row[b] += wz * z[b]
        for e in range(indptr[i], indptr[i + 1]):
            wz = w * data[e]
            row = H[f + indices[e]]
            for b in range(f):
                row[b] += wz * z[b]
            for d in range(indptr[i], e + 1):
                row[f + indices[d]] += wz * data[d]
    return H


@_jit(_SUMS)
def cholesky(A: Array) -> Array:
    """Upper triangular R with ``R'R = A``; a pivot that is not positive becomes NaN, and all after it."""
    p = A.shape[0]
    R = np.zeros((p, p))
    for i in range(p):
        R[i, i:] = A[i, i:]
    for low in range(0, p, _TILE):
        high = min(low + _TILE, p)
        for i in range(low, high):
            for t in range(low, i):
                share = R[t, i]
                for j in range(i, p):
                    R[i, j] -= share * R[t, j]
            pivot = np.sqrt(R[i, i]) if R[i, i] > 0.0 else np.nan
            for j in range(i, p):
                R[i, j] /= pivot
        if high - low < _TILE:
            break
        r0, r1, r2, r3 = R[low], R[low + 1], R[low + 2], R[low + 3]
        for i in range(high, p):
            s0, s1, s2, s3, row = r0[i], r1[i], r2[i], r3[i], R[i]
            for j in range(i, p):
                row[j] -= s0 * r0[j] + s1 * r1[j] + s2 * r2[j] + s3 * r3[j]
    return R


@_jit(_SUMS)
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


LOOPS: dict[str, Callable[..., Any]] = {
    "predict": predict,
    "score": score,
    "slope": slope,
    "information": information,
    "expand": expand,
    "moments": moments,
    "cholesky": cholesky,
    "solve": solve,
    "sparse_predict": sparse_predict,
    "sparse_score": sparse_score,
    "sparse_information": sparse_information,
}
