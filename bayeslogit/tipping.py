"""Tipping points: the multiple of a prior's scales, or the prior mean, at which a claim about a posterior turns.

A claim has a margin, positive while it holds. The axis is walked outwards from the prior as it stands, until the margin
changes its sign; there the root is found by bisection with inverse quadratic interpolation.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeslogit.boundary import guarded_methods, short
from bayeslogit.errors import ArgumentError, PriorError
from bayeslogit.logistic import logit
from bayeslogit.multiples import Base
from bayeslogit.resolved import PriorTerm, ResolvedPrior

Array = NDArray[np.float64]
ODDS_RATIO, INTERVAL, PROBABILITY = "odds ratio", "interval", "probability"
# Scales are multiplied by as much as this, either way, and means moved by as many prior sds.
FARTHEST = 1e4
# The first step outwards, and how much longer each is than the one before.
_STEP, _GROWTH = 0.25, 1.3
# The same for walks on which every step is sampled.
FARTHEST_SAMPLED, _STEP_SAMPLED, _GROWTH_SAMPLED = 100.0, 0.5, 1.8
_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
_GRAMMAR = (
    (re.compile(rf"OR\((?P<column>.+)\)\s*(?P<side>[<>])\s*(?P<value>{_NUMBER})"), ODDS_RATIO),
    (re.compile(rf"interval\s+of\s+(?P<column>.+)\s+excludes\s+(?P<value>{_NUMBER})"), INTERVAL),
    (re.compile(rf"interval\((?P<column>.+)\)\s+excludes\s+(?P<value>{_NUMBER})"), INTERVAL),
    (re.compile(rf"p\((?P<at>\{{.*\}})\)\s*(?P<side>[<>])\s*(?P<value>{_NUMBER})"), PROBABILITY),
)


@guarded_methods
@dataclass(frozen=True)
class Claim:
    """Something said of a posterior that a prior may turn.

    Attributes
    ----------
    kind : {"odds ratio", "interval", "probability"}
        An odds ratio above or below a value; an interval of log-odds that excludes a value; a predicted probability
        above or below a value.
    column : str
        For the first two.
    side : {">", "<"}
        For the first and the last.
    value : float
    at : mapping
        One person, for the last.

    Examples
    --------
    >>> import bayeslogit as bl
    >>> bl.Claim.parse("OR(arsenic) > 1").column
    'arsenic'
    >>> print(bl.Claim.parse("interval of dist excludes 0"))
    interval of dist excludes 0
    """

    kind: str
    column: str = ""
    side: str = ">"
    value: float = 0.0
    at: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in (ODDS_RATIO, INTERVAL, PROBABILITY) or self.side not in ("<", ">"):
            raise ArgumentError(
                f"Claim(kind={short(self.kind)}, side={short(self.side)}): the kind is {ODDS_RATIO!r}, {INTERVAL!r} or "
                f"{PROBABILITY!r}, the side '>' or '<'."
            )
        value: Any = self.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not -math.inf < value < math.inf:
            raise ArgumentError(f"Claim(value={short(value)}): a finite number is needed.")
        if self.kind == ODDS_RATIO and self.value <= 0.0:
            raise ArgumentError(f"claim {self}: an odds ratio is compared with a positive number.")
        if self.kind == PROBABILITY and not 0.0 < self.value < 1.0:
            raise ArgumentError(f"claim {self}: a probability is compared with one between 0 and 1.")

    @classmethod
    def parse(cls, text: str) -> Claim:
        """From ``OR(x) > 1``, ``interval of x excludes 0`` or ``p({'x': 2.0, 'z': 'yes'}) > 0.5``.

        Raises
        ------
        ArgumentError
            If the text is none of these, or a number is out of range.
        """
        for pattern, kind in _GRAMMAR:
            found = pattern.fullmatch(text.strip())
            if found is None:
                continue
            parts = found.groupdict()
            return cls(
                kind,
                parts.get("column") or "",
                parts.get("side") or ">",
                float(parts["value"]),
                _person(parts["at"], text) if kind == PROBABILITY else {},
            )
        raise ArgumentError(
            f"claim {text!r}: write 'OR(x) > 1', 'interval of x excludes 0' or \"p({{'x': 2.0}}) > 0.5\"."
        )

    def __str__(self) -> str:
        if self.kind == INTERVAL:
            return f"interval of {self.column} excludes {self.value:g}"
        if self.kind == ODDS_RATIO:
            return f"OR({self.column}) {self.side} {self.value:g}"
        return f"p({dict(self.at)}) {self.side} {self.value:g}"

    def margin(self, summary: Summary) -> float:
        """Positive where the claim holds; log-odds."""
        if self.kind == INTERVAL:
            return max(summary.lower - self.value, self.value - summary.upper)
        threshold = math.log(self.value) if self.kind == ODDS_RATIO else float(logit(self.value))
        return (summary.middle - threshold) * (1.0 if self.side == ">" else -1.0)


def _person(text: str, claim: str) -> dict[str, Any]:
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        found = None  # no literal, a key that is a list, brackets beyond what Python reads
    if not isinstance(found, dict):
        raise ArgumentError(f"claim {claim!r}: {text} is not a dict of plain values for one person.")
    return found


class Summary(NamedTuple):
    """Estimate and interval of what a claim is about, log-odds; NaN where there is none."""

    middle: float
    lower: float
    upper: float


# --- axes ------------------------------------------------------------------------------------------------------------


def multiplied(prior: ResolvedPrior, by: float) -> ResolvedPrior:
    """The prior with the scales of all slopes multiplied; that of the intercept alone stays."""
    return Base("raw", np.ones(len(prior.columns))).multiple(prior, by)


def term_of(prior: ResolvedPrior, column: int) -> PriorTerm | None:
    """The term with a location of its own on a coefficient, if there is one."""
    for term in prior.terms:
        if column in term.columns:
            return term if term.map is None and "mean" in term.parameters else None
    return None


def moved(prior: ResolvedPrior, column: int, mean: float) -> ResolvedPrior:
    """The prior with another mean for one coefficient.

    Raises
    ------
    PriorError
        If the prior of that coefficient has none.
    """
    own = term_of(prior, column)
    if own is None:
        raise PriorError(f"The prior of {prior.columns[column]} ({prior.labels()[column]}) has no mean to move.")
    means = np.array(own.parameters["mean"], dtype=np.float64)
    means[own.columns.index(column)] = mean
    other = replace(own, parameters={**own.parameters, "mean": means})
    return replace(prior, terms=tuple(other if term is own else term for term in prior.terms))


def spread_of(prior: ResolvedPrior, column: int) -> float:
    """What counts as one step of a prior's mean: its sd, or its scale where it has none."""
    term = term_of(prior, column)
    if term is None:
        return math.nan
    k = term.columns.index(column)
    variance = float(np.broadcast_to(term.density.variance(**term.parameters), (len(term.columns),))[k])
    return math.sqrt(variance) if math.isfinite(variance) else float(term.parameters["scale"][k])


