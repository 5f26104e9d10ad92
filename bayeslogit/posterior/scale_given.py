"""A prior with unknown scales when these are given: normal densities, under which there is a mode to start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.errors import FitError
from bayeslogit.mode import Mode
from bayeslogit.posterior.laplace import LaplacePosterior
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
_STEPS = 12
_CLOSE = 0.05
# A common scale is not followed below and beyond these parts of where it started.
_LEAST, _MOST = 1e-3, 1e3


def open_terms(prior: ResolvedPrior) -> tuple[PriorTerm, ...]:
    """The terms with unknown scales."""
    return tuple(term for term in prior.terms if term.open)


def spread(term: PriorTerm) -> Array:
    """R with ``R R'`` the covariance of the columns of a term whose sds are 1: ``I``, or ``I + 11'`` about a mean."""
    k = len(term.columns)
    pooled = "pooled" in term.parameters and bool(term.parameters["pooled"][0])
    root: Array = np.eye(k) + (((1.0 + k) ** 0.5 - 1.0) / k if pooled else 0.0)
    return root


def given(prior: ResolvedPrior, sds: Sequence[Array], words: str = "") -> ResolvedPrior:
    """The prior with the sds of its open terms in their place, in order: each shape (d,).

    Parameters
    ----------
    words : str
        What is added to the name of the prior.
    """
    left = iter(sds)
    terms = tuple(_given(term, next(left)) if term.open else term for term in prior.terms)
    return replace(prior, terms=terms, name=f"{prior.name}{words}")


def _given(term: PriorTerm, sd: Array) -> PriorTerm:
    zero, root = np.zeros(sd.size), spread(term)
    if np.array_equal(root, np.eye(sd.size)):
        return PriorTerm("normal", term.columns, {"mean": zero, "scale": np.array(sd)})
    half = np.linalg.inv(sd[:, None] * root)
    return PriorTerm("multivariate_normal", term.columns, {"mean": zero, "precision": half.T @ half})


def without(prior: ResolvedPrior) -> ResolvedPrior:
    """The prior without its open terms: flat in their place."""
    terms = tuple(PriorTerm("flat", term.columns) if term.open else term for term in prior.terms)
    return replace(prior, terms=terms)


@dataclass(frozen=True, eq=False)
class Reference:
    """A posterior at some scales near those that the data ask for.

    Attributes
    ----------
    tau : tuple of float
        Of each open term, in its units.
    sds : tuple of array
        Of the columns of each open term.
    target : LogPosterior
    mode : Mode
    """

    tau: tuple[float, ...]
    sds: tuple[Array, ...]
    target: LogPosterior
    mode: Mode


def reference(design: Design, prior: ResolvedPrior) -> Reference:
    """Scales by a few steps of ``tau^2 = mean of E b^2`` at the Gaussian approximation; they only have to be near.

    Raises
    ------
    FitError
        If there is no mode at some scales.
    """
    terms = open_terms(prior)
    first = np.array([_first(term) for term in terms])
    tau, target, mode = first.copy(), None, None
    for _ in range(_STEPS):
        sds = tuple(one * term.parameters["unit"] for one, term in zip(tau, terms, strict=True))
        own = given(prior, sds)
        target = LogPosterior.of(design, own) if target is None else replace(target, prior=own, at=target.coordinates)
        mode = find_mode(target, start=None if mode is None else mode.beta)
        if not mode.converged:
            raise FitError(f"With the scales given there is no mode to start from. {mode.message}")
        sd = LaplacePosterior.at(mode).sd
        new = np.array([_step(term, mode.beta, sd) for term in terms])
        new = np.clip(new, _LEAST * first, _MOST * first)
        if np.all(np.abs(np.log(new / tau)) < _CLOSE):
            break
        tau = new
    assert target is not None and mode is not None
    return Reference(tuple(map(float, tau)), sds, target, mode)


def _first(term: PriorTerm) -> float:
    """A scale to begin with: that of the hyperprior, or of the slab."""
    return float(term.parameters["scale" if "scale" in term.parameters else "slab_scale"][0])


def _step(term: PriorTerm, beta: Array, sd: Array) -> float:
    index = list(term.columns)
    squares = (np.square(beta[index]) + np.square(sd[index])) / np.square(term.parameters["unit"])
    pooled = "pooled" in term.parameters and bool(term.parameters["pooled"][0])
    return float(np.sqrt(np.mean(squares) / (2.0 if pooled else 1.0)))
