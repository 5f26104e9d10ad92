"""An axis of prior scales, and the record of the scale that a criterion likes best, with the whole curve."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit import frames
from bayeslogit._path import useful_scales
from bayeslogit._priors import Prior
from bayeslogit.boundary import guarded_methods
from bayeslogit.chart import Chart
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError
from bayeslogit.multiples import Base, Multiple, moves, unit_prior
from bayeslogit.presets import as_prior
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.scale_average import HalfT, Hyperprior
from bayeslogit.scale_averaged import AveragedScales, average
from bayeslogit.scale_chart import criterion_chart
from bayeslogit.scale_curves import SUPPORT
from bayeslogit.scale_evidence import Point, Sampler, curve_of, refined, usable
from bayeslogit.table import Cell, Column, Table

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
NODES, SCALES, _MOST_SCALES = 9, 21, 1000
NAMES = {
    "evidence": "log evidence (maximised)",
    "loo": "leave-one-out elpd",
    "cv": "cross-validated log loss",
}
_WITHIN = {
    "evidence": f"log evidence at most {SUPPORT:g} nats below its maximum",
    "loo": "elpd within one standard error of the best (of the paired difference)",
    "cv": "log loss within one standard error of the best",
}


# Where the prior hardly weighs any more an axis of predictive criteria has two further scales, to tell best from level.
_BEYOND = (math.sqrt(10.0), 10.0)


@dataclass(frozen=True)
class Tuned(Prior):
    """A prior whose scale was chosen on the data: the same prior, with a note that says so wherever it goes."""

    prior: Prior
    how: str

    def resolve(self, design: Any) -> ResolvedPrior:
        resolved = self.prior.resolve(design)
        return replace(resolved, notes=(*resolved.notes, self.how))

    def __repr__(self) -> str:
        return repr(self.prior)


@dataclass(frozen=True, eq=False)
class Axis:
    """A design, a prior and the scales to look at: what every criterion starts from.

    Attributes
    ----------
    design : Design
    asked : Prior
    resolved : ResolvedPrior
    base : Base
    scales : array, shape (S,)
        Ascending multiples of the base scales.
    automatic : bool
        Whether the axis goes from hardly anything to hardly any prior, so that its ends stand for 0 and infinity.
    """

    design: Design
    asked: Prior
    resolved: ResolvedPrior
    base: Base
    scales: Array
    automatic: bool

    @classmethod
    def of(
        cls,
        design: Design,
        prior: Any,
        scales: int | ArrayLike | None,
        base: str | None,
        count: int,
        call: str,
        *,
        beyond: bool,
    ) -> Axis:
        """Raises ArgumentError without anything to scale, or where scales cannot be right."""
        asked = as_prior(unit_prior(prior))
        resolved = asked.resolve(design)
        if not any(moves(term, resolved.columns) for term in resolved.terms):
            raise ArgumentError(
                f"{call}(prior={resolved.name}): no term of this prior has a scale, so there is none to choose. "
                "Give a proper prior such as bayeslogit.Normal or bayeslogit.Laplace."
            )
        unit = Base.of(design, resolved, base)
        if scales is None or (isinstance(scales, int | np.integer) and not isinstance(scales, bool)):
            count = count if scales is None else int(scales)
            if not 3 <= count <= _MOST_SCALES:
                raise ArgumentError(f"{call}(scales={scales!r}): give 3 to {_MOST_SCALES:,} scales, or the scales.")
            useful = useful_scales(design, resolved, unit, count)
            further = useful[-1] * np.array(_BEYOND) if beyond else useful[:0]
            return cls(design, asked, resolved, unit, np.concatenate([useful, further]), True)
        try:
            values = np.unique(np.atleast_1d(np.asarray(scales, dtype=np.float64)))
        except (TypeError, ValueError, OverflowError):
            values = np.empty(0)
        if values.size < 2 or not (np.isfinite(values).all() and (values > 0.0).all()):
            raise ArgumentError(f"{call}(scales={scales!r}): a number of scales, or at least two positive numbers.")
        return cls(design, asked, resolved, unit, values, False)

    def boundary(self, low: bool) -> str:
        """What the end of the axis is called."""
        if self.automatic:
            return "zero" if low else "infinity"
        return "lowest given" if low else "highest given"

    def prior_at(self, scale: float, how: str) -> Tuned:
        """To fit with."""
        return Tuned(Multiple(self.asked, float(scale), self.base.kind), how)


@guarded_methods
@dataclass(frozen=True, eq=False)
class ScaleChoice:
    """The scale that a criterion likes best; made by `choose_scale`.

    Attributes
    ----------
    prior : Prior
        To fit with: ``bl.fit(design, prior=choice.prior)``. Its tables say that its scale was chosen on the data.
    criterion : str
        "log evidence (maximised)", "leave-one-out elpd" or "cross-validated log loss".
    by : {"evidence", "loo", "cv"}
    scale : float
        Multiple of the base scales.
    value, se : float
        Of the criterion there. The error is the Monte-Carlo error of the evidence, and for the others the standard
        error as an estimate for new data.
    uncertainty : (float, float)
        Scales that cannot be told from the best: log evidence within 1.92 nats, or the criterion within one standard
        error; 0 or infinity where the axis ends first.
    scale_mcse : float
        Relative Monte-Carlo error of ``scale``; NaN where it is the best of a grid.
    one_standard_error : float or None
        With "cv": the narrowest prior whose log loss is within one standard error of the best.
    at_boundary : str or None
        "zero": as narrow as can be, the data ask for no spread; "infinity": no prior at all is best. With scales of
        your own "lowest given" or "highest given". "not known beyond": the evidence rises up to where its error is
        not known.
    words : str
        The same in a sentence.
    scales, values, errors : array, shape (S,)
        The whole curve: scales ascending, criterion, and its error.
    levels : tuple of str
        Of each log evidence: "certified", "approximate", "failed"; empty for the other criteria.
    axis : Axis
    notes : tuple of str
    """

    prior: Prior
    criterion: str
    by: str
    scale: float
    value: float
    se: float
    uncertainty: tuple[float, float]
    scale_mcse: float
    one_standard_error: float | None
    at_boundary: str | None
    words: str
    scales: Array
    values: Array
    errors: Array
    levels: tuple[str, ...]
    axis: Axis
    points: tuple[Point, ...] = ()
    sampler: Sampler | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def curve(self) -> pd.DataFrame:
        """One row a scale: the criterion and its error; with evidence also its slope and level."""
        columns: dict[str, Any] = {"value": self.values, "error": self.errors}
        if self.points:
            columns |= {"slope": np.array([point.slope for point in self.points]), "level": list(self.levels)}
        made: pd.DataFrame = frames.frame(columns, "pandas", frames.numbers(self.scales, "scale"))
        return made

    def summary(self) -> Table:
        """The choice on one line."""
        low, high = self.uncertainty
        cells: tuple[Cell, ...] = (self.criterion, self.scale, low, high, self.value, self.se, self.at_boundary or "no")
        return Table(
            name="scale-choice",
            title="The chosen prior scale",
            columns=(
                Column("criterion", "criterion"),
                Column("scale", "scale", "number"),
                Column("low", "from", "number"),
                Column("high", "to", "number"),
                Column("value", "criterion there", "number"),
                Column("se", "its error", "number"),
                Column("boundary", "at a boundary"),
            ),
            rows=(cells,),
            header=(
                f"Prior: {self.axis.resolved.name}, its scales multiplied; base: {base_in_words(self.axis.base)}.",
                self.words,
            ),
            notes=(f"From and to: {_WITHIN[self.by]}.", *self.notes),
        )

    def table(self) -> Table:
        """The whole curve."""
        level = (Column("level", "level"),) if self.levels else ()
        rows: list[tuple[Cell, ...]] = []
        for k, scale in enumerate(self.scales):
            own: tuple[Cell, ...] = (float(scale), float(self.values[k]), float(self.errors[k]))
            rows.append((*own, self.levels[k]) if self.levels else own)
        error = "Monte-Carlo error" if self.by == "evidence" else "standard error"
        return Table(
            name="scale-curve",
            title=f"{self.criterion[:1].upper()}{self.criterion[1:]} along the prior scale",
            columns=(
                Column("scale", "scale", "number"),
                Column("value", self.criterion, "number"),
                Column("error", error, "number"),
                *level,
            ),
            rows=tuple(rows),
            header=(f"Prior: {self.axis.resolved.name}; base: {base_in_words(self.axis.base)}.", self.words),
            notes=self.notes,
        )

    def figure(self) -> Chart:
        """The criterion against the scale, the best scale, and the scales that cannot be told from it."""
        scales, values = self.scales, self.values
        lower = upper = dots = None
        if self.by == "evidence":
            known = usable(self.points)
            fitted = curve_of(known)
            scales, values = np.exp(fitted.fine), fitted(fitted.fine)
            dots = [point.scale for point in known], [point.log_evidence for point in known]
        else:
            lower, upper = (values - self.errors).tolist(), (values + self.errors).tolist()
        return criterion_chart(
            scales.tolist(),
            values.tolist(),
            data=self.table(),
            label=self.criterion,
            title=f"{self.criterion[:1].upper()}{self.criterion[1:]} along the prior scale",
            best=self.scale,
            uncertainty=self.uncertainty,
            words=_WITHIN[self.by],
            lower=lower,
            upper=upper,
            dots=dots,
            notes=self.notes,
        )

    def averaged(self, hyperprior: Hyperprior | None = None, *, prob: float = 0.95, nodes: int = 13) -> AveragedScales:
        """Intervals that carry the uncertainty of the scale, beside those at the scale plugged in.

        Parameters
        ----------
        hyperprior : Hyperprior, optional
            Density of the multiple of the base scales: `HalfNormal` or `HalfT`. None is ``HalfT(3, 1)``.
        """
        sampler, points = self.sampler, self.points
        if sampler is None:
            axis = self.axis
            sampler = Sampler(axis.design, axis.resolved, axis.base, 0)
            picked = np.unique(np.linspace(0, axis.scales.size - 1, NODES).round().astype(int))
            points = tuple(refined(sampler, sampler.along(axis.scales[picked]), follow=True))
        return average(sampler, usable(points), HalfT(3, 1) if hyperprior is None else hyperprior, prob, nodes)

    def __str__(self) -> str:
        return str(self.summary())

    def __repr__(self) -> str:
        edge = f", at {self.at_boundary}" if self.at_boundary else ""
        return f"<ScaleChoice by {self.by}: scale {self.scale:.4g}{edge}; {self.criterion} {self.value:.4f}>"

    def _repr_html_(self) -> str:
        return f"{self.figure().svg()}{self.summary()._repr_html_()}"


def base_in_words(base: Base) -> str:
    """What a scale of 1 means."""
    return "1/sd of each column" if base.kind == "sd" else "the prior's own scales"
