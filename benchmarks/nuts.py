"""NUTS in our coordinates beside PyMC's own NUTS on the plain model: gradients for each effective draw.

Both sample the same posterior with four chains. Ours: ordinary priors in the coordinates of the variational Gaussian,
unknown scales in those of `ScaleTarget`, with our default warm-up. Theirs: the model of `bayeslogit.to_pymc` with
PyMC's defaults (1,000 steps of warm-up, acceptance 0.8; 0.95 for the horseshoe). Gradients are counted with those of
the warm-up; effective draws are the least over all coefficients (and tau). Seconds are wall clock, compilation
included. ``python benchmarks/nuts.py`` prints the table and writes it to nuts.md.
"""

from __future__ import annotations

import os
import platform
import time
import warnings
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import bayeslogit as bl

HERE = Path(__file__).parent
DRAWS = 4000


def correlated(rho: float) -> bl.Design:
    """1,000 rows, 20 columns with correlation rho ** |i - j|, sd of the log-odds 2."""
    rng = np.random.default_rng(0)
    lag = np.abs(np.subtract.outer(np.arange(20), np.arange(20)))
    X = rng.standard_normal((1000, 20)) @ np.linalg.cholesky(rho**lag).T
    beta = rng.standard_normal(20)
    eta = X @ beta
    eta *= 2.0 / eta.std()
    return bl.Design.from_arrays(X, (rng.random(1000) < 1.0 / (1.0 + np.exp(-eta))).astype(float))


def counties() -> bl.Design:
    """Forty counties of 5 to 40 rows each, sd of their levels 0.7, as columns of their own."""
    rng = np.random.default_rng(1)
    trials = rng.integers(5, 41, 40)
    level = 0.7 * rng.standard_normal(40)
    y = rng.binomial(trials, 1.0 / (1.0 + np.exp(0.5 - level)))
    return bl.Design.from_arrays(np.eye(40), y, trials=trials)


def sparse() -> bl.Design:
    """As in tests/golden/horseshoe.py."""
    rng = np.random.default_rng(11)
    root = np.linalg.cholesky(0.5 ** np.abs(np.subtract.outer(np.arange(8), np.arange(8))))
    X = rng.standard_normal((120, 8)) @ root.T
    return bl.Design.from_arrays(X, (rng.random(120) < 1.0 / (1.0 + np.exp(0.3 - 1.5 * X[:, 0] + X[:, 4]))).astype(int))


def cases() -> dict[str, tuple[bl.Design, Any, float]]:
    """Name -> design, prior, PyMC's acceptance rate."""
    wells = bl.Design.from_formula("switch ~ dist100 + arsenic + assoc + educ4", bl.datasets.load("wells"))
    return {
        "wells, normal(1)": (wells, bl.Normal(1.0), 0.8),
        "20 independent columns, normal(1)": (correlated(0.0), bl.Normal(1.0), 0.8),
        "20 columns, correlation 0.9, normal(1)": (correlated(0.9), bl.Normal(1.0), 0.8),
        "40 counties, Hierarchical(1)": (counties(), bl.Hierarchical(1.0), 0.8),
        "8 columns, Horseshoe(0.1)": (sparse(), bl.Horseshoe(global_scale=0.1), 0.95),
    }


def ours(design: bl.Design, prior: Any) -> tuple[float, float, int, float]:
    """Gradients, effective draws, divergences, seconds."""
    began = time.perf_counter()
    draws = bl.sample(design, prior=prior, method="nuts", draws=DRAWS, rng=1)
    seconds = time.perf_counter() - began
    ess = float(draws.ess.min())
    if hasattr(draws, "hyper"):
        ess = min(ess, float(draws.hyper.ess["tau"]))
    return draws.rung.n_evaluations, ess, draws.rung.estimator.divergences(), seconds


def theirs(design: bl.Design, prior: Any, accept: float) -> tuple[float, float, int, float]:
    """The same of PyMC's sampler on the plain model."""
    import arviz as az
    import pymc as pm

    began = time.perf_counter()
    with bl.to_pymc(design, prior):
        tree = pm.sample(
            draws=DRAWS // 4,
            tune=1000,
            chains=4,
            cores=1,
            target_accept=accept,
            nuts_sampler="pymc",
            random_seed=1,
            progressbar=False,
            discard_tuned_samples=False,
        )
    seconds = time.perf_counter() - began
    stats = tree["sample_stats"]
    steps = sum(float(np.sum(tree[group]["n_steps"])) for group in ("sample_stats", "warmup_sample_stats"))
    names = [name for name in ("Intercept", "beta", "beta_tau") if name in tree["posterior"]]
    found = [np.atleast_1d(np.asarray(az.ess(tree["posterior"].to_dataset()[[n]])[n])) for n in names]
    tails = [np.atleast_1d(np.asarray(az.ess(tree["posterior"].to_dataset()[[n]], method="tail")[n])) for n in names]
    return steps, float(np.min(np.concatenate([*found, *tails]))), int(np.sum(stats["diverging"])), seconds


def main() -> None:
    """Run all cases, print and write the table."""
    lines = [
        "# Gradients of NUTS for each effective draw",
        "",
        f"{date.today().isoformat()}, Python {platform.python_version()}, {os.cpu_count()} cores; "
        "`python benchmarks/nuts.py`. Seconds are of a shared machine: read their ratio at most.",
        "",
        "| posterior | sampler | gradients | effective draws | gradients each | fewer by | divergences | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, (design, prior, accept) in cases().items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows = {"PyMC, plain model": theirs(design, prior, accept), "bayeslogit": ours(design, prior)}
        base = rows["PyMC, plain model"][0] / rows["PyMC, plain model"][1]
        for sampler, (steps, ess, divergent, seconds) in rows.items():
            times = f"{base / (steps / ess):.1f}x" if sampler == "bayeslogit" else ""
            lines.append(
                f"| {name} | {sampler} | {steps:,.0f} | {ess:,.0f} | {steps / ess:.1f} | {times} | {divergent} | "
                f"{seconds:.1f} |"
            )
            print(lines[-1], flush=True)
    (HERE / "nuts.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
