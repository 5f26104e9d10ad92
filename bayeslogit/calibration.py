"""Do probabilities come true? Of predictions: observed event rates. Of posteriors: ranks of known coefficients.

Simulation-based calibration (Talts, Betancourt, Simpson, Vehtari and Gelman 2018): if coefficients are drawn from the
prior and data from them, their ranks among draws of the posterior are uniform, if the posterior is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtri

from bayeslogit._priors import Prior
from bayeslogit.design import Design
from bayeslogit.draw_arguments import count, generator
from bayeslogit.errors import ArgumentError, FitError
from bayeslogit.ladder import ChainPlan, sample_posterior
from bayeslogit.mode import Mode
from bayeslogit.posterior.importance import sample_importance, sample_laplace, sample_variational
from bayeslogit.posterior.nuts_sampling import sample_nuts
from bayeslogit.posterior.quadrature import sample_quadrature
from bayeslogit.posterior.rung import Rung
from bayeslogit.posterior.scale_given import reference
from bayeslogit.posterior.scale_grid import can_grid, sample_grid
from bayeslogit.posterior.scale_nuts import sample_scales
from bayeslogit.posterior.scale_target import ScaleTarget
from bayeslogit.presets import as_prior
from bayeslogit.prior_draws import draw_prior
from bayeslogit.quantities import replicate
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
Sampler = Callable[[LogPosterior, Mode, int, np.random.Generator], Rung]
ScaleSampler = Callable[[Design, ResolvedPrior, int, np.random.Generator], Rung]
# Draws of NUTS for every one that is kept: ranks want independent ones, and a draw is worth half of one or more.
_THINNED = 6


def _chains(target: LogPosterior, mode: Mode, draws: int, rng: np.random.Generator) -> Rung:
    rung = sample_nuts(target, mode, draws=_THINNED * draws, rng=rng, chains=2, evidence=False)
    return replace(rung, values=rung.values[::_THINNED][:draws])


def _scale_chains(design: Design, prior: ResolvedPrior, draws: int, rng: np.random.Generator) -> Rung:
    target = ScaleTarget.of(design, prior)
    rung, _ = sample_scales(target, design, prior, draws=_THINNED * draws, rng=rng, chains=2, evidence=False)
    return replace(rung, values=rung.values[::_THINNED][:draws])


def _scale_grid(design: Design, prior: ResolvedPrior, draws: int, rng: np.random.Generator) -> Rung:
    found = sample_grid(prior, reference(design, prior), draws, rng) if can_grid(prior) else None
    if found is None:
        raise FitError(f"{prior.name} has more than one unknown scale: no grid integrates over it.")
    return found[0]


RUNGS: Mapping[str, Sampler] = {
    "laplace": sample_laplace,
    "variational": sample_variational,
    "importance": sample_importance,
    "quadrature": sample_quadrature,
    "auto": lambda t, m, n, rng: sample_posterior(t, m, "auto", n, rng, ChainPlan(allowed=False))[0],
    "nuts": _chains,
}
# Under unknown scales there is no mode: "importance" integrates over a grid of the one scale.
SCALE_RUNGS: Mapping[str, ScaleSampler] = {"importance": _scale_grid, "nuts": _scale_chains}


class Calibration(NamedTuple):
    """Bins of the prediction, each array of shape (bins,).

    Attributes
    ----------
    predicted : array
        Mean predicted probability of the observations in the bin.
    observed : array
        Share of them that are events.
    lower, upper : array
        Wilson's interval for that share.
    size : array
        Observations in the bin.
    """

    predicted: Array
    observed: Array
    lower: Array
    upper: Array
    size: Array


def calibration_bins(
    probability: Array, y: Array, trials: Array, weights: Array, *, bins: int = 10, prob: float = 0.95
) -> Calibration:
    """Event rates in bins that hold about equally many observations; rows with one prediction stay in one bin.

    The intervals are Wilson's (1927): they stay inside [0, 1] and hold for a bin without events.
    """
    count = weights * trials
    used = count > 0.0
    probability, events, count = probability[used], (weights * y)[used], count[used]
    values, code = np.unique(probability, return_inverse=True)
    n, k = np.bincount(code, count), np.bincount(code, events)
    middle = np.cumsum(n) - 0.5 * n
    bin_of = np.minimum((middle / n.sum() * bins).astype(int), bins - 1)
    _, bin_of = np.unique(bin_of, return_inverse=True)
    size, hits = np.bincount(bin_of, n), np.bincount(bin_of, k)
    share = hits / size
    z = float(ndtri(0.5 + prob / 2.0))
    center = (share + z * z / (2.0 * size)) / (1.0 + z * z / size)
    half = z / (1.0 + z * z / size) * np.sqrt(share * (1.0 - share) / size + (z / (2.0 * size)) ** 2)
    return Calibration(np.bincount(bin_of, n * values) / size, share, center - half, center + half, size)


# --- simulation-based calibration --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ranks:
    """Of the coefficients that made the data, among draws of their posterior.

    Attributes
    ----------
    columns : tuple of str
    draws : int
        A rank is 0 to ``draws``.
    ranks : mapping of str to array of int, shape (replications, p)
        By rung; -1 in every column where the rung could not be had.
    probability : mapping of str to array, shape (replications, p)
        What each posterior says of lying below the true coefficient: the rank among infinitely many draws; NaN there.
    levels : mapping of str to tuple of str
        Verdicts; "error" where the rung could not be had.
    """

    columns: tuple[str, ...]
    draws: int
    ranks: Mapping[str, NDArray[np.int64]]
    probability: Mapping[str, Array]
    levels: Mapping[str, tuple[str, ...]]

    def shares(self, method: str, bins: int = 20) -> Array:
        """Share of the ranks in bins of equal probability, shape (bins, p); all are near ``1 / bins``."""
        ranks = self._had(method)
        at = ranks * bins // (self.draws + 1)
        return np.array([np.bincount(column, minlength=bins) / ranks.shape[0] for column in at.T]).T

    def p_values(self, method: str, bins: int = 20) -> Array:
        """Of the chi-square test that ranks are uniform, column by column, shape (p,).

        ``draws + 1`` has to be a multiple of ``bins``, so that bins are equally probable.
        """
        if (self.draws + 1) % bins:
            raise ArgumentError(f"bins={bins}: the {self.draws + 1} ranks do not fall into so many equal bins.")
        n = self._had(method).shape[0]
        statistic = n * bins * np.square(self.shares(method, bins) - 1.0 / bins).sum(axis=0)
        return np.asarray(chdtrc(bins - 1, statistic))

    def shift(self, method: str) -> Array:
        """How far the mean rank is from the middle, in its standard errors under uniform ranks; shape (p,)."""
        scaled = (self._had(method) + 0.5) / (self.draws + 1)
        return np.asarray((scaled.mean(axis=0) - 0.5) * np.sqrt(12.0 * scaled.shape[0]))

    def spread(self, method: str) -> Array:
        """Variance of the ranks over that of uniform ones, shape (p,): above 1 the posterior is too narrow."""
        scaled = (self._had(method) + 0.5) / (self.draws + 1)
        return np.asarray(12.0 * np.square(scaled - 0.5).mean(axis=0) / (1.0 - 1.0 / (self.draws + 1) ** 2))

    def _had(self, method: str) -> NDArray[np.int64]:
        ranks = self.ranks[method]
        return ranks[(ranks >= 0).all(axis=1)]


def simulated_ranks(
    design: Design,
    prior: Prior | str,
    methods: Sequence[str] | Mapping[str, Sampler] = ("laplace", "variational", "importance"),
    *,
    replications: int = 200,
    draws: int = 99,
    rng: int | np.random.Generator = 0,
) -> Ranks:
    """Coefficients from the prior, data from the coefficients, posteriors from the data: where are the coefficients?

    Parameters
    ----------
    design : Design
        Its rows, trials, weights and offset are used, its outcomes are not.
    prior : Prior or str
        Proper in every column; resolved once, against ``design``, and held fixed.
    methods : sequence of str, or mapping of str to function
        Rungs: "laplace", "variational", "importance", "quadrature" (up to three columns), "auto" (without NUTS) and
        "nuts" (two chains, every sixth draw kept); or functions of target, mode, number of draws and generator that
        return a `Rung`. Under a prior with unknown scales "importance" (with one scale) and "nuts".
    replications : int
        Coefficients and data sets.
    draws : int
        Of each posterior.
    rng : int or Generator

    Returns
    -------
    Ranks
        Replications whose verdict is "failed" stay in.

    Raises
    ------
    ArgumentError
        If there is no such rung, or a count is not positive.
    PriorError
        If some coefficient has no proper prior.
    """
    random, replications, draws = generator(rng), count("replications", replications), count("draws", draws)
    resolved = as_prior(prior).resolve(design)
    samplers = _samplers(methods, RUNGS if not resolved.open else SCALE_RUNGS)
    blocks, first = list(design.source.blocks()), int(design.has_intercept)
    X = np.vstack([block.X.toarray() for block in blocks])
    trials, weights, offset = (
        np.concatenate([getattr(b, key) for b in blocks]) for key in ("trials", "weights", "offset")
    )
    truths = draw_prior(resolved, replications, random)
    shape = replications, len(design.columns)
    ranks = {name: np.full(shape, -1, dtype=np.int64) for name in samplers}
    probability = {name: np.full(shape, np.nan) for name in samplers}
    levels: dict[str, list[str]] = {name: [] for name in samplers}
    for k, truth in enumerate(truths):
        y = np.concatenate([replicate(truth[None], b.X, b.offset, b.trials, random)[0] for b in blocks])
        data = Design.from_arrays(
            X[:, first:],
            y.astype(np.float64),
            names=list(design.columns[first:]),
            trials=trials,
            weights=weights,
            offset=offset,
            intercept=bool(first),
        )
        posterior = _sampled(data, resolved)
        for name, sample in samplers.items():
            try:
                rung = posterior(sample, draws, random)
            except FitError:
                levels[name].append("error")
                continue
            ranks[name][k] = (rung.values < truth).sum(axis=0)
            probability[name][k] = rung.below(range(truth.size), truth)[0]
            levels[name].append(rung.level)
    return Ranks(design.columns, draws, ranks, probability, {name: tuple(each) for name, each in levels.items()})


def _sampled(data: Design, prior: ResolvedPrior) -> Callable[[Any, int, np.random.Generator], Rung]:
    """What asks a rung about these data."""
    if prior.open:
        return lambda sample, draws, rng: sample(data, prior, draws, rng)
    target = LogPosterior.of(data, prior)
    mode = find_mode(target)
    return lambda sample, draws, rng: sample(target, mode, draws, rng)


def _samplers(methods: Sequence[str] | Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(methods, Mapping):
        return methods
    unknown = [name for name in methods if name not in known]
    if unknown or isinstance(methods, str):
        raise ArgumentError(f"methods={methods!r}: a sequence of {', '.join(map(repr, known))}.")
    return {name: known[name] for name in methods}
