"""Newton steps for priors with kinks (Laplace, elastic net): the quadratic is exact, and so is each kink.

Each step maximises the quadratic expansion of the smooth part minus the kinks, by coordinate descent on the p x p
matrix (Yuan, Ho and Lin 2012; Lee, Sun and Saunders 2014). The search ends at the optimality condition itself: away
from its kink the score of a coefficient balances the rate, at the kink it stays below; violations are in posterior sds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeslogit.existence import not_identified, separated
from bayeslogit.kernels import kernel
from bayeslogit.mode import Mode, Status
from bayeslogit.newton import POLISHED, Search, recession_of
from bayeslogit.prior_target import Kinks
from bayeslogit.steps import WELL_CONDITIONED, Factor, cholesky_factor, root_factor
from bayeslogit.subspace import Support

Array = NDArray[np.float64]
Positions = NDArray[np.intp]
_ARMIJO = 1e-4
_SHORTEST = 1e-10
# A step that has to be cut shorter than this is made of curvature that has died; a majorant's comes first.
_SHORT = 1e-3
# Sweeps over the coordinates, and turns of these with Newton's step on the active ones.
_SWEEPS = 60
_TURNS = 200
_LEVEL = 1e4
# How level the log density must be at the end of a whole step that it is too flat to tell from no step.
_WOLFE = 0.9
_PATIENCE = 12
# No step of Newton's is as long as this but for curvature that rounding has eaten.
_ENDLESS = 1e100
# Up to this many columns coordinate descent in plain Python costs less than loading a compiler.
_FEW = 16


class _Judgement(NamedTuple):
    """How far the search is from the optimality condition."""

    violation: float
    active: NDArray[np.intp]
    factor: Factor | None


def proximal(search: Search, tol: float, max_iter: int) -> Mode:
    """Steps from where the search stands until the optimality condition holds to ``tol`` posterior sds."""
    here = _judge(search)
    aim, steps = min(tol, POLISHED), 0
    while here.violation > aim and steps < max_iter:
        weak = here.factor is None or here.factor.smallest_pivot < WELL_CONDITIONED
        if weak and not search.identified and bool(search.target.prior.flat.any()):
            search.passes += 1
            refusal = not_identified(search.target, search.gamma)
            if refusal is not None:
                return search.end(Status.NOT_POSITIVE_DEFINITE, refusal, math.inf)
            search.identified = True
        near = 0.01 * min(aim, here.violation)
        step = _best(search, near, weak) - search.gamma
        reach = float(search.reach(step)[0]) if here.violation <= tol or steps >= _PATIENCE else math.nan
        recession = recession_of(search, reach)
        if recession is not None:
            words = separated(search.target, recession)
            return search.end(Status.NO_FINITE_MODE, words, here.violation, recession=recession)
        there = _walk(search, step, here, tol, _SHORT)
        if there is None:
            search.passes, search.informations = search.passes + 1, search.informations + 1
            below = _best(search, near, weak=False, majorant=True) - search.gamma
            there = _walk(search, below, here, tol, _SHORTEST) or _walk(search, step, here, tol, _SHORTEST)
        if there is None:
            break
        here, steps = there, steps + 1
    return _end(search, here, tol, steps)


def _judge(search: Search) -> _Judgement:
    kinks, H = search.target.kinks, search.state.information
    active = kinks.active(search.gamma)
    factor = cholesky_factor(H[np.ix_(active, active)], search.compiled)
    with np.errstate(divide="ignore"):
        sd = 1.0 / np.sqrt(np.maximum(H.diagonal(), 0.0))
    if factor is not None:
        sd[active] = np.sqrt(factor.coordinate_variances())
    violated = np.abs(kinks.violation(search.gamma, search.state.score))
    return _Judgement(float(np.max(violated * np.where(violated > 0.0, sd, 0.0), initial=0.0)), active, factor)


def _best(search: Search, tol: float, weak: bool, *, majorant: bool = False) -> Array:
    """Where the quadratic expansion, or a majorant, less the kinks is largest; ``weak``: it nearly is singular.

    Sweeps over coordinates find which are at their kinks; Newton's step on the others ends in one go what sweeps would
    crawl along where columns are nearly collinear or differ by orders of magnitude.
    """
    kinks, score = search.target.kinks, search.state.score
    H = search.target.majorant(search.gamma) if majorant else search.state.information
    compiled = search.compiled or search.gamma.size > _FEW
    descend = kernel("descend", compiled)
    curve = np.sqrt(np.maximum(H.diagonal(), np.finfo(np.float64).tiny))
    best: Array = search.gamma
    root: Array | None = None
    for _ in range(_TURNS):
        best = descend(H, score - H @ (best - search.gamma), best, kinks.center, kinks.rate, tol, _SWEEPS)
        left = kinks.violation(best, score - H @ (best - search.gamma))
        done = bool(np.max(np.abs(left) / curve, initial=0.0) <= tol)
        if done and not weak:
            break
        active = kinks.active(best)
        factor = cholesky_factor(H[np.ix_(active, active)], search.compiled)
        if factor is None and active.size:
            # Rows whose curvature differs by orders of magnitude: those themselves, once, hold what their sum has lost.
            root = search.target.root(search.gamma, majorant=majorant) if root is None else root
            factor = root_factor(np.linalg.qr(root[:, active], mode="r"))
        if factor is not None and active.size:
            best = _level(kinks, factor, active, best, left, search.compiled)
        if done:  # in units of single coordinates, which say little of directions that the information hardly knows
            break
    return best


def _level(kinks: Kinks, factor: Factor, active: Positions, x: Array, left: Array, compiled: bool) -> Array:
    """Newton's step on the quadratic among the coordinates off their kinks, as far as the first that meets its."""
    step, away = factor.solve(left[active], compiled), x[active] - kinks.center[active]
    if not np.max(np.abs(step)) < _ENDLESS:  # curvature that has died: sweeps alone
        return x
    inward = (kinks.rate[active] > 0.0) & (away * step < 0.0)
    ends = np.full(active.size, np.inf)
    ends[inward] = -away[inward] / step[inward]
    first = int(np.argmin(ends))
    result = x.copy()
    result[active] += min(1.0, float(ends[first])) * step
    if ends[first] <= 1.0:
        result[active[first]] = kinks.center[active[first]]
    return result


