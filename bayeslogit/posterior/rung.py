"""What every rung of the ladder returns: weighted points, the numbers read off them, and how sure each number is.

Numbers come from an `Estimator`, which knows how the points were made and so estimates better than the bare weights
would; `values` are for whatever a user wants to do himself. STATISTICS.md section 5 fixes the words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bayeslogit.posterior.functions import Described, describe_points

Array = NDArray[np.float64]
Level = Literal["certified", "approximate", "failed"]

# STATISTICS.md section 5: the largest Monte-Carlo error of a certified number; of means and quantiles in posterior sds,
# of sds relative, of the log evidence in nats.
MEAN_BOUND = 0.01
SD_BOUND = 0.01
QUANTILE_BOUND = 0.015
EVIDENCE_BOUND = 0.01
CHECKED_QUANTILES = (0.05, 0.5, 0.95)
# Columns up to which the evidence has to be certified too.
EVIDENCE_COLUMNS = 200


@dataclass(frozen=True)
class Moments:
    """Mean and sd of some quantities, with their Monte-Carlo standard errors; each shape (m,)."""

    mean: Array
    sd: Array
    mean_mcse: Array
    sd_mcse: Array


class Estimator(Protocol):
    """How a rung reads numbers off its points. Rows are linear functions of the user's columns, shape (m, p)."""

    def points(self) -> Array:
        """Shape (S, p), in the user's columns."""
        ...

    def log_weights(self) -> Array:
        """Shape (S,), normalised: their ``logsumexp`` is 0."""
        ...

    def moments(self, rows: Array | None = None) -> Moments:
        """Of linear functions, or of every column."""
        ...

    def quantiles(self, probs: Array, rows: Array | None = None) -> tuple[Array, Array]:
        """Of linear functions, or of every column, and their Monte-Carlo errors; each shape (len(probs), m)."""
        ...

    def expect(self, function: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Mean of ``function(points)``, shape (S,) or (S, m), and its Monte-Carlo error; floats or shape (m,)."""
        ...

    def average(self, values: Array) -> tuple[Array, Array]:
        """The same of values at the points, in their order."""
        return self.expect(lambda _: values)

    def distribution(self, columns: Sequence[int], at: Array) -> tuple[Array, Array]:
        """Probability that each of some columns lies below its value in ``at``, and its error; each shape (m,)."""
        index = list(columns)
        return self.expect(lambda points: (points[:, index] < at).astype(np.float64))

    def describe(self, function: Callable[[Array], Array], probs: Array) -> Described:
        """Of a function of points, shape (S, p) to (S, m)."""
        return describe_points(self, function, probs)


@dataclass(frozen=True)
class Checks:
    """One Monte-Carlo error a column and quantity, beside the bound it is held against.

    Attributes
    ----------
    quantities : tuple of str
        "mean", "sd", "5 % quantile", "50 % quantile", "95 % quantile".
    value, mcse, bound : array, shape (len(quantities), p)
    """

    columns: tuple[str, ...]
    quantities: tuple[str, ...]
    value: Array
    mcse: Array
    bound: Array

    @property
    def passed(self) -> NDArray[np.bool_]:
        """Shape (len(quantities), p); False where an error is not known."""
        return self.mcse <= self.bound

    def rows(self) -> Iterator[tuple[str, str, float, float, float, bool]]:
        """Column, quantity, value, Monte-Carlo error, bound, and whether the error is within it."""
        for j, column in enumerate(self.columns):
            for k, quantity in enumerate(self.quantities):
                value, mcse, bound = (float(each[k, j]) for each in (self.value, self.mcse, self.bound))
                yield column, quantity, value, mcse, bound, bool(self.passed[k, j])


@dataclass(frozen=True, eq=False)
class Rung:
    """A posterior as one rung sees it.

    Attributes
    ----------
    method : str
        "laplace", "variational", "importance", "quadrature", "annealed" or "nuts".
    columns : tuple of str
    mean, sd, mean_mcse, sd_mcse : array, shape (p,)
        In the user's columns; Monte-Carlo errors are zero where nothing was drawn to get the number.
    values : array, shape (draws, p)
        Equally weighted draws (by systematic resampling with replacement where points carry weights).
    checks : Checks
        What the verdict rests on, number by number.
    khat : float
        Tail index of the weights; NaN where there are none.
    ess : float or array, shape (p,)
        Effective number of independent draws; NaN where meaningless.
    log_evidence, log_evidence_se : float
        Log integral of likelihood times normalised priors (density 1 for flat columns), and its Monte-Carlo error.
    n_pairs, n_evaluations : int
        Symmetric pairs drawn, and evaluations of the log posterior in all.
    elbo : float
        Lower bound of the log evidence by the Gaussian of the variational fit; NaN without one.
    seconds : float
    level : {"certified", "approximate", "failed"}
    reasons : tuple of str
        Why the level is what it is, in words.
    notes : tuple of str
        What else a reader should know.
    estimator : Estimator
    """

    method: str
    columns: tuple[str, ...]
    mean: Array
    sd: Array
    mean_mcse: Array
    sd_mcse: Array
    values: Array
    checks: Checks
    khat: float
    ess: float | Array
    log_evidence: float
    log_evidence_se: float
    n_pairs: int
    n_evaluations: int
    elbo: float
    seconds: float
    level: Level
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    estimator: Estimator

    @property
    def points(self) -> Array:
        """Raw weighted points, both members of a pair, in the user's columns; shape (S, p)."""
        return self.estimator.points()

    @property
    def log_weights(self) -> Array:
        """Of `points`, shape (S,); their ``logsumexp`` is 0."""
        return self.estimator.log_weights()

    def quantile(self, probs: float | Array | list[float]) -> Array:
        """Of every column, shape (len(probs), p)."""
        return self.estimator.quantiles(_probabilities(probs))[0]

    def quantile_mcse(self, probs: float | Array | list[float]) -> Array:
        """Monte-Carlo standard errors of `quantile`, shape (len(probs), p)."""
        return self.estimator.quantiles(_probabilities(probs))[1]

    def linear(self, rows: Array) -> Moments:
        """Mean and sd of linear functions of the coefficients, rows of shape (m, p): contrasts, log-odds."""
        return self.estimator.moments(np.atleast_2d(np.asarray(rows, dtype=np.float64)))

    def linear_quantile(self, rows: Array, probs: float | Array | list[float]) -> tuple[Array, Array]:
        """Quantiles of linear functions and their Monte-Carlo errors, each shape (len(probs), m)."""
        rows = np.atleast_2d(np.asarray(rows, dtype=np.float64))
        return self.estimator.quantiles(_probabilities(probs), rows)

    def expect(self, function: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Posterior mean of ``function`` and its Monte-Carlo standard error.

        Parameters
        ----------
        function : callable
            Takes points, shape (S, p), in the user's columns; returns shape (S,) or (S, m).

        Returns
        -------
        array, array
            Each of shape () or (m,).
        """
        return self.estimator.expect(function)

    def describe(self, function: Callable[[Array], Array], probs: float | Array | list[float]) -> Described:
        """Mean, sd and quantiles of a function, points of shape (S, p) to (S, m), with their Monte-Carlo errors."""
        return self.estimator.describe(function, _probabilities(probs))

    def below(self, columns: Sequence[int], at: Array) -> tuple[Array, Array]:
        """Probability that each of some columns lies below its value in ``at``, and its error; each shape (m,)."""
        value, error = self.estimator.distribution(columns, np.asarray(at, dtype=np.float64))
        return np.clip(np.atleast_1d(value), 0.0, 1.0), np.atleast_1d(error)


def _probabilities(probs: float | Array | list[float]) -> Array:
    return np.atleast_1d(np.asarray(probs, dtype=np.float64))
