"""Charts as records: what is drawn, in data units, beside the table of its numbers. Nothing here is estimated.

A chart draws itself as SVG (for notebooks and documents) and as a matplotlib figure (for papers); both read the same
marks. The constructors arrange numbers that the caller has computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bayeslogit.errors import ArgumentError
from bayeslogit.marks import (
    HUES,
    Axis,
    Band,
    Intervals,
    Layer,
    Line,
    Note,
    Plot,
    Points,
    Row,
    Rule,
    Strip,
    nice_ticks,
    ratio_ticks,
)
from bayeslogit.svg import draw, fit_lines
from bayeslogit.table import Cell, Column, Table, format_column

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ENDLESS = 1e9  # a log-odds this far out is drawn as an arrow
_MAIN, _GREY = "#1b5e8c", "#8a8f98"
_COLORS = ("#1b5e8c", "#c2571a", "#2f7d4f", "#8b4a9c", "#9c7411", "#a8324a", "#1f8792", "#63676f")
_HUES = dict(zip(HUES, _COLORS, strict=True))


@dataclass(frozen=True)
class Chart(Plot):
    """A chart: axes, layers and the table of its numbers (`data`). Fields as in `marks.Plot`."""

    def svg(self, width: float = 720.0) -> str:
        """One <svg> element, laid out for this width in pixels; below 560 the layout is that of a phone."""
        return draw(self, width)

    def _repr_svg_(self) -> str:
        return self.svg()

    def __str__(self) -> str:
        return str(self.data)

    def to_matplotlib(self) -> Figure:
        """Draw the same marks as a `matplotlib.figure.Figure`, without pyplot and its global state."""
        from matplotlib.figure import Figure

        height = 1.6 + 0.32 * len(self.rows) if self.rows else 5.4
        figure = Figure(figsize=(7.2, height), layout="constrained")
        if self.strip:
            upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(6, 1))
            widths = [b - a for a, b in zip(self.strip.edges[:-1], self.strip.edges[1:], strict=True)]
            lower.bar(self.strip.edges[:-1], self.strip.heights, widths, align="edge", color=_GREY, alpha=0.6)
            lower.set_title(_literal(self.strip.label), fontsize=8, loc="left")
            lower.set_yticks([])
        else:
            upper = lower = figure.subplots()
        for layer in self.layers:
            _matplotlib_layer(upper, layer, self)
        for y, end in zip(_apart([end.y for end in self.ends], self.y), self.ends, strict=True):
            color = _HUES.get(end.style, _GREY)
            upper.annotate(_literal(end.text), (1.01, y), xycoords=("axes fraction", "data"), fontsize=8, color=color)
        _matplotlib_axes(upper, lower, self)
        return figure


def forest(
    labels: Sequence[str],
    estimate: Sequence[float],
    lower: Sequence[float],
    upper: Sequence[float],
    *,
    prior_lower: Sequence[float] | None = None,
    prior_upper: Sequence[float] | None = None,
    name: str = "forest",
    title: str = "Coefficients with their intervals",
    estimate_name: str = "mode",
    interval: str = "95 % interval",
    scale: str = "log-odds",
    odds_ratios: bool = True,
    reference: float | None = 0.0,
    most_rows: int = 40,
    description: str | None = None,
    notes: Sequence[str] = (),
) -> Chart:
    """Estimates with intervals, one row each, on a log-odds axis with odds ratios at the top.

    Parameters
    ----------
    labels : sequence of str, shape (k,)
        One name a row, in the order from top to bottom.
    estimate, lower, upper : sequence of float, shape (k,)
        Log-odds. NaN leaves the row empty with a dash; an infinite or far-off end is drawn as an arrow.
    prior_lower, prior_upper : sequence of float, shape (k,), optional
        Prior intervals of the same probability, drawn behind in grey; NaN where there is none.
    estimate_name, interval, scale : str
        Words for the legend and the axis: "mode", "95 % interval", "log-odds".
    odds_ratios : bool
        Whether the top axis and the numbers at the right are odds ratios, exp of the values.
    most_rows : int
        Rows beyond this many are left out of the drawing, with a note; the table keeps them.

    Raises
    ------
    ArgumentError
        When the sequences differ in length, or there are no rows.
    """
    columns: dict[str, tuple[float, ...]] = {
        key: tuple(map(float, values)) for key, values in (("estimate", estimate), ("lower", lower), ("upper", upper))
    }
    _same_lengths("forest", {"labels": labels, **columns, "prior_lower": prior_lower, "prior_upper": prior_upper})
    has_prior = prior_lower is not None and prior_upper is not None
    if has_prior:
        columns |= {
            "prior_lower": tuple(map(float, prior_lower or ())),
            "prior_upper": tuple(map(float, prior_upper or ())),
        }
    shown = {key: values[:most_rows] for key, values in columns.items()}
    at = tuple(float(i) for i in range(len(shown["estimate"])))
    left, right = _forest_range(shown, reference)
    layers: list[Layer] = []
    if has_prior:
        ends = (shown["prior_lower"], shown["prior_upper"])
        clipped = any(low < left or high > right for low, high in zip(*ends, strict=True))
        words = f"prior {interval}" + (" (goes on beyond an arrow)" if clipped else "")
        layers.append(Intervals(at, *ends, style="muted", label=words))
    if reference is not None:
        words = "no effect: odds ratio 1" if odds_ratios and reference == 0.0 else ""
        layers.append(Rule(reference, label=words))
    layers.append(Intervals(at, shown["lower"], shown["upper"], label=interval))
    layers.append(Points(shown["estimate"], at, label=estimate_name))
    more = len(labels) - len(at)
    left_out = (f"{more} of {len(labels)} rows are not drawn; the table of this chart has them all.",) if more else ()
    drawn = f"the first {len(at)} of {len(labels)} rows" if more else "1 row" if len(at) == 1 else f"{len(at)} rows"
    return Chart(
        name=name,
        title=title,
        description=description
        or f"Forest plot of {drawn}: {estimate_name} and {interval} on the {scale} scale"
        + (", with the prior interval behind each in grey" if has_prior else "")
        + (". Odds ratios stand on the upper axis" if odds_ratios else "")
        + ". The same numbers are in the table of this chart.",
        x=Axis(f"{scale} ({estimate_name} and {interval})", left, right, nice_ticks(left, right)),
        y=Axis("", -0.5, len(at) - 0.5, ()),
        top=Axis("odds ratio (log scale)", left, right, ratio_ticks(left, right)) if odds_ratios else None,
        layers=tuple(layers),
        rows=tuple(map(Row, labels[:most_rows], _row_values(shown, odds_ratios))),
        row_heading=f"{'odds ratio' if odds_ratios else scale} ({interval})",
        data=_forest_table(name, title, labels, columns, scale, estimate_name, interval),
        notes=(*left_out, *notes),
    )


def _forest_range(shown: dict[str, tuple[float, ...]], reference: float | None) -> tuple[float, float]:
    """Limits of the axis: all intervals, unless a few dwarf the rest; the prior's too if that is not much wider."""
    ends = [v for key in ("estimate", "lower", "upper") for v in shown[key] if abs(v) < _ENDLESS] or [-1.0, 1.0]
    centre = 0.0 if reference is None else reference
    sizes = sorted(abs(v - centre) for v in ends)
    limit = 8.0 * sizes[(3 * len(sizes) - 1) // 4] or sizes[-1] or 1.0
    near = [v for v in ends if abs(v - centre) <= limit] + [centre]
    left, right = min(near), max(near)
    prior = [v for key in ("prior_lower", "prior_upper") for v in shown.get(key, ()) if abs(v) < _ENDLESS]
    if prior and max(right, *prior) - min(left, *prior) <= 2.5 * (right - left):
        left, right = min(left, *prior), max(right, *prior)
    margin = 0.06 * (right - left) if right - left > 1e-12 else 0.5
    return left - margin, right + margin


def _row_values(shown: dict[str, tuple[float, ...]], odds_ratios: bool) -> list[str]:
    numbers: list[Cell] = [v for key in ("estimate", "lower", "upper") for v in shown[key]]
    if odds_ratios:
        numbers = [math.exp(v) if v < 709.0 else v if math.isnan(v) else math.inf for v in map(float, numbers)]  # type: ignore[arg-type]
    texts = format_column(numbers, "ratio" if odds_ratios else "number")
    k = len(shown["estimate"])
    dash = "\u2013" if odds_ratios else " to "
    return [
        f"{middle} ({low}{dash}{high})" if low != "\u2014" else middle
        for middle, low, high in zip(texts[:k], texts[k : 2 * k], texts[2 * k :], strict=True)
    ]


def _forest_table(
    name: str,
    title: str,
    labels: Sequence[str],
    columns: dict[str, tuple[float, ...]],
    scale: str,
    estimate_name: str,
    interval: str,
) -> Table:
    words = {
        "estimate": f"{estimate_name} ({scale})",
        "lower": f"{interval}, lower",
        "upper": f"{interval}, upper",
        "prior_lower": f"prior {interval}, lower",
        "prior_upper": f"prior {interval}, upper",
    }
    heads = (Column("term", "term"), *(Column(key, words[key], "number") for key in columns))
    rows = tuple(zip(labels, *columns.values(), strict=True))
    return Table(f"{name}-data", f"{title}: the numbers", heads, rows, header=(f"All values on the {scale} scale",))


def calibration(
    predicted: Sequence[float],
    observed: Sequence[float],
    lower: Sequence[float],
    upper: Sequence[float],
    count: Sequence[float],
    *,
    histogram: tuple[Sequence[float], Sequence[float]] | None = None,
    name: str = "calibration",
    title: str = "Observed event rate against predicted probability",
    interval: str = "95 % Wilson interval",
    unit: str = "rows",
    description: str | None = None,
    notes: Sequence[str] = (),
) -> Chart:
    """Observed event rates in bins of the predicted probability, beside the diagonal of perfect agreement.

    Parameters
    ----------
    predicted, observed, lower, upper, count : sequence of float, shape (bins,)
        Of each bin: mean predicted probability, observed event rate with its interval, and number of `unit`.
    histogram : (edges, counts), optional
        How the predictions are spread; edges has one value more than counts.
    interval, unit : str
        Words for the legend: "95 % Wilson interval", "rows".

    Raises
    ------
    ArgumentError
        When the sequences differ in length, or there are no bins.
    """
    parts = {"predicted": predicted, "observed": observed, "lower": lower, "upper": upper, "count": count}
    _same_lengths("calibration", parts)
    columns = {key: tuple(map(float, values)) for key, values in parts.items()}
    finite = [v for key in ("predicted", "observed", "lower", "upper") for v in columns[key] if math.isfinite(v)]
    left, right = _unit_range(finite or [0.0, 1.0])
    most = max(columns["count"])
    axis_ticks = nice_ticks(left, right, 6)
    counted = format_column([most], "count")[0]
    strip = None
    if histogram is not None:
        edges, heights = (tuple(map(float, part)) for part in histogram)
        if len(edges) != len(heights) + 1:
            raise ArgumentError(
                f"calibration: a histogram of {len(heights)} counts needs one edge more, not {len(edges)}."
            )
        strip = Strip(edges, heights, f"number of {unit} by predicted probability (tallest bar: {max(heights):,.0f})")
    heads = (
        Column("predicted", "mean predicted probability", "number"),
        Column("observed", "observed event rate", "number"),
        Column("lower", f"{interval}, lower", "number"),
        Column("upper", f"{interval}, upper", "number"),
        Column("count", unit, "count"),
    )
    return Chart(
        name=name,
        title=title,
        description=description
        or f"Calibration plot with {len(columns['count'])} bins: observed event rate and {interval} against the mean "
        f"predicted probability, both axes from {left:g} to {right:g}. Points on the diagonal agree. "
        "The same numbers are in the table of this chart.",
        x=Axis("predicted probability of the event", left, right, axis_ticks),
        y=Axis("observed event rate", left, right, axis_ticks),
        layers=(
            Line((left, right), (left, right), style="guide", label="perfect agreement"),
            Intervals(columns["predicted"], columns["lower"], columns["upper"], vertical=True, label=interval),
            Points(
                columns["predicted"],
                columns["observed"],
                tuple(n / most if most > 0 else 0.0 for n in columns["count"]),
                label=f"event rate in a bin; area: number of {unit}, the largest {counted}",
            ),
        ),
        data=Table(f"{name}-data", f"{title}: the numbers", heads, tuple(zip(*columns.values(), strict=True))),
        strip=strip,
        notes=tuple(notes),
    )


def _unit_range(values: list[float]) -> tuple[float, float]:
    """0 to 1, or the part of it that the values fill when that is small."""
    low, high = max(min(values), 0.0), min(max(values), 1.0)
    if high - low > 0.45 or high <= low:
        return 0.0, 1.0
    step = next(s * 10.0**-k for k in range(12, 0, -1) for s in (1.0, 2.0, 5.0) if s * 10.0**-k * 5 >= high - low)
    left = 0.0 if low < 0.35 * high else step * math.floor(low / step)
    return left, min(step * math.ceil(high / step + 1e-9), 1.0)


def _same_lengths(what: str, parts: dict[str, Any]) -> None:
    lengths = {key: len(values) for key, values in parts.items() if values is not None}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise ArgumentError(f"{what}: needs sequences of one length, at least 1; got {lengths}.")


# --- matplotlib ------------------------------------------------------------------------------------------------------


def _literal(text: str) -> str:
    return text.replace("$", r"\$")  # a column name is not mathtext


def _apart(heights: Sequence[float], axis: Axis) -> list[float]:
    """Heights pushed apart so far that a line of text fits between them."""
    gap, at = 0.04 * (axis.upper - axis.lower), [0.0] * len(heights)
    last = -math.inf
    for k in sorted(range(len(heights)), key=lambda k: heights[k]):
        last = at[k] = max(heights[k], last + gap)
    over = max(last - axis.upper, 0.0) if heights else 0.0
    return [y - over for y in at]


def _clipped(ends: Sequence[float], axis: Axis) -> list[float]:
    return [min(max(end, axis.lower), axis.upper) if not math.isnan(end) else end for end in ends]


def _matplotlib_axes(upper: Any, lower: Any, plot: Plot) -> None:
    upper.set_xlim(plot.x.lower, plot.x.upper)
    upper.set_title(_literal(plot.title), loc="left", fontsize=11)
    for axes in {id(upper): upper, id(lower): lower}.values():
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xticks([p for p, _ in plot.x.ticks], [_literal(t) for _, t in plot.x.ticks])
    lower.set_xlabel("\n".join(map(_literal, (plot.x.label, *plot.notes))))
    if plot.rows:
        upper.set_ylim(len(plot.rows) - 0.5, -0.5)
        upper.set_yticks(range(len(plot.rows)), [_literal("\n".join(fit_lines(row.label, 200.0))) for row in plot.rows])
    else:
        upper.set_ylim(plot.y.lower, plot.y.upper)
        upper.set_yticks([p for p, _ in plot.y.ticks], [_literal(t) for _, t in plot.y.ticks])
    upper.set_ylabel(_literal(plot.y.label))
    if plot.top:
        twin = upper.secondary_xaxis("top")
        twin.set_xticks([p for p, _ in plot.top.ticks], [_literal(t) for _, t in plot.top.ticks])
        twin.set_xlabel(_literal(plot.top.label))
    if any(layer.label for layer in plot.layers):
        upper.figure.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=2)


