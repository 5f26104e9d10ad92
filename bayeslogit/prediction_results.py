"""Predictions in the words of statsmodels: predicted, se, ci_lower, ci_upper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit import frames
from bayeslogit.boundary import guarded_methods
from bayeslogit.errors import ArgumentError
from bayeslogit.predict import Prediction

Array = NDArray[np.float64]


@guarded_methods
@dataclass(frozen=True, eq=False)
class PredictionResults:
    """What `Fit.get_prediction` returns.

    Attributes
    ----------
    at : function
        Prediction with intervals of a probability, the index of the rows, and the caller's data-frame library.
    """

    at: Callable[[float], tuple[Prediction, Any, str]]

    @property
    def predicted(self) -> Array:
        """Probability of the event at the mode, shape (n,)."""
        return self.at(0.95)[0].probability

    @property
    def se(self) -> Array:
        """Its standard error by the delta method, ``p (1 - p) sd(log-odds)``, shape (n,)."""
        return _se(self.at(0.95)[0])

    def conf_int(self, alpha: float = 0.05) -> Array:
        """Lower and upper, shape (n, 2): ends of the interval of the log-odds, as probabilities."""
        found = self.at(_prob(alpha))[0]
        return np.column_stack([found.lower, found.upper])

    def summary_frame(self, alpha: float = 0.05) -> Any:
        """A frame with the columns predicted, se, ci_lower, ci_upper; ``1 - alpha`` is the interval's probability."""
        found, index, library = self.at(_prob(alpha))
        columns = {"predicted": found.probability, "se": _se(found), "ci_lower": found.lower, "ci_upper": found.upper}
        return frames.frame(columns, library, index)


def _se(found: Prediction) -> Array:
    result: Array = found.probability * (1.0 - found.probability) * found.linear_predictor_sd
    return result


def _prob(alpha: Any) -> float:
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0.0 < alpha < 1.0:
        raise ArgumentError(f"alpha={alpha!r}: a number between 0 and 1 is needed; 0.05 is a 95 % interval.")
    return 1.0 - alpha
