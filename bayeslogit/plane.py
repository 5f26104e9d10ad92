"""Rows beside a plane: how far each is from it, what rounding may make of that, and what a pass over rows brings back.

A row that holds one class only must not lose along a direction d: ``s x'd >= 0``, s = +1 for successes, -1 for
failures. A row that holds both (s = 0) must stay level. Rows of weight 0 are not there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.sources.memory import Block

Array = NDArray[np.float64]
Positions = NDArray[np.intp]

# What rounding may make of an inner product, relative to the sizes of its terms: the values were rounded when
# they were stored (37.1 is not a binary fraction), whatever is taken from them afterwards.
ROUNDING = 64.0 * float(np.finfo(np.float64).eps)
# A gain must be so many times what rounding may make.
SURE = 16.0
# A coefficient that does so little beside the others is none.
_NOTHING = 1e-12


def rounding(terms: int) -> float:
    """What rounding may make of a sum of so many products, relative to the sum of their sizes."""
    return ROUNDING * max(1.0, math.sqrt(terms / 64.0))


def margins(rows: Array, d: Array) -> Array:
    """Gain of each row as a multiple of what rounding of its stored values may make of it."""
    least = rounding(int(np.count_nonzero(d))) * (np.abs(rows) @ np.abs(d))
    return np.divide(rows @ d, least, out=np.zeros(rows.shape[0]), where=least > 0.0)


def side(block: Block) -> Array:
    """+1 where all trials of a row succeeded, -1 where none did, 0 for rows of both, NaN for rows of no weight."""
    result: Array = (block.y == block.trials).astype(np.float64)
    result -= block.y == 0.0
    gone = ~(block.weights > 0.0)
    if gone.any():
        result[gone] = np.nan
    return result


@dataclass(frozen=True)
class Columns:
    """The columns in which the programmes run: ``d = T (z / scale)`` with T the centring.

    Their tolerances are absolute, and a year is 2000 plus a little.
    """

    center: Array | None
    scale: Array

    def rows(self, rows: Array) -> Array:
        """Linear functions of d as functions of z."""
        if self.center is None:
            return rows / self.scale
        result = rows / self.scale
        result[:, 1:] = (rows[:, 1:] - rows[:, :1] * self.center) / self.scale[1:]
        return result

    def sizes(self, rows: Array) -> Array:
        """The sizes of the stored values behind each entry of `rows`."""
        sizes = np.abs(rows)
        if self.center is not None:
            sizes[:, 1:] += sizes[:, :1] * np.abs(self.center)
        result: Array = sizes / self.scale
        return result

    def direction(self, z: Array) -> Array:
        """Directions z, shape (k,) or (k, q), in the user's columns."""
        d: Array = (z.T / self.scale).T
        if self.center is not None:
            d[0] -= self.center @ d[1:]
        return d

    def terms(self, z: Array) -> Array:
        """The sizes of the terms that each part of `direction` is made of."""
        sizes: Array = (np.abs(z).T / self.scale).T
        if self.center is not None:
            sizes[0] += np.abs(self.center) @ sizes[1:]
        return sizes

    def exact(self, d: Array) -> Array:
        """Zero for coefficients that are rounding beside the others, and for an intercept beside the shift it makes."""
        effect = np.abs(d) * self.scale
        d = np.where(effect < _NOTHING * effect.max(initial=0.0), 0.0, d)
        if self.center is not None and abs(d[0]) < ROUNDING * (np.abs(self.center) @ np.abs(d[1:])):
            d[0] = 0.0
        return d


@dataclass(frozen=True)
class Picked:
    """Some rows, in the columns that may move; two of them add.

    Attributes
    ----------
    rows : array, shape (m, k)
        As they are stored; an intercept is 1.
    side : array, shape (m,)
    position : array of int, shape (m,)
    badness : array, shape (m,)
        How much they matter; the worst are kept.
    most : int
        How many are kept.
    """

    rows: Array
    side: Array
    position: Positions
    badness: Array
    most: int

    def __add__(self, other: Picked) -> Picked:
        parts = (self, other)
        whole = Picked(
            np.vstack([each.rows for each in parts]),
            np.concatenate([each.side for each in parts]),
            np.concatenate([each.position for each in parts]),
            np.concatenate([each.badness for each in parts]),
            self.most,
        )
        return whole if whole.side.size <= self.most else whole.at(np.sort(worst(whole.badness, self.most)))

    def at(self, index: Positions) -> Picked:
        return Picked(self.rows[index], self.side[index], self.position[index], self.badness[index], self.most)

    def more(self, other: Picked) -> Picked:
        """With those of ``other`` that are not here yet, and room for them."""
        new = other.at(np.flatnonzero(~np.isin(other.position, self.position)))
        return replace(self, most=self.side.size + new.side.size) + new


def worst(badness: Array, most: int) -> Positions:
    """Positions of the largest values, in no order; all if they are few."""
    return np.argpartition(-badness, most - 1)[:most] if badness.size > most else np.arange(badness.size)


@dataclass(frozen=True)
class Judgement:
    """What a direction does to the rows; two of them add.

    Attributes
    ----------
    losing : Picked
        The rows that lose most.
    lost, level, gained : int
        How many rows lose, stay level to rounding, or gain.
    mixed : int
        How many of the level ones hold both classes.
    largest : float
        The largest margin of a row that gains.
    """

    losing: Picked
    lost: int
    level: int
    gained: int
    mixed: int
    largest: float

    def __add__(self, other: Judgement) -> Judgement:
        return Judgement(
            self.losing + other.losing,
            self.lost + other.lost,
            self.level + other.level,
            self.gained + other.gained,
            self.mixed + other.mixed,
            max(self.largest, other.largest),
        )

    @property
    def holds(self) -> bool:
        """Whether no row loses and some row truly gains."""
        return self.lost == 0 and self.largest > SURE


@dataclass(frozen=True)
class Concatenated:
    """Arrays that add by standing behind each other."""

    values: NDArray[np.intp]

    def __add__(self, other: Concatenated) -> Concatenated:
        return Concatenated(np.concatenate([self.values, other.values]))


@dataclass(frozen=True)
class Least:
    """Minima that add."""

    value: float

    def __add__(self, other: Least) -> Least:
        return Least(min(self.value, other.value))
