"""Outlines of distributions, as a chart draws them: densities of single coefficients, histograms of probabilities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, kve, ndtri

from bayeslogit.design import Design
from bayeslogit.errors import PriorError
from bayeslogit.logistic import expit
from bayeslogit.posterior.rung import Rung
from bayeslogit.prior_draws import draw_prior
from bayeslogit.resolved import ResolvedPrior

Array = NDArray[np.float64]
_POINTS, _BINS = 161, 1024
_GAUSSIAN = ("laplace", "variational")
_ENDS = (0.002, 0.998)
_PRIOR_DRAWS = 20_000
# Probabilities (draws times rows) that are looked at; of more rows, evenly spaced ones.
_MOST = 2_000_000


class Outline(NamedTuple):
    """A density at some points, each shape (k,)."""

    x: Array
    density: Array


def gaussian_outline(mean: float, sd: float) -> Outline:
    """Of a Gaussian, from 3.2 sds below its mean to 3.2 above."""
    z = np.linspace(-3.2, 3.2, _POINTS)
    return Outline(mean + sd * z, np.exp(-0.5 * z * z) / (sd * np.sqrt(2.0 * np.pi)))


def posterior_outline(rung: Rung, column: int) -> Outline:
    """Marginal density of one coefficient.

    The Gaussian itself on the rungs that are one; differences of the distribution function on a lattice of few points;
    else a kernel estimate from the weighted points.
    """
    if rung.method in _GAUSSIAN:
        return gaussian_outline(float(rung.mean[column]), float(rung.sd[column]))
    low, high = (float(end) for end in rung.quantile(list(_ENDS))[:, column])
    x = np.linspace(low - 0.2 * (high - low), high + 0.2 * (high - low), _POINTS)
    if rung.method == "quadrature":
        step = x[1] - x[0]
        edges = np.append(x - 0.5 * step, x[-1] + 0.5 * step)
        below = np.array([float(rung.below([column], np.array([edge]))[0][0]) for edge in edges])
        return Outline(x, np.maximum(np.diff(below), 0.0) / step)
    return Outline(x, kernel_density(rung.points[:, column], rung.log_weights, x))


def kernel_density(values: Array, log_weights: Array, at: Array) -> Array:
    """Gaussian kernel estimate of a density at some points, with the bandwidth that is best for a Gaussian.

    The weighted values, shape (S,), are shared out to 1,024 places first; it is ``1.06 min(sd, IQR / 1.34)
    n^(-1/5)`` (Silverman 1986) with the effective number ``n = (sum w)^2 / sum w^2``.
    """
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    mean = float(weights @ values)
    sd = float(np.sqrt(weights @ np.square(values - mean)))
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order]) - 0.5 * weights[order]
    quarters = np.interp([0.25, 0.75], cumulated, values[order])
    spread = min(sd, float(quarters[1] - quarters[0]) / 1.34) or sd
    if not spread > 0.0:
        return np.where(at == mean, np.inf, 0.0)
    width = 1.06 * spread * float(1.0 / np.sum(np.square(weights))) ** -0.2
    low, high = float(at.min()) - 4.0 * width, float(at.max()) + 4.0 * width
    step = (high - low) / (_BINS - 1)
    inside = (values >= low) & (values <= high)
    place = (values[inside] - low) / step
    left = np.minimum(place.astype(np.intp), _BINS - 2)
    share = place - left
    mass = np.bincount(left, weights[inside] * (1.0 - share), _BINS)
    mass += np.bincount(left + 1, weights[inside] * share, _BINS)
    reach = int(np.ceil(4.5 * width / step))
    offsets = np.arange(-reach, reach + 1) * step / width
    kernel = np.exp(-0.5 * offsets**2) / (width * np.sqrt(2.0 * np.pi))
    smooth = np.convolve(mass, kernel, mode="same") if kernel.size <= _BINS else np.convolve(mass, kernel)[reach:-reach]
    found: Array = np.interp(at, low + step * np.arange(_BINS), smooth[:_BINS])
    return found


def prior_density(prior: ResolvedPrior, column: int, at: Array) -> Array | None:
    """Marginal prior density of one coefficient at some points; None where there is none (flat, or a whole model).

    From its formula; of a combination of terms that are not all Gaussian, a kernel estimate from 20,000 draws.
    """
    if prior.whole or prior.flat[column]:
        return None
    term = next((each for each in prior.terms if each.map is None and column in each.columns), None)
    if term is None:  # a combination of others
        if prior.gaussian.all():  # half a central interval of a Gaussian says its sd
            sd = float(prior.half_widths(0.95)[column]) / float(ndtri(0.975))
            return _gaussian(at, float(prior.means()[column]), sd)
        try:
            drawn = draw_prior(prior, _PRIOR_DRAWS, 0)[:, column]
        except PriorError:  # some other coefficient is flat
            return None
        return kernel_density(drawn, np.zeros(drawn.size), at)
    index = term.columns.index(column)
    if term.family == "multivariate_normal":
        covariance = np.linalg.inv(term.parameters["precision"])
        return _gaussian(at, float(term.parameters["mean"][index]), float(np.sqrt(covariance[index, index])))
    if term.family == "group_laplace":
        return _of_group(at, len(term.columns), float(np.ravel(term.parameters["scale"])[0]))
    own = {key: np.atleast_1d(value)[index : index + 1] for key, value in term.parameters.items()}
    density: Array = np.exp(np.asarray(term.density.log_density(at[:, None], **own), dtype=np.float64))
    return density


def _gaussian(at: Array, mean: float, sd: float) -> Array:
    found: Array = np.exp(-0.5 * np.square((at - mean) / sd)) / (sd * np.sqrt(2.0 * np.pi))
    return found


def _of_group(at: Array, size: int, scale: float) -> Array:
    """One of 2 v coordinates with joint density ``exp(-|b| / s)``: it goes with ``x^v K_v(x)``, ``x = |b_j| / s``."""
    half, x = 0.5 * size, np.maximum(np.abs(at) / scale, 1e-12)
    constant = np.log(scale) + half * np.log(2.0) + 0.5 * np.log(np.pi) + gammaln(half + 0.5)
    with np.errstate(over="ignore"):
        tall = kve(half, x)
    log_tall = np.where(
        np.isfinite(tall), np.log(tall) - x, gammaln(half) + (half - 1.0) * np.log(2.0) - half * np.log(x)
    )
    found: Array = np.exp(half * np.log(x) + log_tall - constant)
    return found


class PriorHistograms(NamedTuple):
    """Shares of prior draws by the event rate over all rows, and of single rows by their probability; (bins,)."""

    edges: Array
    rates: Array
    probabilities: Array
    extreme: float
    median: float


def prior_histograms(values: Array, design: Design, bins: int = 40) -> PriorHistograms:
    """From draws of the coefficients, shape (S, p), weighted by the observations of each row.

    ``extreme`` is the share of single probabilities below 0.01 or above 0.99, ``median`` that of the event rates.
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    total, count, extreme = np.zeros(len(values)), 0.0, 0.0
    single = np.zeros(bins)
    step = max(1, -(-design.source.n_rows * len(values) // _MOST))
    for block in design.source.blocks():
        some = np.arange(0, block.offset.size, step)
        weights = block.count[some]
        p = expit(values @ block.X.take(some).toarray().T + block.offset[some])
        total += p @ weights
        each = np.broadcast_to(weights, p.shape)
        single += np.histogram(p, edges, weights=each)[0]
        extreme += float(np.sum(each[(p < 0.01) | (p > 0.99)]))
        count += float(weights.sum())
    rates = total / count
    shares = np.histogram(rates, edges)[0] / len(values)
    return PriorHistograms(
        edges, shares, single / single.sum(), extreme / (count * len(values)), float(np.median(rates))
    )
