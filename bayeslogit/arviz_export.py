"""A posterior as ArviZ 1 reads it: a DataTree whose groups, dimensions and names are those that its functions expect.

Names: "Intercept" is a scalar, the slopes are "beta" over the dimension "coef", rows lie along "obs", the outcome is
"y". Intercept and slopes are apart so that power-scaling can be told to leave the intercept out.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from bayeslogit.arviz_scales import Scales, scales_of
from bayeslogit.draw_arguments import generator
from bayeslogit.draws import Draws
from bayeslogit.errors import FitWarning
from bayeslogit.logistic import log_odds_terms
from bayeslogit.posterior.nuts_chains import Chains
from bayeslogit.prior_draws import draw_prior
from bayeslogit.quantities import replicate
from bayeslogit.resolved import ResolvedPrior
from bayeslogit.sources.matrix import as_rows
from bayeslogit.target import LogPosterior
from bayeslogit.unknown_draws import UnknownDraws

if TYPE_CHECKING:
    import xarray

Array = NDArray[np.float64]
PSEUDO_CHAINS = 4
_AT_ONCE = 1 << 22
_POINTS_AT_ONCE = 256


@dataclass(frozen=True)
class _Data:
    """The rows of a design as arrays: X of shape (n, p), the others (n,)."""

    X: Array
    y: Array
    trials: Array
    weights: Array
    offset: Array

    @property
    def binomial_constant(self) -> Array:
        """``w log C(m, y)`` of each row."""
        return self.weights * (gammaln(self.trials + 1.0) - gammaln(self.y + 1.0) - gammaln(self.trials - self.y + 1.0))

    def log_density(self, flat: Array, successes: Array, failures: Array) -> Array:
        """Of rows with these counts under each draw, shape (S, n)."""
        result = np.empty((flat.shape[0], self.y.size))
        size = max(1, _AT_ONCE // max(self.y.size, 1))
        for lower in range(0, flat.shape[0], size):
            part = slice(lower, lower + size)
            eta = flat[part] @ self.X.T + self.offset
            result[part] = log_odds_terms(eta, successes, failures).log_density
        return result


def to_arviz(draws: Draws, *, rng: int | np.random.Generator = 0) -> xarray.DataTree:
    """The DataTree of a posterior; see `Draws.to_arviz`.

    Raises
    ------
    FitError
        If the fit was loaded from a file, and so holds no rows.

    Warns
    -----
    FitWarning
        If some coefficient has no mean or no sd; the attributes "without_mean" and "without_sd" name it.
    """
    import arviz as az

    random = generator(rng)
    none = _lacking(draws, draws.existence.mean & draws.existence.sd)
    if none:
        warnings.warn(
            f"to_arviz(): {', '.join(none)}: no mean or no sd exists ({'; '.join(draws.existence.reasons)}). Means and "
            "sds of draws, which ArviZ will show, estimate nothing there; quantiles do.",
            FitWarning,
            stacklevel=3,
        )
    chains, statistics = _chains(draws)
    data, first = _rows(draws), int(draws.columns[0] == "Intercept")
    flat, shape = np.ascontiguousarray(chains.reshape(-1, chains.shape[2])), chains.shape[:2]
    likelihood = data.log_density(flat, data.weights * data.y, data.weights * (data.trials - data.y))
    scales = scales_of(draws, flat, _beside(draws)) if isinstance(draws, UnknownDraws) else None
    prior = draws.prior if isinstance(draws, UnknownDraws) else draws.fit.prior
    log_prior = _log_prior(prior, flat, first, scales) | _whole(draws, data, flat)
    density = likelihood.sum(axis=1) + sum(each.reshape(each.shape[0], -1).sum(axis=1) for each in log_prior.values())
    rows = as_rows(data.X, False)
    groups: dict[str, Mapping[str, NDArray[Any]]] = {
        "posterior": _named(flat, first) | (scales.posterior if scales else {}),
        "log_likelihood": {"y": likelihood + data.binomial_constant},
        "log_prior": log_prior,
        "posterior_predictive": {"y": replicate(flat, rows, data.offset, data.trials, random)},
        "prior": _prior(prior, flat.shape[0], first, random),
    }
    tree: dict[str, Any] = {
        group: {name: value.reshape(*shape, *value.shape[1:]) for name, value in values.items()}
        for group, values in groups.items()
        if values
    }
    tree["sample_stats"] = {"lp": density.reshape(shape)} | {k: v for k, v in statistics.items() if k != "lp"}
    tree["observed_data"] = {"y": data.y.astype(np.int64)}
    tree["constant_data"] = {"trials": data.trials.astype(np.int64), "weights": data.weights, "offset": data.offset}
    if len(draws.columns) > first:
        tree["constant_data"]["X"] = data.X[:, first:]
    rows_along = {name: ["obs"] for name in ("y", "trials", "weights", "offset")}
    made: xarray.DataTree = az.from_dict(
        tree,
        coords={"coef": list(draws.columns[first:]), "obs": np.arange(data.y.size)} | (scales.coords if scales else {}),
        dims=rows_along | {"beta": ["coef"], "X": ["obs", "coef"]} | (scales.dims if scales else {}),
        attrs={"/": _attributes(draws)},
    )
    return made


def _rows(draws: Draws) -> _Data:
    blocks = list(draws.data("to_arviz()").source.blocks())
    X = np.vstack([block.X.toarray() for block in blocks])
    keys = ("y", "trials", "weights", "offset")
    return _Data(X, *(np.concatenate([getattr(block, key) for block in blocks]) for key in keys))


def _chains(draws: Draws) -> tuple[Array, Mapping[str, Array]]:
    """Draws as chains, shape (chains, draws, p), and what the sampler said of each."""
    made = draws.rung.estimator
    if isinstance(made, Chains):
        return made.draws, made.statistics
    count = _pseudo_chains(draws.n)
    return draws.values.reshape(count, draws.n // count, -1), {}


def _pseudo_chains(n: int) -> int:
    """The most chains, up to four, that share so many draws evenly and are no shorter than four each."""
    return next((count for count in range(PSEUDO_CHAINS, 1, -1) if n % count == 0 and n >= 4 * count), 1)


def _named(flat: Array, first: int) -> dict[str, Array]:
    """Intercept and slopes apart."""
    named = {"Intercept": flat[:, 0]} if first else {}
    return named | ({"beta": flat[:, first:]} if flat.shape[1] > first else {})


def _beside(draws: UnknownDraws) -> Array:
    """The scales of each draw of `_chains`, shape (S, m)."""
    made = draws.hyper.scales.chains
    if made is None:
        return draws.hyper.values[: PSEUDO_CHAINS * (draws.n // PSEUDO_CHAINS)]
    return np.ascontiguousarray(made.draws.reshape(-1, made.draws.shape[2]))


def _log_prior(prior: ResolvedPrior, flat: Array, first: int, scales: Scales | None = None) -> dict[str, Array]:
    """The log prior density of each draw: by parameter, terms that are not products apart; they add up to the whole."""
    by_column, joint = np.zeros(flat.shape), {}
    if scales is not None:
        by_column, joint = scales.by_column, dict(scales.joint)
    for number, term in enumerate(prior.terms):
        if not term.proper or term.open:
            continue
        u = flat[:, list(term.columns)] if term.map is None else flat @ term.map.T
        if term.family in ("multivariate_normal", "group_laplace"):
            joint[f"{term.family}_{number}"] = np.asarray(term.density.log_density(u, **term.parameters))
            continue
        for k, j in enumerate(term.columns):
            own = {key: value[k : k + 1] for key, value in term.parameters.items()}
            by_column[:, j] = term.density.log_density(u[:, k : k + 1], **own)
    return _named(by_column, first) | joint


def _whole(draws: Draws, data: _Data, flat: Array) -> dict[str, Array]:
    """A term of the whole model under each draw, not normalised."""
    prior = draws.fit.prior
    if not prior.whole:
        return {}
    if prior.whole == "diaconis_ylvisaker":
        count = data.weights * data.trials
        share = 0.5 * flat.shape[1] / count.sum() * count
        return {prior.whole: data.log_density(flat, share, share).sum(axis=1)}
    target = LogPosterior.of(draws.data("to_arviz()"), prior)
    gammas = np.array([target.coordinates.gamma(beta) for beta in flat])
    parts = [
        target.whole_log_densities(gammas[lower : lower + _POINTS_AT_ONCE])
        for lower in range(0, gammas.shape[0], _POINTS_AT_ONCE)
    ]
    return {prior.whole: np.concatenate(parts)}


def _prior(prior: ResolvedPrior, n: int, first: int, rng: np.random.Generator) -> dict[str, Array]:
    """Draws of the prior, where it is a distribution."""
    if prior.whole or prior.flat.any():
        return {}
    return _named(draw_prior(prior, n, rng), first)


def _lacking(draws: Draws, there: NDArray[np.bool_]) -> list[str]:
    return [draws.columns[j] for j in np.flatnonzero(~there)]


def _attributes(draws: Draws) -> dict[str, Any]:
    from importlib.metadata import version

    chained = isinstance(draws.rung.estimator, Chains)
    count = _pseudo_chains(draws.n)
    kind = "chains of NUTS" if chained else f"{count} pseudo-chain{'s' * (count > 1)} of independent draws"
    prior = draws.prior if isinstance(draws, UnknownDraws) else draws.fit.prior
    return {
        "inference_library": "bayeslogit",
        "inference_library_version": version("bayeslogit"),
        "modeling_interface": "bayeslogit",
        "method": draws.method,
        "verdict": draws.verdict.level,
        "verdict_in_words": draws.verdict.in_words,
        "chains": kind,
        "without_mean": ", ".join(_lacking(draws, draws.existence.mean)),
        "without_sd": ", ".join(_lacking(draws, draws.existence.sd)),
        "moments": "; ".join((*draws.existence.reasons, draws.existence.undecided)).strip("; "),
        "independent_draws": int(not chained),
        "prior": prior.name,
        "log_likelihood_constant": "includes w log C(m, y) of each row; log_evidence and fit.log_likelihood do not",
        "lp": "log likelihood without that constant, plus log prior; not divided by the evidence",
        "log_evidence": draws.log_evidence,
        "log_evidence_se": draws.log_evidence_se,
        "flat_columns": ", ".join(prior.columns[j] for j in np.flatnonzero(prior.flat)),
        "weighted": int(draws.fit.facts.fractional_weights),
    }
