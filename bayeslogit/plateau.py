"""Is an estimate determined at all? Where every row is fitted to the last digit, the log posterior is a plateau.

A search may end anywhere on it, with a score of zero to rounding and an sd beyond all sense: the curvature is that of
the plateau, and the log density falls off at its edge, long before one sd.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bayeslogit.mode import Mode
from bayeslogit.subspace import Support
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
Positions = NDArray[np.intp]
# One sd away a normal density has fallen by a half, on either side; a plateau's log density by so much, or more.
_CLIFF = 100.0
_MOST = 8


def on_plateau(target: LogPosterior, mode: Mode) -> tuple[str, ...]:
    """The note that some estimates are not determined to rounding; none if all are.

    Parameters
    ----------
    target : LogPosterior
    mode : Mode
        Converged, and asked for with its information.
    """
    if mode.factor is None:
        return (_without_factor(target, mode),)
    if mode.information is None or not mode.information.size or target.prior.whole:
        return ()
    if mode.subspace is not None and not isinstance(mode.subspace, Support):
        return ()
    inside = np.arange(mode.beta.size) if mode.subspace is None else mode.subspace.active
    level = np.flatnonzero(_level(target, mode, mode.information.diagonal(), inside))
    names = [
        target.design.columns[inside[k]] for k in level[:_MOST] if _ends_within_an_sd(target, mode, inside, int(k))
    ]
    if not names:
        return ()
    one = len(names) == 1
    return (
        f"{', '.join(names)}: not determined. The log posterior is level to rounding around "
        f"{'this estimate' if one else 'these estimates'}, so that others are as good, and the standard "
        f"error{'' if one else 's'} and interval{'' if one else 's'} say nothing.",
    )


def _without_factor(target: LogPosterior, mode: Mode) -> str:
    """Why a mode has no covariance: a plateau all round, or an information that is singular to rounding."""
    own = target.likelihood(target.coordinates.gamma(mode.beta)).information.diagonal()
    if _level(target, mode, own, np.arange(mode.beta.size)).all():
        return (
            "Not determined: every row is fitted to the last digit, so that the log posterior is level to rounding "
            "around the estimates, and others are as good. There are no standard errors or intervals."
        )
    return "The information at the mode is singular to rounding: there are no standard errors or intervals."


def _level(target: LogPosterior, mode: Mode, curves: Array, inside: Positions) -> NDArray[np.bool_]:
    """Which coordinates the log density does not notice, moved so far that some row moves by one log-odds."""
    moved = curves / np.square(_reach(target)[inside])
    result: NDArray[np.bool_] = moved < np.finfo(np.float64).eps * (1.0 + abs(mode.log_density))
    return result


def _reach(target: LogPosterior) -> Array:
    """How far a unit of each working coordinate moves a row at most."""
    moments, center = target.design.moments, target.coordinates.center
    middle = 0.0 if center is None else center
    slopes = np.maximum(moments.upper - middle, middle - moments.lower)
    reach = np.concatenate([[1.0], slopes]) if target.design.has_intercept else slopes
    return np.where(reach > 0.0, reach, 1.0)


def _ends_within_an_sd(target: LogPosterior, mode: Mode, inside: Positions, k: int) -> bool:
    """Whether the log posterior falls off, on either side, along the way that one coordinate takes the others."""
    assert mode.factor is not None
    unit = np.zeros(inside.size)
    unit[k] = 1.0
    way = mode.factor.solve(unit)
    step = np.zeros(mode.beta.size)
    step[inside] = way / math.sqrt(float(way[k]))
    gamma = target.coordinates.gamma(mode.beta)
    with np.errstate(over="ignore", invalid="ignore"):
        falls = [mode.log_density - target.slope(gamma + side * step).log_density for side in (-1.0, 1.0)]
    return not min(falls) < _CLIFF
