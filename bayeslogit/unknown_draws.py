"""Draws under a prior with unknown scales: those of the coefficients, with those of the scales beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit import frames, quantities
from bayeslogit.draws import Draws
from bayeslogit.posterior.scale_blocks import BLOCKS
from bayeslogit.posterior.scale_given import open_terms
from bayeslogit.posterior.scale_grid import ScaleDensity
from bayeslogit.posterior.scale_nuts import ScaleDraws
from bayeslogit.posterior_table import PosteriorColumns, posterior_table
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.summary import percent
from bayeslogit.table import Column, Table

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HyperDraws:
    """The posterior of the unknown scales of a prior.

    Attributes
    ----------
    names : tuple of str
        "tau" (or "tau[C(county)]" where several terms have one), "lambda[x]", "slab"; log-odds, but lambda a factor.
    values : array, shape (n, m)
        Row by row beside `Draws.values`.
    degrees : array, shape (m,)
        Moments below these exist; that of a lambda with a half-Cauchy density is 1, so that it has no mean.
    scales : ScaleDraws
    density : ScaleDensity or None
        Where tau was integrated over a grid: its posterior density.
    """

    names: tuple[str, ...]
    values: Array
    degrees: Array
    scales: ScaleDraws
    density: ScaleDensity | None

    @cached_property
    def mean(self) -> pd.Series[float]:
        """NaN where there is none."""
        return frames.series(self._moments[0], self.names, "mean")

    @cached_property
    def sd(self) -> pd.Series[float]:
        """NaN where there is none."""
        return frames.series(self._moments[1], self.names, "sd")

    @cached_property
    def mcse(self) -> pd.Series[float]:
        """Monte-Carlo standard errors of the means."""
        return frames.series(self._moments[2], self.names, "mcse")

    @cached_property
    def _moments(self) -> tuple[Array, Array, Array]:
        if self.density is not None:
            mean, sd, error = (np.array([each]) for each in self.density.moments())
        else:
            assert self.scales.chains is not None
            found = self.scales.chains.moments()
            mean, sd, error = found.mean, found.sd, found.mean_mcse
        has_mean, has_sd = self.degrees > 1.0, self.degrees > 2.0
        nan = np.nan
        return np.where(has_mean, mean, nan), np.where(has_sd, sd, nan), np.where(has_sd, error, nan)

    def quantile(self, probs: float | list[float]) -> Any:
        """A Series for one probability, a DataFrame with a column for each of several."""
        wanted = np.atleast_1d(np.asarray(probs, dtype=np.float64))
        if self.density is not None:
            found = self.density.quantile(wanted)[:, None]
        else:
            found = np.quantile(self.values, wanted, axis=0)
        if np.ndim(probs) == 0:
            return frames.series(found[0], self.names, f"{percent(float(wanted[0]))} quantile")
        return frames.matrix(found.T, self.names, list(wanted))

    @cached_property
    def r_hat(self) -> pd.Series[float]:
        """Of chains; NaN for independent draws."""
        chains = self.scales.chains
        return frames.series(
            np.full(len(self.names), np.nan) if chains is None else chains.r_hat(), self.names, "r_hat"
        )

    @cached_property
    def ess(self) -> pd.Series[float]:
        """Effective number of independent draws of chains; NaN for a grid, which has no draws of tau to count."""
        chains = self.scales.chains
        return frames.series(np.full(len(self.names), np.nan) if chains is None else chains.ess(), self.names, "ess")

    def table(self, prob: float = 0.95) -> Table:
        """One row a scale."""
        ends = self.quantile(quantities.tails(prob)).to_numpy()
        numbers = np.column_stack([ends[:, 0], self._moments[0], self._moments[1], ends[:, 1], ends[:, 2]])
        more = np.column_stack([self._moments[2], self.r_hat.to_numpy(), self.ess.to_numpy()])
        rows = [
            (name, *(None if np.isnan(one) else float(one) for one in row))
            for name, row in zip(self.names, np.column_stack([numbers, more]), strict=True)
        ]
        width = percent(prob)
        how = "chains of NUTS" if self.density is None else f"integrated over {self.density.nodes.size} values"
        return Table(
            name="scales",
            title="Unknown scales of the prior (posterior)",
            columns=(
                Column("scale", "scale"),
                Column("median", "median", "number"),
                Column("mean", "mean", "number"),
                Column("sd", "sd", "number"),
                Column("lower", f"{width} lower", "number"),
                Column("upper", f"{width} upper", "number"),
                Column("mcse", "Monte-Carlo error of the mean", "number"),
                Column("r_hat", "R-hat", "number"),
                Column("ess", "effective draws", "number"),
            ),
            rows=tuple(rows),
            header=(f"Equal-tailed {width} intervals; {how}.",),
            notes=("A dash for mean or sd: the density of that scale falls too slowly for it to exist.",)
            * bool(np.any(self.degrees <= 2.0)),
        )

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


@dataclass(frozen=True, eq=False)
class UnknownDraws(Draws):
    """The posterior under a prior with unknown scales; `bayeslogit.sample` makes it.

    All that `Draws` has. ``fit`` is the mode with the scales at their posterior medians: there is no other.

    Attributes
    ----------
    prior : ResolvedPrior
        With its unknown scales.
    hyper : HyperDraws
    """

    prior: ResolvedPrior = field(kw_only=True)
    hyper: HyperDraws = field(kw_only=True)

    def summary(self, prob: float = 0.95) -> Table:
        """The coefficient table: posterior median, sd, interval, P(direction), and the mode at known scales."""
        return posterior_table(
            self._columns(prob),
            prob=prob,
            header=(
                f"Prior: {self.prior.name} (chosen).",
                f"Log-odds per unit of each column: posterior median, sd and equal-tailed {percent(prob)} interval, "
                f"the scales integrated out. Rung: {self._rung}.",
                f"Verdict: {self.verdict.level}. {self.n:,} draws{self._evidence}.",
                *self._scale_lines(prob),
            ),
            notes=(
                *self.verdict.reasons,
                *self.rung.notes,
                "The mode is that with the scales at their posterior medians; with the coefficients they have none.",
                *self.fit.notes,
            ),
            reference_levels=self.fit.spec.reference_levels,
        )

    def _columns(self, prob: float) -> PosteriorColumns:
        return replace(super()._columns(prob), prior=self.prior.labels())

    def _scale_lines(self, prob: float) -> tuple[str, ...]:
        """The scales of whole terms, in a line."""
        table = self.hyper.quantile(quantities.tails(prob))
        shown = [
            f"{name} {row[0]:.3g} ({row[1]:.3g} to {row[2]:.3g})"
            for name, row in zip(self.hyper.names, table.to_numpy(), strict=True)
            if not name.startswith("lambda")
        ]
        return (f"Scales, posterior median ({percent(prob)} interval): {'; '.join(shown)}.",)

    # --- shrinkage ---------------------------------------------------------------------------------------------------

    @cached_property
    def kappa(self) -> Array:
        """Shrinkage factor of each coefficient with an unknown scale in each draw, shape (n, m).

        ``1 / (1 + n m (1 - m) sd_j^2 s_j^2)`` with m the share of events, sd_j that of the column and s_j the prior sd
        of its coefficient: 0 leaves a coefficient to the data, 1 holds it at zero (Piironen and Vehtari 2017,
        section 2.3, with their pseudo-variance).
        """
        design = self.data("kappa")
        share = design.n_events / design.nobs
        index = [j for term, _ in self._open for j in term.columns]
        information = design.nobs * share * (1.0 - share) * np.square(design.column_sds[index])
        result: Array = 1.0 / (1.0 + information * np.square(self.prior_sds))
        return result

    @property
    def _open(self) -> list[tuple[PriorTerm, int]]:
        return [(term, number) for number, term in enumerate(open_terms(self.prior))]

    @cached_property
    def prior_sds(self) -> Array:
        """Prior sd of each coefficient with an unknown scale in each draw of the scales, shape (n, m)."""
        parts = []
        for term, number in self._open:
            own = [k for k, belongs in enumerate(self.hyper.scales.term) if belongs == number]
            h = np.log(self.hyper.values[:, own])
            h = h * np.where([self.hyper.scales.names[k] == "slab" for k in own], 2.0, 1.0)
            parts.append(np.exp(BLOCKS[term.family](term).log_sds(h)))
        return np.column_stack(parts)

    def effective_nonzero(self, prob: float = 0.95) -> pd.Series[float]:
        """Effective number of coefficients that are not held at zero, ``sum (1 - kappa_j)``, with its interval."""
        count = np.sum(1.0 - self.kappa, axis=1)
        ends = np.quantile(count, quantities.tails(prob))
        values = np.array([count.mean(), count.std(ddof=1), *ends])
        return frames.series(values, ("mean", "sd", "median", "lower", "upper"), "effective number of non-zero")

    def shrinkage(self, prob: float = 0.95) -> Table:
        """How far each coefficient with an unknown scale is held at zero."""
        index = [j for term, _ in self._open for j in term.columns]
        median, lower, upper = np.quantile(self.kappa, quantities.tails(prob), axis=0)
        numbers = np.column_stack([self.kappa.mean(axis=0), median, lower, upper])
        found, width = self.effective_nonzero(prob), percent(prob)
        return Table(
            name="shrinkage",
            title="Shrinkage of the coefficients with unknown scales",
            columns=(
                Column("term", "term"),
                Column("kappa", "kappa (mean)", "number"),
                Column("median", "median", "number"),
                Column("lower", f"{width} lower", "number"),
                Column("upper", f"{width} upper", "number"),
            ),
            rows=tuple((self._names[j], *map(float, row)) for j, row in zip(index, numbers, strict=True)),
            header=(
                "kappa is 0 where a coefficient is left to the data, 1 where it is held at zero.",
                f"Effective number of non-zero coefficients: {found['mean']:.2f} of {len(index)} "
                f"({width}: {found['lower']:.2f} to {found['upper']:.2f}).",
            ),
        )

    def __repr__(self) -> str:
        return (
            f"<Draws: {self.n:,} of {len(self.columns)} coefficients and their scales; {self.method}; "
            f"{self.verdict.level}>"
        )


def hyper_of(
    prior: ResolvedPrior,
    terms: Mapping[str, tuple[int, ...]],
    scales: ScaleDraws,
    density: ScaleDensity | None,
    *,
    separated: bool,
) -> HyperDraws:
    """Names on the scales.

    Parameters
    ----------
    terms : dict of str to tuple of int
        The terms of the design and their columns.
    separated : bool
        Whether the columns with unknown scales could separate the outcome: else the likelihood makes a tau that is
        shared by all of them fall faster than its prior does.
    """
    own = open_terms(prior)
    keys = [next((key for key, columns in terms.items() if tuple(columns) == term.columns), "") for term in own]
    keys = [key or ", ".join(prior.columns[j] for j in term.columns[:3]) for key, term in zip(keys, own, strict=True)]
    names = []
    for name, term, column in zip(scales.names, scales.term, scales.column, strict=True):
        inside = prior.columns[column] if column >= 0 else keys[term] if len(own) > 1 else ""
        names.append(f"{name}[{inside}]" if inside else name)
    blocks = [BLOCKS[term.family](term) for term in own]
    degrees = [
        blocks[term].degrees(name) + (0 if separated or blocks[term].size > 1 else len(own[term].columns))
        for name, term in zip(scales.names, scales.term, strict=True)
    ]
    return HyperDraws(tuple(names), scales.values, np.array(degrees), scales, density)
