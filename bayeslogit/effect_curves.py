"""The probability of the event along one variable, with its posterior band: the curve behind a marginal effect."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.arrays import ArraySpec
from bayeslogit.boundary import short
from bayeslogit.chart import Chart
from bayeslogit.charts_effects import effect_levels, effect_lines
from bayeslogit.data import to_pandas
from bayeslogit.draws import Draws
from bayeslogit.errors import ArgumentError
from bayeslogit.logistic import expit
from bayeslogit.predict import check_prob
from bayeslogit.results import Fit
from bayeslogit.summary import percent
from bayeslogit.table import Table

Array = NDArray[np.float64]
_DRAWS, _ROWS, _POINTS, _MOST_LEVELS = 1000, 1000, 41, 30
_AT_ONCE = 1 << 21
_BINS = 40


@dataclass(frozen=True, eq=False)
class EffectCurve:
    """Average probability of the event when every row has one value of a variable.

    Attributes
    ----------
    variable : str
    values : tuple
        The values of the variable: numbers ascending, or the levels of a factor.
    numeric : bool
    groups : tuple of str
        What the curves are called; one empty name without ``by``.
    mean, lower, upper : array, shape (groups, values)
        Posterior mean, and equal-tailed interval of the probability.
    histogram : (edges, counts) or None
        How the variable is spread over the observations.
    prob : float
    how : str
        What is averaged over, in words.
    notes : tuple of str
    """

    variable: str
    values: tuple[Any, ...]
    numeric: bool
    groups: tuple[str, ...]
    mean: Array
    lower: Array
    upper: Array
    histogram: tuple[Array, Array] | None
    prob: float
    how: str
    notes: tuple[str, ...]

    def table(self) -> Table:
        """One row a value and curve."""
        return self.chart().data

    def chart(self, label: str | None = None) -> Chart:
        """Curves with bands for a number, intervals for a factor."""
        parts = [part.tolist() for part in (self.mean, self.lower, self.upper)]
        words: dict[str, Any] = {
            "label": label or self.variable,
            "interval": f"{percent(self.prob)} interval",
            "how": self.how,
            "notes": self.notes,
        }
        if not self.numeric:
            return effect_levels([str(v) for v in self.values], self.groups, *parts, **words)
        spread = None if self.histogram is None else (self.histogram[0].tolist(), self.histogram[1].tolist())
        return effect_lines([float(v) for v in self.values], self.groups, *parts, histogram=spread, **words)

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def effect_curve(
    fit: Fit | Draws,
    variable: str,
    *,
    at: Mapping[str, Any] | None = None,
    by: Mapping[str, Sequence[Any]] | None = None,
    values: Sequence[Any] | None = None,
    prob: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> EffectCurve:
    """Average probability of the event along a variable of the data; the variable is moved, and rows are coded anew.

    Parameters
    ----------
    fit : Fit or Draws
        Of a fit, the Gaussian approximation at its mode is drawn from.
    variable : str
        A variable of the data, not a column of the design.
    at : mapping of str to value, optional
        Values at which other variables are held in every row; without, each row has its own.
    by : mapping of one str to values, optional
        One curve for each of these values of another variable, which shows an interaction.
    values : sequence, optional
        Of the variable; 41 from its smallest to its largest, or its levels, without.
    prob : float
        Probability of the equal-tailed interval.
    rng : int or Generator
        Of the draws, where a fit is given. 1,000 draws and at most 1,000 evenly spaced rows are averaged over.

    Raises
    ------
    ArgumentError
        If a variable or value cannot be right.
    FitError
        If the fit was loaded from a file, and so holds no rows.
    """
    check_prob(prob)
    if not isinstance(fit, Fit | Draws):
        raise ArgumentError(f"effect_curve({type(fit).__name__}, ...): a fit is needed, or its draws.")
    draws = fit.sample("laplace", draws=_DRAWS, rng=rng) if isinstance(fit, Fit) else fit
    design = draws.data("effect_curve()")
    frame, spec = to_pandas(design.used_frame()), design.spec
    held, split = dict(at or {}), dict(by or {})
    names = list(spec.names) if isinstance(spec, ArraySpec) else list(spec.variables)
    for name in (variable, *held, *split):
        if name not in names:
            raise ArgumentError(
                f"effect_curve(): {name!r} is no variable of this model, which has {', '.join(map(str, names[:12]))}."
            )
    if variable in held or variable in split or set(held) & set(split) or len(split) > 1:
        raise ArgumentError("effect_curve(): the variable, those of at= and the one of by= are different ones.")
    column = frame[variable]
    numeric = isinstance(spec, ArraySpec) or (variable not in spec.levels and spec.factors.kinds[variable] == "number")
    _, trials, weights = design.outcome_arrays()
    count = weights * trials
    grid = _grid(variable, column, numeric, values, None if isinstance(spec, ArraySpec) else spec.levels.get(variable))
    offset = np.concatenate([block.offset for block in design.source.blocks()])
    free = [name for name in names if name not in held and name not in split and name != variable]
    picked = np.arange(len(frame))
    if not free and not design.has_offset:
        picked = picked[:1]
    elif len(frame) > _ROWS:
        picked = np.unique(np.linspace(0, len(frame) - 1, _ROWS).astype(np.intp))
    share = count[picked] / count[picked].sum() if len(picked) > 1 else np.ones(1)
    some, shift = frame.iloc[picked].assign(**held), offset[picked]
    points = draws.values[np.linspace(0, draws.n - 1, min(draws.n, _DRAWS)).astype(np.intp)]
    groups = [("", {})] if not split else [(f"{k} = {v}", {k: v}) for k, vs in split.items() for v in vs]
    side = 0.5 * (1.0 - prob)
    found = np.empty((3, len(groups), len(grid)))
    for g, (_, fixed) in enumerate(groups):
        for k, value in enumerate(grid):
            rows = spec.rows(some.assign(**fixed, **{variable: value})).toarray()
            p = _average(points, rows, shift, share)
            found[:, g, k] = p.mean(), *np.quantile(p, [side, 1.0 - side])
    histogram = None
    if numeric:
        own = column.to_numpy(dtype=np.float64)
        heights, edges = np.histogram(own, _BINS, (min(grid[0], own.min()), max(grid[-1], own.max())), weights=count)
        histogram = edges, heights
    notes = (f"Averaged over {len(picked):,} of {len(frame):,} rows.",) if 1 < len(picked) < len(frame) else ()
    how = _how(held, free, draws.method)
    labels = tuple(name for name, _ in groups)
    mean, lower, upper = found
    return EffectCurve(variable, tuple(grid), numeric, labels, mean, lower, upper, histogram, prob, how, notes)


def _grid(variable: str, column: Any, numeric: bool, values: Sequence[Any] | None, levels: Any) -> list[Any]:
    if values is not None:
        grid = list(values)
        if not grid:
            raise ArgumentError("effect_curve(values=[]): at least one value of the variable is needed.")
        if not numeric:
            return grid
        try:
            numbers = sorted(float(v) for v in grid)
        except (TypeError, ValueError, OverflowError):
            numbers = [math.nan]
        if not all(map(math.isfinite, numbers)):
            raise ArgumentError(f"effect_curve(values={short(values)}): {variable!r} takes finite numbers.")
        return numbers
    if not numeric:
        found = list(levels) if levels is not None else sorted(column.unique().tolist())
        if len(found) > _MOST_LEVELS:
            raise ArgumentError(
                f"effect_curve(): {variable!r} has {len(found)} levels; name up to {_MOST_LEVELS} in values=."
            )
        return found
    own = column.to_numpy(dtype=np.float64)
    distinct = np.unique(own)
    few = distinct.size <= 12
    return list(map(float, distinct if few else np.linspace(distinct[0], distinct[-1], _POINTS)))


def _average(points: Array, rows: Array, offset: Array, share: Array) -> Array:
    """Average probability over rows under each draw, shape (S,)."""
    result = np.empty(len(points))
    size = max(1, _AT_ONCE // len(rows))
    for low in range(0, len(points), size):
        result[low : low + size] = expit(points[low : low + size] @ rows.T + offset) @ share
    return result


def _how(held: Mapping[str, Any], free: Sequence[str], method: str) -> str:
    fixed = ", ".join(f"{name} = {value}" for name, value in held.items())
    parts = [f"at {fixed}"] if fixed else []
    if free:
        parts.append("averaged over the rows" + (" for the rest" if fixed else ""))
    return "; ".join([*parts, f"posterior by {method}"])
