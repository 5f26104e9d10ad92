"""Is the outcome separated? `bl.separation` against one linear programme over all rows (Konis 2007), in turn.

The programme is given what it needs at no cost: signed, scaled rows, as a sparse matrix in HiGHS' own order. Its answer
is neither verified on the data nor followed by the questions which other rows gain and which columns have no finite
estimate; ours is the whole call on a design. Processor time, so that a busy machine and threads change little.
``python benchmarks/separation.py [--quick] [--rows N ...]`` writes ``separation.md``; ``--quick`` leaves out a million
rows and the wider tables, and only prints.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy
from scipy.optimize import linprog
from scipy.sparse import csc_array, csr_array, hstack

import bayeslogit as bl

HERE = Path(__file__).parent
ROUNDS = 3
# The programme is stopped after so many seconds of wall clock, and not run again if it took longer than LONG.
LIMIT, LONG = 120.0, 10.0
KINDS = (
    "overlap",
    "nearly separated",
    "quasi-complete, one column",
    "complete",
    "factor cell of few rows",
    "counts, quasi-complete",
)


class Data(NamedTuple):
    """``y`` of ``trials`` for each row of X, dense or sparse."""

    X: Any
    y: Any
    trials: Any

    @property
    def design(self) -> bl.Design:
        return bl.Design.from_arrays(self.X, self.y, trials=self.trials)


class Line(NamedTuple):
    """One line of the table; the programme's seconds may be its limit."""

    p: int
    kind: str
    ours: float
    programme: float
    stopped: bool
    verdict: str


def simulated(kind: str, n: int, p: int, seed: int = 0) -> Data:
    """Independent normal columns (small whole numbers for counts), log-odds of sd 2.

    Nearly separated: a plane, and three rows on its wrong side. Quasi-complete: a rare indicator of one class. Factor:
    p levels, the last with a dozen rows, all successes, and two numbers. Counts: a plane with whole coefficients; the
    rows on it hold both classes.
    """
    rng = np.random.default_rng(seed)
    ones = np.ones(n)
    if kind.startswith("factor"):
        levels = rng.integers(0, p - 2, n)
        levels[rng.choice(n, 12, replace=False)] = p - 2
        dummies = csr_array((ones, (np.arange(n), levels)), shape=(n, p - 1))[:, 1:]
        numbers = rng.standard_normal((n, 2))
        eta = numbers.sum(axis=1) + rng.standard_normal(p - 1)[levels]
        y = (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))) | (levels == p - 2)
        return Data(csr_array(hstack([csr_array(numbers), dummies])), y.astype(float), ones)
    if kind.startswith("counts"):
        X = rng.integers(-3, 4, (n, p)).astype(float)
        side = X @ rng.integers(-2, 3, p)
        trials = rng.integers(1, 20, n).astype(float)
        return Data(X, np.where(side > 0, trials, np.where(side < 0, 0.0, trials // 2)), trials)
    X = rng.standard_normal((n, p))
    eta = X @ rng.standard_normal(p) * 2.0 / np.sqrt(p)
    y = rng.random(n) < 1.0 / (1.0 + np.exp(-eta))
    if kind.startswith("quasi-complete"):
        X[:, -1] = rng.random(n) < 0.002
        y[X[:, -1] == 1.0] = True
    if kind in ("complete", "nearly separated"):
        y = eta > 0.0
    if kind == "nearly separated":
        exceptions = np.argsort(np.abs(eta))[n // 2 : n // 2 + 3]
        y[exceptions] = ~y[exceptions]
    return Data(X, y.astype(float), ones)


def programme(data: Data) -> Callable[[], Any]:
    """Maximise the total gain of the rows over the unit box; rows of both classes stay level."""
    rows = csc_array(hstack([np.ones((data.y.size, 1)), csc_array(data.X)]))
    mixed = (data.y > 0.0) & (data.y < data.trials)
    sign = np.where(data.y > 0.0, 1.0, -1.0)
    signed = csc_array(rows.multiply(sign[:, None]))[~mixed] if mixed.any() else csc_array(rows.multiply(sign[:, None]))
    level = rows[mixed] if mixed.any() else None
    objective, zeros = -np.asarray(signed.sum(axis=0)).ravel(), np.zeros(signed.shape[0])

    def run() -> Any:
        return linprog(
            objective,
            A_ub=-signed,
            b_ub=zeros,
            A_eq=level,
            b_eq=None if level is None else np.zeros(level.shape[0]),
            bounds=[(-1.0, 1.0)] * rows.shape[1],
            method="highs",
            options={"time_limit": LIMIT},
        )

    return run


def seconds(run: Callable[[], Any]) -> tuple[float, Any]:
    """Processor time of one run, and what it returns."""
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def compared(kind: str, n: int, p: int) -> Line:
    """Both on one data set, taking turns."""
    data = simulated(kind, n, p)
    alone = programme(data)
    ours: list[float] = []
    peers: list[float] = []
    stopped, found = False, None
    for _ in range(ROUNDS):
        spent, found = seconds(lambda: bl.separation(data.design))
        ours.append(spent)
        if not peers or peers[0] < LONG:
            spent, answer = seconds(alone)
            peers.append(spent)
            stopped = answer.status == 1
    assert found is not None
    line = Line(p, kind, statistics.median(ours), statistics.median(peers), stopped, f"{found.verdict}; {found.how}")
    print(f"  n = {n:,}: {line}", flush=True)
    return line


def page(n: int, lines: list[Line]) -> str:
    """A section of the page."""
    rows = [
        f"| {line.p} | {line.kind} | {line.ours:.3f} | {'over ' if line.stopped else ''}{line.programme:.2f} | "
        f"{'over ' if line.stopped else ''}{_ratio(line)} | {line.verdict} |"
        for line in lines
    ]
    head = "| columns | data | separation, s | programme alone, s | times ours | verdict; decided by |"
    return "\n".join([f"## n = {n:,}", "", head, "|---:|---|---:|---:|---:|---|", *rows])


def _ratio(line: Line) -> str:
    ratio = line.programme / line.ours
    return f"{ratio:.1f}" if ratio < 10.0 else f"{ratio:.0f}"


def main() -> None:
    """Print every line as it comes, and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    given = parser.parse_args()
    for kind in KINDS:  # loads the compiled loops
        bl.separation(simulated(kind, 3000, 20).design)
    pages = []
    for n in [n for n in given.rows if n <= 100_000 or not given.quick]:
        wider = (20, 80) if n == 100_000 and not given.quick else (20,)
        pages.append(page(n, [compared(kind, n, p) for p in wider for kind in KINDS]))
    if given.quick:
        return
    text = (
        f"# Separation, {date.today():%-d %B %Y}\n\n"
        f"Made by `python benchmarks/separation.py` ({platform.machine()}; Python {platform.python_version()}, "
        f"NumPy {np.__version__}, SciPy {scipy.__version__}). Processor time, median of {ROUNDS} rounds in turn (the "
        f"programme once where it takes over {LONG:.0f} s, and for at most {LIMIT:.0f} s of wall clock). The programme "
        "alone maximises the gain of all rows at once (Konis 2007, HiGHS); its direction is not verified. Ours is "
        "`bl.separation` of the arrays, verified on every row, with the columns that have no finite estimate and the "
        "rows on the plane.\n\n"
    )
    (HERE / "separation.md").write_text(text + "\n\n".join(pages) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
