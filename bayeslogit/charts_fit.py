"""Charts of the coefficients of fits and posteriors: which rows, in which unit, under which names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.boundary import short
from bayeslogit.chart import Chart, forest
from bayeslogit.charts_posteriors import Estimated, Shape, forest_of_several, ridges
from bayeslogit.comparisons import Comparison
from bayeslogit.draw_numbers import data_of
from bayeslogit.draws import Draws
from bayeslogit.errors import ArgumentError, FitError
from bayeslogit.estimates import Estimates
from bayeslogit.labels import column_labels
from bayeslogit.marks import Axis
from bayeslogit.outlines import Outline, gaussian_outline, posterior_outline, prior_density
from bayeslogit.predict import check_prob
from bayeslogit.results import Fit
from bayeslogit.summary import percent
from bayeslogit.units import step_size

Array = NDArray[np.float64]
Source = Fit | Draws
# Columns whose spreads differ by more than this are drawn per sd: per unit some of them would be invisible.
_COMPARABLE = 20.0
_INTERCEPT = "Intercept"


@dataclass(frozen=True)
class _Rows:
    """Which coefficients are drawn, the step of each, its name, and what one step is called on the axis."""

    names: tuple[str, ...]
    steps: Array
    labels: tuple[str, ...]
    unit: str

    def of(self, source: Source, values: Array) -> Array:
        """Numbers of a fit in our rows, in units of the steps; NaN for columns that it lacks."""
        place = {name: j for j, name in enumerate(source.columns)}
        found = np.array([values[place[name]] if name in place else np.nan for name in self.names])
        result: Array = self.steps * found
        return result


def fit_of(source: Source) -> Estimates:
    """The fit itself, or that of its draws."""
    return source.fit if isinstance(source, Draws) else source


def checked(what: str, source: Any) -> Source:
    """A fit or draws, which have something to draw.

    Raises
    ------
    ArgumentError
        If it is neither.
    FitError
        If a fit has no finite covariance.
    """
    if not isinstance(source, Fit | Draws):
        raise ArgumentError(f"plot.{what}({type(source).__name__}, ...): a fit is needed, or its draws.")
    if isinstance(source, Fit) and not np.isfinite(source.posterior.sd).any():
        raise FitError(f"plot.{what}(): this fit has no intervals to draw. {source.mode.message}")
    return source


def numbers(source: Source, prob: float) -> tuple[Array, Array, Array]:
    """Estimate and interval, log-odds per unit of each column: the mode, or the posterior median of draws."""
    ends = np.asarray(source.conf_int(prob), dtype=np.float64)
    middle = source.quantile(0.5) if isinstance(source, Draws) else source.params
    return np.asarray(middle, dtype=np.float64), ends[:, 0], ends[:, 1]


def rows_of(
    what: str,
    sources: Sequence[Source],
    terms: str | Sequence[str] | None,
    per: Any,
    labels: Mapping[str, str] | None,
) -> _Rows:
    """Coefficients in the order of the first fit; slopes, unless terms are named.

    Parameters
    ----------
    terms : sequence of str, optional
        Columns, or variables whose columns are meant: "C(region)" stands for all its levels.
    per : optional
        As in `Draws.odds_ratios`; without it one unit, or one sd where spreads differ much.
    """
    every = list(dict.fromkeys(name for source in sources for name in source.columns))
    if terms is None:
        names = [name for name in every if name != _INTERCEPT] or every
    else:
        wanted = [terms] if isinstance(terms, str) else list(terms)
        names = []
        for term in wanted:
            found = [n for n in every if n == term] or [n for n in every if n.startswith(f"{term}[")]
            if not found:
                raise ArgumentError(f"plot.{what}(terms=...): no column {term!r}; there are {', '.join(every[:12])}.")
            names += [name for name in found if name not in names]
        if not names:
            raise ArgumentError(f"plot.{what}(terms=[]): at least one column is needed.")
    own: dict[str, str] = {}
    known = set(every)
    for source in sources:
        own = {**source.labels, **own}
        known.update((source.fit if isinstance(source, Draws) else source).known_names)
    called = {**column_labels(names, own), **column_labels(names, labels or {})}
    unknown = [name for name in labels or {} if name not in known]
    if unknown:
        raise ArgumentError(f"plot.{what}(labels=...): no columns {', '.join(unknown[:8])} here.")
    steps, unit = _steps(what, sources, names, per)
    words = [called.get(name, name) for name in names]
    if isinstance(per, Mapping) or (isinstance(per, int | float) and per != 1):
        words = [w if s == 1.0 else f"{w} (per {s:.3g})" for w, s in zip(words, steps, strict=True)]
    return _Rows(tuple(names), steps, tuple(words), unit)


def _steps(what: str, sources: Sequence[Source], names: Sequence[str], per: Any) -> tuple[Array, str]:
    owner = {name: source for source in reversed(sources) for name in source.columns}
    if per is None:
        sds = np.array([_sd(owner[name], name) for name in names])
        known = sds[sds > 0.0]
        if known.size and known.max() > _COMPARABLE * known.min():
            return np.where(sds > 0.0, sds, 1.0), "log-odds per sd of the column"
        return np.ones(len(names)), "log-odds per unit"
    if isinstance(per, Mapping):
        unknown = [str(name) for name in per if name not in owner]
        if unknown:
            raise ArgumentError(f"plot.{what}(per=...): no columns {', '.join(unknown[:8])} here.")

    def size(name: str) -> float:
        step = per.get(name, "unit") if isinstance(per, Mapping) else per
        return 1.0 if name == _INTERCEPT else step_size(step, name, lambda why: data_of(fit_of(owner[name]), why))

    unit = {"sd": "log-odds per sd of the column", "unit": "log-odds per unit"}.get(per if isinstance(per, str) else "")
    return np.array([size(name) for name in names]), unit or "log-odds per step"


def _sd(source: Source, name: str) -> float:
    design = fit_of(source).design
    if design is None or name == _INTERCEPT:
        return 0.0
    return float(design.column_sds[design.columns.index(name)])


def entries_of(what: str, fit: Any, others: Sequence[Any]) -> dict[str, Source]:
    """Fits by name: as given in a mapping or a comparison, else by their priors."""
    if isinstance(fit, Comparison):
        given: dict[str, Any] = {name: fit.draws.get(name, fit.fits[name]) for name in fit.fits}
    elif isinstance(fit, Mapping):
        given = {str(name): each for name, each in fit.items()}
    else:
        given = {}
        for each in (fit, *others):
            base = _called(checked(what, each))
            name, k = base, 2
            while name in given:
                name, k = f"{base} ({k})", k + 1
            given[name] = each
        others = ()
    if others or not given:
        raise ArgumentError(f"plot.{what}(): give fits one by one, or all in one mapping of names to fits.")
    return {name: checked(what, each) for name, each in given.items()}


def _called(source: Source) -> str:
    return f"{fit_of(source).prior.name}, {source.method}" if isinstance(source, Draws) else source.prior.name


# --- charts ------------------------------------------------------------------------------------------------------


def forest_chart(
    fit: Any,
    *others: Any,
    terms: str | Sequence[str] | None = None,
    per: Any = None,
    exponentiate: bool = False,
    prob: float = 0.95,
    labels: Mapping[str, str] | None = None,
    prior: bool = True,
    most_rows: int = 60,
) -> Chart:
    """Coefficients with their intervals: one fit with its prior behind, or several side by side."""
    check_prob(prob)
    entries = entries_of("forest", fit, others)
    sources = list(entries.values())
    rows = rows_of("forest", sources, terms, per, labels)
    interval = f"{percent(prob)} interval"
    if len(sources) > 1:
        several = [
            Estimated(name, *(rows.of(each, part).tolist() for part in numbers(each, prob)))
            for name, each in entries.items()
        ]
        made = forest_of_several(rows.labels, several, interval=interval, scale=rows.unit, most_rows=most_rows)
    else:
        made = _forest_of_one(sources[0], rows, prob, interval, prior, most_rows)
    return _in_odds(made) if exponentiate else made


def _forest_of_one(source: Source, rows: _Rows, prob: float, interval: str, prior: bool, most_rows: int) -> Chart:
    estimate, lower, upper = (rows.of(source, part) for part in numbers(source, prob))
    ruled = fit_of(source).prior
    half, mean = ruled.half_widths(prob), ruled.means()
    behind = [rows.of(source, np.where(np.isfinite(half), mean + sign * half, np.nan)) for sign in (-1.0, 1.0)]
    ends = [np.sort(np.stack(pair), axis=0) for pair in ((lower, upper), behind)]  # a negative step turns them around
    return forest(
        rows.labels,
        estimate.tolist(),
        *(end.tolist() for end in ends[0]),
        prior_lower=ends[1][0].tolist() if prior else None,
        prior_upper=ends[1][1].tolist() if prior else None,
        estimate_name="posterior median" if isinstance(source, Draws) else "mode",
        interval=interval,
        scale=rows.unit,
        most_rows=most_rows,
    )


def _in_odds(made: Chart) -> Chart:
    """The same marks with odds ratios on the lower axis and none above."""
    assert made.top is not None
    words = made.x.label.replace("log-odds", "odds ratio", 1)
    return replace(made, x=Axis(f"{words}, log scale", made.x.lower, made.x.upper, made.top.ticks), top=None)


def prior_posterior_chart(
    fit: Any,
    *,
    terms: str | Sequence[str] | None = None,
    per: Any = None,
    labels: Mapping[str, str] | None = None,
    most_rows: int = 30,
) -> Chart:
    """Prior density against posterior density of each coefficient."""
    source = checked("prior_posterior", fit)
    rows = rows_of("prior_posterior", [source], terms, per, labels)
    ruled = fit_of(source).prior
    posteriors: list[Shape | None] = []
    priors: list[Shape | None] = []
    without = []
    outlines = [_outline(source, name) for name in rows.names]
    wide = _extent(outlines, rows)
    for outline, name, step in zip(outlines, rows.names, rows.steps, strict=True):
        posteriors.append(None if outline is None else _shape(outline, step))
        at = np.linspace(wide[0], wide[1], 401) / step
        density = prior_density(ruled, source.columns.index(name), at)
        priors.append(None if density is None else _shape(Outline(at, density), step))
        if density is None:
            without.append(name)
    basis = f"posterior ({source.method})" if isinstance(source, Draws) else "posterior (Gaussian at the mode)"
    note = (f"No prior density to draw (flat, or of the whole model): {_listed(without)}.",) if without else ()
    return ridges(
        rows.labels,
        {"prior": priors, basis: posteriors},
        behind="prior",
        scale=rows.unit,
        most_rows=most_rows,
        name="prior-posterior",
        title="Prior and posterior of each coefficient",
        description=f"Prior and posterior densities of {len(rows.names)} coefficients; prior: {ruled.name}. The same "
        "numbers are in the table of this chart.",
        notes=note,
    )


def overlay_chart(
    first: Any,
    second: Any,
    *,
    terms: str | Sequence[str] | None = None,
    per: Any = None,
    labels: Mapping[str, str] | None = None,
    names: tuple[str, str] | None = None,
    most_rows: int = 30,
) -> Chart:
    """Two posteriors over one another: densities, and how far mean and sd of the first are from the second's."""
    pair = [checked("overlay", each) for each in (first, second)]
    rows = rows_of("overlay", pair, terms, per, labels)
    given: Any = names
    if given is not None and not (isinstance(given, tuple | list) and all(isinstance(name, str) for name in given)):
        raise ArgumentError(f"plot.overlay(names={short(names)}): two names are needed.")
    called = list(names or [each.method if isinstance(each, Draws) else "Gaussian at the mode" for each in pair])
    if len(called) != 2:
        raise ArgumentError(f"plot.overlay(names={names!r}): two names are needed.")
    if called[0] == called[1]:
        called = [f"{called[0]} (first)", f"{called[1]} (second)"]
    series: dict[str, list[Shape | None]] = {}
    for name, each in zip(called, pair, strict=True):
        outlines = [_outline(each, column) for column in rows.names]
        series[name] = [
            None if outline is None else _shape(outline, step)
            for outline, step in zip(outlines, rows.steps, strict=True)
        ]
    (mean, sd), (mean_2, sd_2) = ([rows.of(each, part) for part in _moments(each)] for each in pair)
    with np.errstate(invalid="ignore", divide="ignore"):
        shift, ratio = (mean - mean_2) / np.abs(sd_2), np.abs(sd / sd_2)
    return ridges(
        rows.labels,
        series,
        values=["\u2014" if np.isnan(a + b) else f"{a:+.2f}; {b:.2f}" for a, b in zip(shift, ratio, strict=True)],
        heading="shift of the mean in sds; ratio of sds",
        scale=rows.unit,
        most_rows=most_rows,
        name="overlay",
        title=f"{called[0]} and {called[1]}: two posteriors",
        description=f"Densities of {len(rows.names)} coefficients, {called[0]} over {called[1]}. At the right: mean "
        f"of the first less that of the second in its sds, and the ratio of the sds.",
    )


