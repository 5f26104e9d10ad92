"""A penalty as numbers on our scale, a system's objective as numbers on its own, and what a design gives to both.

Our scale: ``J(b) = sum_i w_i l_i(b) + sum_j lambda2_j (b_j - m_j)^2 / 2 + sum_j lambda1_j |b_j - m_j|``, with l_i the
negative log likelihood of an observation. Sums, never means; one half on L2, none on L1; the intercept is column 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx

from bayeslogit.design import Design
from bayeslogit.errors import DataError
from bayeslogit.sources.memory import Block

Array = NDArray[np.float64]
# Relative difference below which two penalties are the same number.
_SAME = 1e-10
_FAR = 60.0


@dataclass(frozen=True)
class Penalty:
    """What is taken from the log likelihood, on our scale; arrays of shape (p,), intercept first.

    Attributes
    ----------
    lambda2 : array
        Gaussian precisions.
    lambda1 : array
        Laplace rates, ``1 / scale``.
    mean : array
        Where each coefficient is drawn to.
    """

    lambda2: Array
    lambda1: Array
    mean: Array

    @property
    def smooth(self) -> bool:
        return not np.any(self.lambda1 > 0.0)

    @property
    def total(self) -> Array:
        """``lambda2 + lambda1``: zero where the prior is flat."""
        return self.lambda2 + self.lambda1

    def prior_sd(self) -> Array:
        """Sd of the density proportional to ``exp(-penalty)``; infinite where it is flat. Shape (p,)."""
        return np.array([_sd(l2, l1) for l2, l1 in zip(self.lambda2, self.lambda1, strict=True)])


def _sd(ridge: float, rate: float) -> float:
    """Of ``exp(-rate |x| - ridge x^2 / 2)``: the second moment of a Gaussian of mean -rate / ridge cut off below 0."""
    if ridge == 0.0:
        return math.sqrt(2.0) / rate if rate > 0.0 else math.inf
    a = rate / math.sqrt(ridge)
    if a > _FAR:  # 1 + a^2 - a hazard cancels; its asymptotic series does not
        return math.sqrt(2.0 / a**2 - 10.0 / a**4 + 74.0 / a**6) / math.sqrt(ridge)
    hazard = math.sqrt(2.0 / math.pi) / float(erfcx(a / math.sqrt(2.0)))
    return math.sqrt((1.0 + a * a - a * hazard) / ridge)


@dataclass(frozen=True)
class Objective:
    """What a system minimises, in its own numbers: ``factor * loss + sum_j (l2_j z_j^2 / 2 + l1_j |z_j|)``.

    ``loss`` is the sum of negative log likelihoods and ``z = unit * (b - mean)`` are the coefficients that the system
    penalises: standardised ones, or the weight of liblinear's extra column.

    Attributes
    ----------
    factor : float
    l2, l1, unit, mean : array, shape (p,)
    """

    factor: float
    l2: Array
    l1: Array
    unit: Array
    mean: Array

    @classmethod
    def of(cls, factor: float, l2: Any, l1: Any, unit: Any, mean: Any = 0.0) -> Objective:
        """Numbers stand for all columns."""
        arrays = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in (l2, l1, unit, mean)))
        return cls(factor, *(np.array(each) for each in arrays))

    def cost(self, b: Array) -> Array:
        """The penalty of each coefficient, as the system adds it to ``factor * loss``."""
        z = self.unit * (b - self.mean)
        result: Array = 0.5 * self.l2 * z**2 + self.l1 * np.abs(z)
        return result

    @property
    def penalty(self) -> Penalty:
        """The same on our scale: the L2 part grows with the square of the unit, the L1 part with the unit."""
        return Penalty(self.l2 * self.unit**2 / self.factor, self.l1 * self.unit / self.factor, self.mean)


def _squared_weights(block: Block) -> float:
    """Of the rows with which a library without trials states the block: successes and failures apart."""
    return float(block.successes @ block.successes + block.failures @ block.failures)


def _weighted_rows(block: Block) -> int:
    return int(np.count_nonzero(block.successes) + np.count_nonzero(block.failures))


@dataclass(frozen=True)
class Sizes:
    """What a design gives to a system that takes means over rows or scales columns.

    Attributes
    ----------
    design : Design
    """

    design: Design

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.design.columns)

    @property
    def p(self) -> int:
        return len(self.columns)

    @property
    def has_intercept(self) -> bool:
        return self.design.has_intercept

    @property
    def rows(self) -> float:
        """Rows of the data as given, whatever their weights."""
        return float(self.design.source.n_rows)

    @property
    def total(self) -> float:
        """``W``: observations, counting frequency weights and trials."""
        return self.design.nobs

    @cached_property
    def slope(self) -> NDArray[np.bool_]:
        """Which columns are not the intercept, shape (p,)."""
        return np.arange(self.p) >= int(self.has_intercept)

    @cached_property
    def _squares(self) -> Array:
        m = self.design.moments
        squares = np.where(m.lower == m.upper, 0.0, m.squares)
        return np.concatenate([[0.0], squares]) if self.has_intercept else squares

    @cached_property
    def sd_population(self) -> Array:
        """Over observations, 1/n; 0 for the intercept and for constant columns. Shape (p,)."""
        return np.sqrt(self._squares / self.total)

    @cached_property
    def sd_spark(self) -> Array:
        """Unbiased for weights that are not counts: ``W - sum w^2 / W`` where the sd of a sample has n - 1."""
        return np.sqrt(self._squares / max(self.total - self.design.reduce(_squared_weights) / self.total, 1e-300))

    @cached_property
    def sd_h2o(self) -> Array:
        """The 1/n sd times ``sqrt(r / (r - 1))``, r the rows with weight."""
        used = self.design.reduce(_weighted_rows)
        return self.sd_population * math.sqrt(used / max(used - 1.0, 1e-300))

    def on_slopes(self, value: Any, intercept: float = 0.0) -> Array:
        """Values for the slopes (one, or one each) with that of the intercept, if there is one, before them."""
        result = np.full(self.p, intercept)
        result[self.slope] = value
        return result

    def standardising(self, title: str, sd: Array) -> Array:
        """The unit of each column for a system that divides by the sds.

        Raises
        ------
        DataError
            If a column is constant: such a system leaves it out without saying so.
        """
        constant = [name for name, s, slope in zip(self.columns, sd, self.slope, strict=True) if slope and s == 0.0]
        if constant:
            raise DataError(
                f"{title} divides each column by its sd, and {', '.join(constant[:5])} is constant: it is left out of "
                "the fit without a word. Drop it from the design."
            )
        return np.where(self.slope, sd, 1.0)


def common(values: Array) -> float | None:
    """The one value that they all are, to ten digits; 0 for none at all; None if they differ."""
    if values.size == 0:
        return 0.0
    middle = float(values.mean())
    return middle if bool(np.all(np.abs(values - middle) <= _SAME * abs(middle))) else None
