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
from bayeslogit.recession import Recession, cone, free_sides
from bayeslogit.solitary import solitary_separators
from bayeslogit.target import Expansion, LogPosterior

Array = NDArray[np.float64]
# How far a row may be moved: its residual is corrected by that share at most.
_MOST = 0.9
# Steps towards the maximum of the likelihood that are cheaper than asking the rows, up to so many numbers.
_MOST_STEPS = 6
_SMALL = 1 << 18
_FAR = 20.0
_MANY_COLUMNS = 500
# What every such note says.
HELD = "only because of the prior"
_NEVERTHELESS = "{}: every estimate is finite only because of the prior, which decides how large it is."
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
        Converged. Without a covariance, of more than 500 columns, only complete separation at the mode is looked for.
    """
    prior = target.prior
    if not prior.whole and not any(term.proper for term in prior.terms):
        return ()  # the maximum of the likelihood itself is finite
    if overlap_at(target, mode):
        return ()
    sides = free_sides(design.condensed)
    if mode.factor is None and len(design.columns) > _MANY_COLUMNS:
        # Only the mode was asked for, of so many columns that proving overlap costs more: is every row on its side?
        judged = sides.judge(mode.beta)
        return (
            (_NEVERTHELESS.format("The outcome is completely separated"),) if judged.holds and not judged.level else ()
        )
    if interpolates(sides):
        words = "The outcome is completely separated, as every outcome is with as many independent columns as rows"
        return (_NEVERTHELESS.format(words),)
    sides = independent(sides)
    found = cone(sides, start=mode.beta)
    if found.recession is None:
        return ()
    which = estimable(found)
    names = [design.columns[j] for j in sides.columns[which.infinite]]
    words, tally = kind_and_columns(design, found.recession), design.tally
    if design.has_intercept and tally.events in (0.0, tally.nobs):
        words = f"Every observation is a {'success' if tally.events else 'failure'}"
    else:
        words += _alone(design, found.recession)
    if which.infinite.all():
        return (_NEVERTHELESS.format(words),)
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return (
        f"{words}: the estimate{'s' if len(names) > 1 else ''} of {shown} {'are' if len(names) > 1 else 'is'} finite "
        "only because of the prior, which decides how large.",
    )


def _alone(design: Design, recession: Recession) -> str:
    """Which of several columns separate the outcome by themselves, in brackets."""
    moved = np.flatnonzero((recession.direction != 0.0) & (design.column_sds > 0.0))
    alone = [design.columns[j] for j in moved[solitary_separators(design)[moved]]]
    if not alone or len(alone) == moved.size:
        return ""
    shown = ", ".join(alone[:8]) + (f" and {len(alone) - 8} more" if len(alone) > 8 else "")
    return f" ({shown} {'separates' if len(alone) == 1 else 'separate'} it alone)"


def overlap_at(target: LogPosterior, mode: Mode) -> bool:
    """Whether the numbers of a fit prove that no direction separates the rows; False leaves it open."""
    design, prior = target.design, target.prior_target
    if target.pseudo or design.source.n_rows < mode.beta.size:
        return False
    gamma = target.coordinates.gamma(mode.beta)
    own = mode.subspace is None and mode.whole is None and not len(target.kinks.groups)
    if mode.information is not None and own:
        score = mode.score - prior.slope(gamma).score
        here = Expansion(0.0, score, mode.information - prior.information(gamma))
        doubt = (mode.information_error, mode.information)
    elif mode.factor is None and mode.beta.size > _MANY_COLUMNS:
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
    # The largest value of each working column (1 for the intercept), and of the stored values that it is made of.
    moments, center, first = target.design.moments, target.coordinates.center, int(target.design.has_intercept)
    slope, slope_sd = step[first:], sd[first:]
    if center is None:
        reach, shift = np.maximum(moments.upper, -moments.lower), 0.0
    else:
        reach, shift = (
            np.maximum(moments.upper - center, center - moments.lower),
            2.0 * float(np.abs(center) @ slope_sd),
        )
    moved = float(reach @ np.abs(slope)) + (abs(float(step[0])) if first else 0.0)
    if moved > _MOST:
        moved = float(target.reach(step)[0])
        if not moved <= _MOST:
            return step, None if moved < _FAR else False
    # What is left of the balance: rounding, that of the stored values too, and an information that was formed a little
    # way from the mode. It takes a further share of each residual to mend that.
    spread = float(reach @ slope_sd) + (float(sd[0]) if first else 0.0)
    left = float(np.abs(here.score - H @ step) @ sd) + 2.0 * rounding(sd.size) * target.design.nobs * (spread + shift)
    if doubt is not None and doubt[0]:
        left += doubt[0] * float(np.linalg.norm((doubt[1] @ step) @ half))
    return step, left * spread <= 0.5 * (1.0 - moved) ** 2
