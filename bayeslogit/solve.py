"""Find the mode: one loop of Newton steps, safeguarded, stopped by a certificate in posterior sds.

A step is taken whole when the log density agrees with it, shortened when not; where the curvature has died (rows fitted
to hundreds of log-odds) a step of the majorant quadratic, which cannot go downhill, takes over. The loop ends when the
Newton decrement, the distance to the mode in posterior sds, is below ``tol`` *and* the step would move no row by much:
on separated data the first alone is met at some arbitrary large coefficient, which is how others come to report one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from bayeslogit.errors import ArgumentError
from bayeslogit.existence import not_identified, separated, single_class, too_few_rows
from bayeslogit.logistic import logit
from bayeslogit.separation import Recession, recession_direction
from bayeslogit.steps import WELL_CONDITIONED, Factor, cholesky_factor, root_factor
from bayeslogit.target import Coordinates, Expansion, LogPosterior

Array = NDArray[np.float64]

# A Newton step that moves some row by more than this many log-odds is rounding noise over a dead curvature: not tried.
_FAR = 1e6
# With |l'''| <= l'' the information changes by at most a factor e^D over a step that moves no row by more than D.
_SETTLED = 1e-3
# A decrement this small with rows that still move by this much is what separated data look like.
_MOVING = 0.5
_SEPARATION_HINT = 1e-2
# Steps after which rows that still move are a reason to ask too.
_PATIENCE = 12
_ARMIJO = 1e-4
_SHORTEST = 1.0 / 16.0


class Status(StrEnum):
    """How the search for the mode ended."""

    CONVERGED = "converged"
    NO_FINITE_MODE = "no finite mode"
    SINGLE_CLASS = "single class"
    NOT_POSITIVE_DEFINITE = "not positive definite"
    ITERATION_LIMIT = "iteration limit"


@dataclass(frozen=True)
class Iteration:
    """One line of the trace: log posterior, decrement (posterior sds), and the largest move of a row (log-odds)."""

    log_density: float
    decrement: float
    reach: float
    step: str


@dataclass(frozen=True)
class Mode:
    """Where the search ended, and how.

    Attributes
    ----------
    beta : array, shape (p,)
        The mode, or the last iterate if ``status`` is not "converged"; in the user's columns.
    local : Expansion
        Of the log posterior at ``beta``, in working coordinates; `expansion` is the same in the user's columns.
    status : Status
        How the search ended.
    message : str
        The same in a sentence that names columns and says what to do.
    decrement : float
        Distance to the mode in posterior sds, by the quadratic model at ``beta``.
    n_passes, n_hessians : int
        Passes over the data, and how many of them formed an information matrix.
    trace : tuple of Iteration
    coordinates : Coordinates
        The centring in which the search ran.
    factor : Factor or None
        Of the information in working coordinates; None when the status leaves no finite covariance.
    recession : Recession or None
        The direction along which there is no finite mode.
    notes : tuple of str
        What a reader should know although the search converged.
    """

    beta: Array
    local: Expansion
    status: Status
    message: str
    decrement: float
    n_passes: int
    n_hessians: int
    trace: tuple[Iteration, ...]
    coordinates: Coordinates
    factor: Factor | None
    recession: Recession | None = None
    notes: tuple[str, ...] = ()

    @property
    def converged(self) -> bool:
        return self.status is Status.CONVERGED

    @cached_property
    def expansion(self) -> Expansion:
        """Of the log posterior at ``beta``, in the user's columns."""
        return self.coordinates.expansion(self.local)


@dataclass
class _Search:
    """The state of one search: where it is, and what it has cost."""

    target: LogPosterior
    gamma: Array
    state: Expansion
    passes: int = 1
    informations: int = 1
    overlap_proved: bool = False
    identified: bool = False

    def factor(self) -> Factor | None:
        """Of the information here; by QR of the rows when Cholesky would lose digits."""
        found = cholesky_factor(self.state.information)
        if found is not None and found.smallest_pivot >= WELL_CONDITIONED:
            return found
        if self.gamma.size > 4000:
            return found
        self.passes += 1
        self.informations += 1
        return root_factor(self.target.root(self.gamma))

    def reach(self, direction: Array) -> float:
        self.passes += 1
        return self.target.reach(direction)

    def majorant_step(self) -> Array | None:
        self.passes += 1
        self.informations += 1
        factor = cholesky_factor(self.target.majorant(self.gamma))
        return None if factor is None else factor.solve(self.state.score)

    def try_at(self, gamma: Array) -> Expansion:
        self.passes += 1
        self.informations += 1
        return self.target.expand(gamma)


