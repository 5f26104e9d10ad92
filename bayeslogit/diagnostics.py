"""Is it the prior or the data? The prior's share of each coefficient's precision, and its pull on each estimate."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.mode import Mode, Status
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.solve import find_mode
from bayeslogit.steps import Factor
from bayeslogit.subspace import Subspace
from bayeslogit.target import LogPosterior, PriorTarget

Array = NDArray[np.float64]
_MIXED, _PRIOR_LED = 0.1, 0.5
# A pull of more posterior sds than this is no matter of first order: the fit is made again without the prior.
_LARGE = 0.5
_MOST_REFITS = 8
FIRST_ORDER, REFIT, NO_MODE, NOT_REFITTED = "first order", "refit", "no mode without it", "not refitted"
PULL_IN_WORDS = (
    "Pull: by how many sds a prior has moved the estimates that share it, to first order; where that exceeds "
    f"{_LARGE:g}, by the nearest fit without that prior (unless there is no mode without it, or none was made: a "
    "loaded fit, many terms). A dash: a normal prior or none, which have a share instead, or an estimate at a kink (as "
    "a rule, exactly zero), which has no sd to measure in."
)


def prior_share(sd: Array, prior_variance: Array) -> Array:
    """Posterior variance as a share of prior variance: 0 for a flat prior, 1 when the data say nothing. Shape (p,)."""
    share: Array = np.where(np.isfinite(prior_variance), np.square(sd) / prior_variance, 0.0 * sd)
    return np.minimum(share, 1.0)


def share_in_words(share: float) -> str | None:
    """Say "data-led" below 0.1, "mixed" to 0.5, "prior-led" above."""
    if np.isnan(share):
        return None
    if share < _MIXED:
        return "data-led"
    return "mixed" if share <= _PRIOR_LED else "prior-led"


def effective_parameters(factor: Factor, prior_information: Array) -> float:
    """``p - tr[(H+L)^-1 L]``: how many coefficients the data, not the prior, decide.

    It is the sum over observations of how far each fitted probability follows its own outcome, ``d mu_i / d y_i`` (the
    generalised degrees of freedom of the mode), which is p without a prior. A log prior that curves upwards at the mode
    (Jeffreys' away from its centre, the tails of a Student-t) adds to it: then it is more than p.

    The factor and the prior's information speak of the same coordinates; across the subspace of a wide design the
    posterior is the prior, and the data decide nothing.
    """
    return float(prior_information.shape[0] - np.sum(factor.inverse * prior_information))


def effective_in_words(effective: float, p: int) -> str:
    """Beside the number of columns, and what it means to be more than that."""
    words = f"{effective:.2f} of {p:,}"
    if effective < p + 0.005:
        return words
    return f"{words} (more, as the log prior curves upwards at the mode: the fit follows the data closer than without)"


@dataclass(frozen=True)
class Pulls:
    """How far the prior has moved each estimate.

    Attributes
    ----------
    value : array, shape (p,)
        In posterior sds, estimate with the prior less estimate without; NaN for normal priors (which have a share of
        the precision instead), without a prior, and for estimates at a kink.
    by : tuple of str
        "first order"; "refit"; or why a large one is still of first order: "no mode without it", "not refitted".
        Empty where there is no value.
    """

    value: Array
    by: tuple[str, ...]


def pulls(mode: Mode, prior: ResolvedPrior, sd: Array, design: Design | None) -> Pulls:
    """The pull of each prior that is not normal: ``V score / sd``, or by refit where that is large.

    Parameters
    ----------
    sd : array, shape (p,)
        Posterior sds of the coefficients.
    design : Design or None
        The data, where they are at hand.
    """
    p = len(prior.columns)
    value, by = np.full(p, np.nan), np.full(p, "", dtype=object)
    gaussian = prior.gaussian
    terms = [term for term in prior.terms if not gaussian[list(term.columns)].all()]
    if mode.factor is None or (prior.whole and design is None):
        return Pulls(value, tuple(by))
    common = _whole_score(mode, prior, design) if prior.whole and design is not None else np.zeros(p)
    target, gamma = PriorTarget(prior, mode.coordinates), mode.coordinates.gamma(mode.beta)
    for term in terms:
        own, score = list(term.columns), common + (target.score_of(term, gamma) if term.proper else 0.0)
        moved = mode.coordinates.beta(_covariance_times(mode, score))
        value[own] = moved[own] / sd[own]
        by[own] = np.where(np.isnan(value[own]), "", np.where(np.abs(value[own]) > _LARGE, NOT_REFITTED, FIRST_ORDER))
    if design is not None:
        first = value.copy()
        large = [term for term in terms if _largest(first, term) > _LARGE]
        for term in sorted(large, key=lambda each: -_largest(first, each))[:_MOST_REFITS]:
            refitted = np.array([j for j in term.columns if abs(first[j]) > _LARGE])
            without = LogPosterior.of(design, _without(prior, term))
            found = find_mode(without, start=mode.beta, covariance=False, examine=False)
            undecided = NOT_REFITTED if found.status is Status.ITERATION_LIMIT else NO_MODE
            by[refitted] = REFIT if found.converged else undecided
            if found.converged:
                value[refitted] = (mode.beta - found.beta)[refitted] / sd[refitted]
    return Pulls(value, tuple(by))


def _largest(pull: Array, term: PriorTerm) -> float:
    return float(np.max(np.nan_to_num(np.abs(pull[list(term.columns)]), nan=0.0), initial=0.0))


def _without(prior: ResolvedPrior, term: PriorTerm) -> ResolvedPrior:
    """The prior less one term, and less that of the whole model."""
    terms = tuple(PriorTerm("flat", each.columns) if each is term else each for each in prior.terms)
    return replace(prior, terms=terms, whole="")


def _whole_score(mode: Mode, prior: ResolvedPrior, design: Design) -> Array:
    """Of the term of the whole model at the mode: what balances the likelihood and the other terms there."""
    rest = LogPosterior(design, replace(prior, whole=""), mode.coordinates)
    gamma = mode.coordinates.gamma(mode.beta)
    return -rest.kinks.violation(gamma, rest.slope(gamma).score)


def _covariance_times(mode: Mode, score: Array) -> Array:
    """``V score`` in working coordinates; zero for what is at a kink."""
    assert mode.factor is not None
    if mode.subspace is None:
        return mode.factor.solve(score)
    across = mode.subspace.scale * score[mode.subspace.reduced] if isinstance(mode.subspace, Subspace) else np.zeros(0)
    inside = mode.factor.solve(mode.subspace.project(score[None])[0])
    return mode.subspace.lift(inside[:, None], across[:, None])[:, 0]
