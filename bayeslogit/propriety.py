"""Does the posterior exist, and which moments does it have? Decided before anything is drawn.

Along a direction d of the recession cone of the likelihood (no observation loses) the likelihood does not fall, so only
the prior can make the integral finite. A normal, Laplace or elastic-net density does, whatever else happens; a flat one
does nothing; a Student-t density falls like ``size^-(df + 1)``. So the tail integral is a matter of counting powers
(Weinberg 1960): it is finite if and only if, for every set A of heavy-tailed terms,

    (dimension of the part of the cone that moves no proper term outside A)  <  sum over A of (df + 1),

with r more on the left for the r-th moment of a coefficient that moves there. With k flat dimensions the left side is
at most ``k + |A|``, so that only small sets need a look: those whose degrees of freedom sum to at most ``k + r``. For
one column that separates the data alone, beside a flat intercept, this is the condition of Ghosh, Li and Mitra (2018).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.errors import PriorError
from bayeslogit.interrupts import interruptible
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.sources.memory import Block

Array = NDArray[np.float64]

# Families whose tails fall at least exponentially, and those that fall like a power: the name of its degree, or it.
LIGHT = frozenset({"normal", "laplace", "elastic_net", "multivariate_normal", "group_laplace"})
HEAVY: dict[str, str | float] = {"student_t": "df", "cauchy": 1.0}

# Rows of a programme to begin with, and that are added where it left them violated.
_FIRST_ROWS, _MORE_ROWS = 2000, 500
_FEASIBLE = 1e-10
_SORTED = 20_000
# Linear programmes that may be spent; what is left after them is called undecided.
_MOST_PROGRAMMES, _LEAST_PROGRAMMES, _MOST_ROWS_OF_PROGRAMMES = 400, 60, 2_000_000
_MOST_REASONS = 3
# What rounding may make of an inner product of stored values, relative to the sizes of its terms, and how much more a
# row that truly gains has to gain.
_ROUNDING = 64.0 * np.finfo(np.float64).eps
_SURE = 16.0
_RANK = 1e-9
# In the units of the programmes: a row that is level to their tolerance.
_LEVEL = 1e-8


@dataclass(frozen=True)
class Existence:
    """What is known of the posterior before it is drawn from.

    Attributes
    ----------
    proper : bool
    mean, sd : array of bool, shape (p,)
        Whether each coefficient has one, in the user's columns; True where it could not be decided.
    reasons : tuple of str
        Why something does not exist, in words.
    undecided : str
        What could not be decided, in words; empty if all could.
    """

    proper: bool
    mean: NDArray[np.bool_]
    sd: NDArray[np.bool_]
    reasons: tuple[str, ...] = ()
    undecided: str = ""

    @classmethod
    def all(cls, p: int) -> Existence:
        return cls(True, np.ones(p, dtype=bool), np.ones(p, dtype=bool))


def existence(design: Design, prior: ResolvedPrior, *, finite_mode: bool = False, moments: int = 2) -> Existence:
    """Whether the posterior is proper, and which means and sds it has.

    Parameters
    ----------
    design : Design
    prior : ResolvedPrior
    finite_mode : bool
        Whether the search for the mode converged: a log-concave density with a mode where it is curved has every
        moment, so that nothing else needs to be looked at where no term of the prior has a heavy tail.
    moments : {0, 1, 2}
        The highest moment that is of interest; 0 asks only whether the posterior is proper.

    Raises
    ------
    PriorError
        If a family stands in neither table of tails.
    """
    p = len(prior.columns)
    heavy = _heavy_tails(prior)
    if prior.whole or not (heavy.degree.size or (prior.flat.any() and not finite_mode)):
        return Existence.all(p)
    light = _light_rows(prior)
    free = p - _rank(np.vstack([light, heavy.rows]))
    if free == 0 and heavy.degree.min(initial=np.inf) > moments:
        return Existence.all(p)
    cone = _Cone.of(design)
    whole = cone.part(light)
    if whole.dimension == 0:
        return Existence.all(p)
    return _weighed(prior, cone, light, heavy, free + float(moments), whole)


def could_be_improper(prior: ResolvedPrior) -> bool:
    """Whether some data would make the posterior of a finite mode improper; without a look at the data."""
    degree = _heavy_tails(prior).degree
    return not prior.whole and bool(prior.flat.any()) and bool(degree.min(initial=np.inf) <= prior.flat.sum())


# --- the prior as rows -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Heavy:
    """Linear functions with heavy-tailed priors: rows (m, p), degrees of freedom (m,), the columns they are of."""

    rows: Array
    degree: Array
    columns: tuple[int, ...]


def _rows(term: PriorTerm, p: int) -> Array:
    return np.eye(p)[list(term.columns)] if term.map is None else term.map


def _heavy_tails(prior: ResolvedPrior) -> _Heavy:
    p = len(prior.columns)
    strange = {term.family for term in prior.terms if term.proper} - LIGHT - set(HEAVY)
    if strange:
        raise PriorError(f"The tails of the prior family {', '.join(sorted(strange))} are not known.")
    terms = [term for term in prior.terms if term.family in HEAVY]
    degrees: list[Array] = []
    for term in terms:
        degree = HEAVY[term.family]
        degrees.append(term.parameters[degree] if isinstance(degree, str) else np.full(len(term.columns), degree))
    return _Heavy(
        np.vstack([np.zeros((0, p)), *(_rows(term, p) for term in terms)]),
        np.concatenate([np.zeros(0), *degrees]),
        tuple(j for term in terms for j in term.columns),
    )


def _light_rows(prior: ResolvedPrior) -> Array:
    p = len(prior.columns)
    return np.vstack([np.zeros((0, p)), *(_rows(term, p) for term in prior.terms if term.family in LIGHT)])


def _rank(rows: Array) -> int:
    if not rows.size:
        return 0
    sizes = np.linalg.norm(rows, axis=1, keepdims=True)
    return int(np.linalg.matrix_rank(rows / np.where(sizes > 0.0, sizes, 1.0), tol=_RANK))


# --- the cone ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """A part of the cone: its dimension, and which coefficients move in it."""

    dimension: int
    moves: NDArray[np.bool_]


@dataclass(frozen=True)
class _Sides:
    """Rows signed so that a gain is positive, and rows that hold both classes; two of them add."""

    signed: tuple[Array, ...]
    level: tuple[Array, ...]

    def __add__(self, other: _Sides) -> _Sides:
        return _Sides(self.signed + other.signed, self.level + other.level)


def _sides(block: Block) -> _Sides:
    rows = block.X.toarray()
    ones, zeros = (block.successes > 0.0) & (block.failures == 0.0), (block.failures > 0.0) & (block.successes == 0.0)
    mixed = (block.successes > 0.0) & (block.failures > 0.0)
    return _Sides((rows[ones], -rows[zeros]), (rows[mixed],))


@dataclass(frozen=True)
class _Cone:
    """``{d : signed d >= 0, level d = 0}``, in the user's columns; ``center`` and ``scale`` make programmes sane."""

    signed: Array
    level: Array
    center: Array | None
    scale: Array

    @classmethod
    def of(cls, design: Design) -> _Cone:
        sides = design.reduce(_sides)
        signed, level = (_distinct(np.vstack(part)) for part in (sides.signed, sides.level))
        center = design.moments.mean if design.has_intercept else None
        scale = np.abs(_centered(np.vstack([signed, level]), center)).max(axis=0, initial=0.0)
        return cls(signed, level, center, np.where(scale > 0.0, scale, 1.0))

    @cached_property
    def _scaled(self) -> Array:
        return _centered(self.signed, self.center) / self.scale

    def part(self, pinned: Array) -> _Part:
        """The part in which the functions ``pinned`` (rows) are zero.

        Its relative interior is found by programmes that each maximise the gain of the rows that have not gained yet;
        the rows that never gain are equations. Every direction is believed only as far as the data bear it out.
        """
        p = self.scale.size
        basis = _null_space(_centered(pinned, self.center) / self.scale)
        if not basis.shape[1]:
            return _Part(0, np.zeros(p, dtype=bool))
        signed = self._scaled @ basis
        level = _centered(self.level, self.center) / self.scale @ basis
        idle = np.ones(signed.shape[0], dtype=bool)
        while idle.any():
            z = _largest_gain(signed, level, idle)
            gained = None if z is None else self._gained(z, basis, signed, level)
            if gained is None or not np.any(idle & gained):
                break
            idle &= ~gained
        equations = np.vstack([signed[idle], level])
        inside = basis @ _null_space(equations)
        moves = np.linalg.norm(inside, axis=1) > _RANK
        if self.center is not None:
            moves[0] = bool(np.any(np.abs(inside[0] - (self.center / self.scale[1:]) @ inside[1:]) > _RANK))
        return _Part(inside.shape[1], moves)

    def _gained(self, z: Array, basis: Array, signed: Array, level: Array) -> NDArray[np.bool_] | None:
        """Rows that truly gain along the direction a programme found; None if some row truly loses.

        The rows that the programme left nearly level are made so to the last digit first.
        """
        near = np.vstack([signed[np.abs(signed @ z) < _LEVEL], level])
        step = np.linalg.lstsq(near, near @ z, rcond=_LEVEL)[0] if near.size else np.zeros_like(z)
        for candidate in (z - step, z):
            d = basis @ candidate / self.scale
            if self.center is not None:
                shift = self.center @ d[1:]
                d[0] = 0.0 if abs(d[0] - shift) < _ROUNDING * (np.abs(self.center) @ np.abs(d[1:])) else d[0] - shift
            gain, rounding = self.signed @ d, _ROUNDING * (np.abs(self.signed) @ np.abs(d))
            flat = np.abs(self.level @ d) <= _ROUNDING * (np.abs(self.level) @ np.abs(d))
            if np.all(gain >= -rounding) and flat.all():
                return np.asarray(gain > _SURE * rounding)
        return None


