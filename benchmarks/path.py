"""L1 paths against the peers: same data, same lambdas, same run; seconds, and how well each point is solved.

The lambdas are glmnet's own where R is there. The certificate is the largest violation of the optimality condition over
all points, ``max |v_j| sd_j`` in posterior sds, worked out here for every solver from its coefficients alone. R needs
the package glmnet (Debian: r-base-core, r-cran-glmnet); skglm, celer and adelie run in that of ``--python``. A
peer that is missing is left out, and the page says so. Timings on shared machines are noisy: only ratios within a table
mean anything. ``python benchmarks/path.py [--quick] [--python PYTHON]``
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
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import bayeslogit as bl

HERE = Path(__file__).parent
ROUNDS = 3
GLMNET = """
arguments <- commandArgs(TRUE); folder <- arguments[1]; thresh <- as.numeric(arguments[2]); own <- arguments[3] == "own"
suppressMessages(library(glmnet))
y <- readBin(file.path(folder, "y.bin"), "double", 1e7)
X <- matrix(readBin(file.path(folder, "X.bin"), "double", 1e9), nrow = length(y))
if (own) f <- glmnet(X, y, family = "binomial", standardize = FALSE) else {
  lambda <- readBin(file.path(folder, "lambda.bin"), "double", 1e6) / length(y)
  seconds <- system.time(f <- glmnet(X, y, family = "binomial", standardize = FALSE, lambda = lambda, thresh = thresh,
                                     maxit = 1e7))[["elapsed"]]
  writeBin(as.vector(as.matrix(coef(f))), file.path(folder, "glmnet.bin")); cat(seconds)
}
if (own) writeBin(f$lambda * length(y), file.path(folder, "lambda.bin"))
"""


class Peer(NamedTuple):
    """A solver and its tolerance."""

    name: str
    tol: float
    label: str


class Line(NamedTuple):
    """One line of the table."""

    label: str
    seconds: float
    violation: float
    ratio: float


def simulated(n: int, p: int, true: int, seed: int = 0) -> tuple[Any, Any]:
    """Independent normal columns, some with normal effects."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    beta = np.zeros(p)
    beta[rng.choice(p, true, replace=False)] = rng.standard_normal(true)
    return X, (rng.random(n) < 1.0 / (1.0 + np.exp(-(X @ beta)))).astype(float)


# --- the peers -----------------------------------------------------------------------------------------------------


def rscript(folder: Path, thresh: float, mode: str) -> float | None:
    """Seconds of one glmnet path; None without R or glmnet."""
    if shutil.which("Rscript") is None:
        return None
    (folder / "glmnet.R").write_text(GLMNET, encoding="utf-8")
    run = subprocess.run(
        ["Rscript", str(folder / "glmnet.R"), str(folder), str(thresh), mode], capture_output=True, text=True
    )
    return float(run.stdout or "nan") if run.returncode == 0 else None


def package(folder: Path, python: str, peer: Peer) -> float | None:
    """Seconds of one path of a Python package; None without it."""
    run = subprocess.run(
        [python, str(HERE / "path_peers.py"), peer.name, str(folder), str(peer.tol)], capture_output=True, text=True
    )
    if run.returncode not in (0, 3):
        print(f"    {peer.label} failed: {run.stderr.strip().splitlines()[-1:]}", flush=True)
    return float(run.stdout) if run.returncode == 0 else None


# --- the certificate -----------------------------------------------------------------------------------------------


class Judge:
    """The optimality condition of ``sum loss + lambda ||b||_1`` with a free intercept, in posterior sds.

    The sds are those given the zero set, by the exact information at our own solution, whose distance from the mode is
    far below the differences that count; at zeros they are those of the coefficient alone.
    """

    def __init__(self, X: Any, y: Any, lambdas: Any, ours: Any) -> None:
        self.X, self.y, self.lambdas = X, y, lambdas
        self.sd = np.array([self._sd(beta) for beta in ours])

    def _sd(self, beta: Any) -> Any:
        active = np.flatnonzero(beta[1:])
        mu = 1.0 / (1.0 + np.exp(-(beta[0] + self.X[:, active] @ beta[1 + active])))
        w = mu * (1.0 - mu)
        sd = np.concatenate([[0.0], 1.0 / np.sqrt(w @ np.square(self.X - self.X.mean(0)))])
        Z = np.column_stack([np.ones(len(w)), self.X[:, active]])
        inverse = np.linalg.inv(Z.T @ (Z * w[:, None]))
        sd[np.concatenate([[0], 1 + active])] = np.sqrt(np.diag(inverse))
        return sd

    def worst(self, found: Any, intercept: bool = True) -> float:
        """Over all points."""
        largest = 0.0
        for beta, lam, sd in zip(found, self.lambdas, self.sd, strict=True):
            active = np.flatnonzero(beta[1:])
            residual = self.y - 1.0 / (1.0 + np.exp(-(beta[0] + self.X[:, active] @ beta[1 + active])))
            score, b = residual @ self.X, beta[1:]
            left = np.where(b != 0.0, np.abs(score - lam * np.sign(b)), np.maximum(np.abs(score) - lam, 0.0))
            largest = max(largest, float(np.max(left * sd[1:])))
            largest = max(largest, abs(float(residual.sum())) * sd[0]) if intercept else largest
        return largest


