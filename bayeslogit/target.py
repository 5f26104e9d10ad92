"""The log posterior as a sum: over row blocks, and over the terms of the prior.

An `Expansion` of a block adds to that of the next block and to the prior's, so memory, streams and clusters differ only
in where blocks come from. Sums run in *working coordinates* gamma, in which the slope columns are centred: with an
intercept, ``beta_0 = gamma_0 - center . gamma_slopes`` and the other coefficients are the same. The map has Jacobian 1;
it only keeps the information well conditioned when a column's mean is large beside its sd.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeslogit.coordinates import Coordinates as Coordinates
from bayeslogit.design import Design
from bayeslogit.expansion import Expansion as Expansion
from bayeslogit.expansion import Largest as Largest
from bayeslogit.expansion import Root as Root
from bayeslogit.expansion import Slope as Slope
from bayeslogit.logistic import majorant_variance, squared_residuals, variance
from bayeslogit.prior_target import Kinks as Kinks
from bayeslogit.prior_target import PriorTarget as PriorTarget
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.sources.memory import Block

Array = NDArray[np.float64]


def _expansion(block: Block, gamma: Array) -> Expansion:
    return Expansion(*block.X.expand(gamma, block.outcome))


def _slope(block: Block, gamma: Array) -> Slope:
    return Slope(*block.X.slope(gamma, block.outcome))


def _majorant(block: Block, gamma: Array) -> Array:
    weight = block.count * majorant_variance(block.X.predict(gamma) + block.offset)
    return block.X.information(weight)


def _root(block: Block, gamma: Array, majorant: bool) -> Root:
    X = block.X
    eta = X.predict(gamma) + block.offset
    weight = block.count * (majorant_variance(eta) if majorant else variance(eta))
    return Root.of(np.sqrt(weight)[:, None] * X.toarray())


def _reach(block: Block, directions: Sequence[Array]) -> Largest:
    X, used = block.X, block.count > 0.0
    return Largest(
        np.array([np.max(np.abs(X.predict(each)), where=used, initial=0.0) for each in directions], dtype=np.float64)
    )


def _scatter(block: Block, gamma: Array) -> Array:
    X = block.X
    return X.information(squared_residuals(X.predict(gamma) + block.offset, block.successes, block.failures))


@dataclass(frozen=True)
class LogPosterior:
    """Log likelihood of a design plus a resolved prior, as a function of the working coordinates gamma.

    Attributes
    ----------
    design : Design
    prior : ResolvedPrior
    at : Coordinates, optional
        The centring to use instead of the design's own means.
    """

    design: Design
    prior: ResolvedPrior
    at: Coordinates | None = None

    @classmethod
    def of(cls, design: Design, prior: ResolvedPrior) -> LogPosterior:
        """The log posterior in as few rows as tell the whole: repeated ones are counted."""
        short = design.condensed
        return cls(design, prior) if short is design else cls(short, prior, cls(design, prior).coordinates)

    @cached_property
    def coordinates(self) -> Coordinates:
        if self.at is not None:
            return self.at
        if any(0 in term.columns and term.density.kink for term in self.prior.terms):
            return Coordinates(None)  # the kink of an intercept is where the intercept itself is zero
        return Coordinates(self.design.moments.mean if self.design.has_intercept else None)

    @cached_property
    def kinks(self) -> Kinks:
        """Where the log prior is not smooth."""
        center, rate = np.zeros(len(self.design.columns)), np.zeros(len(self.design.columns))
        for term in self.prior.terms:
            if term.density.kink is not None:
                index = list(term.columns)
                center[index], rate[index] = term.density.kink(**term.parameters)
        return Kinks(center, rate)

    @cached_property
    def concave(self) -> bool:
        """Whether no family of the prior has a tail that bends the other way."""
        return not any(term.density.majorant for term in self.prior.terms)

    @cached_property
    def prior_target(self) -> PriorTarget:
        return PriorTarget(self.prior, self.coordinates)

    @cached_property
    def _rows(self) -> Design:
        return self.design.centered(self.coordinates.center)

    def likelihood(self, gamma: Array) -> Expansion:
        """The log likelihood at ``gamma``, to second order: one pass."""
        return self._rows.reduce(_expansion, gamma)

    def expand(self, gamma: Array) -> Expansion:
        """The log posterior at ``gamma``, to second order: one pass."""
        return self.likelihood(gamma) + self.prior_target.expand(gamma)

    def slope(self, gamma: Array) -> Slope:
        """The log posterior at ``gamma``, to first order: one pass."""
        return self._rows.reduce(_slope, gamma) + self.prior_target.slope(gamma)

    def majorant(self, gamma: Array) -> Array:
        """Information of a quadratic that touches the log posterior at ``gamma`` and lies below it: one pass."""
        return self._rows.reduce(_majorant, gamma) + self.prior_target.information(gamma, majorant=True)

    def root(self, gamma: Array, *, majorant: bool = False) -> Array:
        """Triangular R with R'R the information at ``gamma``, found without forming it: one pass, shape (<= p, p)."""
        return sum(self.prior_target.roots(gamma), self._rows.reduce(_root, gamma, majorant)).factor

    def reach(self, *directions: Array) -> Array:
        """The largest change of any row's log-odds along each direction: one pass."""
        return self._rows.reduce(_reach, directions).values

    def scatter(self, gamma: Array) -> Array:
        """``sum w_i r_i^2 x_i x_i'`` over expanded rows, shape (p, p)."""
        return self._rows.reduce(_scatter, gamma)
