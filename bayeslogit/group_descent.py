"""Newton steps for priors with kinks of whole groups (group lasso), beside kinks of single coefficients.

Two steps take turns. Block coordinate descent on the quadratic expansion of the smooth part, each block solved exactly,
finds which groups are zero (Yuan and Lin 2006; one eigendecomposition a block and one equation in its length, as in
Yang and Hastie 2024). Newton's own step on the groups that are not, where the norm is smooth, finds the rest of the
digits. The search ends at the optimality condition itself, in posterior sds.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeslogit.existence import not_identified, separated
from bayeslogit.kernels import kernel
from bayeslogit.mode import Mode, Status
from bayeslogit.newton import POLISHED, Search, recession_of
from bayeslogit.resolved import PriorTerm
from bayeslogit.steps import WELL_CONDITIONED, Factor, cholesky_factor
from bayeslogit.subspace import Support
from bayeslogit.target import Kinks, LogPosterior

Array = NDArray[np.float64]
Positions = NDArray[np.intp]
_ARMIJO = 1e-4
_SHORTEST = 1e-10
# How much the log density may seem to fall for rounding alone, in units of its own rounding.
_LEVEL = 1e4
_SWEEPS = 300
_PATIENCE = 12
# Newton's step on what is not zero is well on its way when it shrinks the violation at least so much.
_SHRINKS = 0.5
_TRIALS = 6
_NEARLY = 0.99
# The share of Newton's step before which a coefficient that meets its kink is held where it is.
_MEETS = 1e-3
# A step this long goes over curvature that has died.
_ENDLESS = 1e100
# Up to this many columns descent in plain Python costs less than loading a compiler.
_FEW = 16


class _Judgement(NamedTuple):
    """How far the search is from the optimality condition.

    ``left`` is the score that no kink takes, ``information`` that of the active coordinates, norms included.
    """

    violation: float
    active: Positions
    left: Array
    information: Array
    factor: Factor | None


def group_descent(search: Search, tol: float, max_iter: int) -> Mode:
    """Steps from where the search stands until the optimality condition holds to ``tol`` posterior sds."""
    here, aim, steps, quick = _judge(search), min(tol, POLISHED), 0, False
    while here.violation > aim and steps < max_iter:
        weak = here.factor is None or here.factor.smallest_pivot < WELL_CONDITIONED
        if weak and not search.identified and bool(search.target.prior.flat.any()):
            search.passes += 1
            refusal = not_identified(_without_kinks(search.target), search.gamma)
            if refusal is not None:
                return search.end(Status.NOT_POSITIVE_DEFINITE, refusal, math.inf)
            search.identified = True
        start = search.gamma
        there = _newton(search, here) if quick else None
        there = _descend(search, here) if there is None else there
        if there is None:
            break
        # Blocks find the zeros, Newton the digits: blocks have their turn unless Newton is well on its way.
        quick = there.violation <= _SHRINKS * here.violation or not quick
        here, steps = there, steps + 1
        if here.violation <= tol or steps >= _PATIENCE:
            recession = recession_of(search, float(search.reach(search.gamma - start)[0]))
            if recession is not None:
                words = separated(search.target, recession)
                return search.end(Status.NO_FINITE_MODE, words, here.violation, recession=recession)
    return _end(search, here, tol, steps)


def _without_kinks(target: LogPosterior) -> LogPosterior:
    """The same with a normal prior in place of each that has a kink: it has a curvature, so it tells columns apart."""
    terms = []
    for term in target.prior.terms:
        if term.density.kink is not None or term.density.group is not None:
            sd = np.sqrt(term.density.variance(**term.parameters))
            term = PriorTerm("normal", term.columns, {"mean": np.zeros(sd.size), "scale": sd}, term.map)
        terms.append(term)
    return replace(target, prior=replace(target.prior, terms=tuple(terms)), at=target.coordinates)


def _judge(search: Search) -> _Judgement:
    kinks, H = search.target.kinks, search.state.information
    active = kinks.active(search.gamma)
    left = kinks.violation(search.gamma, search.state.score)
    position = np.full(search.gamma.size, -1)
    position[active] = np.arange(active.size)
    information = H[np.ix_(active, active)]
    for own, curve in kinks.groups.curvature(search.gamma):
        information[np.ix_(position[own], position[own])] += curve
    factor = cholesky_factor(information, search.compiled)
    with np.errstate(divide="ignore"):
        sd = 1.0 / np.sqrt(np.maximum(H.diagonal(), 0.0))
    if factor is not None:
        sd[active] = np.sqrt(factor.coordinate_variances())
    violation = float(np.max(np.abs(left) * np.where(left != 0.0, sd, 0.0), initial=0.0))
    return _Judgement(violation, active, left, information, factor)


def _newton(search: Search, here: _Judgement) -> _Judgement | None:
    """Newton's step on what is not zero, as far as the next kink and the log density agree; None if nowhere."""
    zeros = np.ones(search.gamma.size, dtype=bool)
    zeros[here.active] = False
    if here.factor is None or np.any(here.left[zeros] != 0.0):
        return None
    kinks, start, state = search.target.kinks, search.gamma, search.state
    step = np.zeros(start.size)
    step[here.active] = here.factor.solve(here.left[here.active], search.compiled)
    away = start - kinks.center
    meets = ((kinks.rate > 0.0) & (np.square(away) < _MEETS * -away * step))[here.active]
    if meets.any():
        # One that would be at its kink at once is left to the blocks, which can put it there, and holds up no other.
        inside = np.flatnonzero(~meets)
        factor = cholesky_factor(here.information[np.ix_(inside, inside)], search.compiled)
        if factor is None:
            return None
        step = np.zeros(start.size)
        step[here.active[inside]] = factor.solve(here.left[here.active[inside]], search.compiled)
    gain, slack = float(here.left @ step), _slack(state.log_density)
    length = _to_the_next_kink(kinks, start, step)
    for _ in range(_TRIALS):
        search.gamma, search.state = start + length * step, search.try_at(start + length * step)
        there, rise = _judge(search), search.state.log_density - state.log_density
        nearer = there.violation <= _SHRINKS * here.violation and rise >= -_LEVEL * slack
        if nearer or (rise >= _ARMIJO * length * gain and rise > slack):
            kind = "newton on the active" + (f" x {length:.3g}" if length < 1.0 else "")
            search.trace.append(search.line(state.log_density, here.violation, math.nan, kind))
            return there
        length /= 4.0
    search.gamma, search.state = start, state
    return None


