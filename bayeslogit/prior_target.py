"""A resolved prior as a function of the working coordinates: its smooth part to second order, and its kinks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeslogit.coordinates import Coordinates
from bayeslogit.expansion import Expansion, Root, Slope
from bayeslogit.resolved import PriorTerm, ResolvedPrior

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Groups:
    """The terms ``-rate_g ||gamma_g||`` of a log density: coordinates that are zero together or not at all.

    Attributes
    ----------
    members : array of int, shape (k,)
        The coordinates of the first group, then those of the second, and so on.
    starts : array of int, shape (m + 1,)
        Group g is ``members[starts[g] : starts[g + 1]]``; none is empty.
    rate : array, shape (m,)
    """

    members: NDArray[np.intp]
    starts: NDArray[np.intp]
    rate: Array

    @classmethod
    def of(cls, groups: Iterable[tuple[Sequence[int], float]]) -> Groups:
        """From the coordinates of each group and its rate."""
        listed = list(groups)
        sizes = np.array([0, *(len(columns) for columns, _ in listed)], dtype=np.intp)
        members = np.array([j for columns, _ in listed for j in columns], dtype=np.intp)
        return cls(members, np.cumsum(sizes), np.array([rate for _, rate in listed], dtype=np.float64))

    def __len__(self) -> int:
        return self.rate.size

    def __iter__(self) -> Iterator[NDArray[np.intp]]:
        """The coordinates of each group."""
        return (self.members[low:high] for low, high in zip(self.starts, self.starts[1:], strict=False))

    def each[T: np.generic](self, values: NDArray[T]) -> NDArray[T]:
        """A value of each group, for each of its members."""
        return np.repeat(values, np.diff(self.starts))

    def lengths(self, gamma: Array) -> Array:
        """``||gamma_g||`` of each group."""
        if not len(self):
            return np.zeros(0)
        result: Array = np.sqrt(np.add.reduceat(np.square(gamma[self.members]), self.starts[:-1]))
        return result

    def violation(self, gamma: Array, score: Array) -> Array:
        """Of the members: the score less ``rate u`` (u the direction of the group), or what is beyond the rate at 0."""
        own, sizes = score[self.members], self.lengths(gamma)
        with np.errstate(divide="ignore", invalid="ignore"):
            away = own - gamma[self.members] * self.each(self.rate / sizes)
            beyond = own * self.each(np.maximum(1.0 - self.rate / self.lengths(score), 0.0))
        result: Array = np.where(self.each(sizes) > 0.0, away, np.where(own == 0.0, 0.0, beyond))
        return result

    def curvature(self, gamma: Array, *, majorant: bool = False) -> Iterator[tuple[NDArray[np.intp], Array]]:
        """Information ``rate (I - u u') / ||gamma_g||`` of each group that is not zero; a majorant leaves out u u'."""
        for own, rate, size in zip(self, self.rate, self.lengths(gamma), strict=True):
            if size > 0.0:
                u = gamma[own] / size
                yield own, rate / size * (np.eye(own.size) - (0.0 if majorant else np.outer(u, u)))


def _no_groups() -> Groups:
    return Groups.of(())


@dataclass(frozen=True)
class Kinks:
    """The terms ``-rate_j |gamma_j - center_j|`` of a log density, and those of groups.

    Attributes
    ----------
    center, rate : array, shape (p,)
        A rate of zero is no kink.
    groups : Groups
        Of coordinates that have no kink of their own.
    """

    center: Array
    rate: Array
    groups: Groups = field(default_factory=_no_groups)

    def __bool__(self) -> bool:
        return bool(np.any(self.rate > 0.0)) or len(self.groups) > 0

    def active(self, gamma: Array) -> NDArray[np.intp]:
        """Coordinates that are not at a kink."""
        away = (self.rate == 0.0) | (gamma != self.center)
        if len(self.groups):
            away[self.groups.members] = self.groups.each(self.groups.lengths(gamma)) > 0.0
        return np.flatnonzero(away)

    def cost(self, gamma: Array) -> float:
        """``sum_j rate_j |gamma_j - center_j| + sum_g rate_g ||gamma_g||``."""
        return float(self.rate @ np.abs(gamma - self.center) + self.groups.rate @ self.groups.lengths(gamma))

    def violation(self, gamma: Array, score: Array) -> Array:
        """What is left of the score of the smooth part when each kink has taken what it can."""
        away = gamma - self.center
        beyond = np.sign(score) * np.maximum(np.abs(score) - self.rate, 0.0)
        result: Array = np.where(away != 0.0, score - self.rate * np.sign(away), beyond)
        if len(self.groups):
            result[self.groups.members] = self.groups.violation(gamma, score)
        return result


def _together(terms: Iterable[tuple[PriorTerm, Array | None]]) -> tuple[tuple[PriorTerm, Array | None], ...]:
    """Terms of one family on coordinates told as one: with a prior for each column there can be thousands of terms."""
    alike: dict[str, list[PriorTerm]] = {}
    apart: list[tuple[PriorTerm, Array | None]] = []
    for term, rows in terms:
        each = all(np.shape(value) == term.index.shape for value in term.parameters.values())
        if rows is None and each:
            alike.setdefault(term.family, []).append(term)
        else:
            apart.append((term, rows))
    return (*((_joined(own), None) for own in alike.values()), *apart)


def _joined(terms: Sequence[PriorTerm]) -> PriorTerm:
    first = terms[0]
    if len(terms) == 1:
        return first
    parameters = {key: np.concatenate([term.parameters[key] for term in terms]) for key in first.parameters}
    return PriorTerm(first.family, tuple(j for term in terms for j in term.columns), parameters)


def _unit_rows(columns: Sequence[int] | NDArray[np.intp], p: int) -> Array:
    rows = np.zeros((len(columns), p))
    rows[np.arange(len(columns)), list(columns)] = 1.0
    return rows


@dataclass(frozen=True)
class Heavy:
    """Linear functions of gamma under heavy-tailed densities, at some point.

    Attributes
    ----------
    rows : array, shape (k, p)
        The functions.
    columns : tuple of int
        The coefficient that each is named after.
    slope, height : array, shape (k,)
        `Density.bend` there.
    """

    rows: Array
    columns: tuple[int, ...]
    slope: Array
    height: Array


@dataclass(frozen=True)
class PriorTarget:
    """A resolved prior as a function of the working coordinates gamma."""

    prior: ResolvedPrior
    coordinates: Coordinates

    @cached_property
    def _terms(self) -> tuple[tuple[PriorTerm, Array | None], ...]:
        """The proper terms with their linear functions of gamma; None where these are coordinates themselves."""
        terms = (term for term in self.prior.terms if term.proper and term.density.group is None)
        return _together((term, self._rows(term)) for term in terms)

    def _rows(self, term: PriorTerm) -> Array | None:
        p = len(self.prior.columns)
        if term.map is not None:
            return self.coordinates.functions(term.map)
        plain = self.coordinates.center is None or not np.any(term.index == 0) or p == 1
        return None if plain else self.coordinates.functions(_unit_rows(term.columns, p))

    @cached_property
    def groups(self) -> Groups:
        """The groups of coordinates; none holds a centred intercept."""
        terms = [term for term in self.prior.terms if term.density.group is not None]
        return Groups.of((term.columns, term.density.group(**term.parameters)) for term in terms if term.density.group)

    @cached_property
    def group_top(self) -> float:
        """Log density of all groups at zero."""
        terms = [term for term in self.prior.terms if term.density.group is not None]
        tops = [float(term.density.log_density(np.zeros(len(term.columns)), **term.parameters)) for term in terms]
        return math.fsum(tops)

    @cached_property
    def _normal(self) -> tuple[float, Array, Array] | None:
        """Log density at the centre, centre and precisions, if the prior is independent normal in these coordinates."""
        if len(self.groups):
            return None
        p = len(self.prior.columns)
        top, center, precision = 0.0, np.zeros(p), np.zeros(p)
        for term, rows in self._terms:
            index = term.index
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
        value, score = self.group_top - float(self.groups.rate @ self.groups.lengths(gamma)), np.zeros(gamma.size)
        for term, rows in self._terms:
            u = gamma[term.index] if rows is None else rows @ gamma
            value += term.density.log_density(u, **term.parameters)
            slope = term.density.score(u, **term.parameters)
            if rows is None:
                score[term.index] += slope
            else:
                score += rows.T @ slope
        return Slope(value, score)

    @property
    def proper_terms(self) -> tuple[tuple[PriorTerm, Array | None], ...]:
        """The proper terms but groups, with their linear functions of gamma; None where these are coordinates."""
        return self._terms

    def log_densities(self, gammas: Array) -> Array:
        """The normalised log prior at many points, shape (S, p) to (S,)."""
        value = np.full(gammas.shape[0], float(self.group_top))
        for own, rate in zip(self.groups, self.groups.rate, strict=True):
            value -= rate * np.sqrt(np.square(gammas[:, own]).sum(axis=1))
        for term, rows in self._terms:
            u = gammas[:, list(term.columns)] if rows is None else gammas @ rows.T
            value += term.density.log_density(u, **term.parameters)
        return value

    def scores(self, gammas: Array) -> Array:
        """The score of the smooth part of the log prior at many points, shape (S, p) to (S, p)."""
        if self._normal is not None:
            _, center, precision = self._normal
            return np.asarray(precision * (center - gammas))
        result = np.zeros_like(gammas)
        for term, rows in self._terms:
            u = gammas[:, list(term.columns)] if rows is None else gammas @ rows.T
            if term.family == "multivariate_normal":
                slope = np.stack([term.density.score(each, **term.parameters) for each in u])
            else:
                slope = np.asarray(term.density.score(u, **term.parameters))
            if rows is None:
                result[:, list(term.columns)] += slope
            else:
                result += slope @ rows
        return result

    def information(self, gamma: Array, *, majorant: bool = False) -> Array:
        """Minus the second derivative of the log prior at ``gamma``, shape (p, p); what is at a kink has none.

        With ``majorant`` that of a quadratic that touches it there and lies below: positive in heavy tails too.
        """
        information = self.smooth_information(gamma, majorant=majorant)
        for own, curve in self.groups.curvature(gamma, majorant=majorant):
            information[np.ix_(own, own)] += curve
        return information

    def smooth_information(self, gamma: Array, *, majorant: bool = False) -> Array:
        """`information` without the curvature of groups."""
        if self._normal is not None:
            return np.diag(self._normal[2])
        return self._curves(self._terms, gamma, majorant)

    def score_of(self, term: PriorTerm, gamma: Array) -> Array:
        """All of the score of one proper term, kinks included, where it has one: zero at a kink. Shape (p,)."""
        rows, index, density = self._rows(term), list(term.columns), term.density
        u = gamma[index] if rows is None else rows @ gamma
        slope = np.array(density.score(u, **term.parameters), dtype=np.float64)
        if density.kink is not None:
            center, rate = density.kink(**term.parameters)
            slope -= rate * np.sign(u - center)
        if density.group is not None and np.any(u):
            slope -= density.group(**term.parameters) * u / np.linalg.norm(u)
        score = np.zeros(gamma.size)
        if rows is not None:
            return np.asarray(rows.T @ slope)
        score[index] = slope
        return score

    def quadratic_information(self) -> Array:
        """That of the terms whose curvature is the same everywhere: all but heavy tails and kinks. Shape (p, p)."""
        terms = tuple(term for term in self._terms if term[0].density.majorant is None)
        return self._curves(terms, np.zeros(len(self.prior.columns)), False)

    def heavy(self, gamma: Array) -> Heavy:
        """The linear functions of gamma whose densities have heavy tails, and how far their scores can rise."""
        p = gamma.size
        rows, places, slopes, heights = [np.zeros((0, p))], [], [np.zeros(0)], [np.zeros(0)]
        for term, given in self._terms:
            if term.density.bend is not None:
                rows.append(_unit_rows(term.columns, p) if given is None else given)
                slope, height = term.density.bend(rows[-1] @ gamma, **term.parameters)
                slopes.append(slope)
                heights.append(height)
                places += list(term.columns)
        return Heavy(np.vstack(rows), tuple(places), np.concatenate(slopes), np.concatenate(heights))

    def _curves(self, terms: Iterable[tuple[PriorTerm, Array | None]], gamma: Array, majorant: bool) -> Array:
        information = np.zeros((gamma.size, gamma.size))
        for term, rows in terms:
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
        return Expansion(slope.log_density, slope.score, self.smooth_information(gamma))

    def roots(self, gamma: Array, *, majorant: bool = False) -> list[Root]:
        """Of the smooth information of each term; a heavy tail has one everywhere only with ``majorant``."""
        result = []
        for term, rows in self._terms:
            A = _unit_rows(term.columns, gamma.size) if rows is None else rows
            bent = term.density.majorant if majorant and term.density.majorant else term.density.information
            curve = bent(A @ gamma, **term.parameters)
            half = np.linalg.cholesky(curve).T if curve.ndim == 2 else np.diag(np.sqrt(curve))
            result.append(Root.of(half @ A))
        return result
