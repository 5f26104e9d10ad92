"""The range of odds ratios that a prior was elicited from, as a chart: the density, and the part inside the range."""

from __future__ import annotations

import math

import numpy as np

from bayeslogit.chart import Chart
from bayeslogit.densities import DENSITIES
from bayeslogit.marks import Axis, Band, Line, Rule, ratio_ticks
from bayeslogit.table import Column, Table

# How far the axis goes beyond the range on either side, in its half widths, and points of the density.
_BEYOND, _POINTS = 0.9, 241


def elicited_chart(
    family: str, parameters: dict[str, float], odds_ratio: tuple[float, float], prob: float, per: str
) -> Chart:
    """The density of the log odds ratio, whose axis is written in odds ratios.

    Parameters
    ----------
    family : str
    parameters : dict of str to float
        Of the family, for the log of the odds ratio that was asked for.
    odds_ratio : tuple of float
        Ends of the range.
    prob : float
        Its probability.
    per : str
        In words: the change that the odds ratio is for.
    """
    low, high = (math.log(end) for end in odds_ratio)
    margin = _BEYOND * 0.5 * (high - low)
    left, right = min(low - margin, 0.0), max(high + margin, 0.0)
    x = np.unique(np.concatenate([np.linspace(left, right, _POINTS), [low, high, parameters["mean"]]]))
    own = {key: np.array([value]) for key, value in parameters.items()}
    density = np.exp([float(DENSITIES[family].log_density(np.array([at]), **own)) for at in x])
    inside = (x >= low) & (x <= high)
    top = 1.08 * float(density.max())
    share, ends = f"{100.0 * prob:g} %", f"{odds_ratio[0]:.3g} to {odds_ratio[1]:.3g}"
    ratios = np.exp(x)
    return Chart(
        name="elicited",
        title="What the prior says of the odds ratio",
        description=f"Density of the odds ratio {per} under the {family} prior; {share} of it lie in {ends}, as many "
        "below as above. The numbers are in the table of this chart.",
        x=Axis(f"odds ratio {per} (log scale)", left, right, ratio_ticks(left, right)),
        y=Axis("density of the log odds ratio", 0.0, top, ()),
        layers=(
            Band(tuple(x[inside]), (0.0,) * int(inside.sum()), tuple(density[inside]), "h0", f"{share}: {ends}"),
            Line(tuple(x), tuple(density), style="h0"),
            Rule(0.0, label="no effect: odds ratio 1"),
        ),
        data=Table(
            "elicited-data",
            "What the prior says of the odds ratio: the numbers",
            (
                Column("odds_ratio", f"odds ratio {per}", "ratio"),
                Column("density", "density of its logarithm", "number"),
            ),
            tuple(zip(map(float, ratios), map(float, density), strict=True)),
        ),
    )
