"""Passes over a block of rows, compiled or in NumPy: linear predictors, scores, informations, expansions, moments.

Small data are worked by the NumPy twins, which need no compiler; large ones by the loops of `loops`, compiled by numba
on first use and cached on disk. A test holds each pair together. Which of the two works depends on the size of the data
alone, so the same input gives the same bits.

A sparse row is ``full`` (a few dense columns, centred as they are read) followed by its stored values (not centred).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtri

from bayeslogit.interrupts import answering, deferred
from bayeslogit.logistic import log_odds_terms

Array = NDArray[np.float64]
Values = NDArray[Any]
# Numbers from which on the threads of a BLAS pay; below, routines that wake them anyway are kept away from.
THREADS_PAY = 1 << 16


def kernel(name: str, compiled: bool) -> Callable[..., Any]:
    """The pass of that name."""
    if not compiled:
        return TWINS[name]
    return _loop(name)


@functools.cache
def _loop(name: str) -> Callable[..., Any]:
    with deferred():
        from bayeslogit.loops import LOOPS

    return answering(LOOPS[name])


def _rows(X: Values, center: Array | None, first: int = 0) -> Array:
    if center is None and first == 0 and X.dtype == np.float64:
        return X
    out = np.empty((X.shape[0], X.shape[1] + first))
    out[:, :first] = 1.0
    np.subtract(X, 0.0 if center is None else center, out=out[:, first:])
    return out


def _twin_predict(X: Values, center: Array | None, slopes: Array, start: float) -> Array:
    result: Array = _rows(X, center) @ slopes + start
    return result


def _twin_score(X: Values, center: Array | None, residual: Array) -> Array:
    result: Array = residual @ _rows(X, center)
    return result


def _twin_information(X: Values, center: Array | None, weight: Array, first: int) -> Array:
    rows = _rows(X, center, first)
    return _weighted_products(rows, weight)


def own_products(half: Array) -> Array:
    """``half' half``.

    Of a copy when it is small: NumPy hands a matrix times itself to a routine that wakes every thread of the BLAS for
    the smallest of them, and they take ten times as long when the cores are busy.
    """
    result: Array = (half.T.copy() if half.size < THREADS_PAY else half.T) @ half
    return result


def _weighted_products(rows: Array, weight: Array) -> Array:
    products = rows.T @ (rows * weight[:, None])
    result: Array = 0.5 * (products + products.T)
    return result


def _twin_cholesky(A: Array) -> Array:
    # LAPACK itself: scipy's wrappers cost more than a small factorisation. Its lower triangle by columns is our upper
    # one by rows.
    lower, failed = dpotrf(A.T, lower=1, clean=1)
    return np.full_like(A, np.nan) if failed else np.ascontiguousarray(lower.T)


def _twin_variances(R: Array) -> Array:
    half: Array = dtrtri(R)[0]
    return np.square(half).sum(axis=1)


def _twin_solve(R: Array, b: Array) -> Array:
    x, _ = dpotrs(R.T, b, lower=1)
    result: Array = x
    return result


def _twin_descend(H: Array, score: Array, start: Array, center: Array, rate: Array, tol: float, most: int) -> Array:
    x, slope, whole = start.copy(), score.copy(), True
    curves = H.diagonal()
    for _ in range(most):
        largest = 0.0
        for j in np.flatnonzero((curves > 0.0) & (whole | (x != center) | (rate == 0.0))):
            away = x[j] - center[j] + slope[j] / curves[j]
            new = center[j] + np.sign(away) * max(abs(away) - rate[j] / curves[j], 0.0)
            step = new - x[j]
            if step != 0.0:
                x[j] = new
                slope -= step * H[j]
                largest = max(largest, abs(step) * np.sqrt(curves[j]))
        if largest <= tol and whole:
            break
        whole = largest <= tol
    return x


def _secular(pull: Array, curves: Array, rate: float, start: float) -> float:
    size, largest = float(np.sqrt(pull @ pull)), float(curves.max())
    if size <= rate or largest <= 0.0:
        return 0.0
    least = (size - rate) / largest
    t = max(start, least)
    for step in range(100):
        below = curves * t + rate
        parts = np.square(pull / below)
        squares, bent = float(parts.sum()), float(parts @ (curves / below))
        if bent == 0.0:
            break
        new = max(t + (np.sqrt(squares) - 1.0) * squares / bent, least)
        if abs(new - t) <= 1e-15 * t or (step > 0 and new < t):
            break
        t = new
    return t


def _twin_descend_groups(
    H: Array,
    score: Array,
    start: Array,
    center: Array,
    rate: Array,
    singles: Values,
    members: Values,
    starts: Values,
    group_rate: Array,
    curves: Array,
    directions: Array,
    tol: float,
    most: int,
) -> Array:
    x, slope, whole = start.copy(), score.copy(), True
    diagonal, ends = H.diagonal(), np.cumsum(np.square(np.diff(starts)))
    groups = [
        (members[a:b], curves[a:b], directions[end - (b - a) ** 2 : end].reshape(b - a, b - a), rate_g)
        for a, b, end, rate_g in zip(starts[:-1], starts[1:], ends, group_rate, strict=True)
    ]
    for _ in range(most):
        largest = 0.0
        for j in singles:
            if diagonal[j] <= 0.0 or not (whole or x[j] != center[j] or rate[j] == 0.0):
                continue
            away = x[j] - center[j] + slope[j] / diagonal[j]
            step = center[j] + np.sign(away) * max(abs(away) - rate[j] / diagonal[j], 0.0) - x[j]
            x[j] += step
            slope -= step * H[j]
            largest = max(largest, abs(step) * np.sqrt(diagonal[j]))
        for own, curve, Q, rate_g in groups:
            if not (whole or np.any(x[own])):
                continue
            pull = Q.T @ (slope[own] + H[np.ix_(own, own)] @ x[own])
            t = _secular(pull, curve, rate_g, float(np.sqrt(x[own] @ x[own])))
            new = Q @ (pull / (curve + rate_g / t)) if t > 0.0 else np.zeros(own.size)
            steps = new - x[own]
            x[own] = new
            slope -= steps @ H[own]
            largest = max(largest, float(np.max(np.abs(steps) * np.sqrt(diagonal[own]))))
        if largest <= tol and whole:
            break
        whole = largest <= tol
    return x


def _twin_panel_slope(
    P: Array, gamma: Array, successes: Array, failures: Array, offset: Array, residual: Array, variance: Array
) -> tuple[float, Array]:
    P = P[:, : gamma.size]
    terms = log_odds_terms(gamma @ P + offset, successes, failures)
    residual[...] = terms.residual
    variance[...] = (successes + failures) * terms.variance
    return float(terms.log_density.sum()), (P @ residual[:, :, None]).sum(axis=(0, 2))


def _twin_panel_information(P: Array, weight: Array, first: int, last: int) -> Array:
    P = P[:, :last]
    result: Array = ((P[:, first:] * weight[:, None]) @ P.transpose(0, 2, 1)).sum(axis=0)
    return result


def _twin_group_rows(
    bits: Values, more: Values, successes: Array, failures: Array, most: int
) -> tuple[NDArray[np.int64], Array, Array]:
    whole = np.column_stack([bits.astype(np.uint64), more])
    _, first, groups = np.unique(whole, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    if first.size > most:
        return first[:0], successes[:0], failures[:0]
    s, f = (np.bincount(groups.ravel(), weights=counts)[order] for counts in (successes, failures))
    return first[order], s, f


def _csr(data: Values, indices: Values, indptr: Values, columns: int) -> Any:
    from scipy.sparse import csr_array

    low, high = indptr[0], indptr[-1]  # a block's pointers go into the arrays of the whole
    return csr_array((data[low:high], indices[low:high], indptr - low), shape=(indptr.size - 1, columns))


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


def _twin_slope(
    X: Values, center: Array | None, slopes: Array, start: float, successes: Array, failures: Array, offset: Array
) -> tuple[float, float, Array]:
    rows = _rows(X, center)
    terms = log_odds_terms(rows @ slopes + (start + offset), successes, failures)
    return float(terms.log_density.sum()), float(terms.residual.sum()), terms.residual @ rows


def _twin_expand(
    X: Values,
    center: Array | None,
    slopes: Array,
    start: float,
    successes: Array,
    failures: Array,
    offset: Array,
    first: int,
) -> tuple[float, float, Array, Array]:
    rows = _rows(X, center, first)
    eta = rows[:, first:] @ slopes
    eta += start + offset if start else offset
    terms = log_odds_terms(eta, successes, failures)
    score = terms.residual @ rows[:, first:]
    information = _weighted_products(rows, (successes + failures) * terms.variance)
    return float(terms.log_density.sum()), float(terms.residual.sum()), score, information


def _twin_moments(X: Values, count: Array) -> tuple[Array, Array, Array, Array]:
    values = np.asarray(X, dtype=np.float64)
    mean = count @ values / count.sum()
    return mean, count @ np.square(values - mean), values.min(axis=0), values.max(axis=0)


def _of_columns(twin: Callable[..., Any]) -> Callable[..., Any]:
    """The same of rows that are stored column by column, shape (k, n)."""
    return lambda columns, *rest: twin(columns.T, *rest)


TWINS: dict[str, Callable[..., Any]] = {
    "predict_columns": _of_columns(_twin_predict),
    "score_columns": _of_columns(_twin_score),
    "slope_columns": _of_columns(_twin_slope),
    "information_columns": _of_columns(_twin_information),
    "expand_columns": _of_columns(_twin_expand),
    "moments_columns": _of_columns(_twin_moments),
    "predict": _twin_predict,
    "score": _twin_score,
    "slope": _twin_slope,
    "information": _twin_information,
    "expand": _twin_expand,
    "moments": _twin_moments,
    "cholesky": _twin_cholesky,
    "solve": _twin_solve,
    "variances": _twin_variances,
    "descend": _twin_descend,
    "descend_groups": _twin_descend_groups,
    "panel_slope": _twin_panel_slope,
    "panel_information": _twin_panel_information,
    "group_rows": _twin_group_rows,
    "sparse_predict": _twin_sparse_predict,
    "sparse_score": _twin_sparse_score,
    "sparse_information": _twin_sparse_information,
}
