"""L1 paths against the peers: same data, same lambdas, same run; seconds, and how well each point is solved.

The lambdas are glmnet's own where R is there. The certificate is the largest violation of the optimality condition over
all points, ``max |v_j| sd_j`` in posterior sds, worked out here for every solver from its coefficients alone. Each peer
runs at its default tolerance, or a usual one, and at the first of a ladder that reaches the violation we promise: what
the same work costs. R needs the package glmnet (Debian: r-base-core, r-cran-glmnet); skglm, celer and adelie run in
that of ``--python``. A peer that is missing is left out, and the page says so. On shared machines the time on the clock
is noisy, that of the processors less so: only ratios within a table mean anything.
``python benchmarks/path.py [--quick] [--rounds N] [--python PYTHON]``
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
# The violation that we promise, in posterior sds, and processor seconds after which a peer has no further turn.
PROMISED, TOO_LONG = 1e-4, 60.0
GLMNET = """
arguments <- commandArgs(TRUE); folder <- arguments[1]; thresh <- as.numeric(arguments[2]); own <- arguments[3] == "own"
suppressMessages(library(glmnet))
y <- readBin(file.path(folder, "y.bin"), "double", 1e7)
X <- matrix(readBin(file.path(folder, "X.bin"), "double", 1e9), nrow = length(y))
if (own) f <- glmnet(X, y, family = "binomial", standardize = FALSE) else {
  lambda <- readBin(file.path(folder, "lambda.bin"), "double", 1e6) / length(y)
  took <- system.time(f <- glmnet(X, y, family = "binomial", standardize = FALSE, lambda = lambda, thresh = thresh,
                                  maxit = 1e7))
  writeBin(as.vector(as.matrix(coef(f))), file.path(folder, "glmnet.bin"))
  cat(took[["elapsed"]], took[["user.self"]] + took[["sys.self"]])
}
if (own) writeBin(f$lambda * length(y), file.path(folder, "lambda.bin"))
"""


class Peer(NamedTuple):
    """A solver, with its usual tolerance and a ladder of smaller ones."""

    name: str
    tols: tuple[float, ...]
    note: str = ""

    def label(self, tol: float) -> str:
        """Solver and tolerance."""
        return f"{self.name} {tol:g}{self.note}"


class Took(NamedTuple):
    """What a path has cost."""

    seconds: float
    processor: float


class Line(NamedTuple):
    """One line of the table; seconds on the clock and of the processors."""

    label: str
    took: Took
    violation: float


def simulated(n: int, p: int, true: int, seed: int = 0) -> tuple[Any, Any]:
    """Independent normal columns, some with normal effects."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    beta = np.zeros(p)
    beta[rng.choice(p, true, replace=False)] = rng.standard_normal(true)
    return X, (rng.random(n) < 1.0 / (1.0 + np.exp(-(X @ beta)))).astype(float)


# --- the peers -----------------------------------------------------------------------------------------------------


def rscript(folder: Path, thresh: float, mode: str) -> Took | None:
    """One glmnet path; None without R or glmnet."""
    if shutil.which("Rscript") is None:
        return None
    (folder / "glmnet.R").write_text(GLMNET, encoding="utf-8")
    run = subprocess.run(
        ["Rscript", str(folder / "glmnet.R"), str(folder), str(thresh), mode], capture_output=True, text=True
    )
    return _took(run.stdout) if run.returncode == 0 else None


def package(folder: Path, python: str, peer: Peer, tol: float) -> Took | None:
    """One path of a Python package; None without it."""
    run = subprocess.run(
        [python, str(HERE / "path_peers.py"), peer.name, str(folder), str(tol)], capture_output=True, text=True
    )
    if run.returncode not in (0, 3):
        print(f"    {peer.label(tol)} failed: {run.stderr.strip().splitlines()[-1:]}", flush=True)
    return _took(run.stdout) if run.returncode == 0 else None


def _took(text: str) -> Took:
    seconds, processor = map(float, text.split() or ["nan", "nan"])
    return Took(seconds, processor)


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


class Contest:
    """Ours and the peers on one data set, taking turns."""

    def __init__(self, folder: Path, X: Any, y: Any, python: str) -> None:
        self.folder, self.python, self.notes = folder, python, list[str]()
        np.asfortranarray(X).ravel(order="F").tofile(folder / "X.bin")
        y.tofile(folder / "y.bin")
        if rscript(folder, 1e-7, "own") is None:
            self.notes.append(
                "R or its package glmnet is missing: 100 lambdas evenly spaced on the log axis instead of its."
            )
            first = np.abs((y - y.mean()) @ (X - X.mean(0))).max()
            np.geomspace(first, first * (1e-4 if X.shape[0] > X.shape[1] else 1e-2), 100).tofile(folder / "lambda.bin")
        self.lambdas = np.fromfile(folder / "lambda.bin")
        self.design, self.p = bl.Design.from_arrays(X, y), X.shape[1]
        self.path = self._ours()
        self.judge = Judge(X, y, self.lambdas, self.path.points.coefficients)

    def _ours(self) -> bl.Path:
        return bl.path(self.design, prior=bl.Laplace, base="raw", scales=1.0 / self.lambdas)

    def ours(self) -> Took:
        """Our path once more."""
        start, processor = time.perf_counter(), time.process_time()
        self._ours()
        return Took(time.perf_counter() - start, time.process_time() - processor)

    def peer(self, peer: Peer, tol: float) -> Took | None:
        """Theirs; its coefficients are then in the folder."""
        if peer.name == "glmnet":
            return rscript(self.folder, tol, "given")
        return package(self.folder, self.python, peer, tol)

    def violation(self, peer: Peer) -> float:
        """Of the path that a peer has left in the folder."""
        found = np.fromfile(self.folder / f"{peer.name}.bin").reshape(-1, self.p + 1)
        return self.judge.worst(found, peer.name != "celer")

    def enter(self, peer: Peer) -> dict[float, tuple[Took, float]]:
        """The usual tolerance, and the first that reaches what we promise if one does in time: cost and violation."""
        reached: dict[float, tuple[Took, float]] = {}
        for tol in peer.tols:
            took = self.peer(peer, tol)
            if took is None:
                self.notes.append(f"{peer.label(tol)}: not there, or failed; left out.")
                break
            reached[tol] = took, self.violation(peer)
            print(f"    {peer.label(tol)}: {took.processor:.1f} processor s, {reached[tol][1]:.0e}", flush=True)
            if reached[tol][1] < PROMISED or took.processor > TOO_LONG:
                break
        ends = list(reached)
        return {tol: reached[tol] for tol in dict.fromkeys([*ends[:1], *ends[-1:]])}


