"""Do two objectives have one optimum? Each one's score at the optimum of the other, on the user's data.

An objective is judged by its own cost function, not by what it was converted to: its slopes are differences of its
values, which are exact for squares and absolute values. Scores are those of the centred columns, in posterior sds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError
from bayeslogit.penalties import Objective, Penalty
from bayeslogit.posterior.laplace import LaplacePosterior
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.solve import find_mode
from bayeslogit.target import Coordinates, LogPosterior

Array = NDArray[np.float64]
CERTIFIED = 1e-8


@dataclass(frozen=True)
class Optimum:
    """Where a penalised likelihood is largest, with the posterior sds there; arrays of shape (p,).

    ``problem`` says why there is none; empty if it was found.
    """

    beta: Array
    sd: Array
    problem: str = ""


@dataclass(frozen=True)
class Proof:
    """Whether two objectives have the same optimum on the data of a design; arrays of shape (p,).

    Attributes
    ----------
    optimum : array
        Of the source's objective, log-odds.
    sd : array
        Posterior sds there; of a coefficient that is exactly 0, that of its own curvature alone.
    source_score, target_score : array
        Score of each objective at the optimum of the other, over its own factor, times the posterior sd. Where a
        coefficient is at a kink: what the kink leaves of it, or how far the two kinks differ (of a kink of
        more than 1 sd, as a share), if that is more.
    factor : float
        The source's objective is this many times the target's.
    problem : str
        Why nothing could be proved; empty if it was tried.
    """

    optimum: Array
    sd: Array
    source_score: Array
    target_score: Array
    factor: float
    problem: str = ""

    @property
    def largest(self) -> float:
        """The largest score of either objective at the other's optimum, in posterior sds; NaN if there is none."""
        scores = np.abs(np.concatenate([self.source_score, self.target_score]))
        return math.nan if self.problem else float(scores.max(initial=0.0))

    @property
    def certified(self) -> bool:
        return self.largest < CERTIFIED

    def __str__(self) -> str:
        if self.problem:
            return f"Not proved: {self.problem}"
        verdict = "Certified" if self.certified else "NOT CERTIFIED"
        return (
            f"{verdict}: on these data each objective's score at the optimum of the other is at most "
            f"{self.largest:.1e} posterior sd (limit {CERTIFIED:g}); the first is {self.factor:.6g} times the second."
        )


def prior_terms(penalty: Penalty) -> tuple[PriorTerm, ...]:
    """A penalty as terms of a prior."""
    ridge, lasso = penalty.lambda2 > 0.0, penalty.lambda1 > 0.0
    families: tuple[tuple[str, Any, dict[str, Any]], ...] = (
        ("flat", ~ridge & ~lasso, {}),
        ("normal", ridge & ~lasso, {"scale": lambda j: 1.0 / np.sqrt(penalty.lambda2[j])}),
        ("laplace", lasso & ~ridge, {"scale": lambda j: 1.0 / penalty.lambda1[j]}),
        ("elastic_net", lasso & ridge, {"l1": lambda j: penalty.lambda1[j], "l2": lambda j: penalty.lambda2[j]}),
    )
    terms = []
    for family, mask, numbers in families:
        columns = np.flatnonzero(mask)
        if columns.size:
            own = {name: value(columns) for name, value in numbers.items()}
            mean = {} if family == "flat" else {"mean": penalty.mean[columns]}
            terms.append(PriorTerm(family, tuple(map(int, columns)), {**mean, **own}))
    return tuple(sorted(terms, key=lambda term: term.columns))


def optimum(design: Design, penalty: Penalty) -> Optimum:
    """The mode of the likelihood less the penalty, to 1e-10 posterior sd."""
    target = LogPosterior.of(design, ResolvedPrior(design.columns, prior_terms(penalty), "converted"))
    mode = find_mode(target, tol=1e-10)
    if not mode.converged:
        return Optimum(mode.beta, np.full(mode.beta.size, math.nan), mode.message)
    sd = LaplacePosterior.at(mode).sd
    held = np.isnan(sd)
    if held.any():
        # At a kink there is no posterior sd; the curvature alone gives the unit.
        here = target.expand(target.coordinates.gamma(mode.beta))
        sd[held] = 1.0 / np.sqrt(np.maximum(here.information.diagonal()[held], 1e-300))
    return Optimum(mode.beta, sd, "")


def likelihood_of(design: Design, *, centred: bool) -> LogPosterior:
    """The likelihood alone, in columns that are centred or in the user's."""
    flat = PriorTerm("flat", tuple(range(len(design.columns))))
    target = LogPosterior.of(design, ResolvedPrior(design.columns, (flat,), "flat"))
    return target if centred else LogPosterior(target.design, target.prior, Coordinates(None))


