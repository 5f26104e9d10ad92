"""Rows that repeat, as binomial counts: exact, and many times smaller on survey tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.kernels import kernel
from bayeslogit.sources.matrix import DenseRows
from bayeslogit.sources.memory import MemorySource

Array = NDArray[np.float64]

_SAMPLE = 4096
# Merging pays for itself when at least this many rows become one.
_PAYS = 8
_SEED = 11


def condense(source: MemorySource) -> MemorySource | None:
    """The same likelihood in fewer rows, or None if rows hardly repeat; of large dense rows in memory only.

    Rows are equal when all their columns and their offset are, bit for bit.
    """
    X = source.X
    if not isinstance(X, DenseRows) or not source.compiled or source.n_rows < _SAMPLE:
        return None
    bits, more = X.X.view(np.uint64 if X.X.itemsize == 8 else np.uint32), source.offset.view(np.uint64)
    if not _often_repeated(bits, more):
        return None
    successes, failures = source.counts
    first, s, f = kernel("group_rows", True)(bits, more, successes, failures, source.n_rows // _PAYS)
    if first.size == 0:
        return None
    kept = first[s + f > 0.0]
    s, f = s[s + f > 0.0], f[s + f > 0.0]
    return MemorySource(DenseRows(X.X[kept], X.intercept), s, s + f, np.ones(s.size), source.offset[kept])


def _often_repeated(bits: NDArray[Any], more: NDArray[np.uint64]) -> bool:
    """By the birthday paradox: s rows drawn from U different ones collide about s^2 / 2U times."""
    n = bits.shape[0]
    picked = np.random.default_rng(_SEED).choice(n, _SAMPLE, replace=False, shuffle=False)
    rows = np.column_stack([bits[picked], more[picked]])
    ones = np.ones(_SAMPLE)
    distinct: int = kernel("group_rows", True)(rows, more[picked], ones, ones, _SAMPLE)[0].size
    often: bool = (_SAMPLE - distinct) * 2.0 * n > _PAYS * float(_SAMPLE) ** 2
    return often
