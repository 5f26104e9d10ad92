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
        All of it, normalised.
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
    """

    log_density: Callable[..., float]
    score: Callable[..., Array]
    information: Callable[..., Array]
    variance: Callable[..., Array]
    label: Callable[..., str]
    majorant: Callable[..., Array] | None = None
    kink: Callable[..., tuple[Array, Array]] | None = None


def _normal_log_density(u: Array, mean: Array, scale: Array) -> float:
    z = (u - mean) / scale
    return float(-0.5 * np.sum(z * z) - np.sum(np.log(scale)) - 0.5 * u.size * _LOG_2PI)


def _joint_log_density(u: Array, mean: Array, precision: Array) -> float:
    factor = np.linalg.cholesky(precision)
    z = factor.T @ (u - mean)
    return float(-0.5 * np.sum(z * z) + np.sum(np.log(np.diag(factor))) - 0.5 * u.size * _LOG_2PI)


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


def _t_log_density(u: Array, df: Array, mean: Array, scale: Array) -> float:
    z = (u - mean) / scale
    constant = gammaln(0.5 * (df + 1.0)) - gammaln(0.5 * df) - 0.5 * np.log(df * np.pi) - np.log(scale)
    return float(np.sum(constant - 0.5 * (df + 1.0) * np.log1p(z * z / df)))


def _t_score(u: Array, df: Array, mean: Array, scale: Array) -> Array:
    z = (u - mean) / scale
    return -(df + 1.0) * z / (scale * (df + z * z))


def _t_information(u: Array, df: Array, mean: Array, scale: Array) -> Array:
    z2 = np.square((u - mean) / scale)
    return (df + 1.0) * (df - z2) / np.square(scale * (df + z2))


def _t_majorant(u: Array, df: Array, mean: Array, scale: Array) -> Array:
    """The precision of the Gaussian of which the t is a scale mixture, averaged given u: the weight of an EM step."""
    return (df + 1.0) / (np.square(scale) * (df + np.square((u - mean) / scale)))


def _t_variance(df: Array, mean: Array, scale: Array) -> Array:
    return np.where(df > 2.0, df / np.where(df > 2.0, df - 2.0, 1.0), np.inf) * np.square(scale)


def _one(u: Array) -> Array:
    return np.ones_like(u)


DENSITIES: dict[str, Density] = {
    "flat": Density(
        log_density=lambda u: 0.0,
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
        log_density=lambda u, mean, scale: float(-np.sum(np.abs(u - mean) / scale + np.log(2.0 * scale))),
        score=lambda u, mean, scale: np.zeros_like(u),
        information=lambda u, mean, scale: np.zeros_like(u),
        variance=lambda mean, scale: 2.0 * scale**2,
        label=lambda index, mean, scale: f"Laplace({_number(mean[index])}, {_number(scale[index])})",
        kink=lambda mean, scale: (mean, 1.0 / scale),
    ),
    "elastic_net": Density(
        log_density=lambda u, mean, l1, l2: float(
            -np.sum(l1 * np.abs(u - mean) + 0.5 * l2 * np.square(u - mean) + _elastic_log_mass(l1, l2))
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
    ),
    "cauchy": Density(
        log_density=lambda u, mean, scale: _t_log_density(u, _one(u), mean, scale),
        score=lambda u, mean, scale: _t_score(u, _one(u), mean, scale),
        information=lambda u, mean, scale: _t_information(u, _one(u), mean, scale),
        variance=lambda mean, scale: np.full(scale.shape, np.inf),
        label=lambda index, mean, scale: f"Cauchy({_number(mean[index])}, {_number(scale[index])})",
        majorant=lambda u, mean, scale: _t_majorant(u, _one(u), mean, scale),
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
}


def _number(value: Any) -> str:
    return f"{float(value):.3g}"