def find_mode(target: LogPosterior, *, start: Array | None = None, tol: float = 1e-6, max_iter: int = 200) -> Mode:
    """The mode of a log posterior, with a certificate.

    Parameters
    ----------
    target : LogPosterior
    start : array, shape (p,), optional
        Where to begin, in the user's columns.
    tol : float
        Largest accepted Newton decrement, in posterior sds.
    max_iter : int
        Most Newton steps.

    Returns
    -------
    Mode
        Its ``status`` says how the search ended; the last iterate is never lost.
    """
    if not _between(tol, 0.0, 1.0):
        raise ArgumentError(f"tol={tol!r}: the largest Newton decrement, in posterior sds, must lie between 0 and 1.")
    if not _between(max_iter, 0, math.inf):
        raise ArgumentError(f"max_iter={max_iter!r}: a whole number of at least one step is needed.")
    gamma = _start(target) if start is None else target.coordinates.gamma(np.asarray(start, dtype=np.float64))
    search = _Search(target, gamma, target.expand(gamma))
    refusal = _no_mode_at_once(search)
    return refusal if refusal is not None else _iterate(search, tol, int(max_iter))


def _between(value: object, low: float, high: float) -> bool:
    return isinstance(value, Real) and bool(low < float(value) < high)


def _start(target: LogPosterior) -> Array:
    """Zero slopes, and the intercept that fits the overall event rate at the mean offset."""
    tally = target.design.tally
    gamma = np.zeros(len(target.design.columns))
    if target.design.has_intercept:
        gamma[0] = float(logit((tally.events + 0.5) / (tally.nobs + 1.0))) - tally.offset / tally.nobs
    return gamma


def _iterate(search: _Search, tol: float, max_iter: int) -> Mode:
    trace: list[Iteration] = []
    for _ in range(max_iter):
        factor = search.factor()
        if (factor is None or factor.smallest_pivot < WELL_CONDITIONED) and not search.identified:
            search.passes += 1
            refusal = not_identified(search.target, search.gamma)
            if refusal is not None:
                return _mode(search, Status.NOT_POSITIVE_DEFINITE, refusal, math.inf, trace, None)
            search.identified = True
        if factor is None:
            decrement, reach = math.inf, math.inf
            direction = np.zeros_like(search.gamma)
        else:
            direction = factor.solve(search.state.score)
            decrement = math.sqrt(max(float(direction @ search.state.score), 0.0))
            reach = search.reach(direction)
        if decrement <= tol and reach <= _SETTLED:
            trace.append(Iteration(search.state.log_density, decrement, reach, "none"))
            return _end(search, factor, Status.CONVERGED, decrement, trace)
        suspect = decrement < _SEPARATION_HINT or reach > _FAR or len(trace) >= _PATIENCE
        if suspect and reach > _MOVING and not search.overlap_proved and bool(search.target.prior.flat.any()):
            recession = recession_direction(search.target.design, search.target.prior)
            if recession is not None:
                words = separated(search.target, recession)
                return _mode(search, Status.NO_FINITE_MODE, words, decrement, trace, None, recession)
            search.overlap_proved = True
        if _at_rounding_floor(trace, decrement, reach):
            status = Status.CONVERGED if decrement <= max(tol, 1e-6) else Status.ITERATION_LIMIT
            return _end(search, factor, status, decrement, trace, floor=True, tol=tol)
        kind = _advance(search, direction, decrement, reach)
        trace.append(Iteration(search.state.log_density, decrement, reach, kind))
        if kind == "stuck":
            near = decrement <= max(tol, 1e-6) and reach <= _MOVING
            status = Status.CONVERGED if near else Status.ITERATION_LIMIT
            return _end(search, factor, status, decrement, trace, floor=True, tol=tol)
    decrement = trace[-1].decrement if trace else math.inf
    return _end(search, search.factor(), Status.ITERATION_LIMIT, decrement, trace, tol=tol)


