"""Statistics of the data beside those of data that the model replicates: posterior predictive checks.

After Gelman, Meng and Stern (1996), "Posterior predictive assessment of model fitness via realized discrepancies",
Statistica Sinica 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeslogit.chart import Chart
from bayeslogit.charts_checks import replicated_rates
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError
from bayeslogit.logistic import expit
from bayeslogit.predict import check_prob
from bayeslogit.summary import percent
from bayeslogit.table import Column, Table

Array = NDArray[np.float64]
_AT_ONCE = 1 << 21


class Groups(NamedTuple):
    """A partition of the rows: names of its parts, and the part of each row, shape (n,)."""

    levels: tuple[str, ...]
    codes: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class PredictiveStatistics:
    """Statistics of the data beside those of data that the model replicates; every array has shape (m,).

    Attributes
    ----------
    names : tuple of str
        The statistics: event rates, overall and in groups, then what else there is.
    observed, lower, median, upper : array
        Of the data, and quantiles over replicated data.
    tail : array
        Probability that a replicated statistic exceeds the observed one, half of the ties counted. Near 0 or 1 the
        model does not reproduce it.
    rates : int
        How many of them, from the first, are event rates.
    n : int
        Replicated data sets.
    prob : float
    notes : tuple of str
    """

    names: tuple[str, ...]
    observed: Array
    lower: Array
    median: Array
    upper: Array
    tail: Array
    rates: int
    n: int
    prob: float
    notes: tuple[str, ...] = ()

    def table(self) -> Table:
        """One row a statistic."""
        width = percent(self.prob)
        numbers = (self.observed, self.median, self.lower, self.upper, self.tail)
        return Table(
            name="predictive-statistics",
            title="Statistics of the data beside replicated data",
            columns=(
                Column("statistic", "statistic"),
                Column("observed", "observed", "number"),
                Column("median", "replicated, median", "number"),
                Column("lower", f"replicated {width} lower", "number"),
                Column("upper", f"replicated {width} upper", "number"),
                Column("tail", "P(replicated > observed)", "number"),
            ),
            rows=tuple((name, *map(float, row)) for name, row in zip(self.names, np.array(numbers).T, strict=True)),
            header=(f"{self.n:,} data sets drawn from the posterior predictive distribution of the same rows.",),
            notes=self.notes,
        )

    def chart(self, *, notes: tuple[str, ...] = ()) -> Chart:
        """The event rates: observed, on the intervals of replicated ones."""
        some = slice(0, self.rates)
        return replicated_rates(
            self.names[some],
            *(part[some].tolist() for part in (self.observed, self.lower, self.median, self.upper)),
            interval=f"{percent(self.prob)} interval",
            notes=(*self.notes, *notes),
        )

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def predictive_statistics(
    values: Array,
    design: Design,
    *,
    groups: Sequence[Groups] = (),
    draws: int = 1000,
    prob: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> PredictiveStatistics:
    """Event rates of the data, overall and in groups, beside those of data replicated from the posterior.

    Beside the groups given there are three: the tenths of the observations with the lowest and the highest predicted
    probability, and all. Without weights comes Pearson's ``sum (y - m p)^2 / (m p q)`` over rows, a discrepancy: for
    each draw of the coefficients that of the data beside that of its replicate.

    Parameters
    ----------
    values : array, shape (S, p)
        Equally weighted draws of the coefficients; ``draws`` of them, evenly spaced, replicate one data set each.
    design : Design
        The rows; replicates keep their trials and weights.
    groups : sequence of Groups
        Partitions of the rows.
    prob : float
        Probability of the intervals over replicates.
    rng : int or Generator
    """
    check_prob(prob)
    if draws < 1 or values.ndim != 2 or not len(values):
        raise ArgumentError(f"predictive_statistics(draws={draws}): at least one draw of the coefficients is needed.")
    generator = np.random.default_rng(rng)
    picked = values[np.linspace(0, len(values) - 1, min(draws, len(values))).astype(np.intp)]
    y, trials, weights = design.outcome_arrays()
    count = weights * trials
    tenths = _tenths(design, picked.mean(axis=0), count)
    parts = (Groups(("all",), np.zeros(count.size, dtype=np.intp)), *groups, tenths)
    sizes = [np.bincount(part.codes, count, minlength=len(part.levels)) for part in parts]
    events = [np.zeros((len(picked), len(part.levels))) for part in parts]
    whole = bool(np.all(weights == 1.0))
    chi = np.zeros((2, len(picked)))
    for block in design.source.blocks():
        step = max(1, _AT_ONCE // max(len(picked), 1))
        for low in range(0, block.offset.size, step):
            some = slice(low, min(low + step, block.offset.size))
            rows = slice(block.start + some.start, block.start + some.stop)
            eta = picked @ block.X.take(some).toarray().T + block.offset[some]
            p, n = expit(eta), count[rows]
            replicated = _one_each(p, n, generator)
            for total, part in zip(events, parts, strict=True):
                total += replicated @ (part.codes[rows][:, None] == np.arange(len(part.levels)))
            if whole:
                scale = np.maximum(n * p * expit(-eta), 1e-300)
                chi[0] += np.sum(np.square(y[rows] - n * p) / scale, axis=1)
                chi[1] += np.sum(np.square(replicated - n * p) / scale, axis=1)
    names, observed, drawn = [], [], []
    for part, size, total in zip(parts, sizes, events, strict=True):
        own = np.bincount(part.codes, weights * y, minlength=len(part.levels))
        for k in np.flatnonzero(size > 0.0):
            if part.levels[k]:
                names.append(f"event rate: {part.levels[k]}")
                observed.append(np.full(len(picked), own[k] / size[k]))
                drawn.append(total[:, k] / size[k])
    rates = len(names)
    if whole:
        names.append("Pearson's chi-squared per row")
        observed.append(chi[0] / count.size)
        drawn.append(chi[1] / count.size)
    own_values, replicates = np.array(observed), np.array(drawn)
    side = 0.5 * (1.0 - prob)
    low_end, median, high_end = np.quantile(replicates, [side, 0.5, 1.0 - side], axis=1)
    gap = replicates - own_values
    tie = np.abs(gap) <= 1e-12 * np.maximum(np.abs(own_values), 1e-300)
    tail = np.mean((gap > 0.0) & ~tie, axis=1) + 0.5 * np.mean(tie, axis=1)
    return PredictiveStatistics(
        tuple(names), np.median(own_values, axis=1), low_end, median, high_end, tail, rates, len(picked), prob
    )


def _one_each(p: Array, count: Array, rng: np.random.Generator) -> Array:
    """Events of each row under its own probability for each draw, shape (S, n)."""
    whole = np.floor(count)
    events = rng.binomial(whole.astype(np.int64), p).astype(np.float64)
    part = count - whole
    if part.any():
        events += part * (rng.random(p.shape) < p)
    return events


def _tenths(design: Design, beta: Array, count: Array) -> Groups:
    """The observations with the lowest and the highest predicted probability; the middle part has no name."""
    eta = np.concatenate([block.X.predict(beta) + block.offset for block in design.source.blocks()])
    order = np.argsort(eta, kind="stable")
    middle = (np.cumsum(count[order]) - 0.5 * count[order]) / count.sum()
    codes = np.empty(count.size, dtype=np.intp)
    codes[order] = np.where(middle <= 0.1, 1, np.where(middle >= 0.9, 2, 0))
    return Groups(("", "tenth predicted lowest", "tenth predicted highest"), codes)
