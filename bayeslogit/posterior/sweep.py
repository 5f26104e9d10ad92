"""All that a certificate needs of rows that are outside of memory, in one pass over them.

The Gaussian at the mode is near enough to draw from where rows are that many. The pairs, the rays along which tails are
followed and the cubic form are sums over rows that can be named before any is read; so one pass has them all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeslogit.mode import Mode
from bayeslogit.posterior.ground import Cubic, Ground
from bayeslogit.posterior.pairs import Pairs, Proposal
from bayeslogit.posterior.unseen import Rays
from bayeslogit.posterior.variational import Gaussian

Array = NDArray[np.float64]
# As many as the flat weights of a nearly Gaussian posterior need to be worth 400.
_PAIRS = 600
# How far the information at hand may be from that at the mode, relative: it is only drawn from.
_ROUGH = 0.1


class Sweep(NamedTuple):
    """What was drawn, and the rays with the log posterior along them, shape (2, points)."""

    proposal: Proposal
    pairs: Pairs
    rays: Rays
    along: Array


def sweep(ground: Ground, mode: Mode, rng: np.random.Generator) -> Sweep | None:
    """One pass around the mode; None where its Gaussian is not at hand, or the posterior can be of any shape."""
    gaussian = _at_the_mode(ground, mode)
    if gaussian is None:
        return None
    there = (gaussian.mean, gaussian.root)
    blank = Cubic((), np.zeros(gaussian.mean.size), there)
    proposal = Proposal.of(gaussian, blank)
    z = proposal.draw(_PAIRS, rng)
    functions = ground.column(slice(None)).core @ gaussian.root
    rays = Rays.along(ground, functions, z)
    units = functions / np.sqrt(np.square(functions).sum(axis=1))[:, None]
    away = gaussian.root @ np.concatenate([z, rays.away, units.T], axis=1)
    log_target, cubes, linear = ground.all_at_once(*there, away)
    ends = np.cumsum([z.shape[1], rays.away.shape[1]])
    proposal = Proposal.of(gaussian, Cubic((), linear, there, cubes[ends[1] :]))
    pairs = Pairs.of(proposal, z, log_target[:, : ends[0]], cubes[: ends[0]])
    return Sweep(proposal, pairs, rays, log_target[:, ends[0] : ends[1]])


def _at_the_mode(ground: Ground, mode: Mode) -> Gaussian | None:
    target = ground.target
    simple = target.concave and not target.prior.whole and not np.any(target.kinks.rate) and ground.subspace is None
    if not (simple and mode.converged and mode.subspace is None and len(target.kinks.groups) == 0):
        return None
    ours, theirs = ground.whole.coordinates.center, mode.coordinates.center
    same = theirs is None if ours is None else theirs is not None and np.array_equal(ours, theirs)
    if not same or mode.information is None or mode.information_error > _ROUGH:
        return None
    return Gaussian.of_precision(ground.whole.coordinates.gamma(mode.beta), mode.information)
