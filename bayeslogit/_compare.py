"""Comparing posteriors on arrays: differences of leave-one-out scores, stacking weights, and Bayes factors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.errors import FitError
from bayeslogit.resolved import ResolvedPrior

Array = NDArray[np.float64]
# How much below the optimum stacking weights may be, nats per observation, and weights that count as none.
_STACKED, _NO_WEIGHT = 1e-10, 1e-7
_MOST_STEPS = 500
# How far flat columns may be from spanning the same, relative, and log volumes from being equal.
_SAME_SPAN, _SAME_UNITS = 1e-8, 1e-6
# Points at which two priors are compared, in sds of the columns, and how far their log densities may be apart there.
_SPREAD, _POINTS, _SAME_DENSITY = (0.1, 1.0, 10.0), 4, 1e-9


@dataclass(frozen=True)
class Difference:
    """An expected log predictive density less another of the same observations, and its standard error; nats."""

    value: float
    se: float


def difference(scores: Array, others: Array, copies: Array) -> Difference:
    """From the log score of one copy of each unit, shape (n,), and how many copies there are.

    The units are paired, so the standard error is that of the sum of differences: much less than the root of the sum of
    squares, since what is hard to predict is so for both.
    """
    n = float(copies.sum())
    gap = scores - others
    mean = float(copies @ gap) / n
    return Difference(n * mean, math.sqrt(n * float(copies @ np.square(gap - mean)) / n))


def stacking(scores: Array, copies: Array) -> Array:
    """The mixture of predictive distributions that would have predicted best, left out one at a time.

    Maximises ``sum_i c_i log sum_k w_k exp(scores_ik)`` over weights that are not negative and sum to one (Yao,
    Vehtari, Simpson and Gelman 2018), by Newton steps under a log barrier that is lifted step by step. At the optimum
    the largest of the means of ``p_ik / (P w)_i`` is 1; what it exceeds 1 by bounds how far below it the weights are.

    Parameters
    ----------
    scores : array, shape (n, K)
        Log predictive density of one copy of each unit under each model.
    copies : array, shape (n,)

    Returns
    -------
    array, shape (K,)

    Raises
    ------
    FitError
        If the search does not end, which it does for finite scores.
    """
    share = copies / copies.sum()
    P = np.exp(scores - scores.max(axis=1, keepdims=True))
    K = P.shape[1]
    w, barrier = np.full(K, 1.0 / K), 1.0 / K

    def value(at: Array) -> float:
        return float(share @ np.log(P @ at) - at.sum() + barrier * np.log(at).sum())

    for _ in range(_MOST_STEPS):
        kept = np.where(w > _NO_WEIGHT * w.sum(), w, 0.0)
        kept /= kept.sum()
        if np.max(share @ (P / (P @ kept)[:, None])) - 1.0 <= _STACKED:
            return kept
        ratio = P / (P @ w)[:, None]
        score = share @ ratio - 1.0 + barrier / w
        information = ratio.T @ (share[:, None] * ratio) + np.diag(barrier / np.square(w))
        step = np.linalg.solve(information, score)
        decrement, before = float(score @ step), value(w)
        size = 0.99 / max(0.99, float(np.max(-step / w)))
        while value(w + size * step) < before + 1e-4 * size * decrement and size > 1e-12:
            size *= 0.5
        w = w + size * step
        if decrement < 0.1 * barrier:
            barrier *= 0.1
    raise FitError("Stacking weights were not found: some log score is not finite.")


def same_prior(designs: tuple[Design, Design], priors: tuple[ResolvedPrior, ResolvedPrior]) -> bool:
    """Whether two priors are the same numbers, whatever they are called: `ElasticNet(l1=0, l2=1)` is `Normal(1)`.

    The designs have the same columns. Densities are compared at points spread over several sds of each column; two
    analytic densities that agree at all of them are one.
    """
    first, second = priors
    if first.whole != second.whole or not np.array_equal(first.flat, second.flat):
        return False
    if any(term.open for prior in priors for term in prior.terms):
        return first.describe() == second.describe()
    sds = np.where(designs[0].column_sds > 0.0, designs[0].column_sds, 1.0)
    rng = np.random.default_rng(0)
    for size in _SPREAD:
        for beta in size * rng.standard_normal((_POINTS, sds.size)) / sds:
            ours, theirs = first.log_density(beta), second.log_density(beta)
            if not abs(ours - theirs) <= _SAME_DENSITY * max(1.0, abs(ours)):
                return False
    return True


# --- Bayes factors ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Evidence:
    """A log evidence that may be relied on, or why there is none.

    Attributes
    ----------
    value, se : float
        NaN without one.
    reason : str
        Why there is none, in words; empty otherwise.
    """

    value: float
    se: float
    reason: str = ""

    @classmethod
    def none(cls, reason: str) -> Evidence:
        return cls(math.nan, math.nan, reason)


# What has a log evidence of known Monte-Carlo error; "nuts" by bridge sampling.
EVIDENCE_METHODS = ("importance", "quadrature", "nuts")


def evidence_of(method: str, level: str, value: float, se: float, prior: ResolvedPrior) -> Evidence:
    """The log evidence of one rung, if it is more than an approximation of unknown error."""
    if prior.whole:
        return Evidence.none("a prior of the whole model is not normalised")
    if method not in EVIDENCE_METHODS:
        return Evidence.none(f"that of the {method} rung has an error of several nats that is not known")
    if level == "failed":
        return Evidence.none("its Monte-Carlo error is not known: the verdict is failed")
    if not (math.isfinite(value) and math.isfinite(se)):
        return Evidence.none(f"the {method} rung has none")
    return Evidence(value, se)


@dataclass(frozen=True)
class BayesFactor:
    """``log p(y | first) - log p(y | second)`` with its Monte-Carlo error, or why there is none."""

    value: float
    se: float
    reason: str = ""


def tuned(prior: ResolvedPrior) -> bool:
    """Whether the scale of a prior was chosen by its own evidence: then this is a maximum over scales."""
    return any("maximised" in words for words in (prior.name, *prior.notes))


def bayes_factor(
    names: tuple[str, str],
    evidences: tuple[Evidence, Evidence],
    designs: tuple[Design, Design],
    priors: tuple[ResolvedPrior, ResolvedPrior],
) -> BayesFactor:
    """Of two models of the same rows and outcomes."""
    for name, evidence, prior in zip(names, evidences, priors, strict=True):
        if evidence.reason:
            return BayesFactor(math.nan, math.nan, f"{name} has no log evidence: {evidence.reason}")
        if tuned(prior):
            return BayesFactor(
                math.nan, math.nan, f"the evidence of {name} is maximised over its scale, which favours it"
            )
    if not np.array_equal(offsets(designs[0]), offsets(designs[1])):
        return BayesFactor(math.nan, math.nan, "their offsets differ")
    reason = improper_difference(names, designs, priors)
    if reason:
        return BayesFactor(math.nan, math.nan, reason)
    first, second = evidences
    return BayesFactor(first.value - second.value, math.hypot(first.se, second.se))


def offsets(design: Design) -> Array:
    """Of every row, shape (n,)."""
    return np.concatenate([block.offset for block in design.source.blocks()])


def slope_values(design: Design, picked: Sequence[int] | NDArray[np.intp]) -> Array:
    """Columns other than the intercept for every row, shape (n, k); their positions are those among all columns."""
    index = np.array(picked, dtype=np.intp) - int(design.has_intercept)
    return np.vstack([block.X.columns(index) for block in design.source.blocks()])


def improper_difference(
    names: tuple[str, str], designs: tuple[Design, Design], priors: tuple[ResolvedPrior, ResolvedPrior]
) -> str:
    """Why a Bayes factor would depend on an arbitrary constant; empty if it does not.

    Flat columns must span the same, with the same volume: the same columns in the same units, or other contrasts of
    the same factor. With an intercept in both designs their centring is immaterial.
    """
    flat = [np.flatnonzero(prior.flat) for prior in priors]
    columns = [[design.columns[j] for j in own] for design, own in zip(designs, flat, strict=True)]
    if columns[0] == columns[1] and (not columns[0] or designs[0] is designs[1]):
        return ""
    with_intercept = [design.has_intercept for design in designs]
    free = [design.has_intercept and own.size > 0 and own[0] == 0 for design, own in zip(designs, flat, strict=True)]
    words = _alone(names, columns)
    if len(columns[0]) != len(columns[1]) or free[0] != free[1]:
        return words
    slopes = [own[int(has) :] for own, has in zip(flat, free, strict=True)]
    if not slopes[0].size:
        return ""
    values = [slope_values(design, own) for design, own in zip(designs, slopes, strict=True)]
    if all(with_intercept):
        values = [each - design.column_means[own] for each, design, own in zip(values, designs, slopes, strict=True)]
    transform, _, rank, _ = np.linalg.lstsq(values[0], values[1], rcond=None)
    gap = values[1] - values[0] @ transform
    if rank < transform.shape[0] or np.linalg.norm(gap) > _SAME_SPAN * np.linalg.norm(values[1]):
        return words
    if abs(np.linalg.slogdet(transform)[1]) > _SAME_UNITS:
        return f"flat columns in other units: {_few(columns[0])} in {names[0]!r}, {_few(columns[1])} in {names[1]!r}"
    return ""


def _alone(names: tuple[str, str], columns: Sequence[Sequence[str]]) -> str:
    """Which columns are flat in one fit and not in the other; or, by the same names, are other columns."""
    alone = [[c for c in own if c not in other] for own, other in zip(columns, reversed(columns), strict=True)]
    parts = [f"flat in {name!r} alone: {_few(own)}" for name, own in zip(names, alone, strict=True) if own]
    return "; ".join(parts) or f"the flat columns {_few(columns[0])} hold other values in {names[1]!r}"


def _few(columns: Sequence[str]) -> str:
    return ", ".join(columns[:3]) + (f" and {len(columns) - 3} more" if len(columns) > 3 else "")
