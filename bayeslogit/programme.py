"""Are some rows separated? Newton's steps prove that they overlap, or a programme finds a direction (Konis 2007).

What the programme says is only believed if every row agrees to the rounding of its own inner product; that there is no
direction, only if its multipliers prove that the rows overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dgeqrf

from bayeslogit.interrupts import interruptible
from bayeslogit.overlap import Signed, fitted, proved
from bayeslogit.plane import ROUNDING, SURE, Columns, margins

Array = NDArray[np.float64]
# In the units of the programmes: a coefficient that is none, and a row that is level to their tolerance.
_NOTHING = 1e-12
_LEVEL = 1e-8
_TOLERANCE = 1e-10
# A gain, as a multiple of rounding or beside the effect of a coefficient, that is likely to be none.
_BARELY, _FAINT = 1e5, 1e-9
# Singular values below this share of the largest are those of directions that the rows do not see.
RANK = 1e-11


@dataclass(frozen=True)
class Overlap:
    """The rows overlap: no direction separates them.

    Attributes
    ----------
    unseen : array, shape (k, q)
        Orthonormal directions (in the columns of the programme) that no row sees.
    proved : bool
        False if neither a direction nor a proof was found, as can happen within rounding of separation.
    programmed : bool
        Whether a linear programme was needed.
    """

    unseen: Array
    proved: bool
    programmed: bool = False


@dataclass(frozen=True)
class Face:
    """A direction (k,) in the user's columns along which some gain and none loses; whether a programme found it."""

    direction: Array
    programmed: bool = False


@dataclass(frozen=True)
class Programme:
    """Rows in memory and the columns in which they are decided.

    Attributes
    ----------
    signed : array, shape (m, k)
        ``s_i x_i`` of rows that must not lose.
    level : array, shape (l, k)
        Rows that must stay level, and functions that priors bound.
    columns : Columns
    """

    signed: Array
    level: Array
    columns: Columns

    @cached_property
    def _rows(self) -> Array:
        return self.columns.rows(self.signed)

    @cached_property
    def _equal(self) -> Array:
        """As few rows as say that all rows of ``level`` stay level."""
        rows = self.columns.rows(self.level)
        size = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)
        rows = rows / np.where(size > 0.0, size, 1.0)
        return rows if rows.shape[0] <= rows.shape[1] else _split(rows)[0].T

    @cached_property
    def _coordinates(self) -> tuple[Array, Array]:
        """Orthonormal directions that keep the level rows level: those that signed rows see, and the others."""
        if self._equal.shape[0] == 0:
            seen, unseen = _split(self._rows)
            return (seen, unseen) if unseen.shape[1] else (np.eye(seen.shape[0]), unseen)
        free = _split(self._equal)[1]
        unseen = _split(np.vstack([self._equal, self._rows]))[1]
        left = free.shape[1] - unseen.shape[1]
        across, _, _ = np.linalg.svd(free - unseen @ (unseen.T @ free), full_matrices=False)
        return across[:, :left], unseen

    def decide(self) -> Overlap | Face:
        """A direction that holds for these rows, or that they overlap."""
        seen, unseen = self._coordinates
        if seen.shape[1] == 0:
            return Overlap(unseen, True)
        signed = Signed(self._rows @ seen, self.columns.sizes(self.signed) @ np.abs(seen), self.signed.shape[1])
        doubtful: Face | None = None
        for candidates, programmed, balance in self._attempts(signed, seen):
            for d in candidates:
                held = self._holds(d)
                if held is True:
                    return Face(d, programmed)
                if held is None and doubtful is None:
                    doubtful = Face(d, programmed)
            if balance is True or (isinstance(balance, np.ndarray) and proved(signed, balance)):
                return Overlap(unseen, True, programmed)
        return doubtful or Overlap(unseen, False, True)

    def _attempts(self, signed: Signed, seen: Array) -> Iterator[tuple[tuple[Array, ...], bool, Array | bool | None]]:
        """One after another: directions that may separate; whether from a programme; numbers that may prove overlap."""
        for z, level in fitted(signed):
            yield () if z is None else self._meant(seen @ z, max(level, _LEVEL)), False, z is None or None
        for candidates, r in self._programmes(seen):
            yield candidates, True, r

    def _programmes(self, seen: Array) -> Iterator[tuple[tuple[Array, ...], Array | None]]:
        """Directions that may separate, and numbers that may prove that none does; from one programme after another."""
        # The first looks for any gain at all, the second for a direction along which every row gains.
        z, r = _solve(-self._rows.sum(axis=0), -self._rows, self._equal)
        yield () if z is None else self._meant(z), None if r is None else 1.0 + r
        wide = np.column_stack([-self._rows, np.ones(self._rows.shape[0])])
        equal = np.column_stack([self._equal, np.zeros(self._equal.shape[0])])
        z, _ = _solve(-np.eye(self._rows.shape[1] + 1)[-1], wide, equal)
        yield () if z is None else self._meant(z[:-1]), None
        # Neither a direction nor a proof: the columns, or some combination of them, may hardly differ. The third runs
        # in coordinates in which they are orthonormal.
        rows = self._rows @ seen
        U, size, Vt = interruptible(lambda: np.linalg.svd(rows, full_matrices=False), 20.0 * rows.size * rows.shape[1])
        long = float(np.sqrt(U.shape[0]))
        noise = min(max(ROUNDING * size[0] / size[-1], _TOLERANCE), 1e-6)
        w, r = _solve(-long * U.sum(axis=0), -long * U, np.zeros((0, U.shape[1])), noise)
        yield () if w is None else self._levelled(w, U, seen @ (Vt.T / size)), None if r is None else 1.0 + r

    def _levelled(self, w: Array, rows: Array, back: Array) -> tuple[Array, ...]:
        """As `_meant`, of a direction ``back @ w`` of the frame, along which the rows gain ``rows @ w``."""
        w = w / np.abs(back @ w).max()
        near = np.abs(rows @ w) < 1e-6 * np.abs(rows @ w).max()
        d = self.columns.direction(back @ w)
        step = np.linalg.lstsq(rows[near], -(self.signed[near] @ d), rcond=_LEVEL)[0] if near.any() else 0.0 * w
        return self.columns.exact(d + self.columns.direction(back @ step)), self.columns.exact(d)

    def _meant(self, z: Array, level: float = _LEVEL) -> tuple[Array, Array]:
        """The direction that a programme found, made level to the last digit on rows that it left nearly so; and as is.

        What is left of each row is worked out in the user's columns, where it carries the row's own digits.
        """
        columns = self.columns
        z = np.where(np.abs(z) < _NOTHING, 0.0, z)
        d = columns.direction(z)
        rows = np.vstack([self.signed[np.abs(self._rows @ z) < level], self.level])
        used = z != 0.0
        used[:1] |= columns.center is not None
        U, size, Vt = np.linalg.svd(columns.rows(rows)[:, used], full_matrices=False)
        seen = size > _LEVEL
        step = np.zeros_like(z)
        step[used] = Vt[seen].T @ (U[:, seen].T @ -(rows @ d) / size[seen])
        return columns.exact(d + columns.direction(step)), columns.exact(d)

    def _holds(self, d: Array) -> bool | None:
        """Whether no row loses, the rows that must stay level do, and some truly gain; None if some barely gain.

        A row that gains next to nothing is more likely one that a better direction leaves level.
        """
        gains = margins(self.signed, d)
        level = np.abs(margins(self.level, d))
        if not (np.all(gains >= -1.0) and np.all(level <= 1.0) and np.any(gains > SURE)):
            return False
        effect = float(np.max(np.abs(d) * self.columns.scale))
        barely = (gains < _BARELY) | (self.signed @ d < _FAINT * effect)
        return None if np.any((gains > 1.0) & barely) else True


