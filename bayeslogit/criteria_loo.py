"""Leave-one-out: the entry that chooses between the mode and the posterior."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.criteria import FLAG, IMPROPER, KINDS, LooResult, Sites, SiteScores
from bayeslogit.criteria_cavity import CavityScores, cavity_scores
from bayeslogit.criteria_draws import draws_scores
from bayeslogit.criteria_gaussians import gaussians_without
from bayeslogit.criteria_modes import mode_scores
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
_ERROR, _FINEST, _COARSEST = 0.02, 0.001, 0.005
# Expected error that may be left in all sites that are not fitted again, nats.
_LEFT = 0.025
# Multiplications and additions that all refits may take, and the refits that are always allowed.
_MOST_PRODUCTS = 3e10
_LEAST_REFITS = 20
# Sites of low scores without which the posterior is asked whether it is one.
_LOOKED_AT = 5


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
            raise FitError(f"The posterior is improper, so it predicts nothing. {' '.join(exists.reasons)}")
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
            found, gaussian = _posterior(field, sites, mode, most, rng, near if plain else None)
            found = _improper_left(found, design, prior, sites)
        gaussian = gaussian if plain else None
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
    field: Field, sites: Sites, mode: Mode, most: int, rng: int | np.random.Generator, near: Gaussian | None
) -> tuple[SiteScores, Gaussian]:
    found = cavity_scores(field, sites, mode, quick=most == 0, near=near)
    scores, flags = found.scores.copy(), np.zeros(len(sites), dtype=FLAG)
    khat, variance, notes = np.full(len(sites), np.nan), 0.0, list(found.notes)
    order, left, wanted = _order(sites, found, most)
    picked = order[: min(wanted, most)]
    enough = min(max(_ERROR / math.sqrt(max(picked.size, 1)), _FINEST), _COARSEST)
    fitted = gaussians_without(field, sites, picked, found.gaussian, TOL) if picked.size else ()
    for i, each, near in zip(picked, np.random.default_rng(rng).spawn(picked.size), fitted, strict=True):
        predicted = posterior_without(field, sites, int(i), mode, found.gaussian, each, enough, near)
        flags[i] = predicted.flag
        if math.isnan(predicted.score):
            continue
        scores[i], khat[i] = predicted.score, predicted.khat
        variance += (float(sites.copies[i]) * predicted.mcse) ** 2
    rest = order[picked.size : wanted]
    flags[rest[found.suspect[rest]]] = "high leverage, not fitted again"
    if picked.size < wanted:
        notes.append(
            f"{wanted - picked.size:,} sites that ask for it were not fitted again (at most {most:,} refits): expect "
            f"an error of about {left[picked.size]:.1g} nats."
        )
    scored = SiteScores(scores, found.within, flags, picked.size, tuple(notes), khat, math.sqrt(variance))
    return scored, found.gaussian


def _improper_left(found: SiteScores, design: Design, prior: ResolvedPrior, sites: Sites) -> SiteScores:
    """Minus infinity where the posterior without a site is improper: the ratio of a finite evidence to an infinite one.

    Looked at are sites that had to be drawn, for other posteriors are near a Gaussian: those with too long a tail, and
    the greatest surprises, as is what alone keeps outcomes from being separated.
    """
    if found.pareto_k is None or not prior.flat.any():
        return found
    drawn = np.flatnonzero(~np.isnan(found.pareto_k))
    lowest = drawn[np.argsort(found.scores[drawn], kind="stable")][:_LOOKED_AT]
    poor = np.union1d(lowest, drawn[found.flags[drawn] != ""])
    scores, flags = found.scores.copy(), found.flags.copy()
    for i in poor:
        rest = _without(design, sites, int(i))
        if rest is not None and not existence(rest, prior, moments=0).proper:
            scores[i], flags[i] = -np.inf, IMPROPER
    return found._replace(scores=scores, flags=flags)


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


def _order(sites: Sites, found: CavityScores, most: int) -> tuple[NDArray[np.intp], Array, int]:
    """Sites by the error to expect of them, what is expected from each on, and how many have to be fitted again.

    Of very few sites all, if they may be: what is expected rests on sets of more rows. Beside wide priors (an sd of 3
    or 5 on a column of sd 1) the cavities of 7 to 14 rows erred by up to 0.15 nats in all where 0.025 was expected.
    """
    error = sites.copies * found.doubt
    few = len(sites) <= min(_LEAST_REFITS, most)
    if float(error.sum()) <= _LEFT and not found.suspect.any() and not few:
        return np.zeros(0, dtype=np.intp), np.zeros(0), 0
    order = np.argsort(-np.where(found.suspect, np.inf, found.doubt), kind="stable")
    left = np.cumsum(error[order][::-1])[::-1]
    if few:
        return order, left, len(sites)
    return order, left, max(int(np.count_nonzero(left > _LEFT)), int(np.count_nonzero(found.suspect)))
