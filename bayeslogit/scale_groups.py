"""One prior scale for each group of columns, by evidence: empirical Bayes, automatic relevance.

The slope of the log evidence in the log scale of a group is exact for whatever the posterior moments are exact for
(`scale_evidence`); at its zero ``tau_g^2 = E |b_g|^2 / d_g`` for normal priors. First the evidence lower bound of the
nearest Gaussian is climbed, whose slopes are the same with its own moments, then Newton steps with certified moments
lead from there to the optimum of the evidence itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError, FitError
from bayeslogit.mode import Mode
from bayeslogit.multiples import Base
from bayeslogit.posterior.gaussians import sample_variational
from bayeslogit.posterior.rung import Rung
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.scale_evidence import FIRST, MOST, center, evidence_rung, moving, slope_of
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
Groups = Mapping[str, tuple[int, ...]]
# Families whose columns can have scales of their own.
SEPARABLE = frozenset({"normal", "laplace", "student_t", "cauchy"})
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
_NODE_WEIGHTS = _NODE_WEIGHTS / _NODE_WEIGHTS.sum()
_NEWTON_STEPS = 6
_DIFFERENCE = 0.05
_CLOSE, _LONGEST = 0.01, 1.0


@dataclass(frozen=True, eq=False)
class GroupScales:
    """The scales at the optimum; every array has shape (G,).

    Attributes
    ----------
    scale : array
        Multiples of the base scales.
    log_sd : array
        Sd of the log scale by the curvature of the log evidence; NaN at a boundary.
    slope, slope_se : array
        Of the log evidence in each log scale at the end, and its Monte-Carlo error.
    boundary : tuple of str or None
        "zero", "infinity" or None.
    log_evidence, se : float
        Maximised over the scales, and its Monte-Carlo error.
    level : str
        "certified", "approximate" or "failed".
    evaluations : int
        Posteriors looked at in all.
    rung : Rung
    """

    scale: Array
    log_sd: Array
    slope: Array
    slope_se: Array
    boundary: tuple[str | None, ...]
    log_evidence: float
    se: float
    level: str
    evaluations: int
    rung: Rung


class _Model:
    """Targets at any scales of the groups."""

    def __init__(self, design: Design, prior: ResolvedPrior, base: Base, groups: Groups) -> None:
        self.prior, self.base, self.groups = prior, base, groups
        self.first = LogPosterior.of(design, base.multiple(prior, 1.0))
        self.mode: Mode | None = None
        self.evaluations = 0

    def at(self, logs: Array) -> tuple[LogPosterior, Mode]:
        unit = self.base.unit.copy()
        for columns, log in zip(self.groups.values(), logs, strict=True):
            unit[list(columns)] *= math.exp(log)
        prior = replace(self.base, unit=unit).multiple(self.prior, 1.0)
        target = replace(self.first, prior=prior, at=self.first.coordinates)
        mode = find_mode(target, start=None if self.mode is None else self.mode.beta)
        if not mode.converged:
            raise FitError(f"choose_scales(): there is no mode at some scales. {mode.message}")
        self.mode = mode
        self.evaluations += 1
        return target, mode

    def picked(self, target: LogPosterior, columns: tuple[int, ...]) -> list[tuple[PriorTerm, NDArray[np.bool_]]]:
        """The part of each term that belongs to a group."""
        own = [(term, np.isin(term.columns, columns)) for term in moving(target.prior)]
        return [(term, mask) for term, mask in own if mask.any()]

    def variational(self, logs: Array) -> tuple[float, Array]:
        """The evidence lower bound and its slopes."""
        target, mode = self.at(logs)
        rung = sample_variational(target, mode, 1, 0)
        slopes = [
            sum(gaussian_slope(term, mask, rung.mean, rung.sd) for term, mask in self.picked(target, columns))
            for columns in self.groups.values()
        ]
        return rung.log_evidence, np.array(slopes)

    def certified(self, logs: Array, seed: int) -> tuple[Rung, str, Array, Array]:
        target, mode = self.at(logs)
        rung, level = evidence_rung(target, mode, np.random.default_rng(seed), first=FIRST, most=MOST)
        found = [slope_of(rung, self.picked(target, columns)) for columns in self.groups.values()]
        return rung, level, np.array([each[0] for each in found]), np.array([each[1] for each in found])


def gaussian_slope(term: PriorTerm, mask: NDArray[np.bool_], mean: Array, sd: Array) -> float:
    """``E[d log density / d log scale]`` of some columns of a separable term under independent normal marginals."""
    index = list(term.columns)
    m, s = mean[index], sd[index]
    u = m + _NODES[:, None] * s
    away = u - center(term)
    total = _NODE_WEIGHTS @ -(away * term.density.score(u, **term.parameters)) - 1.0
    if term.density.kink is not None:
        at, rate = term.density.kink(**term.parameters)
        z = (m - at) / s
        folded = s * (math.sqrt(2.0 / math.pi) * np.exp(-0.5 * z * z) + z * erf(z / math.sqrt(2.0)))
        total = total + rate * folded
    return float(np.sum(total[mask]))


def choose_group_scales(
    design: Design,
    prior: ResolvedPrior,
    base: Base,
    groups: Groups,
    *,
    lowest: float,
    highest: float,
    rng: int | np.random.Generator = 0,
) -> GroupScales:
    """The scales that maximise the log evidence.

    Parameters
    ----------
    groups : mapping of str to tuple of int
        Positions of the columns of each group; together the columns of all terms that have a scale.
    lowest, highest : float
        A group whose evidence still rises there is at its boundary.

    Raises
    ------
    ArgumentError
        If a family ties its columns together.
    FitError
        If there is no mode, or nothing bounds some direction.
    """
    from scipy.optimize import minimize

    tied = [term.family for term in moving(prior) if term.family not in SEPARABLE]
    if tied:
        raise ArgumentError(
            "choose_scales(): groups have scales of their own under normal, Laplace, Student-t and Cauchy priors, "
            f"not under {tied[0].replace('_', ' ')}."
        )
    model, seed = _Model(design, prior, base, groups), int(np.random.default_rng(rng).integers(1 << 62))
    low, high = math.log(lowest), math.log(highest)

    def down(logs: Array) -> tuple[float, Array]:
        value, slopes = model.variational(logs)
        return -value, -slopes

    start = np.full(len(groups), min(max(math.log(lowest) + 3.0, low), high))
    found = minimize(
        down,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(low, high)] * start.size,
        options={"gtol": 1e-4, "ftol": 1e-10, "maxiter": 100},
    )
    x = np.clip(np.asarray(found.x, dtype=np.float64), low, high)
    free = (x > low + 1e-9) & (x < high - 1e-9)
    information = _information(model, x, free)
    rung, level, slope, error = model.certified(x, seed)
    for _ in range(_NEWTON_STEPS):
        if not free.any():
            break
        step = np.zeros_like(x)
        step[free] = np.linalg.solve(information[np.ix_(free, free)], slope[free])
        step = np.clip(step, -_LONGEST, _LONGEST)
        if np.all((np.abs(step) <= _CLOSE) | (np.abs(slope) <= error) | ~free):
            break
        x = np.clip(x + step, low, high)
        rung, level, slope, error = model.certified(x, seed)
        free = ~(((x <= low) & (slope <= 0.0)) | ((x >= high) & (slope >= 0.0)))
    log_sd = np.full(x.size, np.nan)
    if free.any():
        log_sd[free] = np.sqrt(np.diag(np.linalg.inv(information[np.ix_(free, free)])))
    boundary = tuple(
        None if is_free else "zero" if at <= 0.5 * (low + high) else "infinity"
        for is_free, at in zip(free, x, strict=True)
    )
    return GroupScales(
        np.exp(x),
        log_sd,
        slope,
        error,
        boundary,
        rung.log_evidence,
        rung.log_evidence_se,
        level,
        model.evaluations,
        rung,
    )


def _information(model: _Model, x: Array, free: NDArray[np.bool_]) -> Array:
    """Minus the second derivatives of the lower bound in the log scales, made positive definite; shape (G, G)."""
    result = np.eye(x.size)
    index = np.flatnonzero(free)
    for g in index:
        step = np.zeros_like(x)
        step[g] = _DIFFERENCE
        result[:, g] = (model.variational(x - step)[1] - model.variational(x + step)[1]) / (2.0 * _DIFFERENCE)
    part = 0.5 * (result + result.T)[np.ix_(free, free)]
    values, vectors = np.linalg.eigh(part)
    result = np.eye(x.size)
    # The evidence may be all but level in a direction: then no step is longer than one in the log.
    result[np.ix_(free, free)] = (vectors * np.maximum(values, 0.05)) @ vectors.T
    return result
