"""What a prior family means: its log density and derivatives as functions of ``u = A beta`` and its parameters.

`DENSITIES` is the one table that says what a family name stands for. A family is added by adding a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, gammaln

Array = NDArray[np.float64]
_LOG_2PI = math.log(2.0 * math.pi)


class Density(NamedTuple):
    """A family as functions of ``u = A beta`` and its parameters.

    Attributes
    ----------
    log_density : function
        All of it, normalised; of one ``u``, shape (k,), or of many, shape (S, k), one value each.
    score, information : functions
        Of the part without a kink; the information is a vector or a matrix, and may be negative in a heavy tail.
    variance : function
        Infinite or NaN where there is none.
    label : function
        The density of one coefficient in words.
    majorant : function, optional
        Where the information may be negative: that of a quadratic that touches the log density at u and lies below it.
    kink : function, optional
        Where the log density has a term ``-rate |u - center|``: (center, rate).
    bend : function, optional
        Where the information may be negative: (c, B) at u, such that the score rises by no more than ``c |v - u|``, and
        no more than ``B``, on the way to any v.
    group : function, optional
        Where the log density has a term ``-rate ||u||``, a kink of all coordinates at once: the rate.
    """

    log_density: Callable[..., Any]
    score: Callable[..., Array]
    information: Callable[..., Array]
    variance: Callable[..., Array]
    label: Callable[..., str]
    majorant: Callable[..., Array] | None = None
    kink: Callable[..., tuple[Array, Array]] | None = None
    bend: Callable[..., tuple[Array, Array]] | None = None
    group: Callable[..., float] | None = None


def _normal_log_density(u: Array, mean: Array, scale: Array) -> Any:
    z = (u - mean) / scale
    return -0.5 * np.sum(z * z, axis=-1) - (np.sum(np.log(scale)) + 0.5 * u.shape[-1] * _LOG_2PI)


def _joint_log_density(u: Array, mean: Array, precision: Array) -> Any:
    factor = np.linalg.cholesky(precision)
    z = (u - mean) @ factor
    return -0.5 * np.sum(z * z, axis=-1) + (np.sum(np.log(np.diag(factor))) - 0.5 * u.shape[-1] * _LOG_2PI)


def _elastic_log_mass(l1: Array, l2: Array) -> Array:
    """``log of the integral of exp(-l1 |x| - l2 x^2 / 2)``, with no overflow for any ratio of the rates."""
    ridge = np.where(l2 > 0.0, l2, 1.0)
    both = 0.5 * np.log(2.0 * np.pi / ridge) + np.log(erfcx(l1 / np.sqrt(2.0 * ridge)))
    alone = np.log(2.0) - np.log(np.where(l1 > 0.0, l1, 1.0))
    result: Array = np.where(l2 > 0.0, both, alone)
    return result


def _elastic_variance(l1: Array, l2: Array) -> Array:
    """The second moment of a Gaussian of precision l2 and mean -l1 / l2 cut off below zero."""
    ridge = np.where(l2 > 0.0, l2, 1.0)
    a = l1 / np.sqrt(ridge)
    hazard = np.sqrt(2.0 / np.pi) / erfcx(a / np.sqrt(2.0))
    # 1 + a^2 - a hazard cancels for large a, where its asymptotic series (in 1 / a^2) is exact to eight digits.
    far = np.where(a > 60.0, a, 60.0)
    part = np.where(a > 60.0, 2.0 / far**2 - 10.0 / far**4 + 74.0 / far**6, 1.0 + a * a - a * hazard)
    alone = 2.0 / np.square(np.where(l1 > 0.0, l1, 1.0))
    result: Array = np.where(l2 > 0.0, part / ridge, alone)
    return result


def _t_log_density(u: Array, df: Array, mean: Array, scale: Array) -> Any:
    z = (u - mean) / scale
    constant = gammaln(0.5 * (df + 1.0)) - gammaln(0.5 * df) - 0.5 * np.log(df * np.pi) - np.log(scale)
    return np.sum(constant - 0.5 * (df + 1.0) * np.log1p(z * z / df), axis=-1)


def _t_score(u: Array, df: Array, mean: Array, scale: Array) -> Array:
    z = (u - mean) / scale
    return -(df + 1.0) * z / (scale * (df + z * z))


def _t_information(u: Array, df: Array, mean: Array, scale: Array) -> Array:
    z2 = np.square((u - mean) / scale)
    return (df + 1.0) * (df - z2) / np.square(scale * (df + z2))


def _t_majorant(u: Array, df: Array, mean: Array, scale: Array) -> Array:
    """The precision of the Gaussian of which the t is a scale mixture, averaged given u: the weight of an EM step."""
    return (df + 1.0) / (np.square(scale) * (df + np.square((u - mean) / scale)))


def _t_bend(u: Array, df: Array, mean: Array, scale: Array) -> tuple[Array, Array]:
    """How far the score of a t can rise away from u, as a slope and as a height.

    The chord from a to v has slope ``(df + 1) (a v - k) / ((k + v^2) (k + a^2))`` with ``k = df scale^2``, largest at
    ``v = (k + sqrt(k^2 + k a^2)) / a``. The score itself is largest at ``sqrt(k)``, and falls to zero far out.
    """
    k, a2 = df * np.square(scale), np.square(u - mean)
    slope = (df + 1.0) * a2 / (2.0 * (k + a2) * (k + np.sqrt(k * (k + a2))))
    here, top = (df + 1.0) * np.sqrt(a2) / (k + a2), (df + 1.0) / (2.0 * np.sqrt(k))
    return slope, np.maximum(here, np.where(a2 >= k, top - here, 0.0))


def _t_variance(df: Array, mean: Array, scale: Array) -> Array:
    return np.where(df > 2.0, df / np.where(df > 2.0, df - 2.0, 1.0), np.inf) * np.square(scale)


def _group_log_density(u: Array, scale: Array) -> Any:
    d, s = u.shape[-1], float(scale[0])
    constant = gammaln(0.5 * d) - math.log(2.0) - 0.5 * d * math.log(math.pi) - gammaln(d) - d * math.log(s)
    size = length(u) if u.ndim == 1 else np.sqrt(np.sum(np.square(u), axis=-1))
    return constant - size / s


def length(u: Array) -> float:
    """``||u||``, without overflow or underflow on the way."""
    size = float(np.max(np.abs(u), initial=0.0))
    return size * math.sqrt(float(np.sum(np.square(u / size)))) if 0.0 < size < math.inf else size


def _one(u: Array) -> Array:
    return np.ones_like(u)


DENSITIES: dict[str, Density] = {
    "flat": Density(
        log_density=lambda u: np.zeros(u.shape[:-1]),
        score=np.zeros_like,
        information=np.zeros_like,
        variance=lambda: np.array([np.inf]),
        label=lambda index: "flat",
    ),
    "normal": Density(
        log_density=_normal_log_density,
        score=lambda u, mean, scale: -(u - mean) / scale**2,
        information=lambda u, mean, scale: np.broadcast_to(1.0 / scale**2, u.shape),
        variance=lambda mean, scale: scale**2,
        label=lambda index, mean, scale: f"normal({_number(mean[index])}, {_number(scale[index])})",
    ),
    "laplace": Density(
        log_density=lambda u, mean, scale: -np.sum(np.abs(u - mean) / scale + np.log(2.0 * scale), axis=-1),
        score=lambda u, mean, scale: np.zeros_like(u),
        information=lambda u, mean, scale: np.zeros_like(u),
        variance=lambda mean, scale: 2.0 * scale**2,
        label=lambda index, mean, scale: f"Laplace({_number(mean[index])}, {_number(scale[index])})",
        kink=lambda mean, scale: (mean, 1.0 / scale),
    ),
    "elastic_net": Density(
        log_density=lambda u, mean, l1, l2: (
            -np.sum(l1 * np.abs(u - mean) + 0.5 * l2 * np.square(u - mean) + _elastic_log_mass(l1, l2), axis=-1)
        ),
        score=lambda u, mean, l1, l2: -l2 * (u - mean),
        information=lambda u, mean, l1, l2: np.broadcast_to(l2, u.shape),
        variance=lambda mean, l1, l2: _elastic_variance(l1, l2),
        label=lambda index, mean, l1, l2: (
            f"elastic net({_number(mean[index])}, l1 {_number(l1[index])}, l2 {_number(l2[index])})"
        ),
        kink=lambda mean, l1, l2: (mean, l1),
    ),
    "student_t": Density(
        log_density=_t_log_density,
        score=_t_score,
        information=_t_information,
        variance=_t_variance,
        label=lambda index, df, mean, scale: (
            f"student t({_number(df[index])}, {_number(mean[index])}, {_number(scale[index])})"
        ),
        majorant=_t_majorant,
        bend=_t_bend,
    ),
    "cauchy": Density(
        log_density=lambda u, mean, scale: _t_log_density(u, _one(u), mean, scale),
        score=lambda u, mean, scale: _t_score(u, _one(u), mean, scale),
        information=lambda u, mean, scale: _t_information(u, _one(u), mean, scale),
        variance=lambda mean, scale: np.full(scale.shape, np.inf),
        label=lambda index, mean, scale: f"Cauchy({_number(mean[index])}, {_number(scale[index])})",
        majorant=lambda u, mean, scale: _t_majorant(u, _one(u), mean, scale),
        bend=lambda u, mean, scale: _t_bend(u, _one(u), mean, scale),
    ),
    "multivariate_normal": Density(
        log_density=_joint_log_density,
        score=lambda u, mean, precision: -precision @ (u - mean),
        information=lambda u, mean, precision: precision,
        variance=lambda mean, precision: np.diag(np.linalg.inv(precision)),
        label=lambda index, mean, precision: (
            f"multivariate normal({_number(mean[index])}, {_number(np.sqrt(np.linalg.inv(precision)[index, index]))})"
        ),
    ),
    "group_laplace": Density(
        log_density=_group_log_density,
        score=lambda u, scale: np.zeros_like(u),
        information=lambda u, scale: np.zeros_like(u),
        variance=lambda scale: np.square(scale) * (scale.size + 1.0),
        label=lambda index, scale: f"group Laplace({_number(scale[index])}) on {scale.size} columns",
        group=lambda scale: 1.0 / float(scale[0]),
    ),
}


def _number(value: Any) -> str:
    if np.ndim(value):  # older releases of NumPy take an array of one number for that number
        raise TypeError(f"{value} is no single number")
    return f"{float(value):.3g}"
