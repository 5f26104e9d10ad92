"""The working coordinates: slope columns centred, the same model.

With an intercept, ``beta_0 = gamma_0 - center . gamma_slopes`` and the other coefficients are the same. The map has
Jacobian 1; it only keeps the information well conditioned when a column's mean is large beside its sd.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.expansion import Expansion, Slope

Array = NDArray[np.float64]
# From so many numbers on a BLAS wakes its threads for one inner product.
_MANY = 10_000


def _inner(a: Array, b: Array) -> float:
    return float(a @ b if a.size < _MANY else (a * b).sum())


@dataclass(frozen=True)
class Coordinates:
    """``beta = T gamma``: the slopes are the same, the intercept is that at ``center``.

    Attributes
    ----------
    center : array, shape (k,), or None
        Of the slope columns; None without an intercept (then T is the identity).
    """

    center: Array | None

    def beta(self, gamma: Array) -> Array:
        """Coefficients in the user's columns."""
        if self.center is None:
            return gamma.copy()
        return np.concatenate([[gamma[0] - _inner(self.center, gamma[1:])], gamma[1:]])

    def gamma(self, beta: Array) -> Array:
        """Coefficients in the centred columns."""
        if self.center is None:
            return beta.copy()
        return np.concatenate([[beta[0] + _inner(self.center, beta[1:])], beta[1:]])

    def functions(self, A: Array) -> Array:
        """Rows ``A`` of linear functions of beta, as linear functions of gamma: ``A T``."""
        if self.center is None:
            return A
        result = A.copy()
        result[:, 1:] -= A[:, :1] * self.center
        return result

    def covariance(self, V: Array) -> Array:
        """``T V T'``: a covariance of gamma as one of beta."""
        if self.center is None:
            return V
        left = V.copy()
        left[0] -= self.center @ V[1:]
        result = left.copy()
        result[:, 0] -= left[:, 1:] @ self.center
        return result

    def slope(self, local: Slope) -> Slope:
        """A slope in gamma, as one in beta."""
        if self.center is None:
            return local
        score = local.score.copy()
        score[1:] += self.center * local.score[0]
        return Slope(local.log_density, score)

    def expansion(self, local: Expansion) -> Expansion:
        """An expansion in gamma, as one in beta."""
        if self.center is None:
            return local
        # gamma = C beta with C = [[1, center], [0, I]]: score_beta = C' score, information_beta = C' H C.
        score = self.slope(Slope(local.log_density, local.score)).score
        half = local.information.copy()
        half[:, 1:] += np.outer(local.information[:, 0], self.center)
        information = half.copy()
        information[1:] += np.outer(self.center, half[0])
        return Expansion(local.log_density, score, information)
