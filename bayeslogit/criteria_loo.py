"""Leave-one-out: the entry that chooses between the mode and the posterior."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.criteria import FLAG, IMPROPER, KINDS, LooResult, Sites, SiteScores
from bayeslogit.criteria_cavity import CavityScores, cavity_scores
from bayeslogit.criteria_draws import draws_scores
from bayeslogit.criteria_gaussians import gaussians_without
from bayeslogit.criteria_modes import mode_scores
from bayeslogit.criteria_pairs import Drawn, drawn_scores
from bayeslogit.criteria_rows import Field
from bayeslogit.criteria_without import TOL, posterior_without
from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError, FitError
from bayeslogit.mode import Mode
from bayeslogit.posterior.importance import sample_importance
from bayeslogit.posterior.variational import Gaussian
from bayeslogit.propriety import existence
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.sources.memory import MemorySource
from bayeslogit.sources.spread import Spread
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
# Monte-Carlo error of all refits together, and of one at the finest and at the coarsest, nats.
_ERROR, _FINEST, _COARSEST = 0.009, 0.0005, 0.004
# Expected error that may be left in the cavities of all sites, nats; and the Monte-Carlo error of what pairs make of
# those that are not fitted again, and how many times that is accepted before more sites are fitted again.
_LEFT, _SHARED, _ACCEPTED = 0.015, 0.008, 1.6
# Share of the information of its own row beyond which a site is fitted again even if the shared pairs seem to do.
_LEVERAGE = 0.4
# Multiplications and additions that all refits may take, and the refits that are always allowed.
_MOST_PRODUCTS = 3e10
_LEAST_REFITS = 20
# Sites of low scores without which the posterior is asked whether it is one.
_LOOKED_AT = 5
# Rows named in a note, and the error to expect from which on it is told, nats.
_NAMED, _TOLD = 5, 0.025


def leave_one_out(
    design: Design,
    prior: ResolvedPrior,
    mode: Mode,
    *,
    kind: str = "posterior",
    unit: str = "observation",
    refits: int | None = None,
    rng: int | np.random.Generator = 0,
    draws: tuple[Array, Array] | None = None,
    near: Gaussian | None = None,
    error: float = _SHARED,
) -> LooResult:
    """How well each observation is predicted by all others, the prior held fixed.

    Parameters
    ----------
    design : Design
    prior : ResolvedPrior
    mode : Mode
        Of ``LogPosterior.of(design, prior)``.
    kind : {"posterior", "mode"}
        The Bayesian ``sum log E[p(y_i | beta) | the others]``, from the cavities of the nearest Gaussian, corrected for
        skewness (`criteria_cavity`); or the plug-in ``sum log p(y_i | mode without it)`` by ALO (`criteria_modes`).
    unit : {"observation", "row"}
        One Bernoulli copy, or a whole row with its weight and trials.
    refits : int, optional
        Most sites whose model is fitted again without them, those of highest leverage first; 0 for one pass over the
        data and no more. Without it, as many as the accuracy asks for, 0.05 nats in all, and a few seconds allow.
    rng : int or Generator
        For refits of the posterior that need importance sampling.
    draws : tuple of arrays, shapes (S, p) and (S,), optional
        Points of the posterior and their log weights: the numbers come from these by Pareto-smoothed importance
        sampling (`criteria_draws`) instead of from a Gaussian. Under Jeffreys' prior, which has no nearest Gaussian,
        they are drawn here.
    near : Gaussian, optional
        `LooResult.gaussian` under a neighbouring prior, to begin with.
    error : float
        Monte-Carlo error to aim at where all sites are drawn together, nats.

    Returns
    -------
    LooResult

    Raises
    ------
    FitError
        If there is no mode, or the posterior is improper.
    """
    if kind not in KINDS:
        raise ArgumentError(
            f"kind={kind!r}: leave-one-out is of the 'posterior' (averaged over it) or of the 'mode' (plugged in)."
        )
    if refits is not None and (isinstance(refits, bool) or refits < 0):
        raise ArgumentError(f"refits={refits!r}: the most refits is a whole number, 0 or more.")
    if draws is not None and kind == "mode":
        raise ArgumentError("draws= belong to kind='posterior': a mode has none.")
    sites = Sites.of(design, unit)
    if kind == "posterior":
        exists = existence(design, prior, finite_mode=mode.converged)
        if not exists.proper:
            raise FitError(f"There is nothing to predict from: {' '.join(exists.reasons)}")
        if draws is None and prior.whole == "jeffreys":
            rung = sample_importance(LogPosterior.of(design, prior), mode, rng=rng)
            draws = rung.points, rung.log_weights
    if draws is not None:
        found, gaussian = draws_scores(design, sites, *draws), None
    else:
        field = Field.of(design, prior, mode)
        most = _affordable(field) if refits is None else int(refits)
        plain = field.ground.subspace is None
        if kind == "mode":
            found, gaussian = mode_scores(field, sites, mode, most), None
        else:
            found, cavities = _posterior(field, sites, mode, most, rng, near if plain else None, error)
            found, gaussian = _improper_left(found, cavities, design, prior, sites), cavities.gaussian
        gaussian = gaussian if plain else None
    found = _with_reason(found, sites)
    result = LooResult.of(sites, found, kind=kind, prior=prior.name, weighted=design.tally.fractional)
    return replace(result, gaussian=gaussian)


def _affordable(field: Field) -> int:
    """Refits that a few seconds allow: about eight passes each, and the cubic terms."""
    source, k = field.rows.source, field.theta.size
    if isinstance(source, Spread) and not source.fits:
        return 0  # each would be many passes over rows that are not in memory
    n = source.n_rows
    return max(_LEAST_REFITS, int(_MOST_PRODUCTS / (40.0 * n * k * k + 4.0 * min(float(n) * n * k, float(n) * k**3))))


def _posterior(
    field: Field,
    sites: Sites,
    mode: Mode,
    most: int,
    rng: int | np.random.Generator,
    near: Gaussian | None,
    error: float,
) -> tuple[SiteScores, CavityScores]:
    found = cavity_scores(field, sites, mode, quick=most == 0, near=near)
    generator, shared = np.random.default_rng(rng), None
    if most and (found.suspect.any() or float(sites.copies @ found.doubt) > _LEFT or len(sites) <= _LEAST_REFITS):
        shared = drawn_scores(field, sites, found.gaussian, found.scores, error, generator.spawn(1)[0])
    plan = _Plan.of_cavities(sites, found) if shared is None else _Plan.of_pairs(sites, found, shared, error)
    picked, rest = plan.order[: min(plan.wanted, most)], plan.order[min(plan.wanted, most) :]
    scores = (found.scores if shared is None else shared.scores).copy()
    flags, khat, notes = (
        np.zeros(len(sites), dtype=FLAG),
        np.full(len(sites), np.nan),
        list(found.notes if shared is None else ()),
    )
    left = plan.left(picked.size)
    variance = 0.0 if shared is None else left**2
    # Each has a like part of the whole error, so that of many copies is worked out more finely.
    enough = np.clip(_ERROR / math.sqrt(max(picked.size, 1)) / sites.copies[picked], _FINEST, _COARSEST)
    fitted = gaussians_without(field, sites, picked, found.gaussian, TOL) if picked.size else ()
    for i, each, near, fine in zip(picked, generator.spawn(picked.size), fitted, enough, strict=True):
        predicted = posterior_without(
            field, sites, int(i), mode, found.gaussian, each, float(fine), near, shared is None
        )
        flags[i] = predicted.flag
        if math.isnan(predicted.score):
            continue
        scores[i], khat[i] = predicted.score, predicted.khat
        variance += (float(sites.copies[i]) * predicted.mcse) ** 2
    flags[rest[plan.suspect[rest]]] = "high leverage, not fitted again"
    expected = math.sqrt(variance + (left**2 if shared is None else 0.0))
    if picked.size < plan.wanted:
        notes.append(
            f"{plan.wanted - picked.size:,} sites that ask for it were not fitted again (at most {most:,} refits): "
            f"expect an error of about {expected:.1g} nats."
        )
    elif expected > max(_TOLD, _ACCEPTED * error):
        notes.append(f"Expect an error of about {expected:.1g} nats in all.")
    return SiteScores(
        scores, found.within, flags, picked.size, tuple(notes), khat, math.sqrt(variance), expected
    ), found


@dataclass(frozen=True)
class _Plan:
    """Sites in the order in which they are fitted again, and how many have to be.

    Attributes
    ----------
    order : array of int, shape (m,)
        Those that may err by more than is expected first, then by the error to expect.
    suspect : array of bool, shape (m,)
    left : callable
        The error to expect of all sites from a place in the order on, nats.
    wanted : int
    """

    order: NDArray[np.intp]
    suspect: NDArray[np.bool_]
    left: Callable[[int], float]
    wanted: int

    @classmethod
    def of_cavities(cls, sites: Sites, found: CavityScores) -> _Plan:
        """Errors add up, as those of cavities are of one sign."""
        error = sites.copies * found.doubt
        order = np.argsort(-np.where(found.suspect, np.inf, error), kind="stable")
        left = np.append(np.cumsum(error[order][::-1])[::-1], 0.0)
        # Of very few sites all: what is expected of cavities rests on sets of more rows.
        few = len(sites) if len(sites) <= _LEAST_REFITS else 0
        wanted = max(int(np.count_nonzero(left > _LEFT)), int(np.count_nonzero(found.suspect)), few)
        return cls(order, found.suspect, lambda place: float(left[place]), wanted)

    @classmethod
    def of_pairs(cls, sites: Sites, found: CavityScores, shared: Drawn, error: float) -> _Plan:
        """Errors are those of shared draws, known for any sum."""
        suspect = shared.poor | (found.own > _LEVERAGE)
        order = np.argsort(-np.where(suspect, np.inf, sites.copies * shared.error), kind="stable")

        def left(place: int) -> float:
            return shared.total_error(_only(sites.copies, order[place:]))

        # Parts may err by more than the whole, where errors of sites cancel: taken out are as few as will do, and none
        # where that takes many and the whole is not far off.
        first, more = int(np.count_nonzero(suspect)), 0
        whole = left(first)
        while first + more < len(sites) and left(first + more) > _ACCEPTED * error:
            more = max(more + 1, math.ceil(1.2 * more))
        if more > _LEAST_REFITS and whole <= 2.0 * _ACCEPTED * error:
            more = 0
        return cls(order, suspect, left, min(first + more, len(sites)))


def _only(values: Array, picked: NDArray[np.intp]) -> Array:
    """These values, and zero elsewhere."""
    result = np.zeros_like(values)
    result[picked] = values[picked]
    return result


def _improper_left(
    found: SiteScores, near: CavityScores, design: Design, prior: ResolvedPrior, sites: Sites
) -> SiteScores:
    """Minus infinity where the posterior without a site is improper: the ratio of a finite evidence to an infinite one.

    Looked at are sites without which the posterior has too long a tail, and the greatest surprises and shares of the
    information of their own rows, as are those of what alone keeps outcomes from being separated.
    """
    asked = near.suspect | ~np.isnan(found.pareto_k if found.pareto_k is not None else near.own)
    if not asked.any() or not prior.flat.any():
        return found
    among = np.flatnonzero(asked)
    lowest = among[np.argsort(found.scores[among], kind="stable")][:_LOOKED_AT]
    largest = among[np.argsort(-near.own[among], kind="stable")][:_LOOKED_AT]
    poor = np.union1d(np.union1d(lowest, largest), among[found.flags[among] != ""])
    scores, flags = found.scores.copy(), found.flags.copy()
    for i in poor:
        rest = _without(design, sites, int(i))
        if rest is not None and not existence(rest, prior, moments=0).proper:
            scores[i], flags[i] = -np.inf, IMPROPER
    return found._replace(scores=scores, flags=flags)


def _with_reason(found: SiteScores, sites: Sites) -> SiteScores:
    """What is minus infinity, and why, among the notes."""
    lost = np.flatnonzero(found.scores == -np.inf)
    if not lost.size:
        return found
    rows = np.unique(sites.row[lost])
    why = " or ".join(sorted(set(found.flags[lost].tolist()) - {""})) or "the log score is beyond the smallest number"
    named = ", ".join(str(row) for row in rows[:_NAMED]) + (
        f" and {rows.size - _NAMED:,} more" if rows.size > _NAMED else ""
    )
    note = (
        f"The total is minus infinity because of row{'s' if rows.size > 1 else ''} {named} (counted from 0): {why}. "
        "A proper prior on every column, the intercept too, keeps it finite."
    )
    return found._replace(notes=(note, *(each for each in found.notes if "expect an error" not in each.lower())))


def _without(design: Design, sites: Sites, i: int) -> Design | None:
    """The design less one site; None where its rows are not in memory."""
    source, row = design.source, int(sites.row[i])
    if not isinstance(source, MemorySource):
        return None
    y, trials, weights = (np.array(each, dtype=np.float64) for each in design.outcome_arrays())
    leaving = float(sites.out_successes[i] + sites.out_failures[i]) / weights[row]
    if leaving < trials[row]:
        y[row] -= sites.out_successes[i] / weights[row]
        trials[row] -= leaving
    else:
        weights[row] = 0.0
    return replace(design, source=MemorySource.weighed(source.X, y, trials, weights, np.asarray(source.offset)))
