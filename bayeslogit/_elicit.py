"""From odds ratios that a user holds likely to a prior scale, and from a prior back to odds ratios."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeslogit._priors import Cauchy, Laplace, Normal, Prior, StudentT, priors
from bayeslogit.boundary import guarded, guarded_methods, short
from bayeslogit.chart import Chart
from bayeslogit.design import Design
from bayeslogit.elicited_chart import elicited_chart
from bayeslogit.errors import ArgumentError
from bayeslogit.logistic import expit
from bayeslogit.predict import check_prob
from bayeslogit.presets import as_prior
from bayeslogit.prior_widths import HALF_WIDTHS, INFORMATIONS, half_width
from bayeslogit.table import Cell, Column, Table

_FAMILIES = ("normal", "laplace", "student_t", "cauchy")
_ONE = np.ones(1)


@guarded_methods
@dataclass(frozen=True)
class Elicited:
    """A prior from a range of odds ratios; made by `elicit`.

    `bayeslogit.implied` shows it with all columns of a design, and `bayeslogit.plot.prior_predictive` what it expects
    of the rows.

    Attributes
    ----------
    scale, mean : float
        Of the family, log-odds per unit of the column; per sd if that is what was asked.
    prior : Prior
        Ready for ``fit(..., prior=)``; on the columns named, or on every slope.
    scales : mapping of str to float
        Scale of each column named or, per sd, of every slope: log-odds per unit.
    family : str
    odds_ratio : tuple of float
    prob : float
    per : str
        In words.
    df : float
        Degrees of freedom of a Student-t prior; NaN for other families.
    """

    scale: float
    mean: float
    prior: Prior
    scales: Mapping[str, float]
    family: str
    odds_ratio: tuple[float, float]
    prob: float
    per: str
    df: float = math.nan

    def __float__(self) -> float:
        return self.scale

    def table(self) -> Table:
        rows: list[tuple[Cell, ...]] = [(name, scale) for name, scale in self.scales.items()]
        low, high = self.odds_ratio
        tails = "" if math.isnan(self.df) else f", {self.df:g} degrees of freedom"
        # Odds ratios may be of ten units; scale and centre are then of one, as priors have them.
        unit = self.per if self.per.startswith("per sd") else "per unit"
        return Table(
            name="elicited",
            title=f"Prior from odds ratios: {self.family}{tails}",
            columns=(Column("term", "term"), Column("scale", "scale (log-odds per unit)", "number")),
            rows=tuple(rows) or (("every slope", self.scale),),
            header=(
                f"{100.0 * self.prob:g} % of the odds ratios {self.per} lie between {low:g} and {high:g}.",
                f"Centre {self.mean:.4g}, scale {self.scale:.4g}, log-odds {unit}.",
            ),
        )

    def figure(self) -> Chart:
        """The density of the odds ratio under this prior, with the range that was asked for."""
        low, high = (math.log(end) for end in self.odds_ratio)
        given = {"mean": 0.5 * (low + high)} | ({} if math.isnan(self.df) else {"df": self.df})
        unit = float(HALF_WIDTHS[self.family](self.prob, **{k: np.array([v]) for k, v in given.items()}, scale=_ONE)[0])
        given["scale"] = 0.5 * (high - low) / unit
        return elicited_chart(self.family, given, self.odds_ratio, self.prob, self.per)

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return f"{self.figure().svg()}{self.table()._repr_html_()}"


@guarded
def elicit(
    odds_ratio: float | tuple[float, float],
    prob: float = 0.95,
    per: float | str = 1.0,
    columns: str | Sequence[str] | None = None,
    *,
    family: str = "normal",
    df: float = 3.0,
    design: Design | None = None,
) -> Elicited:
    """The prior under which odds ratios lie in a range with some probability.

    Parameters
    ----------
    odds_ratio : float or tuple of two
        Lower and upper end, equal tails beyond; a single k stands for ``(1 / k, k)``.
    prob : float
        Probability of the range.
    per : float or "sd"
        The change of the column that the odds ratio is for: so many units, or one sd of the rows of ``design``.
    columns : str or sequence of str, optional
        The columns that get this prior; others stay flat. Without them every slope gets it.
    family : {"normal", "laplace", "student_t", "cauchy"}
    df : float
        Of "student_t".
    design : Design, optional
        Needed for ``per="sd"``.

    Returns
    -------
    Elicited
        ``.scale``, ``.prior``, ``.figure()``; ``float()`` gives the scale.

    Raises
    ------
    ArgumentError
        If the range, the family or the columns cannot be right.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> round(bl.elicit(odds_ratio=(0.25, 4), prob=0.95).scale, 4)
    0.7073
    >>> bl.elicit(odds_ratio=4, per=10).prior
    Normal(0.0707306)
    """
    low, high = _range(odds_ratio)
    prob = check_prob(prob)
    if family not in _FAMILIES:
        raise ArgumentError(f"elicit(family={family!r}): a scale can be had for {', '.join(_FAMILIES)}.")
    mean, half = 0.5 * (math.log(low) + math.log(high)), 0.5 * (math.log(high) - math.log(low))
    mean = 0.0 if abs(mean) < 1e-12 * half else mean  # from 0.1 to 10: rounding is no opinion
    given = {"mean": np.zeros(1), "scale": np.ones(1)} | ({"df": np.array([_df(df)])} if family == "student_t" else {})
    scale = half / float(HALF_WIDTHS[family](prob, **given)[0])
    names, tails = _names(columns), _df(df) if family == "student_t" else math.nan
    if isinstance(per, str):
        steps = _sds(per, names, design)
        chosen = {name: _prior(family, scale / sd, mean / sd, df) for name, sd in steps.items()}
        scales = {name: scale / sd for name, sd in steps.items()}
        words = "per sd of the column"
        return Elicited(scale, mean, priors(terms=chosen), scales, family, (low, high), prob, words, tails)
    if isinstance(per, bool) or not 0.0 < per < math.inf:
        raise ArgumentError(f"elicit(per={per!r}): give a positive number of units, or 'sd' with design=.")
    words = "per unit" if per == 1.0 else f"per {per:g} units"
    prior = _prior(family, scale / per, mean / per, df)
    whole = prior if names is None else priors(terms=dict.fromkeys(names, prior))
    scales = {} if names is None else dict.fromkeys(names, scale / per)
    return Elicited(scale / per, mean / per, whole, scales, family, (low, high), prob, words, tails)


def _names(columns: Any) -> list[str] | None:
    if columns is None or isinstance(columns, str):
        return None if columns is None else [columns]
    if isinstance(columns, bytes) or not np.iterable(columns) or not all(isinstance(each, str) for each in columns):
        raise ArgumentError(f"elicit(columns={short(columns)}): a column, or a list of columns, is needed.")
    return list(columns)


def _range(odds_ratio: Any) -> tuple[float, float]:
    try:
        one = np.ndim(odds_ratio) == 0
        low, high = (1.0 / float(odds_ratio), float(odds_ratio)) if one else (float(each) for each in odds_ratio)
    except (TypeError, ValueError, ArithmeticError):
        low, high = math.nan, math.nan
    if not 0.0 < low < high < math.inf:
        raise ArgumentError(
            f"elicit(odds_ratio={odds_ratio!r}): give the lower and the upper end, such as (0.25, 4), or one number "
            "above 1."
        )
    return low, high


def _df(df: float) -> float:
    if isinstance(df, bool) or not 0.0 < df < math.inf:
        raise ArgumentError(f"elicit(df={df!r}): degrees of freedom are a positive number.")
    return float(df)


def _prior(family: str, scale: float, mean: float, df: float) -> Prior:
    if family == "student_t":
        return StudentT(_df(df), scale, mean=mean)
    if family == "normal":
        return Normal(scale, mean=mean)
    return Laplace(scale, mean=mean) if family == "laplace" else Cauchy(scale, mean=mean)


def _sds(per: str, names: list[str] | None, design: Design | None) -> dict[str, float]:
    if per != "sd":
        raise ArgumentError(f"elicit(per={per!r}): give a positive number of units, or 'sd' with design=.")
    if design is None:
        raise ArgumentError("elicit(per='sd') needs design=, whose columns have sds.")
    slopes = list(design.columns[int(design.has_intercept) :])
    unknown = [name for name in names or [] if name not in slopes]
    if unknown:
        raise ArgumentError(
            f"elicit(columns=...): no slopes {', '.join(unknown[:8])}; there are {', '.join(slopes[:8])}."
        )
    sds = dict(zip(design.columns, design.column_sds, strict=True))
    constant = [name for name in names or slopes if sds[name] == 0.0]
    if constant:
        raise ArgumentError(f"elicit(per='sd'): the columns {', '.join(constant[:8])} are constant and have no sd.")
    return {name: float(sds[name]) for name in names or slopes}


@guarded
def implied(prior: Prior | str | None, design: Design, prob: float = 0.95) -> Table:
    """What a prior says before the data: odds ratios per unit and per sd, probabilities, and its worth in observations.

    Columns: the central range of the odds ratio per unit and per sd of each column; the range of the probability of
    an event after one sd more, from even odds (for the intercept the range of the probability itself); and the prior
    effective sample size.

    The last is the number of observations of this design that would tell as much of the coefficient, the other slopes
    held: the information of the prior, ``E[(d log f / d b)^2]``, over that of one observation, ``r (1 - r) var(x)``, r
    the event rate (curvature matching, Morita, Thall and Mueller 2008; the information of a prior that is not normal is
    averaged over it, as in Neuenschwander, Weber, Schmidli and O'Hagan 2020).

    For a ``C`` or a ``lambda`` of another system give the prior that `bayeslogit.convert` makes of it (see the
    example). `bayeslogit.plot.prior_predictive` draws which event rates and probabilities a prior expects.

    Parameters
    ----------
    prior : Prior, str or None
    design : Design
    prob : float
        Probability of each range.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> design = bl.Design.from_formula("switch ~ dist100 + arsenic", bl.datasets.load("wells"))
    >>> table = bl.implied(bl.convert(source="sklearn", C=1, to="bayeslogit", design=design).prior, design)
    >>> round(table.column("or_sd_upper")[1], 2)  # an sd of dist100 is 38 m
    2.13
    """
    prob = check_prob(prob)
    resolved = as_prior(prior).resolve(design)
    sds, labels = design.column_sds, resolved.labels()
    rate = (design.n_events + 0.5) / (design.nobs + 1.0)
    shrink = (design.nobs - 1.0) / design.nobs
    rows: list[tuple[Cell, ...]] = [(name, labels[j], *[None] * 7) for j, name in enumerate(design.columns)]
    for term in resolved.terms:
        if not term.proper:
            continue
        center = np.broadcast_to(np.asarray(term.parameters.get("mean", 0.0)), (len(term.columns),))
        half, information = half_width(term.family, term.parameters, prob), INFORMATIONS[term.family](**term.parameters)
        for k, j in enumerate(term.columns):
            low, high = float(center[k] - half[k]), float(center[k] + half[k])
            first = design.has_intercept and j == 0
            sd = 1.0 if first else float(sds[j])
            one = rate * (1.0 - rate) * (1.0 if first else sd**2 * shrink)
            per_sd = (None, None) if first else (_exp(low * sd), _exp(high * sd))
            chance = (float(expit(np.array(low * sd))), float(expit(np.array(high * sd))))
            worth = float(information[k]) / one if one > 0.0 else None
            rows[j] = (design.columns[j], labels[j], _exp(low), _exp(high), *per_sd, *chance, worth)
    percent = f"{100.0 * prob:g} %"
    return Table(
        name="implied",
        title=f"What the prior says: {resolved.name}",
        columns=(
            Column("term", "term"),
            Column("prior", "prior (log-odds per unit)"),
            Column("or_lower", "OR per unit, from", "ratio"),
            Column("or_upper", "to", "ratio"),
            Column("or_sd_lower", "OR per sd, from", "ratio"),
            Column("or_sd_upper", "to", "ratio"),
            Column("p_lower", "P, from", "percent"),
            Column("p_upper", "to", "percent"),
            Column("effective_n", "worth in observations", "number"),
        ),
        rows=tuple(rows),
        header=(f"Central {percent} ranges before the data; P after one sd more, from even odds.",),
        notes=(
            "Worth: observations of this design that would tell as much of the coefficient, the others held "
            "(Morita, Thall and Mueller 2008).",
            *(
                ["The row of the intercept speaks of the odds and of P where its prior is stated."]
                if design.has_intercept and not resolved.flat[0]
                else []
            ),
            *resolved.notes,
        ),
    )


def _exp(log_odds: float) -> float:
    """Infinity where it overflows: a prior can be that wide."""
    return math.exp(log_odds) if log_odds < 700.0 else math.inf
