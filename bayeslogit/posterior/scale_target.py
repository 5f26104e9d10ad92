"""Coefficients and the scales of their prior together, in coordinates in which neither holds the other back.

Given the scales, with S the diagonal of prior sds, the posterior of ``x = S^-1 b`` is close to a Gaussian of precision
``A = I + S H S``: H is the expected information of the likelihood and of the fixed terms of the prior at some scales
near the right ones. With ``A = L L'`` the coordinates are z, ``x = L'^-1 (z + L^-1 S r)``. Where scales are small
that is the non-centred form, where data are many the centred one, and in between what is best in between: z is nearly
standard normal whatever the scales, so that there is no funnel. The density is exact for any H and r.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from bayeslogit.design import Design
from bayeslogit.logistic import log_likelihoods, log_odds_terms
from bayeslogit.posterior.ground import Ground
from bayeslogit.posterior.scale_blocks import BLOCKS, Block, natural
from bayeslogit.posterior.scale_given import Reference, open_terms, reference, spread, without
from bayeslogit.posterior.variational import fit_gaussian
from bayeslogit.prior_target import PriorTarget
from bayeslogit.resolved import PriorTerm, ResolvedPrior

Array = NDArray[np.float64]
_LOG_2PI = math.log(2.0 * math.pi)
# Columns up to which each evaluation factors A; beyond, the fixed columns are whitened once and the others not at all.
MOST_CONDITIONED = 120
_AT_ONCE = 1 << 21


@dataclass(frozen=True, eq=False)
class _Place:
    """A block, the coordinates of its columns among the k, and of its scales among the h."""

    term: PriorTerm
    block: Block
    columns: NDArray[np.intp]
    scales: slice


@dataclass(frozen=True, eq=False)
class ScaleTarget:
    """The log density of ``(z, h)``: k coordinates of the coefficients, then those of all scales about `center`.

    Attributes
    ----------
    rows : array, shape (n, k)
        In the working coordinates, times ``root``.
    offset, successes, failures : array, shape (n,)
    fixed : PriorTarget
        The terms of the prior that have no unknown scale.
    places : tuple
        The blocks.
    root : array, shape (k, k)
        Working coordinates are ``root @ (s * x)``.
    information, linear : array, shape (k, k) and (k,)
        H and r.
    center : array, shape (m,)
    """

    rows: Array
    offset: Array
    successes: Array
    failures: Array
    fixed: PriorTarget
    places: tuple[_Place, ...]
    root: Array
    information: Array
    linear: Array
    center: Array
    conditioned: bool
    near: Reference
    _open: Array = field(init=False)
    _settled: tuple[NDArray[np.intp], Array] = field(init=False)
    _kinked: bool = field(init=False)
    _plain: bool = field(init=False)
    _rotated: bool = field(init=False)
    _below: Array = field(init=False)
    _halved: Array = field(init=False)
    _constant: float = field(init=False)

    @classmethod
    def of(cls, design: Design, prior: ResolvedPrior, *, most_conditioned: int = MOST_CONDITIONED) -> ScaleTarget:
        """At scales near the right ones.

        Raises
        ------
        FitError
            If there is no mode at any scales.
        """
        near = reference(design, prior)
        target = near.target
        ground = Ground(target, target, None, np.zeros(0))
        gaussian = fit_gaussian(ground, near.mode, tol=1e-4).gaussian
        places, k = _places(prior), len(prior.columns)
        root, s = np.eye(k), np.ones(k)
        for place, sd in zip(places, near.sds, strict=True):
            root[np.ix_(place.columns, place.columns)] = spread(place.term)
            s[place.columns] = sd
        inverse = np.linalg.inv(np.linalg.solve(root, gaussian.root))
        precision = inverse.T @ inverse
        linear = precision @ np.linalg.solve(root, gaussian.mean)
        is_open = _open(places, k)
        values, vectors = np.linalg.eigh(precision - np.diag(is_open / np.square(s)))
        # The information of the likelihood is not negative; what rounding or a heavy tail makes of it is left out.
        information = (vectors * np.maximum(values, 0.0)) @ vectors.T
        chunks = list(ground.chunks())
        X = np.vstack([chunk.X for chunk in chunks])
        successes = np.concatenate([chunk.successes for chunk in chunks])
        failures = np.concatenate([1.0 - c.successes if c.failures is None else c.failures for c in chunks])
        center = np.concatenate([place.block.start(tau) for place, tau in zip(places, near.tau, strict=True)])
        return cls(
            np.ascontiguousarray(X @ root),
            np.concatenate([chunk.offset for chunk in chunks]),
            successes,
            failures,
            PriorTarget(without(prior), target.coordinates),
            places,
            root,
            information,
            linear,
            center,
            k <= most_conditioned,
            near,
        )

    @property
    def k(self) -> int:
        return int(self.root.shape[0])

    @property
    def size(self) -> int:
        """Number of all coordinates."""
        return self.k + int(self.center.size)

    def __post_init__(self) -> None:
        is_open = _open(self.places, self.k)
        fixed = np.flatnonzero(is_open == 0.0)
        settled = self.information[np.ix_(fixed, fixed)]
        lower = np.linalg.cholesky(settled + 1e-12 * np.trace(settled) * np.eye(fixed.size)) if fixed.size else settled
        object.__setattr__(self, "_open", is_open)
        object.__setattr__(self, "_settled", (fixed, np.linalg.inv(lower) if fixed.size else lower))
        kinked = any(term.density.kink or term.density.group for term in self.fixed.prior.terms)
        object.__setattr__(self, "_kinked", kinked)
        object.__setattr__(self, "_plain", not any(term.proper for term in self.fixed.prior.terms))
        object.__setattr__(self, "_rotated", not np.array_equal(self.root, np.eye(self.k)))
        below = np.tril(np.ones((self.k, self.k)))
        object.__setattr__(self, "_below", below)
        object.__setattr__(self, "_halved", below - 0.5 * np.eye(self.k))
        object.__setattr__(self, "_constant", 0.5 * _LOG_2PI * float(is_open.sum()))

    # --- one point, with its gradient --------------------------------------------------------------------------------

    def value_and_gradient(self, point: Array) -> tuple[float, Array]:
        """The log density and its gradient at one point, shape (size,); minus infinity where nothing is finite."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            value, gradient = self._evaluate(point)
        if math.isfinite(value) and math.isfinite(float(gradient @ gradient)):
            return value, gradient
        return -math.inf, np.zeros_like(point)

    def _evaluate(self, point: Array) -> tuple[float, Array]:
        k, h = self.k, point[self.k :] + self.center
        s, value = np.ones(k), 0.0
        for place in self.places:
            own = h[place.scales]
            s[place.columns] = np.exp(place.block.log_sds(own))
            value += float(place.block.log_prior(own))
        if not self.conditioned:
            return self._plainly(point, h, s, value)
        scaled = self.information * s
        scaled *= s[:, None]
        scaled.ravel()[:: k + 1] += self._open
        lower, failed = lapack.dpotrf(scaled, lower=1, clean=1)
        if failed:
            return -math.inf, np.zeros_like(point)
        inverse, _ = lapack.dtrtri(lower, lower=1)
        u = inverse @ (s * self.linear)
        x = (point[:k] + u) @ inverse
        value -= float(np.log(lower.diagonal()).sum())
        density, by_delta = self._likelihood(s * x)
        value += density + self._of_x(x)
        # Backwards, through x, u, L and A.
        by_x = s * by_delta - self._open * x
        by_z = inverse @ by_x
        by_w = by_z @ inverse
        by_lower = x[:, None] * by_z
        by_lower += by_w[:, None] * u
        by_lower.ravel()[:: k + 1] += inverse.diagonal()
        by_lower *= self._below  # minus the gradient in L; what is above its diagonal does not count
        half = lower.T @ by_lower
        half *= self._halved
        by_a = inverse.T @ (half + half.T) @ inverse
        by_a *= self.information
        by_s = x * by_delta + by_w * self.linear - by_a @ s
        return value, np.concatenate([by_z, self._by_scales(h, s * by_s)])

    def _plainly(self, point: Array, h: Array, s: Array, value: float) -> tuple[float, Array]:
        """Non-centred: x is z but for the fixed columns, which have been whitened once."""
        fixed, inverse = self._settled
        x = point[: self.k].copy()
        x[fixed] = (point[fixed] + inverse @ self.linear[fixed]) @ inverse
        density, by_delta = self._likelihood(s * x)
        value += density + self._of_x(x) + float(np.log(np.diag(inverse)).sum())
        by_x = s * by_delta - self._open * x
        by_z = by_x.copy()
        by_z[fixed] = inverse @ by_x[fixed]
        return value, np.concatenate([by_z, self._by_scales(h, s * x * by_delta)])

    def _of_x(self, x: Array) -> float:
        """Log density of the standard normal x of the open columns."""
        return -0.5 * float(self._open @ (x * x)) - self._constant

    def _likelihood(self, delta: Array) -> tuple[float, Array]:
        """Log likelihood and fixed terms of the prior, and their gradient in ``delta = s x``."""
        terms = log_odds_terms(self.rows @ delta + self.offset, self.successes, self.failures)
        value, gradient = float(terms.log_density.sum()), terms.residual @ self.rows
        if self._plain:
            return value, gradient
        gamma = self.root @ delta if self._rotated else delta
        slope = self.fixed.slope(gamma)
        score = slope.score
        if self._kinked:
            score = np.sum([self.fixed.score_of(t, gamma) for t in self.fixed.prior.terms if t.proper], axis=0)
        return value + float(slope.log_density), gradient + (score @ self.root if self._rotated else score)

    def _by_scales(self, h: Array, by_log: Array) -> Array:
        return np.concatenate([place.block.pull(h[place.scales], by_log[place.columns]) for place in self.places])

    # --- many points -------------------------------------------------------------------------------------------------

    def _deltas(self, points: Array) -> Iterator[tuple[slice, Array, Array, Array]]:
        """In portions: which points, ``s x``, x, and the log Jacobian of z to x."""
        k, step = self.k, max(1, _AT_ONCE // (self.k * self.k))
        for lower in range(0, points.shape[0], step):
            part = slice(lower, lower + step)
            z, h = points[part, :k], points[part, k:] + self.center
            s = np.ones(z.shape)
            for place in self.places:
                s[:, place.columns] = np.exp(place.block.log_sds(h[:, place.scales]))
            if self.conditioned:
                scaled = self.information * s[:, None, :] * s[:, :, None] + np.diag(self._open)
                factor = np.linalg.cholesky(scaled)
                u = np.linalg.solve(factor, (s * self.linear)[:, :, None])
                x = np.linalg.solve(np.swapaxes(factor, 1, 2), z[:, :, None] + u)[:, :, 0]
                jacobian = -np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
            else:
                fixed, inverse = self._settled
                x = z.copy()
                x[:, fixed] = (z[:, fixed] + inverse @ self.linear[fixed]) @ inverse
                jacobian = np.full(z.shape[0], float(np.log(np.diag(inverse)).sum()))
            yield part, s * x, x, jacobian

    def log_densities(self, points: Array) -> Array:
        """The log density at many points, shape (S, size) to (S,)."""
        result = np.empty(points.shape[0])
        for part, delta, x, jacobian in self._deltas(points):
            eta = self.rows @ delta.T + self.offset[:, None]
            value = log_likelihoods(eta, self.successes, self.failures) + self.fixed.log_densities(delta @ self.root.T)
            value = value + jacobian - 0.5 * np.square(x) @ self._open - self._constant
            h = points[part, self.k :] + self.center
            result[part] = value + sum(place.block.log_prior(h[:, place.scales]) for place in self.places)
        return result

    def coefficients(self, points: Array) -> Array:
        """In the user's columns, shape (S, p)."""
        coordinates = self.near.target.coordinates
        result = np.empty((points.shape[0], self.k))
        for part, delta, _, _ in self._deltas(points):
            gamma = delta @ self.root.T
            if coordinates.center is not None:
                gamma[:, 0] -= gamma[:, 1:] @ coordinates.center
            result[part] = gamma
        return result

    def scales(self, points: Array) -> Array:
        """The scales themselves, shape (S, m), in the order of the blocks."""
        h = points[:, self.k :] + self.center
        names = [name for place in self.places for name in place.block.names]
        return np.column_stack([natural(name, h[:, j]) for j, name in enumerate(names)])


def _places(prior: ResolvedPrior) -> tuple[_Place, ...]:
    found, at = [], 0
    for term in open_terms(prior):
        block = BLOCKS[term.family](term)
        found.append(_Place(term, block, np.array(term.columns), slice(at, at + block.size)))
        at += block.size
    return tuple(found)


def _open(places: tuple[_Place, ...], k: int) -> Array:
    mask = np.zeros(k)
    for place in places:
        mask[place.columns] = 1.0
    return mask
