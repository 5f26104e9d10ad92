"""Criteria along an axis of prior scales, as charts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bayeslogit.chart import Chart
from bayeslogit.marks import HUES, Axis, Band, End, Layer, Line, Rule, nice_ticks, ratio_ticks
from bayeslogit.marks import Points as Dots
from bayeslogit.table import Table


def criterion_chart(
    scales: Sequence[float],
    values: Sequence[float],
    *,
    data: Table,
    label: str,
    title: str,
    best: float,
    uncertainty: tuple[float, float],
    words: str,
    lower: Sequence[float] | None = None,
    upper: Sequence[float] | None = None,
    dots: tuple[Sequence[float], Sequence[float]] | None = None,
    notes: Sequence[str] = (),
) -> Chart:
    """One criterion against the logarithm of the scale, with its optimum and what cannot be told from it.

    Parameters
    ----------
    scales, values : sequence of float, shape (S,)
        The curve; scales ascend.
    best : float
        Marked by a rule.
    uncertainty : (float, float)
        Shaded; 0 and infinity go to the edge.
    words : str
        What the shade means.
    lower, upper : sequence of float, shape (S,), optional
        A band about the curve.
    dots : (scales, values), optional
        Where the criterion was worked out, if the curve goes on between.
    """
    x = tuple(math.log(scale) for scale in scales)
    known = [v for v in values if math.isfinite(v)]
    low, high = min(known), max(known)
    margin = 0.05 * (high - low) if high > low else 0.5
    low, high = low - margin, high + margin
    left = max(x[0], math.log(uncertainty[0]) if uncertainty[0] > 0.0 else -math.inf)
    right = min(x[-1], math.log(uncertainty[1]) if uncertainty[1] > 0.0 else math.inf)
    layers: list[Layer] = [Band((left, right), (low, low), (high, high), style="muted", label=words)]
    if lower is not None and upper is not None:
        below, above = (tuple(min(max(v, low), high) for v in part) for part in (lower, upper))
        layers.append(Band(x, below, above, style="h0", label="plus or minus one standard error"))
    layers += [Line(x, tuple(values), style="h0"), Rule(math.log(best), label=f"best scale {best:.3g}")]
    if dots is not None:
        layers.append(Dots(tuple(math.log(s) for s in dots[0]), tuple(dots[1]), label="sampled; a cubic between"))
    return Chart(
        name="scale-choice",
        title=title,
        description=f"{label} at prior scales from {scales[0]:.3g} to {scales[-1]:.3g} (logarithmic axis); best at "
        f"{best:.3g}. The same numbers are in the table of this chart.",
        x=Axis("prior scale", x[0], x[-1], ratio_ticks(x[0], x[-1])),
        y=Axis(label, low, high, nice_ticks(low, high)),
        layers=tuple(layers),
        data=data,
        notes=tuple(notes),
    )


def criteria_chart(
    scales: Sequence[float], curves: dict[str, Sequence[float]], best: dict[str, float], data: Table, title: str
) -> Chart:
    """Several criteria on one axis, each from 0 at its worst to 1 at its best, so that they can share a height."""
    x = tuple(math.log(scale) for scale in scales)
    layers: list[Layer] = []
    ends, marks = [], []
    for k, (name, values) in enumerate(curves.items()):
        known = [v for v in values if math.isfinite(v)]
        if not known:
            continue
        spread = max(known) - min(known) or 1.0
        y = tuple((v - min(known)) / spread for v in values)
        at = math.log(best[name])
        nearest = min((j for j in range(len(y)) if math.isfinite(y[j])), key=lambda j: abs(x[j] - at))
        layers.append(Line(x, y, style=HUES[k % len(HUES)]))
        marks.append(Dots((at,), (y[nearest],), style=HUES[k % len(HUES)]))
        ends.append(End(y[-1], name, HUES[k % len(HUES)]))
    return Chart(
        name="scale-axis",
        title=title,
        description=f"Criteria {', '.join(curves)} at prior scales from {scales[0]:.3g} to {scales[-1]:.3g}; each from "
        "its worst to its best, with a dot at its optimum. The numbers are in the table of this chart.",
        x=Axis("prior scale", x[0], x[-1], ratio_ticks(x[0], x[-1])),
        y=Axis("from worst (0) to best (1)", -0.03, 1.03, ((0.0, "0"), (0.5, "0.5"), (1.0, "1"))),
        layers=(*layers, *marks),
        data=data,
        ends=tuple(ends),
        notes=("Each criterion is shown from 0 at its worst to 1 at its best on this axis; dots mark the optima.",),
    )
