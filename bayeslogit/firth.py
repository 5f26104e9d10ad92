"""Firth steps: the mode under Jeffreys' prior, alone or beside smooth priors, with a certificate in posterior sds.

The log posterior is ``l + 0.5 log |I| + log prior`` with I the information of the likelihood l. Steps are Newton's with
its full information, the curvature of the Jeffreys term in it; where that is not positive definite, far from the mode,
with I and the majorant of the other priors, which is Firth's scoring. A step is halved until the log posterior agrees.
The distance to the mode is measured with the full information, which the standard errors rest on, where it is asked
for; without a covariance with what the gradient steps have learned of it. Everything is solved in the coordinates in
which I is the identity.

(Firth 1993; Kosmidis and Firth 2021 for the mode's existence wherever the columns have full rank.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

from bayeslogit.existence import not_identified
from bayeslogit.jeffreys import Curvature, Whitening
from bayeslogit.mode import Mode, Road, Status, Whole
from bayeslogit.newton import POLISHED, Search
from bayeslogit.quasi_newton import climb
from bayeslogit.steps import Factor, cholesky_factor, root_factor
from bayeslogit.target import Expansion, LogPosterior, Slope

Array = NDArray[np.float64]

# Multiplications above which a third derivative at every step costs more than gradient steps, which are many where
# there are few rows for each column.
_CHEAP, _CHEAP_IF_FEW_ROWS, _FEW_ROWS = 2e7, 2e9, 4
_ARMIJO = 1e-4
# How far below the rounding of the log density a rise may be lost.
_SLACK = 1e-13
_LEVEL = 1e4
_MOST_HALVINGS = 20
_MOST_GRADIENTS = 60
# The shortest first step, in posterior sds, that leaves Jeffreys' term out.
_LEAP = 1.0
# The longest step, in posterior sds, that is bent by the third derivative.
_BENT = 0.5
# What counts as the limit of double precision when steps no longer help.
_FLOOR = 1e-6


@dataclass(frozen=True)
class _Point:
    """A point with what one pass tells of it.

    Attributes
    ----------
    data : Expansion
        Of the likelihood.
    whitening : Whitening
        Of its information.
    terms : tuple of two arrays, optional
        What `OneBlock` keeps for the second pass.
    """

    gamma: Array
    data: Expansion
    whitening: Whitening
    prior: Slope
    terms: tuple[Array, Array] | None

    @property
    def log_density(self) -> float:
        return self.data.log_density + 0.5 * self.whitening.log_determinant + self.prior.log_density


@dataclass(frozen=True)
class _Curve:
    """A point with what the second pass tells of it, in whitened coordinates.

    Attributes
    ----------
    score : array, shape (p,)
        Of the log posterior.
    information : array, shape (p, p)
        Of the log posterior.
    jeffreys : Curvature
        Of the Jeffreys term.
    """

    point: _Point
    score: Array
    information: Array
    jeffreys: Curvature


class _Firth:
    """One search: the target, and what it has cost."""

    def __init__(self, target: LogPosterior) -> None:
        self.target = target
        self.plain = not any(term.proper for term in target.prior.terms)
        self.search = Search(target, np.empty(0), Expansion(-math.inf, np.empty(0), np.empty((0, 0))), Road.FIRTH, 0, 0)

    def look(self, gamma: Array) -> _Point | None:
        """One pass; None where the likelihood's information is singular, or the step has left what is finite."""
        self.search.passes += 1
        self.search.informations += 1
        one = self.target.one_block
        data, terms = (self.target.likelihood(gamma), None) if one is None else one.likelihood(gamma)
        whitening = self.target.whitening(gamma, data.information) if math.isfinite(data.log_density) else None
        if whitening is None:
            return None
        prior = Slope(0.0, np.zeros_like(gamma)) if self.plain else self.target.prior_target.slope(gamma)
        return _Point(gamma, data, whitening, prior, terms)

    def curve(self, point: _Point) -> _Curve:
        """The second pass."""
        self.search.passes += 1
        half = point.whitening.half
        one = self.target.one_block
        if one is None or point.terms is None:
            own = self.target.jeffreys(point.gamma, point.whitening)
        else:
            own = one.curvature(point.terms, point.whitening)
        information = own.information.copy()
        information.flat[:: half.shape[0] + 1] += 1.0
        if not self.plain:
            information += half.T @ self.target.prior_target.information(point.gamma) @ half
        return _Curve(point, own.score + (point.data.score + point.prior.score) @ half, information, own)

    def slope(self, point: _Point) -> Slope:
        """The second pass, to first order, in working coordinates."""
        self.search.passes += 1
        own = self.target.jeffreys_slope(point.gamma, point.whitening)
        return Slope(point.data.log_density, point.data.score) + point.prior + own

    def steps(self, point: _Point, tol: float, max_iter: int) -> Mode:
        """Steps until the search is decided."""
        last, decrement, kind = math.inf, math.inf, "newton"
        leap = self._leap(point) if not self.search.moved and max_iter > 0 else None
        curve, most = self.curve(leap or point), max_iter - (leap is not None)
        for count in range(most + 1):
            step, kind = self._solved(curve)
            decrement = math.sqrt(max(float(step @ curve.score), 0.0))
            if kind == "newton":
                if decrement <= tol:
                    return self._arrived(curve, step, decrement, tol)
                if decrement >= 0.5 * last and decrement <= _FLOOR:
                    return self.end(curve, Status.CONVERGED, decrement, tol)
            moved = None if count == most else self._move(curve, step, decrement, kind) or self._steady_move(curve)
            if moved is None:
                break
            there, done = moved
            self._note(curve.point, decrement, done)
            last = decrement if kind == "newton" else math.inf
            curve = self.curve(there)
        return self.end(curve, Status.ITERATION_LIMIT, decrement, tol)

    def _solved(self, curve: _Curve) -> tuple[Array, str]:
        """The step in whitened coordinates, and what made it."""
        _, step, failed = dposv(curve.information, curve.score)
        if not failed:
            return step, "newton"
        half, p = curve.point.whitening.half, curve.score.size
        bend = self.target.prior_target.information(curve.point.gamma, majorant=True)
        _, step, _ = dposv(np.eye(p) + half.T @ bend @ half, curve.score)
        return step, "scoring"

    def _steady_move(self, curve: _Curve) -> tuple[_Point, str] | None:
        """Where the curvature has died (rows fitted to hundreds of log-odds): a step of the majorant quadratic."""
        point = curve.point
        self.search.passes += 1
        self.search.informations += 1
        factor = cholesky_factor(self.target.majorant(point.gamma))
        if factor is None:
            return None
        step = factor.solve(point.whitening.back @ curve.score)
        for _ in range(_MOST_HALVINGS):
            there = self.look(point.gamma + step)
            if there is not None and there.log_density > point.log_density:
                return there, "majorant"
            step = 0.5 * step
        return None

    def _bent(self, curve: _Curve, step: Array) -> Array:
        """A Newton step with what the third derivative of the likelihood, known already, says of it (Chebyshev)."""
        bent = curve.jeffreys.bent(step)
        if bent is None:
            return step
        _, more, _ = dposv(curve.information, bent)
        return step - 0.5 * more

    def _leap(self, point: _Point) -> _Point | None:
        """The first step from a null model, which spares the second pass: Jeffreys' term has little to say there yet.

        That of linear regression, as in `newton`; None if it is short, or the log density does not rise as it should.
        """
        half, tally = point.whitening.half, self.target.design.tally
        step = score = (point.data.score + point.prior.score) @ half
        if not self.plain:
            bend = self.target.prior_target.information(point.gamma, majorant=True)
            _, step, _ = dposv(np.eye(score.size) + half.T @ bend @ half, score)
        gain = float(step @ score)
        if gain < _LEAP**2:
            return None
        length = 1.0
        if 0.25 < tally.events / tally.nobs < 0.75:
            length /= math.sqrt(1.0 - min(0.5 * math.pi * gain / tally.nobs, 0.75))
        there = self.look(point.gamma + length * (half @ step))
        if there is None or not there.log_density - point.log_density >= 0.25 * gain:
            return None
        self._note(point, math.sqrt(gain), f"leap x {length:.3g}")
        return there

    def _move(self, curve: _Curve, step: Array, decrement: float, kind: str) -> tuple[_Point, str] | None:
        """The bent step, or the longest of the halved straight ones, with which the log density agrees."""
        point, gain = curve.point, decrement**2
        slack = _SLACK * (1.0 + abs(point.log_density))
        straight, length = point.whitening.half @ step, 1.0
        bent = point.whitening.half @ self._bent(curve, step) if kind == "newton" and decrement < _BENT else None
        for attempt in range(_MOST_HALVINGS):
            direction = straight if attempt or bent is None else bent
            there = self.look(point.gamma + length * direction)
            if there is not None:
                rise = there.log_density - point.log_density
                # Near the mode a rise is lost in rounding; whether the step was good, the next decrement says.
                if rise >= _ARMIJO * length * gain - slack or (gain <= slack * _LEVEL and rise >= -_LEVEL * slack):
                    return there, kind if length == 1.0 else f"{kind} x {length:.3g}"
            if attempt or bent is None:
                length /= 2.0
        return None

    def _note(self, point: _Point, decrement: float, step: str) -> None:
        self.search.trace.append(self.search.line(point.log_density, decrement, math.nan, step))

    def _arrived(self, curve: _Curve, step: Array, decrement: float, tol: float) -> Mode:
        """The end of the search, after one more step if that brings it nearer."""
        if decrement > POLISHED:
            there = self.look(curve.point.gamma + curve.point.whitening.half @ self._bent(curve, step))
            if there is not None:
                nearer = self.curve(there)
                step, kind = self._solved(nearer)
                left = math.sqrt(max(float(step @ nearer.score), 0.0))
                if kind == "newton" and left < decrement:
                    self._note(curve.point, decrement, "newton")
                    curve, decrement = nearer, left
        return self.end(curve, Status.CONVERGED, decrement, tol)

    def end(self, curve: _Curve, status: Status, decrement: float, tol: float) -> Mode:
        """The record of the search as it stands."""
        point, search = curve.point, self.search
        root, C = point.whitening.root(curve.information), point.whitening.back
        factor = root_factor(root) if root is not None and status is Status.CONVERGED else None
        information, own = C @ curve.information @ C.T, C @ curve.jeffreys.information @ C.T
        search.gamma = point.gamma
        search.state = Expansion(point.log_density, C @ curve.score, 0.5 * (information + information.T))
        return self.close(point, status, decrement, tol, factor, 0.5 * (own + own.T))

    def refused(self, message: str, status: Status = Status.NOT_POSITIVE_DEFINITE) -> Mode:
        """The end of a search that could not begin: nothing is said of Jeffreys' term."""
        plain = replace(self.target, prior=replace(self.target.prior, whole=""))
        slope = plain.slope(self.search.gamma)
        self.search.state = Expansion(slope.log_density, slope.score, np.empty((0, 0)))
        return replace(self.search.end(status, message, math.inf), information=None)

    def close(
        self, point: _Point, status: Status, decrement: float, tol: float, factor: Factor | None, own: Array | None
    ) -> Mode:
        """The words of the end."""
        count = len(self.search.trace)
        notes: tuple[str, ...] = ()
        self._note(point, decrement, "none")
        message = f"Converged: {decrement:.1e} posterior sd from the mode after {count} steps."
        if status is Status.CONVERGED and decrement > tol:
            notes = (
                f"The search stopped at the limit of double precision, {decrement:.1e} sd from the mode "
                f"(asked: {tol:g}).",
            )
        if status is not Status.CONVERGED:
            message = (
                f"Not converged: stopped after {count} Firth steps, {decrement:.1e} posterior sd from the mode (asked: "
                f"{tol:g}). The columns may be nearly collinear; drop one, rescale, or raise max_iter."
            )
        whole = Whole(0.5 * point.whitening.log_determinant, own)
        return self.search.end(status, message, decrement, factor, notes=notes, whole=whole)


