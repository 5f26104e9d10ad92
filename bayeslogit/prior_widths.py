"""How wide each prior family is, and how much it knows: quantiles and information, family by family.

A family missing from either table fails a test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri, ndtri_exp, roots_genlaguerre, stdtrit

from bayeslogit.densities import DENSITIES

Array = NDArray[np.float64]
_NODES = 80


def _elastic_half_width(prob: float, mean: Array, l1: Array, l2: Array) -> Array:
    """The size of a coefficient is a normal of mean ``-l1 / l2`` and variance ``1 / l2``, cut off below zero."""
    ridge = np.where(l2 > 0.0, l2, 1.0)
    cut = l1 / np.sqrt(ridge)
    both = (-ndtri_exp(math.log1p(-prob) + log_ndtr(-cut)) - cut) / np.sqrt(ridge)
    alone = -math.log1p(-prob) / np.where(l1 > 0.0, l1, 1.0)
    # Where the quadratic part is not seen in double precision the difference above is all rounding.
    return np.where((l2 > 0.0) & (cut < 1e4), both, alone)


def _group_half_width(prob: float, scale: Array) -> Array:
    """Each coordinate is normal with a variance of ``2 scale^2`` times a Gamma((d + 1) / 2) number."""
    from scipy.optimize import brentq

    d, s = scale.size, float(scale[0])
    nodes, weights = roots_genlaguerre(_NODES, 0.5 * (d - 1.0))
    sd = np.sqrt(2.0 * nodes)

    def short(h: float) -> float:
        return float(weights @ (2.0 * ndtr(h / sd) - 1.0) / weights.sum()) - prob

    width = s * float(brentq(short, 0.0, 100.0 * (d + 1.0) - math.log1p(-prob)))
    return np.full(d, width)


# Half the width of the central interval of each coefficient, or of the function that is named after it.
HALF_WIDTHS: Mapping[str, Callable[..., Array]] = {
    "normal": lambda prob, mean, scale: float(ndtri(0.5 + 0.5 * prob)) * scale,
    "laplace": lambda prob, mean, scale: -math.log1p(-prob) * scale,
    "elastic_net": _elastic_half_width,
    "student_t": lambda prob, df, mean, scale: stdtrit(df, 0.5 + 0.5 * prob) * scale,
    "cauchy": lambda prob, mean, scale: math.tan(0.5 * math.pi * prob) * scale,
    "multivariate_normal": lambda prob, mean, precision: (
        float(ndtri(0.5 + 0.5 * prob)) * np.sqrt(np.diag(np.linalg.inv(precision)))
    ),
    "group_laplace": _group_half_width,
}


def _elastic_information(mean: Array, l1: Array, l2: Array) -> Array:
    """``l2``, and at the kink twice the rate times the density there."""
    there = [
        float(DENSITIES["elastic_net"].log_density(mean[j : j + 1], mean[j : j + 1], l1[j : j + 1], l2[j : j + 1]))
        for j in range(mean.size)
    ]
    return np.asarray(l2 + 2.0 * l1 * np.exp(there))


# Expected square of the prior's score in each coefficient, the others held: its information.
INFORMATIONS: Mapping[str, Callable[..., Array]] = {
    "normal": lambda mean, scale: 1.0 / np.square(scale),
    "laplace": lambda mean, scale: 1.0 / np.square(scale),
    "elastic_net": _elastic_information,
    "student_t": lambda df, mean, scale: (df + 1.0) / ((df + 3.0) * np.square(scale)),
    "cauchy": lambda mean, scale: 0.5 / np.square(scale),
    "multivariate_normal": lambda mean, precision: np.diag(precision),
    "group_laplace": lambda scale: 1.0 / (scale.size * np.square(scale)),
}


def half_width(family: str, parameters: Mapping[str, Array], prob: float) -> Array:
    """Of the central interval of that probability, one number a column; infinite under a flat prior."""
    if family == "flat":
        return np.array([np.inf])
    result: Array = HALF_WIDTHS[family](prob, **parameters)
    return result
