"""A prior that has met its design: plain records of numbers that target, PyMC, JSON and tables all read.

A prior is a sum of log densities of linear functions of beta, ``sum_k log f_k(A_k beta)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from bayeslogit.densities import DENSITIES, Density
from bayeslogit.table import Column, Table

Array = NDArray[np.float64]
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class PriorTerm:
    """One family on some linear functions of beta.

    Attributes
    ----------
    family : str
        A key of `DENSITIES`.
    columns : tuple of int
        Positions of the coefficients that the functions are named after, one each.
    parameters : mapping of str to array
        As the family names them; on the log-odds scale, per unit of the column.
    map : array, shape (len(columns), p), or None
        The linear functions. None means the coefficients themselves.
    where : str
        Words that follow the density in tables, such as "at the column means".
    """

    family: str
    columns: tuple[int, ...]
    parameters: Mapping[str, Array] = field(default_factory=dict)
    map: Array | None = None
    where: str = ""

    @property
    def density(self) -> Density:
        return DENSITIES[self.family]

    @property
    def proper(self) -> bool:
        return self.family != "flat"

    def functions(self, beta: Array) -> Array:
        """``u = A beta``."""
        return beta[list(self.columns)] if self.map is None else self.map @ beta

    def log_density(self, beta: Array) -> float:
        return self.density.log_density(self.functions(beta), **self.parameters)

    def label(self, index: int) -> str:
        text = self.density.label(index, **self.parameters)
        return f"{text} {self.where}".strip()


@dataclass(frozen=True)
class ResolvedPrior:
    """A prior against one design, as numbers.

    Attributes
    ----------
    columns : tuple of str
        Names of the coefficients.
    terms : tuple of PriorTerm
        Together they name every coefficient exactly once.
    name : str
        What the user asked for, in words.
    notes : tuple of str
        What a reader should know about how the numbers came about.
    """

    columns: tuple[str, ...]
    terms: tuple[PriorTerm, ...]
    name: str
    notes: tuple[str, ...] = ()

    @property
    def flat(self) -> NDArray[np.bool_]:
        """Which coefficients carry no proper prior of their own, shape (p,)."""
        mask = np.zeros(len(self.columns), dtype=bool)
        for term in self.terms:
            mask[list(term.columns)] = not term.proper
        return mask

    @property
    def gaussian(self) -> NDArray[np.bool_]:
        """Which coefficients have a normal prior or none; shape (p,). Others have no share of the precision."""
        mask = np.ones(len(self.columns), dtype=bool)
        for term in self.terms:
            mask[list(term.columns)] = term.family in ("flat", "normal", "multivariate_normal")
        return mask

    def log_density(self, beta: Array) -> float:
        """Normalised log prior density at ``beta``; flat columns contribute 0."""
        return sum(term.log_density(beta) for term in self.terms)

    def constraints(self) -> Array:
        """Rows whose span is what the proper terms bound, shape (k, p)."""
        p = len(self.columns)
        rows = [np.eye(p)[list(t.columns)] if t.map is None else t.map for t in self.terms if t.proper]
        return np.vstack(rows) if rows else np.zeros((0, p))

    def variance(self) -> Array:
        """Prior variance of each coefficient; infinite where the prior leaves it free. Shape (p,)."""
        result = np.full(len(self.columns), np.inf)
        mapped = [term for term in self.terms if term.proper and term.map is not None]
        for term in self.terms:
            if term.proper and term.map is None:
                result[list(term.columns)] = term.density.variance(**term.parameters)
        for term in mapped:
            result[list(term.columns)] = self._mapped_variance(term)
        return result

    def _mapped_variance(self, mapped: PriorTerm) -> Array:
        # u = b_j + a' b_rest with u independent of b_rest: var b_j = var u + a' var(b_rest) a.
        assert mapped.map is not None
        rest = np.array(mapped.map)
        rest[np.arange(len(mapped.columns)), list(mapped.columns)] = 0.0
        total = np.array(mapped.density.variance(**mapped.parameters), dtype=np.float64)
        for term in self.terms:
            part = rest[:, list(term.columns)]
            if term is mapped or not np.any(part):
                continue
            if not term.proper:
                return np.full_like(total, np.inf)
            total = total + _spread(term, part)
        return total

    def means(self) -> Array:
        """Prior mean of each coefficient, or of the function named after it; 0 for flat ones. Shape (p,)."""
        result = np.zeros(len(self.columns))
        for term in self.terms:
            if "mean" in term.parameters:
                result[list(term.columns)] = term.parameters["mean"]
        return result

    def labels(self) -> tuple[str, ...]:
        """The prior of each coefficient in words."""
        result = [""] * len(self.columns)
        for term in self.terms:
            for index, column in enumerate(term.columns):
                result[column] = term.label(index)
        return tuple(result)

    def describe(self) -> list[dict[str, Any]]:
        """The record as plain lists, numbers and strings: family, columns by name, parameters, linear map."""
        return [
            {
                "family": term.family,
                "columns": [self.columns[j] for j in term.columns],
                "parameters": {key: np.asarray(value).tolist() for key, value in term.parameters.items()},
                "map": None if term.map is None else term.map.tolist(),
                "where": term.where,
            }
            for term in self.terms
        ]

    def table(self) -> Table:
        """The prior of each column as numbers, with the range of odds ratios that it thinks likely."""
        sd = np.sqrt(self.variance())
        mean = self.means()
        rows = []
        for j, (name, label) in enumerate(zip(self.columns, self.labels(), strict=True)):
            proper = bool(np.isfinite(sd[j]))
            low, high = (_odds_ratio(mean[j] + sign * _Z95 * sd[j]) if proper else None for sign in (-1, 1))
            rows.append((name, label, float(sd[j]), low, high))
        return Table(
            name="priors",
            title=f"Prior: {self.name}",
            columns=(
                Column("term", "term"),
                Column("prior", "prior (log-odds per unit)"),
                Column("sd", "prior sd", "number"),
                Column("or_lower", "odds ratio 2.5 %", "ratio"),
                Column("or_upper", "97.5 %", "ratio"),
            ),
            rows=tuple(rows),
            header=(
                "What each prior says before the data: 95 % of its odds ratios per unit lie in the last two columns.",
            ),
            notes=self.notes,
        )

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _odds_ratio(log_odds: float) -> float:
    """Infinity where it overflows: a prior can be that wide."""
    with np.errstate(over="ignore"):
        return float(np.exp(log_odds))


def _spread(term: PriorTerm, part: Array) -> Array:
    """Variance of ``part @ b`` under one proper term, shape (k,)."""
    if term.family == "multivariate_normal":
        factor = cho_factor(term.parameters["precision"])
        joint: Array = np.einsum("ij,ji->i", part, cho_solve(factor, part.T))
        return joint
    result: Array = np.square(part) @ term.density.variance(**term.parameters)
    return result


def from_description(
    columns: tuple[str, ...], name: str, notes: tuple[str, ...], terms: list[dict[str, Any]]
) -> ResolvedPrior:
    """The inverse of `ResolvedPrior.describe`."""
    position = {label: j for j, label in enumerate(columns)}
    restored = tuple(
        PriorTerm(
            term["family"],
            tuple(position[label] for label in term["columns"]),
            {key: np.asarray(value, dtype=np.float64) for key, value in term["parameters"].items()},
            None if term["map"] is None else np.asarray(term["map"], dtype=np.float64),
            term["where"],
        )
        for term in terms
    )
    return ResolvedPrior(columns, restored, name, notes)
