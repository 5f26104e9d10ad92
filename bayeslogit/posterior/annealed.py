"""The log evidence where no Gaussian is near enough: particles led from the nearest one to the posterior.

The path is ``q^(1-t) pi^t`` from the Gaussian q to the posterior pi (Neal 2001; Del Moral, Doucet and Jasra 2006).
At each of its stages the particles are weighted, resampled, and moved by Hamiltonian Monte Carlo in the coordinates
in which q is standard normal. Batches of particles never meet: their log evidences differ by chance alone, which gives
the Monte-Carlo error, and two runs that share nothing but q have to agree.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from bayeslogit.mode import Mode
from bayeslogit.posterior.certificate import checks_of
from bayeslogit.posterior.gaussians import Rng
from bayeslogit.posterior.ground import Ground
from bayeslogit.posterior.particles import Particles
from bayeslogit.posterior.rung import EVIDENCE_BOUND, Level, Rung
from bayeslogit.posterior.variational import Gaussian, near_gaussian
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
# Rows times core coordinates up to which this takes some seconds.
_MOST_NUMBERS = 1 << 16
# Of the Gaussian, in sds: it is only where the path begins.
_NEAR = 5e-3
# Particles of a run, in so many batches that never meet, and runs.
_PARTICLES, _BATCHES, _RUNS = 1024, 16, 2
# Of one product of matrices, so that the BLAS keeps to one thread; and the particles that are moved together.
_ONE_THREAD, _FEWEST, _TOGETHER = 1 << 18, 16, 256
# Effective share of the particles that the weights of one stage leave.
_KEPT = 0.95
# Length of a trajectory and of the first step, in sds of q; acceptance aimed at, and below which a stage moves again.
_REACH, _FIRST_STEP, _ACCEPT, _LEAST = 1.5, 0.2, 0.8, 0.6
_MOST_AGAIN = 4
# The most steps of a trajectory, and gradients in all, a quarter of them at once and the rest as the path goes on:
# where walls are so steep nothing is learnt in short time.
_MOST_STEPS, _MOST_GRADIENTS = 40, 900
# Moves at the end of the path, after each of which the particles count as points of the posterior.
_AT_THE_END = 4
# Errors beyond which a log evidence is not known, nats; and distance of two runs, in their errors.
_UNKNOWN, _APART = 0.5, 5.0


@dataclass(frozen=True)
class _Path:
    """The posterior beside a Gaussian, in coordinates z in which that is standard normal."""

    ground: Ground
    gaussian: Gaussian
    white: Array
    base: Array
    successes: Array
    count: Array

    @classmethod
    def of(cls, ground: Ground, gaussian: Gaussian) -> _Path:
        chunks = list(ground.chunks())
        X = np.concatenate([chunk.X for chunk in chunks])
        base = X @ gaussian.mean + np.concatenate([chunk.offset for chunk in chunks])
        successes = np.concatenate([chunk.successes for chunk in chunks])
        failures = np.concatenate([1.0 - c.successes if c.failures is None else c.failures for c in chunks])
        return cls(ground, gaussian, X @ gaussian.root, base, successes, successes + failures)

    def parts(self, count: int) -> list[slice]:
        """Of particles, each small enough for the cache and for one thread."""
        size = min(max(_ONE_THREAD // max(self.white.size, 1), _FEWEST), _TOGETHER)
        return [slice(lower, min(lower + size, count)) for lower in range(0, count, size)]

    def gain(self, z: Array) -> tuple[Array, Array]:
        """Log posterior less log Gaussian, and its gradient; (k, S) to (S,) and (k, S)."""
        target, gaussian = self.ground.target, self.gaussian
        eta = self.base[:, None] + self.white @ z
        decay = np.exp(-np.abs(eta))
        near = 1.0 / (1.0 + decay)
        chance = np.where(eta >= 0.0, near, decay * near)
        # y eta - m log(1 + exp(eta)), with log(1 + exp(eta)) = max(eta, 0) + log(1 + exp(-|eta|)).
        value = self.successes @ eta - self.count @ (np.maximum(eta, 0.0) + np.log1p(decay))
        residual = self.successes[:, None] - self.count[:, None] * chance
        theta = gaussian.mean + (gaussian.root @ z).T
        value = value + target.prior_target.log_densities(theta)
        slope = target.prior_target.scores(theta)
        kinks = target.kinks
        if kinks:
            slope = slope - kinks.rate * np.sign(theta - kinks.center)
        value += gaussian.log_determinant + 0.5 * z.shape[0] * math.log(2.0 * math.pi)
        value += 0.5 * np.einsum("ij,ij->j", z, z)
        return value, self.white.T @ residual + gaussian.root.T @ slope.T + z


@dataclass(frozen=True)
class _State:
    """Particles, (k, S), with their gains (S,) and the gradients of these (k, S)."""

    z: Array
    gain: Array
    gradient: Array

    @classmethod
    def at(cls, path: _Path, z: Array) -> _State:
        parts = [path.gain(z[:, part]) for part in path.parts(z.shape[1])]
        return cls(z, np.concatenate([each[0] for each in parts]), np.concatenate([each[1] for each in parts], axis=1))

    def picked(self, index: NDArray[np.intp]) -> _State:
        return _State(self.z[:, index], self.gain[index], self.gradient[:, index])


@dataclass(frozen=True)
class _Run:
    """Where one run came: log evidence of each batch, points of the posterior after each move, gradients evaluated."""

    log_evidence: Array
    ends: tuple[_State, ...]
    gradients: int
    arrived: bool


class _Mover:
    """Hamiltonian trajectories whose steps are fitted to their acceptance as they go."""

    def __init__(self, path: _Path, rng: np.random.Generator) -> None:
        self.path, self.rng = path, rng
        self.step, self.gradients = _FIRST_STEP * min(1.0, (100.0 / path.white.shape[1]) ** 0.25), 0

    def move(self, state: _State, t: float) -> tuple[_State, float]:
        """One trajectory of every particle at temperature t, and how many of them were accepted."""
        z = state.z
        momentum, draws = self.rng.standard_normal(z.shape), self.rng.random((2, z.shape[1]))
        steps = min(max(2, math.ceil(_REACH / self.step)), _MOST_STEPS)
        self.gradients += steps

        def together(part: slice) -> tuple[_State, float]:
            own = _State(z[:, part], state.gain[part], state.gradient[:, part])
            return _trajectory(self.path, own, momentum[:, part], draws[:, part], self.step, steps, t)

        parts = [together(part) for part in self.path.parts(z.shape[1])]
        moved = _State(
            np.concatenate([each.z for each, _ in parts], axis=1),
            np.concatenate([each.gain for each, _ in parts]),
            np.concatenate([each.gradient for each, _ in parts], axis=1),
        )
        accepted = sum(each for _, each in parts) / z.shape[1]
        self.step = min(self.step * math.exp(0.6 * (accepted - _ACCEPT)), 1.0)
        return moved, accepted

    def settle(self, state: _State, t: float) -> _State:
        """Moves until one was accepted by most."""
        for _ in range(_MOST_AGAIN):
            state, accepted = self.move(state, t)
            if accepted >= _LEAST:
                break
        return state


def _trajectory(
    path: _Path, start: _State, momentum: Array, draws: Array, step: float, steps: int, t: float
) -> tuple[_State, float]:
    """Leapfrog steps for ``N(z; 0, 1) exp(t gain)``, accepted or not; and the sum of the chances of acceptance."""
    length = step * (0.8 + 0.4 * draws[0])
    now, p = start, momentum
    for _ in range(steps):
        p = p + 0.5 * length * (t * now.gradient - now.z)
        z = now.z + length * p
        now = _State(z, *path.gain(z))
        p = p + 0.5 * length * (t * now.gradient - now.z)
    before = 0.5 * (np.square(momentum).sum(axis=0) + np.square(start.z).sum(axis=0)) - t * start.gain
    after = 0.5 * (np.square(p).sum(axis=0) + np.square(now.z).sum(axis=0)) - t * now.gain
    with np.errstate(over="ignore", invalid="ignore"):
        chance = np.nan_to_num(np.exp(np.minimum(before - after, 0.0)), nan=0.0)
    taken = draws[1] < chance
    kept = _State(
        np.where(taken, now.z, start.z),
        np.where(taken, now.gain, start.gain),
        np.where(taken, now.gradient, start.gradient),
    )
    return kept, float(chance.sum())


def _next(gain: Array, t: float) -> float:
    """The farthest temperature whose weights leave the share `_KEPT` of the particles."""

    def left(step: float) -> float:
        weight = np.exp(step * (gain - gain.max()))
        return float(weight.sum() ** 2 / (weight @ weight) / gain.size)

    if left(1.0 - t) >= _KEPT:
        return 1.0
    low, high = 0.0, 1.0 - t
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if left(middle) >= _KEPT else (low, middle)
    return t + low


def _anneal(path: _Path, rng: np.random.Generator) -> _Run:
    """One run: particle s belongs to batch ``s % _BATCHES``."""
    k = path.white.shape[1]
    mover = _Mover(path, rng)
    state = _State.at(path, rng.standard_normal((k, _PARTICLES)))
    log_evidence, t, size = np.zeros(_BATCHES), 0.0, _PARTICLES // _BATCHES
    while t < 1.0:
        there = _next(state.gain, t)
        log_weights = ((there - t) * state.gain).reshape(size, _BATCHES).T
        total = logsumexp(log_weights, axis=1)
        log_evidence += total - math.log(size)
        cumulated = np.cumsum(np.exp(log_weights - total[:, None]), axis=1)
        at = (np.arange(size) + rng.random((_BATCHES, 1))) / size
        picked = np.array([np.searchsorted(own, each) for own, each in zip(cumulated, at, strict=True)])
        index = np.minimum(picked, size - 1) * _BATCHES + np.arange(_BATCHES)[:, None]
        state, stuck = state.picked(index.T.ravel()), there - t < 1e-6
        t = there
        if stuck or mover.gradients > _MOST_GRADIENTS * (0.25 + 0.75 * t):
            return _Run(log_evidence, (state,), mover.gradients, False)
        state = mover.settle(state, t)
    ends = [state]
    for _ in range(_AT_THE_END - 1):
        ends.append(mover.move(ends[-1], 1.0)[0])
    return _Run(log_evidence, tuple(ends), mover.gradients, True)


def annealing_serves(target: LogPosterior) -> bool:
    """Whether there is one hill to climb, and few enough rows and columns."""
    if target.prior.whole or not target.concave or len(target.kinks.groups):
        return False
    n, p = target.design.source.n_rows, len(target.design.columns)
    return n * min(n, p) <= _MOST_NUMBERS


def sample_annealed(target: LogPosterior, mode: Mode, draws: int = 4000, rng: Rng = 0) -> Rung:
    """The posterior and its log evidence by annealed particles.

    Parameters
    ----------
    target : LogPosterior
        `annealing_serves` says for which.
    mode : Mode
        Its mode.
    draws : int
        Number of equally weighted draws in `Rung.values`.
    rng : int or Generator

    Returns
    -------
    Rung
        Its level is that of the log evidence: "failed" where two runs disagree or do not arrive.

    Raises
    ------
    FitError
        If there is no finite mode, or nothing bounds some direction.
    """
    began = time.perf_counter()
    rng = np.random.default_rng(rng)
    ground = Ground.of(target)
    first = near_gaussian(ground, mode, tol=_NEAR)
    path = _Path.of(ground, first.gaussian)
    runs: list[_Run] = []
    for own in rng.spawn(_RUNS):
        runs.append(_anneal(path, own))
        if not runs[-1].arrived:
            break
    value, error = _mean(np.concatenate([run.log_evidence for run in runs]))
    # What a run has in common, its stages and steps, the batches do not show.
    gap = abs(_mean(runs[0].log_evidence)[0] - _mean(runs[-1].log_evidence)[0])
    error = max(error, 0.5 * gap)
    level, reasons = _verdict(runs, gap, error)
    ends, batch = [end for run in runs for end in run.ends], np.arange(_PARTICLES) % _BATCHES
    estimator = Particles(
        ground,
        first.gaussian,
        np.concatenate([end.z for end in ends], axis=1),
        np.concatenate([end.gradient - end.z for end in ends], axis=1),
        np.concatenate([batch + _BATCHES * r for r, run in enumerate(runs) for _ in run.ends]),
        np.concatenate([run.log_evidence for run in runs]),
        int(rng.integers(1 << 31)),
    )
    moments, checks = checks_of(ground.columns, estimator, quantiles=False)
    gradients = sum(run.gradients for run in runs)
    return Rung(
        method="annealed",
        columns=ground.columns,
        mean=moments.mean,
        sd=moments.sd,
        mean_mcse=moments.mean_mcse,
        sd_mcse=moments.sd_mcse,
        values=estimator.resample(draws, rng),
        checks=checks,
        khat=math.nan,
        ess=math.nan,
        log_evidence=value,
        log_evidence_se=error,
        n_pairs=0,
        n_evaluations=_PARTICLES * gradients,
        elbo=first.elbo,
        seconds=time.perf_counter() - began,
        level=level,
        reasons=reasons,
        notes=(),
        estimator=estimator,
    )


def _mean(log_values: Array) -> tuple[float, float]:
    """Log of the mean of exponentials, and its standard error."""
    top = float(log_values.max())
    share = np.exp(log_values - top)
    return top + math.log(share.mean()), float(share.std(ddof=1) / share.mean() / math.sqrt(share.size))


def _verdict(runs: Sequence[_Run], gap: float, error: float) -> tuple[Level, tuple[str, ...]]:
    if not all(run.arrived for run in runs):
        return "failed", ("annealed particles did not arrive at the posterior in short time",)
    words = f"two annealed runs of {_PARTICLES:,} particles differ by {gap:.3f} nats"
    apart = gap / max(math.hypot(*(_mean(run.log_evidence)[1] for run in runs)), 1e-300)
    if not error <= _UNKNOWN or (apart > _APART and gap > EVIDENCE_BOUND):
        return "failed", (f"{words}, {apart:.1f} times their Monte-Carlo error",)
    return "certified" if error <= EVIDENCE_BOUND else "approximate", (f"{words}, their error is {error:.3f}",)
