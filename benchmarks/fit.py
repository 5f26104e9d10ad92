"""The mode and its covariance against the peers: same data, same process, equal threads, equal error, interleaved.

Each peer runs at the loosest of its tolerances that brings it within `ERROR` posterior sds of the mode;
our own error is printed beside it. Runs take turns and medians are shown. Timings on shared machines are noisy: only
ratios within a row mean anything. ``python benchmarks/fit.py --quick`` leaves out the largest rows.

"Heq" is the time of the least that Newton's method needs once, in plain NumPy: a gradient and X'WX.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

import bayeslogit as bl
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior

HERE = Path(__file__).parent
ERROR = 1e-4
PRIOR_SD = 1.0
SETTLE = 0.05  # seconds: a BLAS keeps its threads spinning for a while after each call


class Solver(NamedTuple):
    """A peer: ``run(tol)`` fits and returns intercept and slopes; ``covariance`` says whether it gives one too."""

    name: str
    run: Callable[[float], Any]
    tolerances: tuple[float, ...]
    covariance: bool


def simulated(n: int, p: int, seed: int = 0) -> tuple[Any, Any]:
    """AR(0.5) columns, sd of the log-odds 2."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] *= np.sqrt(0.75)
        X[:, j] += 0.5 * X[:, j - 1]
    beta = rng.standard_normal(p)
    eta = X @ beta
    eta *= 2.0 / eta.std()
    return X, (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))).astype(float)


def sparse_data(n: int, p: int, per_row: int, seed: int = 0) -> tuple[Any, Any]:
    """Like words in texts: columns of very different frequency, ``per_row`` values a row."""
    rng = np.random.default_rng(seed)
    weight = 1.0 / np.arange(3, p + 3)
    columns = rng.choice(p, (n, per_row), p=weight / weight.sum())
    rows = np.repeat(np.arange(n), per_row)
    X = sp.csr_array((rng.random(n * per_row) + 0.5, (rows, columns.ravel())), shape=(n, p))
    X.sum_duplicates()
    eta = X @ rng.standard_normal(p)
    return X, (rng.random(n) < 1.0 / (1.0 + np.exp(-(eta - eta.mean()) / eta.std()))).astype(float)


# --- the peers -----------------------------------------------------------------------------------------------------


def sklearn_solver(solver: str, X: Any, y: Any) -> Solver:
    """L2 logistic regression of scikit-learn."""
    from sklearn.linear_model import LogisticRegression

    def run(tol: float) -> Any:
        fitted = LogisticRegression(C=PRIOR_SD**2, solver=solver, tol=tol, max_iter=5000).fit(X, y)
        return np.concatenate([fitted.intercept_, fitted.coef_[0]])

    return Solver(f"sklearn {solver}", run, (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10), False)


def glum_solver(X: Any, y: Any, covariance: bool = True) -> Solver:
    """Glum, with its covariance on request."""
    from glum import GeneralizedLinearRegressor

    n = len(y)
    X = sp.csc_matrix(X) if sp.issparse(X) else X

    def run(tol: float) -> Any:
        model = GeneralizedLinearRegressor(
            family="binomial", alpha=1.0 / (PRIOR_SD**2 * n), l1_ratio=0.0, gradient_tol=tol, max_iter=1000
        ).fit(X, y)
        if covariance:
            model.covariance_matrix(X, y, robust=False, store_covariance_matrix=False)
        return np.concatenate([[model.intercept_], model.coef_])

    name = "glum + its covariance" if covariance else "glum"
    return Solver(name, run, (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10), covariance)


def statsmodels_solver(X: Any, y: Any) -> Solver:
    """Maximum likelihood of statsmodels, which has no errors for penalised fits."""
    import statsmodels.api as sm

    with_constant = sm.add_constant(X)

    def run(tol: float) -> Any:
        return sm.Logit(y, with_constant).fit(disp=False, method="newton", tol=tol, maxiter=100).params

    return Solver("statsmodels Logit (no penalty)", run, (1e-4, 1e-6, 1e-8, 1e-10, 1e-12), True)


# --- timing --------------------------------------------------------------------------------------------------------


