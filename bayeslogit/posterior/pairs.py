"""Symmetric pairs of points: a defensive Gaussian proposal, what was drawn from it, and its weights.

Both ``m + d`` and ``m - d`` are evaluated for each d drawn from a density that is symmetric about m. The weight of the
pair is the mean of the two, so every odd term (skewness) leaves it: the importance sampling of the best skew-symmetric
proposal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from bayeslogit.posterior.ground import Cubic, Ground
from bayeslogit.posterior.variational import Gaussian

Array = NDArray[np.float64]
_LOG_2PI = math.log(2.0 * math.pi)


class Defence(NamedTuple):
    """A part of a proposal: a t with ``df`` degrees of freedom, ``widen`` times as wide as the Normal."""

    share: float
    df: float
    widen: float


# The control variates take back what draws from a t cost, so its share can be large where it reaches the tails of
# single coefficients; in many dimensions it mostly draws points that are too far out, and is kept light (measured).
# By the most dimensions that each is for.
_USUAL = (
    (15, (Defence(0.5, 5.0, 1.25),)),
    (50, (Defence(0.1, 4.0, 1.25), Defence(0.3, 20.0, 1.15))),
    (math.inf, (Defence(0.05, 8.0, 1.15), Defence(0.6, 60.0, 1.06))),
)
# For a second try, where the first has met heavy tails.
WIDE_DEFENCES = (Defence(0.3, 3.0, 1.5), Defence(0.3, 8.0, 1.2))


@dataclass(frozen=True)
class Proposal:
    """A mixture of ``Normal(m, V)`` and wider t's: these keep the weights bounded in the tails."""

    gaussian: Gaussian
    defences: tuple[Defence, ...]

    cubic: Cubic

    @classmethod
    def around(cls, ground: Ground, gaussian: Gaussian, defences: tuple[Defence, ...] | None = None) -> Proposal:
        return cls.of(gaussian, ground.cubic(gaussian.mean, gaussian.root), defences)

    @classmethod
    def of(cls, gaussian: Gaussian, cubic: Cubic, defences: tuple[Defence, ...] | None = None) -> Proposal:
        usual = next(parts for most, parts in _USUAL if gaussian.mean.size <= most)
        return cls(gaussian, usual if defences is None else defences, cubic)

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Whitened deviations, shape (k, count); shares are met as exactly as whole numbers can."""
        z = rng.standard_normal((self.gaussian.mean.size, count))
        order, lower = rng.permutation(count), 0
        for share, df, widen in self.defences:
            part = order[lower : lower + round(share * count)]
            z[:, part] *= widen * np.sqrt(df / rng.chisquare(df, part.size))
            lower += part.size
        return z

    def log_densities(self, z: Array) -> tuple[Array, Array]:
        """Of the deviations ``root z`` under the proposal, and its Normal part alone; shape (k, S) to (S,) each."""
        k = z.shape[0]
        squares = np.einsum("ij,ij->j", z, z)
        volume = self.gaussian.log_determinant
        normal = -0.5 * squares - 0.5 * k * _LOG_2PI
        whole = math.log1p(-sum(part.share for part in self.defences)) + normal
        for share, df, widen in self.defences:
            top = gammaln(0.5 * (df + k)) - gammaln(0.5 * df) - 0.5 * k * math.log(df * math.pi) - k * math.log(widen)
            whole = np.logaddexp(whole, math.log(share) + top - 0.5 * (df + k) * np.log1p(squares / (df * widen**2)))
        return whole - volume, normal - volume


@dataclass(frozen=True)
class Pairs:
    """Evaluated pairs.

    Attributes
    ----------
    z : array, shape (k, S)
        Whitened deviations.
    log_target : array, shape (2, S)
        Log posterior at ``m + d`` and at ``m - d``.
    log_proposal, log_normal : array, shape (S,)
        Of the proposal, and of its Normal part.
    cubes : array, shape (S,)
        `Ground.pair_log_densities`.
    """

    z: Array
    log_target: Array
    log_proposal: Array
    log_normal: Array
    cubes: Array

    @classmethod
    def drawn(cls, ground: Ground, proposal: Proposal, count: int, rng: np.random.Generator) -> Pairs:
        z = proposal.draw(count, rng)
        gaussian = proposal.gaussian
        return cls.of(proposal, z, *ground.pair_log_densities(gaussian.mean, gaussian.root @ z, proposal.cubic))

    @classmethod
    def of(cls, proposal: Proposal, z: Array, log_target: Array, cubes: Array) -> Pairs:
        # A posterior that is NaN or +inf somewhere says nothing there.
        log_target = np.where(log_target < np.inf, log_target, -np.inf)
        return cls(z, log_target, *proposal.log_densities(z), cubes)

    @classmethod
    def joined(cls, parts: Sequence[Pairs]) -> Pairs:
        if len(parts) == 1:
            return parts[0]
        fields = ("z", "log_target", "log_proposal", "log_normal", "cubes")
        return cls(*(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in fields))

    @property
    def count(self) -> int:
        return self.log_proposal.size

    @property
    def log_weights(self) -> Array:
        """Of the pairs: the log of the mean of the two weights, shape (S,)."""
        return np.asarray(np.logaddexp(self.log_target[0], self.log_target[1]) - math.log(2.0) - self.log_proposal)

    @property
    def lean(self) -> Array:
        """``(w+ - w-) / (w+ + w-)``, shape (S,)."""
        with np.errstate(invalid="ignore"):
            away = self.log_target[0] - self.log_target[1]
        return np.tanh(0.5 * np.where(np.isnan(away), 0.0, away))
