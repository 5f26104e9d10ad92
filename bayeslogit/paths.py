"""Paths: what every coefficient becomes as the scale of its prior grows, from hardly anything to hardly any prior."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from bayeslogit import frames
from bayeslogit._fit import as_design
from bayeslogit._path import Points, along, check_moves, useful_scales
from bayeslogit._priors import Prior
from bayeslogit.boundary import guarded, guarded_methods
from bayeslogit.chart import Chart
from bayeslogit.curves import coefficient_paths
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError, FitWarning
from bayeslogit.facts import Facts
from bayeslogit.labels import checked_labels, column_labels, file_labels, nameable
from bayeslogit.multiples import Base, Multiple, axis_notes, unit_prior
from bayeslogit.predict import check_prob
from bayeslogit.presets import as_prior
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.summary import percent
from bayeslogit.table import Cell, Column, Table

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
_SHOWN = 12
_MOST_SCALES = 10_000


@guarded_methods
@dataclass(frozen=True, eq=False)
class Path:
    """Modes of one model under multiples of its prior's scales; made by `path`.

    Attributes
    ----------
    points : Points
        The numbers, as arrays.
    prior : Prior
        What was asked for.
    resolved : ResolvedPrior
        The same as numbers, at its own scale.
    base : Base
        The scales from which multiples are taken: 1 / sd of each column, or 1.
    facts : Facts
        Counts, names and hashes of the data.
    design : Design
        The data.
    notes : tuple of str
        Everything a reader must know; they stand under every table.
    labels : mapping of str to str
        What columns and variables are called in tables and figures.
    """

    points: Points
    prior: Prior
    resolved: ResolvedPrior
    base: Base
    facts: Facts
    design: Design
    notes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    def relabel(self, labels: Mapping[str, str]) -> Path:
        """The same with other words for its columns or variables in tables and figures; as `Fit.relabel`."""
        given = checked_labels(labels, nameable(self.columns, self.design.spec))
        return replace(self, labels={**self.labels, **given})

    @property
    def names(self) -> tuple[str, ...]:
        """The columns as tables and figures name them."""
        found = column_labels(self.columns, self.labels)
        return tuple(found.get(name, name) for name in self.columns)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self.resolved.columns

    @property
    def scales(self) -> Array:
        """Multiples of the base scales, ascending; shape (S,)."""
        return self.points.scales

    @property
    def converged(self) -> bool:
        """Whether the search at every scale was."""
        return bool(self.points.converged.all())

    @cached_property
    def coefficients(self) -> pd.DataFrame:
        """The modes, one row a scale: log-odds per unit of each column."""
        return self._frame(self.points.coefficients)

    @cached_property
    def sd(self) -> pd.DataFrame:
        """Posterior sds by the Gaussian approximation at each mode; NaN throughout under a prior with kinks."""
        values = self.points.sd
        return self._frame(np.full_like(self.points.coefficients, np.nan) if values is None else values)

    def _frame(self, values: Array) -> pd.DataFrame:
        made = frames.matrix(values, [""] * self.scales.size, self.columns)
        made.index = frames.numbers(self.scales, "scale")
        return made

    @cached_property
    def statistics(self) -> pd.DataFrame:
        """One row a scale: nonzero, effective_parameters, log_likelihood, log_posterior, violation, and the cost."""
        p = self.points
        columns = {
            "nonzero": p.nonzero,
            "effective_parameters": p.effective,
            "log_likelihood": p.log_likelihood,
            "log_posterior": p.log_posterior,
            "violation": p.violation,
            "passes": p.passes,
            "informations": p.informations,
            "status": p.status,
        }
        made: pd.DataFrame = frames.frame(columns, "pandas", frames.numbers(self.scales, "scale"))
        return made

    def at(self, scale: float) -> pd.Series[float]:
        """The coefficients at the scale of the path that is nearest (on the log axis)."""
        return self.coefficients.iloc[self._nearest(scale)]

    def _nearest(self, scale: float) -> int:
        try:
            wanted = float(scale)
        except (TypeError, ValueError, OverflowError):
            wanted = math.nan
        if not wanted > 0.0:
            raise ArgumentError(f"scale={scale!r}: a scale is a positive number.")
        return int(np.argmin(np.abs(np.log(self.scales) - math.log(wanted))))

    def prior_at(self, scale: float) -> Multiple:
        """The prior at any scale, to fit with: ``bl.fit(design, prior=path.prior_at(0.1))``."""
        self._nearest(scale)
        return Multiple(self.prior, float(scale), self.base.kind)

    def conf_int(self, prob: float = 0.95) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Lower and upper ends of the equal-tailed intervals, mode +- z sd, one row a scale."""
        z = float(ndtri(0.5 + check_prob(prob) / 2.0))
        return self.coefficients - z * self.sd, self.coefficients + z * self.sd

    # --- tables --------------------------------------------------------------------------------------------------

    def summary(self) -> Table:
        """At most a dozen scales, evenly spaced; `table` has them all."""
        S = self.scales.size
        rows = np.unique(np.linspace(0, S - 1, min(S, _SHOWN)).round().astype(int))
        left = (f"{rows.size} of {S} scales are shown; path.table() has them all.",) if rows.size < S else ()
        return self._table(rows, left)

    def table(self) -> Table:
        """Every scale: coefficients away from zero, effective parameters, log likelihood, optimality."""
        return self._table(np.arange(self.scales.size), ())

    def _table(self, rows: NDArray[np.intp], notes: Sequence[str]) -> Table:
        p = self.points
        cells: list[tuple[Cell, ...]] = []
        for s in rows:
            own: list[Cell] = [float(p.scales[s])]
            own += [int(p.nonzero[s])] if self._kinked else []
            own += [float(p.effective[s]), float(p.log_likelihood[s]), float(p.log_posterior[s])]
            cells.append((*own, float(p.violation[s]), int(p.passes[s]), int(p.informations[s])))
        away = (Column("nonzero", "not at a kink", "count"),) if self._kinked else ()
        return Table(
            name="path",
            title="Coefficients along the prior scale",
            columns=(
                Column("scale", "scale", "number"),
                *away,
                Column("effective", "effective parameters", "number"),
                Column("log_likelihood", "log likelihood", "number"),
                Column("log_posterior", "log posterior", "number"),
                Column("violation", "optimality, sd", "number"),
                Column("passes", "passes", "count"),
                Column("informations", "informations", "count"),
            ),
            rows=tuple(cells),
            header=self._header(),
            notes=(*notes, *self.notes),
        )

    @property
    def _kinked(self) -> bool:
        return self.points.sd is None

    def _header(self) -> tuple[str, ...]:
        p, f = self.points, self.facts
        failed = int(np.count_nonzero(~p.converged))
        worst = float(np.max(p.violation[p.converged], initial=0.0))
        state = "converged at every scale" if not failed else f"{failed} of {p.scales.size} searches did not converge"
        base = "1/sd of each column (path.base_table() prints them)" if self.base.kind == "sd" else "the prior's own"
        return (
            f"Prior: {self.resolved.name}, its scales times {p.scales[0]:.3g} to {p.scales[-1]:.3g}; base: {base}.",
            f"Outcome: {f.event_in_words}; {f.n_events:,.10g} events in {f.nobs:,.10g} observations.",
            f"Status: {state}; the optimality condition holds to {worst:.1e} posterior sd.",
        )

    def base_table(self) -> Table:
        """The prior of each column at scale 1, as numbers."""
        at_one = self.base.multiple(self.resolved, 1.0)
        sd = np.sqrt(at_one.variance())
        rows = zip(self.names, map(float, self.base.unit), at_one.labels(), map(float, sd), strict=True)
        kind = "1 / sd of each column (n - 1)" if self.base.kind == "sd" else "1: scales are taken as they are"
        return Table(
            name="path-base",
            title="The prior at scale 1",
            columns=(
                Column("term", "term"),
                Column("unit", "base scale", "number"),
                Column("prior", "prior at scale 1 (log-odds per unit)"),
                Column("prior_sd", "prior sd", "number"),
            ),
            rows=tuple(rows),
            header=(f"Base scale: {kind}.",),
            notes=axis_notes(self.resolved),
        )

    # --- figure --------------------------------------------------------------------------------------------------

    def figure(self, prob: float = 0.95, *, named: int = 8, per: str | None = None) -> Chart:
        """The coefficients of the slopes against the scale, with bands of the named ones under smooth priors.

        Parameters
        ----------
        prob : float
            Probability of the bands.
        named : int
            How many of the largest are named.
        per : {"base", "unit"}, optional
            Log-odds per sd of each column (with base "sd"), which can be compared, or per unit. None is "base".
        """
        if per not in (None, "base", "unit"):
            raise ArgumentError(f"figure(per={per!r}): it is 'base' or 'unit'.")
        if self.scales.size < 2:
            raise ArgumentError("path.figure(): lines need two scales or more, and this path has one.")
        first = int(self.design.has_intercept)
        unit = np.ones(len(self.columns)) if per == "unit" else self.base.unit
        values = (self.points.coefficients / unit)[:, first:]
        lower = upper = None
        if self.points.sd is not None:
            z = float(ndtri(0.5 + check_prob(prob) / 2.0))
            spread = z * (self.points.sd / unit)[:, first:]
            lower, upper = (values - spread).tolist(), (values + spread).tolist()
        standardised = self.base.kind == "sd" and per != "unit"
        return coefficient_paths(
            self.names[first:],
            self.scales.tolist(),
            values.tolist(),
            lower=lower,
            upper=upper,
            named=named,
            title=f"Coefficients along the prior scale: {self.resolved.name}",
            x_label="prior scale, " + ("in units of 1 / sd of each column" if self.base.kind == "sd" else "multiples"),
            y_label=f"log-odds per {'sd' if standardised else 'unit'} of the column",
            interval=f"{percent(prob)} interval",
            notes=self.notes,
        )

    def __str__(self) -> str:
        return str(self.summary())

    def __repr__(self) -> str:
        return (
            f"<Path of {len(self.columns)} coefficients over {self.scales.size} scales, {self.scales[0]:.3g} to "
            f"{self.scales[-1]:.3g}; prior {self.resolved.name}; {'' if self.converged else 'not '}converged>"
        )

    def _repr_html_(self) -> str:
        drawn = (
            self.figure().svg() if self.scales.size > 1 and len(self.columns) > int(self.design.has_intercept) else ""
        )
        return f"{drawn}{self.summary()._repr_html_()}"