def compare(title: str, X: Any, y: Any, peers: list[Peer], python: str, rounds: int) -> tuple[list[Line], list[str]]:
    """Everybody on one data set."""
    with tempfile.TemporaryDirectory() as name:
        contest = Contest(Path(name), X, y, python)
        took = {"bayeslogit": [contest.ours()]}
        reached = {"bayeslogit": contest.judge.worst(contest.path.points.coefficients)}
        turns: list[tuple[Peer, float]] = []
        for peer in peers:
            for tol, (cost, violation) in contest.enter(peer).items():
                took[peer.label(tol)], reached[peer.label(tol)] = [cost], violation
                if cost.processor <= TOO_LONG:
                    turns.append((peer, tol))
        for _ in range(rounds - 1):
            took["bayeslogit"].append(contest.ours())
            for peer, tol in turns:
                one = contest.peer(peer, tol)
                if one is not None:
                    took[peer.label(tol)].append(one)
        p, lambdas = contest.path.points, contest.lambdas
    lines = [
        Line(label, Took(*(statistics.median(part) for part in zip(*each, strict=True))), reached[label])
        for label, each in took.items()
    ]
    words = (
        f"{title}: {lambdas.size} lambdas from {lambdas[0]:.4g} to {lambdas[-1]:.4g}, up to {int(p.nonzero.max()) - 1} "
        f"coefficients away from zero; ours took {int(p.passes.sum())} passes, most of them over a few columns, and "
        f"formed {int(p.informations.sum())} informations."
    )
    return lines, [*contest.notes, words]


def table(lines: list[Line]) -> str:
    """The lines as Markdown."""
    own = lines[0].took
    head = (
        "| solver | seconds | processor seconds | largest violation, sd | times our seconds | times our processor |\n"
        "|---|---:|---:|---:|---:|---:|\n"
    )
    rows = [
        f"| {x.label} | {x.took.seconds:.2f} | {x.took.processor:.2f} | {x.violation:.0e} | "
        f"{x.took.seconds / own.seconds:.1f} | {x.took.processor / own.processor:.1f} |"
        for x in lines
    ]
    return head + "\n".join(rows)


def main(quick: bool, python: str, rounds: int) -> None:
    """Print every table as it is measured; write the page at the end."""
    glmnet = Peer("glmnet", (1e-7, 1e-11, 1e-12, 1e-13))
    python_peers = [Peer("skglm", (1e-4, 1e-6, 1e-7)), Peer("adelie", (1e-7, 1e-11, 1e-12, 1e-13))]
    celer = Peer("celer", (1e-4, 1e-6, 1e-7), " (no intercept)")
    tall, wide = [glmnet, *python_peers], [glmnet, *python_peers, celer]
    shapes = [(500, 20_000, 20, wide), (10_000, 1_000, 30, tall)]
    if quick:
        shapes = [(200, 2_000, 10, wide), (2_000, 200, 30, tall)]
    pages = []
    for n, p, true, peers in shapes:
        title = f"n = {n:,}, p = {p:,}"
        X, y = simulated(n, p, true)
        lines, notes = compare(title, X, y, peers, python, 1 if quick else rounds)
        print(f"{title}\n{table(lines)}\n" + "\n".join(notes), flush=True)
        pages.append(
            f"## {title}, {true} true effects\n\n{table(lines)}\n\n" + "\n".join(f"- {each}" for each in notes)
        )
    if not quick:
        cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[2]
        text = (
            f"# L1 paths, {date.today():%d %B %Y}\n\nMade by `python benchmarks/path.py` ({platform.machine()}, "
            f"{cores} cores; Python {platform.python_version()}, NumPy {np.__version__}). Median of {rounds} rounds in "
            f"which all take turns on the same lambdas; load on the machine: {load:.1f} (a quiet one has less than 1). "
            "Ours and adelie use all cores, the others one, so that processor seconds compare the work. The violation "
            "is the largest over all lambdas, in posterior sds (`max |v_j| sd_j`); we promise 1e-4. Each peer runs at "
            "its usual tolerance and at the first of a ladder that keeps the same promise, if one does.\n\n"
        )
        (HERE / "path.md").write_text(text + "\n\n".join(pages) + "\n", encoding="utf-8")


if __name__ == "__main__":
    python = sys.argv[sys.argv.index("--python") + 1] if "--python" in sys.argv else sys.executable
    rounds = int(sys.argv[sys.argv.index("--rounds") + 1]) if "--rounds" in sys.argv else ROUNDS
    main("--quick" in sys.argv, python, rounds)
