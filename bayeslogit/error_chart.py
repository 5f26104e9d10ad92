"""Error along an axis of prior scales, as charts: bias, variance and their sum; the log loss of train and test."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bayeslogit.chart import Chart
from bayeslogit.marks import Axis, Band, End, Layer, Line, Rule, nice_ticks, ratio_ticks
from bayeslogit.table import Table

# A curve that runs away is followed to so many times the least error, so that the rest can be seen.
_SHOWN = 6.0
Numbers = Sequence[float]


def bias_variance_chart(
    scales: Numbers,
    bias2: Numbers,
    variance: Numbers,
    error: Numbers,
    *,
    best: float,
    uncertainty: tuple[float, float],
    data: Table,
    notes: Sequence[str] = (),
) -> Chart:
    """Squared bias, variance and their sum against the logarithm of the scale.

    Parameters
    ----------
    scales, bias2, variance, error : sequence of float, shape (S,)
        Scales ascend.
    best : float
        The scale of least error.
    uncertainty : (float, float)
        Scales whose error cannot be told from the least.
    """
    x = tuple(math.log(scale) for scale in scales)
    top = 1.05 * min(max(error), _SHOWN * min(error))
    curves = (("squared bias", bias2, "h1"), ("variance", variance, "h2"), ("error: their sum", error, "h0"))
    ends = (max(x[0], math.log(uncertainty[0])), min(x[-1], math.log(uncertainty[1])))
    layers: list[Layer] = []
    if ends[0] < ends[1]:
        words = "error within one standard error of the least"
        layers.append(Band(ends, (0.0, 0.0), (top, top), style="muted", label=words))
    layers += [Line(*_below(x, values, top), style=style, label=name) for name, values, style in curves]
    layers.append(Rule(math.log(best), label=f"least error at {best:.3g}"))
    cut = "Curves that leave the chart go on; the table has them." if max(error) > top else ""
    return Chart(
        name="bias-variance",
        title="Bias, variance and error along the prior scale",
        description=f"Squared bias, variance and error of the estimates at prior scales from {scales[0]:.3g} to "
        f"{scales[-1]:.3g}; least error at {best:.3g}. The numbers are in the table of this chart.",
        x=_scale_axis(x),
        y=Axis("squared log-odds per sd, summed over the slopes", 0.0, top, nice_ticks(0.0, top, 6)),
        layers=tuple(layers),
        data=data,
        notes=(*([cut] if cut else []), *notes),
    )


def train_test_chart(
    scales: Numbers,
    train: Numbers,
    test: Numbers,
    errors: Numbers | None,
    *,
    best: float,
    tested: str,
    data: Table,
    notes: Sequence[str] = (),
) -> Chart:
    """Log loss on the data of the fits, and on others, against the logarithm of the scale.

    Parameters
    ----------
    scales, train, test : sequence of float, shape (S,)
        Nats an observation; scales ascend.
    errors : sequence of float, shape (S,), or None
        Standard errors of ``test``, drawn as a band.
    best : float
        The scale with the least loss of others.
    tested : str
        Which others.
    """
    x = tuple(math.log(scale) for scale in scales)
    known = [v for part in (train, test) for v in part if math.isfinite(v)]
    low, least = min(known), min(v for v in test if math.isfinite(v))
    high = min(max(known), least + _SHOWN * max(least - low, 1e-3))
    margin = 0.06 * (high - low) or 0.01
    low, high = low - margin, high + margin
    layers: list[Layer] = []
    if errors is not None:
        lower, upper = ([min(max(v + s * e, low), high) for v, e in zip(test, errors, strict=True)] for s in (-1, 1))
        layers.append(Band(x, tuple(lower), tuple(upper), style="h0", label="plus or minus one standard error"))
    ends = []
    for name, values, style in ((tested, test, "h0"), ("data of the fits", train, "h1")):
        layers.append(Line(*_below(x, values, high), style=style))
        ends.append(End(min(values[-1], high), name, style))
    layers.append(Rule(math.log(best), label=f"least on {tested} at {best:.3g}"))
    return Chart(
        name="train-test",
        title="Train and test along the prior scale",
        description=f"Log loss on the data of the fits and on {tested} at prior scales from {scales[0]:.3g} to "
        f"{scales[-1]:.3g}; what is fitted closest does not predict best. The numbers are in the table of this chart.",
        x=_scale_axis(x),
        y=Axis("log loss (nats an observation)", low, high, nice_ticks(low, high, 6)),
        layers=tuple(layers),
        data=data,
        ends=tuple(ends),
        notes=tuple(notes),
    )


def _scale_axis(x: Numbers) -> Axis:
    return Axis("prior scale", x[0], x[-1], ratio_ticks(x[0], x[-1]))


def _below(x: Numbers, y: Numbers, top: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The part of a curve that is not above the chart; it ends where it leaves."""
    at: list[float] = []
    height: list[float] = []
    for i in range(len(x)):
        if i and (y[i - 1] > top) != (y[i] > top):
            share = (top - y[i - 1]) / (y[i] - y[i - 1])
            at.append(x[i - 1] + share * (x[i] - x[i - 1]))
            height.append(top)
        if y[i] <= top:
            at.append(x[i])
            height.append(y[i])
    return tuple(at), tuple(height)
