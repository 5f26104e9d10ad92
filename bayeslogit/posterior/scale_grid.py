"""One unknown scale integrated over: certified posteriors at the nodes of a grid of scales, and their mixture.

``p(tau | y)`` is proportional to ``p(y | tau) h(tau)``. On a grid even in ``log tau`` the trapezoid rule converges
exponentially; the rule with every other node says how far it has come.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from bayeslogit.errors import FitError
from bayeslogit.mode import Mode
from bayeslogit.posterior.certificate import checks_of, verdict
from bayeslogit.posterior.ground import Ground
from bayeslogit.posterior.importance import sample_importance
from bayeslogit.posterior.rung import Rung
from bayeslogit.posterior.scale_blocks import BLOCKS, Block
from bayeslogit.posterior.scale_given import Reference, given, open_terms
from bayeslogit.posterior.scale_mixture import Mixture
from bayeslogit.posterior.scale_nuts import ScaleDraws
from bayeslogit.posterior.variational import fit_gaussian
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
# The first look at log tau: its step, how far the density is followed down on either side, and how many steps at most.
# Towards zero what is beyond has the posterior of the last node, with its weight.
_STEP, _DROPS, _MOST_STEPS = 0.5, {-1: 6.5, 1: 9.0}, 60
# Nodes: at most this part of the sd of log tau by its curvature at the top apart, and so many at least and at most.
_APART, _LEAST, _MOST = 0.75, 11, 61
# Nodes that weigh less in all than this may be of unknown error.
_NEGLIGIBLE = 1e-3
_FINE = 2000
# Pairs at a node, and again where these do not tell: the mixture has those of all nodes.
_PAIRS, _MORE_PAIRS = 1000, 2500


def can_grid(prior: ResolvedPrior) -> bool:
    """Whether there is one unknown scale, and no more."""
    terms = open_terms(prior)
    return not prior.whole and len(terms) == 1 and BLOCKS[terms[0].family](terms[0]).size == 1


class _Line:
    """Posteriors along log tau."""

    def __init__(self, prior: ResolvedPrior, near: Reference) -> None:
        (self.term,) = open_terms(prior)
        self.block: Block = BLOCKS[self.term.family](self.term)
        self.prior, self.first, self.start = prior, near.target, near.mode

    def at(self, x: float) -> tuple[LogPosterior, Mode]:
        prior = given(self.prior, [np.exp(self.block.log_sds(np.array([x])))])
        target = replace(self.first, prior=prior, at=self.first.coordinates)
        mode = find_mode(target, start=self.start.beta)
        if not mode.converged:
            raise FitError(f"With tau = {math.exp(x):.3g} there is no mode. {mode.message}")
        self.start = mode
        return target, mode

    def bound(self, x: float) -> float:
        """Lower bound of the log density of log tau, up to a constant."""
        target, mode = self.at(x)
        return fit_gaussian(Ground.of(target), mode, tol=1e-2).elbo + self.weight(x)

    def weight(self, x: float) -> float:
        """Log density of log tau before the data."""
        return float(self.block.log_prior(np.array([x])))

    def range(self, x: float) -> tuple[float, float, float, float]:
        """Ends of what weighs anything, the top, and the sd of log tau by its curvature there, all by the bounds."""
        xs, ys = [x], [self.bound(x)]
        for side in (-1, 1):
            at = x
            self.start = self.at(x)[1]
            for _ in range(_MOST_STEPS):
                at += side * _STEP
                xs.append(at)
                ys.append(self.bound(at))
                if ys[-1] < max(ys) - _DROPS[side]:
                    break
            else:
                raise FitError(f"The posterior of the unknown scale does not fall off towards {math.exp(at):.3g}.")
        order = np.argsort(xs)
        grid, y = np.array(xs)[order], np.array(ys)[order]
        top = int(np.clip(np.argmax(y), 1, y.size - 2))
        curve = (2.0 * y[top] - y[top - 1] - y[top + 1]) / _STEP**2
        return float(grid[0]), float(grid[-1]), float(grid[top]), 1.0 / math.sqrt(max(curve, 0.25))


@dataclass(frozen=True, eq=False)
class ScaleDensity:
    """Posterior density of log tau on a fine even grid ``x``, summing to 1, and the nodes that it is made from."""

    x: Array
    density: Array
    nodes: Array
    weight: Array
    weight_se: Array

    def _below(self) -> Array:
        result: Array = np.cumsum(self.density) - 0.5 * self.density
        return result

    def quantile(self, probs: Array) -> Array:
        """Of tau."""
        result: Array = np.exp(np.interp(probs, self._below(), self.x))
        return result

    def moments(self) -> tuple[float, float, float]:
        """Mean and sd of tau, and the Monte-Carlo error of the mean."""
        tau = np.exp(self.x)
        mean = float(self.density @ tau)
        sd = math.sqrt(float(self.density @ np.square(tau - mean)))
        error = math.sqrt(float(np.sum(np.square(self.weight * (np.exp(self.nodes) - mean) * self.weight_se))))
        return mean, sd, error

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        """Log taus, ascending; one in each n-th part of the probability."""
        result: Array = np.interp((np.arange(n) + rng.random(n)) / n, self._below(), self.x)
        return result


def sample_grid(
    prior: ResolvedPrior, near: Reference, draws: int, rng: int | np.random.Generator, *, patient: bool = True
) -> tuple[Rung, ScaleDraws, ScaleDensity] | None:
    """The posterior with the one unknown scale integrated over.

    Parameters
    ----------
    near : Reference
        Where to begin.
    draws : int
        Number of equally weighted draws.
    patient : bool
        Whether to go on where importance sampling fails at a scale that weighs much; else None is returned.

    Raises
    ------
    FitError
        If there is no mode at some scale, or the posterior of the scale does not fall off.
    """
    began, rng = time.perf_counter(), np.random.default_rng(rng)
    line = _Line(prior, near)
    low, high, top, sd = line.range(math.log(near.tau[0]))
    probe = rng.spawn(1)[0]
    # On the side of large scales, where the posterior is least like a Gaussian.
    if not patient and _part(*line.at(top + sd), 1, probe).level == "failed":
        return None
    count = min(max(math.ceil((high - low) / (_APART * sd)), _LEAST), _MOST) | 1  # odd: every other node has both ends
    x = np.linspace(low, high, count)
    line.start = near.mode
    parts = tuple(_part(*line.at(float(at)), draws, own) for at, own in zip(x, rng.spawn(count), strict=True))
    log_evidence = np.array([part.log_evidence for part in parts])
    se = np.array([part.log_evidence_se for part in parts])
    y = log_evidence + np.array([line.weight(float(at)) for at in x])
    weight, total = _weights(x, y)
    coarse = np.zeros(count)
    coarse[::2], rough = _weights(x[::2], y[::2])
    made = Mixture(parts, weight, coarse, np.where(np.isfinite(se), se, 0.0))
    known = [part.level != "failed" and math.isfinite(error) for part, error in zip(parts, se, strict=True)]
    unknown = float(weight[~np.array(known)].sum())
    doubts = [f"scales with {unknown:.1%} of the weight have a posterior of unknown error"] * (unknown > _NEGLIGIBLE)
    error = math.hypot(float(np.sqrt(np.sum(np.square(weight * made.weight_se)))), (total - rough) ** 2)
    moments, checks = checks_of(tuple(prior.columns), made)
    level, reasons = verdict(checks, total, error, doubts)
    khats = [part.khat for part, w in zip(parts, weight, strict=True) if w > _NEGLIGIBLE]
    praise = (
        f"tau integrated over {count} values from {math.exp(low):.3g} to {math.exp(high):.3g}, "
        f"{sum(part.level == 'certified' for part in parts)} of their posteriors certified"
    )
    density = _density(x, y, weight, made.weight_se)
    values, logs = _resampled(made, density, draws, rng)
    rung = Rung(
        method="importance",
        columns=tuple(prior.columns),
        mean=moments.mean,
        sd=moments.sd,
        mean_mcse=moments.mean_mcse,
        sd_mcse=moments.sd_mcse,
        values=values,
        checks=checks,
        khat=float(np.max(khats)),
        ess=made.ess,
        log_evidence=total,
        log_evidence_se=error,
        n_pairs=sum(part.n_pairs for part in parts),
        n_evaluations=sum(part.n_evaluations for part in parts),
        elbo=math.nan,
        seconds=time.perf_counter() - began,
        level=level,
        reasons=(praise, *reasons),
        notes=(),
        estimator=made,
    )
    return rung, ScaleDraws(("tau",), (0,), (-1,), np.exp(logs)[:, None], None), density


def _part(target: LogPosterior, mode: Mode, draws: int, rng: np.random.Generator) -> Rung:
    """By few pairs, and by more where these do not tell."""
    first = sample_importance(target, mode, draws, rng, max_pairs=_PAIRS)
    return first if first.level != "failed" else sample_importance(target, mode, draws, rng, max_pairs=_MORE_PAIRS)


def _weights(x: Array, y: Array) -> tuple[Array, float]:
    """Of the nodes of an even grid, and the log of the integral of exp(y); what lies beyond goes to the ends."""
    step, top = float(x[1] - x[0]), float(y.max())
    mass = np.exp(y - top) * step
    for end, inner in ((0, 1), (-1, -2)):
        # The trapezoid rule has half of an end; beyond it the density falls like exp(-rate |x - end|).
        rate = max((y[inner] - y[end]) / step, 0.1)
        mass[end] *= 0.5 + 1.0 / (rate * step)
    return mass / mass.sum(), top + math.log(float(mass.sum()))


def _density(x: Array, y: Array, weight: Array, se: Array) -> ScaleDensity:
    from scipy.interpolate import CubicSpline

    step = float(x[1] - x[0])
    fine = np.linspace(x[0] - 2.0 * step, x[-1] + step, _FINE)
    inside = np.clip(fine, x[0], x[-1])
    rates = max((y[1] - y[0]) / step, 0.1), max((y[-2] - y[-1]) / step, 0.1)
    log = CubicSpline(x, y)(inside) - np.where(fine < x[0], rates[0] * (x[0] - fine), 0.0)
    log = log - np.where(fine > x[-1], rates[1] * (fine - x[-1]), 0.0)
    return ScaleDensity(fine, np.exp(log - logsumexp(log)), x, weight, se)


def _resampled(made: Mixture, density: ScaleDensity, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draws of the coefficients and of log tau beside them, in random order.

    The nodes of the draws, in order, are paired with draws of log tau, in order: both have their own distributions
    exactly, and go together as closely as the grid is fine.
    """
    ends = np.cumsum(made.weight)
    node = np.minimum(np.searchsorted(ends, (np.arange(n) + rng.random()) / n), ends.size - 1)
    values = np.empty((n, made.parts[0].values.shape[1]))
    for k in np.unique(node):
        own = np.flatnonzero(node == k)
        values[own] = made.parts[k].values[rng.permutation(made.parts[k].values.shape[0])[: own.size]]
    order = rng.permutation(n)
    return values[order], density.draw(n, rng)[order]
