"""Every rung of the ladder against a long reference: error, verdict and time, on real and planted data sets.

The reference is an importance sample of its own, up to 100 times as long as what a rung takes. Errors are the largest
over all coefficients, in the units of their bounds: 1 is 0.01 sd for a mean, 1 % for an sd, 0.015 sd for a quantile at
5, 50 or 95 %, 0.01 nat for the evidence. Then simulation-based calibration of the fast rungs, and the time of PyMC's
NUTS on the same model. ``python benchmarks/posterior.py --quick`` takes a shorter reference and leaves NUTS out.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import bayeslogit as bl
from bayeslogit.calibration import simulated_ranks
from bayeslogit.errors import FitError
from bayeslogit.posterior.certificate import checks_of
from bayeslogit.posterior.ground import Ground
from bayeslogit.posterior.importance import sample_importance, sample_laplace, sample_variational
from bayeslogit.posterior.nuts_sampling import sample_nuts
from bayeslogit.posterior.pair_estimator import PairEstimator
from bayeslogit.posterior.pairs import Pairs, Proposal
from bayeslogit.posterior.quadrature import affordable, sample_quadrature
from bayeslogit.posterior.rung import EVIDENCE_BOUND, Rung
from bayeslogit.posterior.variational import near_gaussian
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior

HERE = Path(__file__).parent
RUNS = 3
# Numbers that the reference's pairs may hold.
HELD = 1 << 22
REPLICATIONS = 1000
PROPER = bl.Normal(5.0)


def logistic(X: Any, beta: Any, intercept: float, rng: Any) -> Any:
    """Outcomes of a logistic model."""
    return (rng.random(X.shape[0]) < 1.0 / (1.0 + np.exp(-(intercept + X @ beta)))).astype(float)


def iid(n: int, p: int, seed: int = 0) -> bl.Design:
    """Standard normal columns, sd of the log-odds 2."""
    rng = np.random.default_rng(seed)
    X, beta = rng.standard_normal((n, p)), rng.standard_normal(p)
    return bl.Design.from_arrays(X, logistic(X, 2.0 * beta / np.linalg.norm(beta), 0.0, rng))


def rare(n: int = 2000, p: int = 20) -> bl.Design:
    """About one event in a hundred."""
    rng = np.random.default_rng(1)
    X, beta = rng.standard_normal((n, p)), 0.3 * rng.standard_normal(p)
    return bl.Design.from_arrays(X, logistic(X, beta, -5.5, rng))


def separated(n: int = 40, p: int = 5) -> bl.Design:
    """A combination of two columns tells the outcome."""
    X = np.random.default_rng(0).standard_normal((n, p))
    return bl.Design.from_arrays(X, (X[:, 0] + 0.5 * X[:, 1] > 0) * 1.0)


def bioassay() -> bl.Design:
    """Four doses, five animals each (Racine, Grieve, Fluhler and Smith 1986)."""
    dose = np.array([[-0.86], [-0.30], [-0.05], [0.73]])
    return bl.Design.from_arrays(dose, np.array([0.0, 1.0, 3.0, 5.0]), trials=np.full(4, 5.0))


def from_formula(name: str, formula: str) -> bl.Design:
    """A design on one of the bundled data sets."""
    return bl.Design.from_formula(formula, bl.datasets.load(name))


def pima() -> bl.Design:
    """All seven measurements."""
    data = bl.datasets.load("pima")
    names = ["npreg", "glu", "bp", "skin", "bmi", "ped", "age"]
    return bl.Design.from_arrays(data[names], (data["type"] == "Yes").to_numpy().astype(float))


class SkippedError(Exception):
    """A case that cannot be had here."""


def endometrial() -> bl.Design:
    """Of R's brglm2: one of three measurements separates the outcome."""
    if shutil.which("Rscript") is None:
        raise SkippedError("R is not installed")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "endometrial.csv"
        code = f"data(endometrial, package = 'brglm2'); write.csv(endometrial, '{path}', row.names = FALSE)"
        done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SkippedError("R has no package brglm2")
        return bl.Design.from_formula("HG ~ NV + PI + EH", str(path))


