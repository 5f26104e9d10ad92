"""What a comparison knows of each fit: its posterior, its log evidence, its leave-one-out scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit._compare import Evidence, evidence_of, offsets, same_prior
from bayeslogit._priors import Prior, priors
from bayeslogit.comparison_rows import separate_units
from bayeslogit.comparison_tables import Entry, Scores
from bayeslogit.comparison_words import Asked
from bayeslogit.criteria import IMPROPER
from bayeslogit.criteria_loo import leave_one_out
from bayeslogit.design import Design
from bayeslogit.draws import Draws
from bayeslogit.errors import ArgumentError, FitError
from bayeslogit.estimates import Estimates
from bayeslogit.held import HELD, held_by_prior
from bayeslogit.posterior.laplace import LaplacePosterior
from bayeslogit.quantities import tails
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.results import Fit
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Contender:
    """A fit in a comparison.

    Attributes
    ----------
    name : str
    fit : Estimates
        With the intercept's prior that was asked for.
    design : Design
    draws : Draws or None
        Its posterior, if there is one.
    reason : str
        Why there is none.
    """

    name: str
    fit: Estimates
    design: Design
    draws: Draws | None
    reason: str = ""

    def entry(self, prob: float, rng: np.random.Generator) -> Entry:
        """Its numbers."""
        fit, draws = self.fit, self.draws
        about = self.name, fit.prior.name, fit.columns
        if draws is None:
            lost = np.full(len(fit.columns), np.nan)
            evidence, scores = Evidence.none(self.reason), Scores.none(self.reason)
            return Entry(*about, lost, lost, lost, lost, evidence, scores, np.nan, "", "no posterior", self.reason)
        median, lower, upper = draws.rung.quantile(tails(prob))
        sd = np.where(draws.existence.sd, draws.rung.sd, np.nan)
        level = draws.verdict.level
        evidence = evidence_of(draws.method, level, draws.log_evidence, draws.log_evidence_se, fit.prior)
        scores = scores_of(fit, self.design, rng)
        effective = fit.effective_parameters
        flat = flat_in_words(fit.columns, fit.prior.flat)
        return Entry(*about, median, sd, lower, upper, evidence, scores, effective, draws.method, level, flat=flat)


def flat_in_words(columns: tuple[str, ...], flat: NDArray[np.bool_]) -> str:
    """Which columns have no proper prior, so that a log evidence is per unit of each; empty without any."""
    names = [name for name, free in zip(columns, flat, strict=True) if free]
    if len(names) > 1 and len(names) == len(columns):
        return f"all {len(names):,} columns"
    return ", ".join(names[:2]) + (f" and {len(names) - 2:,} more" if len(names) > 2 else "")


def contenders(fits: Any, intercept: Prior | None, rng: np.random.Generator, nuts: bool) -> list[Contender]:
    """The fits with their posteriors.

    Raises
    ------
    ArgumentError
        If there are fewer than two, or one of them is none.
    FitError
        If one was loaded from a file.
    """
    if not isinstance(fits, Mapping) or len(fits) < 2:
        raise ArgumentError("compare(...): give at least two fits by name, such as {'flat': f0, 'normal': f1}.")
    return [
        _contender(name, value, intercept, each, nuts)
        for (name, value), each in zip(fits.items(), rng.spawn(len(fits)), strict=True)
    ]


def _contender(name: Any, value: Any, intercept: Prior | None, rng: np.random.Generator, nuts: bool) -> Contender:
    if not isinstance(name, str) or not name:
        raise ArgumentError(f"compare({{{name!r}: ...}}): the name of a fit is text.")
    if not isinstance(value, Fit | Draws):
        raise ArgumentError(
            f"compare({{{name!r}: {type(value).__name__}}}): a fit is needed, as bayeslogit.fit returns it, or its "
            "draws."
        )
    fit = value.fit if isinstance(value, Draws) else value
    design = fit.design
    if design is None:
        raise FitError(f"compare(): {name!r} was loaded from a file that does not hold the data. Fit it again.")
    if intercept is not None:
        fit = with_intercept(fit, design, intercept)
    elif isinstance(value, Draws):
        return Contender(name, fit, design, value)
    if not isinstance(fit, Fit):
        raise ArgumentError(f"compare({{{name!r}: ...}}): these draws belong to no fit that could be sampled again.")
    try:
        return Contender(name, fit, design, fit.sample(method="auto", rng=rng, nuts=nuts))
    except FitError as error:
        return Contender(name, fit, design, None, str(error))


@dataclass(frozen=True)
class _Resolved(Prior):
    """A prior that has met its design already."""

    record: ResolvedPrior

    def resolve(self, design: Any) -> ResolvedPrior:
        return self.record


def with_intercept(fit: Estimates, design: Design, intercept: Prior) -> Estimates:
    """The same model fitted again with another prior on its intercept.

    Raises
    ------
    ArgumentError
        If that prior is flat.
    PriorError
        If the design has no intercept, or its prior is joint with that of others.
    """
    resolved = priors(default=_Resolved(fit.prior), intercept=intercept).resolve(design)
    if resolved.flat[0]:
        raise ArgumentError(
            f"compare(intercept={intercept!r}): a proper prior is needed, such as bayeslogit.Normal(5)."
        )
    target = LogPosterior.of(design, resolved)
    mode = find_mode(target)
    held = held_by_prior(design, target, mode) if mode.converged else ()
    posterior, notes = LaplacePosterior.at(mode), (*mode.notes, *design.notes, *held, *resolved.notes)
    return replace(fit, mode=mode, posterior=posterior, prior=resolved, prior_is_default=False, notes=notes)


def scores_of(fit: Estimates, design: Design, rng: np.random.Generator) -> Scores:
    """Leave-one-out scores of one copy of each observation; none with the reason where there are none."""
    units = separate_units(design)
    try:
        found = leave_one_out(units.design, fit.prior, fit.mode, kind="posterior", rng=rng)
    except FitError as error:
        return Scores.none(str(error))
    if not np.isfinite(found.elpd):
        improper = " Without it the posterior is improper." if np.any(found.flags == IMPROPER) else ""
        return Scores.none(f"Some observation has no finite log score.{improper}")
    doubtful = int(np.count_nonzero(found.flags[units.used] != ""))
    return Scores(found.elpd, found.se, found.p, found.elpd_i[units.used] / units.copies, doubtful)


# --- what they differ in ---------------------------------------------------------------------------------------------


def asked_of(given: Sequence[Contender], apart: Sequence[str], interval: str) -> Asked:
    """Whether they differ in their priors alone, which are one prior under two names, and what separation makes of it.

    Parameters
    ----------
    apart : sequence of str
        Columns whose values differ between designs.
    """
    what = "prior" if all(_same_columns(given[0], each, apart) for each in given[1:]) else "model"
    return Asked(what, interval, tuple(_twins(given, apart)), _separated(given))


def _same_columns(a: Contender, b: Contender, apart: Sequence[str]) -> bool:
    """Whether two fits differ in their priors alone."""
    if a.design is b.design:
        return True
    return a.design.columns == b.design.columns and not apart and np.array_equal(offsets(a.design), offsets(b.design))


def _twins(given: Sequence[Contender], apart: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Names of fits of one design whose priors are the same numbers."""
    left = list(given)
    while left:
        first, *left = left
        same = [
            each
            for each in left
            if _same_columns(first, each, apart)
            and same_prior((first.design, each.design), (first.fit.prior, each.fit.prior))
        ]
        left = [each for each in left if each not in same]
        if same:
            yield (first.name, *(each.name for each in same))


def _separated(given: Sequence[Contender]) -> str:
    """What is finite only because of the prior, as the fits say it; empty where nothing is."""
    found: dict[str, list[str]] = {}
    for each in given:
        for note in each.fit.notes:
            if HELD in note:
                found.setdefault(note, []).append(each.name)
    return " ".join(
        note if len(names) == len(given) else f"{', '.join(names)}: {note[:1].lower()}{note[1:]}"
        for note, names in found.items()
    )
