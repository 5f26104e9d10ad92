"""What a prior family means: its log density and derivatives as functions of ``u = A beta`` and its parameters.

`DENSITIES` is the one table that says what a family name stands for. A family is added by adding a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_LOG_2PI = math.log(2.0 * math.pi)


class Density(NamedTuple):
    """A family as functions of ``u = A beta`` and its parameters; the information is a vector or a matrix."""

    log_density: Callable[..., float]
    score: Callable[..., Array]
    information: Callable[..., Array]
    variance: Callable[..., Array]
    label: Callable[..., str]


def _normal_log_density(u: Array, mean: Array, scale: Array) -> float:
    z = (u - mean) / scale
    return float(-0.5 * np.sum(z * z) - np.sum(np.log(scale)) - 0.5 * u.size * _LOG_2PI)


def _joint_log_density(u: Array, mean: Array, precision: Array) -> float:
    factor = np.linalg.cholesky(precision)
    z = factor.T @ (u - mean)
    return float(-0.5 * np.sum(z * z) + np.sum(np.log(np.diag(factor))) - 0.5 * u.size * _LOG_2PI)


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
