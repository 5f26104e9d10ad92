"""One fit with many kinks, by way of heavier penalties: few columns are ever looked at closely.

The prior is drawn in until hardly a column is away from its kink, then let out in a few strides with the steps of
`chords`; only the last is taken to the end.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.chords import Arrived, Chords
from bayeslogit.mode import Mode, Road, Status
from bayeslogit.multiples import Base
from bayeslogit.newton import POLISHED
from bayeslogit.separable import serves
from bayeslogit.steps import WELL_CONDITIONED, cholesky_factor
from bayeslogit.subspace import Support
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
_STRIDE = 2.0
_COARSE = 0.3
_MOST_STEPS = 60


def continued(target: LogPosterior, gamma: Array, tol: float, *, covariance: bool = True) -> Mode | None:
    """The mode from ``gamma``; None where this way does not serve, or does not arrive.

    Flat slopes are left to searches that ask whether they are separated.
    """
    flat = target.prior.flat
    if not serves(target) or np.any(flat[int(target.design.has_intercept) :]):
        return None
    chords = Chords(target, gamma)
    rate = target.kinks.rate
    pull = float(np.max(np.abs(chords.scores[rate > 0.0]) / rate[rate > 0.0], initial=0.0))
    strides = max(math.ceil(math.log(max(pull, 1.0)) / math.log(_STRIDE)), 1)
    own = Base("raw", np.ones(rate.size))
    for k in range(strides - 1, 0, -1):
        prior = own.multiple(target.prior, max(pull, 1.0) ** (-k / strides))
        near = replace(target, prior=prior, at=target.coordinates)
        if chords.fit(near, _COARSE, _MOST_STEPS) is None:
            return None
    arrived = chords.fit(target, min(tol, POLISHED), _MOST_STEPS, information=covariance)
    if arrived is None:
        return None
    total = replace(arrived, passes=chords.passes, informations=chords.informations)
    found = arrived_mode(target, total)
    weak = covariance and (found.factor is None or found.factor.smallest_pivot < WELL_CONDITIONED)
    return None if weak or found.decrement > tol else replace(found, road=Road.WORKING_SETS)


def arrived_mode(target: LogPosterior, arrived: Arrived) -> Mode:
    """The end of chord steps as a mode; its violation by the information there, if that was formed."""
    kinks = target.kinks
    active = kinks.active(arrived.gamma)
    support, factor, violation = None, None, arrived.violation
    if arrived.information is not None:
        curve = np.zeros(arrived.gamma.size)
        for term, _ in target.prior_target.proper_terms:
            curve[term.index] += term.density.information(arrived.gamma[term.index], **term.parameters)
        support = Support(active, arrived.gamma.size, np.diag(curve[active]))
        factor = cholesky_factor(arrived.information, target.design.source.compiled)
        if factor is not None:
            left = np.abs(kinks.violation(arrived.gamma, arrived.score))[active]
            violation = float(np.max(left * np.sqrt(factor.coordinate_variances()), initial=0.0))
    words = f"the optimality condition holds to {violation:.1e} posterior sd after {arrived.steps} steps."
    return Mode(
        beta=target.coordinates.beta(arrived.gamma),
        log_density=arrived.log_density,
        score=arrived.score,
        information=arrived.information,
        status=Status.CONVERGED,
        message=f"Converged: {words}",
        decrement=violation,
        road=Road.CHORDS,
        n_passes=arrived.passes,
        n_hessians=arrived.informations,
        trace=(),
        coordinates=target.coordinates,
        factor=factor,
        subspace=support,
        notes=kink_notes(active.size, arrived.gamma.size),
    )


def kink_notes(active: int, p: int) -> tuple[str, ...]:
    """What a reader should know of exact zeros."""
    if active == p:
        return ()
    return (
        f"{p - active} of {p} coefficients are exactly at the kink of their prior and have no standard error; the "
        "others' are given the zero set, and too narrow.",
    )
