"""Functions of the coefficients, read off a rung with their intervals and Monte-Carlo errors; on arrays only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.errors import ArgumentError
from bayeslogit.logistic import expit
from bayeslogit.posterior.rung import Rung
from bayeslogit.predict import Prediction, check_prob
from bayeslogit.sources.matrix import Rows

Array = NDArray[np.float64]
KINDS = ("mean", "mode")
# Numbers of a matrix of points times rows that is held at once.
_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Summary:
    """Posterior of some quantities; every array has shape (m,).

    Attributes
    ----------
    mean, sd, median, lower, upper : array
    mcse : array
        Monte-Carlo standard error of the mean.
    """

    mean: Array
    sd: Array
    median: Array
    lower: Array
    upper: Array
    mcse: Array


def tails(prob: float) -> list[float]:
    """The median and the ends of an equal-tailed interval, as probabilities."""
    side = (1.0 - check_prob(prob)) / 2.0
    return [0.5, side, 1.0 - side]


def of_linear(rung: Rung, rows: Array, prob: float) -> Summary:
    """Of linear functions of the coefficients, rows of shape (m, p)."""
    moments = rung.linear(rows)
    median, lower, upper = rung.linear_quantile(rows, tails(prob))[0]
    return Summary(moments.mean, moments.sd, median, lower, upper, moments.mean_mcse)


def of_function(rung: Rung, function: Callable[[Array], Array], prob: float) -> Summary:
    """Of any function of points, shape (S, p) to (S,) or (S, m).

    Raises
    ------
    ArgumentError
        If the function does not return one value, or one row, a point.
    """
    points, log_weights = rung.points, rung.log_weights
    values = function_values(function, points)
    median, lower, upper = weighted_quantile(values, log_weights, np.array(tails(prob)))

    def moments(p: Array) -> Array:
        u = function_values(function, p)
        return np.hstack([u, np.square(u - median)])

    both, errors = rung.expect(moments)
    m = values.shape[1]
    mean, about = np.asarray(both)[:m], np.asarray(both)[m:]
    variance = np.maximum(about - np.square(mean - median), 0.0)
    return Summary(mean, np.sqrt(variance), median, lower, upper, np.asarray(errors)[:m])


def function_values(function: Callable[[Array], Array], points: Array) -> Array:
    """Its values as a matrix, shape (S, m)."""
    values = np.asarray(function(points), dtype=np.float64)
    if values.shape[:1] != points.shape[:1] or values.ndim > 2:
        raise ArgumentError(
            f"apply(function): given points of shape {points.shape}, the function returned shape {values.shape}; "
            f"it must return shape ({points.shape[0]},) or ({points.shape[0]}, m)."
        )
    return values.reshape(points.shape[0], -1)


def weighted_quantile(values: Array, log_weights: Array, probs: Array) -> Array:
    """Inverse of the weighted distribution function, linear between mid-weights; (S, m) to (len(probs), m)."""
    weights = np.exp(log_weights - log_weights.max())
    result = np.empty((probs.size, values.shape[1]))
    for k, column in enumerate(values.T):
        order = np.argsort(column, kind="stable")
        cumulated = np.cumsum(weights[order])
        middle = (cumulated - 0.5 * weights[order]) / cumulated[-1]
        result[:, k] = np.interp(probs, middle, column[order])
    return result


def share(rung: Rung, holds: Callable[[Array], NDArray[np.bool_]]) -> tuple[Array, Array]:
    """Posterior probability of events, and its Monte-Carlo error; ``holds`` takes points, shape (S, p) to (S, m)."""
    value, error = rung.expect(lambda points: holds(points).astype(np.float64))
    return np.clip(np.atleast_1d(value), 0.0, 1.0), np.atleast_1d(error)


def below(rung: Rung, columns: Sequence[int], at: Array) -> tuple[Array, Array]:
    """Probability that each of some columns lies below its value in ``at``, and its error; each shape (m,).

    A lattice of few points knows the distribution of each column far better than a count of its points would say.
    """
    known = getattr(rung.estimator, "distribution", None)
    if known is not None:
        exact: tuple[Array, Array] = known(columns, at)
        return exact
    index = list(columns)
    return share(rung, lambda points: points[:, index] < at)


def predict_draws(
    rung: Rung, mode: Array, X: Rows, offset: Array, *, prob: float, kind: str
) -> tuple[Prediction, Array]:
    """Probability of the event for each row and its equal-tailed interval, with Monte-Carlo errors of the mean.

    Parameters
    ----------
    kind : {"mean", "mode"}
        "mean" is ``E[expit(eta)]`` over the posterior; "mode" is expit at the mode (its Monte-Carlo error is 0).
    """
    if kind not in KINDS:
        raise ArgumentError(f"kind={kind!r}: a prediction is 'mean' (over the posterior) or 'mode' (at the mode).")
    probs = tails(prob)
    n, size = offset.size, max(1, _AT_ONCE // max(rung.points.shape[0], 1))
    columns: list[tuple[Array, ...]] = []
    for lower in range(0, n, size):
        part = slice(lower, lower + size)
        rows, shift = X.take(part).toarray(), offset[part]
        moments = rung.linear(rows)
        _, low, high = rung.linear_quantile(rows, probs)[0]
        if kind == "mode":
            eta = rows @ mode + shift
            mean, error = expit(eta), np.zeros(eta.size)
        else:
            mean, error = rung.expect(lambda b, rows=rows, shift=shift: expit(b @ rows.T + shift))  # type: ignore[misc]
        columns.append((mean, expit(low + shift), expit(high + shift), moments.mean + shift, moments.sd, error))
    joined = [np.concatenate(part) for part in zip(*columns, strict=True)] if columns else [np.zeros(0)] * 6
    return Prediction(*joined[:5]), joined[5]


def replicate(values: Array, X: Rows, offset: Array, trials: Array, rng: np.random.Generator) -> NDArray[np.int64]:
    """Outcomes of each row under each draw: successes out of ``trials``; shape (draws, n)."""
    result = np.empty((values.shape[0], offset.size), dtype=np.int64)
    size = max(1, _AT_ONCE // max(offset.size, 1))
    rows = X.toarray()
    counts = trials.astype(np.int64)
    for lower in range(0, values.shape[0], size):
        part = slice(lower, lower + size)
        result[part] = rng.binomial(counts, expit(values[part] @ rows.T + offset))
    return result
