"""Rows drawn at random in the first pass over a stream, from which the search for the mode starts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslogit.sources.memory import Block

Array = NDArray[np.float64]

_SEED = 20_071
# Numbers of a sample (64 MB as doubles), and its share of the rows where they are fewer.
_MOST_DRAWN = 1 << 23
_SHARE, _LEAST_PER_COLUMN = 16, 60
# Numbers of a design below which no sample is drawn: its rows are as quickly worked as a sample of them.
_LARGE = 1 << 18


@dataclass(frozen=True)
class Drawn:
    """Rows drawn from some blocks, and how many with and without an event there were; two of them add."""

    blocks: tuple[Block, ...]
    members: Array

    def __add__(self, other: Drawn) -> Drawn:
        return Drawn(self.blocks + other.blocks, self.members + other.members)


def rates(n: int, columns: int, share: float) -> tuple[float, float]:
    """By which chance a row with and one without an event are drawn: as many of the rarer kind as of the other."""
    if n * columns < _LARGE:
        return 0.0, 0.0
    most = max(1, min(max(_LEAST_PER_COLUMN * columns, n // _SHARE), n // 2, _MOST_DRAWN // columns))
    smaller = min(max(min(share, 1.0 - share), 0.0), 0.5)
    few = min(1.0, 0.5 * most / max(smaller * n, 1.0))
    many = min(1.0, (most - few * smaller * n) / ((1.0 - smaller) * n))
    return (few, many) if share <= 0.5 else (many, few)


def draw(block: Block, of_events: float, of_others: float) -> Drawn:
    """Each row by the toss of a coin that depends on its position, and on the first row of its block.

    In the first pass positions count from the beginning of a part; two parts do not toss alike.
    """
    used, happened = block.weights > 0.0, block.y > 0.0
    members = np.array([np.sum(used & happened), np.sum(used & ~happened)], dtype=np.float64)
    if of_events == of_others == 0.0:
        return Drawn((), members)
    salt = int(block.X.take(slice(0, 1)).toarray().view(np.uint64).sum())
    rows = np.flatnonzero(used & (coins(block, salt) < np.where(happened, of_events, of_others)))
    X = block.X.take(rows)
    own = Block(X, block.y[rows], block.trials[rows], block.weights[rows], block.offset[rows])
    return Drawn((own,), members)


def coins(block: Block, salt: int = 0) -> Array:
    """A number in [0, 1) for each row, by its position alone (the finaliser of SplitMix64; Steele et al. 2014)."""
    first = np.uint64((block.start + _SEED + salt) & 0xFFFFFFFFFFFFFFFF)
    z = (first + np.arange(block.y.size, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((z ^ (z >> np.uint64(31))) >> np.uint64(11), dtype=np.float64) * 2.0**-53


def placed(blocks: list[tuple[int, Block]], begin: int = 0) -> list[tuple[int, Block]]:
    """Consecutive blocks, with the numbers of their parts, told where they begin among all rows."""
    ends = begin + np.cumsum([block.y.size for _, block in blocks])
    begins = [int(end) - block.y.size for (_, block), end in zip(blocks, ends, strict=True)]
    return [(number, replace(block, start=at)) for (number, block), at in zip(blocks, begins, strict=True)]
