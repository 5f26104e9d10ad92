"""Is a mode finite only because of the prior? Mostly the numbers of the fit itself prove that the rows overlap.

At a mode the residuals balance the score of the prior: ``A'r = g``. The Newton step ``u = H^-1 g`` to the maximum of
the likelihood alone corrects them, ``r (1 - (1 - r) A u)``, and if it moves no row by much the rows overlap, and there
is nothing to say. How far it moves a row at most is known from the range of each column, without a pass over the data.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dtrtri

from bayeslogit.design import Design
from bayeslogit.estimable import estimable, independent, interpolates
from bayeslogit.existence import kind_and_columns
from bayeslogit.mode import Mode
from bayeslogit.plane import rounding
from bayeslogit.recession import cone, free_sides
from bayeslogit.target import Expansion, LogPosterior

Array = NDArray[np.float64]
# How far a row may be moved: its residual is corrected by that share at most.
_MOST = 0.9
# Steps towards the maximum of the likelihood that are cheaper than asking the rows, up to so many numbers.
_MOST_STEPS = 6
_SMALL = 1 << 18
_FAR = 20.0
# The smallest pivot of a Cholesky factor that bounds its inverse.
_PIVOT = 1e-9


def held_by_prior(design: Design, target: LogPosterior, mode: Mode) -> tuple[str, ...]:
    """The note that estimates are finite only because of the prior; none if the rows overlap.

    Parameters
    ----------
    design : Design
        As it was given.
    target : LogPosterior
    mode : Mode
        Converged.
    """
    prior = target.prior
    if not prior.whole and not any(term.proper for term in prior.terms):
        return ()  # the maximum of the likelihood itself is finite
    if overlap_at(target, mode):
        return ()
    sides = free_sides(design.condensed)
    if interpolates(sides):
        return (
            "The outcome is completely separated, as every outcome is with as many independent columns as rows: every "
            "estimate is finite only because of the prior, which decides how large it is.",
        )
    sides = independent(sides)
    found = cone(sides, start=mode.beta)
    if found.recession is None:
        return ()
    which = estimable(found)
    names = [design.columns[j] for j in sides.columns[which.infinite]]
    words, tally = kind_and_columns(design, found.recession), design.tally
    if design.has_intercept and tally.events in (0.0, tally.nobs):
        words = f"Every observation is a {'success' if tally.events else 'failure'}"
    if which.infinite.all():
        return (f"{words}: every estimate is finite only because of the prior, which decides how large it is.",)
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return (
        f"{words}: the estimate{'s' if len(names) > 1 else ''} of {shown} {'are' if len(names) > 1 else 'is'} finite "
        "only because of the prior, which decides how large.",
    )


def overlap_at(target: LogPosterior, mode: Mode) -> bool:
    """Whether the numbers of a fit prove that no direction separates the rows; False leaves it open."""
    design, prior = target.design, target.prior_target
    if target.pseudo or design.source.n_rows < mode.beta.size:
        return False
    gamma = target.coordinates.gamma(mode.beta)
    if mode.information is not None and mode.subspace is None and mode.whole is None:
        score = mode.score - prior.slope(gamma).score
        here = Expansion(0.0, score, mode.information - prior.information(gamma))
        doubt = (mode.information_error, mode.information)
    elif mode.factor is None:
        return False
    else:
        here, doubt = target.likelihood(gamma), None
    steps = _MOST_STEPS if design.source.stored < _SMALL else 0
    while True:
        step, verdict = _balanced(target, here, doubt)
        if verdict is not None or steps == 0:
            return verdict is True
        # Rows still move: at the end of the step the residuals balance better.
        gamma, steps = gamma + step, steps - 1
        here, doubt = target.likelihood(gamma), None


def _balanced(target: LogPosterior, here: Expansion, doubt: tuple[float, Array] | None) -> tuple[Array, bool | None]:
    """The Newton step of the likelihood, and whether it proves overlap; None if a row moves too far to say."""
    H = here.information
    # LAPACK itself: this runs after every fit, and a small one takes less than a millisecond.
    R, failed = dpotrf(H, clean=1)
    if failed or not (np.square(R.diagonal()) > _PIVOT * H.diagonal()).all():
        return here.score, False
    half, _ = dtrtri(R)
    step = half @ (here.score @ half)
    sd = np.sqrt((half * half).sum(axis=1))
    moments, center = target.design.moments, target.coordinates.center
    first = int(target.design.has_intercept)
    reach, largest = np.ones(step.size), np.ones(step.size)
    if center is None:
        reach[first:] = largest[first:] = np.maximum(moments.upper, -moments.lower)
    else:
        reach[first:] = np.maximum(moments.upper - center, center - moments.lower)
        largest[first:] = reach[first:] + 2.0 * np.abs(center)
    moved = float(reach @ np.abs(step))
    if moved > _MOST:
        moved = float(target.reach(step)[0])
        if not moved <= _MOST:
            return step, None if moved < _FAR else False
    # What is left of the balance: rounding, that of the stored values too, and an information that was formed a little
    # way from the mode. It takes a further share of each residual to mend that.
    left = float((np.abs(here.score - H @ step) + rounding(step.size) * target.design.nobs * largest) @ sd)
    if doubt is not None and doubt[0]:
        left += doubt[0] * float(np.linalg.norm((doubt[1] @ step) @ half))
    return step, bool(left * float(reach @ sd) <= 0.5 * (1.0 - moved) ** 2)
