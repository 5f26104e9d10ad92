"""L1 paths of the peers that are Python packages; started by `path.py`, with an interpreter that has them.

``python path_peers.py NAME FOLDER TOL``: reads X, y and the lambdas (sum scale) of a folder, warms up on three lambdas,
runs the path, writes the coefficients (intercept first) and prints the seconds, on the clock and of the processors.
Exit code 3: the package is missing.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Path_ = Callable[[Any, Any, Any, float], Any]


def skglm_path(X: Any, y: Any, lambdas: Any, tol: float) -> Any:
    """Proximal Newton with working sets, warm started."""
    from skglm.datafits import Logistic
    from skglm.penalties import L1
    from skglm.solvers import ProxNewton
    from skglm.utils.jit_compilation import compiled_clone

    n = len(y)
    datafit, penalty = compiled_clone(Logistic()), compiled_clone(L1(1.0))
    solver = ProxNewton(tol=tol, fit_intercept=True, max_iter=200, warm_start=True)
    w, fitted, found = np.zeros(X.shape[1] + 1), np.zeros(n), []
    for value in lambdas:
        penalty.alpha = value / n
        w, _, _ = solver.solve(X, 2 * y - 1, datafit, penalty, w, fitted)
        fitted = X @ w[:-1] + w[-1]
        found.append(np.concatenate([w[-1:], w[:-1]]))
    return np.array(found)


def celer_path(X: Any, y: Any, lambdas: Any, tol: float) -> Any:
    """Celer has no intercept in its logistic path: that of the first column stays zero."""
    from celer import celer_path as path

    _, coefficients, *_ = path(X, 2 * y - 1, pb="logreg", alphas=np.array(lambdas), tol=tol)
    return np.vstack([np.zeros(len(lambdas)), coefficients]).T


def adelie_path(X: Any, y: Any, lambdas: Any, tol: float) -> Any:
    """The elastic net of adelie, on as many threads as there are cores."""
    import adelie as ad

    n = len(y)
    state = ad.grpnet(
        X=X,
        glm=ad.glm.binomial(y, dtype=np.float64),
        lmda_path=np.array(lambdas) / n,
        tol=tol,
        early_exit=False,
        progress_bar=False,
        n_threads=len(os.sched_getaffinity(0)),
    )
    return np.column_stack([state.intercepts, state.betas.toarray()])


PATHS: dict[str, Path_] = {"skglm": skglm_path, "celer": celer_path, "adelie": adelie_path}


def main(name: str, folder: Path, tol: float) -> int:
    """Run one peer."""
    warnings.simplefilter("ignore")
    lambdas, y = np.fromfile(folder / "lambda.bin"), np.fromfile(folder / "y.bin")
    X = np.fromfile(folder / "X.bin").reshape(-1, len(y)).T  # by columns, as all three want it
    try:
        PATHS[name](X, y, lambdas[:3], tol)
    except ImportError:
        return 3
    start, processor = time.perf_counter(), time.process_time()
    found = PATHS[name](X, y, lambdas, tol)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    np.ascontiguousarray(found).tofile(folder / f"{name}.bin")
    print(seconds, processor)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("path_peers.py is started by path.py: NAME FOLDER TOL.")
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