def _matplotlib_layer(axes: Any, layer: Layer, plot: Plot) -> None:
    name = _literal(layer.label) or "_nolegend_"
    color = _HUES.get(layer.style, _GREY)
    look = {
        "main": {"color": _MAIN, "lw": 1.6},
        "muted": {"color": _GREY, "lw": 5.0, "alpha": 0.45},
        "thin": {"color": _GREY, "lw": 0.7, "alpha": 0.6},
    }.get(layer.style, {"color": color, "lw": 1.6} if layer.style in _HUES else {"color": _GREY, "lw": 1.0, "ls": "--"})
    if isinstance(layer, Points):
        area = 28.0 if layer.size is None else [max(120.0 * s, 6.0) for s in layer.size]
        opaque = 1.0 if layer.size is None else 0.5
        axes.scatter(layer.x, layer.y, s=area, color=_MAIN, alpha=opaque, zorder=3, label=name)
    elif isinstance(layer, Intervals):
        ends = [_clipped(part, plot.y if layer.vertical else plot.x) for part in (layer.lower, layer.upper)]
        (axes.vlines if layer.vertical else axes.hlines)(layer.at, *ends, label=name, **look)
    elif isinstance(layer, Line):
        axes.plot(layer.x, layer.y, label=name, **look)
    elif isinstance(layer, Band):
        axes.fill_between(layer.x, layer.lower, layer.upper, color=color, alpha=0.2, lw=0, label=name)
    elif isinstance(layer, Rule):
        (axes.axvline if layer.vertical else axes.axhline)(layer.position, label=name, **look)
    elif isinstance(layer, Note):
        axes.text(layer.x, layer.y, _literal(layer.text), fontsize=8)
