"""Modes along an axis of prior scales: where the axis begins and ends, and what is recorded at each point."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.diagnostics import effective_parameters
from bayeslogit.errors import ArgumentError, FitError
from bayeslogit.held import held_by_prior
from bayeslogit.mode import Mode
from bayeslogit.multiples import Base, moves
from bayeslogit.posterior.covariances import prior_information
from bayeslogit.posterior.laplace import LaplacePosterior
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.solve import find_mode
from bayeslogit.steps import cholesky_factor
from bayeslogit.target import LogPosterior
from bayeslogit.warm_start import sequence

Array = NDArray[np.float64]
# How far the axis goes from its first scale, with more rows than columns and without.
_FAR, _NEAR = 1e3, 1e2
_FARTHEST = 1e4
# Smooth priors: all slopes together have so many effective parameters where the axis begins, and where it ends no
# prior holds so much of its coefficient's precision.
_LITTLE, _SHARE = 0.05, 0.01
_EXACT = 1e-10
_TIE = 1e-9
_MOST_COLUMNS = 2000
_NEVER = 1e-150
# With more columns only complete separation at the last mode is looked for, which needs no covariance.
_MOST_HELD = 500


@dataclass(frozen=True)
class Points:
    """The modes along a path; S scales, p columns.

    Attributes
    ----------
    scales : array, shape (S,)
        Multiples of the base scales, ascending: the heaviest penalty first.
    coefficients : array, shape (S, p)
        Modes, in the user's columns.
    sd : array, shape (S, p), or None
        By the Gaussian approximation; None with kinks.
    nonzero : array of int, shape (S,)
        Coefficients away from the kink of their prior, the intercept and flat ones among them; p without kinks.
    effective : array, shape (S,)
        Effective parameters: ``tr[(H+L)^-1 H]`` over the coefficients away from kinks.
    log_likelihood, log_posterior : array, shape (S,)
    violation : array, shape (S,)
        Of the optimality condition, in posterior sds (``max |v_j| sd_j``, or a Newton decrement, which is no smaller).
    passes, informations : array of int, shape (S,)
    status, messages : tuple of str
    notes : tuple of str
        Whether estimates are finite only because of the prior, asked at the last scale if at all.
    """

    scales: Array
    coefficients: Array
    sd: Array | None
    nonzero: NDArray[np.intp]
    effective: Array
    log_likelihood: Array
    log_posterior: Array
    violation: Array
    passes: NDArray[np.intp]
    informations: NDArray[np.intp]
    status: tuple[str, ...]
    messages: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def converged(self) -> NDArray[np.bool_]:
        return np.array([status == "converged" for status in self.status])


def along(
    design: Design, prior: ResolvedPrior, base: Base, scales: Array, *, tol: float, max_iter: int, held: bool = False
) -> Points:
    """The modes under multiples of a prior, each search starting from the mode before.

    Parameters
    ----------
    prior : ResolvedPrior
    scales : array, shape (S,)
        Ascending.
    tol : float
        Largest accepted violation, in posterior sds.
    held : bool
        Whether to ask if estimates are finite only because of the prior.
    """
    priors = [base.multiple(prior, float(scale)) for scale in scales]
    first = LogPosterior.of(design, priors[0])
    targets = [first, *(replace(first, prior=each, at=first.coordinates) for each in priors[1:])]
    smooth = not first.kinks
    coefficients = np.empty((scales.size, len(prior.columns)))
    sd = np.empty_like(coefficients) if smooth else None
    nonzero = np.empty(scales.size, dtype=np.intp)
    numbers = np.empty((4, scales.size))
    modes = []
    for s, (target, mode) in enumerate(zip(targets, sequence(targets, tol=tol, max_iter=max_iter), strict=True)):
        coefficients[s] = mode.beta
        if sd is not None:
            sd[s] = LaplacePosterior.at(mode).sd
        nonzero[s] = target.kinks.active(mode.coordinates.gamma(mode.beta)).size
        whole = 0.0 if mode.whole is None else mode.whole.log_density
        likelihood = mode.log_density - priors[s].log_density(mode.beta) - whole
        effective = _effective(mode, priors[s], int(nonzero[s]))
        numbers[:, s] = effective, likelihood, mode.log_density, mode.decrement
        modes.append((mode.n_passes, mode.n_hessians, mode.status.value, mode.message))
    passes, informations, status, messages = zip(*modes, strict=True)
    notes = _held(design, target, mode) if held and mode.converged else ()
    return Points(
        scales=scales,
        coefficients=coefficients,
        sd=sd,
        nonzero=nonzero,
        effective=numbers[0],
        log_likelihood=numbers[1],
        log_posterior=numbers[2],
        violation=numbers[3],
        passes=np.array(passes),
        informations=np.array(informations),
        status=status,
        messages=messages,
        notes=notes,
    )


def _held(design: Design, target: LogPosterior, mode: Mode) -> tuple[str, ...]:
    """The note that estimates are finite only because of the prior; a covariance tells, where it costs little."""
    if mode.factor is None and mode.beta.size <= _MOST_HELD:
        mode = find_mode(target, start=mode.beta, examine=False)
    return held_by_prior(design, target, mode) if mode.converged else ()


def _effective(mode: Mode, prior: ResolvedPrior, nonzero: int) -> float:
    if mode.factor is not None:
        return effective_parameters(mode.factor, prior_information(mode, prior))
    return float(nonzero) if mode.converged else math.nan


def check_moves(prior: ResolvedPrior) -> None:
    """Raise `ArgumentError` if no term of the prior has a scale to multiply."""
    if any(moves(term, prior.columns) for term in prior.terms):
        return
    if prior.columns == ("Intercept",):
        raise ArgumentError("path(): this model has no slopes, and the prior of an intercept alone stays as it is.")
    raise ArgumentError(f"path(prior={prior.name}): no term of this prior has a scale to multiply.")


def useful_scales(design: Design, prior: ResolvedPrior, base: Base, count: int) -> Array:
    """``count`` scales, evenly spaced on the log axis, from the smallest at which anything happens.

    With kinks that is the scale at which the first coefficient is about to leave its own; the axis goes on to 1,000
    times that (100 with fewer rows than columns). A smooth prior begins where all slopes together have 0.05 effective
    parameters, and ends where every prior holds less than 1 % of the precision of its coefficient, or where priors with
    kinks would end.

    Raises
    ------
    ArgumentError
        If no term of the prior has a scale.
    FitError
        If there is no fit with every coefficient at its kink, or the outcome pulls none of them away.
    """
    check_moves(prior)
    far = _FAR if design.n_rows > len(prior.columns) else _NEAR
    target = LogPosterior.of(design, prior)
    if target.kinks:
        first = _first_to_leave(design, prior, base)
        return first * np.geomspace(1.0, far, count)
    first = _solved(lambda c: _pull(design, base.multiple(prior, c)) - _LITTLE)
    last = far * first
    if far == _FAR and len(prior.columns) <= _MOST_COLUMNS:
        last = min(_end(design, prior, base, first) or last, _FARTHEST * first)
    return first * np.geomspace(1.0, max(last / first, 10.0), count)


def _first_to_leave(design: Design, prior: ResolvedPrior, base: Base) -> float:
    """The multiple at which the score of some coefficient at its kink is as large as its rate."""
    moving = [term for term in prior.terms if moves(term, prior.columns)]
    kinked = [term for term in moving if term.density.kink is not None or term.density.group is not None]
    fixed = len(moving) == len(kinked)
    lowest, by = 0.0, 1.0
    for _ in range(60):
        held = [base.multiple(replace(prior, terms=(term,)), _NEVER if term in kinked else by) for term in prior.terms]
        target = LogPosterior.of(design, replace(prior, terms=tuple(part.terms[0] for part in held)))
        mode = find_mode(target, tol=_EXACT, covariance=False, examine=False)
        if not mode.converged:
            raise FitError(f"path(): there is no fit to begin with, every coefficient at its kink. {mode.message}")
        own = LogPosterior.of(design, base.multiple(prior, 1.0)).kinks
        groups = own.groups
        with np.errstate(divide="ignore", invalid="ignore"):
            single = np.where(own.rate > 0.0, own.rate / np.abs(mode.score), np.inf)
            joint = groups.rate / groups.lengths(mode.score)
        # A kink that does not move, such as that of an intercept, is no place to begin.
        for term in prior.terms:
            if not moves(term, prior.columns):
                single[list(term.columns)] = np.inf
        lowest = float(min(np.min(single, initial=np.inf), np.min(joint, initial=np.inf)))
        if not math.isfinite(lowest):
            raise FitError("path(): the outcome pulls no coefficient away from its kink, whatever the scale.")
        if fixed or abs(lowest - by) <= _TIE * by:
            break
        by = lowest
    return lowest * (1.0 - _TIE)


def _spread(design: Design) -> Array:
    """Diagonal of the likelihood's information with the same probability for all, shape (p,)."""
    rate = (design.n_events + 0.5) / (design.nobs + 1.0)
    m = design.moments
    squares = m.squares if design.has_intercept else m.squares + m.count * np.square(m.mean)
    return rate * (1.0 - rate) * (np.concatenate([[design.nobs], squares]) if design.has_intercept else squares)


