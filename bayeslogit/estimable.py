"""Which estimates are finite: what the rows on the separating plane fix, and what all rows together do not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.programme import RANK
from bayeslogit.recession import Cone
from bayeslogit.sides import Sides

Array = NDArray[np.float64]
Positions = NDArray[np.intp]
Mask = NDArray[np.bool_]
# A share below which a part of a direction, or of a column, is rounding.
_NOTHING = 1e-9
_COLUMNS_AT_ONCE = 64
# A part of a direction that words can do without, if the rows agree; and significant digits that they might need.
_LITTLE = 1e-6
_DIGITS = (6, 9, 12, 15)


@dataclass(frozen=True)
class Estimable:
    """What the likelihood says of each of the columns that may move.

    Attributes
    ----------
    infinite : array of bool, shape (k,)
        No finite estimate: the column moves along some direction of separation.
    left_out : array of bool, shape (k,)
        Combinations of columns before them; nothing is said of them, and they do not move.
    direction : array, shape (k,), or None
        The direction of separation, with the columns that are left out at rest.
    """

    infinite: Mask
    left_out: Mask
    direction: Array | None


def estimable(found: Cone) -> Estimable:
    """The finite estimates, the infinite ones, and the columns that no row tells from those before them."""
    sides, frame = found.sides, found.sides.frame
    everyone = replace(sides, faces=())
    idle = _seen_by_none(everyone, found.unseen)
    # What a part of size 1 in the frame is made of.
    size = frame.terms(np.ones(sides.columns.size))
    pivots, basis = _echelon(frame.direction(idle), size)
    moving = frame.direction(found.unseen)
    left_out = np.zeros(sides.columns.size, dtype=bool)
    left_out[pivots] = True
    rest = np.abs(moving - basis @ moving[pivots]).max(axis=1, initial=0.0)
    infinite = (rest > _NOTHING * size) & ~left_out
    direction = None if found.recession is None else found.recession.direction[sides.columns]
    if direction is not None:
        at_rest = direction - basis @ direction[pivots]
        at_rest[~infinite] = 0.0
        direction = at_rest if everyone.judge(at_rest).holds else direction
    return Estimable(infinite, left_out, direction)


def plainly(sides: Sides, d: Array) -> Array:
    """A direction of few digits, and of no more columns than it takes, along which the same rows gain; else ``d``.

    So that what is printed is what was verified: a year beyond 2001.5 is not one beyond 2e+03.

    Parameters
    ----------
    sides : Sides
        Its faces are looked past: all rows are asked.
    d : array, shape (k,)
        A verified direction.
    """
    everyone = replace(sides, faces=())
    gained = everyone.judge(d).gained
    effect = np.abs(d) * sides.frame.scale
    effect[: int(sides.has_intercept)] = np.inf
    fewer = np.where(effect < _LITTLE * effect[np.isfinite(effect)].max(initial=0.0), 0.0, d)
    for direction in (fewer, d) if np.any(fewer != d) else (d,):
        for digits in _DIGITS:
            short = np.array([float(f"{each:.{digits}g}") for each in direction])
            judged = everyone.judge(short)
            if judged.holds and judged.gained == gained:
                return short
    return d


def _seen_by_none(sides: Sides, z: Array) -> Array:
    """Those combinations of directions z (k, q) along which no row moves."""
    frame = sides.frame
    while z.shape[1]:
        rows = sides.stray(z, 4 * z.shape[1] + 16).rows
        if rows.shape[0] == 0:
            break
        _, size, Vt = np.linalg.svd(frame.rows(rows) @ z, full_matrices=True)
        rank = max(1, int(np.sum(size > RANK * size[0])))
        z = z @ Vt[rank:].T
    return z


def _echelon(directions: Array, sizes: Array) -> tuple[Positions, Array]:
    """The last columns that each combination of directions can be told by, and the basis that is 1 at one of them."""
    basis, pivots = directions.copy(), list[int]()
    k, q = basis.shape
    for j in range(k - 1, -1, -1):
        done = len(pivots)
        if done == q:
            break
        best = done + int(np.argmax(np.abs(basis[j, done:])))
        if abs(basis[j, best]) <= _NOTHING * sizes[j]:
            continue
        basis[:, [done, best]] = basis[:, [best, done]]
        basis[:, done] /= basis[j, done]
        others = np.arange(q) != done
        basis[:, others] -= np.outer(basis[:, done], basis[j, others])
        pivots.append(j)
    return np.array(pivots, dtype=np.intp), basis[:, : len(pivots)]


def independent(sides: Sides) -> Sides:
    """As many of the first columns as are no combinations of columns before them: a design with more columns than rows.

    The others add nothing: whatever moves the rows moves them through these.
    """
    n, q = sides.design.n_rows, sides.bound.shape[0]
    if sides.columns.size <= n + q:
        return sides
    basis, kept = np.zeros((n + q, 0)), list[int]()
    everything = np.arange(sides.design.source.n_rows)
    for low in range(0, sides.columns.size, _COLUMNS_AT_ONCE):
        part = np.arange(low, min(low + _COLUMNS_AT_ONCE, sides.columns.size))
        some = replace(sides, columns=sides.columns[part], bound=sides.bound[:, part])
        values = np.vstack([some.rows_at(everything).rows, some.bound])
        values /= np.maximum(np.linalg.norm(values, axis=0), 1e-300)
        own = np.zeros((n + q, 0))
        for j, column in zip(part, (values - basis @ (basis.T @ values)).T, strict=True):
            for _ in range(2):
                column = column - basis @ (basis.T @ column) - own @ (own.T @ column)
            size = float(np.linalg.norm(column))
            if size > _NOTHING and len(kept) < n + q:
                own = np.column_stack([own, column / size])
                kept.append(int(j))
        basis = np.hstack([basis, own])
        if len(kept) == n + q:
            break
    return replace(sides, columns=sides.columns[kept], bound=sides.bound[:, kept])


def interpolates(sides: Sides) -> bool:
    """Whether the columns, or twice as many of them as there are rows, can give every row any log-odds whatever.

    Then each outcome without rows of both classes is separated completely. False leaves it open.
    """
    n, k = sides.design.n_rows, sides.columns.size
    if k < n or sides.bound.size:
        return False
    picked = np.unique(np.linspace(0, k - 1, min(k, 2 * n)).astype(np.intp))
    some = replace(sides, columns=sides.columns[picked], bound=sides.bound[:, picked])
    everything = some.rows_at(np.arange(sides.design.source.n_rows))
    if np.any(everything.side == 0.0):
        return False
    rows = some.frame.rows(everything.rows)
    try:
        weights = np.linalg.solve(rows @ rows.T, everything.side)
    except np.linalg.LinAlgError:
        return False
    judged = some.judge(some.frame.exact(some.frame.direction(weights @ rows)))
    return judged.holds and judged.level == 0
