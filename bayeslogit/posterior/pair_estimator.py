"""Means, sds, quantiles and the evidence from weighted pairs, with control variates.

Write W for the weight of a pair over its expectation, D for half the difference of its members' weights on the same
scale, and x for the deviation of a linear function at ``m + d``. Then ``E b = m + mean(D x)``, ``E (b - m)^2`` is
``mean(W x^2)``, and the distribution function at t is ``mean(W even + D odd)`` with the even and odd part of the
indicator.

The controls are functions times B, the density of the Normal part of the proposal over that of all of it, because the
mean of ``B f`` is that of f under the Normal: known for Hermite polynomials of ``u = x / sd(x)``, for these times the
indicator, and for the cubic form that makes the log posterior skew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from bayeslogit.posterior.controls import corrected
from bayeslogit.posterior.ground import Ground
from bayeslogit.posterior.pairs import Pairs, Proposal
from bayeslogit.posterior.rung import Estimator, Moments
from bayeslogit.workers import in_order

Array = NDArray[np.float64]
_ROOT_2PI = math.sqrt(2.0 * math.pi)
# Numbers of one array of a batch of columns.
_AT_ONCE, _HELD = 1 << 16, 1 << 21
_COLUMNS_AT_ONCE = 256
# Bandwidth of the density at a quantile, in posterior sds, and the longest step towards a quantile.
_BANDWIDTH = 0.25
_LONGEST_STEP = 0.5
# Rounds of steps towards it, and the last one in Monte-Carlo errors: the step after it would be ten times shorter.
_ROUNDS = 6
_SETTLED = 0.5
# Share of a step by which it may be wrong.
_LEFT_OVER = 0.2
# Sds of the proposal beyond which a distribution function is not followed.
_FAR = 1e6
# Skewness up to which two terms of its series give a start.
_SLIGHTLY_SKEW = 0.8


@dataclass(frozen=True, eq=False)
class PairEstimator(Estimator):
    """Of weighted pairs.

    Attributes
    ----------
    ground : Ground
    proposal : Proposal
    pairs : Pairs
    log_pair_weights : array, shape (S,)
        As smoothed.
    seed : int
        Of the draws across the span of a wide design, for `points`.
    """

    ground: Ground
    proposal: Proposal
    pairs: Pairs
    log_pair_weights: Array
    seed: int

    @cached_property
    def _evidence(self) -> tuple[Array, float, float]:
        """Weights over their mean, and that mean as corrected by the controls: over the plain one, with its error."""
        weight = np.exp(self.log_pair_weights - self.log_pair_weights.max())
        weight /= weight.mean()
        found = corrected((weight - self.base)[None], self.shared)
        ratio = max(1.0 + float(found.shift[0]), 0.1)
        return weight, ratio, float(found.mcse[0])

    @cached_property
    def weight(self) -> Array:
        """W, shape (S,): over the corrected mean, so that what follows has no error of that."""
        weight, ratio, _ = self._evidence
        return weight / ratio

    @cached_property
    def odd(self) -> Array:
        """D, shape (S,)."""
        return np.asarray(self.weight * self.pairs.lean)

    @cached_property
    def base(self) -> Array:
        """B, shape (S,)."""
        result: Array = np.exp(self.pairs.log_normal - self.pairs.log_proposal)
        return result

    @cached_property
    def length(self) -> Array:
        """B times the squared length of the whitened deviation, standardised under the Normal; shape (S,)."""
        z = self.pairs.z
        squares = np.einsum("ij,ij->j", z, z)
        return np.asarray(self.base * (squares - z.shape[0]) / math.sqrt(2.0 * z.shape[0]))

    @cached_property
    def shared(self) -> tuple[Array, ...]:
        """Controls that do not look at a linear function: of the length of the deviation."""
        squared = np.square(self.length) / np.maximum(self.base, 1e-300)
        return self.base - 1.0, self.length, squared - self.base

    @cached_property
    def skew(self) -> Array:
        """B times the cubic Hermite form of the deviation, shape (S,): D, to leading order."""
        along = self.proposal.gaussian.root.T @ self.proposal.cubic.linear
        result: Array = self.base * (self.pairs.cubes - 3.0 * (along @ self.pairs.z))
        return result

    @property
    def ess(self) -> float:
        """Effective number of pairs."""
        return float(self.weight.sum() ** 2 / np.sum(np.square(self.weight)))

    def log_evidence(self) -> tuple[float, float]:
        """Log evidence and its Monte-Carlo error in nats."""
        _, ratio, error = self._evidence
        top = float(self.log_pair_weights.max())
        plain = math.log(float(np.mean(np.exp(self.log_pair_weights - top)))) + top
        return plain + math.log(ratio), error / ratio

    def points(self) -> Array:
        away = self.pairs.z.T @ self.proposal.gaussian.root.T
        thetas = np.concatenate([self.proposal.gaussian.mean + away, self.proposal.gaussian.mean - away])
        return self.ground.lift(thetas, np.random.default_rng(self.seed))

    def log_weights(self) -> Array:
        with np.errstate(divide="ignore"):
            parts = np.concatenate([0.5 * (self.weight + self.odd), 0.5 * (self.weight - self.odd)])
            result: Array = np.log(np.maximum(parts, 0.0) / parts.sum())
        return result

    def resample(self, draws: int, rng: np.random.Generator) -> Array:
        """Equally weighted points of the user's columns, by systematic resampling with replacement, in random order."""
        ends = np.cumsum(np.exp(self.log_weights()))
        picked = np.searchsorted(ends / ends[-1], (np.arange(draws) + rng.random()) / draws, side="right")
        picked = rng.permutation(np.minimum(picked, ends.size - 1))
        S = self.pairs.count
        sign = np.where(picked < S, 1.0, -1.0)
        away = (self.pairs.z[:, picked % S] * sign).T @ self.proposal.gaussian.root.T
        return self.ground.lift(self.proposal.gaussian.mean + away, rng)

    def moments(self, rows: Array | None = None) -> Moments:
        return self._own[0] if rows is None else self._all_moments(rows)[0]

    @property
    def disagreement(self) -> float:
        """The largest disagreement of two halves over means and sds of all columns, in Monte-Carlo errors."""
        return self._own[1]

    @cached_property
    def _own(self) -> tuple[Moments, float]:
        return self._all_moments(None)

    def _all_moments(self, rows: Array | None) -> tuple[Moments, float]:
        parts = [found for group in self._groups(rows) for found in in_order(self._moments, group)]
        names = Moments.__dataclass_fields__
        moments = Moments(*(np.concatenate([getattr(part, name) for part, _ in parts]) for name in names))
        return moments, max(float(disagreement.max(initial=0.0)) for _, disagreement in parts)

    def quantiles(self, probs: Array, rows: Array | None = None) -> tuple[Array, Array]:
        moments, found = self.moments(rows), []
        todo = partial(self._quantiles, probs)
        for group in self._skew_groups(rows):
            parts = [(column, skewness, moments.mean[here], moments.sd[here]) for column, skewness, here in group]
            found += list(in_order(todo, parts))
        return np.concatenate([f[0] for f in found], axis=1), np.concatenate([f[1] for f in found], axis=1)

    def distribution(self, columns: Sequence[int], at: Array) -> tuple[Array, Array]:
        rows = np.zeros((len(columns), len(self.ground.columns)))
        rows[np.arange(len(columns)), list(columns)] = 1.0
        found = [
            column.below(np.clip(at[here] - column.at, -_FAR * column.sd, _FAR * column.sd), skewness)
            for group in self._skew_groups(rows)
            for column, skewness, here in group
        ]
        return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])

    def expect(self, function: Callable[[Array], Array]) -> tuple[Array, Array]:
        return self.average(np.asarray(function(self.points()), dtype=np.float64))

    def average(self, values: Array) -> tuple[Array, Array]:
        S = self.pairs.count
        flat = values.reshape(2 * S, -1).T
        plus, minus = 0.5 * (self.weight + self.odd), 0.5 * (self.weight - self.odd)
        mean = (flat[:, :S] @ plus + flat[:, S:] @ minus) / self.weight.sum()
        found = corrected(plus * (flat[:, :S] - mean[:, None]) + minus * (flat[:, S:] - mean[:, None]), self.shared)
        shape = values.shape[1:]
        return (mean + found.shift).reshape(shape), found.mcse.reshape(shape)

    def _skew_groups(self, rows: Array | None) -> Iterator[list[tuple[_Columns, Array, slice]]]:
        """Each with the skewness of its functions under the Gaussian, and its place among all."""
        lower, gaussian = 0, self.proposal.gaussian
        known = self.proposal.cubic.along if rows is None else None
        for group in self._groups(rows):
            units = np.concatenate([column.core for column in group]) @ gaussian.root
            units /= np.maximum(np.concatenate([column.sd for column in group]), 1e-300)[:, None]
            if known is None:
                skewness = self.ground.cubes(self.proposal.cubic, gaussian.root @ units.T)
            else:
                skewness = known[lower : lower + units.shape[0]]
            placed = []
            for column in group:
                here = slice(lower, lower + column.sd.size)
                placed.append((column, skewness[: column.sd.size], here))
                skewness, lower = skewness[column.sd.size :], here.stop
            yield placed

    def _groups(self, rows: Array | None) -> Iterator[list[_Columns]]:
        """Linear functions and their deviations: many at a time for the threads of the BLAS, in parts for our own."""
        _ = self.weight, self.odd, self.shared, self.skew  # worked out once, not by each thread
        gaussian, S = self.proposal.gaussian, self.pairs.count
        count = len(self.ground.columns) if rows is None else rows.shape[0]
        many = max(1, min(_COLUMNS_AT_ONCE, _HELD // S))
        few = max(1, min(-(-count // 2), _AT_ONCE // S))
        for lower in range(0, count, many):
            part = slice(lower, min(lower + many, count))
            linear = self.ground.column(part) if rows is None else self.ground.linear(rows[part])
            half = linear.core @ gaussian.root
            x, sd = half @ self.pairs.z, np.sqrt(np.square(half).sum(axis=1))
            at = linear.core @ gaussian.mean + linear.constant
            slices = [slice(start, start + few) for start in range(0, sd.size, few)]
            yield [_Columns(self, linear.core[s], at[s], x[s], sd[s], linear.across[s]) for s in slices]

    def _moments(self, column: _Columns) -> tuple[Moments, Array]:
        x, u = column.x, column.x / np.maximum(column.sd, 1e-300)[:, None]
        squares = np.square(u)
        controls = (*self.shared, self.base * (squares - 1.0), self.base * (squares * (squares - 6.0) + 3.0))
        first = self.odd * x
        away = first.mean(axis=1) / self.weight.mean()
        skew = self.skew * u
        scale = np.maximum(column.sd, 1e-300)
        mean = corrected((first - away[:, None] * self.weight) / scale[:, None] - skew, (*controls, skew))
        center = (away + scale * mean.shift)[:, None]
        # mean(W (x^2 + c^2) - 2 c D x) is the second moment about m + c.
        second = self.weight * (np.square(x) + center**2) - 2.0 * center * first
        plain = second.mean(axis=1) / self.weight.mean()
        ratio = (plain / np.square(scale))[:, None]
        known = self.base * squares - 1.0 - ratio * (self.base - 1.0)
        square = corrected(second / np.square(scale)[:, None] - ratio * self.weight - known, controls)
        shifted = plain + np.square(scale) * square.shift
        variance = np.where(shifted > 0.1 * plain, shifted, plain)
        whole = np.sqrt(variance + np.square(column.across))
        error = np.square(scale) * square.mcse / (2.0 * np.maximum(whole, 1e-300))
        moments = Moments(column.at + center[:, 0], whole, scale * mean.mcse, error)
        return moments, np.maximum(mean.disagreement, square.disagreement)

    def _quantiles(self, probs: Array, given: tuple[_Columns, Array, Array, Array]) -> tuple[Array, Array]:
        column, skewness, mean, sd = given
        at = column.at
        values, errors = np.empty((probs.size, at.size)), np.empty((probs.size, at.size))
        starts = column.starts(probs, mean - at, sd)
        for i, prob in enumerate(probs):
            t = starts[i]
            density = column.density(t, _BANDWIDTH * sd)
            for _ in range(_ROUNDS):
                below, error = column.below(t, skewness)
                step = (below - prob) / np.maximum(density, 1e-300)
                t = t - np.clip(step, -_LONGEST_STEP * sd, _LONGEST_STEP * sd)
                if np.all(np.abs(below - prob) < _SETTLED * error):
                    break
            values[i] = at + t
            # What a step would still have left, where the rounds have run out before it.
            errors[i] = np.hypot(error, _LEFT_OVER * (below - prob)) / np.maximum(density, 1e-300)
        return values, errors


@dataclass(frozen=True)
class _Columns:
    """Some linear functions, as deviations from the centre of the proposal.

    Attributes
    ----------
    core : array, shape (m, k)
    at : array, shape (m,)
        At the centre.
    x : array, shape (m, S)
        Deviations at ``m + d``.
    sd : array, shape (m,)
        Of x under the Normal.
    across : array, shape (m,)
        Sd across the span of a wide design.
    """

    estimator: PairEstimator
    core: Array
    at: Array
    x: Array
    sd: Array
    across: Array

    def starts(self, probs: Array, center: Array, sd: Array) -> Array:
        """About where quantiles are, shape (len(probs), m): by the skewness, or by the weights where it is large."""
        weight, odd = self.estimator.weight, self.estimator.odd
        c, squares = center[:, None], np.square(self.x)
        third = odd * self.x * (squares + 3.0 * c * c) - weight * c * (3.0 * squares + c * c)
        skew = third.mean(axis=1) / np.maximum(sd, 1e-300) ** 3
        z = ndtri(probs)[:, None]
        near: Array = center + sd * (z + (z * z - 1.0) * skew / 6.0)
        for j in np.flatnonzero(~(np.abs(skew) < _SLIGHTLY_SKEW)):
            near[:, j] = self._inverse(probs, int(j))
        return near

    def _inverse(self, probs: Array, j: int) -> Array:
        """Inverse of the weighted distribution function of one function, linear between mid-weights."""
        weight, odd = self.estimator.weight, self.estimator.odd
        parts = np.concatenate([weight + odd, weight - odd])
        values = np.concatenate([self.x[j], -self.x[j]])
        if self.across[j]:
            values = values + self.across[j] * np.random.default_rng(0).standard_normal(parts.size)
        order = np.argsort(values)
        middle = np.cumsum(parts[order]) - 0.5 * parts[order]
        return np.asarray(np.interp(probs, middle / parts.sum(), values[order]))

    def density(self, t: Array, bandwidth: Array) -> Array:
        """At t, by a Gaussian kernel, shape (m,)."""
        width = np.sqrt(np.square(bandwidth) + np.square(self.across))[:, None]
        weight, odd = self.estimator.weight, self.estimator.odd
        above = np.exp(-0.5 * np.square((t[:, None] - self.x) / width))
        under = np.exp(-0.5 * np.square((t[:, None] + self.x) / width))
        result: Array = (
            0.5 * (above @ (weight + odd) + under @ (weight - odd)) / (weight.size * width[:, 0] * _ROOT_2PI)
        )
        return result

    def below(self, t: Array, skewness: Array) -> tuple[Array, Array]:
        """The distribution function at t and its Monte-Carlo error, each (m,)."""
        estimator, base = self.estimator, self.estimator.base
        whole = np.maximum(np.sqrt(np.square(self.sd) + np.square(self.across)), 1e-300)[:, None]
        v, ratio = t[:, None] / whole, self.sd[:, None] / whole
        u = self.x / np.maximum(self.sd, 1e-300)[:, None]
        plus, minus = self._indicators(t)
        even, odd = 0.5 * (plus + minus), 0.5 * (plus - minus)
        raw = estimator.weight * even + estimator.odd * odd
        plain = raw.mean(axis=1) / estimator.weight.mean()
        # E[He_k(u) Phi((t - x) / across)] = -ratio^k He_{k-1}(v) phi(v), and Phi(v) for k = 0.
        bell = np.exp(-0.5 * v * v) / _ROOT_2PI
        second, third = ratio**2 * v * bell, ratio**3 * (v * v - 1.0) * bell
        squares = u * u - 1.0
        # From one half, so that near the centre, where hardly a pair has one member on each side of t, no control is
        # another one but for a constant.
        share = even - 0.5
        near, far = share * base, odd * base * u
        # W is near B and D near the cubic form: these two are taken off whole, for the pairs near t may be too few to
        # tell their slopes.
        members = near - (ndtr(v) - 0.5)
        skew = odd * estimator.skew + skewness[:, None] * third
        own = (
            base * squares,
            members,
            far + ratio * bell,
            near * squares + second,
            far * (squares - 2.0) + third,
            share * estimator.length + second / math.sqrt(2.0 * estimator.pairs.z.shape[0]),
            skew,
        )
        # Of W over B only what differs from 1 is left to the regression.
        known = near + 0.5 * base - ndtr(v) - plain[:, None] * (base - 1.0) + skew
        influence = raw - plain[:, None] * estimator.weight - known
        found = corrected(influence, (*estimator.shared, *own))
        return plain + found.shift, found.mcse

    def _indicators(self, t: Array) -> tuple[Array, Array]:
        """Whether each member is below t; given the core coordinates of a wide design, how probably."""
        if not np.any(self.across):
            return (self.x < t[:, None]).astype(np.float64), (-self.x < t[:, None]).astype(np.float64)
        width = np.maximum(self.across, 1e-300)[:, None]
        return ndtr((t[:, None] - self.x) / width), ndtr((t[:, None] + self.x) / width)
