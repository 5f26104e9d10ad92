"""Adaptive quadrature for posteriors of one to three coefficients.

In the coordinates that whiten the nearest Gaussian, the trapezoid rule on a lattice is accurate to many digits with
steps of most of an sd. Each linear function gets a lattice with its first axis along it, so that its marginal density
stands on the slabs of that lattice. Two lattices that interlace check each other: the rule is certified by its doubled
nodes.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bayeslogit.mode import Mode
from bayeslogit.posterior.certificate import checks_of, verdict, worst
from bayeslogit.posterior.functions import Described, finite_values
from bayeslogit.posterior.ground import Ground, Linear
from bayeslogit.posterior.lines import describe_lattices
from bayeslogit.posterior.pair_estimator import PairEstimator
from bayeslogit.posterior.pairs import Pairs, Proposal
from bayeslogit.posterior.rung import QUANTILE_BOUND, Estimator, Moments, Rung
from bayeslogit.posterior.unseen import other_modes
from bayeslogit.posterior.variational import Gaussian, near_gaussian
from bayeslogit.target import LogPosterior
from bayeslogit.wide import is_wide

Array = NDArray[np.float64]

_MOST_COLUMNS = 3
# Side of a cell, in sds; cells whose density is less than exp(-DROP) of the highest are left out.
_SIDE, _DROP = 1.6, 34.0
_REACH = 60
_MOST_CELLS = 20_000
# Nodes a side of a cell, tried in turn.
_FINER = (2, 3, 4, 6)
# Products of rows and nodes that are cheap, or still bearable.
_CHEAP, _BEARABLE = 3e7, 1e9
# Errors must be this small a part of their bounds: they come from one comparison.
_AIM = 0.2
# Tolerance of the Gaussian that whitens the lattices, in sds.
_NEAR = 1e-3
_SUB = 96
# Of a function: nodes a side of a cell, nodes in all, and products of rows and nodes.
_FINEST, _MOST_NODES, _MOST_PRODUCTS = 256, 250_000, 2e8
# Nodes whose density is less than exp(-SEEN) of the highest are not shown to functions.
_SEEN = 26.0


def affordable(target: LogPosterior) -> Literal["at once", "if needed", "never"]:
    """Whether quadrature is cheaper than sampling, or at least bearable."""
    p = len(target.design.columns)
    if p > _MOST_COLUMNS or is_wide(target):
        return "never"
    nodes = p * 2.0 * (2 * _FINER[0]) ** p * 5.0**p
    work = nodes * target.design.source.n_rows
    if work > _BEARABLE:
        return "never"
    return "at once" if work <= _CHEAP and target.concave and not target.kinks else "if needed"


class NotCompactError(Exception):
    """The posterior fills more cells than a lattice can have."""


@dataclass(frozen=True)
class Marginal:
    """What one lattice says of the function along its first axis, in units of the whitened coordinate.

    Attributes
    ----------
    log_evidence, mean, sd : float
    errors : array, shape (3,)
        Of these, from the two halves of the lattice.
    grid, below, coarse : array
        Distribution function on a fine grid, and that from half the nodes on the same grid.
    """

    log_evidence: float
    mean: float
    sd: float
    errors: Array
    grid: Array
    below: Array
    coarse: Array

    def quantile(self, prob: float) -> tuple[float, float]:
        value = float(np.interp(prob, self.below, self.grid))
        return value, abs(value - float(np.interp(prob, self.coarse, self.grid)))


@dataclass(frozen=True, eq=False)
class QuadratureEstimator(Estimator):
    """Of lattices; the errors it gives are differences of interlaced ones."""

    ground: Ground
    gaussian: Gaussian
    finer: int

    def points(self) -> Array:
        return self._nodes()[0]

    def log_weights(self) -> Array:
        return self._nodes()[1]

    def _nodes(self) -> tuple[Array, Array]:
        parts = self._parts
        y = np.concatenate([part[0] for part in parts])
        log_density = np.concatenate([part[1] for part in parts])
        thetas = self.gaussian.mean + y @ self.gaussian.root.T
        weight = log_density - log_density.max()
        return self.ground.lift(thetas, np.random.default_rng(0)), weight - math.log(float(np.exp(weight).sum()))

    def marginals(self, rows: Array | None = None) -> list[tuple[float, float, Marginal]]:
        """Value at the centre, sd under the Gaussian, and marginal, of each function."""
        return self._own if rows is None else self._of(self.ground.linear(rows))

    @cached_property
    def _own(self) -> list[tuple[float, float, Marginal]]:
        return self._of(self.ground.column(slice(None)))

    def _of(self, linear: Linear) -> list[tuple[float, float, Marginal]]:
        result = []
        for core, constant in zip(linear.core, linear.constant, strict=True):
            along = self.gaussian.root.T @ core
            length = math.sqrt(float(along @ along))
            parts = _lattices(self.ground, self.gaussian, _turned(along), self.finer)
            at = float(core @ self.gaussian.mean + constant)
            result.append((at, length, _marginal(parts, self.gaussian, self.finer)))
        return result

    def moments(self, rows: Array | None = None) -> Moments:
        if rows is not None:
            return self._of_linear(self.ground.linear(rows))
        found = self._own
        mean = np.array([at + length * m.mean for at, length, m in found])
        sd = np.array([length * m.sd for _, length, m in found])
        errors = np.array([length * m.errors[1:] for _, length, m in found])
        return Moments(mean, sd, errors[:, 0], errors[:, 1])

    def _of_linear(self, linear: Linear) -> Moments:
        """Mean and sd follow from those of the coefficients: only distribution functions need lattices of their own."""
        means, squares, masses = self._sums
        along = linear.core @ self.gaussian.root
        shift = linear.core @ self.gaussian.mean + linear.constant
        mass = masses / masses.sum()
        halves = means @ along.T
        seconds = np.einsum("mi,hij,mj->hm", along, squares, along)
        mean, second = mass @ halves, mass @ seconds
        sds = np.sqrt(np.maximum(seconds - np.square(halves), 0.0))
        sd = np.sqrt(np.maximum(second - np.square(mean), 0.0))
        return Moments(shift + mean, sd, 0.5 * np.abs(halves[0] - halves[1]), 0.5 * np.abs(sds[0] - sds[1]))

    @cached_property
    def _sums(self) -> tuple[Array, Array, Array]:
        """First and second moments of the whitened coordinates on each lattice, (2, k) and (2, k, k), and its mass."""
        top = max(float(values.max()) for _, values in self._parts)
        weights = [np.exp(values - top) for _, values in self._parts]
        masses = np.array([w.sum() for w in weights])
        means = [w @ y / w.sum() for w, (y, _) in zip(weights, self._parts, strict=True)]
        squares = [(y * w[:, None]).T @ y / w.sum() for w, (y, _) in zip(weights, self._parts, strict=True)]
        return np.array(means), np.array(squares), masses

    def quantiles(self, probs: Array, rows: Array | None = None) -> tuple[Array, Array]:
        found = self.marginals(rows)
        both = np.array([[m.quantile(float(prob)) for _, _, m in found] for prob in probs])
        at, length = np.array([f[0] for f in found]), np.array([f[1] for f in found])
        return at + length * both[:, :, 0], length * both[:, :, 1]

    def distribution(self, columns: Sequence[int], at: Array) -> tuple[Array, Array]:
        """Probability that each of some columns lies below its value in ``at``, and its error; each shape (m,)."""
        found = [self._own[j] for j in columns]
        places = [(value - center) / length for value, (center, length, _) in zip(at, found, strict=True)]
        pairs = [
            (np.interp(u, m.grid, m.below), np.interp(u, m.grid, m.coarse))
            for u, (_, _, m) in zip(places, found, strict=True)
        ]
        below, coarse = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
        return below, np.abs(below - coarse)

    def expect(self, function: Callable[[Array], Array]) -> tuple[Array, Array]:
        points, log_weights = self._nodes()
        values = np.asarray(function(points), dtype=np.float64)
        weight, half = np.exp(log_weights), points.shape[0] // 2
        one, two = (np.tensordot(weight[s], values[s], 1) / weight[s].sum() for s in (slice(half), slice(half, None)))
        return np.tensordot(weight, values, 1), np.asarray(0.5 * np.abs(one - two))

    def describe(self, function: Callable[[Array], Array], probs: Array) -> Described:
        found, finer, parts = None, self.finer, self._parts
        while found is None or finer * 2 <= _FINEST:
            top = max(float(logs.max()) for _, logs in parts)
            parts = [(y[logs > top - _SEEN], logs[logs > top - _SEEN]) for y, logs in parts]
            values = []
            for y, logs in parts:
                points = self.ground.lift(self.gaussian.mean + y @ self.gaussian.root.T, np.random.default_rng(0))
                values.append(finite_values(function(points), points, np.exp(logs - top)))
            found = describe_lattices(parts, values, _SIDE / finer, probs)
            nodes = 2**self.gaussian.mean.size * sum(y.shape[0] for y, _ in parts)
            small = np.all(found.quantile_mcse <= _AIM * QUANTILE_BOUND * found.sd)
            if small or nodes > _MOST_NODES or nodes * self.ground.n_rows > _MOST_PRODUCTS:
                break
            finer *= 2
            parts = self._lattices(finer)
        assert found is not None
        return found

    @cached_property
    def _parts(self) -> list[tuple[Array, Array]]:
        return self._lattices(self.finer)

    def _lattices(self, finer: int) -> list[tuple[Array, Array]]:
        return _lattices(self.ground, self.gaussian, np.eye(self.gaussian.mean.size), finer)


def sample_quadrature(target: LogPosterior, mode: Mode, draws: int = 4000, rng: int | np.random.Generator = 0) -> Rung:
    """The posterior of up to three coefficients by quadrature; draws by sampling importance resampling.

    Raises
    ------
    FitError
        If there is no finite mode, or nothing bounds some direction.
    """
    began = time.perf_counter()
    rng = np.random.default_rng(rng)
    ground = Ground.of(target)
    fit = near_gaussian(ground, mode, tol=_NEAR)
    proposal = Proposal.around(ground, fit.gaussian)
    pairs = Pairs.drawn(ground, proposal, max(draws, 1000), rng)
    sampled = PairEstimator(ground, proposal, pairs, pairs.log_weights, 0)
    doubts: list[str] = []
    estimator: QuadratureEstimator | None = None
    for finer in _FINER:
        try:
            trial = QuadratureEstimator(ground, fit.gaussian, finer)
            marginals = trial.marginals()
        except NotCompactError as problem:
            doubts = [str(problem)]
            break
        estimator = trial
        spread = [m.log_evidence for _, _, m in marginals]
        evidence = float(np.mean(spread))
        error = max(max(float(m.errors[0]) for _, _, m in marginals), max(spread) - min(spread))
        moments, checks = checks_of(ground.columns, estimator)
        if worst(checks, evidence, error) <= _AIM:
            break
    if estimator is None:
        moments, checks = checks_of(ground.columns, sampled)
        evidence, error = sampled.log_evidence()
    elif worst(checks, evidence, error) > _AIM:
        doubts = ["the finest lattice still differs from the one before it"]
    doubts += other_modes(ground, mode, fit.gaussian, evidence)
    if target.prior.whole:
        evidence, error = math.nan, math.nan
    level, reasons = verdict(checks, evidence, error, doubts)
    if level == "certified":
        reasons = [f"lattices of {estimator.finer if estimator else 0} nodes a cell agree with interlaced ones"]
    return Rung(
        method="quadrature",
        columns=ground.columns,
        mean=moments.mean,
        sd=moments.sd,
        mean_mcse=moments.mean_mcse,
        sd_mcse=moments.sd_mcse,
        values=sampled.resample(draws, rng),
        checks=checks,
        khat=math.nan,
        ess=math.nan,
        log_evidence=evidence,
        log_evidence_se=error,
        n_pairs=0,
        n_evaluations=2 * pairs.count + fit.steps,
        elbo=math.nan if target.prior.whole else fit.elbo,
        seconds=time.perf_counter() - began,
        level=level,
        reasons=tuple(reasons),
        notes=("Errors are differences between interlaced lattices, not Monte-Carlo errors.",),
        estimator=estimator or sampled,
    )


def _turned(along: Array) -> Array:
    """An orthogonal matrix whose first column points along a vector."""
    k = along.size
    Q, R = np.linalg.qr(np.column_stack([along, np.eye(k)]))
    return np.asarray(Q * np.where(R[0, 0] < 0.0, -1.0, 1.0))


def _lattices(ground: Ground, gaussian: Gaussian, turn: Array, finer: int) -> list[tuple[Array, Array]]:
    """Whitened nodes along the axes of ``turn``, and log densities: two interlaced lattices on the same cells."""

    def log_density(y: Array) -> Array:
        return ground.log_densities(gaussian.mean + (y @ turn.T) @ gaussian.root.T)

    cells = _cells(log_density, gaussian.mean.size)
    step = _SIDE / finer
    inner = (np.arange(finer) + 0.5) * step - 0.5 * _SIDE
    offsets = np.array(list(itertools.product(inner, repeat=gaussian.mean.size)))
    result: list[tuple[Array, Array]] = []
    for shift in (-0.25 * step, 0.25 * step):
        y = np.asarray((_SIDE * cells[:, None, :] + offsets + shift).reshape(-1, gaussian.mean.size), dtype=np.float64)
        result.append((y, log_density(y)))
    return result


def _cells(log_density: Callable[[Array], Array], k: int) -> Array:
    """Whole-number positions of the cells that hold the posterior, by growth from the centre; shape (cells, k)."""
    seen = np.zeros((2 * _REACH + 1,) * k, dtype=bool)
    steps = np.array([s for s in itertools.product((-1, 0, 1), repeat=k) if any(s)])
    front = np.zeros((1, k), dtype=np.int64)
    seen[tuple(front.T + _REACH)] = True
    kept, values, best, count = [], [], -np.inf, 0
    while front.size:
        value = log_density(np.asarray(_SIDE * front, dtype=np.float64))
        best = max(best, float(value.max()))
        inside = value > best - _DROP
        kept.append(front[inside])
        values.append(value[inside])
        count += int(inside.sum())
        reach = np.unique((front[inside][:, None, :] + steps).reshape(-1, k), axis=0)
        if count > _MOST_CELLS or (reach.size and np.abs(reach).max() > _REACH):
            raise NotCompactError(f"the posterior reaches beyond {_SIDE * _REACH:.0f} sd or fills {count:,} cells")
        front = reach[~seen[tuple(reach.T + _REACH)]]
        seen[tuple(front.T + _REACH)] = True
    cells, value = np.concatenate(kept), np.concatenate(values)
    return np.asarray(cells[value > best - _DROP], dtype=np.float64)


def _marginal(parts: list[tuple[Array, Array]], gaussian: Gaussian, finer: int) -> Marginal:
    k, step = gaussian.mean.size, _SIDE / finer
    top = max(float(values.max()) for _, values in parts)
    volume = gaussian.log_determinant + k * math.log(step) + top
    weights = [np.exp(values - top) for _, values in parts]
    sums = np.array([w.sum() for w in weights])
    firsts = np.array([w @ y[:, 0] for w, (y, _) in zip(weights, parts, strict=True)])
    seconds = np.array([w @ np.square(y[:, 0]) for w, (y, _) in zip(weights, parts, strict=True)])
    mean = firsts.sum() / sums.sum()
    sd = math.sqrt(seconds.sum() / sums.sum() - mean**2)
    means = firsts / sums
    sds = np.sqrt(seconds / sums - np.square(means))
    apart = [math.log(sums[0] / sums[1]), means[0] - means[1], sds[0] - sds[1]]
    errors = 0.5 * np.abs(np.array(apart, dtype=np.float64))
    slabs = [_slabs(y[:, 0], w, step) for (y, _), w in zip(parts, weights, strict=True)]
    at, density = (np.concatenate(each) for each in zip(*slabs, strict=True))
    order = np.argsort(at)
    grid = np.linspace(at.min(), at.max(), _SUB * at.size)
    below = _distribution(at[order], density[order], grid)
    coarse = _distribution(*slabs[0], grid)
    return Marginal(volume + math.log(0.5 * sums.sum()), float(mean), sd, errors, grid, below, coarse)


def _slabs(first: Array, weight: Array, step: float) -> tuple[Array, Array]:
    """Positions of the slabs of a lattice, in order, and their sums."""
    index = np.rint((first - first.min()) / step).astype(np.intp)
    total = np.bincount(index, weight)
    at = first.min() + step * np.arange(total.size)
    return at[total > 0.0], total[total > 0.0]


def _distribution(at: Array, density: Array, grid: Array) -> Array:
    """The distribution function on a grid, from a density at few places: its logarithm is a cubic spline."""
    from scipy.interpolate import CubicSpline

    if at.size < 4:
        raise NotCompactError("the posterior is too narrow for the lattice of its Gaussian")
    inside = np.clip(grid, at[0], at[-1])
    values = np.exp(CubicSpline(at, np.log(density))(inside)) * (inside == grid)
    below = np.concatenate([[0.0], np.cumsum(0.5 * (values[1:] + values[:-1]))])
    result: Array = below / below[-1]
    return result
