"""All criteria on one axis of prior scale: evidence, leave-one-out, cross-validation; where each is best, and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit import frames
from bayeslogit._fit import as_design
from bayeslogit._priors import Prior
from bayeslogit.boundary import guarded, guarded_methods
from bayeslogit.chart import Chart
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError, FitError
from bayeslogit.scale_chart import criteria_chart
from bayeslogit.scale_choice import by_cv, by_evidence, by_loo
from bayeslogit.scale_criteria import CvCurve, LooCurve, cv_along, effective_along, loo_along
from bayeslogit.scale_curves import SUPPORT
from bayeslogit.scale_evidence import curve_of, usable
from bayeslogit.scale_record import NODES, SCALES, Axis, ScaleChoice, base_in_words
from bayeslogit.table import Cell, Column, Table
from bayeslogit.waiting import Show, bar
from bayeslogit.workers import aside

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
_LABELS = {
    "evidence": "log evidence",
    "loo": "leave-one-out elpd",
    "cv": "CV log loss",
    "brier": "CV Brier score",
    "auc": "CV AUC",
}
_CRITERIA = {"evidence": "evidence", "loo": "leave-one-out", "cv": "cross-validation"}


@guarded_methods
@dataclass(frozen=True, eq=False)
class ScaleAxis:
    """Every criterion along one axis of prior scales; made by `scale_axis`.

    Attributes
    ----------
    scales : array, shape (S,)
        Multiples of the base scales, ascending.
    effective : array, shape (S,)
        Effective parameters of the mode.
    log_evidence : array, shape (S,)
        Sampled at some scales, the cubic with exact slopes between; NaN where there is none.
    loo : LooCurve or None
    cv : CvCurve or None
    choices : mapping of str to ScaleChoice
        By those of "evidence", "loo" and "cv" that exist at every scale; ``lost`` says why others do not.
    best : mapping of str to float
        The best scale by each criterion, also "brier" and "auc".
    axis : Axis
    notes : tuple of str
    lost : mapping of str to str
        Why there is no "evidence", "loo" or "cv": a posterior that is improper, or a fold without a mode.
    """

    scales: Array
    effective: Array
    log_evidence: Array
    loo: LooCurve | None
    cv: CvCurve | None
    choices: Mapping[str, ScaleChoice]
    best: Mapping[str, float]
    axis: Axis
    notes: tuple[str, ...]
    lost: Mapping[str, str] = field(default_factory=dict)

    @property
    def curves(self) -> dict[str, Array]:
        """Each criterion so that higher is better, shape (S,)."""
        found = {
            "evidence": self.log_evidence,
            "loo": self._elpd,
            "cv": -self._of_cv("log_loss"),
            "brier": -self._of_cv("brier"),
            "auc": self._of_cv("auc"),
        }
        return {name: values for name, values in found.items() if np.isfinite(values).any()}

    @property
    def statistics(self) -> pd.DataFrame:
        """One row a scale: all criteria, and the log loss on the data of the fits."""
        columns = {
            "effective_parameters": self.effective,
            "log_evidence": self.log_evidence,
            "elpd_loo": self._elpd,
            "cv_log_loss": self._of_cv("log_loss"),
            "train_log_loss": self._of_cv("train_log_loss"),
            "cv_brier": self._of_cv("brier"),
            "cv_auc": self._of_cv("auc"),
        }
        made: pd.DataFrame = frames.frame(columns, "pandas", frames.numbers(self.scales, "scale"))
        return made

    @property
    def _elpd(self) -> Array:
        return np.full(self.scales.size, np.nan) if self.loo is None else self.loo.elpd

    def _of_cv(self, name: str) -> Array:
        return np.full(self.scales.size, np.nan) if self.cv is None else self.cv.of(name)

    def table(self) -> Table:
        """Every scale: effective parameters, log evidence, leave-one-out, and what cross-validation says."""
        stars = {name: int(np.argmin(np.abs(np.log(self.scales / at)))) for name, at in self.best.items()}
        rows: list[tuple[Cell, ...]] = []
        for s, row in enumerate(zip(self.scales, *(self.statistics[c] for c in self.statistics.columns), strict=True)):
            own = ", ".join(_LABELS[name] for name, at in stars.items() if at == s)
            rows.append((*map(float, row), own or None))
        return Table(
            name="scale-axis",
            title="All criteria along the prior scale",
            columns=(
                Column("scale", "scale", "number"),
                Column("effective", "effective parameters", "number"),
                Column("log_evidence", "log evidence", "number"),
                Column("elpd_loo", "leave-one-out elpd", "number"),
                Column("cv_log_loss", "CV log loss", "number"),
                Column("train_log_loss", "log loss of the fits", "number"),
                Column("cv_brier", "CV Brier score", "number"),
                Column("cv_auc", "CV AUC", "number"),
                Column("best", "nearest to the best by"),
            ),
            rows=tuple(rows),
            header=self._header,
            notes=self.notes,
        )

    @property
    def _header(self) -> tuple[str, ...]:
        return (f"Prior: {self.axis.resolved.name}, its scales multiplied; base: {base_in_words(self.axis.base)}.",)

    def optima(self) -> Table:
        """The best scale by each criterion, with what cannot be told from it."""
        rows: list[tuple[Cell, ...]] = []
        for name, at in self.best.items():
            choice = self.choices.get(name)
            low, high = (math.nan, math.nan) if choice is None else choice.uncertainty
            edge = self._edge(at) if choice is None else choice.at_boundary
            rows.append((_LABELS[name], at, low, high, edge or "no"))
        return Table(
            name="scale-optima",
            title="The best prior scale by each criterion",
            columns=(
                Column("criterion", "criterion"),
                Column("scale", "scale", "number"),
                Column("low", "from", "number"),
                Column("high", "to", "number"),
                Column("boundary", "at a boundary"),
            ),
            rows=tuple(rows),
            header=self._header,
            notes=(
                self.in_words,
                f"From and to: evidence within {SUPPORT:g} nats, others within one standard error.",
            ),
        )

    def _edge(self, at: float) -> str | None:
        ends = {float(self.scales[0]): True, float(self.scales[-1]): False}
        return self.axis.boundary(ends[at]) if at in ends else None

    @property
    def in_words(self) -> str:
        """Whether evidence and prediction disagree, by how much, and why they may."""
        first, second = self.choices.get("evidence"), self.choices.get("loo")
        absent = "".join(f"No {_CRITERIA[name]}: {why} " for name, why in self.lost.items())
        if first is None or second is None or self.loo is None:
            none = "This prior has no evidence; leave-one-out and cross-validation score predictions alone."
            return absent.rstrip() or none
        fitted = curve_of(usable(first.points))
        at = min(max(math.log(second.scale), fitted.x[0]), fitted.x[-1])
        lost = float(fitted.top()[1] - fitted(np.array([at]))[0])
        k = int(np.argmin(np.abs(np.log(self.scales / first.scale))))
        gap, error = (float(each[k]) for each in self.loo.below(int(np.argmax(self.loo.elpd))))
        agree = lost <= SUPPORT and -gap <= error
        verdict = (
            "Evidence and leave-one-out agree within their uncertainty"
            if agree
            else "Evidence and leave-one-out disagree"
        )
        why = (
            "The evidence also scores what the prior says before any data, so it wants the spread of the coefficients "
            "matched; leave-one-out scores one more observation given all others, to which the prior matters little "
            "once it is wide."
        )
        return (
            f"{absent}{verdict}: the scale best by leave-one-out has {lost:.2f} nats less evidence than the best, and "
            f"the scale best by evidence has {abs(gap):.2f} (standard error {error:.2f}) less elpd. {why}"
        )

    def figure(self) -> Chart:
        """All criteria on one axis, each from its worst to its best."""
        curves = {_LABELS[name]: values.tolist() for name, values in self.curves.items()}
        best = {_LABELS[name]: at for name, at in self.best.items()}
        return criteria_chart(self.scales.tolist(), curves, best, self.table(), "Criteria along the prior scale")

    def __str__(self) -> str:
        return f"{self.optima()}\n\n{self.table()}"

    def __repr__(self) -> str:
        found = ", ".join(f"{name} {at:.3g}" for name, at in self.best.items())
        return f"<ScaleAxis: {self.scales.size} scales; best {found}>"

    def _repr_html_(self) -> str:
        return f"{self.figure().svg()}{self.optima()._repr_html_()}"


@guarded
def scale_axis(
    model: str | Design,
    data: Any = None,
    prior: Prior | type[Prior] | str = "normal:1",
    *,
    scales: int | ArrayLike | None = None,
    folds: int = 10,
    rng: int | np.random.Generator = 0,
    base: str | None = None,
    kind: str = "posterior",
    trials: str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    event: Any = None,
    missing: str = "raise",
) -> ScaleAxis:
    """Effective parameters, log evidence, leave-one-out, and CV log loss, Brier score and AUC along one axis of scales.

    Parameters
    ----------
    model, data, prior, scales, folds, rng, base, kind, trials, weights, offset, event, missing
        As in `choose_scale`.

    Returns
    -------
    ScaleAxis
        ``print(axis)`` shows where each criterion is best, whether they agree, and why not.

    Raises
    ------
    ArgumentError
        If no term of the prior has a scale, or an argument cannot be right.
    FitError
        If no criterion exists at every scale: there is no mode, or the posterior is improper. One that does not has a
        dash, and a note says why.
    """
    design = as_design(model, data, trials, weights, offset, event, missing, call="scale_axis")
    axis = Axis.of(design, prior, scales, base, SCALES, "scale_axis", beyond=True)
    if isinstance(rng, bool):
        raise ArgumentError(f"scale_axis(rng={rng!r}): a seed or a Generator is needed.")
    seed = int(np.random.default_rng(rng).integers(1 << 62)) if isinstance(rng, np.random.Generator) else rng

    def left_out() -> tuple[Array, LooCurve | FitError]:
        effective = effective_along(design, axis.resolved, axis.base, axis.scales)
        return effective, _or_error(
            lambda: loo_along(design, axis.resolved, axis.base, axis.scales, kind=kind, rng=seed)
        )

    # Two halves that take about as long.
    with bar() as show, aside(left_out) as other:
        evidence = None if axis.resolved.whole else _or_error(lambda: _evidence_along(design, axis, seed, show))
        cv = _or_error(
            lambda: cv_along(design, axis.asked, axis.base.kind, axis.scales, folds=folds, rng=seed, show=show)
        )
        show("leave-one-out", 0, axis.scales.size)
        effective, loo = other()
    return _gathered(axis, effective, evidence, cv, loo, kind)


def _or_error[T](work: Callable[[], T]) -> T | FitError:
    """What is found; or why it does not exist, as leave-one-out without a row that holds a coefficient does not."""
    try:
        return work()
    except FitError as error:
        return error


def _evidence_along(design: Design, axis: Axis, seed: int, show: Show) -> tuple[ScaleChoice, Array]:
    """The choice by evidence from some of the scales, and the curve through them at all that they reach."""
    picked = np.unique(np.linspace(0, axis.scales.size - 1, min(NODES, axis.scales.size)).round().astype(int))
    sampled = Axis(design, axis.asked, axis.resolved, axis.base, axis.scales[picked], axis.automatic)
    choice = by_evidence(sampled, seed, show)
    known, logs = curve_of(usable(choice.points)), np.log(axis.scales)
    reached = (logs >= known.x[0] - 1e-12) & (logs <= known.x[-1] + 1e-12)
    return choice, np.where(reached, known(np.clip(logs, known.x[0], known.x[-1])), np.nan)


def _gathered(
    axis: Axis,
    effective: Array,
    evidence: tuple[ScaleChoice, Array] | FitError | None,
    cv: CvCurve | FitError,
    loo: LooCurve | FitError,
    kind: str,
) -> ScaleAxis:
    """The criteria that exist, and why the others do not; FitError where none does."""
    failed = {
        name: each for name, each in (("evidence", evidence), ("cv", cv), ("loo", loo)) if isinstance(each, FitError)
    }
    choices: dict[str, ScaleChoice] = {}
    log_evidence = np.full(axis.scales.size, np.nan)
    if isinstance(evidence, tuple):
        choices["evidence"], log_evidence = evidence
    if not isinstance(loo, FitError):
        choices["loo"] = by_loo(axis, loo, kind)
    if not isinstance(cv, FitError):
        choices["cv"] = by_cv(axis, cv, "best")
    if not choices:
        raise next(iter(failed.values()))
    best = {name: choice.scale for name, choice in choices.items()}
    notes = list(dict.fromkeys(note for choice in choices.values() for note in choice.notes))
    if not isinstance(cv, FitError):
        best["brier"] = float(axis.scales[int(np.argmin(cv.of("brier")))])
        if np.isfinite(cv.of("auc")).any():
            best["auc"] = float(axis.scales[int(np.nanargmax(cv.of("auc")))])
        narrow = choices["cv"].one_standard_error
        notes.append(f"The narrowest prior whose CV log loss is within one standard error of the best: {narrow:.4g}.")
    # The messages begin with the name of the criterion, as the notes and columns here do.
    lost = {
        name: str(failed[name]).removeprefix("choose_scale(by='evidence'): ").removeprefix(f"{called.capitalize()}: ")
        for name, called in _CRITERIA.items()
        if name in failed
    }
    return ScaleAxis(
        axis.scales,
        effective,
        log_evidence,
        None if isinstance(loo, FitError) else loo,
        None if isinstance(cv, FitError) else cv,
        choices,
        best,
        axis,
        (*(f"No {_CRITERIA[name]}: {why}" for name, why in lost.items()), *notes),
        lost,
    )
