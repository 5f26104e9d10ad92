"""How strong should the prior be? The scale that a criterion likes best, and intervals that average over it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayeslogit._fit import as_design
from bayeslogit._priors import Prior
from bayeslogit.boundary import guarded
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError, FitError, PriorError
from bayeslogit.scale_average import Hyperprior
from bayeslogit.scale_averaged import AveragedScales
from bayeslogit.scale_criteria import CvCurve, LooCurve, cv_along, log_steps, loo_along
from bayeslogit.scale_curves import SUPPORT
from bayeslogit.scale_evidence import Sampler, curve_of, refined, usable
from bayeslogit.scale_record import NAMES, NODES, SCALES, Axis, ScaleChoice
from bayeslogit.waiting import Show, bar, quiet

CRITERIA = ("evidence", "loo", "cv")
_TUNED = "Scale {:.4g} chosen by {} on these data: its evidence counts as maximised."
_SEPARATED = (
    "Where a combination of columns separates the outcomes, the evidence with a flat intercept grows with the scale "
    "for ever. A proper prior on the intercept bounds it: bayeslogit.priors(default=..., intercept=...)."
)


@guarded
def choose_scale(
    model: str | Design,
    data: Any = None,
    prior: Prior | type[Prior] | str = "normal:1",
    *,
    by: str = "evidence",
    scales: int | ArrayLike | None = None,
    folds: int | ArrayLike = 10,
    rng: int | np.random.Generator = 0,
    base: str | None = None,
    kind: str = "posterior",
    rule: str = "best",
    trials: str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    event: Any = None,
    missing: str = "raise",
) -> ScaleChoice:
    """How strong the prior should be: the multiple of its scales that a criterion likes best.

    Parameters
    ----------
    model, data, trials, weights, offset, event, missing
        As in `fit`.
    prior : Prior, family or str
        Whose scales are multiplied: a family such as ``Normal`` (its unit scale), or any prior, also one made by
        `priors`. Flat terms stay flat, the prior of the intercept stays as it is, and an elastic net keeps its l1 : l2.
    by : {"evidence", "loo", "cv"}
        Log evidence, by certified sampling; leave-one-out; or K-fold cross-validated log loss. `scale_axis` shows all.
    scales : int or array_like of float, optional
        How many, or which. Without, some that go from hardly anything to hardly any prior; the evidence is followed
        beyond while it rises, and its optimum is found between the scales.
    folds : int or array_like of shape (n,)
        For "cv": how many, or the fold of each row as labels.
    rng : int or Generator
        For the sampling, and for dealing the folds.
    base : {"sd", "raw"}, optional
        Whether a scale of 1 is 1 / sd of each column (the default), or the prior as it is.
    kind : {"posterior", "mode"}
        For "loo": averaged over the posterior, or the mode plugged in.
    rule : {"best", "one-se"}
        For "cv": the best scale, or the narrowest within one standard error of it.

    Returns
    -------
    ScaleChoice
        While it is made a bar stands on stderr, where that is a terminal.

    Raises
    ------
    ArgumentError
        If no term of the prior has a scale, or an argument cannot be right.
    PriorError
        If the prior has no normalised density and ``by`` is "evidence".
    FitError
        If there is no mode at some scale, or the posterior is improper.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> wells = bl.datasets.load("wells")
    >>> choice = bl.choose_scale("switch ~ dist100 + arsenic", wells, prior=bl.Normal)
    >>> bl.fit("switch ~ dist100 + arsenic", wells, prior=choice.prior).converged
    True
    """
    if by not in CRITERIA:
        raise ArgumentError(f"choose_scale(by={by!r}): it is 'evidence', 'loo' or 'cv'; scale_axis() shows all.")
    if rule not in ("best", "one-se"):
        raise ArgumentError(f"choose_scale(rule={rule!r}): it is 'best' or 'one-se'.")
    if rule == "one-se" and by != "cv":
        raise ArgumentError(f"choose_scale(by={by!r}, rule='one-se'): this rule goes with by='cv'.")
    design = as_design(model, data, trials, weights, offset, event, missing, call="choose_scale")
    axis = Axis.of(
        design, prior, scales, base, NODES if by == "evidence" else SCALES, "choose_scale", beyond=by != "evidence"
    )
    with bar() as show:
        if by == "evidence":
            return by_evidence(axis, rng, show)
        if by == "loo":
            curve = loo_along(design, axis.resolved, axis.base, axis.scales, kind=kind, rng=rng, show=show)
            return by_loo(axis, curve, kind)
        found = cv_along(design, axis.asked, axis.base.kind, axis.scales, folds=folds, rng=rng, show=show)
        return by_cv(axis, found, rule)


def by_evidence(axis: Axis, rng: int | np.random.Generator, show: Show = quiet) -> ScaleChoice:
    """The optimum of the log evidence, between the points where it was sampled."""
    if axis.resolved.whole:
        raise PriorError(
            f"choose_scale(prior={axis.resolved.name}, by='evidence'): a prior of the whole model is not normalised "
            "and has no evidence. Use by='loo' or by='cv'."
        )
    sampler = Sampler(axis.design, axis.resolved, axis.base, rng)
    every = refined(sampler, sampler.along(axis.scales, show), follow=axis.automatic)
    points = usable(every)
    if len(points) < 2:
        raise FitError(
            "choose_scale(by='evidence'): at no two scales is the Monte-Carlo error of the log evidence known. Use "
            "by='loo' or by='cv'."
        )
    curve = curve_of(points)
    top, _ = curve.top()
    best = min(points, key=lambda point: abs(math.log(point.scale) - top))
    low, high = curve.within(SUPPORT)
    i = points.index(best)
    edge = _edge(axis, i, len(points))
    if edge is not None and best is not every[0 if i == 0 else -1]:
        edge = "not known beyond"
    # The curve bends by (difference of slopes) / (difference of logs) about its top.
    left, right = points[max(i - 1, 0)], points[min(i + 1, len(points) - 1)]
    bend = (left.slope - right.slope) / math.log(right.scale / left.scale)
    mcse = best.slope_se / bend if edge is None and bend > 0.0 else math.nan
    scale = best.scale
    words = _words("log evidence", scale, edge, axis)
    failed = [point for point in every if point.level == "failed"]
    notes = [
        "Evidence by importance sampling, quadrature or annealed particles, never at the mode. It is maximised over "
        "the scale: it gets no Bayes factor.",
        *(
            [
                f"At {len(failed)} of {len(every)} scales the Monte-Carlo error of the evidence is not known: these "
                "had no say."
            ]
            if failed
            else []
        ),
        *(["Relative: some columns are flat."] if axis.resolved.flat.any() else []),
        *([_SEPARATED] if edge in ("infinity", "not known beyond") and axis.resolved.flat.any() else []),
    ]
    return ScaleChoice(
        prior=axis.prior_at(scale, f"Scale {scale:.4g} chosen by evidence: the log evidence is maximised over it."),
        criterion=NAMES["evidence"],
        by="evidence",
        scale=scale,
        value=best.log_evidence,
        se=best.se,
        uncertainty=(math.exp(low), math.exp(high) if high < 700.0 else math.inf),
        scale_mcse=mcse,
        one_standard_error=None,
        at_boundary=edge,
        words=words,
        scales=np.array([point.scale for point in every]),
        values=np.array([point.log_evidence for point in every]),
        errors=np.array([point.se for point in every]),
        levels=tuple(point.level for point in every),
        axis=axis,
        points=tuple(every),
        sampler=sampler,
        notes=tuple(notes),
    )


def by_loo(axis: Axis, curve: LooCurve, kind: str) -> ScaleChoice:
    """The best of the scales by leave-one-out."""
    best = int(np.argmax(curve.elpd))
    gap, error = curve.below(best)
    edge = _edge(axis, best, axis.scales.size)
    scale = float(axis.scales[best])
    what = "averaged over the posterior" if kind == "posterior" else "the mode plugged in"
    return ScaleChoice(
        prior=axis.prior_at(scale, _TUNED.format(scale, "leave-one-out")),
        criterion=NAMES["loo"],
        by="loo",
        scale=scale,
        value=float(curve.elpd[best]),
        se=float(curve.se[best]),
        uncertainty=log_steps(best, axis.scales, -gap <= error),
        scale_mcse=math.nan,
        one_standard_error=None,
        at_boundary=edge,
        words=_words(f"leave-one-out elpd ({what})", scale, edge, axis),
        scales=axis.scales,
        values=curve.elpd,
        errors=curve.se,
        levels=(),
        axis=axis,
        notes=curve.notes,
    )


def by_cv(axis: Axis, found: CvCurve, rule: str) -> ScaleChoice:
    """The best of the scales by cross-validated log loss, or the narrowest within one standard error."""
    loss, error = found.of("log_loss"), found.of("log_loss_se")
    lowest, narrow = int(np.argmin(loss)), found.one_se()
    best = lowest if rule == "best" else narrow
    edge = _edge(axis, best, axis.scales.size)
    scale = float(axis.scales[best])
    words = _words("cross-validated log loss", scale, edge, axis)
    if rule == "one-se":
        words = f"{words} It is the narrowest within one standard error of the best, {axis.scales[lowest]:.4g}."
    return ScaleChoice(
        prior=axis.prior_at(scale, _TUNED.format(scale, "cross-validation")),
        criterion=NAMES["cv"],
        by="cv",
        scale=scale,
        value=float(loss[best]),
        se=float(error[best]),
        uncertainty=log_steps(lowest, axis.scales, loss <= loss[lowest] + error[lowest]),
        scale_mcse=math.nan,
        one_standard_error=float(axis.scales[narrow]),
        at_boundary=edge,
        words=words,
        scales=axis.scales,
        values=loss,
        errors=error,
        levels=(),
        axis=axis,
        notes=("The prior and its base scales are resolved anew in each fold; probabilities are those at the mode.",),
    )


def _edge(axis: Axis, best: int, count: int) -> str | None:
    return axis.boundary(True) if best == 0 else axis.boundary(False) if best == count - 1 else None


def _words(what: str, scale: float, edge: str | None, axis: Axis) -> str:
    if edge == "zero":
        return (
            f"The {what} is best at scale zero: it falls as soon as coefficients may differ from the prior's centre. "
            f"The prior returned has the narrowest scale looked at, {scale:.4g}."
        )
    if edge == "infinity":
        return (
            f"The {what} is still rising where the prior has hardly any weight left: no finite scale is best. "
            f"The prior returned has the widest scale looked at, {scale:.4g}."
        )
    if edge == "not known beyond":
        return (
            f"The {what} is best at scale {scale:.4g} of those where it could be worked out; beyond it its Monte-Carlo "
            "error is not known. Look at by='loo' and by='cv' too."
        )
    if edge is not None:
        return f"The {what} is best at the {edge.split()[0]} of the scales given, {scale:.4g}: look further out."
    return f"The {what} is best at scale {scale:.4g}."


@guarded
def average_scales(
    model: str | Design,
    data: Any = None,
    prior: Prior | type[Prior] | str = "normal:1",
    *,
    hyperprior: Hyperprior | None = None,
    prob: float = 0.95,
    nodes: int = 13,
    rng: int | np.random.Generator = 0,
    base: str | None = None,
    **data_arguments: Any,
) -> AveragedScales:
    """Posterior of the coefficients with the scale of their prior unknown: intervals that carry its uncertainty.

    Parameters
    ----------
    model, data, prior, base
        As in `choose_scale`.
    hyperprior : Hyperprior, optional
        Of the multiple of the base scales: ``HalfNormal(scale)`` or ``HalfT(df, scale)``; None is ``HalfT(3, 1)``.
    prob : float
        Of the equal-tailed intervals.
    nodes : int
        Scales at which the posterior is sampled.
    rng : int or Generator
    **data_arguments
        trials, weights, offset, event and missing, as in `fit`.

    Returns
    -------
    AveragedScales

    Raises
    ------
    FitError
        If the posterior of the scale is not proper.
    """
    choice = choose_scale(model, data, prior, by="evidence", rng=rng, base=base, **data_arguments)
    return choice.averaged(hyperprior, prob=prob, nodes=nodes)
