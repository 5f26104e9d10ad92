"""Model checks of a fit or its draws: what to look at, and against which predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit._priors import Prior
from bayeslogit.arrays import ArraySpec
from bayeslogit.chart import Chart
from bayeslogit.charts_effects import prior_rates_chart
from bayeslogit.charts_fit import Source, checked, fit_of
from bayeslogit.criteria import LooResult
from bayeslogit.data import to_pandas
from bayeslogit.design import Design
from bayeslogit.draw_numbers import data_of
from bayeslogit.draws import Draws
from bayeslogit.errors import ArgumentError, FitError
from bayeslogit.influences import row_labels
from bayeslogit.model_checks import (
    BinnedResiduals,
    CalibrationCurve,
    Groups,
    Influence,
    PredictiveStatistics,
    binned_residuals,
    calibration,
    influence,
    predictive_statistics,
)
from bayeslogit.outlines import prior_histograms
from bayeslogit.predict import predict_probability
from bayeslogit.presets import as_prior
from bayeslogit.prior_draws import draw_prior
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.results import Fit

Array = NDArray[np.float64]
_DRAWS = 1000
_MOST_FACTORS, _MOST_LEVELS = 3, 8
_SAME_ROWS = "The same rows were fitted and checked, so the agreement is somewhat too good."
_LEFT_OUT = "Each prediction is made without its own observation (leave-one-out)."


def fitted_probability(source: Source, what: str) -> Array:
    """Posterior mean probability of every row of the fit."""
    data_of(fit_of(source), what)
    found: Array = np.asarray(source.predict(kind="mean")["probability"], dtype=np.float64)
    return found


def left_out_probability(design: Design, loo: LooResult) -> Array:
    """Probability of the event for each row without that row, from its leave-one-out density.

    Raises
    ------
    ArgumentError
        If rows hold several trials, the scores are of whole rows of weight, or are of other rows.
    """
    y, trials, weights = design.outcome_arrays()
    if loo.elpd_i.size != y.size:
        raise ArgumentError(f"loo=: scores of {loo.elpd_i.size} rows do not belong to the {y.size} rows of this fit.")
    if np.any(trials != 1.0) or (loo.unit == "row" and np.any(weights != 1.0)):
        raise ArgumentError("loo=: rows of several trials have no one leave-one-out probability; leave loo= away.")
    each = np.exp(np.divide(loo.elpd_i, weights, out=np.zeros_like(weights), where=weights > 0.0))
    return np.clip(np.where(y == 1.0, each, 1.0 - each), 0.0, 1.0)


def _predicted(fit: Any, loo: LooResult | None, what: str) -> tuple[Design, Array, str]:
    source = checked(what, fit)
    design = data_of(fit_of(source), f"plot.{what}()")
    if loo is None:
        return design, fitted_probability(source, f"plot.{what}()"), _SAME_ROWS
    return design, left_out_probability(design, loo), _LEFT_OUT


def calibration_of(
    fit: Any, *, prob: float = 0.95, band: str = "consistency", loo: LooResult | None = None, rng: Any = 0
) -> tuple[CalibrationCurve, Chart]:
    """The calibration curve of a fit's own rows, and its chart."""
    design, p, note = _predicted(fit, loo, "calibration")
    y, trials, weights = design.outcome_arrays()
    found = calibration(y, trials, p, weights, prob=prob, band=band, rng=rng)
    return found, found.chart(notes=(note,))


def residuals_of(
    fit: Any, *, by: str | None = None, bins: int | None = None, prob: float = 0.95, loo: LooResult | None = None
) -> tuple[BinnedResiduals, Chart]:
    """Binned residuals by the prediction, or by a numeric variable of the data."""
    design, p, note = _predicted(fit, loo, "binned_residuals")
    y, trials, weights = design.outcome_arrays()
    more: dict[str, Any] = {}
    if by is not None:
        frame = to_pandas(design.used_frame())
        if by not in frame.columns:
            raise ArgumentError(f"plot.binned_residuals(by={by!r}): the data have no such column.")
        try:
            more = {"by": frame[by].to_numpy(dtype=np.float64), "name": by}
        except (TypeError, ValueError):
            raise ArgumentError(f"plot.binned_residuals(by={by!r}): bins need a column of numbers.") from None
    found = binned_residuals(y, trials, p, weights, bins=bins, prob=prob, **more)
    return found, found.chart(notes=(note,))


