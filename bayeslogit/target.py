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
from scipy.linalg import qr

from bayeslogit.design import Design
from bayeslogit.logistic import majorant_variance, squared_residuals, variance
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.sources.memory import Block

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
        return np.concatenate([[gamma[0] - self.center @ gamma[1:]], gamma[1:]])

    def gamma(self, beta: Array) -> Array:
        """Coefficients in the centred columns."""
        if self.center is None:
            return beta.copy()
        return np.concatenate([[beta[0] + self.center @ beta[1:]], beta[1:]])

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
class Kinks:
    """The terms ``-rate_j |gamma_j - center_j|`` of a log density; a rate of zero is no kink. Arrays of shape (p,)."""

    center: Array
    rate: Array

    def __bool__(self) -> bool:
        return bool(np.any(self.rate > 0.0))

    def active(self, gamma: Array) -> NDArray[np.intp]:
        """Coordinates that are not at a kink."""
        return np.flatnonzero((self.rate == 0.0) | (gamma != self.center))

    def cost(self, gamma: Array) -> float:
        """``sum_j rate_j |gamma_j - center_j|``."""
        return float(self.rate @ np.abs(gamma - self.center))

    def violation(self, gamma: Array, score: Array) -> Array:
        """What is left of the score of the smooth part when each kink has taken what it can."""
        away = gamma - self.center
        beyond = np.sign(score) * np.maximum(np.abs(score) - self.rate, 0.0)
        result: Array = np.where(away != 0.0, score - self.rate * np.sign(away), beyond)
        return result


def _unit_rows(columns: Sequence[int], p: int) -> Array:
    rows = np.zeros((len(columns), p))
    rows[np.arange(len(columns)), list(columns)] = 1.0
    return rows


@dataclass(frozen=True)
class PriorTarget:
    """A resolved prior as a function of the working coordinates gamma."""

    prior: ResolvedPrior
    coordinates: Coordinates

    @cached_property
    def _terms(self) -> tuple[tuple[PriorTerm, Array | None], ...]:
        """The proper terms with their linear functions of gamma; None where these are coordinates themselves."""
        p = len(self.prior.columns)
        result: list[tuple[PriorTerm, Array | None]] = []
        for term in self.prior.terms:
            if not term.proper:
                continue
            plain = term.map is None and (self.coordinates.center is None or 0 not in term.columns or p == 1)
            rows = None if plain else _unit_rows(term.columns, p) if term.map is None else term.map
            result.append((term, None if rows is None else self.coordinates.functions(rows)))
        return tuple(result)

    @cached_property
    def _normal(self) -> tuple[float, Array, Array] | None:
        """Log density at the centre, centre and precisions, if the prior is independent normal in these coordinates."""
        p = len(self.prior.columns)
        top, center, precision = 0.0, np.zeros(p), np.zeros(p)
        for term, rows in self._terms:
            index = list(term.columns)
            if term.family != "normal" or (rows is not None and not np.array_equal(rows, _unit_rows(index, p))):
                return None
            center[index] = term.parameters["mean"]
            precision[index] = 1.0 / np.square(term.parameters["scale"])
            top += term.density.log_density(center[index], **term.parameters)
        return top, center, precision

    def slope(self, gamma: Array) -> Slope:
        """The normalised log prior at ``gamma``, and the score of its smooth part."""
        if self._normal is not None:
            top, center, precision = self._normal
            away = gamma - center
            pull = precision * away
            return Slope(top - 0.5 * float(pull @ away), -pull)
        value, score = 0.0, np.zeros(gamma.size)
        for term, rows in self._terms:
            u = gamma[list(term.columns)] if rows is None else rows @ gamma
            value += term.density.log_density(u, **term.parameters)
            slope = term.density.score(u, **term.parameters)
            if rows is None:
                score[list(term.columns)] += slope
            else:
                score += rows.T @ slope
        return Slope(value, score)

    def information(self, gamma: Array, *, majorant: bool = False) -> Array:
        """Minus the second derivative of the smooth part of the log prior at ``gamma``, shape (p, p).

        With ``majorant`` that of a quadratic that touches it there and lies below: positive in heavy tails too.
        """
        if self._normal is not None:
            return np.diag(self._normal[2])
        information = np.zeros((gamma.size, gamma.size))
        for term, rows in self._terms:
            index = list(term.columns)
            u = gamma[index] if rows is None else rows @ gamma
            bent = term.density.majorant if majorant and term.density.majorant else term.density.information
            curve = bent(u, **term.parameters)
            if rows is not None:
                information += rows.T @ (curve @ rows if curve.ndim == 2 else curve[:, None] * rows)
            elif curve.ndim == 2:
                information[np.ix_(index, index)] += curve
            else:
                information[index, index] += curve
        return information

    def expand(self, gamma: Array) -> Expansion:
        """The normalised log prior at ``gamma``, and the derivatives of its smooth part."""
        slope = self.slope(gamma)
        return Expansion(slope.log_density, slope.score, self.information(gamma))

    def roots(self, gamma: Array) -> list[Root]:
        """Of the information of each term."""
        result = []
        for term, rows in self._terms:
            A = _unit_rows(term.columns, gamma.size) if rows is None else rows
            curve = term.density.information(A @ gamma, **term.parameters)
            half = np.linalg.cholesky(curve).T if curve.ndim == 2 else np.diag(np.sqrt(curve))
            result.append(Root.of(half @ A))
        return result


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