# --- densities ---------------------------------------------------------------------------------------------------


def _outline(source: Source, name: str) -> Outline | None:
    if name not in source.columns:
        return None
    j = source.columns.index(name)
    if isinstance(source, Draws):
        return posterior_outline(source.rung, j)
    sd = float(source.posterior.sd[j])
    return gaussian_outline(float(source.mode.beta[j]), sd) if np.isfinite(sd) and sd > 0.0 else None


def _moments(source: Source) -> tuple[Array, Array]:
    mean, sd = (source.mean, source.sd) if isinstance(source, Draws) else (source.params, source.bse)
    return np.asarray(mean, dtype=np.float64), np.asarray(sd, dtype=np.float64)


def _shape(outline: Outline, step: float) -> Shape:
    """A density in units of a step; a negative one turns it around."""
    x, height = outline.x * step, outline.density / abs(step)
    return Shape(x.tolist(), height.tolist()) if step > 0.0 else Shape(x[::-1].tolist(), height[::-1].tolist())


def _extent(outlines: Sequence[Outline | None], rows: _Rows) -> tuple[float, float]:
    """From the lowest to the highest end of all posteriors, and zero, with some room."""
    ends = [0.0]
    for outline, step in zip(outlines, rows.steps, strict=True):
        if outline is not None:
            ends += [float(outline.x[0] * step), float(outline.x[-1] * step)]
    room = 0.1 * (max(ends) - min(ends)) or 1.0
    return min(ends) - room, max(ends) + room


def _listed(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
