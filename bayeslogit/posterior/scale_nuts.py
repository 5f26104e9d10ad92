"""NUTS on coefficients and unknown scales together, with the density and gradient of `ScaleTarget`.

PyMC's NUTS is handed a function instead of a compiled graph: nothing is compiled. Other samplers get the plain PyMC
model of `to_pymc`, which has the same density in other coordinates.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.errors import FitError
from bayeslogit.interrupts import deferred, look
from bayeslogit.posterior.nuts import build_model
from bayeslogit.posterior.nuts_bridge import bridge_evidence
from bayeslogit.posterior.nuts_chains import Chains
from bayeslogit.posterior.nuts_model import Compiled
from bayeslogit.posterior.nuts_sampling import (
    STATISTICS,
    Progress,
    by_another,
    chain_rung,
    check_chains,
    one_chain,
    statistics_of,
)
from bayeslogit.posterior.rung import Rung
from bayeslogit.posterior.scale_blocks import natural
from bayeslogit.posterior.scale_target import ScaleTarget
from bayeslogit.resolved import ResolvedPrior

Array = NDArray[np.float64]
_EVERY = 50
_MOST_BRIDGED = 4000
# Warm-up and acceptance rate that a family asks for: the local scales of a horseshoe have heavy tails in the log too.
TUNE = {"hierarchical": 400, "horseshoe": 800}
ACCEPT = {"hierarchical": 0.9, "horseshoe": 0.95}


@dataclass(frozen=True, eq=False)
class ScaleDraws:
    """Draws of the unknown scales.

    Attributes
    ----------
    names : tuple of str
        One for each scale: "tau", "lambda", "slab".
    term : tuple of int
        The open term of the prior that each belongs to.
    column : tuple of int
        The column that a "lambda" belongs to; -1 for a scale of the whole term.
    values : array, shape (draws, m)
        Row by row beside the draws of the coefficients.
    chains : Chains or None
        Of all of them; None where draws are independent.
    """

    names: tuple[str, ...]
    term: tuple[int, ...]
    column: tuple[int, ...]
    values: Array
    chains: Chains | None


@dataclass
class _Function:
    """What PyMC's step asks of a compiled gradient, about one that needs no compilation."""

    _pytensor_function: Callable[[Array], tuple[Any, Array]]
    _raveled_inputs: bool = True
    dtype: str = "float64"
    _extra_vars_shared: dict[str, Any] = field(default_factory=dict)


def _machine(target: ScaleTarget, accept: float) -> Compiled:
    import pymc as pm

    def density(point: Array) -> tuple[Any, Array]:
        look()  # a draw takes many gradients
        value, gradient = target.value_and_gradient(point)
        return np.float64(value), gradient

    with pm.Model() as model:
        pm.Flat("z", shape=target.size)
        start = {"z": np.zeros(target.size)}
        step = pm.NUTS(initial_point=start, target_accept=accept, rng=0, logp_dlogp_func=_Function(density))
    return Compiled(model, step, threading.Lock())


