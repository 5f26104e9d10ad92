"""Where posteriors of the same rows disagree: the rows whose probability moves most, and regions of the columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.logistic import expected_expit
from bayeslogit.posterior.rung import Rung
from bayeslogit.quantities import mean_probability

Array = NDArray[np.float64]
# Products of rows and points up to which every row is averaged over all points; beyond, log-odds count as normal.
_EXACT = 2e8
_AT_ONCE = 1 << 21
# Values up to which a column is taken value by value; else these shares of the observations bound its bands.
_MOST_VALUES = 6
_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
_BANDS = ("lowest 10 %", "10 to 25 %", "25 to 50 %", "50 to 75 %", "75 to 90 %", "highest 10 %")
_TIED = 0.03
# A region has at least this share of the observations, and as many rows.
_LEAST_SHARE, _LEAST_ROWS = 0.01, 5


def mean_probabilities(rung: Rung, design: Design, *, exact: float = _EXACT) -> Array:
    """``E[expit(eta)]`` of every row, shape (n,).

    Averaged over the points of the rung; with more than ``exact`` products of rows and points, from mean and sd of each
    row's log-odds, as if they were normal (in so large a set they nearly are).
    """
    parts = []
    points = rung.points.shape[0]
    by_points = design.source.n_rows * points <= exact
    for block in design.source.blocks():
        size = max(1, _AT_ONCE // points)
        for lower in range(0, block.offset.size, size):
            part = slice(lower, lower + size)
            rows, shift = block.X.take(part).toarray(), block.offset[part]
            moments = rung.linear(rows)
            if by_points:
                parts.append(mean_probability(rung, rows, shift, moments)[0])
            else:
                parts.append(expected_expit(moments.mean + shift, moments.sd))
    return np.concatenate(parts)


def ranges(probabilities: Array) -> Array:
    """Largest less smallest probability of each row, (n, K) to (n,); fits without a number do not count."""
    there = probabilities[:, np.isfinite(probabilities).all(axis=0)]
    result: Array = there.max(axis=1) - there.min(axis=1)
    return result


@dataclass(frozen=True)
class Region:
    """Rows that have something in common.

    Attributes
    ----------
    column, words : str
        The column, and which of its values.
    observations, share : float
        How many observations, and their share of all.
    mean_range, largest_range : float
        Of the probabilities between fits.
    probability : array, shape (K,)
        Mean probability under each fit.
    """

    column: str
    words: str
    observations: float
    share: float
    mean_range: float
    largest_range: float
    probability: Array


def regions(
    columns: Sequence[tuple[str, Array]], probabilities: Array, count: Array, most: int = 10
) -> tuple[Region, ...]:
    """The regions in which fits disagree more than on average, the worst first.

    Parameters
    ----------
    columns : sequence of (name, values of shape (n,))
        Each cut into bands by its own quantiles, or taken value by value if it has few.
    probabilities : array, shape (n, K)
    count : array, shape (n,)
        Observations of each row; rows without any belong to no region.
    """
    span, total = ranges(probabilities), float(count.sum())
    average = float(count @ span) / total
    found = []
    for name, values in columns:
        for words, inside in _bands(values, count):
            weight = count * inside
            observations = float(weight.sum())
            if observations < _LEAST_SHARE * total or np.count_nonzero(weight) < _LEAST_ROWS or observations >= total:
                continue
            mean = float(weight @ span) / observations
            if mean > average:
                largest = float(span[weight > 0.0].max())
                share, each = observations / total, weight @ probabilities / observations
                found.append(Region(name, words, observations, share, mean, largest, each))
    return tuple(sorted(found, key=lambda region: -region.mean_range)[:most])


def _bands(values: Array, count: Array) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    used = np.unique(values[count > 0.0])
    if used.size <= _MOST_VALUES:
        for value in used:
            yield f"= {value:.6g}", values == value
        return
    edges = _weighted_quantiles(values, count, _SHARES)
    bounds = np.concatenate([[-np.inf], edges, [np.inf]])
    for k, share in enumerate(_BANDS):
        low, high = bounds[k], bounds[k + 1]
        if low == high:
            continue
        if k == 0:
            words = f"at most {high:.4g}"
        elif k == len(_BANDS) - 1:
            words = f"above {low:.4g}"
        else:
            words = f"above {low:.4g}, at most {high:.4g}"
        inside = (values > low) & (values <= high)
        # Ties at a bound make a band of another share than it is called after.
        nominal = (*_SHARES, 1.0)[k] - (0.0, *_SHARES)[k]
        called = abs(float(count[inside].sum() / count.sum()) - nominal) < _TIED
        yield f"{words} ({share})" if called else words, inside


def _weighted_quantiles(values: Array, count: Array, shares: Sequence[float]) -> Array:
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(count[order]) / count.sum()
    return values[order][np.minimum(np.searchsorted(cumulated, shares), values.size - 1)]


def unusual(values: Array, means: Array, sds: Array, names: Sequence[str], most: int = 3) -> str:
    """What stands out about one row: its columns furthest from their means, in words."""
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.abs(np.where(sds > 0.0, (values - means) / sds, 0.0))
    order = np.argsort(-far, kind="stable")[:most]
    return ", ".join(f"{names[j]} = {values[j]:.4g}" for j in order)
