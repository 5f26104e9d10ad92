"""The rows of a design that are still to be separated, and the passes that ask about them.

Every question is one pass over the blocks and brings back a bounded number of rows, so that data of any length are
decided in little memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.plane import SURE, Columns, Concatenated, Judgement, Least, Picked, rounding, side, worst
from bayeslogit.sources.memory import Block
from bayeslogit.sources.spread import Spread, coins

Array = NDArray[np.float64]
Positions = NDArray[np.intp]

# Numbers that are worked out at once.
_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class Sides:
    """The rows of a design that are still to be separated, in the columns that may move.

    Attributes
    ----------
    design : Design
    columns : array of int, shape (k,)
        The columns that may move; the others have priors of their own.
    bound : array, shape (q, k)
        Functions of them that the priors bound too.
    faces : tuple of arrays, shape (p,)
        Verified directions; the rows that gain along one of them are done with.
    """

    design: Design
    columns: Positions
    bound: Array
    faces: tuple[Array, ...] = ()

    @property
    def has_intercept(self) -> bool:
        return self.design.has_intercept and self.columns.size > 0 and self.columns[0] == 0

    @cached_property
    def slopes(self) -> Positions:
        """Positions of the slopes that may move, among the slopes."""
        return self.columns[int(self.has_intercept) :] - int(self.design.has_intercept)

    @cached_property
    def frame(self) -> Columns:
        """Slopes about their means where there is an intercept to take these up, in units of their largest value."""
        moments, mean = self.design.moments, self.design.moments.mean[self.slopes]
        center = mean if self.has_intercept else 0.0 * mean
        size = np.maximum(np.abs(moments.lower[self.slopes] - center), np.abs(moments.upper[self.slopes] - center))
        scale = np.concatenate([np.ones(int(self.has_intercept)), np.where(size > 0.0, size, 1.0)])
        return Columns(mean if self.has_intercept else None, scale)

    @cached_property
    def largest(self) -> Array:
        """The largest absolute value of each column, shape (k,)."""
        moments = self.design.moments
        size = np.maximum(np.abs(moments.lower), np.abs(moments.upper))[self.slopes]
        return np.concatenate([np.ones(int(self.has_intercept)), size])

    def whole(self, d: Array) -> Array:
        """A direction of the columns that may move, as one of all; shape (p,)."""
        result = np.zeros(len(self.design.columns))
        result[self.columns] = d
        return result

    def dense(self, block: Block, rows: Positions) -> Array:
        """Rows of a block in the columns that may move, shape (m, k)."""
        values = block.X.take(rows).columns(self.slopes)
        return np.column_stack([np.ones(rows.size), values]) if self.has_intercept else values

    # --- passes ----------------------------------------------------------------------------------------------------

    def sample(self, most: int) -> Picked:
        """About so many rows: as many of either class and of both, evenly spaced among their like."""
        if isinstance(self.design.source, Spread):
            share, n = self.design.n_events / self.design.nobs, max(self.design.source.n_rows, 1)
            rates = (0.5 * most / (n * max(each, 1.0 / n)) for each in (share, 1.0 - share))
            return self.design.reduce(self._tossed, 2 * most, *rates)
        y, trials, weights = self.design.outcome_arrays()
        used, spread = weights > 0.0, []
        for kind in (y == trials, y == 0.0, (y != 0.0) & (y != trials)):
            rows = np.flatnonzero(used & kind)
            share = rows.size if y.size <= most else min(rows.size, most // 3)
            spread.append(rows[np.linspace(0, rows.size - 1, share).astype(np.intp)])
        return self.rows_at(np.sort(np.concatenate(spread)))

    def rows_at(self, positions: Positions) -> Picked:
        """The rows at sorted positions, but for those that have no weight or are done with."""
        return self.design.reduce(self._rows_at, positions)

    def _tossed(self, block: Block, most: int, of_events: float, of_others: float) -> Picked:
        rows = np.flatnonzero(coins(block) < np.where(block.y > 0.0, of_events, of_others))
        return replace(self._rows_at(block, rows + block.start), most=most)

    def _rows_at(self, block: Block, positions: Positions) -> Picked:
        low, high = np.searchsorted(positions, [block.start, block.start + block.y.size])
        rows = positions[low:high] - block.start
        rows = rows[~np.isnan(side(block)[rows]) & ~self._gone(block, rows)]
        sides = side(block)[rows]
        return Picked(self.dense(block, rows), sides, rows + block.start, np.zeros(rows.size), positions.size)

    def judge(self, d: Array, most: int = 0) -> Judgement:
        """What a direction (k,) does to the rows that are left; the ``most`` that lose most are brought back."""
        return self.design.reduce(self._judge, d, most)

    def _judge(self, block: Block, d: Array, most: int) -> Judgement:
        rows = self._left(block)
        sides, margin = side(block)[rows], self._margins(block, rows, d)
        lost, level = margin < -1.0, np.abs(margin) <= 1.0
        gained = margin > 1.0
        bad = np.flatnonzero(lost)
        bad = bad[worst(-margin[bad], most)] if most else bad[:0]
        losing = Picked(self.dense(block, rows[bad]), sides[bad], rows[bad] + block.start, -margin[bad], max(most, 1))
        return Judgement(
            losing,
            int(lost.sum()),
            int(level.sum()),
            int(gained.sum()),
            int(np.sum(level & (sides == 0.0))),
            float(margin.max(initial=0.0)),
        )

    def level_rows(self) -> Positions:
        """Positions of the rows that gain along no face."""
        return self.design.reduce(self._level_rows).values

    def _level_rows(self, block: Block) -> Concatenated:
        return Concatenated(self._left(block) + block.start)

    def room(self, d: Array) -> float:
        """How far one can go along ``d`` (k,) from the first face before a row that gains along that face is level."""
        return self.design.reduce(self._room, d).value

    def _room(self, block: Block, d: Array) -> Least:
        rows = np.flatnonzero(~np.isnan(side(block)))
        rows = rows[self._gone(block, rows)]
        X, sides = block.X.take(rows), side(block)[rows]
        gain, loss = sides * X.predict(self.faces[0]), -sides * X.predict(self.whole(d))
        return Least(float(np.min(gain[loss > 0.0] / loss[loss > 0.0], initial=math.inf)))

    def stray(self, z: Array, most: int) -> Picked:
        """The rows left that see the directions z (k, q), unit vectors of `frame`, most; none that sees none."""
        return self.design.reduce(self._stray, self.frame.direction(z), most)

    def _stray(self, block: Block, directions: Array, most: int) -> Picked:
        rows, found, terms = self._left(block), [], self.frame.terms(np.ones(self.columns.size))
        # What is left of a column far from zero (times in seconds) is small beside its values, but more than rounding.
        least = SURE * rounding(self.columns.size)
        for part in _chunks(rows, self.columns.size):
            values = self.dense(block, part)
            seen, size = np.abs(values @ directions), np.abs(values) @ terms
            badness = np.max(np.where(seen > least * size[:, None], seen, 0.0), axis=1, initial=0.0)
            index = np.flatnonzero(badness)
            index = index[worst(badness[index], most)]
            sides = side(block)[part[index]]
            found.append(Picked(values[index], sides, part[index] + block.start, badness[index], most))
        nothing = np.empty(0, dtype=np.intp)
        return sum(found, Picked(self.dense(block, nothing), np.empty(0), nothing, np.empty(0), most))

    # --- rows of a block ---------------------------------------------------------------------------------------------

    def _left(self, block: Block) -> Positions:
        rows = np.flatnonzero(~np.isnan(side(block)))
        return rows[~self._gone(block, rows)] if self.faces else rows

    def _gone(self, block: Block, rows: Positions) -> NDArray[np.bool_]:
        result = np.zeros(rows.size, dtype=bool)
        for face in self.faces:
            left = np.flatnonzero(~result)
            result[left] = self._margins(block, rows[left], face[self.columns]) > 1.0
        return result

    def _margins(self, block: Block, rows: Positions, d: Array) -> Array:
        """Of the rows along ``d``: a gain as a multiple of what rounding may make of it; minus its size if mixed.

        What rounding may make of a row is worked out only where it could matter.
        """
        X = block.X if rows.size == block.y.size else block.X.take(rows)
        sides = side(block)[rows]
        gain = sides * X.predict(self.whole(d))
        mixed = np.flatnonzero(sides == 0.0)
        if mixed.size:
            gain[mixed] = -np.abs(block.X.take(rows[mixed]).predict(self.whole(d)))
        tolerance = rounding(int(np.count_nonzero(d)))
        most = tolerance * float(self.largest @ np.abs(d))
        if most == 0.0:
            return np.zeros(rows.size)
        margin: Array = gain / most
        near = np.flatnonzero(np.abs(margin) <= SURE)
        moving = np.flatnonzero(d)
        slopes = moving[int(self.has_intercept and d[0] != 0.0) :]
        for part in _chunks(near, slopes.size):
            values = np.abs(block.X.take(rows[part]).columns(self.slopes[slopes - int(self.has_intercept)]))
            size = tolerance * (values @ np.abs(d[slopes]) + (abs(d[0]) if slopes.size < moving.size else 0.0))
            margin[part] = np.divide(gain[part], size, out=np.zeros(part.size), where=size > 0.0)
        return margin


def _chunks(rows: Positions, width: int) -> Iterator[Positions]:
    step = max(1, _AT_ONCE // max(width, 1))
    return (rows[low : low + step] for low in range(0, rows.size, step))