def _precisions(prior: ResolvedPrior) -> Array:
    """Of the terms that move, each coefficient given the others at its centre; 0 elsewhere. Shape (p,)."""
    result = np.zeros(len(prior.columns))
    for term in prior.terms:
        if moves(term, prior.columns):
            center = np.asarray(term.parameters["mean"], dtype=np.float64)
            curve = term.density.information(center, **term.parameters)
            result[list(term.columns)] = np.diag(curve) if curve.ndim == 2 else curve
    return result


def _pull(design: Design, prior: ResolvedPrior) -> float:
    """Effective parameters of the moving slopes while these are few."""
    precision = _precisions(prior)
    free = precision > 0.0
    return float(np.sum(_spread(design)[free] / precision[free]))


def _end(design: Design, prior: ResolvedPrior, base: Base, first: float) -> float | None:
    """Where every prior holds less than `_SHARE` of the precision of its coefficient; None if columns are dependent."""
    flat = LogPosterior.of(design, prior)
    gamma = np.zeros(len(prior.columns))
    factor = cholesky_factor(flat.likelihood(gamma).information * (4.0 * _variance(design)))
    if factor is None:
        return None
    variance = factor.coordinate_variances()
    return _solved(lambda c: _SHARE - float(np.max(_precisions(base.multiple(prior, c)) * variance)), first)


def _variance(design: Design) -> float:
    rate = (design.n_events + 0.5) / (design.nobs + 1.0)
    return rate * (1.0 - rate)


def _solved(rises: Callable[[float], float], start: float = 1.0) -> float:
    """Where an increasing function of a scale crosses zero, to a part in a thousand."""
    low = high = start
    while rises(low) > 0.0 and low > 1e-100:
        low /= 10.0
    while rises(high) < 0.0 and high < 1e100:
        high *= 10.0
    while high > low * 1.001:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if rises(middle) < 0.0 else (low, middle)
    return math.sqrt(low * high)
