"""The ladder of posteriors: one door to every rung, from the Gaussian at the mode to NUTS."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from bayeslogit.budget import check_memory
from bayeslogit.draw_arguments import count, meant
from bayeslogit.errors import ArgumentError, FitError
from bayeslogit.mode import Mode
from bayeslogit.posterior.importance import climb, sample_importance, sample_laplace, sample_variational
from bayeslogit.posterior.nuts_sampling import Progress, sample_nuts
from bayeslogit.posterior.rung import QUANTILE_BOUND, Rung
from bayeslogit.target import LogPosterior

METHODS = ("auto", "laplace", "variational", "importance", "nuts")
_SYNONYMS = {"normal": "laplace"}
# Standard error of the 5 % quantile of N draws of a normal, in sds, is this over the root of N; and what share of
# independent draws a draw of NUTS is worth in whitened coordinates.
_TAIL, _WORTH = 2.1, 0.8


@dataclass(frozen=True)
class ChainPlan:
    """How NUTS is to be run, if it comes to that.

    Attributes
    ----------
    chains, tune : int
        Number of chains, and warm-up of each.
    sampler : str
        Whose NUTS: "pymc", "nutpie", "numpyro" or "blackjax".
    allowed : bool
        Whether method "auto" may go on to it.
    progress : function, optional
        Called with the number of draws done and to do.
    """

    chains: int = 4
    tune: int = 200
    sampler: str = "pymc"
    allowed: bool = True
    progress: Progress | None = None


def check_method(method: str) -> str:
    """The rung meant by a name, synonyms resolved.

    Raises
    ------
    ArgumentError
        If there is no such rung.
    """
    name = _SYNONYMS.get(str(method), method)
    if name not in METHODS:
        near = meant(method, (*METHODS, *_SYNONYMS))
        raise ArgumentError(f"method={method!r}: a posterior is {', '.join(map(repr, METHODS))}{near or '.'}")
    return name


def sample_posterior(
    target: LogPosterior, mode: Mode, method: str, draws: int, rng: np.random.Generator, plan: ChainPlan
) -> tuple[Rung, tuple[str, ...]]:
    """The rung asked for, and for "auto" what was left behind on the way up.

    "auto" takes quadrature or importance sampling if they certify, or if all that they lack is draws and NUTS would
    lack more; else NUTS. Where NUTS is not allowed, not installed, or fails too, the best of the others is kept, and
    its verdict stands.

    Raises
    ------
    ArgumentError
        If there is no such rung, or a count is not positive.
    FitError
        If there is no finite mode, or the rung cannot be had for this prior.
    """
    name = check_method(method)
    draws = count("draws", draws)
    check_memory(24.0 * draws * len(target.prior.columns), f"draws={draws:,}", "Ask for fewer.", ArgumentError)
    if not mode.converged:
        raise FitError(f"There is no mode to start from. {mode.message}")

    def by_nuts() -> Rung:
        return sample_nuts(
            target,
            mode,
            draws=draws,
            rng=rng,
            chains=plan.chains,
            tune=plan.tune,
            sampler=plan.sampler,
            progress=plan.progress,
        )

    if name == "nuts":
        return by_nuts(), ()
    if name != "auto":
        one = {"laplace": sample_laplace, "variational": sample_variational, "importance": sample_importance}[name]
        return one(target, mode, draws, rng), ()
    first = climb(target, mode, draws, rng)
    if first.level == "certified" or (first.level == "approximate" and _as_good_as_nuts(first, draws)):
        return first, ()
    left = f"{first.method} sampling is {first.level} ({'; '.join(first.reasons)})"
    if not plan.allowed:
        return first, ("NUTS was not allowed",)
    if plan.sampler == "pymc" and find_spec("pymc") is None:
        return first, ("NUTS needs PyMC, which is not installed",)
    last = by_nuts()
    if last.level == "failed" and first.level != "failed":
        return first, (f"nuts failed ({'; '.join(last.reasons)})",)
    return last, (left,)


def _as_good_as_nuts(rung: Rung, draws: int) -> bool:
    """Whether the worst Monte-Carlo error is no larger than that of so many draws of NUTS."""
    with np.errstate(divide="ignore", invalid="ignore"):
        worst = float(np.max(np.nan_to_num(rung.checks.mcse / rung.checks.bound, nan=np.inf), initial=0.0))
    return worst <= _TAIL / math.sqrt(_WORTH * draws) / QUANTILE_BOUND
