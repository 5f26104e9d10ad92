"""Leave-one-out of posteriors by brute force, for `tests/test_loo.py`: `python tests/golden/leave_one_out.py`, minutes.

For every row the posterior of the others is sampled by itself: scrambled Sobol points of a multivariate t about its
mode, twice moved to the moments of what was drawn. Only NumPy and SciPy; the package has no part in it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logsumexp, ndtri
from scipy.stats import chi2, laplace, norm, qmc, t

Array = NDArray[np.float64]
Density = Callable[[Array], Array]
_DF, _POINTS, _REPEATS = 5.0, 15, 4
# Rows, columns, seed and size of the coefficients, and the prior of a slope, as in the test.
SETS: tuple[tuple[tuple[int, int], int, float, Density], ...] = (
    ((34, 1), 1, 6.0, lambda b: t.logpdf(b / 2.0, 3)),
    ((44, 6), 6, 2.0, lambda b: t.logpdf(b / 1.5, 3)),
    ((60, 5), 9, 6.0, lambda b: norm.logpdf(b / 3.0)),
    ((110, 7), 4, 8.0, lambda b: laplace.logpdf(b / 2.0)),
    ((79, 8), 8, 2.0, lambda b: laplace.logpdf(b)),
)


def data(n: int, p: int, seed: int, size: float) -> tuple[Array, Array]:
    """As in the test."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    b = rng.standard_normal(p) * size / np.sqrt(p)
    return X, (rng.random(n) < expit(X @ b)).astype(float)


def left_out(Z: Array, y: Array, i: int, prior: Density, seed: int) -> float:
    """Log probability of outcome i under the posterior of the others; the intercept has the prior Normal(2.5) at 0."""
    sign = np.where(y == 1.0, 1.0, -1.0)
    others = np.delete(np.arange(y.size), i)

    def log_posterior(beta: Array) -> Array:
        rows = log_expit((beta @ Z[others].T) * sign[others]).sum(axis=1)
        return rows + norm.logpdf(beta[:, 0] / 2.5) + prior(beta[:, 1:]).sum(axis=1)

    k = Z.shape[1]
    start = minimize(lambda b: -log_posterior(b[None])[0], np.zeros(k), method="BFGS")
    center, spread = start.x, start.hess_inv
    points = qmc.Sobol(k + 1, seed=seed).random_base2(_POINTS)
    shape = ndtri(points[:, :k]) / np.sqrt(chi2.ppf(points[:, k:], _DF) / _DF)
    for _ in range(3):
        root = np.linalg.cholesky(spread)
        beta = center + 1.2 * shape @ root.T
        z = solve_triangular(1.2 * root, (beta - center).T, lower=True)
        weights = log_posterior(beta) + 0.5 * (_DF + k) * np.log1p(np.square(z).sum(axis=0) / _DF)
        share = np.exp(weights - logsumexp(weights))
        center, spread = share @ beta, np.cov(beta.T, aweights=share, ddof=0).reshape(k, k)
    return float(logsumexp(weights + log_expit(sign[i] * (beta @ Z[i]))) - logsumexp(weights))


def main() -> None:
    """Print the total of each set and its standard error."""
    for shape, seed, size, prior in SETS:
        X, y = data(*shape, seed=seed, size=size)
        Z = np.column_stack([np.ones(y.size), X])
        totals = [sum(left_out(Z, y, i, prior, 1000 * r + i) for i in range(y.size)) for r in range(_REPEATS)]
        error = np.std(totals, ddof=1) / np.sqrt(_REPEATS)
        print(f"{shape} seed {seed}: {np.mean(totals):.4f}, standard error {error:.4f}", flush=True)


if __name__ == "__main__":
    main()
