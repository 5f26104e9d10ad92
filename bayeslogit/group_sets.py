"""The mode under a prior with groups; where they are many and most are zero, on those that pull.

A group joins when its score beats its rate, a single coefficient as in `working_set`; the fit ends when none outside
does, so the zero set is exact and p x p is never formed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.group_descent import group_descent, zero_notes
from bayeslogit.mode import Iteration, Mode, Road
from bayeslogit.newton import Search
from bayeslogit.sources.memory import MemorySource
from bayeslogit.subspace import Support
from bayeslogit.target import LogPosterior
from bayeslogit.working_set import restricted

Array = NDArray[np.float64]
Positions = NDArray[np.intp]
# From this many columns on, most of them with kinks, the fit runs on the groups that pull.
_MANY = 300
_FIRST = 20
_MOST_ROUNDS = 100


@dataclass(frozen=True)
class _Blocks:
    """What joins a working set as a whole: groups, and single coefficients with a kink at zero.

    Attributes
    ----------
    label : array of int, shape (p,)
        The block of each column; -1 for those that are always in, the intercept among them.
    """

    label: NDArray[np.int64]

    @classmethod
    def of(cls, target: LogPosterior) -> _Blocks:
        kinks = target.kinks
        label = np.full(kinks.rate.size, -1)
        single = np.flatnonzero((kinks.rate > 0.0) & (kinks.center == 0.0))
        label[single] = np.arange(single.size)
        label[kinks.groups.members] = single.size + kinks.groups.each(np.arange(len(kinks.groups), dtype=np.intp))
        if target.design.has_intercept:
            label[0] = -1
        return cls(label)

    def completed(self, columns: Positions) -> Positions:
        """Those columns, the blocks that they are of, and all columns of no block."""
        return np.flatnonzero((self.label < 0) | np.isin(self.label, self.label[columns]))

    def pulling(self, violated: Array, most: int) -> Positions:
        """Columns of the blocks with the largest violation, up to about ``most`` of them."""
        strength = np.zeros(self.label.max() + 1)
        np.add.at(strength, self.label[self.label >= 0], np.square(violated[self.label >= 0]))
        order = np.argsort(-strength)
        order = order[strength[order] > 0.0]
        width = np.cumsum(np.bincount(self.label[self.label >= 0])[order])
        chosen = order[: 1 + int(np.searchsorted(width, most))]
        return np.flatnonzero(np.isin(self.label, chosen))


def grouped(target: LogPosterior, gamma: Array, tol: float, max_iter: int, road: Road = Road.GROUPS) -> Mode:
    """The mode under a prior with groups: on the whole design, or on the groups that pull where they are many.

    It is also the road for kinks beside heavy tails, under the name of their ``road``.
    """
    kinks, p = target.kinks, gamma.size
    kinked = int(np.count_nonzero(kinks.rate)) + kinks.groups.members.size
    if p < _MANY or 2 * kinked <= p or not isinstance(target.design.source, MemorySource):
        return group_descent(Search(target, gamma, target.expand(gamma), road), tol, max_iter)
    return _group_sets(target, gamma, tol, max_iter, road)


def _group_sets(target: LogPosterior, gamma: Array, tol: float, max_iter: int, road: Road) -> Mode:
    kinks, blocks, p = target.kinks, _Blocks.of(target), gamma.size
    away = np.zeros(p, dtype=bool)
    away[kinks.active(gamma)] = True
    kept = blocks.completed(np.flatnonzero(away & (blocks.label >= 0)))
    slope, passes, informations = target.slope(gamma), 1, 0
    trace: list[Iteration] = []
    for _ in range(_MOST_ROUNDS):
        violated = kinks.violation(gamma, slope.score)
        violated[kept] = 0.0
        # Rounding of the score at the rate itself is no violation.
        violated[np.abs(violated) <= 1e-12 * np.abs(slope.score)] = 0.0
        pulling = blocks.pulling(violated, max(_FIRST, kept.size))
        if trace and pulling.size == 0:
            break
        kept = blocks.completed(np.union1d(kept[blocks.label[kept] >= 0], pulling))
        part = restricted(target, kept)
        search = Search(part, gamma[kept], part.expand(gamma[kept]), road)
        found = group_descent(search, tol, max_iter)
        passes, informations = passes + found.n_passes + 1, informations + found.n_hessians
        trace += list(found.trace[:-1])
        gamma = np.zeros(p)
        gamma[kept] = part.coordinates.gamma(found.beta)
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
        subspace=_support(found, part, kept, gamma),
        notes=zero_notes(target, gamma) if found.converged else found.notes,
    )


def _support(found: Mode, part: LogPosterior, kept: Positions, gamma: Array) -> Support | None:
    if isinstance(found.subspace, Support):
        return Support(kept[found.subspace.active], gamma.size, found.subspace.prior_information)
    if kept.size == gamma.size or found.factor is None:
        return None
    return Support(kept, gamma.size, part.prior_target.information(gamma[kept]))
