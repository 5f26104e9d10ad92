"""Means of every column where the event happened and where it did not; on blocks of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslogit.sources.memory import Block

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OutcomeSums:
    """Sums of every column over successes and over failures (weight x trials), and their counts; two of them add."""

    successes: float
    failures: float
    over_successes: Array
    over_failures: Array

    def __add__(self, other: OutcomeSums) -> OutcomeSums:
        return OutcomeSums(
            self.successes + other.successes,
            self.failures + other.failures,
            self.over_successes + other.over_successes,
            self.over_failures + other.over_failures,
        )

    @property
    def means(self) -> tuple[Array, Array]:
        """Of successes and of failures, shape (p,) each; NaN where there are none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.over_successes / self.successes, self.over_failures / self.failures


def sums_by_outcome(block: Block) -> OutcomeSums:
    """Of a block."""
    ones, zeros = block.successes, block.failures
    return OutcomeSums(float(ones.sum()), float(zeros.sum()), block.X.score(ones), block.X.score(zeros))
