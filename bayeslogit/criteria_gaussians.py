"""The Gaussians nearest to the posteriors without each of several sites, abreast.

Each begins where dividing its site out of the Gaussian of the whole leaves it, which is near, and takes the steps of
the fixed point (`posterior.variational`): the precision is the expected information, the mean moves by Newton. All of
them share every pass over the rows. It has arrived where the expected score and information say so; one that grows is
given up.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bayeslogit.criteria import Sites
from bayeslogit.criteria_rows import Field
from bayeslogit.logistic import expected_terms
from bayeslogit.posterior.expected_prior import expected_prior
from bayeslogit.posterior.variational import Gaussian

Array = NDArray[np.float64]
# Numbers of one array that are held for all sites of a batch; steps of each, and growth of one at which it is given up.
_AT_ONCE = 1 << 21
_MOST_STEPS, _GROWS = 30, 10.0
# Share of the information in some direction that a site must leave.
_LEFT = 1e-6


def gaussians_without(
    field: Field, sites: Sites, picked: NDArray[np.intp], gaussian: Gaussian, tol: float
) -> Iterator[Gaussian | None]:
    """The nearest Gaussian without each of some sites, in their order; None where these steps do not arrive.

    Parameters
    ----------
    picked : array of int, shape (m,)
    gaussian : Gaussian
        The nearest to the posterior with all sites.
    tol : float
        Largest accepted step of a mean, in sds; precisions are held to ten times that, relative.
    """
    ground, k = field.ground, field.theta.size
    if ground.target.prior.whole == "jeffreys":
        yield from (None for _ in picked)
        return
    chunks = list(ground.chunks())
    X = np.concatenate([chunk.X for chunk in chunks])
    offset = np.concatenate([chunk.offset for chunk in chunks])
    successes = np.concatenate([chunk.successes for chunk in chunks])
    failures = np.concatenate([1.0 - c.successes if c.failures is None else c.failures for c in chunks])
    size = max(1, _AT_ONCE // (k * max(k, offset.size)))
    for lower in range(0, picked.size, size):
        work = _Abreast(field, sites, picked[lower : lower + size], X, offset, successes, failures)
        yield from work.search(gaussian, tol)


class _Abreast:
    """A batch of m sites; means have shape (m, k), covariances (m, k, k)."""

    def __init__(
        self,
        field: Field,
        sites: Sites,
        picked: NDArray[np.intp],
        X: Array,
        offset: Array,
        successes: Array,
        failures: Array,
    ) -> None:
        self.prior, self.X, self.offset = field.ground.target.prior_target, X, offset
        self.successes, self.failures = successes, failures
        self.x, self.shift = field.some_rows(sites.row[picked])
        self.out, self.other = sites.out_successes[picked], sites.out_failures[picked]

    def search(self, gaussian: Gaussian, tol: float) -> list[Gaussian | None]:
        mean, V, open_ = self._divided(gaussian)
        found: list[Gaussian | None] = [None] * self.shift.size
        before = np.full(self.shift.size, np.inf)
        for _ in range(_MOST_STEPS):
            if not open_.size:
                break
            score, information = self._expected(mean[open_], V[open_], open_)
            step = np.einsum("ijk,ik->ij", V[open_], score)
            decrement = np.sqrt(np.maximum(np.einsum("ij,ij->i", step, score), 0.0))
            off = V[open_] @ information - np.eye(score.shape[1])
            bend = np.sqrt(np.maximum(np.einsum("ijk,ikj->i", off, off), 0.0))
            there = (decrement <= tol) & (bend <= 10.0 * tol)
            for i in open_[there]:
                found[i] = _of_covariance(mean[i], V[i])
            worst = np.maximum(decrement, 0.1 * bend)
            on = ~there & np.isfinite(worst) & (worst <= _GROWS * before[open_])
            before[open_] = worst
            open_, score, information = open_[on], score[on], information[on]
            if not open_.size:
                break
            try:
                V[open_] = np.linalg.inv(information)
            except np.linalg.LinAlgError:
                break
            mean[open_] += np.einsum("ijk,ik->ij", V[open_], score)
        return found

    def _divided(self, gaussian: Gaussian) -> tuple[Array, Array, NDArray[np.intp]]:
        """Mean and covariance with each site divided out of the Gaussian, and the sites that leave some of it."""
        V = gaussian.root @ gaussian.root.T
        lever = self.x @ V
        spread = np.einsum("ij,ij->i", lever, self.x)
        terms = expected_terms(self.x @ gaussian.mean + self.shift, np.sqrt(spread), self.out, self.other)
        weight = (self.out + self.other) * terms.variance
        left = 1.0 - weight * spread
        some = left > _LEFT
        gain = np.where(some, 1.0 / np.where(some, left, 1.0), 0.0)
        mean = gaussian.mean - lever * (terms.residual * gain)[:, None]
        return mean, V + (weight * gain)[:, None, None] * (lever[:, :, None] * lever[:, None, :]), np.flatnonzero(some)

    def _expected(self, mean: Array, V: Array, picked: NDArray[np.intp]) -> tuple[Array, Array]:
        """Expected score and information without each site."""
        m, n = picked.size, self.offset.size
        eta = mean @ self.X.T + self.offset
        spread = np.empty((m, n))
        for j in range(m):
            spread[j] = np.einsum("ij,ij->i", self.X @ V[j], self.X)
        s, f = (np.broadcast_to(each, (m, n)).ravel() for each in (self.successes, self.failures))
        terms = expected_terms(eta.ravel(), np.sqrt(np.maximum(spread, 0.0)).ravel(), s, f)
        weight = (self.successes + self.failures) * terms.variance.reshape(m, n)
        score = terms.residual.reshape(m, n) @ self.X
        x, out, other = self.x[picked], self.out[picked], self.other[picked]
        sd = np.sqrt(np.maximum(np.einsum("ij,ijk,ik->i", x, V, x), 0.0))
        own = expected_terms(np.einsum("ij,ij->i", x, mean) + self.shift[picked], sd, out, other)
        score -= own.residual[:, None] * x
        information = -((out + other) * own.variance)[:, None, None] * (x[:, :, None] * x[:, None, :])
        same = not len(self.prior.groups) and all(term.family == "normal" for term, _ in self.prior.proper_terms)
        for j in range(m):
            information[j] += self.X.T @ (self.X * weight[j, :, None])
            if not same:
                prior = expected_prior(self.prior, mean[j], np.linalg.cholesky(V[j]))
                score[j] += prior.score
                information[j] += prior.information
        if same:
            score += self.prior.scores(mean)
            information += self.prior.smooth_information(mean[0])
        return score, 0.5 * (information + information.transpose(0, 2, 1))


def _of_covariance(mean: Array, V: Array) -> Gaussian | None:
    try:
        return Gaussian(mean, np.linalg.cholesky(V))
    except np.linalg.LinAlgError:
        return None