def prove(design: Design, source: Objective, target: Objective) -> Proof:
    """Compare two objectives at each other's optimum."""
    first, second = optimum(design, source.penalty), optimum(design, target.penalty)
    problem = first.problem or second.problem
    if problem:
        nothing = np.full(len(design.columns), math.nan)
        return Proof(nothing, nothing, nothing, nothing, source.factor / target.factor, problem)
    centred = not (design.has_intercept and (source.penalty.total[0] > 0.0 or target.penalty.total[0] > 0.0))
    likelihood = likelihood_of(design, centred=centred)
    scores = [
        np.maximum(np.abs(score := _score(likelihood, one, there.beta) * there.sd), _apart(one, other, there))
        * np.where(score < 0.0, -1.0, 1.0)
        for one, other, there in ((source, target, second), (target, source, first))
    ]
    return Proof(first.beta, first.sd, scores[0], scores[1], source.factor / target.factor)


def _score(likelihood: LogPosterior, objective: Objective, beta: Array) -> Array:
    """What is left of the objective's score over its factor, each kink having taken what it can."""
    away = np.abs(beta - objective.mean)
    step = np.where(away > 0.0, 0.5 * away, 1.0)
    slope = (objective.cost(beta + step) - objective.cost(beta - step)) / (2.0 * step)
    score = likelihood.slope(likelihood.coordinates.gamma(beta)).score
    at_kink = np.sign(score) * np.maximum(np.abs(score) - _kink(objective, beta, step), 0.0)
    result: Array = np.where(away > 0.0, score - slope / objective.factor, at_kink)
    return result


def _kink(objective: Objective, beta: Array, step: Array) -> Array:
    """The L1 rate of each coefficient at its kink, over the factor: l2 h^2 / 2 + l1 h at h and 2 h gives l1."""
    cost = objective.cost
    rise = (4.0 * cost(beta + step) - cost(beta + 2.0 * step) - 3.0 * cost(beta)) / (2.0 * step)
    result: Array = np.maximum(rise, 0.0) / objective.factor
    return result


def _apart(one: Objective, other: Objective, there: Optimum) -> Array:
    """How far the kinks of two objectives differ where coefficients are at them, in sds; of more than 1 sd, a share.

    A kink may take more than the likelihood asks of it, so that no score shows that another takes less.
    """
    step = np.minimum(there.sd, 1e100)
    rates = [_kink(each, there.beta, step) * there.sd for each in (one, other)]
    at = (there.beta == one.mean) & (there.beta == other.mean)
    result: Array = np.where(at, np.abs(rates[0] - rates[1]) / np.maximum(rates[0], 1.0), 0.0)
    return result


# --- a factor that nobody documents ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Calibration:
    """The factor that makes given coefficients an optimum, and how far from one they then are, in posterior sds."""

    factor: float
    penalised_intercept: bool
    misfit: float


def calibrate(design: Design, beta: Array, *, l2: float, l1: float) -> Calibration:
    """Find the factor of one known penalty setting from one known fit, the intercept penalised or free.

    Raises
    ------
    ArgumentError
        If no factor makes the coefficients an optimum.
    """
    here = likelihood_of(design, centred=False).likelihood(beta)
    used = beta != 0.0 if l1 > 0.0 else np.ones(beta.size, dtype=bool)
    pull = l1 * np.sign(beta) if l1 > 0.0 else l2 * beta
    try:
        factor = cho_factor(here.information[np.ix_(used, used)])
    except np.linalg.LinAlgError:
        raise ArgumentError("GAUSS logisticRegFit: the columns are collinear, so no factor can be told.") from None
    found = []
    possible: tuple[bool, ...] = (False, True) if design.has_intercept else (False,)
    if design.has_intercept and not used[0]:
        possible = (True,)  # only a penalty makes it exactly 0
    for penalised in possible:
        v = pull.copy()
        if design.has_intercept and not penalised:
            v[0] = 0.0
        v, g = v[used], here.score[used]
        size = float(v @ cho_solve(factor, v))
        k = float(v @ cho_solve(factor, g)) / size if size > 0.0 else math.nan
        rest = g - k * v
        found.append(Calibration(k, penalised, math.sqrt(max(float(rest @ cho_solve(factor, rest)), 0.0))))
    best = min(found, key=lambda each: each.misfit if math.isfinite(each.misfit) else math.inf)
    if not (best.factor > 0.0 and best.misfit < 0.05):
        raise ArgumentError(
            "GAUSS logisticRegFit: no factor makes these coefficients an optimum on these data (nearest: factor "
            f"{best.factor:.4g}, {best.misfit:.2g} posterior sd away). Check the data, the order and the intercept."
        )
    return best
