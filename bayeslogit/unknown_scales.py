"""Prior families whose scale is unknown too: a normal density given scales that have a density of their own.

Integrated over its scales such a density is infinite at zero, and the joint mode of coefficients and scales lies there
whatever the data say: there is no penalty and no mode to find, only a posterior to draw from. `OPEN` is the one table
of these families.

``horseshoe`` is the regularised horseshoe of Piironen and Vehtari (2017, Electronic Journal of Statistics 11):
``b_j ~ Normal(0, tau^2 lambda_j^2 c^2 / (c^2 + tau^2 lambda_j^2))``, ``lambda_j`` and ``tau`` half Student-t, and
``c^2 ~ InvGamma(slab_df / 2, slab_df slab_scale^2 / 2)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtr, ndtri, stdtrit

Array = NDArray[np.float64]
# Nodes at even probabilities that stand for the distribution of a scale.
_ONE, _GLOBAL, _SLAB = 4096, 160, 24


class OpenFamily(NamedTuple):
    """A family with unknown scales, as functions of its parameters (arrays, one number a column).

    Attributes
    ----------
    name : str
        What the user writes.
    label : function
        The density of one coefficient in words.
    draw : function
        Draws of the coefficients, scales drawn too; shape (n, k).
    variance : function
        Of each coefficient, scales integrated out; infinite where there is none.
    half_width : function
        Half of the central interval of that probability of each coefficient.
    tail : function
        Degrees of freedom of the Student-t density whose tails these are; infinite where they fall exponentially.
    """

    name: str
    label: Callable[..., str]
    draw: Callable[..., Array]
    variance: Callable[..., Array]
    half_width: Callable[..., Array]
    tail: Callable[..., float]


def half_quantile(prob: Array, df: float, scale: float) -> Array:
    """Quantiles of a half Student-t density; of a half-normal one where ``df`` is infinite."""
    upper = 0.5 + 0.5 * prob
    return scale * np.asarray(ndtri(upper) if math.isinf(df) else stdtrit(df, upper))


def _middles(count: int) -> Array:
    result: Array = (np.arange(count) + 0.5) / count
    return result


def _width(prob: float, scales: Array) -> float:
    """Half of the central interval of a mixture of normals with these sds, all as probable."""
    from scipy.optimize import brentq

    top = float(scales.max()) * float(ndtri(0.5 + 0.5 * prob))
    found = brentq(lambda width: float(np.mean(2.0 * ndtr(width / scales) - 1.0)) - prob, 0.0, top, xtol=1e-12 * top)
    return float(found)


# --- one scale for all columns of a term -----------------------------------------------------------------------------


def _hyperprior(df: float, scale: float) -> str:
    return f"half-normal({scale:.3g})" if math.isinf(df) else f"half-t({df:.3g}, {scale:.3g})"


def _hierarchical_label(index: int, df: Array, scale: Array, unit: Array, pooled: Array) -> str:
    times = "" if unit[index] == 1.0 else f"{unit[index]:.3g} "
    about = " about the mean of all levels" if pooled[index] else ""
    return f"normal(0, {times}tau){about}, tau ~ {_hyperprior(df[index], scale[index])}"


def _hierarchical_draw(rng: np.random.Generator, n: int, df: Array, scale: Array, unit: Array, pooled: Array) -> Array:
    tau = half_quantile(rng.random((n, 1)), float(df[0]), float(scale[0]))
    level = rng.standard_normal((n, unit.size))
    reference = np.where(pooled > 0.0, rng.standard_normal((n, 1)), 0.0)
    result: Array = unit * tau * (level - reference)
    return result


def _hierarchical_variance(df: Array, scale: Array, unit: Array, pooled: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.where(np.isinf(df), 1.0, np.where(df > 2.0, df / (df - 2.0), np.inf))
    result: Array = np.square(unit * scale) * times * np.where(pooled > 0.0, 2.0, 1.0)
    return result


def _hierarchical_half_width(prob: float, df: Array, scale: Array, unit: Array, pooled: Array) -> Array:
    one = _width(prob, half_quantile(_middles(_ONE), float(df[0]), float(scale[0])))
    result: Array = one * unit * np.where(pooled > 0.0, math.sqrt(2.0), 1.0)
    return result


# --- the regularised horseshoe ---------------------------------------------------------------------------------------


def _horseshoe_label(index: int, unit: Array, **parameters: Array) -> str:
    tau, slab = (float(parameters[key][index]) for key in ("global_scale", "slab_scale"))
    times = "" if unit[index] == 1.0 else f"{unit[index]:.3g} x "
    return f"{times}horseshoe(global {tau:.3g}, slab {slab:.3g})"


def _horseshoe_scales(
    global_scale: Array, global_df: Array, local_df: Array, slab_scale: Array, slab_df: Array
) -> Array:
    """A grid of sds of one coefficient of unit 1, all as probable."""
    tau = half_quantile(_middles(_GLOBAL), float(global_df[0]), float(global_scale[0]))
    local = half_quantile(_middles(_GLOBAL), float(local_df[0]), 1.0)
    a = 0.5 * float(slab_df[0])
    slab = a * float(slab_scale[0]) ** 2 / gammaincinv(a, 1.0 - _middles(_SLAB))
    square = np.square(np.outer(tau, local)).ravel()[:, None]
    result: Array = np.sqrt(slab * square / (slab + square)).ravel()
    return result


def _horseshoe_draw(
    rng: np.random.Generator,
    n: int,
    unit: Array,
    global_scale: Array,
    global_df: Array,
    local_df: Array,
    slab_scale: Array,
    slab_df: Array,
) -> Array:
    tau = half_quantile(rng.random((n, 1)), float(global_df[0]), float(global_scale[0]))
    local = half_quantile(rng.random((n, unit.size)), float(local_df[0]), 1.0)
    a = 0.5 * float(slab_df[0])
    slab = a * float(slab_scale[0]) ** 2 / rng.gamma(a, size=(n, 1))
    square = np.square(tau * local)
    result: Array = unit * np.sqrt(slab * square / (slab + square)) * rng.standard_normal((n, unit.size))
    return result


def _horseshoe_variance(unit: Array, **parameters: Array) -> Array:
    if float(parameters["slab_df"][0]) <= 2.0:
        return np.full(unit.size, np.inf)
    result: Array = np.square(unit) * float(np.mean(np.square(_horseshoe_scales(**parameters))))
    return result


def _horseshoe_half_width(prob: float, unit: Array, **parameters: Array) -> Array:
    result: Array = unit * _width(prob, _horseshoe_scales(**parameters))
    return result


OPEN: Mapping[str, OpenFamily] = {
    "hierarchical": OpenFamily(
        "Hierarchical",
        _hierarchical_label,
        _hierarchical_draw,
        _hierarchical_variance,
        _hierarchical_half_width,
        lambda df, **_: float(df[0]),
    ),
    "horseshoe": OpenFamily(
        "Horseshoe",
        _horseshoe_label,
        _horseshoe_draw,
        _horseshoe_variance,
        _horseshoe_half_width,
        lambda slab_df, **_: float(slab_df[0]),
    ),
}


def no_density(family: str) -> str:
    """Why a family with unknown scales cannot be fitted by its mode, and what can be done, in words."""
    name = OPEN[family].name
    return (
        f"{name}(...) has unknown scales and so no fixed density: the joint density of scales and coefficients is "
        "infinite where they go to zero together, so that its mode says nothing of the data. Draw from the posterior "
        f"instead: bayeslogit.sample(formula, data, prior=bayeslogit.{name}(...)), or --posterior auto on the command "
        "line."
    )