def timed(run: Callable[[], Any], times: int = 1) -> float:
    """Seconds of one run; of ``times`` runs on end, so that small ones are not those of a cold cache."""
    time.sleep(SETTLE)
    start = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - start) / times


def interleaved(runs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of each, taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    times = {name: max(1, min(50, int(0.02 / timed(run)))) for name, run in runs.items()}
    for _ in range(rounds):
        for name, run in runs.items():
            seconds[name].append(timed(run, times[name]))
    return {name: statistics.median(each) for name, each in seconds.items()}


def heq(X: Any, y: Any) -> Callable[[], Any]:
    """A gradient and X'WX in NumPy."""
    beta = np.full(X.shape[1], 0.01)

    def run() -> Any:
        mu = 1.0 / (1.0 + np.exp(-(X @ beta)))
        return X.T @ (mu - y), X.T @ ((mu * (1.0 - mu))[:, None] * X)

    return run


def distance(design: bl.Design, prior: Any) -> Callable[[Any], float]:
    """Distance of a coefficient vector from the mode in posterior sds: the norm of the exact information."""
    target = LogPosterior(design, prior.resolve(design))
    reference = find_mode(target, tol=1e-10)
    factor, at = reference.factor, reference.coordinates

    def away(beta: Any) -> float:
        gap = at.gamma(np.asarray(beta, dtype=float)) - at.gamma(reference.beta)
        if reference.subspace is not None:
            # H = Q (H_z - I) Q' + I in units of the prior.
            inner = reference.subspace
            u = gap[inner.reduced] / inner.scale
            z = np.concatenate([gap[inner.kept], inner.basis.T @ u])
            across = u @ u - z[inner.kept.size :] @ z[inner.kept.size :]
            return float(np.sqrt(z @ reference.information @ z + max(across, 0.0)))
        R = factor.R * factor.scale
        return float(np.linalg.norm(R @ gap))

    return away


def loosest(solver: Solver, away: Callable[[Any], float]) -> tuple[float, float]:
    """The loosest tolerance within `ERROR`, and the error there; the tightest if none is."""
    error = np.inf
    for tol in solver.tolerances:
        error = away(solver.run(tol))
        if error <= ERROR:
            return tol, error
    return solver.tolerances[-1], error


class Line(NamedTuple):
    """One line of the table."""

    data: str
    solver: str
    covariance: str
    milliseconds: float
    error: float
    ratio: float
    heq: float
    note: str


def compare(label: str, X: Any, y: Any, peers: list[Solver], *, rounds: int, mode_only: bool = False) -> list[Line]:
    """Ours and the peers on one data set."""
    design = bl.Design.from_arrays(X, y)
    prior = bl.Normal(PRIOR_SD)
    away, away_flat = distance(design, prior), None
    kind = "none" if mode_only else "exact"
    first = timed(lambda: bl.fit(design, prior=prior, covariance=kind))
    fit = bl.fit(design, prior=prior, covariance=kind)

    def ours() -> Any:
        found = bl.fit(design, prior=prior, covariance=kind)
        if kind == "none":
            return found.mode.beta
        return found.posterior.covariance() if X.shape[1] <= X.shape[0] else found.posterior.sd

    runs: dict[str, Callable[[], Any]] = {"ours": ours}
    errors = {"ours": away(fit.mode.beta)}
    if not sp.issparse(X) and X.shape[1] <= X.shape[0]:
        runs["Heq"] = heq(X, y)
    for peer in peers:
        if "no penalty" in peer.name:
            away_flat = away_flat or distance(design, bl.Flat())
            tol, errors[peer.name] = loosest(peer, away_flat)
        else:
            tol, errors[peer.name] = loosest(peer, away)
        runs[peer.name] = lambda peer=peer, tol=tol: peer.run(tol)
    took = interleaved(runs, rounds)
    unit = took.get("Heq", np.nan)
    mode = fit.mode
    note = f"{mode.road.value}: {mode.n_passes} passes, {mode.n_hessians} informations; first call {1e3 * first:.0f} ms"
    name = "bayeslogit" + (" covariance='none'" if mode_only else "")
    lines = [
        Line(
            label,
            name,
            "no" if mode_only else "yes",
            1e3 * took["ours"],
            errors["ours"],
            1.0,
            took["ours"] / unit,
            note,
        )
    ]
    for peer in peers:
        t = took[peer.name]
        given = "yes" if peer.covariance else "no"
        lines.append(Line(label, peer.name, given, 1e3 * t, errors[peer.name], t / took["ours"], t / unit, ""))
    return lines


def penalty(n: int, p: int) -> str:
    """What the penalty costs: the same fit with a flat and with a normal prior."""
    X, y = simulated(n, p)
    design = bl.Design.from_arrays(X, y)
    runs = {
        name: (lambda prior=prior: bl.fit(design, prior=prior).bse)
        for name, prior in {"flat": None, "normal": bl.Normal(PRIOR_SD)}.items()
    }
    took = interleaved(runs, 9)
    ratio = took["normal"] / took["flat"]
    return (
        f"What the penalty costs (n = {n:,}, p = {p}): flat {1e3 * took['flat']:.1f} ms, "
        f"normal {1e3 * took['normal']:.1f} ms, ratio {ratio:.2f}; no more memory (one number a column)."
    )


MEMORY = """
import numpy as np, bayeslogit as bl, re
def kilobytes(name):
    return int(re.search(name + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1])
rng = np.random.default_rng(0)
small, zeros_and_ones = rng.standard_normal((20_000, 100)), rng.integers(0, 2, 20_000)
bl.fit(bl.Design.from_arrays(small, zeros_and_ones), prior=PRIOR).bse  # what is loaded once is not counted
n, p = 1_000_000, 100
X = np.empty((n, p))
for low in range(0, n, 10_000):
    X[low : low + 10_000] = rng.standard_normal((10_000, p))
y = (rng.random(n) < 1 / (1 + np.exp(-X[:, 0] + X[:, 1]))).astype(float)
before = kilobytes("VmRSS")
open("/proc/self/clear_refs", "w").write("5")
fit = bl.fit(bl.Design.from_arrays(X, y), prior=PRIOR)
sd = fit.bse
print(kilobytes("VmHWM") - before, X.nbytes // 1024, fit.mode.road.value)
"""


def memory(prior: str) -> str:
    """Peak memory of design and fit above what held the data before, in a process of its own."""
    run = [sys.executable, "-c", MEMORY.replace("PRIOR", prior)]
    more, size, road = subprocess.run(run, check=True, capture_output=True, text=True).stdout.split(maxsplit=2)
    return (
        f"Memory (n = 1,000,000, p = 100, {prior}): X takes {int(size) / 1024:.0f} MiB; design and fit "
        f"{int(more) / 1024:.0f} MiB more, {100 * int(more) / int(size):.1f} % of X ({road.strip()})."
    )


def first_calls() -> str:
    """Seconds in a new process: the import, and a first fit that loads the compiled loops from the disk cache."""
    code = (
        "import time; a = time.perf_counter(); import bayeslogit as bl; b = time.perf_counter(); import numpy as np\n"
        "rng = np.random.default_rng(0); X = rng.standard_normal((ROWS, 20)); y = rng.integers(0, 2, ROWS)\n"
        "c = time.perf_counter(); bl.fit(bl.Design.from_arrays(X, y)); d = time.perf_counter()\n"
        "bl.fit(bl.Design.from_arrays(X, y)); e = time.perf_counter()\n"
        "print(b - a, d - c, e - d)"
    )
    words = []
    for n in (500, 100_000):
        runs = [
            [
                float(x)
                for x in subprocess.run(
                    [sys.executable, "-c", code.replace("ROWS", str(n))], check=True, capture_output=True, text=True
                ).stdout.split()
            ]
            for _ in range(5)
        ]
        opened, first, warm = (statistics.median(each) for each in zip(*runs, strict=True))
        words.append(f"n = {n:,}, p = 20: first fit {1e3 * first:.0f} ms, next {1e3 * warm:.1f} ms (design and fit)")
    return f"New process: import {opened:.2f} s; " + "; ".join(words) + "."


# --- the table -----------------------------------------------------------------------------------------------------


def table(lines: list[Line]) -> str:
    """The lines as Markdown."""
    head = "| data | solver | covariance | ms | error, sd | times ours | Heq |\n|---|---|---|---:|---:|---:|---:|\n"
    rows = []
    for line in lines:
        unit = "" if np.isnan(line.heq) else f"{line.heq:.1f}"
        late = "" if line.error <= ERROR else " (not reached)"
        rows.append(
            f"| {line.data} | {line.solver} | {line.covariance} | {line.milliseconds:.3g} | {line.error:.0e}{late} "
            f"| {line.ratio:.1f} | {unit} |"
        )
    return head + "\n".join(rows)


def write(lines: list[Line], words: list[str]) -> None:
    """The results page, and the table of the README."""
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores"
    notes = "\n".join(f"- {line.data}: {line.note}" for line in lines if line.note)
    text = (
        f"# The mode and its covariance, {date.today():%d %B %Y}\n\nMade by `make bench` ({machine}; "
        f"Python {platform.python_version()}, NumPy {np.__version__}). Median of interleaved runs. Each peer at its "
        f"loosest "
        f'tolerance within {ERROR:g} posterior sds of the mode; "times ours" is its time over ours in the '
        "same run, and ours includes the whole covariance (wide designs: every sd); "
        '"Heq" is the time of one NumPy gradient and X\'WX.\n\n'
        f"{table(lines)}\n\n## What was done\n\n{notes}\n\n## Besides\n\n"
        + "\n".join(f"- {each}" for each in words)
        + "\n"
    )
    (HERE / "results.md").write_text(text, encoding="utf-8")
    readme = HERE.parent / "README.md"
    before, mark, rest = readme.read_text(encoding="utf-8").partition("<!-- benchmark -->\n")
    if mark:
        _, end, after = rest.partition("<!-- /benchmark -->")
        readme.write_text(f"{before}{mark}{table(lines)}\n{end}{after}", encoding="utf-8")


def main(quick: bool) -> None:
    """Print every row as it is measured; write the page at the end."""
    warnings.simplefilter("ignore")
    lines: list[Line] = []

    def add(more: list[Line]) -> None:
        lines.extend(more)
        print(table(more).split("\n", 2)[2], flush=True)
        print(f"    {more[0].note}", flush=True)

    shapes = [(500, 8, 41), (100_000, 20, 9), (1_000_000, 20, 3), (100_000, 100, 5), (20_000, 400, 5)]
    for n, p, rounds in shapes:
        if quick and n * p > 2_000_000:
            continue
        X, y = simulated(n, p)
        peers = [sklearn_solver("newton-cholesky", X, y), sklearn_solver("lbfgs", X, y), glum_solver(X, y)]
        add(compare(f"n = {n:,}, p = {p}", X, y, [*peers, statsmodels_solver(X, y)], rounds=rounds))
    for n, p in [(20_000, 400)] if not quick else []:
        X, y = simulated(n, p)
        peers = [sklearn_solver("lbfgs", X, y), glum_solver(X, y, covariance=False)]
        add(compare(f"n = {n:,}, p = {p}, mode only", X, y, peers, rounds=5, mode_only=True))
    for p, rounds in [(2_000, 3)] if quick else [(2_000, 5), (6_000, 1)]:
        X, y = simulated(500, p)
        # newton-cholesky takes long: one tolerance.
        cholesky = sklearn_solver("newton-cholesky", X, y)._replace(tolerances=(1e-6,))
        peers = [cholesky, sklearn_solver("lbfgs", X, y)]
        add(compare(f"wide: n = 500, p = {p:,}", X, y, peers, rounds=rounds))
    if not quick:
        X, y = simulated(500, 20_000)
        add(compare("wide: n = 500, p = 20,000", X, y, [sklearn_solver("lbfgs", X, y)], rounds=3))
    X, y = sparse_data(20_000 if quick else 100_000, 1_000, 20)
    peers = [sklearn_solver("lbfgs", X, y), glum_solver(X, y), sklearn_solver("newton-cholesky", X, y)]
    add(compare(f"sparse: n = {X.shape[0]:,}, p = 1,000, 2 % filled", X, y, peers, rounds=3))
    words = [penalty(100_000, 20), first_calls()]
    if not quick:
        words += [memory("bl.Normal(1.0)"), memory("None")]
    print("\n".join(words))
    if not quick:
        write(lines, words)


if __name__ == "__main__":
    main("--quick" in sys.argv)
