"""The posterior without one site: its own Gaussian, corrected for skewness, or symmetric pairs drawn around that."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.criteria import Sites
from bayeslogit.criteria_cavity import corrected_marginals, predicted_under
from bayeslogit.criteria_rows import Field, worth_it
from bayeslogit.errors import FitError
from bayeslogit.expansion import Expansion
from bayeslogit.logistic import expected_terms, log_odds_terms
from bayeslogit.mode import Mode
from bayeslogit.posterior.controls import corrected
from bayeslogit.posterior.ground import Chunk, Ground
from bayeslogit.posterior.pairs import WIDE_DEFENCES, Pairs, Proposal
from bayeslogit.posterior.psis import khat_limit, smooth
from bayeslogit.posterior.variational import Gaussian, fit_gaussian

Array = NDArray[np.float64]
# Pairs of a first batch and at most, and at most of few rows: so many that rows times pairs are a number.
_PAIRS, _MOST_PAIRS, _MOST_OF_FEW, _ROWS_TIMES_PAIRS = 300, 16000, 64000, 2_000_000
# Monte-Carlo error over what is enough, and pairs, from which on the proposal is moved to the moments of what has been
# drawn; how often at most; and the points a coordinate that these moments need.
_FAR, _ADAPTS_AT, _ADAPTATIONS, _ENOUGH_POINTS = 3.0, 1200, 2, 5.0
# Of the Gaussians without a site, sds.
TOL = 1e-3
# Skewness of the row's log-odds beyond which pairs are drawn: two terms of a series are not enough then.
_SKEW = 0.05
# So wide a spread of the row's log-odds, and so low a score beside it, rest on the tail of a posterior that the rows
# left cut off on one side, which the skewness of the nearest Gaussian does not see (0.06 where a score erred by 0.8).
_WIDE, _SURPRISE = 3.0, -3.0


@dataclass(frozen=True)
class GroundWithout(Ground):
    """A log posterior less the log likelihood of one site.

    Attributes
    ----------
    base : Ground
    x : array, shape (k,)
        The row of the site, in core coordinates.
    offset, successes, failures : float
        Of the site.
    near : Gaussian
        Where to begin: the Gaussian of ``base`` with the site divided out.
    """

    base: Ground
    x: Array
    offset: float
    successes: float
    failures: float
    near: Gaussian

    @classmethod
    def without(cls, field: Field, sites: Sites, i: int, gaussian: Gaussian) -> GroundWithout | None:
        """None if the site carries all there is to know of some direction."""
        x, offset = field.row(int(sites.row[i]))
        s, f = float(sites.out_successes[i]), float(sites.out_failures[i])
        along = gaussian.root.T @ x
        spread = float(along @ along)
        terms = expected_terms(*(np.array([v]) for v in (x @ gaussian.mean + offset, math.sqrt(spread), s, f)))
        weight = (s + f) * float(terms.variance[0])
        if weight * spread > 1.0 - 1e-6:
            return None
        # V + V x x'V c = root (I + c u u') root' with u = root' x.
        scaled = np.eye(along.size) + weight / (1.0 - weight * spread) * np.outer(along, along)
        root = np.linalg.qr(np.linalg.cholesky(scaled).T @ gaussian.root.T, mode="r").T
        moved = gaussian.mean - gaussian.root @ along * float(terms.residual[0]) / (1.0 - weight * spread)
        base = field.ground
        near = Gaussian(moved, root)
        return cls(base.whole, base.target, base.subspace, base.center, base, x, offset, s, f, near)

    def chunks(self) -> Iterator[Chunk]:
        return self.base.chunks()

    def start(self, mode: Mode) -> tuple[Array, Array]:
        half = np.linalg.inv(self.near.root)
        return self.near.mean, half.T @ half

    def expected(self, mean: Array, root: Array) -> Expansion:
        whole = self.base.expected(mean, root)
        sd = float(np.linalg.norm(root.T @ self.x))
        values = (self.x @ mean + self.offset, sd, self.successes, self.failures)
        own = expected_terms(*(np.array([value]) for value in values))
        weight = (self.successes + self.failures) * float(own.variance[0])
        return Expansion(
            whole.log_density - float(own.log_density[0]),
            whole.score - float(own.residual[0]) * self.x,
            whole.information - weight * np.outer(self.x, self.x),
        )

    def log_densities(self, thetas: Array) -> Array:
        eta = thetas @ self.x + self.offset
        s, f = np.full(eta.size, self.successes), np.full(eta.size, self.failures)
        return self.base.log_densities(thetas) - log_odds_terms(eta, s, f).log_density


@dataclass(frozen=True)
class Predicted:
    """The log predictive density of a site, its Monte-Carlo error, k-hat of the weights, and what to know."""

    score: float
    mcse: float
    khat: float
    flag: str


def posterior_without(
    field: Field,
    sites: Sites,
    i: int,
    mode: Mode,
    gaussian: Gaussian,
    rng: np.random.Generator,
    enough: float,
    fitted: Gaussian | None = None,
    series: bool = True,
) -> Predicted:
    """Predict site i from the posterior without it.

    Where that is skew, or no ``series`` is to do, by importance sampling to a Monte-Carlo error of ``enough`` nats.
    ``fitted`` is the Gaussian nearest to it, if it is known; else it is looked for here.
    """
    if fitted is not None and series:
        exact = _corrected(field, sites, i, fitted)
        if exact is not None:
            return exact
    ground = GroundWithout.without(field, sites, i, gaussian)
    if ground is None:
        return Predicted(math.nan, math.nan, math.nan, "nothing is known of it without it")
    near = ground.near if fitted is None else fitted
    if fitted is None:
        found = _searched(ground, mode)
        exact = None if found is None or not series else _corrected(field, sites, i, found)
        if exact is not None:
            return exact
        near = near if found is None else found
    proposal = Proposal.around(ground.base, near)
    most = min(max(_MOST_PAIRS, _ROWS_TIMES_PAIRS // max(field.rows.source.n_rows, 1)), _MOST_OF_FEW)
    pairs, adapted = _drawn(ground, proposal, _PAIRS, rng), 0
    while True:
        score, mcse, khat = _estimate(ground, proposal, pairs, sites, i)
        if mcse <= enough or pairs.count >= most:
            break
        if mcse > _FAR * enough and pairs.count >= _ADAPTS_AT and adapted < _ADAPTATIONS:
            # So long a way that it pays to draw from where the posterior turns out to be.
            moments = _moments(proposal.gaussian, pairs)
            adapted += 1
            if moments is not None:
                proposal = Proposal.around(ground.base, moments, WIDE_DEFENCES)
                pairs = _drawn(ground, proposal, pairs.count, rng)
                continue
        pairs = Pairs.joined([pairs, _drawn(ground, proposal, pairs.count, rng)])
    poor = not khat <= khat_limit(pairs.count) and mcse > 1e-4
    flag = "Pareto k too high without it" if poor else "imprecise without it" if mcse > 0.02 else ""
    return Predicted(score, mcse, khat, flag)


def _moments(gaussian: Gaussian, pairs: Pairs) -> Gaussian | None:
    """The mean and covariance that the weighted points have; None where that is too few points to tell."""
    smoothed = smooth(np.concatenate([pairs.log_target[0], pairs.log_target[1]]) - np.tile(pairs.log_proposal, 2))
    weight = np.exp(smoothed.log_weights - smoothed.log_weights.max())
    weight /= weight.sum()
    z = np.concatenate([pairs.z, -pairs.z], axis=1)
    if 1.0 / float(weight @ weight) < _ENOUGH_POINTS * z.shape[0]:
        return None
    middle = z @ weight
    away = z - middle[:, None]
    try:
        half = np.linalg.cholesky((away * weight) @ away.T)
    except np.linalg.LinAlgError:
        return None
    root = np.linalg.qr(half.T @ gaussian.root.T, mode="r").T
    return Gaussian(gaussian.mean + gaussian.root @ middle, root)


def _searched(ground: GroundWithout, mode: Mode) -> Gaussian | None:
    """The nearest Gaussian; where there is none that with the site divided out has to do, and the weights tell."""
    try:
        found = fit_gaussian(ground, mode, tol=TOL)
    except FitError:
        return None
    return found.gaussian if found.converged else None


def _drawn(ground: Ground, proposal: Proposal, count: int, rng: np.random.Generator) -> Pairs:
    z = proposal.draw(count, rng)
    mean, away = proposal.gaussian.mean, (proposal.gaussian.root @ z).T
    log_target = np.stack([ground.log_densities(mean + away), ground.log_densities(mean - away)])
    return Pairs(z, log_target, *proposal.log_densities(z), np.zeros(count))


def _corrected(field: Field, sites: Sites, i: int, gaussian: Gaussian) -> Predicted | None:
    """From the Gaussian without the site, to the next order; None where that is not enough."""
    mean, variance = field.scan(gaussian.mean, gaussian.root)
    if not worth_it(mean.size, gaussian.mean.size):
        return None
    count = field.counts()
    count[sites.row[i]] -= sites.out_successes[i] + sites.out_failures[i]
    found = corrected_marginals(field, count, gaussian, mean, variance)
    if found is None:
        return None
    score, skewness = predicted_under(found[0], sites, i)
    tail = score < _SURPRISE and math.sqrt(float(variance[sites.row[i]])) > _WIDE
    return Predicted(score, 0.0, math.nan, "") if abs(skewness) <= _SKEW and not tail else None


def _estimate(
    ground: GroundWithout, proposal: Proposal, pairs: Pairs, sites: Sites, i: int
) -> tuple[float, float, float]:
    """Log of the mean likelihood of the site under the weighted pairs, its error, and k-hat."""
    smoothed = smooth(pairs.log_weights)
    weight = np.exp(smoothed.log_weights - smoothed.log_weights.max())
    weight /= weight.mean()
    odd = weight * pairs.lean
    gaussian = proposal.gaussian
    along = gaussian.root.T @ ground.x
    sd = float(np.linalg.norm(along))
    at, moved = float(ground.x @ gaussian.mean) + ground.offset, along @ pairs.z

    def likelihood(eta: Array) -> Array:
        s, f = (np.full(eta.size, float(each[i])) for each in (sites.in_successes, sites.in_failures))
        return log_odds_terms(eta, s, f).log_density

    plus, minus = likelihood(at + moved), likelihood(at - moved)
    top = float(max(plus.max(), minus.max()))
    plus, minus = np.exp(plus - top), np.exp(minus - top)
    values = 0.5 * (weight * (plus + minus) + odd * (plus - minus))
    mean = float(values.mean())
    base = np.exp(pairs.log_normal - pairs.log_proposal)
    k = pairs.z.shape[0]
    length = base * (np.einsum("ij,ij->j", pairs.z, pairs.z) - k) / math.sqrt(2.0 * k)
    square = np.square(moved / max(sd, 1e-300))
    even = base * (0.5 * (plus + minus) - _gaussian_mean(likelihood, at, sd, top))
    controls = (base - 1.0, length, base * (square - 1.0), base * (square * (square - 6.0) + 3.0), even)
    found = corrected((values - mean * weight)[None], controls)
    total = mean + float(found.shift[0])
    total = total if total > 0.1 * mean else mean
    return top + math.log(total), float(found.mcse[0]) / total, smoothed.khat


def _gaussian_mean(likelihood: Callable[[Array], Array], at: float, sd: float, top: float) -> float:
    """Of the likelihood over ``exp(top)`` under ``Normal(at, sd)``."""
    z = np.asarray(np.arange(-64, 65) * 0.125, dtype=np.float64)
    weight = np.exp(-0.5 * z * z)
    values = likelihood(at + sd * z)
    return float(weight @ np.exp(values - top) / weight.sum())