def _to_the_next_kink(kinks: Kinks, start: Array, step: Array) -> float:
    """How far a whole step can go before a coefficient, or the component of a group along itself, is nearly zero."""
    away, groups = start - kinks.center, kinks.groups
    inward = np.where(kinks.rate > 0.0, -away * step, 0.0)
    limits = [np.square(away[inward > 0.0]) / inward[inward > 0.0]]
    if len(groups):
        along = -np.add.reduceat((start * step)[groups.members], groups.starts[:-1])
        limits.append(np.square(groups.lengths(start)[along > 0.0]) / along[along > 0.0])
    return min(1.0, _NEARLY * float(np.min(np.concatenate(limits), initial=np.inf)))


def _slack(log_density: float) -> float:
    return 1e-13 * (1.0 + abs(log_density))


def _descend(search: Search, here: _Judgement) -> _Judgement | None:
    """To where the quadratic expansion less the kinks is largest, or a majorant where its curvature has died."""
    there = _along(search, here, _best(search, _curved(search), here.violation) - search.gamma)
    if there is not None:
        return there
    search.passes, search.informations = search.passes + 1, search.informations + 1
    below = search.target.majorant(search.gamma)
    return _along(search, here, _best(search, below, here.violation) - search.gamma)


def _along(search: Search, here: _Judgement, step: Array) -> _Judgement | None:
    """A step of the blocks, as far as the log density agrees; None if nowhere."""
    if not np.max(np.abs(step)) < _ENDLESS:
        return None
    kinks, start, state = search.target.kinks, search.gamma, search.state
    gain = float(state.score @ step) - kinks.cost(start + step) + kinks.cost(start)
    slack, length = _slack(state.log_density), 1.0
    while length >= _SHORTEST:
        # The end of a whole step is exact, zeros included.
        gamma = start + step
        if length < 1.0:
            gamma = np.where(gamma == start, start, start + length * step)
        search.gamma, search.state = gamma, search.try_at(gamma)
        there, rise = _judge(search), search.state.log_density - state.log_density
        level = abs(rise) <= _LEVEL * slack and there.violation < here.violation
        if level or (gain > 0.0 and rise >= _ARMIJO * length * gain and rise > slack):
            kind = "blocks" if length == 1.0 else f"blocks x {length:.3g}"
            search.trace.append(search.line(state.log_density, here.violation, math.nan, kind))
            return there
        length /= 2.0
    search.gamma, search.state = start, state
    return None


