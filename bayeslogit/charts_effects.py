"""Charts of probabilities: along a variable, at the levels of a factor, and as a prior expects them. No statistics."""

from __future__ import annotations

from collections.abc import Sequence

from bayeslogit.chart import Chart
from bayeslogit.marks import HUES, Axis, Band, Intervals, Layer, Line, Points, Row, Rule, Strip, nice_ticks, unit_range
from bayeslogit.table import Column, Table, format_column

Numbers = Sequence[float]
Curves = Sequence[Numbers]
_FILLED = 0.5


def effect_lines(
    values: Numbers,
    groups: Sequence[str],
    mean: Curves,
    lower: Curves,
    upper: Curves,
    *,
    label: str,
    interval: str,
    how: str,
    histogram: tuple[Numbers, Numbers] | None = None,
    notes: Sequence[str] = (),
) -> Chart:
    """Probability along a number: a line and a band for each group, with the spread of the number below."""
    x = tuple(map(float, values))
    bottom, top = unit_range([v for part in (lower, upper) for row in part for v in row])
    margin = 0.5 if x[0] == x[-1] else 0.0
    left, right = x[0] - margin, x[-1] + margin
    layers: list[Layer] = []
    for k, group in enumerate(groups):
        style = HUES[k % len(HUES)]
        words = "" if group else interval
        layers.append(Band(x, tuple(map(float, lower[k])), tuple(map(float, upper[k])), style=style, label=words))
    for k, group in enumerate(groups):
        style = HUES[k % len(HUES)]
        words = f"{group} ({interval} shaded)" if group else "posterior mean"
        layers.append(Line(x, tuple(map(float, mean[k])), style=style, label=words, dashed=True))
        if len(x) <= 12:
            layers.append(Points(x, tuple(map(float, mean[k])), style=style))
    strip = None
    if histogram is not None:
        edges, heights = (tuple(map(float, part)) for part in histogram)
        strip = Strip(edges, heights, f"observations by {label} (tallest bar: {max(heights):,.0f})")
    return Chart(
        name="effect",
        title=f"Probability of the event by {label}",
        description=f"Probability of the event with {interval}, for {label} from {x[0]:g} to {x[-1]:g}; {how}. The "
        "same numbers are in the table of this chart.",
        x=Axis(label, left, right, nice_ticks(left, right)),
        y=Axis("probability of the event", bottom, top, nice_ticks(bottom, top, 6)),
        layers=tuple(layers),
        data=_table(values, groups, mean, lower, upper, label, interval, how),
        strip=strip,
        notes=(f"{how[:1].upper()}{how[1:]}.", *notes),
    )


def effect_levels(
    levels: Sequence[str],
    groups: Sequence[str],
    mean: Curves,
    lower: Curves,
    upper: Curves,
    *,
    label: str,
    interval: str,
    how: str,
    notes: Sequence[str] = (),
) -> Chart:
    """Probability at each level of a factor, a row a level."""
    left, right = unit_range([v for part in (lower, upper) for row in part for v in row])
    layers: list[Layer] = []
    for k, group in enumerate(groups):
        style, shift = HUES[k % len(HUES)], _FILLED * ((k + 0.5) / len(groups) - 0.5)
        at = tuple(i + shift for i in range(len(levels)))
        layers.append(Intervals(at, tuple(lower[k]), tuple(upper[k]), style=style, label="" if group else interval))
        layers.append(Points(tuple(mean[k]), at, style=style, label=group or "posterior mean"))
    alone = len(groups) == 1
    texts = [format_column(part[0], "percent") for part in (mean, lower, upper)]
    shown = [f"{a.strip()} ({b.strip()} to {c.strip()})" if alone else "" for a, b, c in zip(*texts, strict=True)]
    return Chart(
        name="effect",
        title=f"Probability of the event by {label}",
        description=f"Probability of the event with {interval} at {len(levels)} levels of {label}; {how}. The same "
        "numbers are in the table of this chart.",
        x=Axis("probability of the event", left, right, nice_ticks(left, right)),
        y=Axis("", -0.5, len(levels) - 0.5, ()),
        layers=tuple(layers),
        rows=tuple(map(Row, levels, shown)),
        row_heading=f"mean ({interval})" if alone else "",
        row_height=1.0 if alone else 1.2,
        data=_table(levels, groups, mean, lower, upper, label, interval, how),
        notes=(f"{how[:1].upper()}{how[1:]}.", *notes),
    )


def _table(
    values: Sequence[float | str],
    groups: Sequence[str],
    mean: Curves,
    lower: Curves,
    upper: Curves,
    label: str,
    interval: str,
    how: str,
) -> Table:
    grouped = any(groups)
    rows = tuple(
        (*((group,) if grouped else ()), value, float(mean[k][i]), float(lower[k][i]), float(upper[k][i]))
        for k, group in enumerate(groups)
        for i, value in enumerate(values)
    )
    number = all(isinstance(value, int | float) for value in values)
    return Table(
        "effect-data",
        f"Probability of the event by {label}",
        (
            *((Column("group", "group"),) if grouped else ()),
            Column("value", label, "number" if number else "text"),
            Column("mean", "posterior mean", "number"),
            Column("lower", f"{interval}, lower", "number"),
            Column("upper", f"{interval}, upper", "number"),
        ),
        rows,
        header=(f"{how[:1].upper()}{how[1:]}.",),
    )


def prior_rates_chart(
    edges: Numbers,
    rates: Numbers,
    probabilities: Numbers,
    *,
    observed: float | None,
    prior: str,
    extreme: float,
    draws: int,
    notes: Sequence[str] = (),
) -> Chart:
    """What a prior expects: shares of draws by event rate, and of single rows by probability, as two outlines."""
    corners = tuple(float(e) for e in edges for _ in (0, 1))[1:-1]
    top = 1.08 * max(*rates, *probabilities, 1e-9)
    layers: list[Layer] = []
    for style, heights, words in (
        ("h0", rates, "event rate over all rows"),
        ("h1", probabilities, "probability of a single row"),
    ):
        y = tuple(float(h) for h in heights for _ in (0, 1))
        layers.append(Band(corners, (0.0,) * len(y), y, style=style))
        layers.append(Line(corners, y, style=style, label=words, dashed=True))
    if observed is not None:
        layers.append(Rule(observed, label=f"observed event rate {observed:.3g}"))
    words = f"{100.0 * extreme:.3g} % of single probabilities are below 0.01 or above 0.99."
    return Chart(
        name="prior-predictive",
        title="What the prior expects",
        description=f"Histograms over {draws:,} draws from the prior {prior}: event rate over all rows, probability "
        f"of a single row. {words} The same numbers are in the table of this chart.",
        x=Axis("probability of the event", 0.0, 1.0, nice_ticks(0.0, 1.0, 6)),
        y=Axis("share", 0.0, top, nice_ticks(0.0, top, 6)),
        layers=tuple(layers),
        data=Table(
            "prior-predictive-data",
            "What the prior expects: the numbers",
            (
                Column("from", "from", "number"),
                Column("to", "to", "number"),
                Column("rates", "event rate over all rows: share of draws", "percent"),
                Column("probabilities", "probability of a single row: share", "percent"),
            ),
            tuple(
                zip(
                    map(float, edges[:-1]),
                    map(float, edges[1:]),
                    map(float, rates),
                    map(float, probabilities),
                    strict=True,
                )
            ),
            header=(f"Prior: {prior}; {draws:,} draws.",),
        ),
        notes=(words, *notes),
    )
