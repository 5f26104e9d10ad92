"""Coefficients along an axis of prior scales, as a chart: lines, bands where there are sds, names at the right edge."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bayeslogit.chart import Chart
from bayeslogit.errors import ArgumentError
from bayeslogit.marks import HUES, Axis, Band, End, Layer, Line, Rule, nice_ticks, ratio_ticks
from bayeslogit.table import Column, Table

Rows = Sequence[Sequence[float]]
_MOST_LINES = 300


def coefficient_paths(
    names: Sequence[str],
    scales: Sequence[float],
    values: Rows,
    *,
    lower: Rows | None = None,
    upper: Rows | None = None,
    named: int = 8,
    banded: int = 3,
    name: str = "path",
    title: str = "Coefficients along the prior scale",
    x_label: str = "prior scale",
    y_label: str = "log-odds",
    interval: str = "95 % interval",
    marked: float | None = None,
    notes: Sequence[str] = (),
) -> Chart:
    """Lines of coefficients against the logarithm of a scale.

    Parameters
    ----------
    names : sequence of str, shape (k,)
    scales : sequence of float, shape (S,)
        Ascending, positive.
    values, lower, upper : sequences of shape (S, k)
        Bands are drawn for the ``banded`` largest coefficients.
    named : int
        How many lines are named and coloured, the largest at the last scale first; the others are thin and grey.
    marked : float, optional
        A scale to mark by a vertical rule.

    Raises
    ------
    ArgumentError
        When there are fewer than two scales, no lines, or the shapes differ.
    """
    if len(scales) < 2 or not names or len(values) != len(scales) or any(len(row) != len(names) for row in values):
        raise ArgumentError(
            f"coefficient_paths: {len(scales)} scales and {len(names)} names need values of shape "
            f"({len(scales)}, {len(names)}), at least two scales and one name."
        )
    x = tuple(math.log(scale) for scale in scales)
    last = [row if math.isfinite(row) else 0.0 for row in values[-1]]
    largest = [max((abs(row[j]) for row in values if math.isfinite(row[j])), default=0.0) for j in range(len(names))]
    order = sorted(range(len(names)), key=lambda j: (-abs(last[j]), -largest[j], j))
    picked = [j for j in order[: min(named, len(HUES))] if largest[j] > 0.0]
    hue = {j: HUES[k] for k, j in enumerate(picked)}
    drawn = [row[j] for row in values for j in range(len(names)) if math.isfinite(row[j])] or [0.0]
    low, high = min(*drawn, 0.0), max(*drawn, 0.0)
    bands: list[Band] = []
    if lower is not None and upper is not None:
        shown = picked[:banded]
        ends = [v for part in (lower, upper) for j in shown for v in (part[-1][j],) if math.isfinite(v)]
        low, high = _margins(min([low, *ends]), max([high, *ends]))
        words = f"{interval} of {', '.join(names[j] for j in shown)}"
        for j in shown:
            bands.append(_band(x, [row[j] for row in lower], [row[j] for row in upper], (low, high), hue[j], words))
            words = ""
    else:
        low, high = _margins(low, high)
    drawn_too = [j for j in order if largest[j] > 0.0 or len(order) <= _MOST_LINES][:_MOST_LINES]
    lines = [Line(x, tuple(row[j] for row in values), style=hue.get(j, "thin")) for j in reversed(drawn_too)]
    rules: list[Layer] = [Rule(0.0, vertical=False)]
    if marked is not None:
        rules.append(Rule(math.log(marked)))
    return Chart(
        name=name,
        title=title,
        description=f"{len(names)} coefficients at {len(scales)} prior scales from {scales[0]:.3g} to {scales[-1]:.3g} "
        f"(logarithmic axis). Largest at the last scale: {', '.join(names[j] for j in picked)}. "
        "The same numbers are in the table of this chart.",
        x=Axis(x_label, x[0], x[-1], ratio_ticks(x[0], x[-1])),
        y=Axis(y_label, low, high, nice_ticks(low, high)),
        layers=(*rules, *bands, *lines),
        data=Table(
            f"{name}-data",
            f"{title}: the numbers",
            (Column("scale", x_label, "number"), *(Column(f"c{j}", names[j], "number") for j in picked)),
            tuple((scale, *(row[j] for j in picked)) for scale, row in zip(scales, values, strict=True)),
        ),
        ends=tuple(End(last[j], names[j], hue[j]) for j in picked),
        notes=(*_unnamed(len(drawn_too) - len(picked), len(names) - len(drawn_too)), *notes),
    )


def _band(
    x: Sequence[float],
    lower: Sequence[float],
    upper: Sequence[float],
    limits: tuple[float, float],
    style: str,
    label: str,
) -> Band:
    """Between the ends of one coefficient's intervals where both are known, cut at the edges of the chart."""
    low, high = limits
    there = [s for s in range(len(x)) if math.isfinite(lower[s]) and math.isfinite(upper[s])]
    return Band(
        tuple(x[s] for s in there),
        tuple(min(max(lower[s], low), high) for s in there),
        tuple(min(max(upper[s], low), high) for s in there),
        style=style,
        label=label,
    )


def _unnamed(thin: int, left_out: int) -> list[str]:
    """What became of the lines without a name."""
    found = [f"{thin} further coefficients are drawn thin and grey."] if thin > 0 else []
    if left_out:
        found.append(f"{left_out} smaller ones, or ones that are zero throughout, are not drawn.")
    return found


def _margins(low: float, high: float) -> tuple[float, float]:
    margin = 0.05 * (high - low) if high > low else 0.5
    return low - margin, high + margin
