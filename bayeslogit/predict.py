"""Predicted probabilities and the intervals of those probabilities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bayeslogit.errors import ArgumentError
from bayeslogit.logistic import expected_expit, expit
from bayeslogit.posterior.laplace import LaplacePosterior
from bayeslogit.sources.matrix import Rows

Array = NDArray[np.float64]
KINDS = ("mean", "mode")


class Prediction(NamedTuple):
    """Probabilities of the event, each shape (n,), with the log-odds they come from."""

    probability: Array
    lower: Array
    upper: Array
    linear_predictor: Array
    linear_predictor_sd: Array


def check_prob(prob: float) -> float:
    """An interval's probability, strictly between 0 and 1."""
    try:
        value = float(prob)
    except (TypeError, ValueError, OverflowError):
        value = float("nan")
    if not 0.0 < value < 1.0:
        raise ArgumentError(f"prob={prob!r}: the probability of an interval lies between 0 and 1, for example 0.95.")
    return value


def predict_probability(
    posterior: LaplacePosterior, rows: Rows, offset: Array, *, prob: float, kind: str
) -> Prediction:
    """Probability of the event for each row, and an equal-tailed interval of that probability (not of an outcome).

    Parameters
    ----------
    kind : {"mean", "mode"}
        "mean" is ``E[expit(eta)]`` over the posterior, by exact quadrature; "mode" is expit at the mode.
    """
    if kind not in KINDS:
        raise ArgumentError(f"kind={kind!r}: a prediction is 'mean' (over the posterior) or 'mode' (at the mode).")
    z = float(ndtri(0.5 + check_prob(prob) / 2.0))
    eta, sd = posterior.linear_predictor(rows, offset)
    probability = expit(eta) if kind == "mode" else expected_expit(eta, sd)
    return Prediction(probability, expit(eta - z * sd), expit(eta + z * sd), eta, sd)


def fitted_columns(prediction: Prediction) -> dict[str, Array]:
    """A prediction as the columns of an augmented frame."""
    return {
        "linear_predictor": prediction.linear_predictor,
        "linear_predictor_sd": prediction.linear_predictor_sd,
        "fitted": prediction.probability,
        "fitted_lower": prediction.lower,
        "fitted_upper": prediction.upper,
    }


def residual_columns(prediction: Prediction, y: Array, trials: Array, weights: Array) -> dict[str, Array]:
    """What only the fitted rows have: observed share minus fitted, and the leverage of the row on its own fit."""
    mu = prediction.probability
    return {
        "residual": y / trials - mu,
        "leverage": weights * trials * mu * expit(-prediction.linear_predictor) * prediction.linear_predictor_sd**2,
    }
