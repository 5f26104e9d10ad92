"""Many columns, most of them at the kink of their prior: solve on a few, look at all, take in those that pull.

A column joins when its score beats its rate; the fit ends when none outside does, so the zero set is exact and p x p is
never formed. (Working sets with the optimality condition as the only screen: Massias et al. 2018; Tibshirani et al.
2012 for warm starts.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.continuation import kink_notes
from bayeslogit.design import Design
from bayeslogit.mode import Iteration, Mode, Road
from bayeslogit.newton import Search
from bayeslogit.proximal import proximal
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.sources.memory import MemorySource
from bayeslogit.subspace import Support
from bayeslogit.target import Coordinates, LogPosterior

Array = NDArray[np.float64]
# From this many columns on, unless few of them have kinks.
MANY = 300
_FIRST = 20
_MOST_ROUNDS = 100


@dataclass(frozen=True)
class Restriction:
    """A design of some of the columns.

    Attributes
    ----------
    columns : array of int, ascending
        Positions in the whole design.
    design : Design
        Those columns; the others enter through the offset, at their kinks.
    """

    columns: NDArray[np.intp]
    design: Design


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
        kept = _restrict(target, needed)
        part = _part(target, kept)
        search = Search(part, gamma[kept.columns], part.expand(gamma[kept.columns]), Road.WORKING_SETS)
        found = proximal(search, tol, max_iter)
        passes, informations = passes + found.n_passes + 1, informations + found.n_hessians
        trace += list(found.trace[:-1])
        gamma = kinks.center.copy()
        free = kinks.rate == 0.0
        gamma[free] = 0.0
        gamma[kept.columns] = part.coordinates.gamma(found.beta)
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
        subspace=_support(found, kept, gamma.size),
        notes=kink_notes(kinks.active(gamma).size, gamma.size),
    )


def _support(found: Mode, kept: Restriction, p: int) -> Support | None:
    if isinstance(found.subspace, Support):
        return Support(kept.columns[found.subspace.active], p, found.subspace.prior_information)
    return (
        None
        if kept.columns.size == p or found.information is None
        else Support(kept.columns, p, np.zeros_like(found.information))
    )


def _restrict(target: LogPosterior, columns: NDArray[np.intp]) -> Restriction:
    design, first = target.design, int(target.design.has_intercept)
    source = design.source
    assert isinstance(source, MemorySource)
    slopes = columns[columns >= first] - first
    outside = np.setdiff1d(np.arange(len(design.columns) - first), slopes)
    offset = source.offset
    shifted = outside[target.kinks.center[outside + first] != 0.0]
    if shifted.size:
        center = target.coordinates.center
        held = target.kinks.center[shifted + first]
        offset = offset + source.X.columns(shifted) @ held - (0.0 if center is None else center[shifted] @ held)
    part = MemorySource(source.X.restricted(slopes), source.y, source.trials, source.weights, offset)
    names = tuple(design.columns[j] for j in columns)
    return Restriction(columns, replace(design, columns=names, source=part))


def _part(target: LogPosterior, kept: Restriction) -> LogPosterior:
    center, first = target.coordinates.center, int(target.design.has_intercept)
    at = Coordinates(None if center is None else center[kept.columns[kept.columns >= first] - first])
    return LogPosterior(kept.design, _prior(target.prior, kept.columns), at)


def _prior(prior: ResolvedPrior, columns: Sequence[int] | NDArray[np.intp]) -> ResolvedPrior:
    """The terms of some columns."""
    position = {int(j): i for i, j in enumerate(columns)}
    terms: list[PriorTerm] = []
    for term in prior.terms:
        own = [i for i, j in enumerate(term.columns) if j in position]
        if not own:
            continue
        parameters = term.parameters
        if len(own) < len(term.columns):
            parameters = {key: np.asarray(value)[own] for key, value in term.parameters.items()}
        linear = None if term.map is None else term.map[np.ix_(own, list(position))]
        terms.append(
            replace(term, columns=tuple(position[term.columns[i]] for i in own), parameters=parameters, map=linear)
        )
    return ResolvedPrior(tuple(prior.columns[j] for j in columns), tuple(terms), prior.name)
