"""Is this the only mode? Student-t and Cauchy priors are not log-concave, so there may be others, and higher ones.

First a certificate. Along any way out of the mode the likelihood's slope falls at least so fast (its information
shrinks by no more than ``e^-D`` where no row moves by more than D), and the score of a heavy-tailed prior rises at most
so much (`Density.bend`); where the first beats the second everywhere, no other point is stationary. Where it does not,
the search is made again from other starts, and what was found is said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.mode import Mode
from bayeslogit.prior_target import Heavy
from bayeslogit.steps import Factor, cholesky_factor
from bayeslogit.subspace import Subspace
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
Walk = Callable[[LogPosterior, Array], Mode]
# Up to this many heavy-tailed coefficients the largest eigenvalue is computed, above it is bounded by sums of rows.
_FEW = 500
# Coefficients that are set to their prior's centre, one at a time, with the others following.
_LEFT_OUT = 8
# Other searches end when they have cost so many times the first (or so many informations: a first one from a sub-sample
# needs few), unless they are cheap (multiplications and additions).
_PATIENCE, _LEAST = 4, 80
_CHEAP = 1e9
# A row's exponential and logarithm cost as much as so many of these.
_ROW = 200
# Two searches that end within so many posterior sds of each other have found one mode.
_SAME = 1e-2
# As wide a normal prior as makes a fit by maximum likelihood exist.
_WIDE = 30.0
_OVERSHOT = 3.0


def needs_examining(target: LogPosterior) -> bool:
    """Whether a family of the prior has a heavy tail."""
    return any(term.density.bend for term in target.prior.terms)


def examined(target: LogPosterior, found: Mode, start: Array, walk: Walk) -> Mode:
    """The mode, certified to be the only one, or the highest of those that other starts lead to; a note says which.

    Parameters
    ----------
    found : Mode
        Where the first search ended; on a ridge between two modes it may have stopped short.
    start : array, shape (p,)
        Where it began, in working coordinates.
    walk : function
        Searches from a start, in working coordinates.
    """
    gamma = target.coordinates.gamma(found.beta)
    heavy = target.prior_target.heavy(gamma)
    concave = _concave_part(target, found, gamma)
    factor = cholesky_factor(concave)
    passes = 1 + (not _is_whole(found))
    # The certificate asks that all but the heavy tails is concave, and that of Jeffreys' prior is not known.
    known = target.prior.whole != "jeffreys"
    if known and found.converged and factor is not None and unique(target, heavy, factor):
        note = "The mode is certified unique: though the prior is not log-concave, no other point is a mode."
        return replace(found, n_passes=found.n_passes + passes, notes=(*found.notes, note))
    rows, p = target.design.source.n_rows, gamma.size
    most = max(_LEAST, _PATIENCE * found.n_hessians, int(_CHEAP / (p * p * (rows + p) + _ROW * rows)))
    searches = _Searches(walk, most, [found] if found.converged else [])
    searches.try_all(target, _away_from_saddle(target, found))
    searches.try_all(target, _left_out(target, gamma, factor))
    searches.try_all(target, _elsewhere(target, gamma, start, searches))
    best, seen = _ranked(target, searches.modes), found
    while best and _apart(target, best[0], seen) > _SAME:  # a higher one has its own neighbours
        seen = best[0]
        near = target.coordinates.gamma(seen.beta)
        searches.try_all(target, _left_out(target, near, cholesky_factor(_concave_part(target, seen, near))))
        best = _ranked(target, searches.modes)
    if not best:
        return found
    top = found if found.converged and _apart(target, best[0], found) <= _SAME else best[0]
    return replace(
        top,
        n_passes=found.n_passes + passes + searches.passes,
        n_hessians=found.n_hessians + searches.informations,
        notes=(*top.notes, _in_words(target, best, searches.tried)),
    )


@dataclass
class _Searches:
    """Searches from one start after another, and what they found and cost.

    ``most`` is the number of informations after which no other begins.
    """

    walk: Walk
    most: int
    modes: list[Mode]
    tried: int = 0
    passes: int = 0
    informations: int = 0

    def __call__(self, target: LogPosterior, start: Array) -> Mode:
        found = self.walk(target, start)
        self.passes += found.n_passes
        self.informations += found.n_hessians
        return found

    def try_all(self, target: LogPosterior, starts: Iterator[Array]) -> None:
        for start in starts:
            if self.informations > self.most:
                return
            self.tried += 1
            found = self(target, start)
            if found.converged:
                self.modes.append(found)


# --- the certificate -----------------------------------------------------------------------------------------------


def _concave_part(target: LogPosterior, found: Mode, gamma: Array) -> Array:
    """Information of the likelihood and the quadratic part of the prior: a lower bound where it is a little stale."""
    prior = target.prior_target
    if found.information is None or not _is_whole(found):
        return target.likelihood(gamma).information + prior.quadratic_information()
    data = (found.information - prior.information(gamma)) / (1.0 + found.information_error)
    return data + prior.quadratic_information()


def _is_whole(found: Mode) -> bool:
    """Whether its information is that of all coordinates."""
    return found.converged and found.information is not None and found.subspace is None


def unique(target: LogPosterior, heavy: Heavy, factor: Factor) -> bool:
    """Whether no other point can be stationary.

    With A the concave part of the information at the mode, V its inverse, and ``r`` the largest ``sqrt(x'Vx)`` of a
    row: at a distance t from the mode (in the norm of A) no row has moved by more than r t, so the concave part's slope
    along the way has fallen by at least ``(1 - e^-rt) / r``. That of the heavy-tailed part has risen by at most
    ``m t``, m the largest eigenvalue of their bends c under V, and by at most ``K = sqrt(B'|V|B)``. The first is
    concave in t, with slope 1 at 0; so if m < 1 it beats the others everywhere when it does at ``t = K / m``, where
    they meet.

    Parameters
    ----------
    heavy : Heavy
        At the mode.
    factor : Factor
        Of A, in working coordinates.
    """
    half = factor.whiten_rows(heavy.rows)
    V = half.T @ half
    bent = np.sqrt(np.outer(heavy.slope, heavy.slope)) * V
    m = float(np.linalg.eigvalsh(bent)[-1] if heavy.slope.size <= _FEW else np.abs(bent).sum(axis=1).max())
    if not m < 1.0:
        return False
    height = math.sqrt(float(heavy.height @ np.abs(V) @ heavy.height))
    longest = target.longest(factor.unwhiten(np.eye(factor.scale.size)))
    reach = longest * height
    return height == 0.0 or (1.0 if m <= 0.0 else -math.expm1(-reach / m)) > reach


# --- other starts --------------------------------------------------------------------------------------------------


def _left_out(target: LogPosterior, gamma: Array, factor: Factor | None) -> Iterator[Array]:
    """One heavy-tailed coefficient after another at the centre of its prior, the others following."""
    heavy = target.prior_target.heavy(gamma)
    away = heavy.rows @ gamma - target.prior.means()[list(heavy.columns)]
    for k in np.argsort(-np.abs(away) * np.sqrt(np.square(heavy.rows).sum(axis=1)))[:_LEFT_OUT]:
        row = heavy.rows[k]
        direction = row if factor is None else factor.solve(row)
        yield gamma - direction * (away[k] / float(row @ direction))


def _elsewhere(target: LogPosterior, gamma: Array, start: Array, searches: _Searches) -> Iterator[Array]:
    """The null model, modes under normal priors in place of the heavy ones, and far out on the other side."""
    yield start
    for width in (1.0, _WIDE):
        near = searches(_with_normals(target, width), start)
        if near.converged:
            yield target.coordinates.gamma(near.beta)
    flipped, columns = target.coordinates.beta(gamma), list(target.prior_target.heavy(gamma).columns)
    means = target.prior.means()[columns]
    flipped[columns] = means - _OVERSHOT * (flipped[columns] - means)
    yield target.coordinates.gamma(flipped)


def _with_normals(target: LogPosterior, width: float) -> LogPosterior:
    """The log posterior with a normal prior, so many scales wide, in place of each heavy-tailed one."""
    terms = []
    for term in target.prior.terms:
        if term.density.bend is not None:
            given = {"mean": term.parameters["mean"], "scale": width * term.parameters["scale"]}
            term = replace(term, family="normal", parameters=given)
        terms.append(term)
    return replace(target, prior=replace(target.prior, terms=tuple(terms)), at=target.coordinates)


def _is_mode(mode: Mode) -> bool:
    """Whether the log density bends downwards all round: a search can come to rest on a saddle, too."""
    return mode.information is None or cholesky_factor(mode.information) is not None


def _away_from_saddle(target: LogPosterior, found: Mode) -> Iterator[Array]:
    """To either side of a saddle, along its rising direction."""
    if _is_mode(found) or found.information is None:
        return
    assert not isinstance(found.subspace, Subspace)
    values, vectors = np.linalg.eigh(found.information)
    direction = np.zeros(found.beta.size)
    inside = np.arange(found.beta.size) if found.subspace is None else found.subspace.active
    direction[inside] = vectors[:, 0] / math.sqrt(max(abs(float(values[0])), 1e-300))
    gamma = target.coordinates.gamma(found.beta)
    yield gamma + direction
    yield gamma - direction


# --- what was found ------------------------------------------------------------------------------------------------


def _ranked(target: LogPosterior, modes: list[Mode]) -> list[Mode]:
    """The distinct ones, highest first; rest points that are no modes only if there is nothing else."""
    real = [mode for mode in modes if _is_mode(mode)] or modes[:1]
    distinct: list[Mode] = []
    for mode in sorted(real, key=lambda each: -each.log_density):
        if all(_apart(target, mode, other) > _SAME for other in distinct):
            distinct.append(mode)
    return distinct


def _apart(target: LogPosterior, one: Mode, two: Mode) -> float:
    """In posterior sds, by the concave part of the information at the higher one."""
    gamma = target.coordinates.gamma(two.beta)
    moved = target.coordinates.gamma(one.beta) - gamma
    whole = two.information if two.information is not None and two.subspace is None else None
    information = target.likelihood(gamma).information if whole is None else whole
    return math.sqrt(abs(float(moved @ information @ moved)))


def _in_words(target: LogPosterior, modes: list[Mode], tried: int) -> str:
    if len(modes) == 1:
        return (
            "The prior is not log-concave, and the mode could not be certified unique; "
            f"{tried} other starts found no other."
        )
    first, second = modes[:2]
    gap = first.log_density - second.log_density
    curves = target.likelihood(target.coordinates.gamma(first.beta)).information.diagonal()
    j = int(np.argmax(np.abs(first.beta - second.beta) * np.sqrt(np.maximum(curves, 0.0))))
    name = target.design.columns[j]
    level = f"{gap:.2g} lower" if gap > 1e-9 * max(1.0, abs(first.log_density)) else "as high"
    return (
        f"{len(modes)} modes found from {tried + 1} starts; the highest is reported (log posterior "
        f"{first.log_density:.6g} against {second.log_density:.6g} of the next, {level}, where {name} is "
        f"{second.beta[j]:.3g} instead of {first.beta[j]:.3g}). Sds and intervals describe the reported one alone."
    )