def sample_scales(
    target: ScaleTarget,
    design: Design,
    prior: ResolvedPrior,
    *,
    draws: int = 4000,
    rng: int | np.random.Generator = 0,
    chains: int = 4,
    tune: int | None = None,
    sampler: str = "pymc",
    accept: float | None = None,
    evidence: bool = True,
    progress: Progress | None = None,
) -> tuple[Rung, ScaleDraws]:
    """Draw coefficients and scales by NUTS.

    Parameters
    ----------
    draws : int
        In all, over chains.
    tune : int, optional
        Warm-up of each chain; by default what the families need.
    accept : float, optional
        Acceptance rate aimed at; by default 0.9, and 0.95 with a horseshoe.
    sampler, chains, evidence, progress
        As in `sample_nuts`.

    Raises
    ------
    ArgumentError
        If the sampler is unknown or not installed, or the counts make no chains.
    FitError
        If no finite starting point was found.
    """
    families = [place.term.family for place in target.places]
    tune = max(TUNE[family] for family in families) if tune is None else tune
    accept = max(ACCEPT[family] for family in families) if accept is None else accept
    check_chains(sampler, draws, chains, tune, accept)
    began, generator, each = time.perf_counter(), np.random.default_rng(rng), -(-draws // chains)
    found: tuple[float, float] = (math.nan, math.nan)
    notes: tuple[str, ...] = ()
    warming = 0
    if sampler == "pymc":
        z, statistics, warming = _with_pymc(target, each, chains, tune, accept, generator, progress)
        flat = z.reshape(-1, target.size)
        values, scales = target.coefficients(flat), target.scales(flat)
        if evidence:
            found = _evidence(target, Chains(z), generator)
    else:
        values, scales, statistics = _with_another(
            sampler, target, design, prior, (each, chains, tune), accept, generator
        )
        notes = (f"No log evidence: draws of {sampler} are not bridged.",)
    shape = (chains, each, -1)
    made, own = Chains(values.reshape(shape), statistics), Chains(scales.reshape(shape))
    names, term, column = _labels(target)
    words = tuple(_in_words(n, t, c, prior, len(families)) for n, t, c in zip(names, term, column, strict=True))
    steps = warming + int(np.sum(statistics.get("n_steps", 0)))
    seconds = time.perf_counter() - began
    rung = chain_rung(tuple(prior.columns), made, draws, found, steps, seconds, notes, (words, own))
    return rung, ScaleDraws(names, term, column, own.points()[:draws], own)


def _labels(target: ScaleTarget) -> tuple[tuple[str, ...], tuple[int, ...], tuple[int, ...]]:
    names: list[str] = []
    term: list[int] = []
    column: list[int] = []
    for number, place in enumerate(target.places):
        own = place.block.names
        names += own
        term += [number] * len(own)
        column += [int(place.columns[i]) if name == "lambda" else -1 for i, name in enumerate(own)]
    return tuple(names), tuple(term), tuple(column)


def _in_words(name: str, term: int, column: int, prior: ResolvedPrior, count: int) -> str:
    if column >= 0:
        return f"{name}[{prior.columns[column]}]"
    return name if count == 1 else f"{name} of open term {term + 1}"


def _with_pymc(
    target: ScaleTarget,
    draws: int,
    chains: int,
    tune: int,
    accept: float,
    rng: np.random.Generator,
    progress: Progress | None,
) -> tuple[Array, dict[str, Array], int]:
    with deferred():
        machine = _machine(target, accept)
    warming = 0
    z = np.empty((chains, draws, target.size))
    statistics = {name: np.empty((chains, draws)) for name in STATISTICS.values()}
    for chain, (own, start) in enumerate(zip(rng.spawn(chains), rng.spawn(chains), strict=True)):

        def report(done: int, chain: int = chain) -> None:
            if progress is not None and done % _EVERY == 0:
                progress(chain * (tune + draws) + done, chains * (tune + draws))

        with deferred():
            found = one_chain(machine, _start(target, start), own, draws, tune, report)
        z[chain] = found[0]
        for name, values in found[1].items():
            statistics[name][chain] = values
        warming += found[2]
    statistics["diverging"] = statistics["diverging"].astype(bool)
    return z, statistics, warming


def _start(target: ScaleTarget, rng: np.random.Generator) -> Array:
    """A point at random about the reference, at which the density is finite."""
    for spread in (1.0, 0.5, 0.1, 0.0):
        point = spread * rng.standard_normal(target.size)
        if math.isfinite(target.value_and_gradient(point)[0]):
            return point
    raise FitError("NUTS found no point of finite density to start from.")


def _evidence(target: ScaleTarget, z: Chains, rng: np.random.Generator) -> tuple[float, float]:
    points = z.points()
    thinned = points[:: -(-points.shape[0] // _MOST_BRIDGED)]
    ess = min(float(np.min(z.ess())), float(thinned.shape[0]))
    return bridge_evidence(target.log_densities, thinned, ess, rng)


def _with_another(
    sampler: str,
    target: ScaleTarget,
    design: Design,
    prior: ResolvedPrior,
    counts: tuple[int, int, int],
    accept: float,
    rng: np.random.Generator,
) -> tuple[Array, Array, dict[str, Array]]:
    """Coefficients and scales of all draws, chain after chain, shapes (S, p) and (S, m)."""
    tree = by_another(sampler, build_model(design, prior), *counts, accept, rng)
    found = {name: np.asarray(tree["posterior"][name], dtype=np.float64) for name in tree["posterior"].data_vars}
    beta = found["beta"].reshape(-1, found["beta"].shape[-1])
    if design.has_intercept:
        beta = np.column_stack([found["Intercept"].reshape(-1), beta])
    parts = []
    for place in target.places:
        (name,) = [key[: -len("_tau")] for key in found if key.endswith("_tau") and _belongs(key, place.term, prior)]
        for kind in dict.fromkeys(place.block.names):
            stored = "slab_square" if kind == "slab" else kind
            values = found[f"{name}_{stored}"].reshape(beta.shape[0], -1)
            parts.append(natural("slab", np.log(values)) if kind == "slab" else values)
    return beta, np.column_stack(parts), statistics_of(tree)


def _belongs(key: str, term: Any, prior: ResolvedPrior) -> bool:
    """Whether a scale of the PyMC model is that of a term: "beta_tau" alone, else by the number of the term."""
    slopes = [other for other in prior.terms if other.columns != (0,) or prior.columns[0] != "Intercept"]
    number = next(i for i, other in enumerate(slopes) if other.columns == term.columns)
    return key in ("beta_tau", f"beta_{term.family}_{number}_tau")