def _curved(search: Search) -> Array:
    """The information, positive: where a heavy tail bends the log density the other way, with its majorant."""
    H = search.state.information
    if search.target.concave or cholesky_factor(H, search.compiled) is not None:
        return H
    prior = search.target.prior_target
    return H + prior.smooth_information(search.gamma, majorant=True) - prior.smooth_information(search.gamma)


def _best(search: Search, H: Array, violation: float) -> Array:
    """Where the quadratic with information H less the kinks is largest, to a hundredth of the violation."""
    kinks, state = search.target.kinks, search.state
    groups = kinks.groups
    curves, directions = np.zeros(groups.members.size), []
    for low, own in zip(groups.starts, groups, strict=False):
        values, vectors = np.linalg.eigh(H[np.ix_(own, own)])
        curves[low : low + own.size] = np.maximum(values, 0.0)
        directions.append(np.ascontiguousarray(vectors).ravel())
    singles = np.setdiff1d(np.arange(search.gamma.size), groups.members)
    compiled = search.compiled or search.gamma.size > _FEW
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        result: Array = kernel("descend_groups", compiled)(
            *(np.ascontiguousarray(H), state.score, search.gamma, kinks.center, kinks.rate),
            *(singles, groups.members, groups.starts, groups.rate, curves, np.concatenate([np.zeros(0), *directions])),
            *(0.01 * violation, _SWEEPS),
        )
    return result


def _end(search: Search, here: _Judgement, tol: float, steps: int) -> Mode:
    search.note(here.violation, math.nan, "none")
    if here.violation > max(tol, 1e-6):
        words = (
            f"Not converged: the optimality condition is violated by {here.violation:.1e} posterior sd after {steps} "
            f"steps (asked: {tol:g}). Rescale columns that differ by many orders of magnitude, or raise max_iter."
        )
        return search.end(Status.ITERATION_LIMIT, words, here.violation)
    message = f"Converged: the optimality condition holds to {here.violation:.1e} posterior sd after {steps} steps."
    active, p = here.active, search.gamma.size
    prior = search.target.prior_target.information(search.gamma)[np.ix_(active, active)]
    return search.end(
        Status.CONVERGED,
        message,
        here.violation,
        here.factor,
        notes=zero_notes(search.target, search.gamma),
        subspace=None if active.size == p else Support(active, p, prior),
        information=here.information,
    )


def zero_notes(target: LogPosterior, gamma: Array) -> tuple[str, ...]:
    """How many coefficients and groups are exactly at a kink, and what that means for the errors."""
    kinks = target.kinks
    zeros = gamma.size - kinks.active(gamma).size
    if not zeros:
        return ()
    out = int(np.count_nonzero(kinks.groups.lengths(gamma) == 0.0))
    groups = f", {out} of {len(kinks.groups)} groups among them," if len(kinks.groups) else ""
    return (
        f"{zeros} of {gamma.size} coefficients{groups} are exactly at the kink of their prior and have no standard "
        "error; the others' are given the zero set, and too narrow.",
    )
