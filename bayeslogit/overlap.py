"""Proof that rows overlap, from residuals: no direction lets some of them gain and none lose.

That is so if, and only if, positive numbers r make the signed rows cancel, ``A'r = 0`` (Stiemke 1915). The residuals of
a fit nearly do: ``A'r = g``, g minus the score of its prior. With ``(A'RA) a = g`` the numbers ``r (1 - A a)`` do, and
are positive if ``A a < 1``. Rounding is accounted for: that of the sums, and that of the stored values themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr
from scipy.linalg.lapack import dtrtri

from bayeslogit.logistic import log_odds_terms
from bayeslogit.plane import rounding
from bayeslogit.steps import WELL_CONDITIONED, Factor, cholesky_factor, root_factor

Array = NDArray[np.float64]
# How much of a residual a correction may take.
_HALF = 0.5
_MOST_STEPS = 60
_MOST_HALVINGS = 30
# Log-odds beyond which a row has been fitted as if it were separated: the step then points where it goes.
_FAR = (12.0, 36.0)
_HARDLY = 1e-2


@dataclass(frozen=True)
class Signed:
    """Signed rows of one class each, in coordinates in which they have full rank.

    Attributes
    ----------
    rows : array, shape (m, k)
    sizes : array, shape (m, k)
        The sizes of the stored values that each entry is made of: what their rounding is relative to.
    terms : int
        How many stored values a row has.
    """

    rows: Array
    sizes: Array
    terms: int


def proved(signed: Signed, r: Array) -> bool:
    """Whether ``r`` (positive, about in balance) can be put into exact balance, whatever rounding did to the rows."""
    A = signed.rows
    factor = _factor(A, r)
    if factor is None:
        return False
    for _ in range(2):  # the second time mends what rounding left of the first
        share = A @ factor.solve(A.T @ r)
        if not np.max(share, initial=0.0) <= 0.5 * _HALF:
            return False
        r = r * (1.0 - share)
    doubt = np.abs(A.T @ r) + rounding(signed.terms) * (signed.sizes.T @ r)
    return largest_share(factor, doubt, A) <= _HALF


def largest_share(factor: Factor, doubt: Array, rows: Array) -> float:
    """The largest share of a residual that it takes to balance what is left, at most ``doubt`` (k,) in size.

    With M at least half the matrix of the factor, ``a = M^-1 e`` and ``|e| <= doubt``: ``|x'a|`` is at most
    ``sqrt(x'M^-1 x) sqrt(e'M^-1 e)``.
    """
    half, _ = dtrtri(factor.R)
    length = float(np.linalg.norm(np.abs(half).T @ (doubt / factor.scale)))
    reach = float(np.square((rows / factor.scale) @ half).sum(axis=1).max(initial=0.0))
    return 2.0 * length * math.sqrt(reach)


def _factor(A: Array, weight: Array) -> Factor | None:
    """Of ``A' diag(weight) A``; by QR of the rows, largest first, where squaring them would cost digits."""
    factor = cholesky_factor(A.T @ (A * weight[:, None]))
    if factor is not None and factor.smallest_pivot >= WELL_CONDITIONED:
        return factor
    half = np.sqrt(weight)[:, None] * A
    (root,) = qr(half[np.argsort(-np.abs(half).max(axis=1))], mode="r", check_finite=False)
    return root_factor(root[: A.shape[1]])


def fitted(signed: Signed) -> Iterator[tuple[Array | None, float]]:
    """Newton's steps to the maximum of the likelihood: directions that may separate, until overlap is proved.

    Yields
    ------
    direction : array, shape (k,), or None
        None, at last, if overlap is proved. Else where the steps went, if every row gains, or the step itself once some
        rows are far: these it moves by one or more, and those that do not gain hardly.
    level : float
        Rows that gain less than this are thought to be level.
    """
    A = signed.rows
    ones, zeros = np.ones(A.shape[0]), np.zeros(A.shape[0])
    b, eta, asked = np.zeros(A.shape[1]), zeros, 0
    terms = log_odds_terms(eta, ones, zeros)
    for _ in range(_MOST_STEPS):
        factor = _factor(A, terms.variance)
        if factor is None:
            return
        score = A.T @ terms.residual
        step = factor.solve(score)
        move = A @ step
        if np.max(move, initial=0.0) <= 1.0 and proved(signed, terms.residual):
            yield None, 0.0
            return
        if asked < len(_FAR) and np.max(eta, initial=0.0) > _FAR[asked]:
            yield step, _HARDLY
            asked += 1
            if asked == len(_FAR):
                return
        loss, gain, length = terms.log_density.sum(), float(score @ step), 1.0
        for _ in range(_MOST_HALVINGS):
            there = log_odds_terms(eta + length * move, ones, zeros)
            if there.log_density.sum() - loss >= 1e-4 * length * gain:
                break
            length *= 0.5
        else:
            return
        b, eta, terms = b + length * step, eta + length * move, there
        if np.min(eta, initial=math.inf) > 0.0:
            yield b / float(np.max(eta)), 0.0
            return
