"""Profile intervals: how far a coefficient can go before the log posterior, at its best given it, has fallen too far.

The bounds of coefficient j solve ``max {log posterior: beta_j = c} = maximum - z^2 / 2``. At each c the others follow
by Newton steps of the bordered system, warm-started along the tangent of the path; c follows by Newton steps on the
signed root of the fall, which is nearly straight, kept inside a bracket. Along a direction of separation the profile
never falls, and the bound is infinite. (Venzon and Moolgavkar 1988; for Firth's estimates Heinze and Schemper 2002.)
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.errors import FitError, FitWarning
from bayeslogit.mode import Mode, Status
from bayeslogit.newton import Search
from bayeslogit.steps import Factor, cholesky_factor
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]

# How far from the profile its value may still be taken from the quadratic model, in nats: the error is smaller still.
_NEAR = 1e-7
_MOST_STEPS = 200
_MOST_BOUNDS = 100
_CLOSE = 1e-9
# Sds, or log-odds of a usual row, beyond which a profile that has not fallen is taken never to fall.
_NEVER = 1e4
_SUPREMUM = 1e-11
# How many other branches of a profile are followed, and how much less fallen one must be, in sds.
_MOST_BRANCHES = 5
_BRANCH = 1e-5


@dataclass(frozen=True)
class _Best:
    """The best of the other coefficients at one value of a coefficient.

    Attributes
    ----------
    gamma : array, shape (p,)
    value : float
        Of the log posterior there, what the last step would add included.
    slope : float
        Of the profile.
    tangent : array, shape (p,)
        How the best moves with the coefficient.
    variance : float
        Of the coefficient, by the information there.
    """

    gamma: Array
    value: float
    slope: float
    tangent: Array
    variance: float


def profile_bounds(target: LogPosterior, mode: Mode, picked: Sequence[int], z: float) -> tuple[Array, Array]:
    """Lower and upper profile bounds of some coefficients.

    Parameters
    ----------
    target : LogPosterior
        Of the data that gave ``mode``.
    mode : Mode
        Converged, or without a finite mode because the data are separated.
    picked : sequence of int
    z : float
        Quantile of the standard normal distribution: the log posterior falls by ``z^2 / 2``.

    Returns
    -------
    lower, upper : array, shape (len(picked),)
        Infinite where the profile never falls so far; NaN, with a warning, where it did not come to rest.

    Raises
    ------
    FitError
        If there is no mode and no separation, if the log posterior has kinks, or has more columns than rows.
    """
    if target.kinks or mode.subspace is not None:
        raise FitError(
            "Profile intervals need a smooth log posterior and an information matrix of all columns; priors with kinks "
            "and more columns than rows have none. Use fit.sample()."
        )
    if mode.status not in (Status.CONVERGED, Status.NO_FINITE_MODE):
        raise FitError(f"Profile intervals need a mode. {mode.message}")
    search = Search(target, target.coordinates.gamma(mode.beta), target.nearly(target.coordinates.gamma(mode.beta)))
    top = _supremum(search)
    start = search.gamma, search.state
    lower, upper = np.empty(len(picked)), np.empty(len(picked))
    lost: list[str] = []
    for position, j in enumerate(picked):
        row = np.zeros((1, len(target.design.columns)))
        row[0, j] = 1.0
        a = target.coordinates.functions(row)[0]
        for bounds, side in ((lower, -1.0), (upper, 1.0)):
            ends = mode.recession is not None and side * mode.recession.direction[j] > 0.0
            search.gamma, search.state = start
            unit = 0.0 if mode.converged else 1.0 / _spread(target, j)
            try:
                bounds[position] = side * math.inf if ends else _highest_bound(search, a, side, top, z, unit)
            except FitError:
                bounds[position] = math.nan
                lost.append(target.design.columns[j])
    if len(lost) == 2 * len(picked):
        raise FitError("No profile came to rest: the log posterior may have several maxima. Use fit.sample().")
    if lost:
        warnings.warn(
            f"Profile bounds of {', '.join(dict.fromkeys(lost))} are NaN: the profile did not come to rest; the log "
            "posterior may have several maxima.",
            FitWarning,
            stacklevel=4,
        )
    return lower, upper


def _highest_bound(search: Search, a: Array, side: float, top: float, z: float, unit: float) -> float:
    """A bound of the highest branch: where the log posterior is not concave, the best there may lie elsewhere."""
    target, start = search.target, search.gamma
    bound = _bound(search, a, side, top, z, unit)
    if target.concave and target.prior.whole != "jeffreys":
        return bound
    for _ in range(_MOST_BRANCHES):
        if not math.isfinite(bound):
            break
        reached = search.gamma + (bound - float(a @ search.gamma)) * a / float(a @ a)
        higher = None
        for begin in _elsewhere(start, reached, a, bound):
            search.gamma, search.state = begin, target.nearly(begin)
            if not math.isfinite(search.state.log_density):
                continue
            found = _best(search, a)
            if math.sqrt(max(2.0 * (top - found.value), 0.0)) < z - _BRANCH and (
                higher is None or found.value > higher[0]
            ):
                higher = found.value, search.gamma, search.state
        if higher is None:
            break
        _, search.gamma, search.state = higher
        bound = _bound(search, a, side, top, z, unit)
    return bound


def _elsewhere(start: Array, reached: Array, a: Array, bound: float) -> Iterator[Array]:
    """Other points where ``a'gamma`` is at its bound: beside the mode, at zero, and with the others turned about it."""
    across = a / float(a @ a)
    for gamma in (start, np.zeros_like(start), 2.0 * start - reached, start - (reached - start) * 0.25):
        yield gamma + (bound - float(a @ gamma)) * across


