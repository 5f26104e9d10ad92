"""A prior whose scales are multiplied: the axis of a path.

A prior is first read in units of each column (its `base` scales), then drawn out or in by one number. What has no scale
(flat terms, a term of the whole model) stays, and so does a prior on the intercept alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.errors import ArgumentError, PriorError
from bayeslogit.families import Columns, ElasticNet, Prior
from bayeslogit.resolved import PriorTerm, ResolvedPrior

Array = NDArray[np.float64]
BASES = ("sd", "raw")
Parameters = dict[str, Array]
Rule = Callable[[Parameters, Array, float], Parameters]


def _scale(given: Parameters, unit: Array, by: float) -> Parameters:
    return given | {"scale": given["scale"] * unit * by}


def _group(given: Parameters, unit: Array, by: float) -> Parameters:
    # One scale for all its columns: one over their root mean square sd.
    return given | {"scale": given["scale"] * (by / np.sqrt(np.mean(1.0 / np.square(unit))))}


def _rates(given: Parameters, unit: Array, by: float) -> Parameters:
    # Both rates grow alike, so that l1 : l2 stays; a unit changes each as it changes |b| and b^2.
    return given | {"l1": given["l1"] / (unit * by), "l2": given["l2"] / (np.square(unit) * by)}


def _precision(given: Parameters, unit: Array, by: float) -> Parameters:
    return given | {"precision": given["precision"] / np.outer(unit * by, unit * by)}


# What multiplying the scale means in each family; a family that is not here has none.
MULTIPLIED: dict[str, Rule] = {
    "normal": _scale,
    "laplace": _scale,
    "student_t": _scale,
    "cauchy": _scale,
    "elastic_net": _rates,
    "multivariate_normal": _precision,
    "group_laplace": _group,
}


def moves(term: PriorTerm, names: Sequence[str]) -> bool:
    """Whether a term of a prior on the columns of these names goes along: proper, and not on the intercept alone."""
    alone = term.columns == (0,) and names[0] == "Intercept"
    return term.family in MULTIPLIED and not term.where and not alone


@dataclass(frozen=True)
class Base:
    """The scales from which multiples are taken.

    Attributes
    ----------
    kind : {"sd", "raw"}
        One over the sd (n - 1) of each column, or 1.
    unit : array, shape (p,)
        1 for the intercept, and for columns that do not vary.
    """

    kind: str
    unit: Array

    @classmethod
    def of(cls, design: Columns, resolved: ResolvedPrior, kind: str | None) -> Base:
        """``kind`` None is "sd", or "raw" for a prior whose scales are worked out from the columns already."""
        if kind is not None and kind not in BASES:
            raise ArgumentError(f"base={kind!r}: it is 'sd' (scales are multiples of 1 / sd of each column) or 'raw'.")
        derived = any(term.basis is not None and moves(term, resolved.columns) for term in resolved.terms)
        kind = ("raw" if derived else "sd") if kind is None else kind
        sd = design.column_sds if kind == "sd" else np.ones(len(resolved.columns))
        unit = 1.0 / np.where(sd > 0.0, sd, 1.0)
        if design.has_intercept:
            unit[0] = 1.0
        return cls(kind, unit)

    def multiple(self, prior: ResolvedPrior, by: float) -> ResolvedPrior:
        """The prior with its scales multiplied."""
        terms = [self._term(term, by, prior.columns) for term in prior.terms]
        in_words = "1/sd(x)" if self.kind == "sd" else "1"
        name = f"{prior.name}, scales times {by:.6g} (base {in_words})"
        return replace(prior, terms=tuple(terms), name=name)

    def _term(self, term: PriorTerm, by: float, names: tuple[str, ...]) -> PriorTerm:
        if not moves(term, names):
            return term
        if term.map is not None:
            raise PriorError(
                f"A path cannot multiply the prior of a linear function of {', '.join(names[j] for j in term.columns)}."
            )
        return term.restated(MULTIPLIED[term.family](dict(term.parameters), self.unit[term.index], by))


@dataclass(frozen=True)
class Multiple(Prior):
    """A point of a path as a prior of its own, to fit with: ``prior`` with its scales multiplied.

    Parameters
    ----------
    prior : Prior
    by : float
        Positive.
    base : {"sd", "raw"}, optional
        Whether scales are first multiplied by 1 / sd of each column.
    """

    prior: Prior
    by: float
    base: str | None = None

    def resolve(self, design: Columns) -> ResolvedPrior:
        resolved = self.prior.resolve(cast(Design, design))
        return Base.of(design, resolved, self.base).multiple(resolved, self.by)

    def __repr__(self) -> str:
        return f"Multiple({self.prior!r}, by={self.by:g}, base={self.base!r})"


def unit_prior(prior: object) -> object:
    """An instance of a family that was named without its numbers: its unit scale.

    Raises
    ------
    ArgumentError
        If the family takes more than a scale.
    """
    if not (isinstance(prior, type) and issubclass(prior, Prior)):
        return prior
    if prior is ElasticNet:
        return ElasticNet(l1=1.0, l2=1.0)
    try:
        return cast(Callable[[float], Prior], prior)(1.0)
    except (TypeError, PriorError):
        if not fields(cast(Any, prior)):  # Flat, Jeffreys: nothing to say, and no scale
            return prior()
        words = f"{prior.__name__} alone does not say its shape: give an instance, such as bayeslogit.StudentT(4, 1)."
        raise ArgumentError(f"prior={prior.__name__}: {words}") from None


def axis_notes(resolved: ResolvedPrior) -> tuple[str, ...]:
    """What about the axis is not plain multiplication."""
    families = {term.family for term in resolved.terms}
    notes = []
    if "elastic_net" in families:
        notes.append("Both rates of an elastic net are divided by the scale, so that l1 : l2 stays.")
    if families & {"student_t", "cauchy"}:
        notes.append("Under heavy tails there may be several modes: the path follows the one where it began.")
    if any(term.proper and not moves(term, resolved.columns) for term in resolved.terms):
        notes.append("The prior of the intercept is the same at every scale.")
    return tuple(notes)
