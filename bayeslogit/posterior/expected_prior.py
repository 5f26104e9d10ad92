"""A log prior averaged over a Gaussian, with the derivatives of that average in the Gaussian's mean.

For ``u ~ Normal(m, V)``, the derivative of ``E log f(u)`` in m is the expected score, and the second derivative minus
the expected information (Bonnet 1964, Price 1958), where that of a kink is what the smooth average has in its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from bayeslogit.densities import DENSITIES
from bayeslogit.errors import FitError
from bayeslogit.expansion import Expansion
from bayeslogit.prior_target import PriorTarget

Array = NDArray[np.float64]
Parameters = Mapping[str, Array]
Average = Callable[[Array, Array, Parameters], tuple[float, Array, Array]]

_ROOT_2_OVER_PI = math.sqrt(2.0 / math.pi)
# Trapezoid rule in z over +-RANGE. The score of a t has poles at a distance of ``sqrt(df) scale / sd``, so a step of
# CLOSENESS times that (and never more than 0.6) errs by about exp(-2 pi / CLOSENESS), 1e-12.
_RANGE = 7.7
_WIDEST_STEP = 0.6
_CLOSENESS = 0.22
_MOST_NODES = 1 << 14


def expected_prior(prior: PriorTarget, mean: Array, root: Array) -> Expansion:
    """``E log prior(gamma)``, expected score and expected information for ``gamma ~ Normal(mean, root root')``.

    Of a group of d coordinates ``E ||u||`` is replaced by ``sqrt(E ||u||^2)``, so that the value is a lower bound.

    Raises
    ------
    FitError
        If a family has no such average here.
    """
    value, score, information = 0.0, np.zeros(mean.size), np.zeros((mean.size, mean.size))
    for term, rows in prior.proper_terms:
        index = list(term.columns)
        m = mean[index] if rows is None else rows @ mean
        half = root[index] if rows is None else rows @ root
        if term.family == "multivariate_normal":
            precision = term.parameters["precision"]
            top = float(term.density.log_density(m, **term.parameters))
            part = top - 0.5 * float(np.sum((precision @ half) * half))
            slope, curve = term.density.score(m, **term.parameters), precision
        elif term.family in AVERAGES:
            part, slope, curve = AVERAGES[term.family](m, np.square(half).sum(axis=1), term.parameters)
        else:
            raise FitError(f"The variational rung does not know the prior family {term.family!r}; use another rung.")
        value += part
        if rows is not None:
            score += rows.T @ slope
            information += rows.T @ (curve @ rows if curve.ndim == 2 else curve[:, None] * rows)
            continue
        score[index] += slope
        if curve.ndim == 2:
            information[np.ix_(index, index)] += curve
        else:
            information[index, index] += curve
    for own, rate in zip(prior.groups, prior.groups.rate, strict=True):
        size = math.sqrt(float(np.square(mean[own]).sum() + np.square(root[own]).sum()))
        value -= rate * size
        score[own] -= rate / size * mean[own]
        information[own, own] += rate / size
    return Expansion(value + prior.group_top, score, information)


def kink_curves(prior: PriorTarget, mean: Array, root: Array) -> tuple[Array, Array] | None:
    """Derivatives of the expected information of each coordinate's kink in its mean and variance; None without any.

    Of a rate r at a distance d with variance v that information is ``q = r sqrt(2 / (pi v)) exp(-d^2 / (2 v))``.
    """
    in_mean, in_variance = np.zeros(mean.size), np.zeros(mean.size)
    for term, rows in prior.proper_terms:
        if rows is None and term.family in ("laplace", "elastic_net"):
            index = list(term.columns)
            rate = 1.0 / term.parameters["scale"] if term.family == "laplace" else term.parameters["l1"]
            v, away = np.square(root[index]).sum(axis=1), mean[index] - term.parameters["mean"]
            curve = rate * _size(mean[index], v, term.parameters["mean"])[2]
            in_mean[index] -= curve * away / v
            in_variance[index] += 0.5 * curve * (np.square(away) / v - 1.0) / v
    return (in_mean, in_variance) if in_variance.any() else None


def _normal(m: Array, v: Array, given: Parameters) -> tuple[float, Array, Array]:
    density, precision = DENSITIES["normal"], 1.0 / np.square(given["scale"])
    return float(density.log_density(m, **given) - 0.5 * v @ precision), density.score(m, **given), precision


def _size(m: Array, v: Array, center: Array) -> tuple[Array, Array, Array]:
    """``E |u - center|`` and its first and second derivative in m."""
    sd = np.sqrt(np.maximum(v, 1e-300))
    z = (m - center) / sd
    bump = _ROOT_2_OVER_PI * np.exp(-0.5 * z * z)
    sign = 2.0 * ndtr(z) - 1.0
    return sd * bump + (m - center) * sign, sign, bump / sd


def _laplace(m: Array, v: Array, given: Parameters) -> tuple[float, Array, Array]:
    mean, rate = given["mean"], 1.0 / given["scale"]
    size, sign, bump = _size(m, v, mean)
    at_center = float(DENSITIES["laplace"].log_density(mean, **given))
    return at_center - float(rate @ size), -rate * sign, rate * bump


def _elastic_net(m: Array, v: Array, given: Parameters) -> tuple[float, Array, Array]:
    mean, l1, l2 = given["mean"], given["l1"], given["l2"]
    size, sign, bump = _size(m, v, mean)
    away = m - mean
    at_center = float(DENSITIES["elastic_net"].log_density(mean, **given))
    value = at_center - float(l1 @ size + 0.5 * l2 @ (np.square(away) + v))
    return value, -l1 * sign - l2 * away, l1 * bump + l2


def _by_nodes(family: str) -> Average:
    """By the trapezoid rule, with as many nodes as the narrowest scale needs."""
    density = DENSITIES[family]

    def average(m: Array, v: Array, given: Parameters) -> tuple[float, Array, Array]:
        sd = np.sqrt(v)
        ratio = float(np.min(given["scale"] * np.sqrt(given.get("df", 1.0)) / np.maximum(sd, 1e-300)))
        step = max(min(_WIDEST_STEP, _CLOSENESS * ratio), 2.0 * _RANGE / _MOST_NODES)
        half = math.ceil(_RANGE / step)
        z = step * np.arange(-half, half + 1)
        weight = np.exp(-0.5 * z * z)
        weight /= weight.sum()
        value, score, information = 0.0, np.zeros(m.size), np.zeros(m.size)
        for lower in range(0, z.size, max(1, (1 << 16) // m.size)):
            part = slice(lower, lower + max(1, (1 << 16) // m.size))
            u = m + z[part, None] * sd
            value += float(weight[part] @ density.log_density(u, **given))
            score += weight[part] @ density.score(u, **given)
            information += weight[part] @ density.information(u, **given)
        return value, score, information

    return average


AVERAGES: dict[str, Average] = {
    "normal": _normal,
    "laplace": _laplace,
    "elastic_net": _elastic_net,
    "student_t": _by_nodes("student_t"),
    "cauchy": _by_nodes("cauchy"),
}
