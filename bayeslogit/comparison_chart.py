"""The chart of a comparison: the coefficients of several fits, one colour a fit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from bayeslogit.chart import Chart
from bayeslogit.comparison_tables import Entry, all_columns
from bayeslogit.marks import HUES, Axis, Layer, Line, Row, Rule, nice_ticks, ratio_ticks
from bayeslogit.table import Column, Table

_MOST_TERMS = 30
# Fits that share one line of the chart, how much of it they fill, and the half height of the mark at a median.
_PER_ROW, _FILLED, _TICK = 3, 0.8, 0.12
# Columns whose spreads differ by more than this are drawn per sd: per unit some of them would be invisible.
_COMPARABLE = 20.0


def comparison_chart(entries: Sequence[Entry], units: Mapping[str, float], interval: str) -> Chart:
    """Medians and intervals of every fit, term by term; the intercept is left out if there are other columns.

    Parameters
    ----------
    units : mapping of str to float
        Standard deviations of the columns; where they differ much, coefficients are drawn per sd.
    """
    names = [name for name in all_columns(entries) if name != "Intercept"] or list(all_columns(entries))
    shown = names[:_MOST_TERMS]
    varying = [units[name] for name in shown if units.get(name, 0.0) > 0.0]
    per_sd = bool(varying) and max(varying) > _COMPARABLE * min(varying)
    unit = "sd of the column" if per_sd else "unit"
    entries = [_scaled(entry, units) if per_sd else entry for entry in entries]
    left, right = _limits(entries, shown)
    lines = -(-len(entries) // _PER_ROW)  # rows of the chart for each term
    layers: list[Layer] = [Rule(0.0, label="no effect: odds ratio 1")]
    for k, entry in enumerate(entries):
        shift = lines * (_FILLED * ((k + 0.5) / len(entries) - 0.5) + 0.5) - 0.5
        layers += _marks(entry, shown, lines, shift, (left, right), HUES[k % len(HUES)])
    more = len(names) - len(shown)
    return Chart(
        name="comparison-figure",
        title="Coefficients under each fit",
        description=f"Posterior medians and {interval} intervals of {len(shown)} coefficients under {len(entries)} "
        "fits, one colour a fit, on the log-odds scale with odds ratios above. The numbers are in the table of this "
        "chart.",
        x=Axis(f"log-odds per {unit} (posterior median and {interval} interval)", left, right, nice_ticks(left, right)),
        y=Axis("", -0.5, lines * len(shown) - 0.5, ()),
        top=Axis("odds ratio (log scale)", left, right, ratio_ticks(left, right)),
        layers=tuple(layers),
        rows=tuple(Row(name if line == (lines - 1) // 2 else "") for name in shown for line in range(lines)),
        row_height=1.0 if len(entries) < 2 else 1.8,
        data=_data(entries, names, interval, unit),
        notes=(f"{more} of {len(names)} terms are not drawn; the table of this chart has them all.",) if more else (),
    )


def _scaled(entry: Entry, units: Mapping[str, float]) -> Entry:
    unit = np.array([units.get(name, 1.0) or 1.0 for name in entry.columns])
    return replace(entry, median=unit * entry.median, lower=unit * entry.lower, upper=unit * entry.upper)


def _limits(entries: Sequence[Entry], shown: Sequence[str]) -> tuple[float, float]:
    """All intervals, unless a few dwarf the rest."""
    ends = [entry.of(values, name) for entry in entries for values in (entry.lower, entry.upper) for name in shown]
    sizes = sorted(abs(end) for end in ends if math.isfinite(end)) or [1.0]
    limit = 8.0 * (sizes[(3 * len(sizes) - 1) // 4] or 1.0)
    near = [end for end in ends if math.isfinite(end) and abs(end) <= limit] + [0.0]
    margin = 0.06 * (max(near) - min(near)) or 0.5
    return min(near) - margin, max(near) + margin


def _marks(
    entry: Entry, shown: Sequence[str], lines: int, shift: float, limits: tuple[float, float], style: str
) -> Iterator[Line]:
    """A line for each interval and a stroke across it at the median; what lies beyond the limits is cut off there."""
    label = entry.name
    for i, name in enumerate(shown):
        low, middle, high = (entry.of(values, name) for values in (entry.lower, entry.median, entry.upper))
        if math.isnan(low) or math.isnan(high):
            continue
        at = lines * i + shift
        ends = (min(max(low, limits[0]), limits[1]), min(max(high, limits[0]), limits[1]))
        yield Line(ends, (at, at), style=style, label=label, dashed=True)
        label = ""
        if limits[0] <= middle <= limits[1]:
            yield Line((middle, middle), (at - _TICK, at + _TICK), style=style)


def _data(entries: Sequence[Entry], names: Sequence[str], interval: str, unit: str) -> Table:
    return Table(
        "comparison-figure-data",
        "Coefficients of every fit: the numbers",
        (
            Column("term", "term"),
            Column("fit", "fit"),
            Column("median", "posterior median (log-odds)", "number"),
            Column("lower", f"{interval}, lower", "number"),
            Column("upper", f"{interval}, upper", "number"),
        ),
        tuple(
            (name, e.name, e.of(e.median, name), e.of(e.lower, name), e.of(e.upper, name))
            for name in names
            for e in entries
        ),
        header=(f"Log-odds per {unit}.",),
    )
