"""Is the outcome separated? The directions in which the likelihood, or the posterior, rises for ever.

A direction d with ``s_i x_i'd >= 0`` for every row (s = +1 for a success, -1 for a failure, 0 = both must be level)
along which at least one row gains, and which no proper prior sees, makes the log posterior rise for ever (Albert and
Anderson 1984). The rows that gain are done with; the rest may be separated in turn, by a direction that may lose among
those done with, since enough of the first makes up for it. What is left at last overlaps, and the estimates that it
fixes are the finite ones.

Few rows decide: if some overlap, and see every direction that the others see, all do. So a sample is decided first, and
the rows that a direction found for it violates are added until none is left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.programme import Face, Overlap, Programme
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.sides import Sides

Array = NDArray[np.float64]
Positions = NDArray[np.intp]

# Rows of either class in the first sample: so many, and so many more for each column. Where columns are many fewer do:
# about as many as there are columns are separated by chance in half of all samples (Cover 1965).
_LEAST, _PER_COLUMN = 500, 12
_ENOUGH, _ROWS = 2, 1200
# Rows that are added in the first round, for each column; they double from round to round.
_ADDED = 4


@dataclass(frozen=True)
class Recession:
    """A verified direction of separation.

    Attributes
    ----------
    direction : array, shape (p,)
        In the user's columns; the coefficients move along it without bound.
    complete : bool
        Whether every row gains (complete separation) or some stay on the plane (quasi-complete).
    """

    direction: Array
    complete: bool


@dataclass(frozen=True)
class Cone:
    """All directions along which no row loses, as far as it matters which rows gain and which coefficients move.

    Attributes
    ----------
    sides : Sides
        With a verified direction for each face; the rows that gain along none stay level along all.
    unseen : array, shape (k, q)
        Directions, in the frame of the sides, that none of the rows left sees: the span of the cone.
    recession : Recession or None
        A direction along which every row gains that gains along any; None if the rows overlap.
    proved : bool
        Whether it is proved that what is left overlaps.
    programmed : bool
        Whether a linear programme was needed.
    """

    sides: Sides
    unseen: Array
    recession: Recession | None
    proved: bool
    programmed: bool


def recession_direction(design: Design, prior: ResolvedPrior) -> Recession | None:
    """A direction along which the log posterior rises for ever, or None if none could be verified.

    Of all such directions it is one along which as many rows gain as along any.

    Parameters
    ----------
    design : Design
        Rows with weight 0 are left out; rows with 0 < y < trials count as both classes.
    prior : ResolvedPrior
        Only directions that its proper terms do not see are of interest.
    """
    return cone(free_sides(design, prior)).recession


def free_sides(design: Design, prior: ResolvedPrior | None = None) -> Sides:
    """The rows in the columns that no proper term of the prior holds by themselves."""
    p = len(design.columns)
    if prior is None:
        return Sides(design, np.arange(p), np.zeros((0, p)))
    held = np.zeros(p, dtype=bool)
    for term in prior.terms:
        if term.proper and term.map is None:
            held[list(term.columns)] = True
    free = np.flatnonzero(~held) if not prior.whole else np.empty(0, dtype=np.intp)
    maps = [term.map[:, free] for term in prior.terms if term.proper and term.map is not None]
    bound = np.vstack([*maps, np.zeros((0, free.size))])
    return Sides(design, free, bound[np.any(bound != 0.0, axis=1)])


def cone(sides: Sides, start: Array | None = None) -> Cone:
    """Every row that can gain, face by face.

    Parameters
    ----------
    start : array, shape (p,), optional
        A direction to begin with, such as a mode: the rows on its wrong side are looked at first.
    """
    found: list[Array] = []
    programmed = False
    while True:
        face = _next_face(sides, start if not found else None)
        programmed |= face.programmed
        if isinstance(face, Overlap):
            break
        found.append(face.direction)
        sides = replace(sides, faces=(*sides.faces, sides.whole(face.direction)))
    recession = _joined(replace(sides, faces=()), found) if found else None
    return Cone(sides, face.unseen, recession, face.proved, programmed)


def _next_face(sides: Sides, start: Array | None) -> Face | Overlap:
    """A direction of the rows that are left, or that they overlap."""
    k = sides.columns.size
    if k == 0:
        return Overlap(np.zeros((0, 0)), True)
    most, added = _LEAST + min(_PER_COLUMN * k, max(_ENOUGH * k, _ROWS)), max(100, _ADDED * k)
    picked = sides.sample(3 * most if sides.design.source.n_rows > 4 * most else sides.design.source.n_rows)
    if start is not None:
        first = sides.judge(start[sides.columns], added)
        if first.holds:
            return Face(start[sides.columns])
        picked = picked.more(first.losing)
    programmed = False
    while True:
        mixed = picked.side == 0.0
        level = np.vstack([picked.rows[mixed], sides.bound])
        found = Programme(picked.rows[~mixed] * picked.side[~mixed, None], level, sides.frame).decide()
        programmed |= found.programmed
        if isinstance(found, Overlap):
            if found.unseen.shape[1] == 0:
                return replace(found, programmed=programmed)
            more = sides.stray(found.unseen, added)
        else:
            judged = sides.judge(found.direction, added)
            if judged.holds:
                return replace(found, programmed=programmed)
            more = judged.losing
        grown = picked.more(more)
        if grown.side.size == picked.side.size:
            # Nothing new to decide by: an overlap of all, or a direction that holds only within rounding.
            return Overlap(found.unseen, found.proved, programmed) if isinstance(found, Overlap) else _undecided(k)
        picked, added = grown, 2 * added


def _undecided(k: int) -> Overlap:
    return Overlap(np.zeros((k, 0)), False, True)


def _joined(sides: Sides, found: list[Array]) -> Recession:
    """One direction along which every row gains that gains along some face."""
    total = found[0]
    judged = sides.judge(total)
    for d in found[1:]:
        room = replace(sides, faces=(sides.whole(total),)).room(d)
        size = float(sides.frame.scale @ np.abs(total)) / float(sides.frame.scale @ np.abs(d))
        there = total + min(0.5 * room, size) * d
        better = sides.judge(there)
        # A face that is steep beside the rounding of the one before it stays apart.
        if not better.holds or better.gained <= judged.gained:
            break
        total, judged = there, better
    return Recession(sides.whole(total), judged.level == 0)