def _walk(search: Search, step: Array, here: _Judgement, tol: float, shortest: float) -> _Judgement | None:
    """Move along a step as far as the log density agrees with it; None if it does nowhere."""
    kinks, start, state = search.target.kinks, search.gamma, search.state
    gain = float(state.score @ step) - kinks.cost(start + step) + kinks.cost(start)
    slack, length = 1e-13 * (1.0 + abs(state.log_density)), 1.0
    while length >= shortest:
        # The end of a whole step is exact, zeros included; a shorter one leaves its kinks.
        gamma = start + step if length == 1.0 else start + length * step
        search.gamma, search.state = gamma, search.try_at(gamma)
        there, rise = _judge(search), search.state.log_density - state.log_density
        nearer = there.violation < here.violation
        flat = not nearer and length == 1.0 and here.violation > tol and _levelled(search, step, gain)
        level = abs(rise) <= _LEVEL * slack and (nearer or flat)
        if level or (gain > 0.0 and rise >= _ARMIJO * length * gain and rise > slack):
            kind = "proximal" if length == 1.0 else f"proximal x {length:.3g}"
            search.trace.append(search.line(state.log_density, here.violation, math.nan, kind))
            return there
        length /= 2.0
    search.gamma, search.state = start, state
    return None


def _levelled(search: Search, step: Array, gain: float) -> bool:
    """Whether the log density is level at the end of a step, which violations of single coefficients may hide."""
    left = search.target.kinks.violation(search.gamma, search.state.score)
    return abs(float(left @ step)) <= _WOLFE * gain


def _end(search: Search, here: _Judgement, tol: float, steps: int) -> Mode:
    search.note(here.violation, math.nan, "none")
    if here.violation > max(tol, 1e-6):
        words = (
            f"Not converged: the optimality condition is violated by {here.violation:.1e} posterior sd after {steps} "
            f"steps (asked: {tol:g}). Rescale columns that differ by many orders of magnitude, or raise max_iter."
        )
        return search.end(Status.ITERATION_LIMIT, words, here.violation)
    zeros = search.gamma.size - here.active.size
    message = f"Converged: the optimality condition holds to {here.violation:.1e} posterior sd after {steps} steps."
    notes: list[str] = []
    if zeros:
        notes.append(
            f"{zeros} of {search.gamma.size} coefficients are exactly at the kink of their prior and have no standard "
            "error; the others' are given the zero set, and too narrow."
        )
    if not zeros:
        return search.end(Status.CONVERGED, message, here.violation, here.factor)
    block = np.ix_(here.active, here.active)
    prior = search.target.prior_target.information(search.gamma)[block]
    return search.end(
        Status.CONVERGED,
        message,
        here.violation,
        here.factor,
        notes=tuple(notes),
        subspace=Support(here.active, search.gamma.size, prior),
        information=search.state.information[block],
    )
