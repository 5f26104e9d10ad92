"""Chains of draws: what they say, with Monte-Carlo errors from their autocorrelation, and whether they have mixed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.posterior.rung import CHECKED_QUANTILES, Estimator, Moments

Array = NDArray[np.float64]
# Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021): mixed below the first, and nothing to rely on above the
# second; Betancourt (2016) for the energy; divergences among more than this share of the draws spoil all of them.
_MIXED, _NOT_MIXED = 1.01, 1.05
_LEAST_ENERGY = 0.3
_MOST_DIVERGENT = 0.01
_LEAST_ESS = 100.0


@dataclass(frozen=True, eq=False)
class Chains(Estimator):
    """Draws chain by chain, in the user's columns.

    Attributes
    ----------
    draws : array, shape (chains, draws, p)
    statistics : mapping of str to array, shape (chains, draws)
        Of each draw, as ArviZ names them: lp, diverging, energy, tree_depth, n_steps, step_size, acceptance_rate.
    """

    draws: Array
    statistics: Mapping[str, Array] = field(default_factory=dict)

    def points(self) -> Array:
        """Draws of all chains, the first of each first; shape (S, p)."""
        return np.ascontiguousarray(np.swapaxes(self.draws, 0, 1).reshape(-1, self.draws.shape[2]))

    def log_weights(self) -> Array:
        count = self.draws.shape[0] * self.draws.shape[1]
        return np.full(count, -math.log(count))

    def _functions(self, rows: Array | None) -> Array:
        """Linear functions, shape (m, chains, draws)."""
        found = self.draws if rows is None else self.draws @ rows.T
        return np.moveaxis(found, 2, 0)

    def moments(self, rows: Array | None = None) -> Moments:
        """Of linear functions, or of every column."""
        u = self._functions(rows)
        flat = u.reshape(u.shape[0], -1)
        return Moments(flat.mean(axis=1), flat.std(axis=1, ddof=1), mcse(u, "mean"), mcse(u, "sd"))

    def quantiles(self, probs: Array, rows: Array | None = None) -> tuple[Array, Array]:
        """Of linear functions, or of every column, and their Monte-Carlo errors; each shape (len(probs), m)."""
        u = self._functions(rows)
        values = np.quantile(u.reshape(u.shape[0], -1), probs, axis=1)
        return values, np.array([mcse(u, "quantile", float(prob)) for prob in probs]).reshape(values.shape)

    def expect(self, function: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Mean of ``function(points)`` and its Monte-Carlo error."""
        chains, draws = self.draws.shape[:2]
        values = np.asarray(function(self.points()), dtype=np.float64)
        by_chain = np.moveaxis(values.reshape(draws, chains, -1), (0, 1, 2), (2, 1, 0))
        error = mcse(by_chain, "mean")
        return values.mean(axis=0), error.reshape(values.shape[1:])

    def ess(self) -> Array:
        """Effective number of independent draws of each column, the smaller of bulk and tails; shape (p,)."""
        array_stats = _array_statistics()
        u = np.moveaxis(self.draws, 2, 0)
        kinds = (("bulk", None), ("tail", (CHECKED_QUANTILES[0], CHECKED_QUANTILES[-1])))
        each = [[float(array_stats.ess(one, method=kind, prob=tails)) for kind, tails in kinds] for one in u]
        return np.min(each, axis=1)

    def r_hat(self) -> Array:
        """Of each column: rank-normalised, split; shape (p,)."""
        array_stats = _array_statistics()
        return np.array([float(array_stats.rhat(one)) for one in np.moveaxis(self.draws, 2, 0)])

    def energy(self) -> Array:
        """E-BFMI of each chain; empty where the sampler reports no energies."""
        array_stats = _array_statistics()
        if "energy" not in self.statistics:
            return np.empty(0)
        return np.atleast_1d(np.asarray(array_stats.bfmi(self.statistics["energy"]), dtype=np.float64))

    def divergences(self) -> int:
        return int(np.sum(self.statistics.get("diverging", np.zeros(0))))

    def troubles(self, columns: tuple[str, ...], ess: Array) -> tuple[list[str], list[str]]:
        """What speaks against the chains, whatever the Monte-Carlo errors: what spoils them, and what is doubtful."""
        failed: list[str] = []
        doubts: list[str] = []
        r_hat = self.r_hat()
        worst = int(np.argmax(np.nan_to_num(r_hat, nan=np.inf)))
        if not r_hat[worst] <= _MIXED:
            into = doubts if r_hat[worst] <= _NOT_MIXED else failed
            into.append(f"the chains have not mixed: R-hat of {columns[worst]!r} is {r_hat[worst]:.3f}")
        thin = int(np.argmin(np.nan_to_num(ess)))
        if not ess[thin] >= _LEAST_ESS * self.draws.shape[0]:
            into = doubts if ess[thin] >= _LEAST_ESS else failed
            into.append(f"the effective sample size of {columns[thin]!r} is only {ess[thin]:.0f}")
        count = self.divergences()
        if count:
            share = count / (self.draws.shape[0] * self.draws.shape[1])
            (failed if share > _MOST_DIVERGENT else doubts).append(f"{count} divergent transitions")
        energy = self.energy()
        if energy.size and not energy.min() >= _LEAST_ENERGY:
            doubts.append(f"E-BFMI is {energy.min():.2f}: the momentum is explored too slowly")
        return failed, doubts


def _array_statistics() -> Any:
    """ArviZ's statistics of plain arrays."""
    from arviz_stats import base

    module: Any = base  # the package does not declare what it exports
    return module.array_stats


def mcse(u: Array, method: str, prob: float | None = None) -> Array:
    """Monte-Carlo standard error of each quantity, draws of shape (m, chains, draws); 0 where it does not vary."""
    array_stats = _array_statistics()
    if method == "sd":
        # From the squares, by the delta method: up to 1.3.0 arviz-stats takes the autocorrelation of the draws for
        # theirs, and draws that alternate, as those of NUTS do, would have half the error.
        squares = np.square(u - u.mean(axis=(1, 2), keepdims=True))
        return mcse(squares, "mean") / (2.0 * np.sqrt(np.maximum(squares.mean(axis=(1, 2)), 1e-300)))
    result = np.empty(u.shape[0])
    for j, one in enumerate(u):
        flat = np.ptp(one) == 0.0
        result[j] = 0.0 if flat else float(array_stats.mcse(one, method=method, prob=prob))
    return result