def predictive_of(
    fit: Any, *, by: str | Sequence[str] | None = None, draws: int = _DRAWS, prob: float = 0.95, rng: Any = 0
) -> tuple[PredictiveStatistics, Chart]:
    """Event rates of the data beside replicated ones: overall, in tenths of the prediction, at levels of factors."""
    source = checked("predictive", fit)
    design = data_of(fit_of(source), "plot.predictive()")
    drawn = source if isinstance(source, Draws) else source.sample("laplace", draws=draws, rng=rng)
    groups = _groups(design, by)
    found = predictive_statistics(drawn.values, design, groups=groups, draws=draws, prob=prob, rng=rng)
    return found, found.chart(notes=(f"Posterior by {drawn.method}; {found.n:,} replicated data sets.",))


def _groups(design: Design, by: str | Sequence[str] | None) -> list[Groups]:
    if by is None and isinstance(design.spec, ArraySpec):
        return []
    frame = to_pandas(design.used_frame())
    if by is None:
        kinds = design.spec.factors.kinds  # type: ignore[union-attr]
        names = [name for name in kinds if kinds[name] != "number" and name in frame.columns]
        names = [name for name in names if frame[name].nunique() <= _MOST_LEVELS][:_MOST_FACTORS]
    else:
        names = [by] if isinstance(by, str) else list(by)
    found = []
    for name in names:
        if not isinstance(name, str) or name not in frame.columns:
            raise ArgumentError(f"plot.predictive(by=...): the data have no column {name!r}.")
        codes, levels = frame[name].factorize(sort=True)
        if len(levels) > 50:
            raise ArgumentError(f"plot.predictive(by=...): {name!r} has {len(levels)} values; 50 at most can be drawn.")
        found.append(Groups((*(f"{name} = {level}" for level in levels), ""), np.asarray(codes, dtype=np.intp)))
    return [Groups(g.levels, np.where(g.codes < 0, len(g.levels) - 1, g.codes)) for g in found]


def influence_of(fit: Any, *, loo: LooResult | None = None, named: int = 5) -> tuple[Influence, Chart]:
    """Influence of the rows: leverage and shift, beside leave-one-out densities (quick ones unless given)."""
    source = checked("influence", fit)
    whole = fit_of(source)
    design = data_of(whole, "plot.influence()")
    if not isinstance(whole, Fit):
        raise ArgumentError("plot.influence(): the draws belong to no fit that can be looked at; give the fit.")
    if whole.posterior.factor is None:
        raise FitError(f"plot.influence(): this fit has no covariance, so rows have no leverage. {whole.mode.message}")
    if loo is None:
        loo = whole.loo(draws=source) if isinstance(source, Draws) else whole.loo(refits=0)
    parts = [
        predict_probability(whole.posterior, b.X, b.offset, prob=0.95, kind="mode") for b in design.source.blocks()
    ]
    p = np.concatenate([part.probability for part in parts])
    sd = np.concatenate([part.linear_predictor_sd for part in parts])
    y, trials, weights = design.outcome_arrays()
    if loo.elpd_i.size != y.size:
        raise ArgumentError(f"loo=: scores of {loo.elpd_i.size} rows do not belong to the {y.size} rows of this fit.")
    scored = {"elpd": loo.elpd_i, "pareto_k": loo.pareto_k, "flags": loo.flags.tolist()}
    found = influence(y, trials, weights, p, sd, **scored, **row_labels(design))
    return found, found.chart(named=named)


def prior_predictive_of(
    fit: Any,
    *,
    prior: Prior | str | None = None,
    draws: int = 1000,
    rng: Any = 0,
    observed: bool = True,
    bins: int = 40,
) -> Chart:
    """What the prior of a fit, or another prior on a design, expects of the rows."""
    if isinstance(fit, Design):
        if prior is None:
            raise ArgumentError("plot.prior_predictive(design): say which prior=.")
        design, resolved = fit, as_prior(prior).resolve(fit)
    else:
        if not isinstance(fit, Fit | Draws):
            raise ArgumentError(f"plot.prior_predictive({type(fit).__name__}, ...): a fit, its draws or a design.")
        design = data_of(fit_of(fit), "plot.prior_predictive()")
        resolved = fit_of(fit).prior if prior is None else as_prior(prior).resolve(design)
    return _prior_chart(design, resolved, draws, rng, observed, bins)


def _prior_chart(design: Design, prior: ResolvedPrior, draws: int, rng: Any, observed: bool, bins: int) -> Chart:
    values = draw_prior(prior, draws, np.random.default_rng(rng))
    found = prior_histograms(values, design, bins)
    y, trials, weights = design.outcome_arrays()
    rate = float((weights * y).sum() / (weights * trials).sum()) if observed else None
    return prior_rates_chart(
        found.edges.tolist(),
        found.rates.tolist(),
        found.probabilities.tolist(),
        observed=rate,
        prior=prior.name,
        extreme=found.extreme,
        draws=draws,
    )
