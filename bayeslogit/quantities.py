"""Functions of the coefficients, read off a rung with their intervals and Monte-Carlo errors; on arrays only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslogit.errors import ArgumentError
from bayeslogit.logistic import expit
from bayeslogit.posterior.rung import Moments, Rung
from bayeslogit.predict import Prediction, check_prob
from bayeslogit.sources.matrix import Rows

Array = NDArray[np.float64]
KINDS = ("mean", "mode")
KEYS = ("mean", "sd", "median", "lower", "upper", "mcse", "sd_mcse", "median_mcse", "lower_mcse", "upper_mcse")
# Numbers of a matrix of points times rows that is held at once.
_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Summary:
    """Posterior of some quantities; every array has shape (m,).

    Attributes
    ----------
    mean, sd, median, lower, upper : array
    mcse, sd_mcse, median_mcse, lower_mcse, upper_mcse : array
        Monte-Carlo standard errors of the mean, and of the others.
    """

    mean: Array
    sd: Array
    median: Array
    lower: Array
    upper: Array
    mcse: Array
    sd_mcse: Array
    median_mcse: Array
    lower_mcse: Array
    upper_mcse: Array

    @property
    def worst_interval_error(self) -> Array:
        """The largest error of median and ends of the interval, in sds; shape (m,)."""
        errors = np.maximum(self.median_mcse, np.maximum(self.lower_mcse, self.upper_mcse))
        result: Array = errors / np.where(self.sd > 0.0, self.sd, 1.0)
        return result


def tails(prob: float) -> list[float]:
    """The median and the ends of an equal-tailed interval, as probabilities."""
    side = (1.0 - check_prob(prob)) / 2.0
    return [0.5, side, 1.0 - side]


def of_linear(rung: Rung, rows: Array, prob: float) -> Summary:
    """Of linear functions of the coefficients, rows of shape (m, p)."""
    moments = rung.linear(rows)
    values, errors = rung.linear_quantile(rows, tails(prob))
    return _summary(moments.mean, moments.sd, values, moments.mean_mcse, moments.sd_mcse, errors)


def of_function(rung: Rung, function: Callable[[Array], ArrayLike], prob: float) -> Summary:
    """Of any function of points, shape (S, p) to (S,) or (S, m).

    Raises
    ------
    ArgumentError
        If the function does not return one finite value, or one row of them, a point.
    """
    d = rung.describe(lambda points: function_values(function, points), tails(prob))
    return _summary(d.mean, d.sd, d.quantiles, d.mean_mcse, d.sd_mcse, d.quantile_mcse)


def _summary(mean: Array, sd: Array, quantiles: Array, mcse: Array, sd_mcse: Array, errors: Array) -> Summary:
    median, lower, upper = quantiles
    return Summary(mean, sd, median, lower, upper, mcse, sd_mcse, errors[0], errors[1], errors[2])


def function_values(function: Callable[[Array], ArrayLike], points: Array) -> Array:
    """Its values as a matrix, shape (S, m)."""
    returned = function(points)
    try:
        values = np.asarray(returned, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"apply(function): the function returned {type(returned).__name__}, not numbers.") from None
    if values.shape[:1] != points.shape[:1] or values.ndim > 2:
        raise ArgumentError(
            f"apply(function): given points of shape {points.shape}, the function returned shape {values.shape}; "
            f"it must return shape ({points.shape[0]},) or ({points.shape[0]}, m)."
        )
    return values.reshape(points.shape[0], -1)


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
            mean, error = mean_probability(rung, rows, shift, moments)
        columns.append((mean, expit(low + shift), expit(high + shift), moments.mean + shift, moments.sd, error))
    joined = [np.concatenate(part) for part in zip(*columns, strict=True)] if columns else [np.zeros(0)] * 6
    return Prediction(*joined[:5]), joined[5]


def mean_probability(rung: Rung, rows: Array, shift: Array, moments: Moments) -> tuple[Array, Array]:
    """``E[expit(eta)]`` of each row and its error: what of it is linear in eta is known better than the points say."""
    weight, slopes = np.exp(rung.log_weights), np.zeros(shift.size)

    def curved(points: Array) -> Array:
        away = points @ rows.T - moments.mean
        probability = expit(away + moments.mean + shift)
        slopes[:] = (weight @ (away * probability)) / np.maximum(weight @ np.square(away), 1e-300)
        rest: Array = probability - slopes * away
        return rest

    mean, error = rung.expect(curved)
    known = np.abs(slopes) * np.nan_to_num(moments.mean_mcse)
    return np.clip(mean, 0.0, 1.0), error + known


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
