"""Figures: each function draws one `Chart` and returns it as a `matplotlib.figure.Figure`.

No pyplot, no global settings: the caller's matplotlib stays as it was. Every figure has a transparent background and
``dark=True`` for dark pages; saved as SVG it carries title and description and is the same file each time.
``figure.chart`` is the record it was drawn from: ``figure.chart.table`` has its numbers, ``figure.chart.svg()`` is the
drawing of the reports.

Examples
--------
>>> import bayeslogit as bl
>>> fit = bl.fit("switch ~ dist100 + arsenic", bl.datasets.load("wells"), prior=bl.Normal(2.5))
>>> figure = bl.plot.forest(fit, labels={"dist100": "Distance to the next safe well (100 m)"})
>>> figure.chart.table.column("term")
('Distance to the next safe well (100 m)', 'arsenic')
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeslogit._priors import Prior
from bayeslogit._sensitivity import Sensitivity
from bayeslogit._sensitivity import sensitivity as _sensitivity_of
from bayeslogit.boundary import guarded
from bayeslogit.charts_fit import forest_chart, overlay_chart, prior_posterior_chart
from bayeslogit.charts_model import calibration_of, influence_of, predictive_of, prior_predictive_of, residuals_of
from bayeslogit.comparisons import Comparison
from bayeslogit.criteria import LooResult
from bayeslogit.design import Design
from bayeslogit.draws import Draws
from bayeslogit.effect_curves import effect_curve
from bayeslogit.plot_scales import (
    Size,
    bias_variance,
    elicited,
    figure,
    of_kind,
    path,
    scale_choice,
    train_test,
)
from bayeslogit.results import Fit

if TYPE_CHECKING:
    from bayeslogit.figures import ChartFigure

__all__ = [
    "bias_variance",
    "binned_residuals",
    "calibration",
    "comparison",
    "elicited",
    "figure",
    "forest",
    "influence",
    "marginal_effects",
    "overlay",
    "path",
    "predictive",
    "prior_posterior",
    "prior_predictive",
    "scale_choice",
    "sensitivity",
    "train_test",
]

Random = int | np.random.Generator


@guarded
def forest(
    fit: Fit | Draws | Comparison | Mapping[str, Fit | Draws],
    *others: Fit | Draws,
    terms: str | Sequence[str] | None = None,
    per: Any = None,
    exponentiate: bool = False,
    prob: float = 0.95,
    labels: Mapping[str, str] | None = None,
    prior: bool = True,
    most_rows: int = 60,
    title: str | None = None,
    dark: bool = False,
    size: float | Size | None = None,
) -> ChartFigure:
    """Coefficients and their intervals, of one fit or of several side by side.

    Parameters
    ----------
    fit : Fit, Draws, Comparison or mapping of str to Fit or Draws
        Further fits follow, or stand in the mapping with their names. A fit gives its mode and Gaussian interval, draws
        their median and quantiles.
    terms : sequence of str, optional
        Columns in the order wanted; "C(region)" stands for all its levels. Slopes without.
    per : "unit", "sd", number, pair or mapping, optional
        The step of a column, as in `Draws.odds_ratios`. Without it one unit, or one sd of the column where spreads
        differ more than twentyfold.
    exponentiate : bool
        Odds ratios on the lower axis (a log scale), instead of log-odds below and odds ratios above.
    prob : float
        Of the equal-tailed intervals.
    labels : mapping of str to str, optional
        What columns are called.
    prior : bool
        Whether the prior's interval stands behind in grey, where there is one fit.
    most_rows : int
        Rows beyond are left out with a note; ``figure.chart.table`` has them.
    title, dark, size
        As in `figure`.
    """
    made = forest_chart(
        fit, *others, terms=terms, per=per, exponentiate=exponentiate, prob=prob, labels=labels, prior=prior,
        most_rows=most_rows,
    )  # fmt: skip
    return figure(made, title=title, dark=dark, size=size)


@guarded
def prior_posterior(
    fit: Fit | Draws,
    *,
    terms: str | Sequence[str] | None = None,
    per: Any = None,
    labels: Mapping[str, str] | None = None,
    most_rows: int = 30,
    title: str | None = None,
    dark: bool = False,
    size: float | Size | None = None,
) -> ChartFigure:
    """Prior density against posterior density, a row for each coefficient; arguments as in `forest`."""
    made = prior_posterior_chart(fit, terms=terms, per=per, labels=labels, most_rows=most_rows)
    return figure(made, title=title, dark=dark, size=size)


@guarded
def overlay(
    first: Fit | Draws,
    second: Fit | Draws,
    *,
    names: tuple[str, str] | None = None,
    terms: str | Sequence[str] | None = None,
    per: Any = None,
    labels: Mapping[str, str] | None = None,
    most_rows: int = 30,
    title: str | None = None,
    dark: bool = False,
    size: float | Size | None = None,
) -> ChartFigure:
    """Two posteriors over one another, such as the Gaussian approximation at the mode and NUTS.

    ``names`` are theirs; the rung without. Beside each row stand the difference of the means in sds of the second, and
    the ratio of the sds. Other arguments as in `forest`.
    """
    made = overlay_chart(first, second, names=names, terms=terms, per=per, labels=labels, most_rows=most_rows)
    return figure(made, title=title, dark=dark, size=size)


@guarded
def comparison(
    comparison: Comparison, *, title: str | None = None, dark: bool = False, size: float | Size | None = None
) -> ChartFigure:
    """Coefficients under each fit of a comparison."""
    of_kind("comparison", comparison, Comparison, "bayeslogit.compare")
    return figure(comparison.figure(), title=title, dark=dark, size=size)


@guarded
def sensitivity(
    found: Sensitivity | Fit | Draws,
    *,
    labels: Mapping[str, str] | None = None,
    most_rows: int = 40,
    title: str | None = None,
    dark: bool = False,
    size: float | Size | None = None,
) -> ChartFigure:
    """How much each coefficient moves when prior or likelihood are made stronger.

    Takes what `bayeslogit.sensitivity` returns; a fit or draws are handed to it first.
    """
    made = found if isinstance(found, Sensitivity) else _sensitivity_of(found)
    return figure(made.figure(labels=labels, most_rows=most_rows), title=title, dark=dark, size=size)


@guarded
def calibration(
    fit: Fit | Draws,
    *,
    loo: LooResult | None = None,
    band: str = "consistency",
    prob: float = 0.95,
    rng: Random = 0,
    title: str | None = None,
    dark: bool = False,
    size: float | Size | None = None,
) -> ChartFigure:
    """Event rate against predicted probability by isotonic regression, with a band.

    Parameters
    ----------
    fit : Fit or Draws
        Predictions are posterior means for the rows of the fit.
    loo : LooResult, optional
        Of this fit: each prediction is then made without its own observation.
    band : {"consistency", "confidence"}
        Where the curve would lie if every prediction were right (resampled, pointwise); or where the event rates lie
        (exact, all at once).
    """
    _, made = calibration_of(fit, prob=prob, band=band, loo=loo, rng=rng)
    return figure(made, title=title, dark=dark, size=size)


@guarded
def binned_residuals(
    fit: Fit | Draws,
    *,
    by: str | None = None,
    bins: int | None = None,
    loo: LooResult | None = None,
    prob: float = 0.95,
    title: str | None = None,
    dark: bool = False,
    size: float | Size | None = None,
) -> ChartFigure:
    """Average residuals in bins of the prediction, or of the numeric variable ``by``, within their limits."""
    _, made = residuals_of(fit, by=by, bins=bins, prob=prob, loo=loo)
    return figure(made, title=title, dark=dark, size=size)


@guarded
def predictive(
    fit: Fit | Draws,
    *,
    by: str | Sequence[str] | None = None,
    draws: int = 1000,
    prob: float = 0.95,
    rng: Random = 0,
    title: str | None = None,
    dark: bool = False,
    size: float | Size | None = None,
) -> ChartFigure:
    """Event rates of the data beside those of data replicated from the posterior.

    ``by`` names variables whose values make groups; without it the factors of the model with few levels.
    """
    _, made = predictive_of(fit, by=by, draws=draws, prob=prob, rng=rng)
    return figure(made, title=title, dark=dark, size=size)


@guarded
def influence(
    fit: Fit | Draws,
    *,
    loo: LooResult | None = None,
    named: int = 5,
    title: str | None = None,
    dark: bool = False,
    size: float | Size | None = None,
) -> ChartFigure:
    """Leverage of each row against its leave-one-out density; of draws, Pareto k in the place of leverage.

    The ``named`` rows are those that move the coefficients most. Without ``loo`` it is worked out in one pass.
    """
    _, made = influence_of(fit, loo=loo, named=named)
    return figure(made, title=title, dark=dark, size=size)


@guarded
def marginal_effects(
    fit: Fit | Draws,
    variable: str,
    *,
    at: Mapping[str, Any] | None = None,
    by: Mapping[str, Sequence[Any]] | None = None,
    values: Sequence[Any] | None = None,
    prob: float = 0.95,
    label: str | None = None,
    rng: Random = 0,
    title: str | None = None,
    dark: bool = False,
    size: float | Size | None = None,
) -> ChartFigure:
    """Probability of the event along a variable, with its posterior band; or at each level of a factor.

    Parameters
    ----------
    variable : str
        Of the data; it is moved, and rows are coded anew, so polynomials and interactions come out right.
    at : mapping of str to value, optional
        Where other variables are held; without, the probability is averaged over the rows.
    by : mapping of one str to values, optional
        One curve for each of these values of another variable.
    values : sequence, optional
        Of the variable; its range, or its levels, without.
    label : str, optional
        What the variable is called.
    """
    made = effect_curve(fit, variable, at=at, by=by, values=values, prob=prob, rng=rng).chart(label)
    return figure(made, title=title, dark=dark, size=size)


@guarded
def prior_predictive(
    fit: Fit | Draws | Design,
    *,
    prior: Prior | str | None = None,
    draws: int = 1000,
    observed: bool = True,
    rng: Random = 0,
    title: str | None = None,
    dark: bool = False,
    size: float | Size | None = None,
) -> ChartFigure:
    """What a prior expects before the data: event rates over all rows, and probabilities of single ones.

    ``prior`` is that of the fit without; every coefficient needs a proper one. ``observed`` marks the event rate.
    """
    made = prior_predictive_of(fit, prior=prior, draws=draws, rng=rng, observed=observed)
    return figure(made, title=title, dark=dark, size=size)