# --- the walk --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Turn:
    """Where a claim turns along one direction of an axis.

    Attributes
    ----------
    at : float
        NaN if it does not.
    reached : float
        The farthest point looked at.
    problem : str
        Why the walk ended before its end.
    """

    at: float
    reached: float
    problem: str = ""

    @property
    def turns(self) -> bool:
        return not math.isnan(self.at)


def walk(margin: Callable[[float], float], start: float, points: Iterable[float], within: float) -> Turn:
    """The first change of sign along ``points``, which lead away from ``start``.

    Parameters
    ----------
    margin : function
        NaN where there is none.
    within : float
        How closely the root is found, in units of the axis.
    """
    last, value = start, margin(start)
    if math.isnan(value):
        return Turn(math.nan, start, "there is no such number under the prior as it stands")
    for point in points:
        here = margin(point)
        if math.isnan(here):
            return Turn(math.nan, last, "beyond it there is no posterior to ask")
        if (here > 0.0) != (value > 0.0):
            return Turn(_root(margin, last, point, within), point)
        last = point
    return Turn(math.nan, last)


def _root(margin: Callable[[float], float], low: float, high: float, within: float) -> float:
    from scipy.optimize import brentq

    # A margin of exactly 0 does not hold; it counts as below, so that the ends have two signs.
    def signed(x: float) -> float:
        value = margin(x)
        return value if value != 0.0 else -1e-300

    return float(brentq(signed, low, high, xtol=within))


def outwards(start: float, unit: float, farthest: float, *, sampled: bool) -> Iterator[float]:
    """Points that lead away from ``start`` by ``farthest`` units, each step longer than the one before."""
    size, growth = (_STEP_SAMPLED, _GROWTH_SAMPLED) if sampled else (_STEP, _GROWTH)
    while size < farthest:
        yield start + size * unit
        size *= growth
    yield start + farthest * unit
