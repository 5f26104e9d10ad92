"""Charts of coefficients: several fits in one forest, densities above one another, sensitivities. No statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bayeslogit.chart import Chart, rows_left_out
from bayeslogit.marks import HUES, Axis, Band, Intervals, Layer, Line, Points, Row, Rule, nice_ticks, ratio_ticks
from bayeslogit.table import Column, Table

Numbers = Sequence[float]
# Densities reach this high above their row's baseline, which stands so far below the middle of the row.
_HIGH, _BASE = 0.84, 0.42
_PER_ROW, _FILLED = 3, 0.66


class Estimated(NamedTuple):
    """What one fit says of some terms: its name, and numbers of shape (k,); NaN where it lacks a term."""

    name: str
    estimate: Numbers
    lower: Numbers
    upper: Numbers


class Shape(NamedTuple):
    """A density: positions and heights, each shape (k,)."""

    x: Numbers
    height: Numbers


def forest_of_several(
    labels: Sequence[str],
    entries: Sequence[Estimated],
    *,
    interval: str = "95 % interval",
    scale: str = "log-odds per unit",
    most_rows: int = 40,
    name: str = "forest",
    title: str = "Coefficients of several fits",
    notes: Sequence[str] = (),
) -> Chart:
    """Estimates with intervals of several fits, one colour and shape a fit, on a log-odds axis with odds ratios above.

    Parameters
    ----------
    labels : sequence of str, shape (k,)
    entries : sequence of Estimated
    """
    shown = list(labels[:most_rows])
    lines = -(-len(entries) // _PER_ROW)
    ends = [v for e in entries for part in (e.lower, e.upper, e.estimate) for v in part[:most_rows]]
    left, right = limits(ends)
    layers: list[Layer] = [Rule(0.0, label="no effect: odds ratio 1")]
    for k, entry in enumerate(entries):
        shift = lines * (_FILLED * ((k + 0.5) / len(entries) - 0.5) + 0.5) - 0.5
        there = [i for i in range(len(shown)) if not math.isnan(entry.lower[i])]
        at = tuple(lines * i + shift for i in there)
        low, middle, high = (tuple(part[i] for i in there) for part in (entry.lower, entry.estimate, entry.upper))
        style = HUES[k % len(HUES)]
        layers += [Intervals(at, low, high, style=style), Points(middle, at, style=style, label=entry.name)]
    heads = (
        Column("term", "term"),
        Column("fit", "fit"),
        Column("estimate", f"estimate ({scale})", "number"),
        Column("lower", f"{interval}, lower", "number"),
        Column("upper", f"{interval}, upper", "number"),
    )
    rows = tuple(
        (label, e.name, float(e.estimate[i]), float(e.lower[i]), float(e.upper[i]))
        for i, label in enumerate(labels)
        for e in entries
    )
    return Chart(
        name=name,
        title=title,
        description=f"Estimates and {interval}s of {len(shown)} coefficients under {len(entries)} fits "
        f"({', '.join(e.name for e in entries)}), on the log-odds scale, odds ratios above. The same numbers are in "
        "the table of this chart.",
        x=Axis(f"{scale} ({interval})", left, right, nice_ticks(left, right)),
        y=Axis("", -0.5, lines * len(shown) - 0.5, ()),
        top=Axis("odds ratio (log scale)", left, right, ratio_ticks(left, right)),
        layers=tuple(layers),
        rows=tuple(Row(label if line == (lines - 1) // 2 else "") for label in shown for line in range(lines)),
        row_height=1.15,
        data=Table(f"{name}-data", f"{title}: the numbers", heads, rows),
        notes=(*rows_left_out(len(labels), len(shown)), *notes),
    )


def limits(ends: Numbers, centre: float = 0.0) -> tuple[float, float]:
    """An axis for all intervals, unless a few dwarf the rest; the centre is on it."""
    sizes = sorted(abs(end - centre) for end in ends if math.isfinite(end)) or [1.0]
    limit = 8.0 * (sizes[(3 * len(sizes) - 1) // 4] or sizes[-1] or 1.0)
    near = [end for end in ends if math.isfinite(end) and abs(end - centre) <= limit] + [centre]
    margin = 0.06 * (max(near) - min(near)) or 0.5
    return min(near) - margin, max(near) + margin


def ridges(
    labels: Sequence[str],
    series: Mapping[str, Sequence[Shape | None]],
    *,
    values: Sequence[str] = (),
    heading: str = "",
    behind: str | None = None,
    scale: str = "log-odds per unit",
    most_rows: int = 30,
    name: str,
    title: str,
    description: str,
    notes: Sequence[str] = (),
) -> Chart:
    """Densities of coefficients, one row a coefficient; within a row all have one vertical scale.

    Parameters
    ----------
    labels : sequence of str, shape (k,)
    series : mapping of str to sequence of Shape, shape (k,)
        What to draw in each row; None where there is no density.
    values : sequence of str, shape (k,), optional
        Words at the right of each row, under ``heading``.
    behind : str, optional
        The series in grey: it does not set the axis.
    """
    shown = range(min(len(labels), most_rows))
    fronts = [name for name in series if name != behind]
    spread = [v for key in fronts for i in shown for s in (series[key][i],) if s for v in (s.x[0], s.x[-1])]
    left, right = limits(spread or [-1.0, 1.0])
    rows = [
        (labels[i], key, float(x), float(h))
        for key, shapes in series.items()
        for i, shape in enumerate(shapes)
        if shape is not None
        for x, h in zip(shape.x, shape.height, strict=True)
    ]
    return Chart(
        name=name,
        title=title,
        description=description,
        x=Axis(scale, left, right, nice_ticks(left, right)),
        y=Axis("", -0.5, len(shown) - 0.5, ()),
        top=Axis("odds ratio (log scale)", left, right, ratio_ticks(left, right)),
        layers=(Rule(0.0, label=""), *_densities(series, behind, shown, (left, right))),
        rows=tuple(Row(labels[i], values[i] if values else "") for i in shown),
        row_heading=heading if values else "",
        row_height=1.7,
        data=Table(
            f"{name}-data",
            f"{title}: the numbers",
            (
                Column("term", "term"),
                Column("density", "density"),
                Column("at", scale, "number"),
                Column("height", "height", "number"),
            ),
            tuple(rows),
        ),
        notes=(*rows_left_out(len(labels), len(shown)), *notes),
    )


def _densities(
    series: Mapping[str, Sequence[Shape | None]], behind: str | None, shown: range, ends: tuple[float, float]
) -> list[Layer]:
    """The part of every density on the axis, filled and outlined, the tallest of a row as high as the row allows."""
    layers: list[Layer] = []
    hues = iter(HUES)
    tops = [
        max((h for key in series for s in (series[key][i],) if s for h in s.height if math.isfinite(h)), default=1.0)
        for i in shown
    ]
    for key, shapes in series.items():
        style = "muted" if key == behind else next(hues)
        outline = "guide" if key == behind else style
        label = key  # the legend names a series once
        for i in shown:
            shape = shapes[i]
            inside = [] if shape is None else [j for j in range(len(shape.x)) if ends[0] <= shape.x[j] <= ends[1]]
            if shape is None or len(inside) < 2:
                continue
            base = i + _BASE
            x = tuple(float(shape.x[j]) for j in inside)
            y = tuple(base - _HIGH * min(float(shape.height[j]) / tops[i], 1.0) for j in inside)
            layers += [Band(x, (base,) * len(x), y, style=style), Line(x, y, style=outline, label=label, dashed=True)]
            label = ""
    return layers


def sensitivities(
    labels: Sequence[str],
    by_prior: Numbers,
    by_likelihood: Numbers,
    diagnosis: Sequence[str],
    *,
    threshold: float,
    most_rows: int = 40,
    name: str = "sensitivity",
    title: str = "Sensitivity to prior and likelihood",
    notes: Sequence[str] = (),
) -> Chart:
    """How much each coefficient moves when the prior, or the likelihood, is made stronger; a rule at the threshold."""
    k = min(len(labels), most_rows)
    known = [v for part in (by_prior, by_likelihood) for v in part[:k] if math.isfinite(v)]
    right = 1.08 * max([*known, 2.0 * threshold])
    layers: list[Layer] = [Rule(threshold, label=f"{threshold:g}: worth a look")]
    for style, part, label in (("h0", by_likelihood, "to the likelihood"), ("h1", by_prior, "to the prior")):
        there = [i for i in range(k) if math.isfinite(part[i])]
        if there:
            layers.append(Points(tuple(part[i] for i in there), tuple(map(float, there)), style=style, label=label))
    return Chart(
        name=name,
        title=title,
        description=f"Power-scaling sensitivity of {k} coefficients to the prior and to the likelihood, with a rule at "
        f"{threshold:g}. The same numbers are in the table of this chart.",
        x=Axis("distance between posteriors for a doubling of the power", 0.0, right, nice_ticks(0.0, right)),
        y=Axis("", -0.5, k - 0.5, ()),
        layers=tuple(layers),
        rows=tuple(Row(labels[i], diagnosis[i]) for i in range(k)),
        row_heading="diagnosis",
        data=Table(
            f"{name}-data",
            f"{title}: the numbers",
            (
                Column("term", "term"),
                Column("by_prior", "sensitivity to the prior", "number"),
                Column("by_likelihood", "to the likelihood", "number"),
                Column("diagnosis", "diagnosis"),
            ),
            tuple(
                (label, float(a), float(b), words)
                for label, a, b, words in zip(labels, by_prior, by_likelihood, diagnosis, strict=True)
            ),
        ),
        notes=(*rows_left_out(len(labels), k), *notes),
    )
