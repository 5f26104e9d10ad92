"""Unknown scales as coordinates on the whole line: what they make of the sds of the coefficients, and their densities.

A block belongs to one term of the prior. Its coordinates h are logarithms of scales; everything is a function of h, of
many h at once where a leading axis is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit as share_of

from bayeslogit.resolved import PriorTerm

Array = NDArray[np.float64]


class Block(Protocol):
    """The unknown scales of one term of the prior on d columns."""

    @property
    def size(self) -> int:
        """Number of coordinates h."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """What each scale is called: "tau", "lambda" (one a column), "slab"."""
        ...

    def start(self, tau: float) -> Array:
        """Coordinates at which all columns have about the sd ``tau`` (times their units); shape (size,)."""
        ...

    def log_sds(self, h: Array) -> Array:
        """Log prior sds of the columns, shape (..., size) to (..., d)."""
        ...

    def log_prior(self, h: Array) -> Array:
        """Normalised log density of h, shape (..., size) to (...)."""
        ...

    def degrees(self, name: str) -> float:
        """Of the power with which the prior density of a scale falls: moments below it exist whatever the data say."""
        ...

    def pull(self, h: Array, slope: Array) -> Array:
        """The gradient in h, shape (size,), of `log_prior` and of what has the gradient ``slope`` in the log sds."""
        ...


def _half_t(h: Array, df: float, scale: float) -> Array:
    """Log density of the logarithm of a scale that is half Student-t, or half-normal where ``df`` is infinite."""
    away = h - math.log(scale)
    if math.isinf(df):
        normal: Array = 0.5 * math.log(2.0 / math.pi) + away - 0.5 * np.exp(2.0 * away)
        return normal
    constant = math.lgamma(0.5 * (df + 1.0)) - math.lgamma(0.5 * df) - 0.5 * math.log(0.25 * df * math.pi)
    result: Array = constant + away - 0.5 * (df + 1.0) * np.logaddexp(0.0, 2.0 * away - math.log(df))
    return result


def _half_t_slope(h: Array, df: float, scale: float) -> Array:
    away = h - math.log(scale)
    if math.isinf(df):
        normal: Array = 1.0 - np.exp(2.0 * away)
        return normal
    result: Array = 1.0 - (df + 1.0) * share_of(2.0 * away - math.log(df))
    return result


@dataclass(frozen=True, eq=False)
class Shared:
    """One log tau for all columns."""

    df: float
    scale: float
    log_unit: Array

    @classmethod
    def of(cls, term: PriorTerm) -> Shared:
        p = term.parameters
        return cls(float(p["df"][0]), float(p["scale"][0]), np.log(p["unit"]))

    size = 1
    names = ("tau",)

    def start(self, tau: float) -> Array:
        return np.array([math.log(tau)])

    def log_sds(self, h: Array) -> Array:
        result: Array = h[..., :1] + self.log_unit
        return result

    def log_prior(self, h: Array) -> Array:
        return _half_t(h[..., 0], self.df, self.scale)

    def degrees(self, name: str) -> float:
        return self.df

    def pull(self, h: Array, slope: Array) -> Array:
        result: Array = _half_t_slope(h, self.df, self.scale) + slope.sum()
        return result


@dataclass(frozen=True, eq=False)
class Regularised:
    """The horseshoe with a slab: log lambda of each column, log tau, log c^2.

    Attributes
    ----------
    a, b : float
        Of the inverse gamma density of c^2.
    """

    global_df: float
    global_scale: float
    local_df: float
    a: float
    b: float
    log_unit: Array

    @classmethod
    def of(cls, term: PriorTerm) -> Regularised:
        p = {key: float(value[0]) for key, value in term.parameters.items() if key != "unit"}
        a = 0.5 * p["slab_df"]
        unit = np.log(term.parameters["unit"])
        return cls(p["global_df"], p["global_scale"], p["local_df"], a, a * p["slab_scale"] ** 2, unit)

    @property
    def size(self) -> int:
        return int(self.log_unit.size) + 2

    @property
    def names(self) -> tuple[str, ...]:
        return ("lambda",) * int(self.log_unit.size) + ("tau", "slab")

    def start(self, tau: float) -> Array:
        slab = self.b / self.a
        # The sd is half of what is wanted from the local scale, and half from the global one, in logs.
        local = 0.5 * (math.log(min(tau, 0.9 * math.sqrt(slab))) - math.log(self.global_scale))
        d = self.log_unit.size
        return np.concatenate([np.full(d, local), [math.log(self.global_scale) + local, math.log(slab)]])

    def _log_square(self, h: Array) -> Array:
        result: Array = 2.0 * (h[..., :-2] + h[..., -2:-1])
        return result

    def log_sds(self, h: Array) -> Array:
        result: Array = self.log_unit - 0.5 * np.logaddexp(-self._log_square(h), -h[..., -1:])
        return result

    def log_prior(self, h: Array) -> Array:
        slab = h[..., -1]
        of_slab = self.a * math.log(self.b) - math.lgamma(self.a) - self.a * slab - self.b * np.exp(-slab)
        local = _half_t(h[..., :-2], self.local_df, 1.0).sum(axis=-1)
        result: Array = local + _half_t(h[..., -2], self.global_df, self.global_scale) + of_slab
        return result

    def degrees(self, name: str) -> float:
        return {"lambda": self.local_df, "tau": self.global_df, "slab": 2.0 * self.a}[name]

    def pull(self, h: Array, slope: Array) -> Array:
        free = share_of(h[-1] - self._log_square(h)) * slope  # the part of each slope that the slab leaves
        local = _half_t_slope(h[:-2], self.local_df, 1.0) + free
        tau = _half_t_slope(h[-2], self.global_df, self.global_scale) + free.sum()
        slab = -self.a + self.b * np.exp(-h[-1]) + 0.5 * (slope.sum() - free.sum())
        return np.concatenate([local, [tau, slab]])


# How each family of `OPEN` is drawn from; a family that is missing fails a test.
BLOCKS: Mapping[str, Callable[[PriorTerm], Block]] = {"hierarchical": Shared.of, "horseshoe": Regularised.of}


def natural(name: str, h: Array) -> Array:
    """A coordinate as the scale that it is the logarithm of; of "slab" the root, since h is the log of c^2."""
    result: Array = np.exp(0.5 * h) if name == "slab" else np.exp(h)
    return result
