"""What a sample cannot see: tails beyond the farthest point, and other modes.

A tail heavier than the proposal's can hold much of a moment where no point falls, and k-hat is measured on points. So
the log posterior is followed along rays far beyond the points, and, where the prior has heavy tails, other modes are
searched for.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeslogit.mode import Mode
from bayeslogit.posterior.ground import Ground
from bayeslogit.posterior.pairs import Pairs
from bayeslogit.posterior.variational import Gaussian
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
_LOG_2PI = math.log(2.0 * math.pi)

# Points end, along a ray, where this many pairs reach no further; at 8 to 16 sds of the proposal.
_BEYOND, _SEEN = 10, 8.0
_OUTWARDS = np.exp(np.linspace(0.0, math.log(500.0), 15))
# Coefficients along which rays run: tails of log-concave posteriors fall at least exponentially.
_MOST_RAYS, _MOST_CONCAVE = 64, 8
_HEAVIEST_PAIRS = 5
# Of the unseen mass, of its share of the mean in sds, and of its share of the second moment in variances.
_MASS, _MEAN, _SQUARE = 0.0005, 0.005, 0.02
# A mode closer than this many sds of the proposal has been sampled; a mode with less than this mass does not matter.
_COVERED = 4.0
_LEAST_MASS = 1e-4
_MODE_COLUMNS = 12


class Rays(NamedTuple):
    """Whitened points along rays: where the sample ends on each, the radii, and the points, shape (k, rays x radii)."""

    ends: Array
    radii: Array
    away: Array

    @classmethod
    def along(cls, ground: Ground, functions: Array, z: Array, more: Array | None = None) -> Rays:
        """Of the first coefficients, whitened functions of shape (p, k), and along more directions, shape (m, k)."""
        rays = functions[: _MOST_CONCAVE if ground.target.concave else _MOST_RAYS]
        rays = rays if more is None else np.concatenate([rays, more])
        lengths = np.sqrt(np.square(rays).sum(axis=1))
        rays = rays[lengths > 0.0] / lengths[lengths > 0.0, None]
        reach = np.sort(np.abs(rays @ z), axis=1)
        ends = np.clip(reach[:, -min(_BEYOND, z.shape[1])], _SEEN, 2.0 * _SEEN)
        radii = ends[:, None] * _OUTWARDS
        away = (rays[:, :, None] * radii[:, None]).transpose(1, 0, 2).reshape(z.shape[0], -1)
        return cls(ends, radii, away)


def tails(ground: Ground, gaussian: Gaussian, pairs: Pairs, log_evidence: float) -> tuple[list[str], list[str]]:
    """Doubts about tails along the coefficients and the heaviest pairs, and reservations about moments; in words."""
    count = _MOST_CONCAVE if ground.target.concave else _MOST_RAYS
    functions = ground.column(slice(0, count)).core @ gaussian.root
    heaviest = np.argsort(pairs.log_weights)[-_HEAVIEST_PAIRS:]
    rays = Rays.along(ground, functions, pairs.z, pairs.z[:, heaviest].T)
    thetas = (gaussian.root @ rays.away).T
    both = ground.log_densities(np.concatenate([gaussian.mean + thetas, gaussian.mean - thetas])).reshape(2, -1)
    return beyond(rays, both, gaussian, log_evidence)


def beyond(rays: Rays, both: Array, gaussian: Gaussian, log_evidence: float) -> tuple[list[str], list[str]]:
    """What the log posterior on both sides of the centre, shape (2, points), says of tails along the rays; see `tails`.

    The mass beyond the points along a ray is that of the line through the centre times the cross-section which the
    Gaussian has there: right in order of magnitude.
    """
    k, radii = gaussian.mean.size, rays.radii
    # Density along the line, in sds: under the Gaussian itself this is the standard normal's.
    cross = log_evidence - gaussian.log_determinant - 0.5 * (k - 1) * _LOG_2PI
    with np.errstate(over="ignore"):
        density = np.exp(np.minimum(both - cross, 700.0)).reshape(2, radii.shape[0], -1)
    step = math.log(_OUTWARDS[1])
    mass, mean, square = ((density * radii ** (power + 1)).sum(axis=2) * step for power in (0, 1, 2))
    worst = np.unravel_index(
        np.argmax(np.maximum(mass / _MASS, np.maximum(mean / _MEAN, square / _SQUARE))), mass.shape
    )
    if mass[worst] <= _MASS and mean[worst] <= _MEAN and square[worst] <= _SQUARE:
        return [], []
    held = f"{mass[worst]:.1g} of its mass, {mean[worst]:.1g} sd of a mean and {square[worst]:.1g} of a variance"
    found = [f"beyond {rays.ends[worst[1]]:.0f} sd, where hardly a point falls, the posterior still holds about {held}"]
    return (found, []) if mass[worst] > _MASS else ([], found)


def other_modes(ground: Ground, mode: Mode, gaussian: Gaussian, log_evidence: float) -> list[str]:
    """Doubts about modes that the points do not cover; only priors with heavy tails can have any."""
    target = ground.whole
    if target.concave or target.prior.whole or ground.subspace is not None:
        return []
    found: list[str] = []
    for start in _starts(target, mode):
        other = find_mode(target, start=start, examine=False)
        if not other.converged or other.factor is None:
            continue
        away = target.coordinates.gamma(other.beta) - gaussian.mean
        distance = float(np.linalg.norm(np.linalg.solve(gaussian.root, away)))
        mass = other.log_density + 0.5 * away.size * _LOG_2PI - 0.5 * other.factor.log_determinant - log_evidence
        if distance > _COVERED and mass > math.log(_LEAST_MASS):
            share = math.exp(min(mass, 0.0))
            found.append(f"there is another mode {distance:.0f} sd away with about {share:.1g} of the mass")
    return found[:1]


def _starts(target: LogPosterior, mode: Mode) -> list[Array]:
    """From where another mode could be reached: heavy-tailed coefficients at their centres, or free of their priors."""
    heavy = [term for term in target.prior.terms if term.density.majorant is not None and term.map is None]
    starts = []
    columns = [(j, float(m)) for term in heavy for j, m in zip(term.columns, term.parameters["mean"], strict=True)]
    if columns:
        every = mode.beta.copy()
        every[[j for j, _ in columns]] = [m for _, m in columns]
        starts.append(every)
    for j, center in columns[:_MODE_COLUMNS] if len(columns) > 1 else []:
        one = mode.beta.copy()
        one[j] = center
        starts.append(one)
    free = find_mode(replace(target, prior=_loosened(target.prior), at=target.coordinates), examine=False)
    return [*starts, free.beta] if free.converged else starts


def _loosened(prior: ResolvedPrior) -> ResolvedPrior:
    """Heavy-tailed terms as wide normals about their centres."""
    terms = tuple(
        PriorTerm("normal", t.columns, {"mean": t.parameters["mean"], "scale": 20.0 * t.parameters["scale"]}, t.map)
        if t.density.majorant is not None
        else t
        for t in prior.terms
    )
    return replace(prior, terms=terms)