CASES: dict[str, tuple[Callable[[], bl.Design], Any]] = {
    "wells": (lambda: from_formula("wells", "switch ~ dist100 + arsenic + educ4 + assoc"), "rstanarm"),
    "Pima": (pima, "rstanarm"),
    "Pima, Laplace prior": (pima, bl.Laplace(0.02)),
    "Pima, Cauchy prior": (pima, bl.Cauchy(0.05)),
    "low birth weight": (
        lambda: from_formula("lbw", "low ~ age + lwt + C(race) + smoke + ptl + ht + ui + ftv"),
        "rstanarm",
    ),
    "endometrial": (endometrial, bl.priors(default=bl.Normal(2.5), intercept=PROPER)),
    "bioassay": (bioassay, bl.priors(default=bl.Normal(10.0), intercept=PROPER)),
    "separated, Normal prior": (separated, bl.priors(default=bl.Normal(2.5), intercept=PROPER)),
    "separated, Cauchy prior": (separated, bl.priors(default=bl.Cauchy(2.5), intercept=PROPER)),
    "rare events": (rare, bl.priors(default=bl.Normal(2.5), intercept=PROPER)),
    "n = 500, p = 8": (lambda: iid(500, 8), bl.Normal(2.5)),
    "n = 100, p = 20": (lambda: iid(100, 20), bl.Normal(2.5)),
    "n = 1,000, p = 100": (lambda: iid(1000, 100), bl.Normal(2.5)),
    "n = 2,000, p = 100": (lambda: iid(2000, 100), bl.Normal(2.5)),
    "n = 500, p = 100": (lambda: iid(500, 100), bl.Normal(2.5)),
    "wide: n = 60, p = 400": (lambda: iid(60, 400), bl.Normal(0.1)),
}


