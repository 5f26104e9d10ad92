"""Densities of an unknown positive scale: half-normal and half Student-t."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from bayeslogit.arguments import positive

Array = NDArray[np.float64]


@runtime_checkable
class Hyperprior(Protocol):
    """A density on positive scales."""

    def log_density(self, scale: Array) -> Array:
        """Normalised over (0, infinity)."""
        ...


@dataclass(frozen=True)
class HalfNormal:
    """A half-normal density of a scale, ``exp(-c^2 / (2 scale^2))`` for c > 0.

    What the scale is a multiple of is for the prior or the axis to say that it is given to.

    Parameters
    ----------
    scale : float

    Raises
    ------
    PriorError
        If ``scale`` is not positive and finite.
    """

    scale: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", positive("HalfNormal", "scale", self.scale))

    def log_density(self, scale: Array) -> Array:
        result: Array = 0.5 * math.log(2.0 / math.pi) - math.log(self.scale) - 0.5 * np.square(scale / self.scale)
        return result

    def __repr__(self) -> str:
        return f"HalfNormal({self.scale:g})"


@dataclass(frozen=True)
class HalfT:
    """A half Student-t density of a scale; one degree of freedom is the half-Cauchy.

    Parameters
    ----------
    df, scale : float

    Raises
    ------
    PriorError
        If either is not positive and finite.
    """

    df: float
    scale: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "df", positive("HalfT", "df", self.df))
        object.__setattr__(self, "scale", positive("HalfT", "scale", self.scale))

    def log_density(self, scale: Array) -> Array:
        df = self.df
        constant = float(gammaln(0.5 * (df + 1.0)) - gammaln(0.5 * df)) - 0.5 * math.log(df * math.pi) + math.log(2.0)
        result: Array = (
            constant - math.log(self.scale) - 0.5 * (df + 1.0) * np.log1p(np.square(scale / self.scale) / df)
        )
        return result

    def __repr__(self) -> str:
        return f"HalfT({self.df:g}, {self.scale:g})"
