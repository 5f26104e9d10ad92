"""The modes of several log posteriors on the same rows, searched abreast: one product of matrices serves all of them.

Leave-one-out and cross-validation ask for many modes near one another, of the same rows with other counts. Each is
found by Newton steps with an information from nearby (chords), which take no matrix apart; the decrement in posterior
sds has to shrink at every step, so that a search whose information is not near enough is given up, not believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Multiplications of one product of matrices that a BLAS keeps to one thread: waking others costs more when cores are
# busy, and rows so many at a time stay in the cache.
_ONE_THREAD = 1 << 18
# The most by which a step may be as long as the one before it.
SHRINKS = 0.5


@dataclass(frozen=True)
class Abreast:
    """Where the searches ended; k coordinates, m of them, n rows.

    Attributes
    ----------
    gammas : array, shape (k, m)
    eta : array, shape (n, m)
        Log-odds of the rows there.
    arrived : array of bool, shape (m,)
        Which have converged; the others were given up.
    steps : int
        The most that one of them took.
    """

    gammas: Array
    eta: Array
    arrived: NDArray[np.bool_]
    steps: int


def search_abreast(
    X: Array,
    offset: Array,
    residuals: Callable[[Array, NDArray[np.intp]], Array],
    prior_scores: Callable[[Array, NDArray[np.intp]], Array],
    solve: Callable[[Array, Array, NDArray[np.intp]], tuple[Array, Array]],
    start: Array,
    *,
    enough: float,
    most: int = 30,
) -> Abreast:
    """Chords from ``start`` until every decrement is at most ``enough`` posterior sds or has stopped shrinking.

    Parameters
    ----------
    X : array, shape (n, k)
    offset : array, shape (n,)
    residuals : callable
        From log-odds of shape (n, j) and the positions of those j searches: the score of the log likelihoods in each
        row's log-odds, (n, j).
    prior_scores : callable
        From coordinates (k, j) and the positions: the scores of the log priors, (k, j).
    solve : callable
        From coordinates (k, j), the scores there (k, j), without those of kinks, and the positions: the step of each
        search, (k, j), and its length in posterior sds, (j,).
    start : array, shape (k, m)
    enough : float
    most : int
        Steps of each.
    """
    gammas = start.copy()
    eta = products(X, gammas) + offset[:, None]
    arrived = np.zeros(gammas.shape[1], dtype=bool)
    before = np.full(gammas.shape[1], np.inf)
    open_ = np.arange(gammas.shape[1])
    steps = 0
    while open_.size:
        score = _transposed(X, residuals(eta[:, open_], open_)) + prior_scores(gammas[:, open_], open_)
        step, decrement = solve(gammas[:, open_], score, open_)
        arrived[open_] = decrement <= enough
        shrinks = np.isfinite(decrement) & ((decrement <= SHRINKS * before[open_]) | (decrement >= 1.0))
        on = ~arrived[open_] & shrinks
        before[open_] = decrement
        if steps == most or not on.any():
            break
        steps += 1
        open_, step = open_[on], step[:, on]
        gammas[:, open_] += step
        eta[:, open_] = products(X, gammas[:, open_]) + offset[:, None]
    return Abreast(gammas, eta, arrived, steps)


def lengths(steps: Array, scores: Array) -> Array:
    """Of Newton's steps in posterior sds, from the scores that made them; both of shape (k, m)."""
    result: Array = np.sqrt(np.maximum(np.sum(steps * scores, axis=0), 0.0))
    return result


def products(X: Array, B: Array) -> Array:
    """``X B``, some rows at a time."""
    result = np.empty((X.shape[0], B.shape[1]))
    for part in _parts(X, B.shape[1]):
        np.matmul(X[part], B, out=result[part])
    return result


def weighted(X: Array, weight: Array) -> Array:
    """``X' diag(weight) X``, some rows at a time."""
    result = np.zeros((X.shape[1], X.shape[1]))
    for part in _parts(X, X.shape[1]):
        result += X[part].T @ (X[part] * weight[part, None])
    return 0.5 * (result + result.T)


def _transposed(X: Array, R: Array) -> Array:
    """``X' R``, some rows at a time."""
    result = np.zeros((X.shape[1], R.shape[1]))
    for part in _parts(X, R.shape[1]):
        result += X[part].T @ R[part]
    return result


def _parts(X: Array, columns: int) -> Iterator[slice]:
    size = max(_ONE_THREAD // max(X.shape[1] * columns, 1), 64)
    return (slice(lower, lower + size) for lower in range(0, X.shape[0], size))
