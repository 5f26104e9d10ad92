"""Which rows are the same: a hash table over the bits of their values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslogit.loops.compile import ELEMENTS, jit

Array = NDArray[np.float64]
Bits = NDArray[Any]


@jit(ELEMENTS)
def group_rows(
    bits: Bits, more: Bits, successes: Array, failures: Array, most: int
) -> tuple[NDArray[np.int64], Array, Array]:
    """First row, successes and failures of each group of equal rows, in order; nothing if there are more than ``most``.

    Parameters
    ----------
    bits, more : arrays of unsigned integers, shapes (n, k) and (n,)
        The bits of the values; rows are equal when all of them are.
    """
    n, k = bits.shape
    size = 1
    while size < 2 * most:
        size *= 2
    table = np.full(size, -1, np.int64)
    first = np.empty(most, np.int64)
    s, f = np.zeros(most), np.zeros(most)
    groups = 0
    for i in range(n):
        h = np.uint64(more[i]) * np.uint64(0x9E3779B97F4A7C15)
        for j in range(k):
            h = (h ^ (h >> np.uint64(31)) ^ np.uint64(bits[i, j])) * np.uint64(0xD6E8FEB86659FD93)
        place = np.int64((h ^ (h >> np.uint64(32))) & np.uint64(size - 1))
        group = table[place]
        while group >= 0:
            other = first[group]
            same = more[i] == more[other]
            for j in range(k):
                same = same and bits[i, j] == bits[other, j]
            if same:
                break
            place = (place + 1) & (size - 1)
            group = table[place]
        if group < 0:
            if groups == most:
                return first[:0], s[:0], f[:0]
            group = groups
            groups += 1
            table[place] = group
            first[group] = i
        s[group] += successes[i]
        f[group] += failures[i]
    return first[:groups], s[:groups], f[:groups]
