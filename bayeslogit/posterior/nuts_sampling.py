"""The exact rung: NUTS on the PyMC model in whitened coordinates, judged by the same bounds as every other rung."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.errors import ArgumentError
from bayeslogit.interrupts import deferred, heeded
from bayeslogit.mode import Mode
from bayeslogit.posterior.certificate import checks_of, verdict
from bayeslogit.posterior.ground import Ground
from bayeslogit.posterior.nuts_bridge import bridge_evidence
from bayeslogit.posterior.nuts_chains import Chains
from bayeslogit.posterior.nuts_model import Compiled, WhitenedTarget, build, compiled
from bayeslogit.posterior.rung import Rung
from bayeslogit.target import LogPosterior

Array = NDArray[np.float64]
SAMPLERS = ("pymc", "nutpie", "numpyro", "blackjax")
# Those that come with an extra of ours.
_EXTRAS = frozenset({"nutpie", "numpyro"})
# Draws done, draws in all.
Progress = Callable[[int, int], None]
_PROGRESS_EVERY = 50
# PyMC's name of a statistic -> ArviZ's.
STATISTICS = {
    "model_logp": "lp",
    "diverging": "diverging",
    "energy": "energy",
    "depth": "tree_depth",
    "tree_size": "n_steps",
    "step_size": "step_size",
    "mean_tree_accept": "acceptance_rate",
}
_MOST_BRIDGED = 4000


def sample_nuts(
    target: LogPosterior,
    mode: Mode,
    *,
    draws: int = 4000,
    rng: int | np.random.Generator = 0,
    chains: int = 4,
    tune: int = 200,
    sampler: str = "pymc",
    accept: float = 0.8,
    evidence: bool = True,
    progress: Progress | None = None,
) -> Rung:
    """Draw from the posterior by NUTS.

    Parameters
    ----------
    draws : int
        In all, over chains.
    chains : int
        At least 2, so that they can be compared.
    tune : int
        Warm-up of each chain; short, because the whitening has done most of its work.
    sampler : {"pymc", "nutpie", "numpyro", "blackjax"}
        Whose NUTS; all but the first have to be installed, and compile anew each time.
    accept : float
        Acceptance rate aimed at.
    evidence : bool
        Whether to bridge for the log evidence (NaN without).
    progress : function, optional
        Called with the number of draws done and to do.

    Returns
    -------
    Rung
        Its estimator is a `Chains`.

    Raises
    ------
    ArgumentError
        If the sampler is unknown or not installed, or the counts make no chains.
    """
    check_chains(sampler, draws, chains, tune, accept)
    began = time.perf_counter()
    generator = np.random.default_rng(rng)
    ground = Ground.of(target)
    whitened = WhitenedTarget.at(ground, mode)
    each = -(-draws // chains)
    if sampler == "pymc":
        z, statistics, warming = _with_pymc(whitened, each, chains, tune, accept, generator, progress)
    else:
        warming = 0
        z, statistics = _with_another(sampler, whitened, each, chains, tune, accept, generator)
    values = ground.lift(whitened.theta(z.reshape(-1, z.shape[2])), generator)
    made = Chains(values.reshape(*z.shape[:2], -1), statistics)
    evaluations = warming + int(np.sum(statistics.get("n_steps", 0)))
    log_evidence, error = math.nan, math.nan
    if evidence and not target.prior.whole:
        log_evidence, error, more = _evidence(whitened, Chains(z), generator)
        evaluations += more
    columns, seconds = tuple(target.prior.columns), time.perf_counter() - began
    notes = ("No log evidence: the prior of the whole model is not normalised.",) if target.prior.whole else ()
    return chain_rung(columns, made, draws, (log_evidence, error), evaluations, seconds, notes)


def check_chains(sampler: str, draws: int, chains: int, tune: int, accept: float) -> None:
    """Refuse what makes no chains.

    Raises
    ------
    ArgumentError
        If the sampler is unknown or not installed, or a number cannot be right.
    """
    if sampler not in SAMPLERS:
        raise ArgumentError(f"sampler={sampler!r}: NUTS comes from one of {', '.join(SAMPLERS)}.")
    if find_spec(sampler) is None:
        package = f"bayeslogit[{sampler}]" if sampler in _EXTRAS else sampler
        raise ArgumentError(
            f"sampler={sampler!r} is not installed. Install it (pip install '{package}'), or use sampler='pymc'."
        )
    if chains < 2 or draws < 4 * chains:
        raise ArgumentError(f"draws={draws}, chains={chains}: at least 2 chains of 4 draws each are needed.")
    if tune < 0 or not 0.0 < accept < 1.0:
        raise ArgumentError(f"tune={tune}, target_accept={accept}: a number of steps, and a rate between 0 and 1.")


def chain_rung(
    columns: tuple[str, ...],
    made: Chains,
    draws: int,
    evidence: tuple[float, float],
    evaluations: int,
    seconds: float,
    notes: tuple[str, ...] = (),
    beside: tuple[tuple[str, ...], Chains] | None = None,
) -> Rung:
    """What chains say of the coefficients, and whether they can be believed.

    Parameters
    ----------
    beside : tuple, optional
        Names and chains of other unknowns that were drawn along: they have to have mixed as well.
    """
    ess = made.ess()
    moments, checks = checks_of(columns, made)
    failed, doubts = made.troubles(columns, ess)
    if beside is not None:
        more = Chains(beside[1].draws).troubles(beside[0], beside[1].ess())
        failed, doubts = failed + more[0], doubts + more[1]
    level, found = verdict(checks, *evidence, failed)
    if doubts and level == "certified":
        level = "approximate"
    r_hat = float(np.max(np.concatenate([each.r_hat() for each in ([made] if beside is None else [made, beside[1]])])))
    healthy = f"R-hat at most {r_hat:.3f}, effective sample size at least {ess.min():,.0f}, no divergences"
    reasons = (*found, *doubts) if failed or doubts else (healthy, *found)
    return Rung(
        method="nuts",
        columns=columns,
        mean=moments.mean,
        sd=moments.sd,
        mean_mcse=moments.mean_mcse,
        sd_mcse=moments.sd_mcse,
        values=made.points()[:draws],
        checks=checks,
        khat=math.nan,
        ess=ess,
        log_evidence=evidence[0],
        log_evidence_se=evidence[1],
        n_pairs=0,
        n_evaluations=evaluations,
        elbo=math.nan,
        seconds=seconds,
        level=level,
        reasons=reasons,
        notes=notes,
        estimator=made,
    )


def _evidence(whitened: WhitenedTarget, z: Chains, rng: np.random.Generator) -> tuple[float, float, int]:
    points = z.points()
    step = -(-points.shape[0] // _MOST_BRIDGED)
    thinned = points[::step]
    ess = min(float(np.min(z.ess())), float(thinned.shape[0]))
    value, error = bridge_evidence(whitened.log_density, thinned, ess, rng)
    return value, error, 4 * (thinned.shape[0] - thinned.shape[0] // 2)


# --- samplers --------------------------------------------------------------------------------------------------------


def _with_pymc(
    whitened: WhitenedTarget,
    draws: int,
    chains: int,
    tune: int,
    accept: float,
    rng: np.random.Generator,
    progress: Progress | None,
) -> tuple[Array, dict[str, Array], int]:
    """Chain after chain with PyMC's NUTS step, whose compiled density is kept from one call to the next."""
    machine = compiled(whitened, accept)
    z = np.empty((chains, draws, whitened.size))
    statistics = {name: np.empty((chains, draws)) for name in STATISTICS.values()}
    warming = 0
    with machine.lock, deferred():
        machine.fill(whitened.data())
        for chain, (own, start) in enumerate(zip(rng.spawn(chains), rng.spawn(chains), strict=True)):

            def report(done: int, chain: int = chain) -> None:
                if progress is not None and done % _PROGRESS_EVERY == 0:
                    progress(chain * (tune + draws) + done, chains * (tune + draws))

            found = one_chain(machine, start.standard_normal(z.shape[2]), own, draws, tune, report)
            z[chain] = found[0]
            for name, values in found[1].items():
                statistics[name][chain] = values
            warming += found[2]
    statistics["diverging"] = statistics["diverging"].astype(bool)
    return z, statistics, warming


