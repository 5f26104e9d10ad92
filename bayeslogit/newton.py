"""Newton steps, safeguarded, stopped by a certificate in posterior sds.

A step is taken whole when the log density agrees with it, shortened when not; where the curvature has died (rows fitted
to hundreds of log-odds) a step of the majorant quadratic, which cannot go downhill, takes over. The loop ends when the
Newton decrement, the distance to the mode in posterior sds, is below ``tol`` *and* the step would move no row by much:
on separated data the first alone is met at some arbitrary large coefficient, which is how others come to report one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bayeslogit.existence import not_identified, separated
from bayeslogit.limited import Bound
from bayeslogit.mode import Iteration, Mode, Road, Status, Whole
from bayeslogit.recession import Recession, recession_direction
from bayeslogit.sources.spread import Spread
from bayeslogit.steps import WELL_CONDITIONED, Factor, cholesky_factor, root_factor
from bayeslogit.subspace import Support
from bayeslogit.target import Expansion, LogPosterior

Array = NDArray[np.float64]

# Since |l'''| <= l'', the information changes by at most a factor e^D over a step that moves no row by more than D.
SETTLED = 1e-3
# What a last step, which costs no information, aims at whatever the tolerance: the accuracy of a published digit.
POLISHED = 1e-8
# A step this short that moves no row by more than so much needs no information where it ends: that where it began is
# the same to six digits, and the step after it is shorter by as much.
_SHORT, _STILL = 1e-3, 1e-6
# A Newton step that moves some row by more than this many log-odds goes over dead curvature, as on separated data.
_FAR = 1e6
# A decrement this small with rows that still move by this much is what separated data look like.
_MOVING = 0.5
_SEPARATION_HINT = 1e-2
# Newton's steps shrink their decrement at least so much near a mode; on separated data by e^-1/2 only.
_QUADRATIC = 0.25
# Steps after which rows that still move are a reason to ask too.
_PATIENCE = 12
_ARMIJO = 1e-4
_LEVEL = 1e4
# How level the log density must be at the end of a whole step, and of one that had to be looked for.
_WOLFE = 0.9
_LINE = 0.1
_SHORTEST = 1e-9
_MOST_TRIALS = 60


@dataclass
class Search:
    """The state of one search: where it is, and what it has cost."""

    target: LogPosterior
    gamma: Array
    state: Expansion
    road: Road = Road.NEWTON
    passes: int = 1
    informations: int = 1
    sampled: int = 0
    trace: list[Iteration] = field(default_factory=list)
    information_error: float = 0.0
    moved: bool = False
    overlap_proved: bool = False
    identified: bool = False

    @property
    def compiled(self) -> bool:
        return self.target.design.source.compiled

    @property
    def polished(self) -> float:
        """What a last step aims at; less over streams and clusters, which draw other samples than memory does."""
        return 0.01 * POLISHED if isinstance(self.target.design.source, Spread) else POLISHED

    def factor(self) -> Factor | None:
        """Of the information here; by QR of the rows when Cholesky would lose digits."""
        found = cholesky_factor(self.state.information, self.compiled)
        if found is not None and found.smallest_pivot >= WELL_CONDITIONED:
            return found
        if not self.target.concave:
            # Where a heavy tail bends the log density the other way, steps are made with its majorant.
            prior, gamma = self.target.prior_target, self.gamma
            bend = prior.information(gamma, majorant=True) - prior.information(gamma)
            return cholesky_factor(self.state.information + bend, self.compiled)
        if self.gamma.size > 4000:
            return found
        self.passes += 1
        self.informations += 1
        return root_factor(self.target.root(self.gamma))

    def reach(self, *directions: Array) -> Array:
        """The largest change of any row; over rows outside of memory a bound on it, where that says enough."""
        if isinstance(self.target.design.source, Spread):
            bounds = np.array([self.farthest(each) for each in directions])
            if np.all(bounds <= SETTLED):
                return bounds
        self.passes += 1
        return self.target.reach(*directions)

    def farthest(self, direction: Array) -> float:
        """A bound on the change of any row, by the ranges of the columns: no pass."""
        design, center = self.target.design, self.target.coordinates.center
        first, shift, m = int(design.has_intercept), 0.0 if center is None else center, design.moments
        widest = np.maximum(np.abs(m.lower - shift), np.abs(m.upper - shift))
        return float(np.abs(direction[:first]).sum() + np.abs(direction[first:]) @ widest)

    def take(self, direction: Array) -> None:
        """A last step, so short that the quadratic model is exact to rounding: no pass."""
        here = self.state
        self.gamma = self.gamma + direction
        self.state = Expansion(here.log_density, here.score - here.information @ direction, here.information)

    def majorant_step(self) -> Array | None:
        self.passes += 1
        self.informations += 1
        factor = cholesky_factor(self.target.majorant(self.gamma))
        return None if factor is None else factor.solve(self.state.score)

    def try_at(self, gamma: Array) -> Expansion:
        self.passes += 1
        self.informations += 1
        return self.target.expand(gamma)

    @staticmethod
    def line(log_density: float, decrement: float, reach: float, step: str) -> Iteration:
        return Iteration(log_density, decrement, reach, step)

    def note(self, decrement: float, reach: float, step: str) -> None:
        self.trace.append(Iteration(self.state.log_density, decrement, reach, step))

    def end(
        self,
        status: Status,
        message: str,
        decrement: float,
        factor: Factor | None = None,
        recession: Recession | None = None,
        notes: tuple[str, ...] = (),
        subspace: Support | None = None,
        information: Array | None = None,
        whole: Whole | None = None,
    ) -> Mode:
        """The record of the search as it stands."""
        return Mode(
            beta=self.target.coordinates.beta(self.gamma),
            log_density=self.state.log_density,
            score=self.state.score,
            information=self.state.information if information is None else information,
            status=status,
            message=message,
            decrement=decrement,
            road=self.road,
            n_passes=self.passes,
            n_hessians=self.informations,
            trace=tuple(self.trace),
            coordinates=self.target.coordinates,
            factor=factor,
            information_error=self.information_error,
            n_sampled=self.sampled,
            recession=recession,
            subspace=subspace,
            notes=notes,
            whole=whole,
        )


def newton(search: Search, tol: float, max_iter: int, most: int | None = None) -> Mode:
    """Newton steps from where the search stands until it is decided, or until ``most`` passes are spent."""
    last, steps = math.inf, 0
    newtons: list[float] = []
    for steps in range(max_iter):
        factor = search.factor()
        if (factor is None or factor.smallest_pivot < WELL_CONDITIONED) and not search.identified:
            search.passes += 1
            refusal = not_identified(search.target, search.gamma)
            if refusal is not None:
                return search.end(Status.NOT_POSITIVE_DEFINITE, refusal, math.inf)
            search.identified = True
        if factor is None:
            decrement, reach = math.inf, math.inf
            direction = np.zeros_like(search.gamma)
        else:
            direction = factor.solve(search.state.score, search.compiled)
            decrement = math.sqrt(max(float(direction @ search.state.score), 0.0))
            if most is not None and search.passes >= most and decrement > tol:
                return _spent(search, factor, direction, decrement, most)
            source = search.target.design.source
            if tol < decrement <= _SHORT and isinstance(source, Spread) and not source.fits:
                reach = search.farthest(direction)
                if reach <= min(_STILL, tol):
                    return _converged(search, factor, direction, decrement, reach, tol)
            slow = decrement < _SEPARATION_HINT and decrement > _QUADRATIC * last
            look = decrement <= tol or slow or steps >= _PATIENCE or not math.isfinite(decrement)
            reach = float(search.reach(direction)[0]) if look else math.nan
        if factor is not None and decrement <= tol and reach <= SETTLED:
            return _converged(search, factor, direction, decrement, reach)
        suspect = decrement < _SEPARATION_HINT or reach > _FAR or steps >= _PATIENCE
        recession = recession_of(search, reach) if suspect else None
        if recession is not None:
            words = separated(search.target, recession)
            return search.end(Status.NO_FINITE_MODE, words, decrement, recession=recession)
        if _at_rounding_floor(newtons, decrement, search, direction):
            status = Status.CONVERGED if decrement <= max(tol, 1e-6) else Status.ITERATION_LIMIT
            return _end(search, factor, status, decrement, floor=True, tol=tol)
        kind = _advance(search, direction, decrement, reach, _first_length(search, decrement) if steps == 0 else 1.0)
        newtons = [*newtons, decrement] if kind == "newton" else []
        if kind == "stuck":
            search.note(decrement, reach, kind)
            if math.isnan(reach):
                reach = float(search.reach(direction)[0])
            recession = recession_of(search, reach)
            if recession is not None:
                words = separated(search.target, recession)
                return search.end(Status.NO_FINITE_MODE, words, decrement, recession=recession)
            near = decrement <= max(tol, 1e-6) and reach <= _MOVING
            status = Status.CONVERGED if near else Status.ITERATION_LIMIT
            return _end(search, factor, status, decrement, floor=True, tol=tol)
        last = decrement
    return _end(search, search.factor(), Status.ITERATION_LIMIT, last, tol=tol)


def _first_length(search: Search, decrement: float) -> float:
    """How far the first step from a null model goes.

    It is a linear regression's, whose slopes are those of the logistic one times ``4 E[mu (1 - mu)]``. For normal
    log-odds of variance t that is about ``(1 + pi t / 8)^(-1/2)`` (the probit approximation), and the step's own
    variance is ``4 decrement^2 / nobs``. A guess, and tried like any other step.
    """
    tally = search.target.design.tally
    balanced = 0.25 < tally.events / tally.nobs < 0.75
    if search.road is not Road.NEWTON or not balanced or search.moved:
        return 1.0
    share = min(0.5 * math.pi * decrement**2 / tally.nobs, 0.75)
    return 1.0 / math.sqrt(1.0 - share)


def recession_of(search: Search, reach: float) -> Recession | None:
    """The direction in which the outcome is separated, if rows still move; it is looked for once."""
    if not reach > _MOVING or search.overlap_proved or not search.target.prior.flat.any():
        return None
    recession = recession_direction(search.target.design, search.target.prior)
    search.overlap_proved = recession is None
    return recession


def _advance(search: Search, direction: Array, decrement: float, reach: float, length: float = 1.0) -> str:
    """Move: along the Newton step as far as it rises, or by a majorant step. Returns what was done."""
    slack = 1e-13 * (1.0 + abs(search.state.log_density))
    length, there = (0.0, None) if math.isinf(decrement) else _along(search, direction, decrement**2, slack, length)
    kind, step = ("newton" if length == 1.0 else f"newton x {length:.3g}"), length * direction
    if there is None:
        other = search.majorant_step()
        if other is None:
            return "stuck"
        kind, step, there = "majorant", other, search.try_at(search.gamma + other)
        if not there.log_density >= search.state.log_density - slack:
            return "stuck"
    search.note(decrement, reach, kind)
    search.gamma, search.state = search.gamma + step, there
    return kind


def _along(
    search: Search, direction: Array, gain: float, slack: float, length: float
) -> tuple[float, Expansion | None]:
    """How far to go along a Newton step, and the expansion there; None if it rises nowhere.

    The whole step if the log density agrees. Else to where it is level: rows far out are straight lines with a bend,
    and only a step that ends in the bend of the row that stopped it finds that row's curvature there.
    """
    here = search.state.log_density
    best: tuple[float, Expansion | None] = (0.0, None)
    low, high, whole = 0.0, math.inf, length
    for _ in range(_MOST_TRIALS):
        there = search.try_at(search.gamma + length * direction)
        rise, slope = there.log_density - here, float(direction @ there.score)
        rises = rise >= _ARMIJO * length * gain - slack
        # A rise may be lost in the rounding of the log density; then the slope along the step says if it overshot.
        if length == whole and (rises or abs(rise) <= _LEVEL * slack) and abs(slope) <= _WOLFE * gain:
            return length, there
        if rises and (best[1] is None or there.log_density > best[1].log_density):
            best = (length, there)
        if best[1] is not None and abs(slope) <= _LINE * gain:
            return best
        low, high = (length, high) if slope > 0.0 else (low, length)
        if not math.isfinite(high) or high - low <= _SHORTEST * high:
            break
        length = 0.1 * high if low == 0.0 else 0.5 * (low + high)
    return best


def _at_rounding_floor(newtons: list[float], decrement: float, search: Search, direction: Array) -> bool:
    """Whether whole Newton steps have stopped shrinking the decrement, so close in that only rounding can be why."""
    last = newtons[-2:]
    if len(last) < 2 or decrement > 1e-3 or any(each >= 1e-3 for each in last) or decrement < 0.5 * min(last):
        return False
    return float(search.reach(direction)[0]) <= 1e-2


def _converged(
    search: Search, factor: Factor, direction: Array, decrement: float, reach: float, tol: float = 1.0
) -> Mode:
    """The end of a search that has arrived, after one more step if that is worth it: it needs no new information."""
    if decrement > search.polished:
        there = search.target.slope(search.gamma + direction)
        search.passes += 1
        left = math.sqrt(max(float(factor.solve(there.score) @ there.score), 0.0))
        if left < decrement:
            search.note(decrement, reach, "chord")
            search.gamma = search.gamma + direction
            search.state = Expansion(there.log_density, there.score, search.state.information)
            search.information_error = math.expm1(reach)
            decrement, direction = left, factor.solve(there.score)
        else:
            direction = np.zeros_like(direction)
    search.take(direction)
    return _end(search, factor, Status.CONVERGED, decrement, floor=decrement > tol, tol=tol)


def _spent(search: Search, factor: Factor, direction: Array, decrement: float, most: int) -> Mode:
    """The end of a search whose passes are spent: one more step, and a bound on what is left to the mode."""
    reach = search.farthest(direction)
    bound = Bound.after(decrement, reach, search.farthest(np.sqrt(factor.coordinate_variances())))
    search.note(decrement, reach, "last")
    search.take(direction)
    search.note(bound.away, math.nan, "none")
    search.information_error = bound.information_error
    status, message = Status.CONVERGED if bound.near else Status.ITERATION_LIMIT, bound.message(search.passes)
    return search.end(status, message, bound.away, factor, notes=(bound.note(most),) if bound.near else ())


def _end(
    search: Search, factor: Factor | None, status: Status, decrement: float, *, floor: bool = False, tol: float = 0.0
) -> Mode:
    notes: list[str] = []
    steps = len(search.trace)
    search.note(decrement, math.nan, "none")
    message = f"Converged: {decrement:.1e} posterior sd from the mode after {steps} steps."
    if floor and status is Status.CONVERGED and decrement > tol:
        notes.append(
            f"The search stopped at the limit of double precision, {decrement:.1e} sd from the mode (asked: {tol:g})."
        )
    if status is Status.ITERATION_LIMIT:
        why = "rounding error" if floor else f"the limit of {steps} steps"
        message = (
            f"Not converged: stopped by {why}, {decrement:.1e} posterior sd from the mode (asked: {tol:g}). "
            "The data may be nearly separated or nearly collinear; "
            "give the terms a proper prior, rescale, or raise max_iter."
        )
        if decrement <= tol:
            message = (
                f"Not converged: after {steps} steps the log posterior is level to rounding, and rows still move: the "
                "estimates are not determined. The data may be separated to within rounding; give the terms a proper "
                "prior, or a narrower one, or rescale."
            )
    if factor is not None and status is Status.CONVERGED and factor.smallest_pivot < 1e-10:
        notes.append(
            "The columns are nearly collinear "
            f"(one keeps only a share of {factor.smallest_pivot:.0e} of its variance given the others)."
        )
    return search.end(status, message, decrement, factor, notes=tuple(notes))