def _split(rows: Array) -> tuple[Array, Array]:
    """Orthonormal directions that the rows see, shape (k, r), and those that none of them sees, shape (k, k - r)."""
    k = rows.shape[1]
    if rows.size == 0:
        return np.zeros((k, 0)), np.eye(k)
    if rows.shape[0] > k:  # what the rows see is what their triangle sees
        tall = rows
        rows = interruptible(lambda: _triangle(tall), 2.0 * tall.size * k)
    _, size, Vt = np.linalg.svd(rows, full_matrices=rows.shape[0] < k)
    rank = int(np.sum(size > RANK * size[0]))
    return Vt[:rank].T, Vt[rank:].T


def _triangle(rows: Array) -> Array:
    """R of the QR decomposition, by LAPACK itself: NumPy's wrapper lets no other thread see Ctrl-C meanwhile."""
    k = rows.shape[1]
    result: Array = np.triu(dgeqrf(rows, lwork=64 * k)[0][:k])
    return result


def _solve(
    objective: Array, rows: Array, equal: Array, tolerance: float = _TOLERANCE
) -> tuple[Array | None, Array | None]:
    """Minimise over the unit box: where, or the multipliers of the rows if the minimum is zero."""
    from scipy.optimize import linprog

    programme = partial(
        linprog,
        objective,
        A_ub=rows,
        b_ub=np.zeros(rows.shape[0]),
        A_eq=equal if equal.size else None,
        b_eq=np.zeros(equal.shape[0]) if equal.size else None,
        bounds=[(-1.0, 1.0)] * objective.size,
        method="highs",
        options={"primal_feasibility_tolerance": tolerance, "dual_feasibility_tolerance": _TOLERANCE},
    )
    # A pivot passes over the rows, and there are about as many pivots as columns, or several times as many.
    solution = interruptible(programme, 10.0 * rows.size * rows.shape[1])
    if solution.x is None or solution.fun is None:
        return None, None
    if solution.fun > -1e-7:
        return None, np.maximum(-solution.ineqlin.marginals, 0.0)
    return np.asarray(solution.x, dtype=np.float64), None
