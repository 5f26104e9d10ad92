"""Has a function of the coefficients a mean, where some coefficients have none? It has if it is bounded."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit.draw_numbers import PosteriorNumbers
from bayeslogit.errors import FitWarning
from bayeslogit.quantities import function_values

Array = NDArray[np.float64]
# Directions in which a function is followed, how far out in widths of the posterior, and by what factor its largest
# value may grow from the nearer half of these to the farther: a logarithm would grow by more.
_DIRECTIONS = 32
_RADII = 10.0 ** np.arange(2, 9)
_GROWN = 1.5


def moments_of(
    draws: PosteriorNumbers, function: Callable[[Array], ArrayLike], call: str
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each of the functions has a mean and an sd, shape (m,) each; a `FitWarning` says why not.

    Parameters
    ----------
    function : callable
        Points, shape (S, p), to shape (S,) or (S, m).
    call : str
        What was called, for the warning.
    """
    m = np.asarray(function(draws.rung.values[:2])).reshape(min(2, draws.n), -1).shape[1]
    every = np.ones(m, dtype=bool)
    lost = ~(draws.existence.mean & draws.existence.sd)
    if not lost.any():
        return every, every
    bounded = _bounded(draws, function, lost, m)
    mean = every if draws.existence.mean.all() else bounded
    sd = every if draws.existence.sd.all() else bounded
    if not (mean.all() and sd.all()):
        what = "its mean and sd are" if not mean.all() else "its sd is"
        warnings.warn(
            f"{call}: the function is not bounded, so {what} NaN: {'; '.join(draws.existence.reasons)}.",
            FitWarning,
            stacklevel=3,
        )
    return mean, sd


def _bounded(
    draws: PosteriorNumbers, function: Callable[[Array], ArrayLike], heavy: NDArray[np.bool_], m: int
) -> NDArray[np.bool_]:
    """Whether functions stop growing along directions in which the posterior has heavy tails; shape (m,)."""
    rng, center = np.random.default_rng(0), draws.rung.quantile([0.5])[0]
    low, high = draws.rung.quantile([0.1, 0.9])
    axes = np.eye(center.size)[heavy]
    mixed = rng.standard_normal((_DIRECTIONS, int(heavy.sum()))) @ axes
    along = np.vstack([axes, -axes, mixed, draws.values[:_DIRECTIONS] * heavy - center * heavy]) * (high - low)
    along /= np.maximum(np.abs(along / (high - low)).max(axis=1, keepdims=True), 1e-300)
    points = (center + _RADII[:, None, None] * along).reshape(-1, center.size)
    try:
        with np.errstate(all="ignore"):
            values = np.asarray(function(points), dtype=np.float64).reshape(_RADII.size, -1, m)
    except (ArithmeticError, ValueError):
        return np.zeros(m, dtype=bool)
    near = np.abs(function_values(function, draws.values)).max(axis=0)
    size = np.abs(np.where(np.isnan(values), np.inf, values)).max(axis=1)
    half = _RADII.size // 2
    first, last = np.maximum(size[:half].max(axis=0), near), size[half:].max(axis=0)
    return np.asarray(np.isfinite(last) & (last <= _GROWN * first))
