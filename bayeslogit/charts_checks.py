"""Charts of model checks: calibration curve, binned residuals, replicated statistics, influence. No statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bayeslogit.chart import Chart, rows_left_out
from bayeslogit.marks import Axis, Band, Intervals, Layer, Line, Note, Points, Row, Rule, Strip, nice_ticks, unit_range
from bayeslogit.table import Column, Table, format_column

Numbers = Sequence[float]
_CORNERS = 400  # of one drawn curve


def calibration_curve(
    predicted: Numbers,
    rate: Numbers,
    lower: Numbers,
    upper: Numbers,
    count: Numbers,
    *,
    histogram: tuple[Numbers, Numbers],
    band: str,
    unit: str = "observations",
    name: str = "calibration",
    title: str = "Event rate against predicted probability",
    notes: Sequence[str] = (),
) -> Chart:
    """A nondecreasing event rate against the prediction, its band and the diagonal.

    Parameters
    ----------
    predicted, rate, lower, upper, count : sequence of float, shape (m,)
        Distinct predictions ascending, the event rate and its band there, and how many observations have them.
    histogram : (edges, counts)
        How the predictions are spread over [0, 1].
    band, unit : str
        Words for the band, and for what is counted.
    """
    columns = [tuple(map(float, part)) for part in (predicted, rate, lower, upper, count)]
    x, y, low, high, _ = columns
    left, right = unit_range([*x, *y])
    ticks = nice_ticks(left, right, 6)
    keep = _corners(x, y)
    xs, ys, lows, highs = ([part[i] for i in keep] for part in (x, y, low, high))
    if len(xs) == 1:  # one prediction for all: a short stroke
        xs, ys, lows, highs = [xs[0] - 0.01, xs[0] + 0.01], 2 * ys, 2 * lows, 2 * highs
    curve_x, curve_y = _steps(xs, ys)
    heights = tuple(map(float, histogram[1]))
    return Chart(
        name=name,
        title=title,
        description=f"Isotonic calibration curve over {len(x)} distinct predictions: event rate against predicted "
        f"probability, both axes from {left:g} to {right:g}, beside the diagonal of right predictions; shaded: {band}. "
        "The same numbers are in the table of this chart.",
        x=Axis("predicted probability of the event", left, right, ticks),
        y=Axis("event rate (isotonic regression)", left, right, ticks),
        layers=(
            Band(tuple(xs), _inside(lows, left, right), _inside(highs, left, right), label=band),
            Line((left, right), (left, right), style="guide", label="right predictions"),
            Line(curve_x, curve_y, style="h0", label="event rate"),
        ),
        data=Table(
            f"{name}-data",
            f"{title}: the numbers",
            (
                Column("predicted", "predicted probability", "number"),
                Column("rate", "event rate (isotonic)", "number"),
                Column("lower", f"{band}, lower", "number"),
                Column("upper", f"{band}, upper", "number"),
                Column("count", unit, "number"),
            ),
            tuple(zip(*columns, strict=True)),
        ),
        strip=Strip(
            tuple(map(float, histogram[0])),
            heights,
            f"number of {unit} by predicted probability (tallest bar: {max(heights):,.0f})",
        ),
        notes=tuple(notes),
    )


def _corners(x: Numbers, y: Numbers) -> list[int]:
    """Both ends of every step of the curve, and evenly spread points between for the band."""
    m = len(x)
    ends = {0, m - 1} | {i for i in range(m) if (i and y[i] != y[i - 1]) or (i < m - 1 and y[i] != y[i + 1])}
    spread = {round(k * (m - 1) / _CORNERS) for k in range(_CORNERS + 1)}
    return sorted(ends | spread)


def _steps(x: Numbers, y: Numbers) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The corners of a curve that is level within a step and straight between two."""
    keep = [i for i in range(len(x)) if i in (0, len(x) - 1) or y[i] != y[i - 1] or y[i] != y[i + 1]]
    return tuple(x[i] for i in keep), tuple(y[i] for i in keep)


