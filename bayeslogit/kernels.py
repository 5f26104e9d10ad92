"""Compiled loops over rows, each with a NumPy twin: linear predictors, scores, information matrices.

The loops are linear algebra only; the elementwise functions stay in `logistic`. They are compiled by numba on first
use, for the types at hand, and cached on disk (without a cache directory: for this process). They hold no lock, so
blocks run side by side in `workers`; none of them starts a thread or calls a BLAS. Rows are centred while they are
read, ``x - center``, so that no centred copy is ever made.

A sparse row is read as ``full`` (a few dense columns, centred) followed by its stored values (not centred).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Values = NDArray[Any]

# Sums may be reordered for the vector units; NaN and infinity keep their meaning.
_FASTMATH = frozenset({"reassoc", "contract", "nsz", "arcp"})
# Rows packed at a time: columns x rows stay in the second-level cache up to some hundred columns.
_PACK = 256
# Columns of a tile: 4 x 4 running sums stay in the vector registers.
_TILE = 4


def compiled(name: str) -> Callable[..., Any]:
    """The compiled loop of that name; compiled or read from the disk cache when it is first called."""
    return _compiled()[name]


def twin(name: str) -> Callable[..., Any]:
    """The same function in NumPy."""
    return TWINS[name]


@cache
def _compiled() -> dict[str, Callable[..., Any]]:
    import numba

    options: dict[str, Any] = {"nogil": True, "fastmath": set(_FASTMATH)}
    result: dict[str, Callable[..., Any]] = {}
    for name, loop in LOOPS.items():
        try:
            result[name] = numba.njit(cache=True, **options)(loop)
        except RuntimeError:  # nowhere to write a cache: a read-only installation without a home directory
            result[name] = numba.njit(**options)(loop)
    return result


def _predict(X: Values, center: Array, slopes: Array, start: float) -> Array:
    n, k = X.shape
    out = np.empty(n)
    whole = n - n % 4
    for i in range(0, whole, 4):
        s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
        for j in range(k):
            c, b = center[j], slopes[j]
            s0 += (X[i, j] - c) * b
            s1 += (X[i + 1, j] - c) * b
            s2 += (X[i + 2, j] - c) * b
            s3 += (X[i + 3, j] - c) * b
        out[i], out[i + 1], out[i + 2], out[i + 3] = start + s0, start + s1, start + s2, start + s3
    for i in range(whole, n):
        s0 = 0.0
        for j in range(k):
            s0 += (X[i, j] - center[j]) * slopes[j]
        out[i] = start + s0
    return out


def _score(X: Values, center: Array, residual: Array) -> Array:
    n, k = X.shape
    out = np.zeros(k)
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
    return out


def _information(X: Values, center: Array, weight: Array, first: int) -> Array:
    """``sum_i weight_i z_i z_i'``, z_i the row with ``first`` ones before it; only the upper triangle is right."""
    n, k = X.shape
    p = k + first
    padded = (p + _TILE - 1) // _TILE * _TILE
    H = np.zeros((padded, padded))
    P = np.zeros((padded, _PACK))  # columns of a few rows, so that the vector units run along rows
    Q = np.zeros((_TILE, _PACK))
    for lower in range(0, n, _PACK):
        m = min(_PACK, n - lower)
        for j in range(first):
            for i in range(m):
                P[j, i] = 1.0
        for start in range(0, m, 8):
            stop = min(start + 8, m)
            for j in range(k):
                c = center[j]
                for i in range(start, stop):
                    P[first + j, i] = X[lower + i, j] - c
        for a in range(0, padded, _TILE):
            for t in range(_TILE):
                for i in range(m):
                    Q[t, i] = weight[lower + i] * P[a + t, i]
            for b in range(a, padded, _TILE):
                h00, h01, h02, h03 = 0.0, 0.0, 0.0, 0.0
                h10, h11, h12, h13 = 0.0, 0.0, 0.0, 0.0
                h20, h21, h22, h23 = 0.0, 0.0, 0.0, 0.0
                h30, h31, h32, h33 = 0.0, 0.0, 0.0, 0.0
                q0, q1, q2, q3 = Q[0], Q[1], Q[2], Q[3]
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
                r0, r1, r2, r3 = H[a], H[a + 1], H[a + 2], H[a + 3]
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
    return H[:p, :p]


def _sparse_predict(full: Values, center: Array, data: Values, indices: Values, indptr: Values, slopes: Array) -> Array:
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


def _sparse_score(
    full: Values, center: Array, data: Values, indices: Values, indptr: Values, residual: Array, k: int
) -> Array:
    n, f = full.shape
    out = np.zeros(k)
    for i in range(n):
        r = residual[i]
        for j in range(f):
            out[j] += r * (full[i, j] - center[j])
        for e in range(indptr[i], indptr[i + 1]):
            out[f + indices[e]] += r * data[e]
    return out


def _sparse_information(
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


LOOPS: dict[str, Callable[..., Any]] = {
    "predict": _predict,
    "score": _score,
    "information": _information,
    "sparse_predict": _sparse_predict,
    "sparse_score": _sparse_score,
    "sparse_information": _sparse_information,
}


def _rows(X: Values, center: Array, first: int = 0) -> Array:
    out = np.empty((X.shape[0], X.shape[1] + first))
    out[:, :first] = 1.0
    np.subtract(X, center, out=out[:, first:])
    return out


def _twin_predict(X: Values, center: Array, slopes: Array, start: float) -> Array:
    result: Array = _rows(X, center) @ slopes + start
    return result


def _twin_score(X: Values, center: Array, residual: Array) -> Array:
    result: Array = residual @ _rows(X, center)
    return result


def _twin_information(X: Values, center: Array, weight: Array, first: int) -> Array:
    root = _rows(X, center, first)
    root *= np.sqrt(weight)[:, None]
    result: Array = root.T @ root
    return result


def _csr(data: Values, indices: Values, indptr: Values, columns: int) -> Any:
    from scipy.sparse import csr_array

    return csr_array((data, indices, indptr), shape=(indptr.size - 1, columns))


def _twin_sparse_predict(
    full: Values, center: Array, data: Values, indices: Values, indptr: Values, slopes: Array
) -> Array:
    f = full.shape[1]
    stored = _csr(data, indices, indptr, slopes.size - f)
    result: Array = _rows(full, center) @ slopes[:f] + stored @ slopes[f:]
    return result


def _twin_sparse_score(
    full: Values, center: Array, data: Values, indices: Values, indptr: Values, residual: Array, k: int
) -> Array:
    stored = _csr(data, indices, indptr, k - full.shape[1])
    return np.concatenate([residual @ _rows(full, center), stored.T @ residual])


def _twin_sparse_information(
    full: Values, center: Array, data: Values, indices: Values, indptr: Values, weight: Array, k: int
) -> Array:
    stored, dense = _csr(data, indices, indptr, k - full.shape[1]), _rows(full, center)
    weighted = stored.multiply(weight[:, None]).tocsr()
    cross = weighted.T @ dense
    own = (dense * weight[:, None]).T @ dense
    return np.block([[own, cross.T], [cross, (stored.T @ weighted).toarray()]])


TWINS: dict[str, Callable[..., Any]] = {
    "predict": _twin_predict,
    "score": _twin_score,
    "information": _twin_information,
    "sparse_predict": _twin_sparse_predict,
    "sparse_score": _twin_sparse_score,
    "sparse_information": _twin_sparse_information,
}
