"""Passes over sparse rows: a few dense columns, centred as they are read, then compressed ones, not centred."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.loops.compile import SUMS, jit

Array = NDArray[np.float64]
Values = NDArray[Any]


@jit(SUMS)
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


@jit(SUMS)
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


@jit(SUMS)
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