# --- one table -----------------------------------------------------------------------------------------------------


def compare(title: str, X: Any, y: Any, peers: list[Peer], python: str, rounds: int) -> tuple[list[Line], list[str]]:
    """Ours and the peers on one data set, taking turns."""
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.asfortranarray(X).ravel(order="F").tofile(folder / "X.bin")
        y.tofile(folder / "y.bin")
        if rscript(folder, 1e-7, "own") is None:
            notes.append(
                "R or its package glmnet is missing: 100 lambdas evenly spaced on the log axis instead of its."
            )
            first = np.abs((y - y.mean()) @ (X - X.mean(0))).max()
            np.geomspace(first, first * (1e-4 if X.shape[0] > X.shape[1] else 1e-2), 100).tofile(folder / "lambda.bin")
        lambdas = np.fromfile(folder / "lambda.bin")
        design = bl.Design.from_arrays(X, y)

        def ours() -> Any:
            return bl.path(design, prior=bl.Laplace, base="raw", scales=1.0 / lambdas)

        path = ours()
        judge = Judge(X, y, lambdas, path.points.coefficients)
        seconds: dict[str, list[float]] = {"bayeslogit": []}
        violations = {"bayeslogit": judge.worst(path.points.coefficients)}
        for turn in range(rounds):
            start = time.perf_counter()
            ours()
            seconds["bayeslogit"].append(time.perf_counter() - start)
            for peer in peers:
                if turn and (peer.label not in seconds or seconds[peer.label][0] > 60.0):
                    continue
                glmnet = peer.name == "glmnet"
                took = rscript(folder, peer.tol, "given") if glmnet else package(folder, python, peer)
                if took is None:
                    notes.append(f"{peer.label}: not there, left out.")
                    continue
                seconds.setdefault(peer.label, []).append(took)
                found = np.fromfile(folder / f"{peer.name}.bin").reshape(-1, X.shape[1] + 1)
                violations[peer.label] = judge.worst(found, peer.name != "celer")
    own = statistics.median(seconds["bayeslogit"])
    lines = [
        Line(label, statistics.median(each), violations[label], statistics.median(each) / own)
        for label, each in seconds.items()
    ]
    p = path.points
    notes.append(
        f"{title}: {lambdas.size} lambdas from {lambdas[0]:.4g} to {lambdas[-1]:.4g}, up to {int(p.nonzero.max()) - 1} "
        f"coefficients away from zero; ours took {int(p.passes.sum())} passes, most of them over a few columns, and "
        f"formed {int(p.informations.sum())} informations."
    )
    return lines, notes


def table(lines: list[Line]) -> str:
    """The lines as Markdown."""
    head = "| solver | seconds | largest violation, sd | times ours |\n|---|---:|---:|---:|\n"
    rows = [f"| {x.label} | {x.seconds:.2f} | {x.violation:.0e} | {x.ratio:.1f} |" for x in lines]
    return head + "\n".join(rows)


def main(quick: bool, python: str) -> None:
    """Print every table as it is measured; write the page at the end."""
    both = [Peer("skglm", 1e-5, "skglm 1e-5"), Peer("adelie", 1e-7, "adelie 1e-7 (default)")]
    tall = [Peer("glmnet", 1e-7, "R glmnet 1e-7 (default)"), Peer("glmnet", 1e-11, "R glmnet 1e-11"), *both]
    wide = [Peer("glmnet", 1e-7, "R glmnet 1e-7 (default)"), *both, Peer("celer", 1e-5, "celer 1e-5 (no intercept)")]
    shapes = [(10_000, 1_000, 30, tall), (500, 20_000, 20, wide)]
    if quick:
        shapes = [(2_000, 200, 30, tall), (200, 2_000, 10, wide)]
    pages = []
    for n, p, true, peers in shapes:
        title = f"n = {n:,}, p = {p:,}"
        X, y = simulated(n, p, true)
        lines, notes = compare(title, X, y, peers, python, 1 if quick else ROUNDS)
        print(f"{title}\n{table(lines)}\n" + "\n".join(notes), flush=True)
        pages.append(
            f"## {title}, {true} true effects\n\n{table(lines)}\n\n" + "\n".join(f"- {each}" for each in notes)
        )
    if not quick:
        machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores"
        text = (
            f"# L1 paths, {date.today():%d %B %Y}\n\nMade by `python benchmarks/path.py` ({machine}; Python "
            f"{platform.python_version()}, NumPy {np.__version__}). Median of runs that take turns, each on the same "
            "lambdas; the violation is the largest over all of them, in posterior sds (`max |v_j| sd_j`).\n\n"
        )
        (HERE / "path.md").write_text(text + "\n\n".join(pages) + "\n", encoding="utf-8")


if __name__ == "__main__":
    python = sys.argv[sys.argv.index("--python") + 1] if "--python" in sys.argv else sys.executable
    main("--quick" in sys.argv, python)
