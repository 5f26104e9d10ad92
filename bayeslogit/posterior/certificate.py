"""When a number is certified: its Monte-Carlo error is within the bound, and that error can be trusted.

An error that is computed from the points themselves cannot see what no point has seen. It is trusted if the tail index
of the weights, k-hat, is below its limit, or the weights are so nearly flat that the index speaks of nothing; if enough
pairs carry the weight; and if two independent halves agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.posterior.psis import khat_limit
from bayeslogit.posterior.rung import (
    CHECKED_QUANTILES,
    EVIDENCE_BOUND,
    EVIDENCE_COLUMNS,
    MEAN_BOUND,
    QUANTILE_BOUND,
    SD_BOUND,
    Checks,
    Estimator,
    Level,
    Moments,
)

Array = NDArray[np.float64]

LEAST_ESS = 400.0
# Weights no larger than this many times their mean, with this effective share of the pairs, are flat: with so small a
# bound on a single weight k-hat has no tail to speak of, and the errors of averages are those of bounded numbers.
_FLAT_LARGEST, _FLAT_ESS = 10.0, 0.5
# Of two halves, in Monte-Carlo errors; the largest over all columns.
_MOST_DISAGREEMENT = 5.0
# Errors this many times their bounds, a tenth of an sd and more, are of no use to a reader.
_USELESS = 10.0
# Of a pair's weight in the sum of all.
_LARGEST_SHARE = 0.05
_NAMES = ("mean", "sd", *(f"{100 * prob:g} % quantile" for prob in CHECKED_QUANTILES))


def check(columns: tuple[str, ...], moments: Moments, quantiles: Array, errors: Array) -> Checks:
    """The Monte-Carlo errors of every column beside their bounds."""
    value = np.vstack([moments.mean, moments.sd, quantiles])
    mcse = np.vstack([moments.mean_mcse, moments.sd_mcse, errors])
    bound = np.array([MEAN_BOUND, SD_BOUND, *(QUANTILE_BOUND for _ in CHECKED_QUANTILES)])
    return Checks(columns, _NAMES, value, mcse, bound[:, None] * moments.sd)


def checks_of(columns: tuple[str, ...], estimator: Estimator, *, quantiles: bool = True) -> tuple[Moments, Checks]:
    """Moments and checks of all columns; without ``quantiles``, which cost most, those of means and sds alone."""
    moments = estimator.moments()
    if not quantiles:
        value, mcse = np.vstack([moments.mean, moments.sd]), np.vstack([moments.mean_mcse, moments.sd_mcse])
        bound = np.array([MEAN_BOUND, SD_BOUND])
        return moments, Checks(columns, _NAMES[: bound.size], value, mcse, bound[:, None] * moments.sd)
    return moments, check(columns, moments, *estimator.quantiles(np.array(CHECKED_QUANTILES)))


def evidence_counts(columns: int, log_evidence: float) -> bool:
    """Whether the evidence is held to its bound too."""
    return columns <= EVIDENCE_COLUMNS and not math.isnan(log_evidence)


def worst(checks: Checks, log_evidence: float, log_evidence_se: float) -> float:
    """The largest Monte-Carlo error in units of its bound; infinite where one is not known."""
    ratio = float(np.max(np.nan_to_num(checks.mcse / checks.bound, nan=np.inf), initial=0.0))
    if evidence_counts(len(checks.columns), log_evidence):
        ratio = max(ratio, log_evidence_se / EVIDENCE_BOUND)
    return ratio


@dataclass(frozen=True)
class Weights:
    """What is known of the weights of the pairs.

    Attributes
    ----------
    khat, ess : float
    count : int
        Number of pairs.
    largest : float
        Over the mean of all.
    disagreement : float
        The largest of two halves, in Monte-Carlo errors.
    """

    khat: float
    ess: float
    count: int
    largest: float
    disagreement: float

    @property
    def flat(self) -> bool:
        return self.largest <= _FLAT_LARGEST and self.ess >= _FLAT_ESS * self.count

    @property
    def reliable(self) -> bool:
        """Whether k-hat is below its limit, or flat weights excuse it."""
        return self.khat < khat_limit(self.count) or self.flat

    def doubts(self) -> list[str]:
        """What speaks against the Monte-Carlo errors, in words."""
        found = []
        if not self.reliable:
            limit = khat_limit(self.count)
            khat = "not defined" if math.isnan(self.khat) else f"{self.khat:.2f}"
            found.append(f"k-hat is {khat}, beyond {limit:.2f}: a few weights carry the sum, its error is not known")
        if self.ess < LEAST_ESS:
            found.append(
                f"the {self.count:,} pairs are worth {self.ess:.0f} equally weighted ones, fewer than {LEAST_ESS:.0f}"
            )
        if self.largest > _LARGEST_SHARE * self.count:
            found.append(f"one pair holds {self.largest / self.count:.0%} of the weight")
        if self.disagreement > _MOST_DISAGREEMENT:
            found.append(f"two halves of the pairs disagree by {self.disagreement:.1f} Monte-Carlo errors")
        return found

    def praise(self) -> str:
        """What speaks for them."""
        tail = f"k-hat {self.khat:.2f}" if self.khat < khat_limit(self.count) else "weights nearly flat"
        return f"{tail}, {self.count:,} pairs worth {self.ess:,.0f}, largest weight {self.largest:.1f} times the mean"


def verdict(
    checks: Checks,
    log_evidence: float,
    log_evidence_se: float,
    doubts: Sequence[str],
    reservations: Sequence[str] = (),
) -> tuple[Level, list[str]]:
    """The level, and why in words.

    Parameters
    ----------
    doubts : sequence of str
        What speaks against the Monte-Carlo errors themselves; any of it means "failed", as does an error far beyond
        its bound.
    reservations : sequence of str
        What speaks against some numbers only; any of it means at most "approximate".
    """
    beyond = []
    for k, quantity in enumerate(checks.quantities):
        missed = np.flatnonzero(~checks.passed[k])
        if missed.size:
            j = int(missed[np.argmax(checks.mcse[k, missed] / checks.bound[k, missed])])
            others = f" and {missed.size - 1} more" if missed.size > 1 else ""
            beyond.append(
                f"the Monte-Carlo error of the {quantity} of {checks.columns[j]!r}{others} is "
                f"{checks.mcse[k, j] / checks.bound[k, j]:.1f} times its bound"
            )
    if evidence_counts(len(checks.columns), log_evidence) and not log_evidence_se <= EVIDENCE_BOUND:
        beyond.append(f"the Monte-Carlo error of the log evidence is {log_evidence_se:.3f}, beyond {EVIDENCE_BOUND:g}")
    useless = np.any(checks.mcse > _USELESS * checks.bound)
    level: Level = "failed" if doubts or useless else "approximate" if beyond or reservations else "certified"
    return level, [*doubts, *reservations, *beyond]
