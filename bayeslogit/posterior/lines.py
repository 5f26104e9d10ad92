"""The distribution of a function over a lattice: interpolated along lines of nodes, and summed across them.

A lattice of few nodes integrates smooth functions to many digits, but the event that a function lies below a value is
not smooth. Integrated along one axis in which the function rises it becomes so (Griewank, Kuo, Leovey and Sloan 2018),
and along a line function and log density are cubic from node to node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.posterior.functions import Described

Array = NDArray[np.float64]
# Pieces between two nodes, and the least width of the values of one, in their range.
_BETWEEN, _NARROW = 12, 1e-12
# Of the difference that every other node makes, what may be left with all: a quarter where the function has kinks.
_LEFT = 0.25
# Where density is less than exp(-FAR) of the highest the lattice is about to end: a moment with more than this share
# there has more beyond, and its error is not known.
_FAR, _OUTSIDE = 22.0, 1e-3
# Places whose density is less than exp(-this) of the highest have nothing to say.
_NEGLIGIBLE = 16.0


@dataclass(frozen=True)
class Places:
    """Pieces of lines, over each of which the function goes from one value to another; each shape (places,)."""

    ends: Array
    weight: Array

    @classmethod
    def joined(cls, parts: Sequence[Places]) -> Places:
        return cls(np.concatenate([p.ends for p in parts], axis=1), np.concatenate([p.weight for p in parts]))

    @property
    def mean(self) -> float:
        return float(self.weight @ self.ends.mean(axis=0) / self.weight.sum())

    def quantiles(self, probs: Array) -> Array:
        """The weight of a piece is spread evenly over its values, so that the distribution function is continuous."""
        low, high = self.ends.min(axis=0), self.ends.max(axis=0)
        high = np.maximum(high, low + _NARROW * max(float(high.max() - low.min()), 1e-300))
        rise = self.weight / (high - low)
        at, change = np.concatenate([low, high]), np.concatenate([rise, -rise])
        order = np.argsort(at)
        at = at[order]
        below = np.concatenate([[0.0], np.cumsum(np.cumsum(change[order])[:-1] * np.diff(at))])
        return np.asarray(np.interp(probs, np.maximum.accumulate(below) / below[-1], at))


def along_lines(
    y: Array, step: float, axis: int, log_density: Array, values: Array, top: float, skip: int = 1
) -> Places:
    """What a function does along the lines of one lattice.

    Parameters
    ----------
    y : array, shape (nodes, k)
        Nodes of a lattice with steps of ``step`` along its axes.
    axis : int
        The one along which lines run.
    log_density, values : array, shape (nodes,)
    top : float
        Log density of the place of weight 1.
    skip : int
        Take every so-manieth node of a line only.
    """
    index = np.rint((y - y.min(axis=0)) / step).astype(np.int64)
    if skip > 1:
        used = index[:, axis] % skip == 0
        index, log_density, values = index[used], log_density[used], values[used]
    others = [index[:, j] for j in range(y.shape[1]) if j != axis]
    order = np.lexsort((index[:, axis], *others))
    index = index[order]
    follows = np.zeros(index.shape[0] + 2, dtype=bool)  # whether a node follows the one before it on its line
    moved = np.diff(index, axis=0)
    moved[:, axis] -= skip
    follows[1 : index.shape[0]] = ~moved.any(axis=1)
    starts = np.flatnonzero(follows[1:])  # from this node to the next one
    both = np.stack([log_density[order], values[order]])
    a, b = both[:, starts], both[:, starts + 1]
    before = np.where(follows[starts], both[:, starts - 1], 2.0 * a - b)
    after = np.where(follows[starts + 2], both[:, np.minimum(starts + 2, index.shape[0] - 1)], 2.0 * b - a)
    logs, _ = _cubic((np.arange(_BETWEEN) + 0.5) / _BETWEEN, before, a, b, after)
    _, found = _cubic(np.arange(_BETWEEN + 1) / _BETWEEN, before, a, b, after)
    kept = logs > top - _NEGLIGIBLE
    return Places(np.stack([found[:-1][kept], found[1:][kept]]), np.exp(logs[kept] - top))


def _cubic(s: Array, before: Array, a: Array, b: Array, after: Array) -> Array:
    """Lagrange's cubic through values at -1, 0, 1 and 2, at places s; (2, starts) each to (2, len(s), starts)."""
    s = s[:, None]
    weights = (
        -s * (s - 1.0) * (s - 2.0) / 6.0,
        (s + 1.0) * (s - 1.0) * (s - 2.0) / 2.0,
        -(s + 1.0) * s * (s - 2.0) / 2.0,
        (s + 1.0) * s * (s - 1.0) / 6.0,
    )
    parts = zip(weights, (before, a, b, after), strict=True)
    return np.asarray(sum((w * part[:, None] for w, part in parts), np.zeros((2, s.size, a.shape[1]))))


