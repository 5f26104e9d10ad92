"""Power-scaling: how much a posterior changes when its prior, or its likelihood, is made a little stronger or weaker.

The prior (or the likelihood) is raised to a power alpha near 1; the posterior then is the old one with weights
``density^(alpha - 1)``, smoothed in their tail (Kallioinen, Paananen, Bürkner and Vehtari 2024). Both changing together
says that they disagree; the prior alone, that the data say little.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.errors import FitError, PriorError
from bayeslogit.logistic import log_likelihoods
from bayeslogit.posterior.psis import khat_limit, smooth
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.sources.memory import MemorySource
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
# Sensitivities above this are worth a word (Kallioinen et al. 2024).
THRESHOLD = 0.05
CONFLICT, STRONG_PRIOR, NONE = (
    "potential prior-data conflict",
    "potential strong prior / weak likelihood",
    "none",
)
REWEIGHTED, REFITTED = "reweighting", "refit"
_AT_ONCE, _POINTS_AT_ONCE = 1 << 21, 256
# Weights are flat if the largest is at most this many times their mean.
_FLAT = 2.0


def diagnosis(prior: float, likelihood: float, threshold: float = THRESHOLD) -> str | None:
    """What two sensitivities together say of a quantity; None where one is not known."""
    if math.isnan(prior) or math.isnan(likelihood):
        return None
    if prior >= threshold:
        return CONFLICT if likelihood >= threshold else STRONG_PRIOR
    return NONE


# --- distances -------------------------------------------------------------------------------------------------------


def cumulative_distance(values: Array, weights: Array, others: Array, moved: Array) -> float:
    """Square root of the cumulative Jensen-Shannon divergence of two weighted samples, between 0 and 1.

    As in Kallioinen et al. (2024): symmetric, over its upper bound for the range of the values, and the larger of those
    of the values and of their negatives, since it is not the same for both.

    Parameters
    ----------
    values, weights, others, moved : array, shape (S,) and (T,)
        The two samples and their weights, which need not sum to one.
    """
    points = np.concatenate([values, others])
    first = np.concatenate([weights / weights.sum(), np.zeros(others.size)])
    second = np.concatenate([np.zeros(values.size), moved / moved.sum()])
    order = np.argsort(points, kind="stable")
    width = np.diff(points[order])
    p, q = np.cumsum(first[order])[:-1], np.cumsum(second[order])[:-1]
    p, q = np.clip(p, 0.0, 1.0), np.clip(q, 0.0, 1.0)
    return math.sqrt(max(_divergence(width, p, q), _divergence(width[::-1], (1.0 - p)[::-1], (1.0 - q)[::-1])))


def _divergence(width: Array, p: Array, q: Array) -> float:
    bound = float(width @ (p + q))
    if bound <= 0.0:
        return 0.0
    middle = 0.5 * (p + q)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(p > 0.0, p * np.log2(np.where(p > 0.0, p / middle, 1.0)), 0.0)
        right = np.where(q > 0.0, q * np.log2(np.where(q > 0.0, q / middle, 1.0)), 0.0)
    shift = 0.5 / math.log(2.0) * float(width @ (q - p))
    return (max(float(width @ left) + shift, 0.0) + max(float(width @ right) - shift, 0.0)) / bound


# --- powers of densities ---------------------------------------------------------------------------------------------


class Part(NamedTuple):
    """Log density of the part of the posterior that is scaled at some points, shape (S,)."""

    name: str
    log_density: Array


def log_likelihood_at(design: Design, points: Array) -> Array:
    """Of every point, (S, p) to (S,)."""
    total = np.zeros(points.shape[0])
    for block in design.source.blocks():
        size = max(1, _AT_ONCE // points.shape[0])
        for lower in range(0, block.offset.size, size):
            part = slice(lower, lower + size)
            eta = block.X.take(part).toarray() @ points.T + block.offset[part, None]
            total += log_likelihoods(eta, block.successes[part], block.failures[part])
    return total


def scaled_terms(prior: ResolvedPrior, intercept: bool, has_intercept: bool) -> tuple[PriorTerm, ...]:
    """The proper terms that are scaled: all but that of the intercept alone."""
    own = (0,) if has_intercept and not intercept else None
    return tuple(term for term in prior.terms if term.proper and term.columns != own)


def log_prior_at(design: Design, prior: ResolvedPrior, terms: tuple[PriorTerm, ...], points: Array) -> Array:
    """Of every point, (S, p) to (S,): the terms given, and that of the whole model."""
    total = np.zeros(points.shape[0])
    for term in terms:
        u = points[:, list(term.columns)] if term.map is None else points @ term.map.T
        total += term.density.log_density(u, **term.parameters)
    if prior.whole == "jeffreys":
        target = LogPosterior.of(design, prior)
        gammas = np.array([target.coordinates.gamma(point) for point in points])
        cuts = range(0, gammas.shape[0], _POINTS_AT_ONCE)
        total += np.concatenate([target.whole_log_densities(gammas[k : k + _POINTS_AT_ONCE]) for k in cuts])
    elif prior.whole:
        pseudo = LogPosterior(design, prior).design
        total += log_likelihood_at(pseudo, points) - log_likelihood_at(design, points)
    return total


def _power_t(given: dict[str, Array], df: Array, alpha: float) -> tuple[str, dict[str, Array]]:
    # (1 + z^2 / (df s^2))^(-alpha (df + 1) / 2) is a t whose df' + 1 is alpha (df + 1), and df' s'^2 = df s^2.
    new = alpha * (df + 1.0) - 1.0
    if np.any(new <= 0.0):
        raise PriorError(f"A Student-t or Cauchy density to the power {alpha:g} is no density any more.")
    return "student_t", {"df": new, "mean": given["mean"], "scale": given["scale"] * np.sqrt(df / new)}


# A density of each family to a power, normalised again: the family and its parameters.
POWERS: dict[str, Callable[[dict[str, Array], float], tuple[str, dict[str, Array]]]] = {
    "normal": lambda given, a: ("normal", given | {"scale": given["scale"] / math.sqrt(a)}),
    "laplace": lambda given, a: ("laplace", given | {"scale": given["scale"] / a}),
    "elastic_net": lambda given, a: ("elastic_net", given | {"l1": given["l1"] * a, "l2": given["l2"] * a}),
    "student_t": lambda given, a: _power_t(given, given["df"], a),
    "cauchy": lambda given, a: _power_t(given, np.ones_like(given["scale"]), a),
    "multivariate_normal": lambda given, a: ("multivariate_normal", given | {"precision": given["precision"] * a}),
    "group_laplace": lambda given, a: ("group_laplace", given | {"scale": given["scale"] / a}),
}


def powered(prior: ResolvedPrior, terms: tuple[PriorTerm, ...], alpha: float) -> ResolvedPrior:
    """The prior with some of its terms to a power.

    Raises
    ------
    PriorError
        If the power of a term is no density, or there is a term of the whole model.
    """
    if prior.whole:
        raise PriorError("A prior of the whole model to a power is not a prior that can be fitted.")
    made = []
    for term in prior.terms:
        if any(term is each for each in terms):
            family, parameters = POWERS[term.family](dict(term.parameters), alpha)
            term = replace(term, family=family, parameters=parameters, basis=None)
        made.append(term)
    return replace(prior, terms=tuple(made), name=f"{prior.name}, to the power {alpha:g}")


def tempered(design: Design, alpha: float) -> Design:
    """The design with its likelihood to a power: every weight times ``alpha``.

    Raises
    ------
    FitError
        If the rows are not in memory.
    """
    source = design.source
    if not isinstance(source, MemorySource):
        raise FitError("A likelihood to a power is fitted to rows in memory only.")
    return replace(design, source=replace(source, weights=alpha * np.asarray(source.weights)))


# --- sensitivities ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """Points of a posterior, shape (S, p), and their log weights, shape (S,)."""

    points: Array
    log_weights: Array

    @classmethod
    def of_draws(cls, values: Array) -> Sample:
        """Points of equal weight."""
        return cls(values, np.zeros(values.shape[0]))

    @property
    def weights(self) -> Array:
        result: Array = np.exp(self.log_weights - self.log_weights.max())
        return result


@dataclass(frozen=True)
class PowerScaling:
    """Sensitivity of every column to one part of the posterior.

    Attributes
    ----------
    value : array, shape (p,)
        Distance that a doubling of the power would make, by differences at the two powers; NaN where it is not known.
    khat : float
        The larger tail index of the two sets of weights; NaN where no weight is more than twice the mean.
    by : {"reweighting", "refit"}
        How the posteriors at the powers were had.
    note : str
        Why there is no number, or what to know about it.
    """

    value: Array
    khat: float
    by: str
    note: str = ""


def power_scaling(
    base: Sample, log_density: Array, alphas: tuple[float, float], refit: Callable[[float], Sample]
) -> PowerScaling:
    """How much the posterior of each column moves when a part of it is raised to the powers ``alphas``.

    Parameters
    ----------
    base : Sample
    log_density : array, shape (S,)
        Of the part, at the points.
    alphas : (below 1, above 1)
    refit : function
        The posterior at a power, for where the weights do not carry so far (k-hat beyond its limit).
    """
    p, S = base.points.shape[1], base.points.shape[0]
    total, largest, by = np.zeros(p), math.nan, REWEIGHTED
    for alpha in alphas:
        ratio = (alpha - 1.0) * log_density
        moved = Sample(base.points, base.log_weights + ratio)
        if not _flat(ratio, base.weights):
            smoothed = smooth(moved.log_weights)
            largest = float(np.fmax(largest, smoothed.khat))
            moved = Sample(base.points, smoothed.log_weights)
            if not smoothed.khat <= khat_limit(S):
                by = REFITTED
                try:
                    moved = refit(alpha)
                except (FitError, PriorError) as error:
                    return PowerScaling(np.full(p, np.nan), largest, REFITTED, str(error))
        far = [
            cumulative_distance(base.points[:, j], base.weights, moved.points[:, j], moved.weights) for j in range(p)
        ]
        total += np.array(far) / abs(math.log2(alpha))
    return PowerScaling(0.5 * total, largest, by)


def _flat(ratio: Array, weights: Array) -> bool:
    """Whether no point weighs much more than before: then there is no tail to ask k-hat of, and nothing to smooth."""
    moved = np.exp(ratio - ratio.max())
    return float(weights @ moved) >= float(weights.sum()) / _FLAT
