"""Passes over dense rows that are stored column by column, as a stream hands them out.

A few rows of all columns are brought into the cache at a time, centred and in double precision; everything else reads
them there, along the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.loops.compile import SUMS, jit
from bayeslogit.loops.dense import _add_information, log_odds_terms

Array = NDArray[np.float64]
Values = NDArray[Any]

_TERMS = 7  # what log_odds_terms writes, and its scratch
_TILE = 4
# Rows brought into the cache at a time, and numbers of them.
_ROWS = 256
_NUMBERS = 1 << 16


@jit(SUMS)
def _bring(X: Values, center: Array, first: int, low: int, m: int, P: Array) -> None:
    """Rows ``low .. low + m`` of the columns ``X``, shape (k, n), centred, below ``first`` rows of ones."""
    for j in range(first):
        for i in range(m):
            P[j, i] = 1.0
    for j in range(X.shape[0]):
        # A slice, so that no index may be negative: that would keep the loop out of the vector units.
        c, column, out = center[j], X[j, low : low + m], P[first + j]
        for i in range(m):
            out[i] = column[i] - c


@jit(SUMS)
def _log_odds(P: Array, first: int, slopes: Array, m: int, eta: Array) -> None:
    """Adds ``slopes' P`` to ``eta``, four columns at a time."""
    k = slopes.size
    whole = k - k % 4
    for j in range(0, whole, 4):
        b0, b1, b2, b3 = slopes[j], slopes[j + 1], slopes[j + 2], slopes[j + 3]
        p0, p1, p2, p3 = P[first + j], P[first + j + 1], P[first + j + 2], P[first + j + 3]
        for i in range(m):
            eta[i] += (b0 * p0[i] + b1 * p1[i]) + (b2 * p2[i] + b3 * p3[i])
    for j in range(whole, k):
        b, p = slopes[j], P[first + j]
        for i in range(m):
            eta[i] += b * p[i]


@jit(SUMS)
def _add_score(P: Array, first: int, residual: Array, m: int, out: Array) -> None:
    for j in range(out.size):
        total, p = 0.0, P[first + j]
        for i in range(m):
            total += residual[i] * p[i]
        out[j] += total


@jit(SUMS)
def _rows_at_once(padded: int) -> int:
    return max(32, min(_ROWS, _NUMBERS // padded))


@jit(SUMS)
def predict_columns(X: Values, center: Array, slopes: Array, start: float) -> Array:
    """`dense.predict` of columns, shape (k, n)."""
    k, n = X.shape
    out = np.full(n, start)
    rows = _rows_at_once(k)
    P = np.empty((k, rows))
    for low in range(0, n, rows):
        m = min(rows, n - low)
        _bring(X, center, 0, low, m, P)
        _log_odds(P, 0, slopes, m, out[low : low + m])
    return out


@jit(SUMS)
def score_columns(X: Values, center: Array, residual: Array) -> Array:
    """`dense.score` of columns."""
    k, n = X.shape
    out = np.zeros(k)
    rows = _rows_at_once(k)
    P = np.empty((k, rows))
    for low in range(0, n, rows):
        m = min(rows, n - low)
        _bring(X, center, 0, low, m, P)
        _add_score(P, 0, residual[low : low + m], m, out)
    return out


@jit(SUMS)
def slope_columns(
    X: Values, center: Array, slopes: Array, start: float, successes: Array, failures: Array, offset: Array
) -> tuple[float, float, Array]:
    """`dense.slope` of columns; each number is read once."""
    k, n = X.shape
    rows = _rows_at_once(k)
    P, work, eta, out = np.empty((k, rows)), np.empty((_TERMS, rows)), np.empty(rows), np.zeros(k)
    density, residual = work[0], work[1]
    value, total = 0.0, 0.0
    for low in range(0, n, rows):
        m = min(rows, n - low)
        _bring(X, center, 0, low, m, P)
        own = offset[low : low + m]
        for i in range(m):
            eta[i] = start + own[i]
        _log_odds(P, 0, slopes, m, eta)
        log_odds_terms(eta[:m], successes[low : low + m], failures[low : low + m], work)
        for i in range(m):
            value += density[i]
            total += residual[i]
        _add_score(P, 0, residual, m, out)
    return value, total, out


@jit(SUMS)
def information_columns(X: Values, center: Array, weight: Array, first: int) -> Array:
    """`dense.information` of columns; only the upper triangle is right."""
    k, n = X.shape
    p = k + first
    padded = (p + _TILE - 1) // _TILE * _TILE
    rows = _rows_at_once(padded)
    H, P, Q = np.zeros((padded, padded)), np.zeros((padded, rows)), np.empty((_TILE, rows))
    for low in range(0, n, rows):
        m = min(rows, n - low)
        _bring(X, center, first, low, m, P)
        _add_information(P, weight[low : low + m], m, Q, H)
    return H[:p, :p]


@jit(SUMS)
def expand_columns(
    X: Values,
    center: Array,
    slopes: Array,
    start: float,
    successes: Array,
    failures: Array,
    offset: Array,
    first: int,
) -> tuple[float, float, Array, Array]:
    """`dense.expand` of columns; each number is read once."""
    k, n = X.shape
    p = k + first
    padded = (p + _TILE - 1) // _TILE * _TILE
    rows = _rows_at_once(padded)
    H, P, Q = np.zeros((padded, padded)), np.zeros((padded, rows)), np.empty((_TILE, rows))
    work, eta, out = np.empty((_TERMS, rows)), np.empty(rows), np.zeros(k)
    density, residual, variance = work[0], work[1], work[2]
    value, total = 0.0, 0.0
    for low in range(0, n, rows):
        m = min(rows, n - low)
        _bring(X, center, first, low, m, P)
        own = offset[low : low + m]
        for i in range(m):
            eta[i] = start + own[i]
        _log_odds(P, first, slopes, m, eta)
        log_odds_terms(eta[:m], successes[low : low + m], failures[low : low + m], work)
        for i in range(m):
            value += density[i]
            total += residual[i]
        _add_score(P, first, residual, m, out)
        _add_information(P, variance, m, Q, H)
    return value, total, out, H[:p, :p]


@jit(SUMS)
def moments_columns(X: Values, count: Array) -> tuple[Array, Array, Array, Array]:
    """`dense.moments` of columns."""
    k, n = X.shape
    total = 0.0
    for i in range(n):
        total += count[i]
    mean, squares = np.zeros(k), np.zeros(k)
    lower, upper = np.full(k, np.inf), np.full(k, -np.inf)
    for j in range(k):
        column, own, low, high = X[j], 0.0, np.inf, -np.inf
        for i in range(n):
            x = np.float64(column[i])
            own += count[i] * x
            low = min(low, x)
            high = max(high, x)
        center, spread = own / total, 0.0
        for i in range(n):
            d = np.float64(column[i]) - center
            spread += count[i] * (d * d)
        mean[j], squares[j], lower[j], upper[j] = center, spread, low, high
    return mean, squares, lower, upper
