"""The Gaussian approximation at the mode: mean = mode, precision = information there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bayeslogit.errors import FitError
from bayeslogit.kernels import own_products
from bayeslogit.mode import Mode
from bayeslogit.sources.matrix import Rows
from bayeslogit.steps import Factor
from bayeslogit.subspace import Subspace, Support
from bayeslogit.target import Coordinates

Array = NDArray[np.float64]
_ROWS_AT_ONCE = 2048
# Up to this many columns a part of a covariance is taken out of the whole, so that its bits do not depend on the part.
_WHOLE = 5000


@dataclass(frozen=True)
class LaplacePosterior:
    """A Gaussian with mean at the mode; sds are NaN when the fit has no finite covariance.

    Attributes
    ----------
    mean : array, shape (p,)
        The mode, in the user's columns.
    factor : Factor or None
        Of the precision, in working coordinates, or in those of ``subspace``.
    coordinates : Coordinates
    subspace : Subspace, Support or None
        What the factor speaks of, if not all working coordinates.
    """

    mean: Array
    factor: Factor | None
    coordinates: Coordinates
    subspace: Subspace | Support | None = None

    @classmethod
    def at(cls, mode: Mode) -> LaplacePosterior:
        return cls(mode.beta, mode.factor if mode.converged else None, mode.coordinates, mode.subspace)

    @cached_property
    def sd(self) -> Array:
        """Root of the diagonal of the covariance, shape (p,); the whole matrix is never formed."""
        if self.factor is None:
            return np.full(self.mean.size, np.nan)
        if self.subspace is None:
            variances = self.factor.coordinate_variances()
        else:
            variances = self.subspace.coordinate_variances(self.factor)
        if self.coordinates.center is not None:
            variances[:1] = self.variances(self.functions([0]))
        return np.sqrt(variances)

    @property
    def log_determinant(self) -> float:
        """Of the precision of the coefficients; NaN without one."""
        if self.factor is None:
            return float("nan")
        return self.factor.log_determinant + (0.0 if self.subspace is None else self.subspace.log_determinant)

    def functions(self, picked: Sequence[int]) -> Array:
        """Some coefficients as linear functions of the working coordinates, shape (len(picked), p)."""
        rows = np.zeros((len(picked), self.mean.size))
        rows[np.arange(len(picked)), picked] = 1.0
        return self.coordinates.functions(rows)

    def variances(self, functions: Array) -> Array:
        """Of linear functions of the working coordinates, shape (m,)."""
        if self.factor is None:
            return np.full(functions.shape[0], np.nan)
        if self.subspace is None:
            return self.factor.variances(functions)
        return self.factor.variances(self.subspace.project(functions)) + self.subspace.outside_variances(functions)

    def covariance(self, picked: Sequence[int] | None = None) -> Array:
        """Covariance of all coefficients, or of those picked."""
        if self.factor is None:
            size = self.mean.size if picked is None else len(picked)
            return np.full((size, size), np.nan)
        if self.subspace is None and (picked is None or self.mean.size <= _WHOLE):
            # Not by the inverse: the intercept's row would cancel where columns are nearly collinear.
            half = self.factor.whiten_rows(self.functions(range(self.mean.size)))
            full = own_products(half)
            return full if picked is None else full[np.ix_(picked, picked)]
        functions = self.functions(range(self.mean.size) if picked is None else picked)
        half = self.factor.whiten_rows(self.project(functions))
        across = 0.0 if self.subspace is None else self.subspace.outside(functions)
        result: Array = own_products(half) + across
        return result

    def project(self, functions: Array) -> Array:
        """Linear functions of the working coordinates in the coordinates of the factor."""
        return functions if self.subspace is None else self.subspace.project(functions)

    def quantile(self, probability: float) -> Array:
        """Of each coefficient, shape (p,)."""
        return self.mean + float(ndtri(probability)) * self.sd

    def sample(self, draws: int, rng: int | np.random.Generator) -> Array:
        """Independent draws, shape (draws, p)."""
        if self.factor is None:
            raise FitError(
                "This fit holds no covariance, so there is no Gaussian at its mode to draw from. Where that is for "
                "covariance='none', fit again without it, or use another rung: method='variational' or 'importance'."
            )
        rng = np.random.default_rng(rng)
        z = rng.standard_normal((self.factor.scale.size, draws))
        moved = self.factor.unwhiten(z)
        if self.subspace is not None:
            moved = self.subspace.lift(moved, rng.standard_normal((self.subspace.across, draws)))
        gamma = self.coordinates.gamma(self.mean)[:, None] + moved
        if self.coordinates.center is not None:
            gamma[0] -= self.coordinates.center @ gamma[1:]
        return gamma.T

    def linear_predictor(self, rows: Rows, offset: Array) -> tuple[Array, Array]:
        """Mean and sd of the log-odds of new rows, each shape (n,)."""
        centered = rows.centered(self.coordinates.center)
        gamma = self.coordinates.gamma(self.mean)
        mean, sd = np.empty(offset.size), np.full(offset.size, np.nan)
        for lower in range(0, mean.size, _ROWS_AT_ONCE):
            part = slice(lower, lower + _ROWS_AT_ONCE)
            some = centered.take(part)
            mean[part] = some.predict(gamma) + offset[part]
            if self.factor is not None:
                sd[part] = np.sqrt(self.variances(some.toarray()))
        return mean, sd
