"""Some rows at a time under many points: what a rung asks of the likelihood, of a chunk, and of a block of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeslogit.expansion import Expansion
from bayeslogit.logistic import expected_terms, log_likelihoods
from bayeslogit.sources.memory import Block

Array = NDArray[np.float64]

# Step of the differences that give a third derivative, log-odds: eight digits are left.
_STEP = 1e-3
# Products of a chunk's rows with some points: these stay in the second-level cache.
_PRODUCTS = 1 << 16
# Products of matrices up to this many multiplications stay on one thread of the BLAS: blocks are side by side already.
_ONE_THREAD = 1 << 18


class Chunk(NamedTuple):
    """Some rows: core columns, weighted successes, weighted failures (None: single trials of weight 1), offset."""

    X: Array
    successes: Array
    failures: Array | None
    offset: Array


def chunks_of(block: Block, size: int) -> Iterator[Chunk]:
    """The rows of a block that count, so many at a time."""
    for lower in range(0, block.offset.size, size):
        part = slice(lower, lower + size)
        successes, failures = block.successes[part], block.failures[part]
        used = successes + failures > 0.0
        X, offset = block.X.take(part).toarray(), block.offset[part]
        if not used.all():
            X, successes, failures, offset = X[used], successes[used], failures[used], offset[used]
        single = np.all((successes == 0.0) | (successes == 1.0)) and np.all(successes + failures == 1.0)
        yield Chunk(X, successes, None if single else failures, offset)


def expectation(chunk: Chunk, mean: Array, root: Array) -> tuple[float, Array, Array]:
    """The log likelihood averaged over ``Normal(mean, root root')``, with its derivatives in the mean."""
    failures = 1.0 - chunk.successes if chunk.failures is None else chunk.failures
    sd = np.sqrt(np.square(chunk.X @ root).sum(axis=1))
    terms = expected_terms(chunk.X @ mean + chunk.offset, sd, chunk.successes, failures)
    weight = (chunk.successes + failures) * terms.variance
    return float(terms.log_density.sum()), terms.residual @ chunk.X, chunk.X.T @ (chunk.X * weight[:, None])


def skewness(chunk: Chunk, mean: Array, root: Array) -> tuple[Array, Array]:
    """Of each row a sixth of its expected third derivative, and ``sum_i c_i var(x_i' d) x_i``."""
    count = 1.0 if chunk.failures is None else chunk.successes + chunk.failures
    squares = np.square(chunk.X @ root).sum(axis=1)
    at, half = chunk.X @ mean + chunk.offset, np.full(chunk.offset.size, 0.5)
    up, down = (expected_terms(at + step, np.sqrt(squares), half, half).variance for step in (_STEP, -_STEP))
    coefficients = count * (down - up) / (12.0 * _STEP)
    return coefficients, (coefficients * squares) @ chunk.X


def cubes(chunk: Chunk, coefficients: Array, directions: Array) -> Array:
    """``sum_i c_i (x_i' a)^3`` of each direction a, shape (k, m) to (m,)."""
    along = chunk.X @ directions
    return np.asarray(coefficients @ (along * along * along))


def likelihoods(chunk: Chunk, cubic: Array | None, base: Array, moved: Array) -> Array:
    """At ``base + moved`` alone, shape (1, S); with ``base - moved`` and the cubes of ``moved``, shape (3, S)."""
    result = np.empty((1 if cubic is None else 3, moved.shape[1]))
    result[0] = log_likelihoods(base + moved, chunk.successes, chunk.failures)
    if cubic is not None:
        result[1] = log_likelihoods(base - moved, chunk.successes, chunk.failures)
        result[2] = cubic @ (moved * moved * moved)
    return result


# --- blocks of rows that are not in memory ----------------------------------------------------------------------------


def block_expectation(block: Block, size: int, mean: Array, root: Array) -> Expansion:
    """`expectation` of a block."""
    total = Expansion(0.0, np.zeros(mean.size), np.zeros((mean.size, mean.size)))
    for chunk in chunks_of(block, size):
        total += Expansion(*expectation(chunk, mean, root))
    return total


def block_linear(block: Block, size: int, mean: Array, root: Array) -> Array:
    """The linear part of `skewness` of a block."""
    total = np.zeros(mean.size)
    for chunk in chunks_of(block, size):
        total += skewness(chunk, mean, root)[1]
    return total


def block_all(block: Block, size: int, mean: Array, root: Array, away: Array) -> Array:
    """`block_likelihoods` and, behind them, `block_linear`; shape (3 S + k,)."""
    parts = block_likelihoods(block, size, mean, away, (mean, root)), block_linear(block, size, mean, root)
    return np.concatenate([part.ravel() for part in parts])


def block_cubes(block: Block, size: int, around: tuple[Array, Array], directions: Array) -> Array:
    """`cubes` of a block; the coefficients are worked out on the way."""
    total = np.zeros(directions.shape[1])
    for chunk in chunks_of(block, size):
        total += cubes(chunk, skewness(chunk, *around)[0], directions)
    return total


def block_likelihoods(block: Block, size: int, mean: Array, away: Array, around: tuple[Array, Array] | None) -> Array:
    """`likelihoods` of a block at ``mean + away``, shape (1 or 3, S)."""
    count = away.shape[1]
    total = np.zeros((1 if around is None else 3, count))
    for chunk in chunks_of(block, size):
        cubic = None if around is None else skewness(chunk, *around)[0]
        base = (chunk.X @ mean + chunk.offset)[:, None]
        step = max(min(_PRODUCTS, _ONE_THREAD // mean.size) // max(base.size, 1), 16)
        for low in range(0, count, step):
            part = slice(low, low + step)
            total[:, part] += likelihoods(chunk, cubic, base, chunk.X @ away[:, part])
    return total