def third_derivatives_are_cheap(target: LogPosterior) -> bool:
    """Whether every step can afford the curvature of the Jeffreys term."""
    n, p = target.design.source.n_rows, len(target.design.columns)
    return float(n) * float(p) ** 3 <= (_CHEAP_IF_FEW_ROWS if n < _FEW_ROWS * p else _CHEAP)


def firth(
    target: LogPosterior,
    gamma: Array,
    tol: float,
    max_iter: int,
    *,
    started: bool = False,
    metric: Factor | None = None,
    exact: bool = True,
) -> Mode:
    """The mode under Jeffreys' prior, looked for from ``gamma``.

    Parameters
    ----------
    started : bool
        Whether ``gamma`` is a guess at the mode, not the null model.
    metric : Factor, optional
        Of a matrix near the information: gradient steps are made with it first, for when curvature is dear.
    exact : bool
        Whether the full information at the mode is wanted; if not, it is formed only where gradient steps fail.
    """
    run = _Firth(target)
    run.search.gamma, run.search.moved = gamma, started
    rows, columns = target.design.n_rows, gamma.size
    if columns > rows:
        return run.refused(
            f"Not identified: Jeffreys' prior is made of what the data say of all {columns} columns, and there are "
            f"{rows} rows. Leave columns out, or use proper priors such as bayeslogit.Normal(2.5) alone."
        )
    point = run.look(gamma)
    if point is None or not point.whitening.well_conditioned:
        run.search.passes += 1
        refusal = not_identified(target, gamma)
        if refusal is not None:
            return run.refused(refusal)
    if point is None:
        message = "Not converged: no row carries information where the search begins; look at the offset."
        return run.refused(message, Status.ITERATION_LIMIT)
    if metric is not None:
        enough = min(tol, POLISHED) if exact else 0.3 * tol
        near = climb(target, gamma, run.slope(point), metric, enough=enough, most=_MOST_GRADIENTS)
        run.search.trace = list(near.trace)
        run.search.passes += 2 * near.passes
        run.search.informations += near.passes
        point = run.look(near.gamma) or point
        if near.arrived and not exact:
            run.search.gamma = near.gamma
            run.search.state = Expansion(near.slope.log_density, near.slope.score, np.empty((0, 0)))
            return replace(run.close(point, Status.CONVERGED, near.decrement, tol, None, None), information=None)
    return run.steps(point, tol, max_iter)
