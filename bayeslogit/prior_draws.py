"""Draws of a resolved prior: one table says how each family is drawn from its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from bayeslogit.draw_arguments import count, generator
from bayeslogit.errors import PriorError
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.unknown_scales import OPEN

Array = NDArray[np.float64]
Sampler = Callable[..., Array]
# Beyond this ratio of rates the quadratic part of an elastic net is not seen in double precision.
_STRAIGHT = 1e6


def _elastic_net(rng: np.random.Generator, n: int, mean: Array, l1: Array, l2: Array) -> Array:
    """A sign times a normal of mean ``-l1 / l2`` and variance ``1 / l2`` cut off below zero, or an exponential."""
    from scipy.stats import truncnorm

    curved = (l2 > 0.0) & (l1 < _STRAIGHT * np.sqrt(l2))
    ridge = np.where(curved, l2, 1.0)
    shift = np.where(curved, l1, 0.0) / np.sqrt(ridge)
    size = np.where(
        curved,
        (truncnorm.rvs(shift, np.inf, size=(n, mean.size), random_state=rng) - shift) / np.sqrt(ridge),
        rng.standard_exponential((n, mean.size)) / np.where(l1 > 0.0, l1, 1.0),
    )
    result: Array = mean + rng.choice([-1.0, 1.0], size=(n, mean.size)) * size
    return result


def _joint(rng: np.random.Generator, n: int, mean: Array, precision: Array) -> Array:
    half = np.linalg.cholesky(precision)
    result: Array = mean + np.linalg.solve(half.T, rng.standard_normal((mean.size, n))).T
    return result


def _group(rng: np.random.Generator, n: int, scale: Array) -> Array:
    """A direction, and a length with density ``r^(d - 1) exp(-r / s)``."""
    direction = rng.standard_normal((n, scale.size))
    length = rng.gamma(scale.size, float(scale[0]), size=(n, 1))
    result: Array = length * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return result


SAMPLERS: Mapping[str, Sampler] = {
    "normal": lambda rng, n, mean, scale: rng.normal(mean, scale, (n, mean.size)),
    "laplace": lambda rng, n, mean, scale: rng.laplace(mean, scale, (n, mean.size)),
    "elastic_net": _elastic_net,
    "student_t": lambda rng, n, df, mean, scale: mean + scale * rng.standard_t(df, (n, mean.size)),
    "cauchy": lambda rng, n, mean, scale: mean + scale * rng.standard_cauchy((n, mean.size)),
    "multivariate_normal": _joint,
    "group_laplace": _group,
}


def draw_prior(prior: ResolvedPrior, n: int, rng: int | np.random.Generator) -> Array:
    """Independent draws of the coefficients, in the user's columns; shape (n, p).

    Parameters
    ----------
    n : int
        Number of draws.
    rng : int or Generator

    Raises
    ------
    PriorError
        If some coefficient has no proper prior, or a term of the whole model rules them.
    ArgumentError
        If ``n`` is not a positive whole number, or ``rng`` no seed.
    """
    n, rng = count("n", n), generator(rng)
    if prior.whole:
        raise PriorError(f"The prior {prior.name} is a function of the whole model: it cannot be drawn from.")
    flat = [prior.columns[j] for j in np.flatnonzero(prior.flat)]
    if flat:
        more = f" and {len(flat) - 6} more" if len(flat) > 6 else ""
        raise PriorError(
            f"The prior of {', '.join(flat[:6])}{more} is flat, which is no distribution: there is nothing to draw. "
            "Give it a proper prior, for example bayeslogit.priors(..., intercept=bayeslogit.Normal(5))."
        )
    result = np.empty((n, len(prior.columns)))
    mapped = [term for term in prior.terms if term.map is not None]
    for term in prior.terms:
        result[:, list(term.columns)] = _functions(term, rng, n)
    for term in mapped:
        # u = b_j + a' b_rest was drawn in the place of b_j; the rest is known.
        assert term.map is not None
        index = list(term.columns)
        others = np.array(term.map)
        others[np.arange(len(index)), index] = 0.0
        result[:, index] -= result @ others.T
    return result


def _functions(term: PriorTerm, rng: np.random.Generator, n: int) -> Array:
    if term.open:
        return OPEN[term.family].draw(rng, n, **term.parameters)
    if term.family not in SAMPLERS:
        raise PriorError(f"Nothing is known of how to draw from the prior family {term.family!r}.")
    return SAMPLERS[term.family](rng, n, **term.parameters)