def _inside(values: Numbers, left: float, right: float) -> tuple[float, ...]:
    return tuple(min(max(v, left), right) for v in values)


def residual_bins(
    at: Numbers,
    residual: Numbers,
    limit: Numbers,
    count: Numbers,
    *,
    x_label: str = "predicted probability of the event",
    limits: str = "95 % of bins lie within, if the model holds",
    unit: str = "observations",
    name: str = "binned-residuals",
    title: str = "Average residual in bins",
    notes: Sequence[str] = (),
) -> Chart:
    """Average residuals of bins against what they are binned by, within their limits.

    Parameters
    ----------
    at, residual, limit, count : sequence of float, shape (bins,)
        Of each bin: where it stands, observed minus predicted event rate, half width of the limits, and its size.
    """
    columns = [tuple(map(float, part)) for part in (at, residual, limit, count)]
    x, y, bound, _ = columns
    ends = [abs(v) for part in (y, bound) for v in part]
    top = 1.08 * max(*ends, 1e-6)
    margin = 0.03 * (max(x) - min(x)) or 0.05
    left, right = min(x) - margin, max(x) + margin
    band_x, band = (x, bound) if len(x) > 1 else ((left, right), bound + bound)
    outside = [i for i in range(len(x)) if abs(y[i]) > bound[i]]
    inside = [i for i in range(len(x)) if abs(y[i]) <= bound[i]]
    layers: list[Layer] = [
        Band(band_x, tuple(-b for b in band), band, label=limits),
        Rule(0.0, vertical=False),
        Points(tuple(x[i] for i in inside), tuple(y[i] for i in inside), style="h0", label="bin within its limits"),
        Points(tuple(x[i] for i in outside), tuple(y[i] for i in outside), style="h1", label="bin outside"),
    ]
    return Chart(
        name=name,
        title=title,
        description=f"{len(x)} bins by {x_label}; observed minus predicted event rate against it, {len(outside)} of "
        "them outside their limits. The same numbers are in the table of this chart.",
        x=Axis(x_label, left, right, nice_ticks(left, right)),
        y=Axis("observed minus predicted event rate", -top, top, nice_ticks(-top, top)),
        layers=tuple(layer for layer in layers if not isinstance(layer, Points) or layer.x),
        data=Table(
            f"{name}-data",
            f"{title}: the numbers",
            (
                Column("at", f"{x_label} (mean of the bin)", "number"),
                Column("residual", "observed minus predicted event rate", "number"),
                Column("limit", "half width of the limits", "number"),
                Column("count", unit, "number"),
            ),
            tuple(zip(*columns, strict=True)),
        ),
        notes=tuple(notes),
    )


