"""A resolved prior as a function of the working coordinates: its smooth part to second order, and its kinks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeslogit.coordinates import Coordinates
from bayeslogit.expansion import Expansion, Root, Slope
from bayeslogit.resolved import PriorTerm, ResolvedPrior

Array = NDArray[np.float64]


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
