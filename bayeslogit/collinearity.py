"""How far each column is a combination of the others: variance inflation, and the condition of them all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeslogit.design import Design
from bayeslogit.sources.memory import Block

Array = NDArray[np.float64]
MOST_COLUMNS = 2000
# The share of its own variance that a column must keep beside the others, for rounding not to decide.
_LEAST = 1e-10


def _products(block: Block) -> Array:
    return block.X.information(block.count)


class Collinearity(NamedTuple):
    """Of the slope columns, centred (where there is an intercept) and scaled to variance 1.

    Attributes
    ----------
    inflation : array, shape (k,)
        Variance inflation factors ``1 / (1 - R^2)``: infinity for a combination of other columns, NaN for a constant.
    condition : float
        Largest over smallest singular value; infinity where a column is a combination of others.
    """

    inflation: Array
    condition: float


def collinearity(design: Design) -> Collinearity | None:
    """Collinearity over expanded rows (weight x trials); None above 2,000 columns.

    A variance inflation factor of 10 means that the sd of the estimate is ``sqrt(10)`` times what it were if the column
    had nothing in common with the others (Marquardt 1970); condition numbers above 30 are Belsley's mark.
    """
    first = int(design.has_intercept)
    k = len(design.columns) - first
    if k > MOST_COLUMNS:
        return None
    inflation = np.full(k, np.nan)
    if k == 0:
        return Collinearity(inflation, np.nan)
    rows = design.centered(design.moments.mean) if first else design
    gram = rows.reduce(_products)[first:, first:]
    spread = np.sqrt(np.diag(gram))
    moving = design.moments.lower < design.moments.upper if first else spread > 0.0
    moving &= spread > 0.0
    if not moving.any():
        return Collinearity(inflation, np.nan)
    unit = spread[moving]
    correlation = gram[np.ix_(moving, moving)] / np.outer(unit, unit)
    values, vectors = np.linalg.eigh(correlation)
    lost = values <= _LEAST * max(values[-1], 1.0)
    share = np.square(vectors[:, lost]).sum(axis=1) > _LEAST  # columns that have a part in an exact combination
    kept = np.square(vectors[:, ~lost]) / values[~lost]
    inflation[moving] = np.where(share, np.inf, kept.sum(axis=1))
    return Collinearity(inflation, np.inf if lost.any() else float(np.sqrt(values[-1] / values[0])))