def _distinct(rows: Array) -> Array:
    """Without repeated rows, while they are few enough for sorting to pay."""
    return np.unique(rows, axis=0) if rows.shape[0] <= _SORTED else rows


def _centered(rows: Array, center: Array | None) -> Array:
    if center is None:
        return rows
    result = rows.copy()
    result[:, 1:] -= rows[:, :1] * center
    return result


def _null_space(rows: Array) -> Array:
    """Orthonormal basis of what the rows do not see, shape (p, q)."""
    p = rows.shape[1]
    sizes = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = (rows / np.where(sizes > 0.0, sizes, 1.0))[sizes[:, 0] > _RANK]
    if not rows.size:
        return np.eye(p)
    _, size, Vt = np.linalg.svd(rows if rows.shape[0] <= p else np.linalg.qr(rows, mode="r"), full_matrices=True)
    return Vt[int(np.sum(size > _RANK)) :].T


def _largest_gain(signed: Array, level: Array, idle: NDArray[np.bool_]) -> Array | None:
    """A direction in the unit box along which no row loses and the idle rows gain most; None if they gain nothing.

    Most rows never bind: the programme begins with some, and takes in those that its answer violates.
    """
    objective = -signed[idle].sum(axis=0)
    used = np.zeros(signed.shape[0], dtype=bool)
    used[np.linspace(0, signed.shape[0] - 1, min(_FIRST_ROWS, signed.shape[0])).astype(np.intp)] = True
    while True:
        z = _programme(objective, signed[used], level)
        if z is None:
            return None
        gain = signed @ z
        violated = np.flatnonzero((gain < -_FEASIBLE) & ~used)
        if not violated.size:
            return z
        used[violated[np.argsort(gain[violated])[:_MORE_ROWS]]] = True


