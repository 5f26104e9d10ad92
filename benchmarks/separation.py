"""Is the outcome separated? `bl.separation` against one linear programme over all rows (Konis 2007), in one run.

The programme is given what it needs at no cost: signed rows, scaled, as one array. Its answer is neither verified on
the data nor followed by the question which other rows and columns move. ``python benchmarks/separation.py --quick``
leaves out 80 columns.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import linprog

import bayeslogit as bl

ROWS = 100_000
KINDS = ("overlapping", "nearly separated", "quasi-complete", "complete")


def simulated(kind: str, n: int, p: int, seed: int = 0) -> tuple[Any, Any]:
    """Independent columns, log-odds of sd 2; rare levels of one class, or a plane, or a plane and three exceptions."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    eta = X @ rng.standard_normal(p) * 2.0 / np.sqrt(p)
    y = rng.random(n) < 1.0 / (1.0 + np.exp(-eta))
    if kind == "quasi-complete":
        X[:, -1] = rng.random(n) < 0.002
        y[X[:, -1] == 1.0] = True
    if kind in ("complete", "nearly separated"):
        y = eta > 0.0
    if kind == "nearly separated":
        exceptions = np.argsort(np.abs(eta))[n // 2 : n // 2 + 3]
        y[exceptions] = ~y[exceptions]
    return X, y.astype(float)


def programme(X: Any, y: Any) -> Callable[[], Any]:
    """Maximise the total gain of the rows over the unit box."""
    signed = np.column_stack([np.ones(y.size), X]) * np.where(y == 1.0, 1.0, -1.0)[:, None]

    def run() -> Any:
        return linprog(
            -signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(y.size), bounds=[(-1, 1)] * signed.shape[1], method="highs"
        )

    return run


def seconds(run: Callable[[], Any], times: int) -> float:
    """Median of a few runs."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


def main() -> None:
    """Print one line for each kind of data."""
    print(f"separation, {ROWS:,} rows: seconds for bl.separation(design) and for one linear programme over all rows")
    for p in (20,) if "--quick" in sys.argv else (20, 80):
        for kind in KINDS:
            X, y = simulated(kind, ROWS, p)
            bl.separation(bl.Design.from_arrays(X[:5000], y[:5000]))  # loads the compiled loops
            ours = seconds(lambda X=X, y=y: bl.separation(bl.Design.from_arrays(X, y)), 3)  # type: ignore[misc]
            found = bl.separation(bl.Design.from_arrays(X, y))
            alone = seconds(programme(X, y), 1)
            print(
                f"p = {p:3d}  {kind:17s} {ours:8.3f} s  programme {alone:8.2f} s  ratio {alone / ours:6.1f}  "
                f"({found.verdict}; {found.how})",
                flush=True,
            )


if __name__ == "__main__":
    main()
