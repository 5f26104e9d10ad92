"""Certified importance sampling in symmetric pairs, and the climb of the ladder up to it.

Around the nearest Gaussian as many pairs are drawn as the bounds ask for. Where the weights say that this Gaussian will
not do, it is moved and stretched to the moments of the weighted points and the sampling starts again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.errors import FitError
from bayeslogit.mode import Mode
from bayeslogit.posterior.certificate import Weights, checks_of, verdict, worst
from bayeslogit.posterior.gaussians import Rng
from bayeslogit.posterior.gaussians import sample_laplace as sample_laplace
from bayeslogit.posterior.gaussians import sample_variational as sample_variational
from bayeslogit.posterior.ground import Ground
from bayeslogit.posterior.pair_estimator import PairEstimator
from bayeslogit.posterior.pairs import WIDE_DEFENCES, Pairs, Proposal
from bayeslogit.posterior.psis import smooth
from bayeslogit.posterior.quadrature import affordable, sample_quadrature
from bayeslogit.posterior.rung import Checks, Level, Moments, Rung
from bayeslogit.posterior.sweep import sweep
from bayeslogit.posterior.unseen import beyond, other_modes, tails
from bayeslogit.posterior.variational import Gaussian, near_gaussian
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]

# Tolerance of the Gaussian that is only proposed from, in sds.
_NEAR = 5e-3
_FIRST_PAIRS = 1000
# Numbers that all pairs may cost, and hold; and the most pairs whatever they cost.
_WORK, _HELD, _MOST_PAIRS = 1e10, 1 << 23, 200_000
# Errors are brought this far below their bounds: an error that is estimated may be lucky.
_AIM = 0.85
_SPARE = 1.1
# Tail index from which on weights are smoothed: below it their variance is finite, and they are better left alone.
_SMOOTH_FROM = 0.5
_REFITS = 3
# Pairs after which an attempt is given up that would need this many times its budget.
_ENOUGH_TO_TELL, _HOPELESS = 4000, 4.0
# Errors, in bounds, that are worth some pairs where no certificate is to be had: those of 4,000 draws of NUTS.
_USEFUL = 2.4
# Pairs that the covariance so far is worth when it is refitted.
_PRIOR_PAIRS = 5.0


@dataclass(frozen=True)
class _Attempt:
    """What the pairs around one Gaussian come to."""

    estimator: PairEstimator
    moments: Moments
    checks: Checks
    weights: Weights
    log_evidence: float
    log_evidence_se: float

    @property
    def lost(self) -> bool:
        """So few points carry the weight that they tell nothing of a better Gaussian either."""
        return not self.weights.reliable and self.weights.ess < self.estimator.proposal.gaussian.mean.size

    @property
    def worst(self) -> float:
        return worst(self.checks, self.log_evidence, self.log_evidence_se)


def sample_importance(
    target: LogPosterior,
    mode: Mode,
    draws: int = 4000,
    rng: Rng = 0,
    *,
    max_pairs: int | None = None,
    quantiles: bool = True,
) -> Rung:
    """The posterior by importance sampling in symmetric pairs around the nearest Gaussian.

    Parameters
    ----------
    target : LogPosterior
    mode : Mode
        Its mode.
    draws : int
        Number of equally weighted draws in `Rung.values`.
    rng : int or Generator
    max_pairs : int, optional
        Most pairs around one Gaussian; by default as many as take some seconds.
    quantiles : bool
        Whether those of the coefficients are checked too; whoever wants the evidence alone can do without.

    Returns
    -------
    Rung
        "certified" where every Monte-Carlo error is within its bound and can be trusted; else its reasons say what is
        missing.

    Raises
    ------
    FitError
        If there is no finite mode, or nothing bounds some direction.
    """
    began = time.perf_counter()
    rng = np.random.default_rng(rng)
    ground = Ground.of(target)
    evidence = not target.prior.whole
    if ground.elsewhere and max_pairs is None:
        found = _in_one_sweep(ground, mode, draws, rng, quantiles)
        if found is not None:
            return replace(found, seconds=time.perf_counter() - began)
    first = near_gaussian(ground, mode, tol=_NEAR)
    gaussian, elbo, passes = first.gaussian, first.elbo, first.steps
    budget = _budget(ground) if max_pairs is None else max(max_pairs, 10)
    best, pairs, proposal = None, 0, Proposal.around(ground, gaussian)
    for refit in range(_REFITS + 1):
        attempt = _attempt(ground, proposal, budget, rng, evidence, quantiles)
        pairs += attempt.weights.count
        if best is None or _rank(attempt) < _rank(best):
            best = attempt
        if not attempt.weights.doubts() or attempt.lost or refit == _REFITS:
            break
        refitted = _refitted(attempt)
        if refitted is None:
            break
        proposal = Proposal.around(ground, refitted, WIDE_DEFENCES)
    assert best is not None
    estimator, plain = best.estimator, best.log_evidence
    raw = plain if evidence else _raw_evidence(estimator)
    far, reservations = tails(ground, estimator.proposal.gaussian, estimator.pairs, raw)
    doubts = best.weights.doubts() + far + other_modes(ground, mode, estimator.proposal.gaussian, raw)
    level, reasons = verdict(best.checks, plain, best.log_evidence_se, doubts, reservations)
    rung = _rung(ground, best, draws, rng, evidence, level, tuple(reasons))
    seconds = time.perf_counter() - began
    return replace(rung, n_evaluations=2 * pairs + passes, elbo=elbo if evidence else math.nan, seconds=seconds)


def _in_one_sweep(ground: Ground, mode: Mode, draws: int, rng: np.random.Generator, quantiles: bool) -> Rung | None:
    """A certificate from one pass over rows that are outside of memory, if that is to be had."""
    swept = sweep(ground, mode, rng)
    if swept is None:
        return None
    best = _judge(ground, swept.proposal, [swept.pairs], int(rng.integers(1 << 31)), True, quantiles)
    doubts, reservations = beyond(swept.rays, swept.along, swept.proposal.gaussian, best.log_evidence)
    doubts = best.weights.doubts() + doubts
    level, reasons = verdict(best.checks, best.log_evidence, best.log_evidence_se, doubts, reservations)
    return _rung(ground, best, draws, rng, True, level, tuple(reasons)) if level == "certified" else None


def _rung(
    ground: Ground,
    best: _Attempt,
    draws: int,
    rng: np.random.Generator,
    evidence: bool,
    level: Level,
    reasons: tuple[str, ...],
) -> Rung:
    moments, estimator = best.moments, best.estimator
    return Rung(
        method="importance",
        columns=ground.columns,
        mean=moments.mean,
        sd=moments.sd,
        mean_mcse=moments.mean_mcse,
        sd_mcse=moments.sd_mcse,
        values=estimator.resample(draws, rng),
        checks=best.checks,
        khat=best.weights.khat,
        ess=best.weights.ess,
        log_evidence=best.log_evidence,
        log_evidence_se=best.log_evidence_se,
        n_pairs=best.weights.count,
        n_evaluations=2 * best.weights.count,
        elbo=math.nan,
        seconds=0.0,
        level=level,
        reasons=(best.weights.praise(),) if level == "certified" else reasons,
        notes=() if evidence else ("No log evidence: the prior of the whole model is not normalised.",),
        estimator=estimator,
    )


def climb(target: LogPosterior, mode: Mode, draws: int = 4000, rng: Rng = 0) -> Rung:
    """The first rung that certifies: quadrature where columns are few, importance sampling else.

    Returns
    -------
    Rung
        Without a certificate that of importance sampling, for the caller to go on to NUTS.

    Raises
    ------
    FitError
        If there is no finite mode, or nothing bounds some direction.
    """
    rng = np.random.default_rng(rng)
    first = affordable(target)
    if first == "at once":
        found = sample_quadrature(target, mode, draws, rng)
        if found.level == "certified":
            return found
    rung = sample_importance(target, mode, draws, rng)
    if rung.level != "certified" and first == "if needed":
        found = sample_quadrature(target, mode, draws, rng)
        if found.level == "certified":
            return found
    return rung


def _budget(ground: Ground) -> int:
    each = 2.0 * ground.target.design.source.n_rows * (ground.size + 10.0)
    return int(max(min(_WORK / each, _HELD / ground.size, _MOST_PAIRS), 2 * _FIRST_PAIRS))


def _attempt(
    ground: Ground, proposal: Proposal, budget: int, rng: np.random.Generator, evidence: bool, quantiles: bool
) -> _Attempt:
    """Pairs around one Gaussian, as many as the bounds ask for and the budget allows."""
    parts: list[Pairs] = []
    wanted = min(_FIRST_PAIRS, budget)
    while True:
        drawn = sum(part.count for part in parts)
        parts.append(Pairs.drawn(ground, proposal, wanted - drawn, rng))
        found = _judge(ground, proposal, parts, int(rng.integers(1 << 31)), evidence, quantiles)
        count = found.weights.count
        if (found.worst <= _AIM and not found.weights.doubts()) or count >= budget:
            return found
        if found.lost or (count >= _ENOUGH_TO_TELL and not found.weights.reliable):
            return found
        needed = count * (found.worst / _AIM) ** 2 * _SPARE
        if needed > _HOPELESS * budget and count >= _ENOUGH_TO_TELL:
            needed = count * (found.worst / _USEFUL) ** 2 * _SPARE
            if found.worst <= _USEFUL or needed > budget:
                return found
        wanted = min(int(min(max(needed, 1.3 * count), 5.0 * count)), budget)


def _judge(
    ground: Ground, proposal: Proposal, parts: Sequence[Pairs], seed: int, evidence: bool, quantiles: bool
) -> _Attempt:
    pairs = Pairs.joined(parts)
    log_weights = pairs.log_weights
    if not np.any(log_weights > -np.inf):
        raise FitError("The log posterior is not finite at any point drawn.")
    smoothed = smooth(log_weights)
    used = smoothed.log_weights if smoothed.khat > _SMOOTH_FROM else log_weights
    estimator = PairEstimator(ground, proposal, pairs, used, seed)
    moments, checks = checks_of(ground.columns, estimator, quantiles=quantiles)
    value, error = estimator.log_evidence()
    if not evidence:
        value, error = math.nan, math.nan
    largest = float(estimator.weight.max() / estimator.weight.mean())
    weights = Weights(smoothed.khat, estimator.ess, pairs.count, largest, estimator.disagreement)
    return _Attempt(estimator, moments, checks, weights, value, error)


def _raw_evidence(estimator: PairEstimator) -> float:
    return estimator.log_evidence()[0]


def _rank(attempt: _Attempt) -> tuple[int, float]:
    return len(attempt.weights.doubts()), attempt.worst


def _refitted(attempt: _Attempt) -> Gaussian | None:
    """The Gaussian with mean and covariance of the weighted points."""
    estimator = attempt.estimator
    proposal, pairs = estimator.proposal, estimator.pairs
    weight, odd = estimator.weight, estimator.odd
    k = proposal.gaussian.mean.size
    mean = pairs.z @ odd / weight.size
    scatter = (pairs.z * weight) @ pairs.z.T / weight.size - np.outer(mean, mean)
    held = _PRIOR_PAIRS * k
    whitened = (estimator.ess * scatter + held * np.eye(k)) / (estimator.ess + held)
    try:
        lower = np.linalg.cholesky(whitened)
    except np.linalg.LinAlgError:
        return None
    root = np.linalg.qr((proposal.gaussian.root @ lower).T, mode="r").T
    # Lower triangular: turned about, since a Gaussian keeps any root of its covariance.
    share = estimator.ess / (estimator.ess + held)
    return Gaussian(proposal.gaussian.mean + proposal.gaussian.root @ (share * mean), root)