class Reference:
    """Values of every number, with errors, from a long importance sample."""

    def __init__(self, target: LogPosterior, mode: Any, quick: bool) -> None:
        ground = Ground.of(target)
        proposal = Proposal.around(ground, near_gaussian(ground, mode, tol=1e-4).gaussian)
        rng = np.random.default_rng(2**40 + 1)
        pairs = int(min(HELD / (2 if quick else 1) / ground.size, 1_000_000))
        parts = [Pairs.drawn(ground, proposal, min(20_000, pairs), rng) for _ in range(max(1, pairs // 20_000))]
        drawn = Pairs.joined(parts)
        estimator = PairEstimator(ground, proposal, drawn, drawn.log_weights, 0)
        self.checks = checks_of(ground.columns, estimator)[1]
        self.evidence, self.evidence_error = estimator.log_evidence()
        self.pairs = drawn.count

    @property
    def blur(self) -> float:
        """Its own largest error, in bounds."""
        return float(np.max(self.checks.mcse / self.checks.bound))


def errors(rung: Rung, reference: Reference) -> list[float]:
    """Largest error of means, sds, quantiles and evidence, in bounds."""
    off = np.abs(rung.checks.value - reference.checks.value) / reference.checks.bound
    evidence = abs(rung.log_evidence - reference.evidence) / EVIDENCE_BOUND
    return [float(off[0].max()), float(off[1].max()), float(off[2:].max()), evidence]


def broken(rung: Rung, reference: Reference) -> tuple[int, int]:
    """How many certified numbers break their promise, and how many there are."""
    if rung.level != "certified":
        return 0, 0
    error = np.abs(rung.checks.value - reference.checks.value)
    allowed = rung.checks.bound + 3.0 * np.hypot(rung.checks.mcse, reference.checks.mcse)
    return int(np.sum(error > allowed)), error.size


def measure(name: str, quick: bool) -> tuple[list[str], int, int]:
    """The rows of one data set; certified numbers that break their promise, of how many."""
    make, prior = CASES[name]
    try:
        design = make()
    except SkippedError as reason:
        return [f"| {name} | | | | | | skipped: {reason} | | |"], 0, 0
    resolved = (bl.preset(prior) if isinstance(prior, str) else prior).resolve(design)
    target = LogPosterior.of(design, resolved)
    mode = find_mode(target)
    reference = Reference(target, mode, quick)
    rungs: list[Callable[..., Rung]] = [sample_laplace, sample_variational, sample_importance]
    if affordable(target) != "never":
        rungs.append(sample_quadrature)
    rows: list[str] = []
    bad = all_numbers = 0
    for sample in rungs:
        try:
            sample(target, mode, 4000, 0)  # loads what is loaded once
            runs = []
            for seed in range(RUNS):
                began = time.process_time()
                rung = sample(target, find_mode(target), 4000, seed)
                runs.append((time.process_time() - began, rung))
        except FitError as error:
            rows.append(f"| {name} | {sample.__name__.removeprefix('sample_')} | | | | | {error} | |")
            continue
        found = np.max([errors(rung, reference) for _, rung in runs], axis=0)
        for _, rung in runs:
            wrong, many = broken(rung, reference)
            bad, all_numbers = bad + wrong, all_numbers + many
        levels = sorted({rung.level for _, rung in runs})
        rung = runs[-1][1]
        pairs = f"{rung.n_pairs:,}" if rung.n_pairs else ""
        shown = " | ".join("" if np.isnan(value) else f"{value:.2f}" for value in found)
        spent = 1e3 * min(seconds for seconds, _ in runs)
        rows.append(f"| {name} | {rung.method} | {shown} | {', '.join(levels)} | {pairs} | {spent:.0f} |")
    rows.append(
        f"| {name} | *reference* | {reference.blur:.2f} of a bound its own error | | | | {reference.pairs:,} | |"
    )
    return rows, bad, all_numbers


HEADER = (
    "| data | rung | mean | sd | quantiles | evidence | verdict | pairs | CPU ms |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def calibration() -> list[str]:
    """Ranks of coefficients drawn from the prior, on each fast rung; few rows, a rare outcome."""
    X = np.random.default_rng(0).standard_normal((40, 1))
    design = bl.Design.from_arrays(X, np.arange(40.0) % 2.0)
    prior = bl.priors(default=bl.Normal(1.5), intercept=bl.Normal(1.5, mean=-1.0))
    methods = ("laplace", "variational", "importance", "quadrature")
    found = simulated_ranks(design, prior, methods, replications=REPLICATIONS, rng=1)
    lines = [
        "| rung | coefficient | p, uniform ranks | mean rank off, in standard errors | variance of ranks | certified |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in methods:
        certified = found.levels[name].count("certified") / REPLICATIONS
        columns = zip(found.columns, found.p_values(name), found.shift(name), found.spread(name), strict=True)
        lines += [
            f"| {name} | {c} | {p:.3f} | {shift:+.1f} | {v:.2f} | {certified:.0%} |" for c, p, shift, v in columns
        ]
    return lines


def against_nuts(name: str) -> list[str]:
    """Time of certified importance sampling, of our whitened NUTS, and of the samplers' own on the same model."""
    import pymc as pm

    make, prior = CASES[name]
    design = make()
    chosen = bl.preset(prior) if isinstance(prior, str) else prior
    target = LogPosterior.of(design, chosen.resolve(design))
    sample_importance(target, find_mode(target), 4000, 0)
    rows = []

    def timed(what: str, run: Callable[[], str]) -> None:
        began, wall = time.process_time(), time.perf_counter()
        said = run()
        rows.append(
            f"| {name} | {what} | {time.process_time() - began:.3g} | {time.perf_counter() - wall:.3g} | {said} |"
        )

    def verdict(rung: Rung) -> str:
        worst = float(np.max(rung.checks.mcse / rung.checks.bound))
        return f"{rung.level}, largest Monte-Carlo error {worst:.2f} of its bound"

    timed("mode and importance", lambda: verdict(sample_importance(target, find_mode(target), 4000, 1)))
    for run in ("first", "again"):
        timed(f"our NUTS, {run}", lambda: verdict(sample_nuts(target, find_mode(target), draws=4000, rng=1)))
    for sampler in ("pymc", "nutpie", "numpyro"):
        if find_spec(sampler) is None:
            rows.append(f"| {name} | {sampler} | | | not installed |")
            continue
        model = bl.to_pymc(design, chosen)
        options: dict[str, Any] = {"draws": 1000, "tune": 1000, "chains": 4, "cores": 1, "random_seed": 1}

        def own(model: Any = model, sampler: str = sampler, options: dict[str, Any] = options) -> str:
            with model:
                pm.sample(nuts_sampler=sampler, progressbar=False, **options)
            return "4 chains, 1000 + 1000"

        for run in ("first", "again"):
            timed(f"{sampler}'s NUTS, {run}", own)
    return rows


def main(quick: bool) -> None:
    """Print the rows of each data set as they are measured; write the page at the end."""
    lines, bad, everything = [HEADER], 0, 0
    print(HEADER)
    for name in CASES:
        rows, wrong, many = measure(name, quick)
        bad, everything = bad + wrong, everything + many
        lines += rows
        print("\n".join(rows), flush=True)
    promise = (
        f"Of {everything:,} certified numbers {bad} were off by more than their bound and three combined Monte-Carlo "
        "errors."
    )
    print(promise)
    ranks = calibration()
    print("\n".join(ranks), flush=True)
    if quick:
        return
    speed = ["| data | what | CPU s | s | |", "| --- | --- | --- | --- | --- |", *against_nuts("Pima")]
    print("\n".join(speed))
    text = (
        "# Every rung against a long reference\n\n"
        f"`python benchmarks/posterior.py`, {date.today():%-d %B %Y}, {os.cpu_count()} cores "
        f"({platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}); "
        f"load {os.getloadavg()[1]:.0f}, so read CPU times. "
        f"Largest error over all coefficients and {RUNS} seeds, in units of the bounds of a certificate (0.01 sd for "
        "means, 1 % for sds, 0.015 sd for quantiles, 0.01 nat for the evidence); CPU milliseconds for the mode and "
        "4,000 draws, the least of the seeds.\n\n"
        + "\n".join(lines)
        + f"\n\n{promise}\n\n## Simulation-based calibration\n\n{REPLICATIONS:,} coefficients from the prior, 40 rows "
        "each, ranks among 99 draws; verdicts stay in whatever they say. A variance above 1 is that of intervals too "
        "narrow.\n\n" + "\n".join(ranks) + "\n\n## Beside NUTS\n\n" + "\n".join(speed) + "\n"
    )
    (HERE / "posterior.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main("--quick" in sys.argv)
