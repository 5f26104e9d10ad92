"""Charts as records: what is drawn, in data units, beside the table of its numbers. Nothing here is estimated.

A chart draws itself as SVG (for notebooks and documents) and as a matplotlib figure (for papers); both read the same
marks. The constructors arrange numbers that the caller has computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bayeslogit.boundary import guarded_methods
from bayeslogit.errors import ArgumentError
from bayeslogit.marks import (
    Axis,
    Intervals,
    Layer,
    Line,
    Plot,
    Points,
    Row,
    Rule,
    Strip,
    nice_ticks,
    ratio_ticks,
    unit_range,
)
from bayeslogit.svg import draw
from bayeslogit.table import Cell, Column, Table, format_column

if TYPE_CHECKING:
    from bayeslogit.figures import ChartFigure

_ENDLESS = 1e9  # a log-odds this far out is drawn as an arrow


def _positive(call: str, name: str, value: float, least: float = 0.0) -> float:
    if not (value > 0.0 and least <= value < 1e5):
        raise ArgumentError(f"Chart.{call}({name}={value!r}): a size is positive and finite, and not below {least:g}.")
    return float(value)


@guarded_methods
@dataclass(frozen=True, repr=False)
class Chart(Plot):
    """A chart: axes, layers and the table of its numbers (`data`). Fields as in `marks.Plot`."""

    @property
    def table(self) -> Table:
        """The numbers of the drawing, for readers and for screen readers; `data` by another name."""
        return self.data

    def svg(self, width: float = 720.0) -> str:
        """One <svg> element, laid out for this width in pixels; below 560 the layout is that of a phone."""
        return draw(self, _positive("svg", "width", width))

    def _repr_svg_(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        return f"<Chart {self.title!r}: {len(self.data.rows):,} rows of numbers>"

    def __str__(self) -> str:
        return str(self.data)

    def to_matplotlib(
        self, *, dark: bool = False, width: float = 7.2, height: float | None = None, title: str | None = None
    ) -> ChartFigure:
        """Draw the same marks as a `matplotlib.figure.Figure`, without pyplot and its global state.

        Parameters
        ----------
        dark : bool
            For a dark page; the background is transparent either way.
        width, height : float
            Inches; without a height it follows from what is drawn.
        title : str, optional
            Instead of the chart's own; "" for none above the drawing.
        """
        from bayeslogit.figures import draw_figure

        _positive("to_matplotlib", "width", width, least=1.0)
        if height is not None:
            _positive("to_matplotlib", "height", height, least=0.5)
        return draw_figure(self, dark=dark, width=width, height=height, title=title)


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
    drawn = "1 row" if len(at) == 1 else f"{len(at)} rows"
    if len(labels) > len(at):
        drawn = f"the first {len(at)} of {len(labels)} rows"
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
        notes=(*rows_left_out(len(labels), len(at)), *notes),
    )


def rows_left_out(count: int, drawn: int) -> tuple[str, ...]:
    """The note of a chart that draws fewer rows than there are; none if it draws them all."""
    more = count - drawn
    return (f"{more} of {count} rows are not drawn; the table of this chart has them all.",) if more > 0 else ()


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
    left, right = unit_range(finite or [0.0, 1.0])
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


def _same_lengths(what: str, parts: dict[str, Any]) -> None:
    lengths = {key: len(values) for key, values in parts.items() if values is not None}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise ArgumentError(f"{what}: needs sequences of one length, at least 1; got {lengths}.")
