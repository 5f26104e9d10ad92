"""Block coordinate descent on a quadratic with kinks of groups, on the p x p matrix: it never sees the rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslogit.loops.compile import SUMS, jit

Array = NDArray[np.float64]
Positions = NDArray[np.intp]


@jit(SUMS)
def secular(pull: Array, curves: Array, rate: float, start: float) -> float:
    """The t > 0 at which ``sum_k pull_k^2 / (curves_k t + rate)^2`` is one; 0 if ``||pull|| <= rate``.

    One over the root of that sum is concave in t, so Newton's steps on it never pass the root from the left.
    """
    size = np.sqrt(np.sum(pull * pull))
    largest = np.max(curves)
    if size <= rate or largest <= 0.0:
        return 0.0
    least = (size - rate) / largest
    t = max(start, least)
    for step in range(100):
        squares, bent = 0.0, 0.0
        for k in range(pull.size):
            below = curves[k] * t + rate
            part = (pull[k] / below) ** 2
            squares += part
            bent += part * curves[k] / below
        if bent == 0.0:
            break
        new = max(t + (np.sqrt(squares) - 1.0) * squares / bent, least)
        if abs(new - t) <= 1e-15 * t or (step > 0 and new < t):
            break
        t = new
    found: float = t
    return found


@jit(SUMS)
def descend_groups(
    H: Array,
    score: Array,
    start: Array,
    center: Array,
    rate: Array,
    singles: Positions,
    members: Positions,
    starts: Positions,
    group_rate: Array,
    curves: Array,
    directions: Array,
    tol: float,
    most: int,
) -> Array:
    """As `descend`, with a further ``- sum_g group_rate_g ||x_g||``.

    Group g holds the coordinates ``members[starts[g] : starts[g + 1]]``, and ``singles`` those of no group. ``curves``
    are the eigenvalues of the blocks of H, one block after another, and ``directions`` their eigenvectors, row by row.
    A block is solved exactly: with t its length, ``(H_g + rate / t) x_g = pull``, one equation in t.
    """
    x = start.copy()
    slope = score.copy()
    whole = True
    for _ in range(most):
        largest = 0.0
        for j in singles:
            curve = H[j, j]
            if curve <= 0.0 or (not whole and x[j] == center[j] and rate[j] > 0.0):
                continue
            away = x[j] - center[j] + slope[j] / curve
            size = max(abs(away) - rate[j] / curve, 0.0)
            largest = max(largest, _move(H, x, slope, j, center[j] + (size if away > 0.0 else -size)))
        base = 0
        for g in range(group_rate.size):
            own = members[starts[g] : starts[g + 1]]
            Q = directions[base : base + own.size**2].reshape(own.size, own.size)
            base += own.size**2
            length = 0.0
            for j in own:
                length += x[j] * x[j]
            if whole or length > 0.0:
                block = curves[starts[g] : starts[g + 1]]
                largest = max(largest, _solve(H, x, slope, own, block, Q, group_rate[g], np.sqrt(length)))
        if largest <= tol:
            if whole:
                break
            whole = True
        else:
            whole = False
    return x


@jit(SUMS)
def _solve(
    H: Array, x: Array, slope: Array, own: Positions, curves: Array, Q: Array, rate: float, length: float
) -> float:
    """A block to its maximum, the others as they are; the longest step of a coordinate, in sds."""
    d, largest = own.size, 0.0
    pull = np.zeros(d)
    for a in range(d):
        total = slope[own[a]]
        for b in range(d):
            total += H[own[a], own[b]] * x[own[b]]
        for k in range(d):
            pull[k] += Q[a, k] * total
    t = secular(pull, curves, rate, length)
    if t > 0.0:
        for k in range(d):
            pull[k] /= curves[k] + rate / t
    for a in range(d):
        new = 0.0
        if t > 0.0:
            for k in range(d):
                new += Q[a, k] * pull[k]
        largest = max(largest, _move(H, x, slope, own[a], new))
    return largest


@jit(SUMS)
def _move(H: Array, x: Array, slope: Array, j: int, new: float) -> float:
    """One coordinate to where it is wanted, and the slope with it; how far that was, in sds."""
    step = new - x[j]
    if step == 0.0:
        return 0.0
    x[j] = new
    row = H[j]
    for i in range(x.size):
        slope[i] -= step * row[i]
    return float(abs(step) * np.sqrt(row[j]))
