"""The log posterior as a sum: over row blocks, and over the terms of the prior.

An `Expansion` of a block adds to that of the next block and to the prior's, so memory, streams and clusters differ only
in where blocks come from. Sums run in *working coordinates* gamma, in which the slope columns are centred: with an
intercept, ``beta_0 = gamma_0 - center . gamma_slopes`` and the other coefficients are the same. The map has Jacobian 1;
it only keeps the information well conditioned when a column's mean is large beside its sd.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeslogit.coordinates import Coordinates as Coordinates
from bayeslogit.design import Design
from bayeslogit.expansion import Expansion as Expansion
from bayeslogit.expansion import Largest as Largest
from bayeslogit.expansion import Root as Root
from bayeslogit.expansion import Slope as Slope
from bayeslogit.jeffreys import Curvature, OneBlock, Whitening, curvature, leverage_score, log_densities
from bayeslogit.logistic import log_variance, majorant_variance, squared_residuals, variance
from bayeslogit.prior_target import Kinks as Kinks
from bayeslogit.prior_target import PriorTarget as PriorTarget
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.sources.memory import Block
from bayeslogit.sources.pseudo import with_pseudo_counts

Array = NDArray[np.float64]
# Numbers up to which a design may be one block.
_SMALL = 1 << 18


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


def _longest(block: Block, half: Array) -> Largest:
    lengths = np.square(block.X.toarray() @ half).sum(axis=1)
    return Largest(np.sqrt(np.max(lengths, where=block.count > 0.0, initial=0.0, keepdims=True)))


def _scatter(block: Block, gamma: Array) -> Array:
    X = block.X
    return X.information(squared_residuals(X.predict(gamma) + block.offset, block.successes, block.failures))


def _log_variances(block: Block, gamma: Array) -> float:
    return float(block.count @ log_variance(block.X.predict(gamma) + block.offset))


@dataclass(frozen=True)
class LogPosterior:
    """Log likelihood of a design plus a resolved prior, as a function of the working coordinates gamma.

    Under a Diaconis-Ylvisaker prior the design is that of the pseudo-observations, and "likelihood" is theirs. Under
    Jeffreys' prior `expand` and `slope` have its term, at the price of one more pass, and the information may be
    indefinite far from the mode; `likelihood`, `majorant` and `root` speak of what is left without it.

    Attributes
    ----------
    design : Design
    prior : ResolvedPrior
    at : Coordinates, optional
        The centring to use instead of the design's own means.
    pseudo : float
        Pseudo-successes, and as many failures, that the prior has added to each observation of ``design``.
    """

    design: Design
    prior: ResolvedPrior
    at: Coordinates | None = None
    pseudo: float = 0.0

    def __post_init__(self) -> None:
        if self.prior.whole == "diaconis_ylvisaker" and self.pseudo == 0.0:
            extra = 0.5 * len(self.design.columns) / self.design.nobs
            source = with_pseudo_counts(self.design.source, extra)
            object.__setattr__(self, "design", replace(self.design, source=source))
            object.__setattr__(self, "pseudo", extra)

    @classmethod
    def of(cls, design: Design, prior: ResolvedPrior) -> LogPosterior:
        """The log posterior in as few rows as tell the whole: repeated ones are counted."""
        short = design.condensed
        return cls(design, prior) if short is design else cls(short, prior, cls(design, prior).coordinates)

    @cached_property
    def coordinates(self) -> Coordinates:
        if self.at is not None:
            return self.at
        if any(0 in term.columns and (term.density.kink or term.density.group) for term in self.prior.terms):
            return Coordinates(None)  # the kink of an intercept is where the intercept itself is zero
        return Coordinates(self.design.moments.mean if self.design.has_intercept else None)

    @cached_property
    def kinks(self) -> Kinks:
        """Where the log prior is not smooth."""
        center, rate = np.zeros(len(self.design.columns)), np.zeros(len(self.design.columns))
        for term in self.prior.terms:
            if term.density.kink is not None:
                center[term.index], rate[term.index] = term.density.kink(**term.parameters)
        return Kinks(center, rate, self.prior_target.groups)

    @cached_property
    def concave(self) -> bool:
        """Whether no family of the prior has a tail that bends the other way."""
        return self.prior.whole != "jeffreys" and not any(term.density.majorant for term in self.prior.terms)

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
        data = self.likelihood(gamma)
        total = data + self.prior_target.expand(gamma)
        if self.prior.whole != "jeffreys":
            return total
        whitening = self.whitening(gamma, data.information)
        if whitening is None:
            return Expansion(-np.inf, total.score, total.information)
        own, C = self.jeffreys(gamma, whitening), whitening.back
        return total + Expansion(0.5 * whitening.log_determinant, C @ own.score, C @ own.information @ C.T)

    def slope(self, gamma: Array) -> Slope:
        """The log posterior at ``gamma``, to first order: one pass."""
        if self.prior.whole != "jeffreys":
            return self._rows.reduce(_slope, gamma) + self.prior_target.slope(gamma)
        data = self.likelihood(gamma)
        whitening = self.whitening(gamma, data.information)
        near = Slope(data.log_density, data.score) + self.prior_target.slope(gamma)
        if whitening is None:
            return Slope(-np.inf, near.score)
        return near + self.jeffreys_slope(gamma, whitening)

    def nearly(self, gamma: Array) -> Expansion:
        """As `expand`, but the information leaves out the curvature of Jeffreys' term: two passes, none by column.

        The term is of the order of one row's information, so Newton steps made with it still close in by the share of
        a row at each step.
        """
        data = self.likelihood(gamma)
        total = data + self.prior_target.expand(gamma)
        if self.prior.whole != "jeffreys":
            return total
        whitening = self.whitening(gamma, data.information)
        if whitening is None:
            return Expansion(-np.inf, total.score, total.information)
        own = self.jeffreys_slope(gamma, whitening)
        return total + Expansion(own.log_density, own.score, np.zeros_like(total.information))

    def whitening(self, gamma: Array, information: Array) -> Whitening | None:
        """Of the likelihood's information at ``gamma``; by QR of the rows when Cholesky would lose digits.

        None where it is singular: there Jeffreys' density is zero.
        """
        found = Whitening.of(information)
        if found is None or not found.well_conditioned:
            found = Whitening.of_root(self._rows.reduce(_root, gamma, False).factor)
        return found

    def jeffreys(self, gamma: Array, whitening: Whitening) -> Curvature:
        """``0.5 log |I|`` to second order: one pass; one for each column if they are many."""
        return curvature(self._rows.reduce, gamma, whitening)

    def jeffreys_slope(self, gamma: Array, whitening: Whitening) -> Slope:
        """``0.5 log |I|`` to first order: one pass."""
        score = self._rows.reduce(leverage_score, gamma, whitening.half)
        return Slope(0.5 * whitening.log_determinant, score)

    @cached_property
    def one_block(self) -> OneBlock | None:
        """The rows, where they are one small block in memory."""
        blocks = self._rows.source.blocks() if self._rows.source.stored < _SMALL else ()
        first = list(itertools.islice(blocks, 2))
        return OneBlock(first[0]) if len(first) == 1 and OneBlock.serves(first[0]) else None

    def whole_log_densities(self, gammas: Array) -> Array:
        """What a term of the whole model adds to likelihood and prior at several points, shape (points,): one pass."""
        if self.prior.whole != "jeffreys":
            return np.zeros(gammas.shape[0])
        return log_densities(self._rows.reduce, gammas)

    def whole_log_density(self, gamma: Array) -> float:
        """The log density of the prior's term of the whole model at ``gamma``, not normalised; 0 without one."""
        if self.prior.whole == "jeffreys":
            return float(log_densities(self._rows.reduce, gamma[None])[0])
        if not self.pseudo:
            return 0.0
        return self.pseudo / (1.0 + 2.0 * self.pseudo) * self._rows.reduce(_log_variances, gamma)

    def steady(self, gamma: Array) -> Array:
        """The likelihood's information with the majorant of the prior: positive, whatever bends the other way."""
        return self.likelihood(gamma).information + self.prior_target.information(gamma, majorant=True)

    def majorant(self, gamma: Array) -> Array:
        """Information of a quadratic that touches the log posterior at ``gamma`` and lies below it: one pass."""
        return self._rows.reduce(_majorant, gamma) + self.prior_target.information(gamma, majorant=True)

    def root(self, gamma: Array, *, majorant: bool = False) -> Array:
        """Triangular R with R'R the information at ``gamma``, found without forming it: one pass, shape (<= p, p).

        Under Jeffreys' prior that of the likelihood alone, which must have full rank whatever other priors say.
        """
        own = [] if self.prior.whole == "jeffreys" else self.prior_target.roots(gamma, majorant=majorant)
        return sum(own, self._rows.reduce(_root, gamma, majorant)).factor

    def reach(self, *directions: Array) -> Array:
        """The largest change of any row's log-odds along each direction: one pass."""
        return self._rows.reduce(_reach, directions).values

    def longest(self, half: Array) -> float:
        """The largest ``||half' x||`` of any row, in working coordinates: one pass."""
        return float(self._rows.reduce(_longest, half).values[0])

    def scatter(self, gamma: Array) -> Array:
        """``sum w_i r_i^2 x_i x_i'`` over expanded rows, shape (p, p)."""
        return self._rows.reduce(_scatter, gamma)
