"""Many columns, most of them at the kink of their prior: solve on a few, look at all, take in those that pull.

A column joins when its score beats its rate; the fit ends when none outside does, so the zero set is exact and p x p is
never formed. (Working sets with the optimality condition as the only screen: Massias et al. 2018; Tibshirani et al.
2012 for warm starts.)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.continuation import kink_notes
from bayeslogit.mode import Iteration, Mode, Road
from bayeslogit.newton import Search
from bayeslogit.proximal import proximal
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.sources.memory import MemorySource
from bayeslogit.subspace import Support
from bayeslogit.target import Coordinates, LogPosterior

Array = NDArray[np.float64]
Positions = NDArray[np.intp]
# From this many columns on, unless few of them have kinks.
MANY = 300
_FIRST = 20
_MOST_ROUNDS = 100


def many_kinks(target: LogPosterior) -> bool:
    """Whether working sets pay: many columns, most with kinks, and no other prior that ties those together."""
    p, rate = len(target.design.columns), target.kinks.rate
    mostly = 2 * int(np.count_nonzero(rate)) > p
    return p >= MANY and mostly and isinstance(target.design.source, MemorySource)


def working_sets(
    target: LogPosterior,
    gamma: Array,
    tol: float,
    max_iter: int,
) -> Mode:
    """The mode from ``gamma``."""
    kinks, passes, informations = target.kinks, 0, 0
    needed = kinks.active(gamma)
    slope = target.slope(gamma)
    passes += 1
    trace: list[Iteration] = []
    for _ in range(_MOST_ROUNDS):
        violated = np.abs(kinks.violation(gamma, slope.score))
        violated[needed] = 0.0
        pulling = np.flatnonzero(violated > 1e-12 * kinks.rate)
        if trace and pulling.size == 0:
            break
        most = max(_FIRST, needed.size)
        pulling = pulling[np.argsort(-violated[pulling])[:most]]
        needed = np.union1d(needed, pulling)
        part = restricted(target, needed)
        search = Search(part, gamma[needed], part.expand(gamma[needed]), Road.WORKING_SETS)
        found = proximal(search, tol, max_iter)
        passes, informations = passes + found.n_passes + 1, informations + found.n_hessians
        trace += list(found.trace[:-1])
        gamma = kinks.center.copy()
        free = kinks.rate == 0.0
        gamma[free] = 0.0
        gamma[needed] = part.coordinates.gamma(found.beta)
        slope = target.slope(gamma)
        if not found.converged:
            break
    return replace(
        found,
        beta=target.coordinates.beta(gamma),
        log_density=slope.log_density,
        score=slope.score,
        n_passes=passes,
        n_hessians=informations,
        trace=(*trace, found.trace[-1]),
        coordinates=target.coordinates,
        subspace=_support(found, needed, gamma.size),
        notes=kink_notes(kinks.active(gamma).size, gamma.size),
    )


def _support(found: Mode, kept: Positions, p: int) -> Support | None:
    if isinstance(found.subspace, Support):
        return Support(kept[found.subspace.active], p, found.subspace.prior_information)
    if kept.size == p or found.information is None:
        return None
    return Support(kept, p, np.zeros_like(found.information))


def restricted(target: LogPosterior, kept: Positions) -> LogPosterior:
    """The log posterior of some columns, ascending; the others enter through the offset, at their kinks.

    Groups that are among them must be whole.
    """
    design, first = target.design, int(target.design.has_intercept)
    source, center = design.source, target.coordinates.center
    assert isinstance(source, MemorySource)
    slopes = kept[kept >= first] - first
    outside = np.setdiff1d(np.arange(len(design.columns) - first), slopes)
    offset = source.offset
    shifted = outside[target.kinks.center[outside + first] != 0.0]
    if shifted.size:
        held = target.kinks.center[shifted + first]
        offset = offset + source.X.columns(shifted) @ held - (0.0 if center is None else center[shifted] @ held)
    part = MemorySource(source.X.restricted(slopes), source.y, source.trials, source.weights, offset)
    names = tuple(design.columns[j] for j in kept)
    at = Coordinates(None if center is None else center[slopes])
    return LogPosterior(
        replace(design, columns=names, source=part), _restricted_prior(target.prior, kept), at, target.pseudo
    )


def _restricted_prior(prior: ResolvedPrior, kept: Positions) -> ResolvedPrior:
    """The terms of some columns."""
    place = np.full(len(prior.columns), -1, dtype=np.intp)
    place[kept] = np.arange(kept.size)
    terms: list[PriorTerm] = []
    for term in prior.terms:
        own = np.flatnonzero(place[term.index] >= 0)
        if own.size == 0:
            continue
        parameters = term.parameters
        if own.size < term.index.size:
            parameters = {key: np.asarray(value)[own] for key, value in parameters.items()}
        linear = None if term.map is None else term.map[np.ix_(own, kept)]
        columns = tuple(place[term.index[own]].tolist())
        terms.append(replace(term, columns=columns, parameters=parameters, map=linear))
    return replace(prior, columns=tuple(prior.columns[j] for j in kept), terms=tuple(terms))
