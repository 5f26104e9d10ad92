"""Records that add: what a pass over the rows returns, and the prior beside it.

An `Expansion` of a block adds to that of the next block and to the prior's, so memory, streams and clusters differ only
in where blocks come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Expansion:
    """A log density to second order: its value, its score, and minus its second derivative.

    Attributes
    ----------
    log_density : float
    score : array, shape (p,)
    information : array, shape (p, p)
    """

    log_density: float
    score: Array
    information: Array

    def __add__(self, other: Expansion) -> Expansion:
        return Expansion(
            self.log_density + other.log_density, self.score + other.score, self.information + other.information
        )


@dataclass(frozen=True)
class Slope:
    """A log density to first order; two of them add.

    Attributes
    ----------
    log_density : float
    score : array, shape (p,)
    """

    log_density: float
    score: Array

    def __add__(self, other: Slope) -> Slope:
        return Slope(self.log_density + other.log_density, self.score + other.score)


@dataclass(frozen=True)
class Root:
    """An upper triangular R with R'R the information of some rows; two of them add by one more QR."""

    factor: Array

    def __add__(self, other: Root) -> Root:
        return Root.of(np.vstack([self.factor, other.factor]))

    @classmethod
    def of(cls, rows: Array) -> Root:
        (factor,) = qr(rows, mode="r", check_finite=False)
        return cls(factor[: rows.shape[1]])


@dataclass(frozen=True)
class Largest:
    """Maxima that add."""

    values: Array

    def __add__(self, other: Largest) -> Largest:
        return Largest(np.maximum(self.values, other.values))