def _spread(target: LogPosterior, j: int) -> float:
    """By how much a coefficient moves the log-odds of a usual row."""
    return float(target.design.column_sds[j]) or abs(float(target.design.column_means[j])) or 1.0


def _supremum(search: Search) -> float:
    """The largest value of the log posterior: at the mode, or in the limit along a direction of separation."""
    for _ in range(_MOST_STEPS):
        state = search.state
        gain = _climb(search, None, _SUPREMUM)[0]
        if search.state is state:
            return state.log_density + 0.5 * gain
    return search.state.log_density


def _factors(search: Search) -> Iterator[Factor]:
    """Of matrices to step with: the information, where it is positive definite; steadier ones where it fails."""
    target = search.target
    found = cholesky_factor(search.state.information) if target.prior.whole == "jeffreys" else search.factor()
    if found is not None:
        yield found
    for matrix in (target.steady, target.majorant):
        found = cholesky_factor(matrix(search.gamma))
        if found is not None:
            yield found
    raise FitError("A profile did not come to rest: the data may be separated or nearly collinear.")


def _climb(search: Search, a: Array | None, enough: float) -> tuple[float, Array, float, Factor]:
    """One step, at fixed ``a'gamma``: what it gained by the model, the step, the multiplier, and the matrix.

    If there is no more than ``enough`` to gain the search stays where it is.
    """
    for factor in _factors(search):
        step, pull = factor.solve(search.state.score), 0.0
        if a is not None:
            toward = factor.solve(a)
            pull = float(a @ step) / float(a @ toward)
            step = step - pull * toward
        gain = max(float(step @ search.state.score), 0.0)
        # Rows far out may have no curvature left: then the model promises what is not there.
        if gain <= enough or _rise(search, step, gain):
            return gain, step, pull, factor
    raise AssertionError("unreachable: the matrices end in an error")


def _rise(search: Search, step: Array, gain: float) -> bool:
    """Move along a step as far as the log density agrees; False if it rises nowhere."""
    slack, length = 1e-13 * (1.0 + abs(search.state.log_density)), 1.0
    while length > 1e-6:
        there = search.target.nearly(search.gamma + length * step)
        rise = there.log_density - search.state.log_density
        if rise >= 1e-4 * length * gain - slack or (gain <= 1e4 * slack and rise >= -1e4 * slack):
            search.gamma, search.state = search.gamma + length * step, there
            return True
        length /= 2.0
    return False


def _best(search: Search, a: Array) -> _Best:
    """Newton steps at fixed ``a'gamma`` until what is left to gain is nothing."""
    for _ in range(_MOST_STEPS):
        state = search.state
        gain, step, pull, factor = _climb(search, a, _NEAR)
        if search.state is state:
            toward = factor.solve(a)
            bend = float(a @ toward)
            return _Best(search.gamma + step, state.log_density + 0.5 * gain, pull, toward / bend, bend)
    raise FitError("A profile did not come to rest: the data may be separated or nearly collinear.")


def _bound(search: Search, a: Array, side: float, top: float, z: float, unit: float) -> float:
    """Where the signed root of the fall along one side is ``z``; ``unit`` stands for the sd where that is infinite."""
    here = _best(search, a)
    c = c0 = float(a @ here.gamma)
    sd = unit or math.sqrt(here.variance)
    inside, outside = c, side * math.inf
    move = side * z * sd
    for _ in range(_MOST_BOUNDS):
        _go(search, here, a, c + move - float(a @ here.gamma))
        here = _best(search, a)
        c = float(a @ here.gamma)
        root = math.sqrt(max(2.0 * (top - here.value), 0.0))
        steep = -side * here.slope / root if root > 0.0 else 0.0
        if abs(root - z) <= _CLOSE * max(1.0, z):
            return c + (side * (z - root) / steep if steep > 0.0 else 0.0)
        if root < z:
            inside = c
        else:
            outside = c
        if math.isinf(outside) and abs(c - c0) > _NEVER * sd:
            return side * math.inf
        move = _next(c, side, (z - root) / steep if steep > 0.0 else math.inf, inside, outside, c0, sd)
    raise FitError("A profile interval did not come to rest; the log posterior may have several maxima.")


def _next(c: float, side: float, wanted: float, inside: float, outside: float, c0: float, sd: float) -> float:
    """The next move of the coefficient: Newton's, if it stays in the bracket, or grows by no more than fourfold."""
    if math.isinf(outside):
        most = max(4.0 * abs(c - c0), sd)
        return side * min(wanted, most) if wanted > 0.0 else side * most
    there = c + side * wanted
    low, high = min(inside, outside), max(inside, outside)
    return (there if low < there < high else 0.5 * (low + high)) - c


def _go(search: Search, here: _Best, a: Array, move: float) -> None:
    """Along the tangent of the path to another value of the coefficient."""
    while True:
        gamma = here.gamma + move * here.tangent
        state = search.target.nearly(gamma)
        if math.isfinite(state.log_density) or move == 0.0:
            search.gamma, search.state = gamma, state
            return
        move = 0.5 * move if abs(move) > 1e-9 * math.sqrt(here.variance) else 0.0
