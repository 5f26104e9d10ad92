"""`sensitivity`: does the posterior rest on the prior, and do prior and data agree?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit import frames
from bayeslogit.boundary import guarded, guarded_methods
from bayeslogit.chart import Chart
from bayeslogit.charts_posteriors import sensitivities
from bayeslogit.design import Design
from bayeslogit.diagnostics import share_in_words
from bayeslogit.draws import Draws
from bayeslogit.errors import ArgumentError, FitError
from bayeslogit.estimates import Estimates
from bayeslogit.ladder import ChainPlan, sample_posterior
from bayeslogit.power_scaling import (
    CONFLICT,
    NONE,
    STRONG_PRIOR,
    THRESHOLD,
    PowerScaling,
    Sample,
    diagnosis,
    log_likelihood_at,
    log_prior_at,
    power_scaling,
    powered,
    scaled_terms,
    tempered,
)
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.results import Fit
from bayeslogit.solve import find_mode
from bayeslogit.table import Cell, Column, Table
from bayeslogit.target import LogPosterior

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


@guarded_methods
@dataclass(frozen=True, eq=False)
class Sensitivity:
    """How much each coefficient moves when the prior, or the likelihood, is made stronger; made by `sensitivity`.

    Attributes
    ----------
    table : Table
        One row a coefficient: both sensitivities, the diagnosis, the prior's share and its pull.
    by_prior, by_likelihood : PowerScaling
        The numbers as arrays, with k-hat and how they were had.
    draws : Draws
        The posterior they are of.
    alphas : tuple of float
        The powers.
    """

    table: Table
    by_prior: PowerScaling
    by_likelihood: PowerScaling
    draws: Draws
    alphas: tuple[float, float]

    @property
    def prior(self) -> pd.Series[float]:
        """Sensitivity to the prior: above 0.05 it is worth a look; NaN without a proper prior."""
        return frames.series(self.by_prior.value, self.draws.columns, "prior")

    @property
    def likelihood(self) -> pd.Series[float]:
        """Sensitivity to the likelihood: below 0.05 the data say little."""
        return frames.series(self.by_likelihood.value, self.draws.columns, "likelihood")

    @property
    def diagnosis(self) -> dict[str, str | None]:
        """Of each coefficient: a potential prior-data conflict, a potentially strong prior, or "none"."""
        return {
            str(term): None if words is None else str(words)
            for term, words in zip(self.table.column("term"), self.table.column("diagnosis"), strict=True)
        }

    def figure(self, *, labels: Mapping[str, str] | None = None, most_rows: int = 40) -> Chart:
        """Both sensitivities of every coefficient, with the threshold and the diagnosis.

        Parameters
        ----------
        labels : mapping of str to str, optional
            Column to words; those of the fit without.
        most_rows : int
            How many coefficients are drawn; the table of the chart has them all.
        """
        called = {**self.draws.labels, **(labels or {})}
        return sensitivities(
            [called.get(name, name) for name in self.draws.columns],
            self.by_prior.value.tolist(),
            self.by_likelihood.value.tolist(),
            [words or "\u2014" for words in self.diagnosis.values()],
            threshold=THRESHOLD,
            most_rows=most_rows,
        )

    def __str__(self) -> str:
        return str(self.table)

    def __repr__(self) -> str:
        found = [words for words in self.diagnosis.values() if words not in (None, NONE)]
        return f"<Sensitivity of {len(self.draws.columns)} coefficients; {len(found)} with a diagnosis>"

    def _repr_html_(self) -> str:
        return f"{self.figure().svg()}{self.table._repr_html_()}"


@guarded
def sensitivity(
    fit: Fit | Draws,
    *,
    alphas: tuple[float, float] = (0.99, 1.01),
    intercept: bool = False,
    rng: int | np.random.Generator = 0,
    nuts: bool = True,
) -> Sensitivity:
    """Power-scaling sensitivity of every coefficient to prior and likelihood, with the diagnosis.

    Parameters
    ----------
    fit : Fit or Draws
        The posterior of a fit is sampled with ``method="auto"``.
    alphas : tuple of float
        Powers below and above 1 to which the prior, and the likelihood, are raised. Scales that were worked out from
        the data stay as they are.
    intercept : bool
        Whether the prior of the intercept is scaled too.
    rng : int or Generator
    nuts : bool
        Whether NUTS may be run where nothing faster certifies.

    Returns
    -------
    Sensitivity
        By Pareto-smoothed reweighting of the draws where k-hat allows it, else by refits.

    Raises
    ------
    ArgumentError
        If the powers do not lie below and above 1.
    FitError
        If there is no posterior, or a loaded fit holds no data.

    References
    ----------
    Kallioinen, Paananen, Bürkner and Vehtari (2024), Detecting and diagnosing prior and likelihood sensitivity with
    power-scaling, Statistics and Computing 34:57.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> wells = bl.datasets.load("wells")
    >>> fit = bl.fit("switch ~ arsenic + dist100", wells, prior=bl.Normal(2.5))
    >>> set(bl.sensitivity(fit).diagnosis.values())
    {'none'}
    """
    _check_alphas(alphas)
    if not isinstance(fit, Fit | Draws):
        raise ArgumentError(f"sensitivity({type(fit).__name__}): a fit is needed, as bayeslogit.fit returns it.")
    root = np.random.default_rng(rng)
    draws = fit if isinstance(fit, Draws) else fit.sample(rng=root, nuts=nuts)
    design, prior = draws.data("sensitivity()"), draws.fit.prior
    # The distance is measured against the range of the sample, so that its threshold is one for draws of the posterior:
    # the weighted points of importance sampling reach further out.
    base = Sample.of_draws(draws.values)
    terms = scaled_terms(prior, intercept, design.has_intercept)

    def sample(design: Design, prior: ResolvedPrior) -> Sample:
        target = LogPosterior.of(design, prior)
        mode = find_mode(target)
        rung, _ = sample_posterior(target, mode, "auto", draws.n, root, ChainPlan(allowed=nuts))
        if rung.level == "failed":
            raise FitError(f"The refit did not certify: {'; '.join(rung.reasons)}.")
        return Sample.of_draws(rung.values)

    if terms or prior.whole:
        density = log_prior_at(design, prior, terms, base.points)
        by_prior = power_scaling(base, density, alphas, lambda a: sample(design, powered(prior, terms, a)))
    else:
        by_prior = PowerScaling(np.full(len(draws.columns), np.nan), math.nan, "", "there is no proper prior to scale")
    density = log_likelihood_at(design, base.points)
    by_likelihood = power_scaling(base, density, alphas, lambda a: sample(tempered(design, a), prior))
    return Sensitivity(
        _table(draws, by_prior, by_likelihood, alphas, intercept), by_prior, by_likelihood, draws, alphas
    )


def _check_alphas(alphas: Any) -> None:
    try:
        low, high = map(float, alphas)
    except (TypeError, ValueError):
        low = high = math.nan
    if not 0.0 < low < 1.0 < high < math.inf:
        raise ArgumentError(f"sensitivity(alphas={alphas!r}): two powers are needed, one below 1 and one above.")


def _table(
    draws: Draws, prior: PowerScaling, likelihood: PowerScaling, alphas: tuple[float, float], intercept: bool
) -> Table:
    fit = draws.fit
    labels, share = fit.prior.labels(), fit.prior_share.to_numpy()
    pulls = fit.prior_pull.to_numpy() if not fit.prior.gaussian.all() else np.full(len(draws.columns), np.nan)
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            labels[j],
            float(prior.value[j]),
            float(likelihood.value[j]),
            diagnosis(float(prior.value[j]), float(likelihood.value[j])),
            float(share[j]),
            share_in_words(float(share[j])),
            float(pulls[j]),
        )
        for j, name in enumerate(draws.columns)
    ]
    return Table(
        name="sensitivity",
        title="Sensitivity to prior and likelihood",
        columns=(
            Column("term", "term"),
            Column("prior", "prior"),
            Column("by_prior", "sensitivity to the prior", "number"),
            Column("by_likelihood", "to the likelihood", "number"),
            Column("diagnosis", "diagnosis"),
            Column("prior_share", "prior's share of the precision", "percent"),
            Column("led_by", "led by"),
            Column("pull", "pull of the prior in sd", "number"),
        ),
        rows=tuple(rows),
        header=(
            f"Power-scaling by {alphas[0]:g} and {alphas[1]:g}: distance between posteriors for a doubling of the "
            f"power; {THRESHOLD:g} and more is worth a look."
            + ("" if intercept else " The prior of the intercept is left as it is."),
            f"Prior: by {_how(prior)}. Likelihood: by {_how(likelihood)}.",
        ),
        notes=_notes(fit, rows),
    )


def _how(found: PowerScaling) -> str:
    if found.note:
        return f"{found.by or 'nothing'}: {found.note}"
    return f"{found.by} (k-hat {found.khat:.2f})" if math.isfinite(found.khat) else f"{found.by} (weights nearly flat)"


def _notes(fit: Estimates, rows: list[tuple[Cell, ...]]) -> tuple[str, ...]:
    seen = {row[4] for row in rows}
    notes = []
    if CONFLICT in seen:
        notes.append(
            f"{CONFLICT}: prior and likelihood pull to different places, and either moves the posterior. Look at "
            "whether the prior's location and scale are meant, in the unit of the column."
        )
    if STRONG_PRIOR in seen:
        notes.append(
            f"{STRONG_PRIOR}: the posterior follows the prior more than the data. That is right if the prior is meant "
            "to carry information, and a reason to widen it if not."
        )
    if fit.facts.fractional_weights:
        notes.append("Weighted: some weights are not whole numbers, so that the likelihood is tempered already.")
    return tuple(notes)
