"""One design under a sequence of priors: each search starts where the one before it ended.

With kinks the steps are those of `chords`, which never need an information of all columns. Smooth priors get their
information at every point, for it is wanted as a covariance: gradient steps in the metric of the last one come first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from bayeslogit.chords import Chords
from bayeslogit.continuation import arrived_mode
from bayeslogit.mode import Mode, Road
from bayeslogit.newton import Search, newton
from bayeslogit.quasi_newton import climb
from bayeslogit.separable import serves
from bayeslogit.solve import choose_road, find_mode
from bayeslogit.target import LogPosterior
from bayeslogit.wide import Wide, is_wide, reduce_wide

Array = NDArray[np.float64]
_MOST_GRADIENTS = 20
# Chords measure sds by the information at hand, which is a little off.
_MARGIN = 0.5
# From this tolerance on columns in single precision will do.
_SINGLE = 1e-5
# How far from the mode one that was found in the span of the rows may be.
_LIFTED = 1e-6


def sequence(targets: Iterable[LogPosterior], *, tol: float = 1e-6, max_iter: int = 200) -> Iterator[Mode]:
    """The mode of each target; they differ in the scales of their priors alone, and neighbours are near.

    Parameters
    ----------
    targets : iterable of LogPosterior
        On one design, in one set of working coordinates.
    tol : float
        Largest distance from a mode, or violation of its optimality condition, in posterior sds.
    max_iter : int
        Most steps for each.

    Yields
    ------
    Mode
        A search that fails says so, and the next one starts afresh. With kinks there is no covariance, unless the prior
        has a curvature too, which `Mode.factor` is then needed for. Under heavy tails the one mode is followed that the
        first search found.
    """
    chords: Chords | None = None
    wide: Wide | None = None
    last: Mode | None = None
    curved = single = False
    for target in targets:
        if last is None or not last.converged:
            last, chords = find_mode(target, tol=tol, max_iter=max_iter, examine=last is None), None
        elif serves(target):
            if chords is None:
                curved, single = _curved(target), tol >= _SINGLE
                chords = Chords(target, last.coordinates.gamma(last.beta), single=single)
            arrived = chords.fit(target, _MARGIN * tol, max_iter, information=curved)
            if arrived is None and single:
                single, chords = False, Chords(target, last.coordinates.gamma(last.beta))
                arrived = chords.fit(target, _MARGIN * tol, max_iter, information=curved)
            if arrived is None:
                last, chords = find_mode(target, start=last.beta, tol=tol, max_iter=max_iter), None
            else:
                last = arrived_mode(target, arrived)
        elif is_wide(target):
            wide = reduce_wide(target) if wide is None else wide.rescaled(target) or reduce_wide(target)
            lifted = wide.lift(find_mode(wide.target, tol=tol, max_iter=max_iter, road=Road.NEWTON))
            near = lifted.decrement <= max(tol, _LIFTED) or not lifted.converged
            last = lifted if near else find_mode(target, tol=tol, max_iter=max_iter)
        else:
            last = _smooth(target, last, tol, max_iter)
        yield last


def _curved(target: LogPosterior) -> bool:
    """Whether some term of the prior has a curvature."""
    probe = target.kinks.center + 1.0
    return any(
        np.any(term.density.information(probe[list(term.columns)], **term.parameters))
        for term, _ in target.prior_target.proper_terms
    )


def _smooth(target: LogPosterior, last: Mode, tol: float, max_iter: int) -> Mode:
    """A prior without kinks, or one whose kinks `chords` does not serve."""
    smooth = not target.kinks and not target.prior.whole
    if not smooth or not target.concave or last.factor is None or last.subspace is not None:
        road = Road.NEWTON if smooth else choose_road(target)
        return find_mode(target, start=last.beta, tol=tol, max_iter=max_iter, road=road, examine=False)
    gamma = last.coordinates.gamma(last.beta)
    near = climb(target, gamma, target.slope(gamma), last.factor, enough=0.3 * tol, most=_MOST_GRADIENTS)
    search = Search(target, near.gamma, target.expand(near.gamma), Road.NEWTON, passes=near.passes + 2)
    search.moved = True
    return newton(search, tol, max_iter)