def _advance(search: _Search, direction: Array, decrement: float, reach: float) -> str:
    """Move: a Newton step shortened until the log density agrees, or else a majorant step. Returns what was done."""
    here = search.state.log_density
    slack = 1e-13 * (1.0 + abs(here))
    length = 1.0
    while reach <= _FAR and length >= _SHORTEST:
        gamma = search.gamma + length * direction
        there = search.try_at(gamma)
        if there.log_density >= here + _ARMIJO * length * decrement**2 - slack:
            search.gamma, search.state = gamma, there
            return "newton" if length == 1.0 else f"newton x {length:g}"
        length /= 2.0
    step = search.majorant_step()
    if step is None:
        return "stuck"
    gamma = search.gamma + step
    there = search.try_at(gamma)
    if not there.log_density >= here - slack:
        return "stuck"
    search.gamma, search.state = gamma, there
    return "majorant"


def _at_rounding_floor(trace: list[Iteration], decrement: float, reach: float) -> bool:
    """Whether whole Newton steps have stopped shrinking the decrement, so close in that only rounding can be why."""
    if len(trace) < 2 or reach > 1e-2 or decrement > 1e-3:
        return False
    last = trace[-2:]
    return all(line.step == "newton" and line.decrement < 1e-3 for line in last) and decrement >= 0.5 * min(
        line.decrement for line in last
    )


def _end(
    search: _Search,
    factor: Factor | None,
    status: Status,
    decrement: float,
    trace: list[Iteration],
    *,
    floor: bool = False,
    tol: float = 0.0,
) -> Mode:
    notes: list[str] = []
    message = f"Converged: {decrement:.1e} posterior sd from the mode after {len(trace)} steps."
    if floor and status is Status.CONVERGED and decrement > tol:
        notes.append(
            f"The search stopped at the limit of double precision, {decrement:.1e} sd from the mode (asked: {tol:g})."
        )
    if status is Status.ITERATION_LIMIT:
        why = "rounding error" if floor else f"the limit of {len(trace)} steps"
        message = (
            f"Not converged: stopped by {why}, {decrement:.1e} posterior sd from the mode (asked: {tol:g}). "
            "The data may be nearly separated or nearly collinear; "
            "give the terms a proper prior, rescale, or raise max_iter."
        )
    if factor is not None and status is Status.CONVERGED and factor.smallest_pivot < 1e-10:
        notes.append(
            "The columns are nearly collinear "
            f"(one keeps only a share of {factor.smallest_pivot:.0e} of its variance given the others)."
        )
    return _mode(search, status, message, decrement, trace, factor, notes=tuple(notes))


def _mode(
    search: _Search,
    status: Status,
    message: str,
    decrement: float,
    trace: list[Iteration] | tuple[Iteration, ...],
    factor: Factor | None,
    recession: Recession | None = None,
    notes: tuple[str, ...] = (),
) -> Mode:
    coordinates = search.target.coordinates
    return Mode(
        beta=coordinates.beta(search.gamma),
        local=search.state,
        status=status,
        message=message,
        decrement=decrement,
        n_passes=search.passes,
        n_hessians=search.informations,
        trace=tuple(trace),
        coordinates=coordinates,
        factor=factor,
        recession=recession,
        notes=notes,
    )


def _no_mode_at_once(search: _Search) -> Mode | None:
    """Single class with a free intercept, or more free columns than rows: no search can help."""
    one_class = single_class(search.target)
    if one_class is not None:
        message, recession = one_class
        return _mode(search, Status.SINGLE_CLASS, message, math.inf, (), None, recession)
    message_or_none = too_few_rows(search.target)
    if message_or_none is None:
        return None
    return _mode(search, Status.NOT_POSITIVE_DEFINITE, message_or_none, math.inf, (), None)