def describe_lattices(
    parts: Sequence[tuple[Array, Array]], values: Sequence[Array], step: float, probs: Array
) -> Described:
    """Of functions over interlaced lattices, with errors that are differences between what each of them says.

    Parameters
    ----------
    parts : sequence of (nodes, log densities)
        Whitened nodes, shape (nodes, k).
    values : sequence of array, shape (nodes, m)
        Of the functions, lattice by lattice.
    step : float
        Of each lattice.
    """
    top = max(float(logs.max()) for _, logs in parts)
    weights = [np.exp(logs - top) for _, logs in parts]
    sums = np.array([w.sum() for w in weights])[:, None]
    means = np.array([w @ u for w, u in zip(weights, values, strict=True)]) / sums
    mean = (means * sums).sum(axis=0) / sums.sum()
    squares = np.array([w @ np.square(u - mean) for w, u in zip(weights, values, strict=True)]) / sums
    sd = np.sqrt((squares * sums).sum(axis=0) / sums.sum())
    quantiles, errors = np.empty((probs.size, mean.size)), np.empty((probs.size, mean.size))
    rise = sum(
        ((y * w[:, None]).T @ (u - mean) for (y, _), w, u in zip(parts, weights, values, strict=True)),
        np.zeros((parts[0][0].shape[1], mean.size)),
    )
    smeared = np.empty(mean.size)
    for k, axis in enumerate(np.argmax(np.abs(rise), axis=0)):
        fine, coarse = [], []
        for (y, logs), u in zip(parts, values, strict=True):
            fine.append(along_lines(y, step, int(axis), logs, u[:, k], top))
            coarse.append(along_lines(y, step, int(axis), logs, u[:, k], top, skip=2))
        whole = Places.joined(fine)
        quantiles[:, k], smeared[k] = whole.quantiles(probs), whole.mean
        apart = 0.5 * np.abs(fine[0].quantiles(probs) - fine[1].quantiles(probs))
        skipped = np.abs(Places.joined(coarse).quantiles(probs) - quantiles[:, k])
        errors[:, k] = np.maximum(apart, _LEFT * skipped)
    apart = 0.5 * np.abs(means[0] - means[1])
    mean_error = np.maximum(apart, np.abs(smeared - mean) * _LEFT)
    sd_error = 0.5 * np.abs(squares[0] - squares[1]) / np.maximum(2.0 * sd, 1e-300) * (sd > 0.0)
    sd_error = np.maximum(sd_error, mean_error)
    far = [w * (logs < top - _FAR) for w, (_, logs) in zip(weights, parts, strict=True)]
    for error, power in ((mean_error, 1), (sd_error, 2)):
        outside = sum((w @ np.abs(u - mean) ** power for w, u in zip(far, values, strict=True)), np.zeros(mean.size))
        error[outside > _OUTSIDE * sums.sum() * np.maximum(sd, 1e-300) ** power] = np.nan
    return Described(mean, sd, mean_error, sd_error, quantiles, errors)
