"""Control variates: functions of the proposal with a known mean of zero, by which an average is corrected.

An estimate whose error is, to first order, the mean of ``r`` (its influence, one number a pair) is improved by taking
off the regression of r on the controls, whose error is known. What the regression leaves gives the Monte-Carlo error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_RIDGE = 1e-8
# Sum of squares of a control that would pull its slope halfway from zero: one that a pair or two see is left alone,
# since a slope of noise would turn its known mean into a bias.
_PRIOR_SQUARES = 5.0
_FOLDS = 5
# Pairs of a piece: products of this length stay in the cache, and on one thread of the BLAS.
_PIECE = 800


@dataclass(frozen=True)
class Corrected:
    """What to add to each estimate, its Monte-Carlo error, and how far two halves disagree in such errors; (m,)."""

    shift: Array
    mcse: Array
    disagreement: Array


def corrected(influence: Array, controls: Sequence[Array]) -> Corrected:
    """The regression of influences on controls, cross-fitted: a fold of pairs is corrected by the slopes of the others.

    A regression on the same pairs would bias the estimate and flatter its error where single pairs weigh heavily.

    Parameters
    ----------
    influence : array, shape (m, S)
        With expectation zero, to first order.
    controls : sequence of arrays, shape (S,) or (m, S)
        With expectation zero, in units in which their slopes are of the order of one.

    Notes
    -----
    The error is widened where few pairs carry the variance, by the standard error of the variance itself: it would be
    too small exactly when a sample has missed what matters.
    """
    (m, S), q = influence.shape, len(controls)
    pieces = -(-S // (_PIECE * _FOLDS)) * _FOLDS
    size = S // pieces
    if size == 0:
        unknown = np.full(m, np.nan)
        return Corrected(np.zeros(m), unknown, unknown)
    H = np.empty((pieces, m, q + 1, size))
    for place, values in enumerate((*controls, influence)):
        H[:, :, place] = np.broadcast_to(values, (m, S))[:, : pieces * size].reshape(m, pieces, size).swapaxes(0, 1)
    # Controls times controls, and times the influence; a matrix times its own transpose would wake every BLAS thread.
    products = np.matmul(H, H[:, :, :q].swapaxes(2, 3))
    sums, whole = H.sum(axis=3), products.sum(axis=0)
    scale = np.sqrt(np.einsum("mqq->mq", whole[:, :q]) + _PRIOR_SQUARES)
    # The slopes of a fold come from the other folds.
    others = whole - products.reshape(-1, _FOLDS, m, q + 1, q).sum(axis=0)
    levels = sums.sum(axis=0) - sums.reshape(-1, _FOLDS, m, q + 1).sum(axis=0)
    others -= levels[..., :, None] * levels[..., None, :q] / (pieces * size * (1.0 - 1.0 / _FOLDS))
    gram = others[:, :, :q] / (scale[:, :, None] * scale[:, None, :])
    gram[..., np.arange(q), np.arange(q)] += _PRIOR_SQUARES / np.square(scale)[:, :] + _RIDGE
    slope = np.linalg.solve(gram, (others[:, :, q] / scale)[..., None])[..., 0] / scale
    slope = np.concatenate([-slope, np.ones((_FOLDS, m, 1))], axis=2)
    rest = np.matmul(np.tile(slope, (pieces // _FOLDS, 1, 1))[:, :, None], H)[:, :, 0]
    shift = rest.mean(axis=(0, 2))
    rest -= shift[:, None]
    squares = np.square(rest)
    variance = squares.sum(axis=(0, 2)) / max(pieces * size - 1, 1)
    fourth = np.square(squares).mean(axis=(0, 2)) / np.maximum(np.square(variance), 1e-300)
    widened = variance * (1.0 + 2.0 * np.sqrt(np.maximum(fourth - 1.0, 0.0) / S))
    mcse = np.sqrt(widened / S)
    halves = 0.5 * (rest[:, :, ::2].mean(axis=(0, 2)) - rest[:, :, 1::2].mean(axis=(0, 2)))
    return Corrected(shift, mcse, np.abs(halves) / np.maximum(mcse, 1e-300))