def replicated_rates(
    names: Sequence[str],
    observed: Numbers,
    lower: Numbers,
    median: Numbers,
    upper: Numbers,
    *,
    interval: str = "95 % interval",
    most_rows: int = 40,
    name: str = "predictive",
    title: str = "Event rates: observed, and replicated by the model",
    notes: Sequence[str] = (),
) -> Chart:
    """Observed event rates on the intervals of replicated ones, a row each."""
    columns = [tuple(map(float, part)) for part in (observed, lower, median, upper)]
    shown = [part[:most_rows] for part in columns]
    at = tuple(map(float, range(len(shown[0]))))
    left, right = unit_range([v for part in shown for v in part])
    texts = [format_column(part, "percent") for part in (shown[0], shown[1], shown[3])]
    out = [i for i in range(len(at)) if not shown[1][i] <= shown[0][i] <= shown[3][i]]
    ok = [i for i in range(len(at)) if i not in set(out)]
    layers: list[Layer] = [
        Intervals(at, shown[1], shown[3], style="muted", label=f"replicated, {interval}"),
        Points(tuple(shown[0][i] for i in ok), tuple(at[i] for i in ok), style="h0", label="observed"),
        Points(tuple(shown[0][i] for i in out), tuple(at[i] for i in out), style="h1", label="observed, outside"),
    ]
    return Chart(
        name=name,
        title=title,
        description=f"{len(at)} event rates: observed, and the {interval} of data that the model makes; {len(out)} "
        "of the observed lie outside. The same numbers are in the table of this chart.",
        x=Axis("event rate", left, right, nice_ticks(left, right)),
        y=Axis("", -0.5, len(at) - 0.5, ()),
        layers=tuple(layer for layer in layers if not isinstance(layer, Points) or layer.x),
        rows=tuple(
            Row(label, f"{a.strip()} ({b.strip()} to {c.strip()})")
            for label, a, b, c in zip(names, *texts, strict=False)
        ),
        row_heading=f"observed (replicated {interval})",
        data=Table(
            f"{name}-data",
            f"{title}: the numbers",
            (
                Column("statistic", "statistic"),
                Column("observed", "observed", "number"),
                Column("lower", f"replicated {interval}, lower", "number"),
                Column("median", "replicated, median", "number"),
                Column("upper", f"replicated {interval}, upper", "number"),
            ),
            tuple(zip(names, *columns, strict=True)),
        ),
        notes=(*rows_left_out(len(names), len(at)), *notes),
    )


def influence_cloud(
    x: Numbers,
    y: Numbers,
    order: Sequence[int],
    labels: Sequence[str],
    flagged: Sequence[int],
    *,
    x_label: str,
    y_label: str,
    flag: str,
    data: Table,
    named: int = 5,
    most: int = 2000,
    limit: float | None = None,
    name: str = "influence",
    title: str = "Influence of single rows",
    notes: Sequence[str] = (),
) -> Chart:
    """Rows as points, the most influential named and the flagged in another colour.

    Parameters
    ----------
    x, y : sequence of float, shape (n,)
    order : sequence of int
        Rows by influence, the largest first.
    labels : sequence of str, shape (n,)
    flagged : sequence of int
        Rows in the other colour; ``flag`` says why.
    most : int
        Of more rows only the first are drawn.
    limit : float, optional
        A value of x that is marked.
    """
    drawn = [i for i in order if math.isfinite(x[i]) and math.isfinite(y[i])][:most]
    special = set(flagged)
    left, right = _span([x[i] for i in drawn] + ([limit] if limit is not None else []), low=0.0)
    bottom, top = _span([y[i] for i in drawn])
    others = [i for i in drawn if i not in special]
    parts = [("h0", others, "row" if special else ""), ("h1", [i for i in drawn if i in special], flag)]
    layers: list[Layer] = [
        Points(tuple(x[i] for i in part), tuple(y[i] for i in part), style=style, label=label)
        for style, part, label in parts
        if part
    ]
    if limit is not None:
        layers.append(Rule(limit, label=f"{x_label} {limit:g}"))
    layers += [
        Note(x[i], y[i], labels[i], side="left" if x[i] > 0.5 * (left + right) else "right") for i in drawn[:named]
    ]
    rest = len(x) - len(drawn)
    more = (f"The {len(drawn):,} most influential of {len(x):,} rows are drawn.",) if rest else ()
    return Chart(
        name=name,
        title=title,
        description=f"{len(drawn)} rows by {x_label} and {y_label}; the most influential are "
        f"{', '.join(labels[i] for i in drawn[:named])}. The same numbers are in the table of this chart.",
        x=Axis(x_label, left, right, nice_ticks(left, right)),
        y=Axis(y_label, bottom, top, nice_ticks(bottom, top)),
        layers=tuple(layers),
        data=data,
        notes=(*more, *notes),
    )


def _span(values: Numbers, low: float | None = None) -> tuple[float, float]:
    least, most = (min(values), max(values)) if values else (0.0, 1.0)
    if low is not None:
        least = min(least, low)
    margin = 0.06 * (most - least) or 0.5
    return (least if least == low else least - margin), most + margin