def _programme(objective: Array, rows: Array, level: Array) -> Array | None:
    from scipy.optimize import linprog

    programme = partial(
        linprog,
        objective,
        A_ub=-rows,
        b_ub=np.zeros(rows.shape[0]),
        A_eq=level if level.size else None,
        b_eq=np.zeros(level.shape[0]) if level.size else None,
        bounds=[(-1.0, 1.0)] * objective.size,
        method="highs",
        options={"primal_feasibility_tolerance": _FEASIBLE, "dual_feasibility_tolerance": _FEASIBLE},
    )
    solution = interruptible(programme, 10.0 * rows.size * rows.shape[1])
    if solution.x is None or solution.fun is None or solution.fun > -1e-7:
        return None
    return np.asarray(solution.x, dtype=np.float64)


# --- counting powers ---------------------------------------------------------------------------------------------


def _weighed(prior: ResolvedPrior, cone: _Cone, light: Array, heavy: _Heavy, most: float, whole: _Part) -> Existence:
    """Every set of heavy-tailed terms that could matter, its part of the cone weighed against its powers."""
    p, spent = len(prior.columns), 0
    mean, sd = np.ones(p, dtype=bool), np.ones(p, dtype=bool)
    reasons: list[str] = []
    able = [k for k, j in enumerate(heavy.columns) if whole.moves[j]]
    budget = max(_LEAST_PROGRAMMES, _MOST_ROWS_OF_PROGRAMMES // max(cone.signed.shape[0], 1))
    for chosen in _small_sets(heavy.degree, able, most):
        if spent >= min(budget, _MOST_PROGRAMMES):
            rest = "every sd" if len(chosen) > 1 else "the posterior"
            return Existence(True, mean, sd, _shortened(reasons), f"it was not decided whether {rest} exists")
        spent += 1
        others = np.ones(heavy.degree.size, dtype=bool)
        others[list(chosen)] = False
        part = cone.part(np.vstack([light, heavy.rows[others]]))
        room = float(np.sum(heavy.degree[list(chosen)] + 1.0)) - part.dimension
        if part.dimension == 0 or room > 2.0:
            continue
        words = _in_words(prior, heavy, chosen, part)
        if room <= 0.0:
            none = np.zeros(p, dtype=bool)
            return Existence(False, none, none.copy(), (f"the posterior is improper: {words}",))
        lost = part.moves & (mean if room <= 1.0 else sd)
        sd &= ~part.moves
        if room <= 1.0:
            mean &= ~part.moves
        if lost.any():
            names = _listed([prior.columns[j] for j in np.flatnonzero(lost)])
            reasons.append(f"{names}: {'neither mean nor sd' if room <= 1.0 else 'no sd'}, because {words}")
    return Existence(True, mean, sd, _shortened(reasons))


def _shortened(reasons: list[str]) -> tuple[str, ...]:
    more = len(reasons) - _MOST_REASONS
    return tuple(reasons) if more <= 0 else (*reasons[:_MOST_REASONS], f"and {more} more coefficients like the last")


def _small_sets(degree: Array, able: list[int], most: float) -> Iterator[tuple[int, ...]]:
    """Sets of heavy-tailed functions whose degrees sum to at most ``most``, the empty one first, smaller ones first."""
    yield ()
    light = [k for k in able if degree[k] <= most]
    for size in range(1, len(light) + 1):
        found = False
        for chosen in combinations(light, size):
            if float(np.sum(degree[list(chosen)])) <= most:
                found = True
                yield chosen
        if not found:
            return


def _in_words(prior: ResolvedPrior, heavy: _Heavy, chosen: tuple[int, ...], part: _Part) -> str:
    moved = [prior.columns[j] for j in np.flatnonzero(part.moves)]
    labels = prior.labels()
    held = [f"{prior.columns[heavy.columns[k]]} has the prior {labels[heavy.columns[k]]}" for k in chosen]
    separate = f"{_listed(moved)} {'separates' if len(moved) == 1 else 'together separate'} the outcome"
    if not held:
        return f"{separate}, and no proper prior holds them: give them one, for example bayeslogit.Normal(2.5)"
    return f"{separate}, and {' and '.join(held)}, whose tail is too heavy to make up for it"


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:6])
    return shown + (f" and {len(names) - 6} more" if len(names) > 6 else "")