@guarded
def path(
    model: str | Design,
    data: Any = None,
    prior: Prior | type[Prior] | str = "laplace:1",
    *,
    scales: int | ArrayLike | None = None,
    base: str | None = None,
    trials: str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    event: Any = None,
    missing: str = "raise",
    tol: float = 1e-4,
    max_iter: int = 200,
    labels: Mapping[str, str] | None = None,
) -> Path:
    """The modes of a model along an axis of prior scales: each search starts where the last one ended.

    The scales of the prior are multiplied; flat terms stay flat, and a prior on the intercept alone stays as it is.
    Both rates of an elastic net are divided, so that l1 : l2 is kept.

    Parameters
    ----------
    model, data, trials, weights, offset, event, missing
        As in `fit`.
    prior : Prior, family or str
        Whose scales are multiplied: a family such as ``Laplace`` (its unit scale), or any prior, also one made by
        `priors`.
    scales : int or array_like of float, optional
        How many, or which. None is 100, evenly spaced on the log axis: from the scale at which the first coefficient is
        about to leave its kink to 1,000 times that (100 with fewer rows than columns); for smooth priors from where all
        slopes together have 0.05 effective parameters to where every prior holds less than 1 % of the precision.
    base : {"sd", "raw"}, optional
        "sd", the default, takes each column's scale as a multiple of 1 / sd of the column, as if columns were
        standardised; "raw" takes the prior as it is, which is the default for presets that use the sds already.
    tol : float
        Largest violation of the optimality condition at any scale, in posterior sds.
    max_iter : int
        Most steps at each scale.
    labels : mapping of str to str, optional
        What columns or variables are called in tables and figures.

    Returns
    -------
    Path
        A search that fails is a value: ``path.statistics.status`` says how it ended, and a `FitWarning` is given.

    Raises
    ------
    ArgumentError
        If scales are not positive, or no term of the prior has one.
    DataError, FormulaError, PriorError
        If the input cannot be right.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> wells = bl.datasets.load("wells")
    >>> path = bl.path("switch ~ dist100 + arsenic + educ4", wells, prior=bl.Laplace, scales=5)
    >>> path.statistics.nonzero.tolist()
    [1, 4, 4, 4, 4]
    """
    design = as_design(model, data, trials, weights, offset, event, missing, call="path")
    if not 0.0 < tol < 1.0:
        raise ArgumentError(f"path(tol={tol!r}): the largest violation, in posterior sds, must lie between 0 and 1.")
    given = as_prior(unit_prior(prior))
    resolved = given.resolve(design)
    check_moves(resolved)
    unit = Base.of(design, resolved, base)
    chosen = _scales(scales)
    axis = useful_scales(design, resolved, unit, chosen) if isinstance(chosen, int) else chosen
    points = along(design, resolved, unit, axis, tol=float(tol), max_iter=max_iter, held=True)
    failed = [
        f"At scale {s:.3g}: {words}"
        for s, words, good in zip(points.scales, points.messages, points.converged, strict=True)
        if not good
    ]
    if failed:
        warnings.warn(failed[0], FitWarning, stacklevel=2)
    notes = (*failed[:3], *design.notes, *resolved.notes, *points.notes, *axis_notes(resolved))
    found = Path(points, given, resolved, unit, Facts.of(design), design, notes)
    return found.relabel({**file_labels(design), **(labels or {})})


def _scales(scales: int | ArrayLike | None) -> int | Array:
    """A number of scales, or the scales, ascending."""
    if scales is None:
        return 100
    if isinstance(scales, int | np.integer) and not isinstance(scales, bool):
        if not 2 <= scales <= _MOST_SCALES:
            raise ArgumentError(f"path(scales={scales}): give 2 to {_MOST_SCALES:,} scales, or the scales themselves.")
        return int(scales)
    try:
        values = np.atleast_1d(np.asarray("" if isinstance(scales, bool) else scales, dtype=np.float64))
    except (TypeError, ValueError, OverflowError):
        raise ArgumentError(f"path(scales={scales!r}): a number of scales, or positive finite numbers.") from None
    if values.ndim != 1 or values.size == 0 or not (np.isfinite(values).all() and (values > 0.0).all()):
        raise ArgumentError(f"path(scales={scales!r}): a number of scales, or positive finite numbers.")
    return np.unique(values)
