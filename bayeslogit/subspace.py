"""Where the posterior of a wide design differs from its prior: the span of the rows.

With more columns than rows and independent normal priors N(m_j, d_j^2), write ``g = m + D u``. The likelihood sees u
only through its projection ``z = Q'u`` on the row space of ``(X - center) D``; across it u stays standard normal. So
the posterior of ``(kept, z)`` and the prior of the rest give every mean, variance and draw; p x p is never formed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.steps import Factor

Array = NDArray[np.float64]
_COLUMNS_AT_ONCE = 2048


@dataclass(frozen=True)
class Support:
    """The working coordinates away from the kinks of their priors; the others are held at theirs.

    It has the verbs of `Subspace`. What it says is given the zero set.

    Attributes
    ----------
    active : array of int, shape (a,)
    size : int
        Number of working coordinates p.
    prior_information : array, shape (a, a)
        Of the smooth part of the prior of the active coordinates, at the mode.
    """

    active: NDArray[np.intp]
    size: int
    prior_information: Array

    @property
    def across(self) -> int:
        """Numbers of noise that `lift` needs."""
        return 0

    @property
    def log_determinant(self) -> float:
        """NaN: at a kink there is no curvature to integrate."""
        return float("nan")

    def project(self, rows: Array) -> Array:
        """Linear functions of the working coordinates, as functions of the active ones."""
        return rows[:, self.active]

    def outside(self, rows: Array) -> Array:
        """NaN for functions of nothing but coordinates at their kinks."""
        held = ~np.any(rows[:, self.active], axis=1)
        result = np.zeros((rows.shape[0], rows.shape[0]))
        result[held] = np.nan
        result[:, held] = np.nan
        return result

    def outside_variances(self, rows: Array) -> Array:
        """The diagonal of `outside`, shape (m,)."""
        return np.diag(self.outside(rows)).copy()

    def coordinate_variances(self, core: Factor) -> Array:
        """Posterior variance of each working coordinate given the zero set; NaN at the zeros. Shape (p,)."""
        result = np.full(self.size, np.nan)
        result[self.active] = core.coordinate_variances()
        return result

    def lift(self, moved: Array, noise: Array) -> Array:
        """Deviations of the active coordinates as those of all, shape (p, draws)."""
        result = np.zeros((self.size, moved.shape[1]))
        result[self.active] = moved
        return result


@dataclass(frozen=True)
class Subspace:
    """Coordinates ``(kept, z)`` in which a wide design has no more columns than rows.

    Attributes
    ----------
    kept : array of int, shape (c,)
        Working coordinates that are carried over as they are.
    reduced : array of int, shape (k,)
        Working coordinates with independent normal priors.
    scale : array, shape (k,)
        Their prior sds d.
    basis : array, shape (k, r)
        Orthonormal columns Q.
    prior_information : array, shape (c + r, c + r)
        Of the prior of ``(kept, z)`` at the mode.
    """

    kept: NDArray[np.intp]
    reduced: NDArray[np.intp]
    scale: Array
    basis: Array
    prior_information: Array

    @property
    def across(self) -> int:
        """Numbers of noise that `lift` needs."""
        return self.reduced.size

    @property
    def log_determinant(self) -> float:
        """What the information of all columns has beyond that of ``(kept, z)``."""
        return float(-2.0 * np.log(self.scale).sum())

    def project(self, rows: Array) -> Array:
        """Linear functions of the working coordinates, as far as they are functions of ``(kept, z)``: (m, c + r)."""
        return np.hstack([rows[:, self.kept], (rows[:, self.reduced] * self.scale) @ self.basis])

    def outside(self, rows: Array) -> Array:
        """Covariance of linear functions across the subspace, where the prior rules; shape (m, m)."""
        free = rows[:, self.reduced] * self.scale
        seen = free @ self.basis
        result: Array = free @ free.T - seen @ seen.T
        return result

    def outside_variances(self, rows: Array) -> Array:
        """The diagonal of `outside`, shape (m,)."""
        free = rows[:, self.reduced] * self.scale
        seen = free @ self.basis
        rest = np.square(free).sum(axis=1) - np.square(seen).sum(axis=1)
        result: Array = np.maximum(rest, 0.0)
        return result

    def decrement(self, score: Array, core: Factor) -> float:
        """Root of ``score' V score``: how far a point with this score is from the mode, in posterior sds."""
        free = score[self.reduced] * self.scale
        seen = self.basis.T @ free
        inside = core.whiten(np.concatenate([score[self.kept], seen]))
        across = max(float(free @ free) - float(seen @ seen), 0.0)
        return math.sqrt(float(inside @ inside) + across)

    def coordinate_variances(self, core: Factor) -> Array:
        """Posterior variance of each working coordinate, shape (p,)."""
        c, r = self.kept.size, self.basis.shape[1]
        result = np.empty(c + self.reduced.size)
        result[self.kept] = core.variances(np.eye(c, c + r))
        for lower in range(0, self.reduced.size, _COLUMNS_AT_ONCE):
            part = slice(lower, lower + _COLUMNS_AT_ONCE)
            Q = self.basis[part]
            inside = core.variances(np.hstack([np.zeros((Q.shape[0], c)), Q]))
            across = np.maximum(1.0 - np.square(Q).sum(axis=1), 0.0)
            result[self.reduced[part]] = np.square(self.scale[part]) * (inside + across)
        return result

    def lift(self, moved: Array, noise: Array) -> Array:
        """Deviations of the working coordinates, shape (p, draws).

        Parameters
        ----------
        moved : array, shape (c + r, draws)
            Deviations of ``(kept, z)``.
        noise : array, shape (k, draws)
            Standard normal numbers for what lies across.
        """
        c = self.kept.size
        result = np.empty((c + self.reduced.size, moved.shape[1]))
        result[self.kept] = moved[:c]
        across = noise + self.basis @ (moved[c:] - self.basis.T @ noise)
        result[self.reduced] = self.scale[:, None] * across
        return result