def one_chain(
    machine: Compiled, start: Array, rng: np.random.Generator, draws: int, tune: int, report: Callable[[int], None]
) -> tuple[Array, dict[str, Array], int]:
    """Draws of z after the warm-up, shape (draws, k), what the sampler said of each, and gradients of the warm-up."""
    step = machine.step
    step.reset_tuning()
    step.setup_chain(rng, tune, draws)
    point: Mapping[str, Any] = {"z": start}
    z = np.empty((draws, start.size))
    statistics = {name: np.empty(draws) for name in STATISTICS.values()}
    warming = 0
    for done in range(-tune, draws):
        if done == 0:
            step.stop_tuning()
        point, (found,) = step.step(point)
        report(done + tune + 1)
        if done >= 0:
            z[done] = point["z"]
            for theirs, ours in STATISTICS.items():
                statistics[ours][done] = found[theirs]
        else:
            warming += int(found["tree_size"])
    return z, statistics, warming


def _with_another(
    sampler: str,
    whitened: WhitenedTarget,
    draws: int,
    chains: int,
    tune: int,
    accept: float,
    rng: np.random.Generator,
) -> tuple[Array, dict[str, Array]]:
    """The same model in another sampler's hands."""
    model = build(whitened.families, whitened.data(), whitened.size)
    tree = by_another(sampler, model, draws, chains, tune, accept, rng)
    return np.asarray(tree["posterior"]["z"], dtype=np.float64), statistics_of(tree)


def by_another(
    sampler: str, model: Any, draws: int, chains: int, tune: int, accept: float, rng: np.random.Generator
) -> Any:
    """A PyMC model in the hands of a sampler that PyMC knows: a DataTree."""
    import pymc as pm

    with model, heeded():
        return pm.sample(
            draws=draws,
            tune=tune,
            chains=chains,
            target_accept=accept,
            nuts_sampler=sampler,
            random_seed=int(rng.integers(2**31)),
            progressbar=False,
            compute_convergence_checks=False,
            quiet=True,
        )


def statistics_of(tree: Any) -> dict[str, Array]:
    """What a sampler said of each draw, by the names that it shares with PyMC."""
    statistics = {name: np.asarray(tree["sample_stats"][name]) for name in tree["sample_stats"].data_vars}
    return {name: statistics[name] for name in STATISTICS.values() if name in statistics}
