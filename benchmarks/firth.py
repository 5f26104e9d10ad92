"""Firth's estimates against brglm2 (R) and firthmodels (PyPI): same data, rounds in turn, medians, errors beside them.

239 x 6 like the data on which the published timings were made: an intercept and five columns, three of them binary. The
timed calls end with the estimate and its covariance. A peer that is not installed gets a line that says so.
``python benchmarks/firth.py``. Times are those of the processor, on one thread: the wall clock of a shared machine has
the neighbours in it.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import bayeslogit as bl
from bayeslogit.solve import find_mode
from bayeslogit.target import LogPosterior

HERE = Path(__file__).parent
ROUNDS = 5
SEARCH, CALL, BRGLM = "bayeslogit: search", "bayeslogit: fit", "brglm2: brglmFit"
SETTLE = 0.05

R = """
suppressMessages({have <- require(brglm2, quietly = TRUE)})
if (!have) { cat("missing\\n"); quit() }
frame <- read.csv("data.csv"); X <- cbind("(Intercept)" = 1, as.matrix(frame[, -1])); y <- frame$y
seconds <- function(run, times) {
  run()
  now <- function() sum(proc.time()[1:2])
  median(replicate(11, {start <- now(); for (i in seq_len(times)) run(); (now() - start) / times}))
}
tight <- brglmControl(type = "AS_mean")
call <- function() vcov(glm(y ~ ., binomial(), frame, method = "brglmFit", control = tight))
bare <- function() brglmFit(X, y, family = binomial(), control = tight)
cat(sprintf("%.17g", c(seconds(bare, 40), seconds(call, 20), brglmFit(X, y, family = binomial(),
  control = brglmControl(type = "AS_mean"))$coefficients)), "\\n")
"""


def data() -> Any:
    """239 rows, an outcome and five columns."""
    import pandas as pd

    rng = np.random.default_rng(239)
    binary = (rng.random((239, 3)) < (0.5, 0.3, 0.15)).astype(float)
    X = np.column_stack([binary, rng.standard_normal((239, 2))])
    y = (rng.random(239) < 1.0 / (1.0 + np.exp(0.3 - X @ [1.0, -1.2, 1.5, 0.5, 0.0]))).astype(float)
    return pd.DataFrame(np.column_stack([y, X]), columns=["y", *(f"x{j}" for j in range(1, 6))])


def timed(run: Callable[[], Any]) -> float:
    """Median seconds of a run."""
    time.sleep(SETTLE)
    run()
    times = max(1, int(0.02 / _once(run)))
    return statistics.median(_once(run, times) for _ in range(11))


def _once(run: Callable[[], Any], times: int = 1) -> float:
    start = time.process_time()
    for _ in range(times):
        run()
    return (time.process_time() - start) / times


def brglm2(folder: Path) -> list[float] | str:
    """Seconds of brglmFit on arrays and of glm on a formula, and the coefficients; or why not."""
    if shutil.which("Rscript") is None:
        return "R is not installed (Debian: r-base-core)"
    out = subprocess.run(["Rscript", "-e", R], cwd=folder, check=True, capture_output=True, text=True).stdout.split()
    return "brglm2 is not installed (Debian: r-cran-brglm2)" if out == ["missing"] else [float(each) for each in out]


def firthmodels(X: Any, y: Any) -> Callable[[], Any] | str:
    """A fit with standard errors; or why not."""
    try:
        from firthmodels import FirthLogisticRegression
    except ImportError:
        return "firthmodels is not installed (pip install firthmodels)"

    def run() -> Any:
        model = FirthLogisticRegression(gtol=1e-6, xtol=1e-6).fit(X, y)
        return np.concatenate([[model.intercept_], np.ravel(model.coef_)]), model.bse_

    return run


def main() -> None:
    """Print the ratios, and write the page."""
    warnings.simplefilter("ignore")
    frame = data()
    X, y = frame.iloc[:, 1:].to_numpy(), frame["y"].to_numpy()
    design = bl.Design.from_arrays(X, y)
    prior = bl.Jeffreys()
    resolved = prior.resolve(design)
    fit = bl.fit(design, prior=prior, tol=1e-10)
    ours: dict[str, Callable[[], Any]] = {
        SEARCH: lambda: find_mode(LogPosterior.of(design, resolved)).factor.inverse,
        CALL: lambda: bl.fit(design, prior=prior).posterior.covariance(),
    }
    seconds: dict[str, list[float]] = {}
    errors, missing = {CALL: _error(fit, bl.fit(design, prior=prior).params)}, []
    peer = firthmodels(X, y)
    if isinstance(peer, str):
        missing.append(peer)
    else:
        ours["firthmodels: fit"] = peer
        errors["firthmodels: fit"] = _error(fit, peer()[0])
    with tempfile.TemporaryDirectory() as folder:
        frame.to_csv(Path(folder) / "data.csv", index=False)
        for number in range(ROUNDS):
            for name, run in ours.items():
                seconds.setdefault(name, []).append(timed(run))
            found = brglm2(Path(folder))
            if isinstance(found, str):
                missing += [found] if number == 0 else []
                continue
            for name, value in zip((BRGLM, "brglm2: glm, from a formula"), found, strict=False):
                seconds.setdefault(name, []).append(value)
            errors[BRGLM] = _error(fit, found[2:])
    took = {name: statistics.median(each) for name, each in seconds.items()}
    rows = []
    for name, value in took.items():
        ratios = f"{value / took[SEARCH]:.1f} | {value / took[CALL]:.1f}"
        error = f"{errors[name]:.0e}" if name in errors else ""
        rows.append(f"| {name} | {1e3 * value:.3g} | {ratios} | {error} |")
    head = "| 239 x 6 | ms | times our search | times our fit | error, sd |\n|---|---:|---:|---:|---:|"
    text = "\n".join([head, *rows])
    print(text)
    if BRGLM in took:
        print(f"brglm2 / bayeslogit: {took[BRGLM] / took[SEARCH]:.1f} (search), {took[BRGLM] / took[CALL]:.1f} (fit)")
    for line in missing:
        print(f"skipped: {line}")
    if not missing:
        write(text, bl.fit(design, prior=prior))


def _error(fit: bl.Fit, params: Any) -> float:
    """Largest distance from the mode in posterior sds."""
    return float(np.max(np.abs(np.asarray(params) - fit.params.to_numpy()) / fit.bse.to_numpy()))


def write(table: str, fit: bl.Fit) -> None:
    """The results page."""
    text = (
        f"# Firth's estimates, {date.today():%d %B %Y}\n\nMade by `python benchmarks/firth.py` ({platform.machine()}; "
        f"Python {platform.python_version()}, NumPy {np.__version__}). Estimate and covariance; processor time, median "
        f"of {ROUNDS} rounds in turn. brglmFit takes a matrix, as our search does; our fit is the whole call, notes "
        "and facts in it; "
        "firthmodels runs compiled by numba, after its warm-up. Everybody runs at its default tolerance; the error "
        f"beside it says how far from the mode that is. Ours: {fit.mode.n_passes} passes, no compiled code."
        f"\n\n{table}\n"
    )
    (HERE / "firth.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if os.environ.get("OMP_NUM_THREADS") == "1":
        main()
    else:  # read when NumPy is loaded
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        subprocess.run([sys.executable, __file__], env={**os.environ, **one}, check=True)
