"""The log evidence of a model along an axis of prior scales, with its exact slope.

With ``u = (b - m) / c`` a family of scale c has the density ``f(u) / c^d``, so that (Fisher's identity)
``d log Z / d log c = E[-(b - m)' score(b)] - d``, the expectation over the posterior at that scale; for normal terms
``E |b - m|^2 / c^2 - d``. Values and slopes come from importance sampling in symmetric pairs, quadrature, or annealed
particles, never from the Gaussian at the mode, whose error changes with the scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.errors import FitError
from bayeslogit.mode import Mode
from bayeslogit.multiples import Base, moves
from bayeslogit.posterior.annealed import annealing_serves, sample_annealed
from bayeslogit.posterior.importance import sample_importance
from bayeslogit.posterior.particles import Particles
from bayeslogit.posterior.quadrature import affordable, sample_quadrature
from bayeslogit.posterior.rung import EVIDENCE_BOUND, Rung
from bayeslogit.propriety import existence
from bayeslogit.resolved import PriorTerm, ResolvedPrior
from bayeslogit.scale_curves import SUPPORT, Hermite
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior
from bayeslogit.waiting import Show, quiet
from bayeslogit.warm_start import sequence

Array = NDArray[np.float64]
# Pairs of a first look, and the most that a scale may have.
FIRST, MOST = 600, 6000
# Log evidences so close to the largest count for the choice, nats.
NEAR = 6.0
# Monte-Carlo error of a log evidence beyond which annealed particles may know it better.
_ANNEAL = 0.03
# Tail index of the weights of a first look beyond which a second one would fail too.
_LOST = 0.7
# How far beyond its ends the axis may be followed while the evidence still rises there, and by which factor at a time.
_FACTOR, _UP, _DOWN = math.sqrt(10.0), 4, 2
_REFINED, _LEAST = 4, 2
# The optimum is found when its slope is within this many Monte-Carlo errors of zero, or the step within this of log c.
_SURE, _CLOSE = 1.0, 0.005


@dataclass(frozen=True, eq=False)
class Point:
    """The evidence at one scale.

    Attributes
    ----------
    scale : float
    log_evidence, se : float
        Nats, and the Monte-Carlo error.
    slope, slope_se : float
        ``d log Z / d log scale`` and its Monte-Carlo error.
    level : {"certified", "approximate", "failed"}
        Of the evidence alone: its error is within 0.01 nats, or known, or not known.
    rung : Rung
    """

    scale: float
    log_evidence: float
    se: float
    slope: float
    slope_se: float
    level: str
    rung: Rung


def moving(prior: ResolvedPrior) -> tuple[PriorTerm, ...]:
    """The terms that an axis of scales moves."""
    return tuple(term for term in prior.terms if moves(term, prior.columns))


def center(term: PriorTerm) -> Array:
    """Where a term is drawn together when its scale goes to zero."""
    return np.asarray(term.parameters.get("mean", np.zeros(len(term.columns))), dtype=np.float64)


def stretch(term: PriorTerm, picked: NDArray[np.bool_] | None = None) -> Callable[[Array], Array]:
    """``d log density / d log scale`` of a term (or of some of its columns) at points, shape (S, p) to (S,).

    By the score of the family, with that of its kink; exact but where a coefficient is exactly at its kink.
    """
    index, d = list(term.columns), term.density
    own = np.ones(len(index), dtype=bool) if picked is None else picked

    def of(points: Array) -> Array:
        u = points[:, index]
        away = u - center(term)
        if term.family == "elastic_net":
            # Both its rates are divided by the scale, which is no stretching; l1 E|x| + l2 E x^2 = 1.
            l1, l2 = term.parameters["l1"], term.parameters["l2"]
            constant = 1.0 - 0.5 * l2 * d.variance(l1=l1, l2=l2, mean=np.zeros_like(l1))
            rates: Array = np.sum((l1 * np.abs(away) + 0.5 * l2 * np.square(away) - constant)[:, own], axis=1)
            return rates
        if term.family == "multivariate_normal":
            score = -away @ term.parameters["precision"]
        else:
            score = d.score(u, **term.parameters)
        result: Array = -np.sum((away * score)[:, own], axis=1) - np.count_nonzero(own)
        if d.kink is not None:
            result = result + np.abs(away[:, own]) @ np.asarray(d.kink(**term.parameters)[1])[own]
        if d.group is not None:
            result = result + d.group(**term.parameters) * np.sqrt(np.square(u).sum(axis=1))
        return result

    return of


def slope_of(rung: Rung, terms: Sequence[tuple[PriorTerm, NDArray[np.bool_] | None]]) -> tuple[float, float]:
    """``d log Z / d log scale`` of some terms together, and its Monte-Carlo error."""
    value = variance = 0.0
    rest = []
    for term, picked in terms:
        if term.family != "normal":
            rest.append(stretch(term, picked))
            continue
        # Means and sds have controls of their own, and so smaller errors than the mean of a function of points.
        own = np.array(term.columns)[slice(None) if picked is None else picked]
        part = slice(None) if picked is None else picked
        if isinstance(rung.estimator, Particles):
            total, off = rung.estimator.squares(own, center(term)[part], term.parameters["scale"][part])
            value, variance = value + total - own.size, variance + off**2
            continue
        scale, away = term.parameters["scale"][part], rung.mean[own] - center(term)[part]
        value += float(np.sum((np.square(rung.sd[own]) + np.square(away)) / np.square(scale))) - own.size
        error = 2.0 * np.hypot(rung.sd[own] * rung.sd_mcse[own], away * rung.mean_mcse[own]) / np.square(scale)
        variance += float(np.sum(np.square(error)))
    if rest:
        mean, error = rung.expect(lambda points: sum((each(points) for each in rest), np.zeros(points.shape[0])))
        value, variance = value + float(mean), variance + float(error) ** 2
    return value, math.sqrt(variance)


def evidence_rung(
    target: LogPosterior, mode: Mode, rng: np.random.Generator, *, first: int, most: int
) -> tuple[Rung, str]:
    """A rung whose log evidence has a known Monte-Carlo error, if that can be had in short time, and its level."""
    best: Rung | None = None
    for pairs in dict.fromkeys((first, max(first, most))):
        rung = sample_importance(target, mode, 1, rng, max_pairs=pairs, quantiles=False)
        if best is None or _level(rung) != "failed" or _level(best) == "failed":
            best = rung
        if _level(rung) == "certified":
            return rung, "certified"
        if not rung.khat < _LOST and _level(rung) == "failed" and annealing_serves(target):
            break  # more pairs around a Gaussian that will not do would be lost as well
    assert best is not None
    if most > first and affordable(target) != "never":
        exact = sample_quadrature(target, mode, 1, rng)
        if exact.level == "certified":
            return exact, "certified"
    doubtful = _level(best) == "failed" or best.log_evidence_se > _ANNEAL
    if most > first and doubtful and annealing_serves(target):
        led = sample_annealed(target, mode, 1, rng)
        if _level(led) != "failed" and (_level(best) == "failed" or led.log_evidence_se < best.log_evidence_se):
            best = led
    return best, _level(best)


def _level(rung: Rung) -> str:
    if rung.level == "failed" or not math.isfinite(rung.log_evidence_se):
        return "failed"
    return "certified" if rung.log_evidence_se <= EVIDENCE_BOUND else "approximate"


def modes_along(
    design: Design, prior: ResolvedPrior, base: Base, scales: Iterable[float]
) -> Iterator[tuple[float, ResolvedPrior, LogPosterior, Mode]]:
    """Scale, prior, target and mode at each scale, each search starting from the mode before.

    The next scale is asked for when the work at the last one is done.

    Raises
    ------
    FitError
        If there is no mode at some scale.
    """
    asked: list[tuple[float, ResolvedPrior, LogPosterior]] = []

    def targets() -> Iterator[LogPosterior]:
        first: LogPosterior | None = None
        for scale in scales:
            own = base.multiple(prior, float(scale))
            target = LogPosterior.of(design, own) if first is None else replace(first, prior=own, at=first.coordinates)
            first = target if first is None else first
            asked.append((float(scale), own, target))
            yield target

    for mode in sequence(targets()):
        scale, own, target = asked.pop()
        if not mode.converged:
            raise FitError(f"At scale {scale:.3g} there is no mode. {mode.message}")
        yield scale, own, target, mode


class Sampler:
    """Evidence at any scale of one axis; every scale has the same random numbers, so that differences are sharp."""

    def __init__(self, design: Design, prior: ResolvedPrior, base: Base, rng: int | np.random.Generator) -> None:
        self.design, self.prior, self.base = design, prior, base
        self.seed = int(np.random.default_rng(rng).integers(1 << 62))
        self.target = LogPosterior.of(design, base.multiple(prior, 1.0))
        # Whether some mode has had every row on its side; and whether all columns are either flat or move.
        self.separated = False
        self.free = bool(prior.flat.any()) and len(moving(prior)) == len([t for t in prior.terms if t.family != "flat"])

    def at(self, scale: float, mode: Mode | None = None, most: int = MOST, first: int = FIRST) -> Point:
        """The evidence at one scale, by so many pairs at first, and at most.

        Raises
        ------
        FitError
            If there is no mode, or the posterior is improper.
        """
        prior = self.base.multiple(self.prior, scale)
        target = replace(self.target, prior=prior, at=self.target.coordinates)
        mode = find_mode(target) if mode is None else mode
        if not mode.converged:
            raise FitError(f"At scale {scale:.3g} there is no mode. {mode.message}")
        exists = existence(self.design, prior, finite_mode=True)
        if not exists.proper:
            raise FitError(f"At scale {scale:.3g} {'; '.join(exists.reasons)}.")
        self.separated = self.separated or _separates(self.design, mode)
        rung, level = evidence_rung(target, mode, np.random.default_rng(self.seed), first=first, most=most)
        slope, error = slope_of(rung, [(term, None) for term in moving(prior)])
        return Point(scale, rung.log_evidence, rung.log_evidence_se, slope, error, level, rung)

    def along(self, scales: Array, show: Show = quiet) -> list[Point]:
        """At every scale, ascending, by a first look each."""
        points: list[Point] = []
        for scale, _, _, mode in modes_along(self.design, self.prior, self.base, scales):
            show("evidence", len(points), scales.size)
            points.append(self.at(scale, mode, FIRST))
        return points


def _separates(design: Design, mode: Mode) -> bool:
    """Whether every success has positive log-odds at the mode, its offset apart, and every failure negative ones."""
    for block in design.source.blocks():
        eta = block.X.predict(mode.beta)
        if np.any((block.successes > 0.0) & (eta <= 0.0)) or np.any((block.failures > 0.0) & (eta >= 0.0)):
            return False
    return True


def curve_of(points: Sequence[Point]) -> Hermite:
    """Through values and slopes."""
    logs = np.log([point.scale for point in points])
    return Hermite(logs, np.array([p.log_evidence for p in points]), np.array([p.slope for p in points]))


def refined(sampler: Sampler, points: list[Point], *, follow: bool) -> list[Point]:
    """The points with further ones: beyond the ends while the evidence rises there, and at the optimum.

    Parameters
    ----------
    follow : bool
        Whether the axis may go on beyond its ends.

    Notes
    -----
    Where a first look failed, or did not certify and the evidence is near its largest, more is done.
    """
    points = sorted(points, key=lambda point: point.scale)
    points = [
        sampler.at(point.scale) if _unsettled(point, lower, sampler.target) else point
        for point, lower in zip(points, _lower(points), strict=True)
    ]
    if follow:
        for step in range(_UP):
            if points[-1].level == "failed" or _decided(sampler, points, step):
                break
            points.append(sampler.at(points[-1].scale * _FACTOR))
        for _ in range(_DOWN):
            if points[0].slope > 2.0 * points[0].slope_se or _best(points) > 0:
                break
            points.insert(0, sampler.at(points[0].scale / _FACTOR))
    for _ in range(_REFINED):
        known = usable(points)
        if len(known) < _LEAST:
            break
        top, _ = curve_of(known).top()
        near = min(known, key=lambda point: abs(math.log(point.scale) - top))
        if abs(math.log(near.scale) - top) <= _CLOSE or abs(near.slope) <= _SURE * near.slope_se:
            break
        points = sorted([*points, sampler.at(math.exp(top))], key=lambda point: point.scale)
    return points


def _decided(sampler: Sampler, points: Sequence[Point], steps: int) -> bool:
    """Whether wider scales would not change the choice.

    Where all rows are on their sides of a plane, the evidence tends to the prior's chance of such a plane, which no
    scale changes: once it is level and lower than its best it is not worth following. With flat columns it grows in the
    end as a power of the scale: with ``b = c a`` for all coefficients, one factor c a flat column is left over.
    """
    last = points[-1]
    if last.slope <= 2.0 * last.slope_se:
        level = sampler.separated and last.slope >= -2.0 * last.slope_se and _best(points) < len(points) - 1
        return level or _lower(points)[-1] > SUPPORT
    return sampler.separated and sampler.free and steps > 0


def usable(points: Sequence[Point]) -> list[Point]:
    """Those whose log evidence has an error that is known; where it is not the value is too low, by who knows what."""
    return [point for point in points if point.level != "failed"]


def _unsettled(point: Point, lower: float, target: LogPosterior) -> bool:
    """Whether more work may tell more: a first look that failed may be many nats too low, which annealing can mend."""
    if point.rung.method == "annealed" or point.level == "certified":
        return False
    return lower <= NEAR or (point.level == "failed" and annealing_serves(target))


def _lower(points: Sequence[Point]) -> list[float]:
    """How much lower the evidence of each is than the largest, nats."""
    largest = max(point.log_evidence for point in points)
    return [largest - point.log_evidence for point in points]


def _best(points: Sequence[Point]) -> int:
    return int(np.argmax([point.log_evidence for point in points]))
